//! The operators' guide, typed as it stands: all its commands in one shell, on a machine of its own
//! as far as the network and the home folder go.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use engine::Choice;
use iexec_tests::{
    bench::Bench,
    tools::{apt_install, need, root},
};
use tokio::{process::Command, time::timeout};

const GUIDE: &str = include_str!("../../../../docs/operators.md");
/// The parts that are typed, in order: from a line that begins so to the next with `## `.
const PARTS: [&str; 8] = [
    "## 1.", "## 2.", "## 3.", "## 4.", "## 5.", "## 6.", "## 7.", "## 8.",
];
/// Before the first command. A network namespace begins without a loopback.
const BEFORE: &str = "set -eu\nip link set lo up\n";
/// After the last one: what the guide leaves to the reader.
const AFTER: &str = "docker rmi my/hello:1 > /dev/null\n";
/// What is unusual about a machine that has only what the guide names, as (package, program).
const PROGRAMS: [(&str, &str); 3] = [
    ("unzip", "unzip"),
    ("iproute2", "ip"),
    ("util-linux", "unshare"),
];
/// Nobody else's ports, and no process outlives the shell.
const ALONE: [&str; 5] = ["--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
/// The guide says ten minutes, for a person; the machine types faster.
const GUIDE_MAX: Duration = Duration::from_secs(240);

#[tokio::test]
async fn the_operators_guide_as_it_stands() {
    need!(apt_install(&PROGRAMS).and_then(|()| root()));
    let test = "the_operators_guide_as_it_stands";
    crate::play(test, Choice::Docker, follow).await;
}

async fn follow(bench: Bench) -> Result<()> {
    let home = bench.data_dir();
    fs::create_dir_all(&home)?;
    let script = commands(GUIDE)?;
    let run = Command::new("unshare")
        .args(ALONE)
        .args(["bash", "-c", &script])
        .env_clear()
        .env("HOME", &home)
        .env("PATH", path()?)
        .current_dir(&home)
        .kill_on_drop(true)
        .output();
    let output = timeout(GUIDE_MAX, run).await;
    let output = output.with_context(|| format!("does not end; {}", logs(&home)))??;
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    let all = || format!("{said}\n{complaint}\n{}", logs(&home));
    ensure!(output.status.success(), "{}: {}", output.status, all());
    ensure!(
        said.lines().any(|line| line == "hello"),
        "no result: {}",
        all()
    );
    ensure!(said.contains("1 of 1 pools"), "no worker: {}", all());
    Ok(())
}

/// The indented lines of the parts.
fn commands(guide: &str) -> Result<String> {
    let mut script = BEFORE.to_owned();
    for part in PARTS {
        let (_, rest) = guide
            .split_once(part)
            .with_context(|| format!("no `{part}`"))?;
        let text = rest.split("\n## ").next().unwrap_or_default();
        for line in text.lines().filter_map(|line| line.strip_prefix("    ")) {
            script += line;
            script.push('\n');
        }
    }
    Ok(script + AFTER)
}

/// Where our program is, before everything else.
fn path() -> Result<String> {
    let folder = Path::new(env!("CARGO_BIN_EXE_iexec")).parent();
    let folder = folder.context("no folder")?.display();
    Ok(format!("{folder}:{}", std::env::var("PATH")?))
}

/// The end of what each role said.
fn logs(home: &Path) -> String {
    let role = |role| {
        let text =
            fs::read_to_string(home.join(format!("operator/{role}.log"))).unwrap_or_default();
        let lines: Vec<_> = text.lines().rev().take(10).collect();
        let lines: Vec<_> = lines.into_iter().rev().collect();
        format!("{role}:\n{}\n", lines.join("\n"))
    };
    ["chain", "store", "market", "sms", "pool", "worker"]
        .map(role)
        .concat()
}
