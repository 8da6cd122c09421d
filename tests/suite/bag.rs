//! Bags of tasks.

use anyhow::Result;
use futures_util::future::try_join_all;
use iexec_tests::{
    app::Image,
    bench::Bench,
    cast::{Ask, Cast, Deal},
};

/// Its result is a folder: the index in a file of its own and one that is equal everywhere.
const TELL_INDEX: &str = r#"
mkdir "$IEXEC_OUT/result"
echo "$IEXEC_BOT_TASK_INDEX from $IEXEC_BOT_FIRST_INDEX of $IEXEC_BOT_SIZE" \
    > "$IEXEC_OUT/result/index.txt"
echo same > "$IEXEC_OUT/result/always.txt"
declare_result "$IEXEC_OUT/result"
"#;

async fn told(cast: &Cast, deal: &Deal) -> Result<Vec<String>> {
    for task in cast.ended(deal).await? {
        Cast::expect_end(&task, "COMPLETED", "")?;
    }
    let results = deal.tasks.iter().map(|task| cast.result(*task));
    let results = try_join_all(results).await?;
    let index =
        |result: &iexec_tests::archive::Archive| result.text("result/index.txt").map(str::to_owned);
    results.iter().map(index).collect()
}

pub(crate) async fn three_tasks(bench: Bench) -> Result<()> {
    let world = bench.network(3).await?;
    let cast = &world.cast;
    let app = Image::of_script(&cast.engine, bench.test, TELL_INDEX).await?;
    let app = app.deploy(&cast.developer).await?;
    let ask = Ask {
        volume: 3,
        ..Ask::default()
    };
    let deal = cast.deal(app, &ask).await?;
    let expected = ["0 from 0 of 3\n", "1 from 0 of 3\n", "2 from 0 of 3\n"];
    assert_eq!(told(cast, &deal).await?, expected);
    world.stop().await
}

/// One request order may take several deals; its indices go on counting.
pub(crate) async fn two_deals_of_one_request(bench: Bench) -> Result<()> {
    let world = bench.network(3).await?;
    let cast = &world.cast;
    let app = Image::of_script(&cast.engine, bench.test, TELL_INDEX).await?;
    let app = app.deploy(&cast.developer).await?;
    let all = Ask {
        volume: 3,
        ..Ask::default()
    };
    let request = cast.request_order(app, &all)?;
    let one = cast.app_order(
        app,
        &Ask {
            volume: 1,
            ..all.clone()
        },
    )?;
    let rest = cast.app_order(
        app,
        &Ask {
            volume: 2,
            ..all.clone()
        },
    )?;
    let first = cast.match_orders(&one, &request, &all).await?;
    let second = cast.match_orders(&rest, &request, &all).await?;
    assert_eq!(told(cast, &first).await?, ["0 from 0 of 1\n"]);
    assert_eq!(
        told(cast, &second).await?,
        ["1 from 1 of 2\n", "2 from 1 of 2\n"]
    );
    world.stop().await
}
