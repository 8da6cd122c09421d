//! How a command ends: what is printed where, and the exit code (spec/client.md §1.2).
//!
//! stdout is data, stderr is conversation. With `--raw` success is one JSON line on stdout and
//! failure one JSON line on stderr. Unlike upstream, what failed never exits with 0.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use serde_json::{Map, Value, json};

use crate::show;

/// A success.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The keys of `--raw`, without `ok`.
    raw: Map<String, Value>,
    /// For people, on stderr.
    message: String,
    /// Data that was asked for, on stdout.
    data: Option<String>,
    /// All there is to print, with `--raw` as without.
    line: Option<String>,
    /// What a program must not miss: a key of `--raw`. People have read it before.
    warning: Option<&'static str>,
}

impl Report {
    /// `raw` must be a JSON object.
    pub(crate) fn new(raw: Value, message: impl Into<String>) -> Self {
        let raw = match raw {
            Value::Object(raw) => raw,
            _ => Map::new(),
        };
        Self {
            raw,
            message: message.into(),
            ..Self::default()
        }
    }

    /// Text that goes to stdout as it is.
    pub(crate) fn text(data: String) -> Self {
        Self {
            data: Some(data),
            ..Self::default()
        }
    }

    /// `value` as one line on stdout and nothing else: for commands with `--json`.
    pub(crate) fn line(value: &Value) -> Self {
        Self {
            line: Some(value.to_string()),
            ..Self::default()
        }
    }

    /// Tells programs too of what people can read.
    pub(crate) fn with_warning(mut self, warning: Option<&'static str>) -> Self {
        self.warning = warning.or(self.warning);
        self
    }

    /// Shows `value` on stdout.
    pub(crate) fn with_data(mut self, value: &Value) -> Self {
        self.data = Some(show::tree(value));
        self
    }
}

/// A failure.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    name: &'static str,
    /// Which rule of confidential runs is broken.
    code: Option<&'static str>,
    message: String,
    hint: Option<String>,
    /// Keys that `--raw` shows before `error`: a run that failed half-way.
    partial: Option<Box<Map<String, Value>>>,
    /// As that of a success.
    warning: Option<&'static str>,
}

