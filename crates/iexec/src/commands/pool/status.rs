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
        "{workers} workers online, {} of {} slots busy, {} tasks waiting, block {}{draining}{}",
        status["busy"],
        status["slots"],
        status["queue"],
        status["latestBlock"],
        refused(&status)
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
        "refused": status["refused"],
    })
}

/// `, refused logins: 3 not-on-whitelist`; nothing when there are none.
fn refused(status: &Value) -> String {
    let reasons = status["refused"].as_object().into_iter().flatten();
    let counts: Vec<String> = reasons.map(|(why, n)| format!("{n} {why}")).collect();
    match counts.is_empty() {
        true => String::new(),
        false => format!(", refused logins: {}", counts.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_by_reason() {
        assert_eq!(refused(&json!({ "refused": {} })), "");
        let status = json!({ "refused": { "no-login": 1, "not-on-whitelist": 3 } });
        let text = refused(&status);
        assert_eq!(text, ", refused logins: 1 no-login, 3 not-on-whitelist");
    }
}
