//! Plays a story and compares.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use iexec_tests::tools;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    row::{Row, Story},
    world::{Program, World, put},
};

/// Asks for the official program to be run: `record` keeps what it says, `live` only compares.
const MODE: &str = "IEXEC_PARITY";

/// What the official program said to one row.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct Recorded {
    line: String,
    outcome: Value,
}

/// Plays one story; fails with every row that is not as it must be.
pub(crate) async fn story(story: Story) {
    if let Err(error) = compare(&story).await {
        panic!("{}: {error:?}", story.name);
    }
}

async fn compare(story: &Story) -> Result<()> {
    let mode = std::env::var(MODE).unwrap_or_default();
    let recorded = match mode.as_str() {
        "record" | "live" => {
            let package = tools::npm_package("iexec", story.official)?;
            let program = Program::official(&package);
            let (official, ours) = tokio::join!(play(program, story), play(Program::ours(), story));
            let official = official?;
            if mode == "record" {
                write(story, &official)?;
            }
            ensure!(
                read(story)? == official,
                "the official program says something else now"
            );
            return judge(story, &official, &ours?);
        }
        _ => read(story)?,
    };
    let ours = play(Program::ours(), story).await?;
    judge(story, &recorded, &ours)
}

async fn play(program: Program, story: &Story) -> Result<Vec<Recorded>> {
    let mut world = World::new(program, story).await?;
    let mut said = Vec::new();
    for (number, row) in story.rows.iter().enumerate() {
        let outcome = tokio::task::block_in_place(|| world.play(number, row));
        let outcome = outcome.unwrap_or_else(|error| format!("{error:#}").into());
        said.push(Recorded {
            line: row.line.to_owned(),
            outcome,
        });
    }
    world.stop().await;
    Ok(said)
}

fn judge(story: &Story, official: &[Recorded], ours: &[Recorded]) -> Result<()> {
    let lines = official.iter().map(|recorded| recorded.line.as_str());
    let is_recorded = lines.eq(story.rows.iter().map(|row| row.line));
    ensure!(
        is_recorded,
        "the table has changed: run it with {MODE}=record"
    );
    let mut failures = Vec::new();
    for ((row, official), ours) in story.rows.iter().zip(official).zip(ours) {
        if let Err(error) = judge_row(row, &official.outcome, &ours.outcome) {
            failures.push(format!("iexec {}\n{error:#}", row.line));
        }
    }
    let (failed, all) = (failures.len(), story.rows.len());
    ensure!(
        failed == 0,
        "{failed} of {all} rows differ:\n\n{}",
        failures.join("\n\n")
    );
    Ok(())
}

fn judge_row(row: &Row, official: &Value, ours: &Value) -> Result<()> {
    let mut expected = official.clone();
    for deviation in &row.deviations {
        let found = official.pointer(deviation.at);
        ensure!(
            found != Some(&deviation.ours),
            "no deviation at {} any more",
            deviation.at
        );
        put(&mut expected, deviation.at, deviation.ours.clone())?;
    }
    // texts, so that the order of keys counts
    let (expected, ours) = (pretty(&expected)?, pretty(ours)?);
    ensure!(expected == ours, "{}", difference(&expected, &ours));
    Ok(())
}

fn pretty(value: &Value) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)?)
}

/// The lines only one side has.
fn difference(expected: &str, ours: &str) -> String {
    let lacking = |a: &str, b: &str, sign: &str| -> String {
        let others: Vec<_> = b.lines().collect();
        a.lines()
            .filter(|line| !others.contains(line))
            .map(|line| format!("{sign} {line}\n"))
            .collect()
    };
    let text = lacking(expected, ours, "-") + &lacking(ours, expected, "+");
    match text.is_empty() {
        true => format!("the order differs: {expected}\n{ours}"),
        false => text,
    }
}

fn path(story: &Story) -> PathBuf {
    let name = format!("{}.json", story.name);
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/parity/recorded")
        .join(name)
}

fn read(story: &Story) -> Result<Vec<Recorded>> {
    let text = fs::read_to_string(path(story)).context("no recording")?;
    Ok(serde_json::from_str(&text)?)
}

fn write(story: &Story, recorded: &[Recorded]) -> Result<()> {
    let text = serde_json::to_string_pretty(recorded)? + "\n";
    Ok(fs::write(path(story), text)?)
}
