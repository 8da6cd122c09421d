//! `iexec pool status`.

use serde_json::{Value, json};

use super::STANDARD;
use crate::{
    commands::role::StatusArgs,
    outcome::{Failure, Report},
};

/// Asks, and shows it.
pub(super) async fn run(args: &StatusArgs) -> Result<Report, Failure> {
    let status = args.ask(&STANDARD).await?;
    let workers = status["workers"].as_array().map_or(0, Vec::len);
    let draining = match status["draining"] == true {
        true => ", draining",
        false => "",
    };
    let text = format!(
        "{workers} workers online, {} of {} slots busy, {} tasks waiting, block {}{draining}",
        status["busy"], status["slots"], status["queue"], status["latestBlock"]
    );
    Ok(Report::new(status.clone(), text).with_data(&shown(&status)))
}

fn shown(status: &Value) -> Value {
    json!({
        "version": status["version"],
        "workerpool": status["workerpool"],
        "chain": status["chainId"],
        "latestBlock": status["latestBlock"],
        "nextBlock": status["nextBlock"],
        "tasks": status["tasks"],
        "workers": status["workers"],
    })
}
