//! Tasks that fail: each ends, with the official cause where the requester looks for it.

use anyhow::{Result, anyhow, ensure};
use chain::Actor;
use engine::{
    Choice,
    testing::{self, Registry, TestImage, busybox},
};
use iexec_tests::{
    app::Image,
    bench::{Bench, World},
    cast::{Ask, Cast, Deal},
    files::FileServer,
    task::{self, PoolTask},
};
use protocol::{B256, deal::TaskStatus};
use serde_json::json;

/// The category whose tasks can be claimed after ten seconds.
const QUICK: u64 = 5;
/// What the requester pays when it matters that it gets it back.
const PRICE: u64 = 1_000;

async fn run(world: &World, bench: &Bench, script: &str, ask: &Ask) -> Result<(Deal, PoolTask)> {
    let cast = &world.cast;
    let image = Image::of_script(&cast.engine, bench.test, script).await?;
    let deal = cast.deal(image.deploy(&cast.developer).await?, ask).await?;
    let task = cast.ended_one(&deal).await?;
    Ok((deal, task))
}

/// Runs `script` on a network of its own and expects it to fail so, without any result on chain.
async fn fails(bench: Bench, script: &str, cause: &str, message: &str) -> Result<()> {
    let world = bench.network(1).await?;
    let (deal, task) = run(&world, &bench, script, &Ask::default()).await?;
    Cast::expect_end(&task, "FAILED", cause)?;
    ensure!(task.message().contains(message), "`{}`", task.message());
    let on_chain = world.cast.hub.task(deal.tasks[0]).await?;
    let status = on_chain.map_or(TaskStatus::Unset, |task| task.status);
    ensure!(!status.is_final(), "nobody may be paid: {status:?}");
    world.stop().await
}

pub(crate) async fn no_computed_json(bench: Bench) -> Result<()> {
    let cause = "DETERMINISM_HASH_NOT_FOUND";
    fails(
        bench,
        "echo 1 > $IEXEC_OUT/result.txt",
        cause,
        "computed.json",
    )
    .await
}

pub(crate) async fn output_that_is_not_there(bench: Bench) -> Result<()> {
    let cause = "DETERMINISM_HASH_NOT_FOUND";
    fails(
        bench,
        "declare_result /iexec_out/nothing",
        cause,
        "/iexec_out/nothing",
    )
    .await
}

/// What the app said on its way out is for the requester, and for nobody else.
pub(crate) async fn exit_code_1(bench: Bench) -> Result<()> {
    let world = bench.network(1).await?;
    let script = "echo begun; echo sorry >&2; exit 1";
    let (deal, task) = run(&world, &bench, script, &Ask::default()).await?;
    Cast::expect_end(&task, "FAILED", "APP_COMPUTE_FAILED")?;
    ensure!(
        task.message().contains("exit code 1"),
        "`{}`",
        task.message()
    );
    assert_eq!(task.0["replicates"][0]["appExitCode"], 1);
    let cast = &world.cast;
    let logs = async |reader: &Actor| {
        task::logs(&cast.http, &cast.origin, reader.wallet(), deal.tasks[0]).await
    };
    let (status, said) = logs(&cast.requester).await?;
    assert_eq!(status, 200);
    let said = &said["computeLogsList"][0];
    assert_eq!(
        (&said["stdout"], &said["stderr"]),
        (&json!("begun\n"), &json!("sorry\n"))
    );
    assert_eq!(logs(&cast.developer).await?.0, 403);
    world.stop().await
}

pub(crate) async fn path_outside_of_the_output(bench: Bench) -> Result<()> {
    let cause = "POST_COMPUTE_RESULT_DIGEST_COMPUTATION_FAILED";
    fails(
        bench,
        "declare_result /iexec_out/../etc/passwd",
        cause,
        "leaves /iexec_out",
    )
    .await
}

pub(crate) async fn link_out_of_the_output(bench: Bench) -> Result<()> {
    let cause = "POST_COMPUTE_RESULT_DIGEST_COMPUTATION_FAILED";
    // Busybox knows no `ln` in this image by name, but as its own argument.
    let script = "busybox ln -s /etc/passwd $IEXEC_OUT/x; declare_result /iexec_out/x";
    fails(bench, script, cause, "symbolic link").await
}

/// The money is locked until the final deadline, and comes back by a claim then.
pub(crate) async fn sleeper_is_stopped_and_claimed(bench: Bench) -> Result<()> {
    let world = bench.network(1).await?;
    let cast = &world.cast;
    let payer = cast.requester.address();
    let before = cast.hub.account(payer).await?;
    let ask = Ask {
        category: QUICK,
        pool_price: PRICE,
        app_price: 1,
        ..Ask::default()
    };
    let (deal, task) = run(&world, &bench, "sleep 600", &ask).await?;
    Cast::expect_end(&task, "FAILED", "APP_COMPUTE_TIMEOUT")?;
    let locked = cast.hub.account(payer).await?.locked - before.locked;
    assert_eq!(locked.to::<u64>(), PRICE + 1);
    cast.advance(10).await?;
    cast.requester.claim(deal.tasks[0]).await?;
    assert_eq!(cast.hub.account(payer).await?, before);
    assert_eq!(
        cast.on_chain(deal.tasks[0]).await?.status,
        TaskStatus::Failed
    );
    world.stop().await
}

