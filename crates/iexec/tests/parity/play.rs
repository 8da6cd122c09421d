//! Plays a story and compares.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use iexec_tests::tools;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    deviation::{Deviation, differences},
    row::Story,
    world::{Program, World},
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
    let deviations = deviations(story)?;
    let mut failures = Vec::new();
    for (number, (official, ours)) in official.iter().zip(ours).enumerate() {
        let known = deviations.iter().filter(|known| known.row == number);
        if let Err(error) = judge_row(known, official, &ours.outcome) {
            failures.push(format!("{number}: iexec {}\n{error:#}", official.line));
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

fn judge_row<'a>(
    known: impl Iterator<Item = &'a Deviation>,
    official: &Recorded,
    ours: &Value,
) -> Result<()> {
    let mut expected = official.outcome.clone();
    for deviation in known {
        ensure!(
            deviation.line == official.line,
            "a deviation is of another row"
        );
        deviation.apply(&mut expected)?;
    }
    let found: Vec<String> = differences("", &expected, ours)
        .iter()
        .map(|difference| json!(difference).to_string())
        .collect();
    ensure!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

fn deviations(story: &Story) -> Result<Vec<Deviation>> {
    let text = fs::read_to_string(path(story, "deviations")).context("no deviations")?;
    Ok(serde_json::from_str(&text)?)
}

fn path(story: &Story, folder: &str) -> PathBuf {
    let name = format!("{}.json", story.name);
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/parity")
        .join(folder)
        .join(name)
}

fn read(story: &Story) -> Result<Vec<Recorded>> {
    let text = fs::read_to_string(path(story, "recorded")).context("no recording")?;
    Ok(serde_json::from_str(&text)?)
}

fn write(story: &Story, recorded: &[Recorded]) -> Result<()> {
    let text = serde_json::to_string_pretty(recorded)? + "\n";
    Ok(fs::write(path(story, "recorded"), text)?)
}
