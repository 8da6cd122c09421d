//! The examples of the client library, as a reader would run them.

use std::path::PathBuf;

use alloy::primitives::hex;
use anyhow::{Context as _, Result, ensure};
use iexec_tests::{app::Image, bench::Bench};
use tokio::process::Command;

const GREET: &str = r#"
echo "hello $1" > "$IEXEC_OUT/result.txt"
declare_result "$IEXEC_OUT/result.txt"
"#;

pub(crate) async fn publish_list_and_run(bench: Bench) -> Result<()> {
    let world = bench.network(1).await?;
    let image = Image::of_script(&world.cast.engine, bench.test, GREET).await?;
    let checksum = hex::encode(image.checksum);
    let published = example(&bench, "publish_app", &[&image.name, &checksum, "7"]).await?;
    let app = published.split_whitespace().nth(1);
    let app = app.with_context(|| format!("no app in {published}"))?;
    let offers = example(&bench, "orderbook", &[]).await?;
    ensure!(offers.contains("category 0  trust 5  tee,tdx"), "{offers}");
    let ran = example(&bench, "run_app", &[app, "Ada"]).await?;
    ensure!(ran.contains("costs 7 nRLC"), "{ran}");
    ensure!(
        ran.contains("Verified result") && ran.contains("result.txt"),
        "{ran}"
    );
    world.stop().await
}

/// Runs it on the bench's network and returns what it printed.
async fn example(bench: &Bench, name: &str, words: &[&str]) -> Result<String> {
    let output = Command::new(program(name)?)
        .arg(bench.data_dir().join(network::FILE_NAME))
        .args(words)
        .kill_on_drop(true)
        .output()
        .await?;
    let said = String::from_utf8(output.stdout)?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name}: {said}{error}");
    Ok(said)
}

/// Cargo builds examples beside the tests.
fn program(name: &str) -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder = test.ancestors().nth(2).context("no target folder")?;
    let program = folder.join("examples").join(name);
    let hint = "build it: cargo build -p iexec-sdk --examples";
    ensure!(program.is_file(), "no {}; {hint}", program.display());
    Ok(program)
}
