//! The table: what is typed, what is prepared before, and where ours may differ, and why.

use network::Role;
use serde_json::{Value, json};

/// Why ours differs from the official program on purpose. There is no other reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// The official program exits with 0 although something failed; ours with 1, and says it as
    /// any other error (spec/client.md §1.2).
    FailureIsSuccess,
    /// A bug of the official program, by its number in spec/client.md §7.1 or Appendix B.
    OfficialBug,
    /// The official text is that of a library (ethers, yup, commander, Node), ours a sentence.
    LibraryText,
    /// The official program asks although nobody can answer; ours says which option answers.
    Prompt,
    /// The official 9.0.1 adds `tee,tdx` to every tag; ours takes tags as they are given.
    NoForcedTag,
    /// Ours knows the local network, which the official program does not.
    LocalNetwork,
    /// Ours accepts what 8.24 had and 9.0.1 dropped, or more than both.
    MoreAccepted,
}

/// One difference: what ours has at a place of the outcome, `/code`, `/stdout/…`, `/stderr/…` or
/// `/files/…`; null where ours has nothing.
#[derive(Debug)]
pub(crate) struct Deviation {
    pub(crate) reason: Reason,
    pub(crate) at: &'static str,
    pub(crate) ours: Value,
}

/// Something done to the project folder before a command.
#[derive(Debug)]
pub(crate) enum Edit {
    /// A file with this text; placeholders are filled in.
    Write(&'static str, String),
    /// No such file.
    Remove(&'static str),
    /// A value in a JSON file.
    Set(&'static str, &'static str, Value),
}

/// One invocation.
#[derive(Debug)]
pub(crate) struct Row {
    /// What is typed after `iexec`, with `{placeholders}`; `--raw` is added.
    pub(crate) line: &'static str,
    pub(crate) edits: Vec<Edit>,
    /// Names for values of the answer: placeholder, and pointer into it.
    pub(crate) keeps: Vec<(&'static str, &'static str)>,
    pub(crate) deviations: Vec<Deviation>,
}

/// A row that must be the same on both sides unless it says more.
pub(crate) fn row(line: &'static str) -> Row {
    Row {
        line,
        edits: Vec::new(),
        keeps: Vec::new(),
        deviations: Vec::new(),
    }
}

impl Row {
    /// After writing a file.
    pub(crate) fn write(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.edits.push(Edit::Write(name, text.into()));
        self
    }

    /// After removing a file.
    pub(crate) fn remove(mut self, name: &'static str) -> Self {
        self.edits.push(Edit::Remove(name));
        self
    }

    /// After setting a value in a JSON file.
    pub(crate) fn set(mut self, name: &'static str, pointer: &'static str, value: Value) -> Self {
        self.edits.push(Edit::Set(name, pointer, value));
        self
    }

    /// Keeps a value of the answer as a placeholder for later rows.
    pub(crate) fn keep(mut self, name: &'static str, pointer: &'static str) -> Self {
        self.keeps.push((name, pointer));
        self
    }

    /// Ours has another value there.
    pub(crate) fn differs(mut self, reason: Reason, at: &'static str, ours: Value) -> Self {
        self.deviations.push(Deviation { reason, at, ours });
        self
    }

    /// Ours has another message; class and command are the same.
    pub(crate) fn says(self, reason: Reason, message: &str) -> Self {
        self.differs(reason, "/stderr/error/message", json!(message))
    }

    /// Ours refuses the command line with this first line.
    pub(crate) fn usage(self, line: &str) -> Self {
        self.differs(Reason::LibraryText, "/stderr", json!(line))
    }

    /// A failure that the official program reports with exit code 0.
    pub(crate) fn fails(self) -> Self {
        self.differs(Reason::FailureIsSuccess, "/code", json!(1))
    }
}

/// Rows played one after the other by one person in one project folder, on a network of its own.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) name: &'static str,
    /// The official version that is asked.
    pub(crate) official: &'static str,
    /// Whose wallet is in the project folder.
    pub(crate) who: Role,
    /// Workers of the network.
    pub(crate) workers: u32,
    pub(crate) rows: Vec<Row>,
}

impl Story {
    /// About today's official version, without workers.
    pub(crate) fn new(name: &'static str, who: Role, rows: Vec<Row>) -> Self {
        Self {
            name,
            official: "9.0.1",
            who,
            workers: 0,
            rows,
        }
    }
}