/// A download that fails is itself the result: it is contributed and paid.
async fn error_is_the_result(
    world: &World,
    deal: &Deal,
    status: &str,
    cause: &str,
) -> Result<PoolTask> {
    let task = world.cast.ended_one(deal).await?;
    Cast::expect_end(&task, "COMPLETED", cause)?;
    let result = world.cast.result(deal.tasks[0]).await?;
    assert_eq!(
        result.names(),
        ["computed.json", "error.txt", "stderr.txt", "stdout.txt"]
    );
    let expected = format!(
        "[IEXEC] Errors occurred while computing the task \
         [error:{status}, causes:[WorkflowError[cause={cause}, message=]]]"
    );
    assert_eq!(result.text("error.txt")?, expected);
    Ok(task)
}

pub(crate) async fn input_file_404(bench: Bench) -> Result<()> {
    let world = bench.network(1).await?;
    let cast = &world.cast;
    let files = FileServer::start(&[]).await?;
    let image = Image::of_script(&cast.engine, bench.test, "exit 0").await?;
    let url = files.url("missing.txt");
    let ask = Ask {
        input_files: Some(vec![url.clone()]),
        ..Ask::default()
    };
    let deal = cast
        .deal(image.deploy(&cast.developer).await?, &ask)
        .await?;
    let cause = "INPUT_FILES_DOWNLOAD_FAILED";
    let task = error_is_the_result(&world, &deal, "DATA_DOWNLOAD_FAILED", cause).await?;
    let message = task.message();
    ensure!(
        message.contains(&url) && message.contains("404"),
        "`{message}`"
    );
    world.stop().await
}

/// A registry with one image in it, or None with the reason printed.
async fn registry(bench: &Bench, image: &TestImage) -> Result<Option<(Registry, Image)>> {
    let registry = match Registry::start() {
        Ok(registry) => registry,
        Err(reason) => {
            testing::skip(bench.test, &reason);
            return Ok(None);
        }
    };
    let (name, digest) = registry
        .push(image, "suite/app:1")
        .await
        .map_err(|e| anyhow!(e))?;
    let image = Image {
        name: name.to_string(),
        checksum: B256::from(digest.0),
    };
    Ok(Some((registry, image)))
}

fn app_that_is_pulled(choice: Choice) -> Result<TestImage> {
    let mut image = busybox().map_err(|reason| anyhow!(reason))?;
    // Docker keeps images: each engine has to pull one of its own.
    image.cmd = vec![format!("echo {choice:?} > $IEXEC_OUT/x; {DECLARE_X}")];
    Ok(image)
}

const DECLARE_X: &str =
    r#"echo '{"deterministic-output-path":"/iexec_out/x"}' > $IEXEC_OUT/computed.json"#;

pub(crate) async fn only_the_pinned_image_runs(bench: Bench) -> Result<()> {
    let image = app_that_is_pulled(bench.choice)?;
    let Some((_registry, image)) = registry(&bench, &image).await? else {
        return Ok(());
    };
    let world = bench.network(1).await?;
    let cast = &world.cast;
    let cause = "APP_IMAGE_DOWNLOAD_FAILED";
    let other_digest = Image {
        checksum: B256::repeat_byte(7),
        ..image.clone()
    };
    let missing = Image {
        name: image.name.replace("/app:", "/nobody:"),
        ..other_digest.clone()
    };
    for wrong in [missing, other_digest] {
        let app = wrong.deploy(&cast.developer).await?;
        let deal = cast.deal(app, &Ask::default()).await?;
        let task = error_is_the_result(&world, &deal, "APP_DOWNLOAD_FAILED", cause).await?;
        ensure!(task.message().contains("suite/"), "`{}`", task.message());
    }
    let app = image.deploy(&cast.developer).await?;
    let deal = cast.deal(app, &Ask::default()).await?;
    Cast::expect_end(&cast.ended_one(&deal).await?, "COMPLETED", "")?;
    let result = cast.result(deal.tasks[0]).await?;
    assert_eq!(result.text("x")?, format!("{:?}\n", bench.choice));
    world.stop().await
}

pub(crate) async fn nobody_to_run_it(bench: Bench) -> Result<()> {
    let world = bench.network(0).await?;
    let cast = &world.cast;
    let image = Image::of_script(&cast.engine, bench.test, "exit 0").await?;
    let app = image.deploy(&cast.developer).await?;
    let deal = cast.deal(app, &Ask::default()).await?;
    // Seven times the 300 s of category XS (spec/contracts.md §2).
    cast.advance(7 * 300).await?;
    let task = cast.ended_one(&deal).await?;
    Cast::expect_end(&task, "FAILED", "CONTRIBUTION_TIMEOUT")?;
    world.stop().await
}
