//! `iexec worker status`.

use serde_json::{Value, json};

use super::STANDARD;
use crate::{
    commands::role::StatusArgs,
    context::Context,
    outcome::{Failure, Report},
};

/// Asks, and shows it.
pub(super) async fn run(args: &StatusArgs, _context: &Context) -> Result<Report, Failure> {
    let status = args.ask(&STANDARD).await?;
    let pools = status["pools"].as_array().map_or(&[][..], Vec::as_slice);
    let busy: usize = pools.iter().map(|pool| count(&pool["tasks"])).sum();
    let online = pools.iter().filter(|pool| pool["online"] == true).count();
    let draining = match status["draining"] == true {
        true => ", draining",
        false => "",
    };
    let text = format!(
        "{busy} tasks in {} slots, logged in at {online} of {} pools{draining}",
        status["slots"],
        pools.len()
    );
    Ok(Report::new(status.clone(), text).with_data(&shown(&status)))
}

fn count(list: &Value) -> usize {
    list.as_array().map_or(0, Vec::len)
}

fn shown(status: &Value) -> Value {
    json!({
        "name": status["name"],
        "version": status["version"],
        "wallet": status["wallet"],
        "engine": status["engine"],
        "pools": status["pools"],
        "ended": status["ended"],
    })
}
