//! What a doctor says about what was found: rules without a machine.

use sdk::services::attestation::Attestation;
use serde_json::{Value, json};

use crate::tee;

/// Blocks may come this late on a chain that mines all the time, in seconds.
const BLOCK_AGE_S_MAX: u64 = 300;
/// Clocks differ; beyond this many seconds deadlines are judged wrongly.
const CLOCK_AHEAD_S_MAX: u64 = 30;
/// Bytes of an answer that is taken for a version.
const VERSION_BYTES_MAX: usize = 32;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// Some commands will not work, or somebody may read what they should not.
    Warn,
    /// It does not work.
    Fail,
}

impl Verdict {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// What was looked at.
    pub(super) check: &'static str,
    pub(super) verdict: Verdict,
    /// What was found.
    pub(super) text: String,
    /// What mends it: a command, where one does.
    pub(super) fix: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Verdict::Ok, text)
    }

    pub(super) fn warn(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Verdict::Warn, text)
    }

    pub(super) fn fail(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Verdict::Fail, text)
    }

    fn new(check: &'static str, verdict: Verdict, text: impl Into<String>) -> Self {
        Self {
            check,
            verdict,
            text: text.into(),
            fix: None,
        }
    }

    pub(super) fn fix(self, fix: impl Into<String>) -> Self {
        Self {
            fix: Some(fix.into()),
            ..self
        }
    }

    /// For people.
    pub(super) fn line(&self) -> String {
        let Self { check, text, .. } = self;
        let line = format!("{:4}  {check:10}  {text}", self.verdict.name());
        match &self.fix {
            Some(fix) => format!("{line}\n      {:10}  fix: {fix}", ""),
            None => line,
        }
    }

    /// For programs.
    pub(super) fn raw(&self) -> Value {
        let mut raw = json!({
            "check": self.check,
            "verdict": self.verdict.name(),
            "message": self.text,
        });
        if let Some(fix) = &self.fix {
            raw["fix"] = json!(fix);
        }
        raw
    }
}

/// Whether containers can run, and why they have no network. Only `up`, `worker` and `app test`
/// need that.
pub(super) fn engine(found: Result<(&str, Option<String>), String>) -> Finding {
    match found {
        Ok((name, None)) => Finding::ok("engine", format!("containers run on {name}")),
        Ok((name, Some(lack))) => {
            let text = format!("containers run on {name} and reach nothing: {lack}");
            Finding::warn("engine", text)
        }
        Err(reason) => Finding::warn("engine", format!("containers cannot run here: {reason}"))
            .fix("start Docker, or run as root for the built-in engine"),
    }
}

/// Whether this machine and the chain have the same time. A quiet local chain's newest block may
/// be as old as it likes.
pub(super) fn clock(block_s: u64, here_s: u64, mines_on_demand: bool) -> Finding {
    let ahead = block_s.saturating_sub(here_s);
    let behind = here_s.saturating_sub(block_s);
    if ahead > CLOCK_AHEAD_S_MAX {
        let text = format!("the newest block is {ahead} s in the future of this machine's clock");
        return match mines_on_demand {
            true => Finding::warn("clock", text).fix("`iexec up --fresh` forgets the shifted time"),
            false => Finding::fail("clock", text).fix("timedatectl set-ntp true"),
        };
    }
    if behind > BLOCK_AGE_S_MAX && !mines_on_demand {
        let text = format!("the newest block is {behind} s old: the node or this clock is wrong");
        return Finding::warn("clock", text).fix("timedatectl set-ntp true, or use another node");
    }
    Finding::ok("clock", "agrees with the newest block")
}

/// Whether others may read a key's file or look into the directory of keys.
pub(super) fn permissions(path: &str, mode: u32, is_dir: bool, is_plain: bool) -> Option<Finding> {
    if mode & 0o077 == 0 {
        return None;
    }
    let wanted = if is_dir { "700" } else { "600" };
    let text = format!(
        "{path} has the mode {:03o}: others may read it",
        mode & 0o777
    );
    let finding = match is_plain {
        true => Finding::fail("keystore", text),
        false => Finding::warn("keystore", text),
    };
    Some(finding.fix(format!("chmod {wanted} '{path}'")))
}

/// To whom the chain's secret manager gives secrets; nothing when it does not say. On a local
/// network a simulation is as it should be.
pub(super) fn enclaves(attestation: &Attestation, is_local: bool) -> Option<Finding> {
    let text = tee::describe(attestation)?;
    Some(match (attestation.is_simulated(), is_local) {
        (true, false) => {
            let text = format!("{text}: secrets of this chain are not protected");
            Finding::warn("enclaves", text).fix("push no real secrets to this chain's \"sms\"")
        }
        (true, true) => Finding::ok("enclaves", format!("{text}: good for tests only")),
        (false, _) => Finding::ok("enclaves", text),
    })
}

/// Who holds the port of the local network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Nobody,
    /// The running local network.
    Network,
    Stranger,
}

/// Whether a local network can start, or runs.
pub(super) fn port(port: u16, holder: Holder) -> Finding {
    match holder {
        Holder::Nobody => Finding::ok("port", format!("{port} is free for `iexec up`")),
        Holder::Network => Finding::ok("port", format!("{port} is the local network's")),
        Holder::Stranger => Finding::warn("port", format!("{port} belongs to another program"))
            .fix("iexec up --port 0"),
    }
}

