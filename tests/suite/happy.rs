//! Tasks that succeed.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use iexec_tests::{
    app::Image,
    bench::Bench,
    cast::{Ask, Cast, Deal},
    files::FileServer,
};

/// Prints its arguments and environment, and hands its input files back.
const SHOW: &str = r#"
echo "$# arguments"
for arg in "$@"; do echo "<$arg>"; done
echo "a word aside" >&2
env | grep ^IEXEC_ > "$IEXEC_OUT/env.txt"
mkdir "$IEXEC_OUT/inputs"
number=0
while [ "$number" != "${IEXEC_INPUT_FILES_NUMBER:?}" ]; do
    number=$((number + 1))
    eval name="\$IEXEC_INPUT_FILE_NAME_$number"
    cat "$IEXEC_IN/$name" > "$IEXEC_OUT/inputs/$number"
done
echo hello > "$IEXEC_OUT/result.txt"
declare_result "$IEXEC_OUT/result.txt"
"#;

const FILES: &[(&str, &str)] = &[
    ("file-A.txt", "content of A"),
    ("file-B.zip", "content of B"),
];

/// How long it took to see the tasks completed on chain, for whoever reads the test's output.
#[expect(
    clippy::print_stdout,
    reason = "the reader of the test's output is the audience"
)]
async fn print_latency(bench: &Bench, cast: &Cast, deal: &Deal) -> Result<()> {
    cast.completed(deal, deal.tasks.len()).await?;
    let ms = deal.matched.elapsed().as_millis();
    println!(
        "latency: {}: {ms} ms from the deal to COMPLETED",
        bench.test
    );
    Ok(())
}

pub(crate) async fn one_task(bench: Bench) -> Result<()> {
    let world = bench.network(3).await?;
    let cast = &world.cast;
    let files = FileServer::start(FILES).await?;
    let app = Image::of_script(&cast.engine, bench.test, SHOW).await?;
    let app = app.deploy(&cast.developer).await?;
    let ask = Ask {
        args: Some(r#"dostuff --with-option "two words""#.to_owned()),
        input_files: Some(FILES.iter().map(|(name, _)| files.url(name)).collect()),
        ..Ask::default()
    };
    let deal = cast.deal(app, &ask).await?;
    print_latency(&bench, cast, &deal).await?;
    Cast::expect_end(&cast.ended_one(&deal).await?, "COMPLETED", "")?;
    let result = cast.result(deal.tasks[0]).await?;
    let tree = [
        "computed.json",
        "env.txt",
        "inputs/1",
        "inputs/2",
        "result.txt",
    ];
    let tree: Vec<_> = tree
        .into_iter()
        .chain(["stderr.txt", "stdout.txt"])
        .collect();
    assert_eq!(result.names(), tree);
    let args = "3 arguments\n<dostuff>\n<--with-option>\n<two words>\n";
    assert_eq!(result.text("stdout.txt")?, args);
    assert_eq!(result.text("stderr.txt")?, "a word aside\n");
    assert_eq!(result.text("inputs/1")?, FILES[0].1);
    assert_eq!(result.text("inputs/2")?, FILES[1].1);
    check_environment(result.text("env.txt")?, &deal)?;
    world.stop().await
}

/// An app that says nothing and declares all of its output, sub-folders excepted.
pub(crate) async fn whole_output_folder(bench: Bench) -> Result<()> {
    let world = bench.network(1).await?;
    let cast = &world.cast;
    let script = "cd $IEXEC_OUT; mkdir sub; touch sub/x b a; declare_result $IEXEC_OUT";
    let app = Image::of_script(&cast.engine, bench.test, script).await?;
    let app = app.deploy(&cast.developer).await?;
    let deal = cast.deal(app, &Ask::default()).await?;
    Cast::expect_end(&cast.ended_one(&deal).await?, "COMPLETED", "")?;
    let result = cast.result(deal.tasks[0]).await?;
    assert_eq!(
        result.names(),
        [
            "a",
            "b",
            "computed.json",
            "stderr.txt",
            "stdout.txt",
            "sub/x"
        ]
    );
    world.stop().await
}

/// Every variable of the tutorial's two tables, and no other one.
fn check_environment(text: &str, deal: &Deal) -> Result<()> {
    let lines = text.lines().filter_map(|line| line.split_once('='));
    let mut found: BTreeMap<&str, &str> = lines.collect();
    let (deal_id, task_id) = (deal.id.to_string(), deal.tasks[0].to_string());
    let no_dataset = "0x0000000000000000000000000000000000000000";
    let expected = [
        ("IEXEC_IN", "/iexec_in"),
        ("IEXEC_INPUT_FILES_NUMBER", "2"),
        ("IEXEC_INPUT_FILE_NAME_1", "file-A.txt"),
        ("IEXEC_INPUT_FILE_NAME_2", "file-B.zip"),
        ("IEXEC_DATASET_ADDRESS", no_dataset),
        ("IEXEC_OUT", "/iexec_out"),
        ("IEXEC_TASK_ID", &task_id),
        ("IEXEC_BOT_TASK_INDEX", "0"),
        ("IEXEC_BOT_FIRST_INDEX", "0"),
        ("IEXEC_BOT_SIZE", "1"),
        // Not in the tutorial, but set by the official worker (spec/pool-worker.md §2.11).
        ("IEXEC_DATASET_FILENAME", no_dataset),
        ("IEXEC_DEAL_ID", &deal_id),
        ("IEXEC_TASK_INDEX", "0"),
        ("IEXEC_INPUT_FILES_FOLDER", "/iexec_in"),
    ];
    for (name, value) in expected {
        assert_eq!(found.remove(name), Some(value), "{name}");
    }
    ensure!(found.is_empty(), "a standard task has no {found:?}");
    Ok(())
}