impl Failure {
    /// A failure that has no class.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            name: "Error",
            code: None,
            message: message.into(),
            hint: None,
            partial: None,
            warning: None,
        }
    }

    /// An error and its sources, in one sentence.
    pub(crate) fn with_sources(error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            // some errors repeat their source in their own text
            let cause_text = cause.to_string();
            if !message.contains(&cause_text) {
                message = format!("{message}: {cause_text}");
            }
            source = cause.source();
        }
        Self::new(message)
    }

    /// What to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Its class in `--raw`.
    pub(crate) fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// What `--raw` shows of the part that worked.
    pub(crate) fn partial(mut self, raw: Value) -> Self {
        self.partial = raw.as_object().cloned().map(Box::new);
        self
    }

    /// Tells programs too of what people were warned of.
    pub(crate) fn with_warning(mut self, warning: Option<&'static str>) -> Self {
        self.warning = warning;
        self
    }

    /// The sentence, for a list of failures.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The hint, to be passed on.
    pub(crate) fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    fn raw(&self, command: &str) -> Value {
        let mut line = Map::new();
        line.insert("ok".to_owned(), json!(false));
        match &self.partial {
            Some(partial) => line.extend(partial.as_ref().clone()),
            None => drop(line.insert("command".to_owned(), json!(command))),
        }
        line.insert("error".to_owned(), self.error());
        line.extend(warning(self.warning));
        Value::Object(line)
    }

    fn error(&self) -> Value {
        let mut error = json!({ "name": self.name, "message": self.message });
        if let Some(code) = self.code {
            error["code"] = json!(code);
        }
        if let Some(hint) = &self.hint {
            error["hint"] = json!(hint);
        }
        error
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<sdk::Error> for Failure {
    fn from(error: sdk::Error) -> Self {
        let mut failure = Self::with_sources(&error).named(error.name());
        failure.code = error.code();
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

/// `iexec app run`: the program and at most two words, as typed.
pub(crate) fn command_name(args: impl Iterator<Item = String>) -> String {
    let single = [
        "init",
        "info",
        "completion",
        "up",
        "down",
        "demo",
        "doctor",
        "man",
        "store",
        "market",
        "sms",
    ];
    let words: Vec<String> = args
        .take_while(|arg| !arg.starts_with('-'))
        .take(2)
        .collect();
    let count = if words
        .first()
        .is_some_and(|word| single.contains(&word.as_str()))
    {
        1
    } else {
        2
    };
    let mut name = "iexec".to_owned();
    for word in words.iter().take(count) {
        name.push(' ');
        name.push_str(word);
    }
    name
}

/// Prints the end of the command `name`.
pub(crate) fn print(name: &str, is_raw: bool, ended: Result<Report, Failure>) -> ExitCode {
    match ended {
        Ok(report) => {
            print_report(is_raw, report);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            print_failure(name, is_raw, &failure);
            ExitCode::FAILURE
        }
    }
}

fn print_report(is_raw: bool, report: Report) {
    if let Some(line) = report.line {
        to_stdout(&line);
        return;
    }
    if is_raw {
        let mut line = Map::new();
        line.insert("ok".to_owned(), json!(true));
        line.extend(report.raw.into_iter().filter(|(_, value)| !value.is_null()));
        line.extend(warning(report.warning));
        to_stdout(&Value::Object(line).to_string());
        return;
    }
    if !report.message.is_empty() {
        to_stderr(&format!("✔ {}", report.message));
    }
    if let Some(data) = report.data {
        to_stdout(data.trim_end());
    }
}

/// The key of `--raw`.
fn warning(text: Option<&str>) -> Option<(String, Value)> {
    text.map(|text| ("warning".to_owned(), json!(text)))
}

fn print_failure(name: &str, is_raw: bool, failure: &Failure) {
    if is_raw {
        to_stderr(&failure.raw(name).to_string());
        return;
    }
    to_stderr(&format!(
        "✖ Command \"{name}\" failed with {}: {}",
        failure.name, failure.message
    ));
    if let Some(hint) = &failure.hint {
        to_stderr(&format!("  hint: {hint}"));
    }
    if let Some(code) = failure.code {
        to_stderr(&format!("  code: {code}"));
    }
}

/// One line of data. A reader that has gone away is no reason to fail.
pub(crate) fn to_stdout(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// One line of conversation.
pub(crate) fn to_stderr(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Help and version on stdout; everything else is wrong usage: on stderr, exit code 1.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    match error.kind() {
        clap::error::ErrorKind::DisplayHelp | clap::error::ErrorKind::DisplayVersion => {
            ExitCode::SUCCESS
        }
        _ => ExitCode::FAILURE,
    }
}

/// Something to tell while a command runs; nothing with `--raw`.
pub(crate) fn note(is_raw: bool, text: &str) {
    if !is_raw {
        to_stderr(&format!("ℹ {text}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_named_as_typed() {
        let name = |line: &str| command_name(line.split(' ').map(str::to_owned));
        assert_eq!(name("app run 0x1 --watch"), "iexec app run");
        assert_eq!(name("init --raw"), "iexec init");
        assert_eq!(name("info --chain nope"), "iexec info");
        assert_eq!(name("app --raw run"), "iexec app");
    }

    #[test]
    fn a_raw_failure_has_the_official_shape() {
        let failure = Failure::new("no").named("ValidationError").hint("do x");
        let error = r#"{"name":"ValidationError","message":"no","hint":"do x"}"#;
        assert_eq!(
            failure.raw("iexec app run").to_string(),
            format!(r#"{{"ok":false,"command":"iexec app run","error":{error}}}"#)
        );
        let partial = Failure::new("x").partial(json!({ "deals": [] }));
        assert_eq!(
            partial.raw("c").to_string(),
            r#"{"ok":false,"deals":[],"error":{"name":"Error","message":"x"}}"#
        );
        let warned = Failure::new("x").with_warning(Some("careful"));
        assert_eq!(warned.raw("c")["warning"], "careful");
    }
}
