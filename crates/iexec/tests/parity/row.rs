//! The table: what is typed and what is prepared before.

use network::Role;
use serde_json::Value;

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
}

/// A row of the table.
pub(crate) fn row(line: &'static str) -> Row {
    Row {
        line,
        edits: Vec::new(),
        keeps: Vec::new(),
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
