//! What failed, told once more at the end: a run of all tests says so much that its first failures
//! are far away, and whoever guards the main branch shows the end only.

use std::collections::VecDeque;
use std::fmt;

/// Lines of one failure that are told again. The last ones are: stories put the cause at the end.
const LINES_MAX: usize = 12;
/// Characters of such a line.
const LINE_MAX: usize = 300;
/// Failures that are told again; more than that have one cause, which is among these.
const FAILURES_MAX: usize = 10;

/// Reads what Rust's test harness prints, line by line.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    told: Vec<Failure>,
    untold: usize,
    hears: Hears,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Hears {
    #[default]
    Nothing,
    /// The message of the last failure.
    Message,
}

#[derive(Debug)]
struct Failure {
    test: String,
    end: VecDeque<String>,
}

impl Failures {
    /// Takes in the next line, without its line break.
    pub(crate) fn hear(&mut self, line: &str) {
        if let Some(test) = header(line) {
            self.begin(test);
        } else if is_end(line) {
            self.hears = Hears::Nothing;
        } else if self.hears == Hears::Message {
            self.keep(line);
        }
    }

    fn begin(&mut self, test: &str) {
        if self.told.len() == FAILURES_MAX {
            self.untold += 1;
            self.hears = Hears::Nothing;
            return;
        }
        self.hears = Hears::Message;
        self.told.push(Failure {
            test: test.to_owned(),
            end: VecDeque::new(),
        });
    }

    fn keep(&mut self, line: &str) {
        if let Some(failure) = self.told.last_mut().filter(|_| !line.trim().is_empty()) {
            if failure.end.len() == LINES_MAX {
                failure.end.pop_front();
            }
            failure.end.push_back(line.chars().take(LINE_MAX).collect());
        }
    }
}

/// The test whose output begins.
fn header(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

/// Whether the message is over: what follows is where the program was, or a list of names.
fn is_end(line: &str) -> bool {
    let is_trace = line.eq_ignore_ascii_case("stack backtrace:");
    is_trace || line == "failures:" || line.starts_with("test result: ")
}

/// Nothing when nothing failed.
impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in &self.told {
            writeln!(f, "== failed: {}", failure.test)?;
            for line in &failure.end {
                writeln!(f, "   {line}")?;
            }
        }
        match self.untold {
            0 => Ok(()),
            more => writeln!(f, "== and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(text: &str) -> String {
        let mut failures = Failures::default();
        text.lines().for_each(|line| failures.hear(line));
        failures.to_string()
    }

    #[test]
    fn nothing_is_told_when_nothing_failed() {
        assert_eq!(
            heard("running 1 test\ntest a ... ok\n\ntest result: ok."),
            ""
        );
    }

    #[test]
    fn the_message_is_told_without_the_way_to_it() {
        let said = [
            "test a ... FAILED",
            "failures:",
            "---- a stdout ----",
            "thread 'a' panicked at b.rs:1:2:",
            "seed 3",
            "",
            "Caused by:",
            "    1: root",
            "Stack backtrace:",
            "   0: main",
            "---- c stdout ----",
            "c is bad",
            "stack backtrace:",
            "   0: main",
            "failures:",
            "    a",
            "test result: FAILED. 0 passed; 2 failed",
        ];
        let told = heard(&said.join("\n"));
        let expected = "== failed: a\n   thread 'a' panicked at b.rs:1:2:\n   seed 3\n   \
                        Caused by:\n       1: root\n== failed: c\n   c is bad\n";
        assert_eq!(told, expected);
    }

    #[test]
    fn the_end_of_a_long_message_is_told() {
        let lines: Vec<_> = (0..100).map(|n| format!("line {n}")).collect();
        let told = heard(&format!("---- a stdout ----\n{}", lines.join("\n")));
        assert_eq!(told.lines().count(), 1 + LINES_MAX);
        assert!(told.ends_with("   line 99\n"), "{told}");
    }

    #[test]
    fn of_very_many_the_first_are_told() {
        let all: Vec<_> = (0..15)
            .map(|n| format!("---- t{n} stdout ----\nbad"))
            .collect();
        let told = heard(&all.join("\n"));
        assert!(told.contains("failed: t9\n") && !told.contains("failed: t10"));
        assert!(told.ends_with("== and 5 more\n"), "{told}");
    }
}
