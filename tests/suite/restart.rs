//! A network that is stopped politely and started again.

use anyhow::Result;
use iexec_tests::{
    app::Image,
    bench::Bench,
    cast::{Ask, Cast},
    task,
};

const SLOW: &str = "sleep 2; echo done > $IEXEC_OUT/x; declare_result $IEXEC_OUT/x";

pub(crate) async fn stopped_while_it_computes(bench: Bench) -> Result<()> {
    let world = bench.network(1).await?;
    let app = Image::of_script(&world.cast.engine, bench.test, SLOW).await?;
    let app = app.deploy(&world.cast.developer).await?;
    let deal = world.cast.deal(app, &Ask::default()).await?;
    task::reached(
        &world.cast.http,
        &world.cast.origin,
        deal.tasks[0],
        "COMPUTING",
    )
    .await?;
    world.stop().await?;

    let world = bench.network(1).await?;
    let cast = &world.cast;
    Cast::expect_end(&cast.ended_one(&deal).await?, "COMPLETED", "")?;
    assert_eq!(cast.result(deal.tasks[0]).await?.text("x")?, "done\n");
    world.stop().await
}