/// Whether a service answers, and in which version.
pub(super) fn service(
    name: &'static str,
    key: &str,
    url: Option<&str>,
    answer: Result<(u16, String), String>,
) -> Finding {
    let Some(url) = url else {
        return Finding::warn(name, "the chain has none")
            .fix(format!("add \"{key}\" to the chain in chain.json"));
    };
    let fix = format!("correct \"{key}\" in chain.json, or ask who runs {url}");
    match answer {
        Ok((status, _)) if status >= 500 => {
            Finding::fail(name, format!("{url} answers {status}")).fix(fix)
        }
        Ok((_, body)) => match version(&body) {
            Some(version) => Finding::ok(name, format!("{url} answers, version {version}")),
            None => Finding::ok(name, format!("{url} answers")),
        },
        Err(reason) => Finding::fail(name, format!("{url}: {reason}")).fix(fix),
    }
}

/// The version in an answer: JSON with `version`, or the bare number.
fn version(body: &str) -> Option<String> {
    let json = serde_json::from_str::<Value>(body).ok();
    if let Some(version) = json.and_then(|json| json.get("version")?.as_str().map(str::to_owned)) {
        return Some(version);
    }
    let text = body.trim();
    let is_version = text.len() <= VERSION_BYTES_MAX
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text.contains('.')
        && !text.contains(char::is_whitespace);
    is_version.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_differ_are_found() {
        let verdict = |block, here, local| clock(block, here, local).verdict;
        assert_eq!(verdict(1000, 1000, false), Verdict::Ok);
        assert_eq!(verdict(1000, 1000 + BLOCK_AGE_S_MAX, false), Verdict::Ok);
        assert_eq!(verdict(1000, 1001 + BLOCK_AGE_S_MAX, false), Verdict::Warn);
        assert_eq!(verdict(1000, 999_999, true), Verdict::Ok);
        assert_eq!(verdict(1031, 1000, false), Verdict::Fail);
        assert_eq!(verdict(1031, 1000, true), Verdict::Warn);
    }

    #[test]
    fn keys_are_for_their_owner() {
        assert_eq!(permissions("k", 0o100_600, false, true), None);
        assert_eq!(permissions("d", 0o40_700, true, false), None);
        let plain = permissions("w", 0o100_644, false, true).unwrap();
        assert_eq!(plain.verdict, Verdict::Fail);
        assert_eq!(plain.fix.as_deref(), Some("chmod 600 'w'"));
        let dir = permissions("d", 0o40_755, true, false).unwrap();
        assert_eq!(
            (dir.verdict, dir.fix.as_deref()),
            (Verdict::Warn, Some("chmod 700 'd'"))
        );
        assert!(dir.text.contains("755"));
    }

    #[test]
    fn services_answer_with_a_version_or_not() {
        let text = |answer| service("market", "iexecGateway", Some("http://m"), answer).text;
        let json = r#"{"ok":true,"version":"1.2.3"}"#.to_owned();
        assert_eq!(text(Ok((200, json))), "http://m answers, version 1.2.3");
        assert_eq!(
            text(Ok((200, "0.1.0\n".to_owned()))),
            "http://m answers, version 0.1.0"
        );
        assert_eq!(text(Ok((404, "<html>1.0".to_owned()))), "http://m answers");
        let verdict = |url, answer| service("sms", "sms", url, answer).verdict;
        assert_eq!(verdict(Some("u"), Ok((503, String::new()))), Verdict::Fail);
        assert_eq!(verdict(Some("u"), Err("refused".to_owned())), Verdict::Fail);
        assert_eq!(verdict(None, Err(String::new())), Verdict::Warn);
    }

    #[test]
    fn simulated_enclaves_are_never_passed_over() {
        let sms_id = Some("0x12".to_owned());
        let simulated = Attestation::Simulation { sms_id };
        let local = enclaves(&simulated, true).unwrap();
        assert_eq!(local.verdict, Verdict::Ok);
        assert!(local.text.starts_with("SIMULATED TEE, secret manager 0x12"));
        assert_eq!(enclaves(&simulated, false).unwrap().verdict, Verdict::Warn);
        assert_eq!(enclaves(&Attestation::Unsaid, false), None);
        assert_eq!(enclaves(&Attestation::Unknown, false), None);
    }

    #[test]
    fn a_line_names_what_mends_it() {
        let line = port(8545, Holder::Stranger).line();
        assert_eq!(
            line,
            "warn  port        8545 belongs to another program\n                  \
            fix: iexec up --port 0"
        );
        assert_eq!(port(8545, Holder::Nobody).verdict, Verdict::Ok);
        assert_eq!(port(8545, Holder::Network).verdict, Verdict::Ok);
        let raw = engine(Err("no socket".to_owned())).raw();
        assert_eq!(
            (raw["verdict"].as_str(), raw["check"].as_str()),
            (Some("warn"), Some("engine"))
        );
        assert!(engine(Ok(("docker", None))).raw().get("fix").is_none());
        let lonely = engine(Ok(("builtin", Some("no `ip`".to_owned()))));
        let line = "warn  engine      containers run on builtin and reach nothing: no `ip`";
        assert_eq!(lonely.line(), line);
    }
}
