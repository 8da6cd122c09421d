//! Where a watcher is in the output of all workers of a task: the `id:` of its events, and what it
//! brings along when it comes back.

use std::{collections::BTreeMap, fmt};

use protocol::{
    Address,
    message::{Logs, Stream},
    output::Mark,
};

/// Bytes of output in one event: far below what a client takes as one.
const PIECE_BYTES_MAX: usize = 64 * 1024;
/// Workers in one position: what a client sends is not believed beyond it.
const WORKERS_MAX: usize = 64;

/// A mark for each worker that wrote something. As text
/// `<worker>.<run>.<stdout>.<stderr>`, joined by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position(BTreeMap<Address, Mark>);

/// Output for a watcher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) worker: Address,
    pub(crate) run: u64,
    pub(crate) stream: Stream,
    /// Where the text begins.
    pub(crate) offset: u64,
    /// Bytes before it that are not kept any more.
    pub(crate) missing: u64,
    pub(crate) text: String,
    /// Where the watcher is after it.
    pub(crate) position: Position,
}

impl Position {
    /// What a client sends; what makes no sense counts as the beginning.
    pub(crate) fn parse(text: &str) -> Self {
        let marks = text.split(',').take(WORKERS_MAX).map_while(mark);
        Self(marks.collect())
    }
}

fn mark(text: &str) -> Option<(Address, Mark)> {
    let mut parts = text.trim().split('.');
    let worker = parts.next()?.parse().ok()?;
    let mut number = || parts.next()?.parse().ok();
    let mark = Mark {
        run: number()?,
        stdout: number()?,
        stderr: number()?,
    };
    Some((worker, mark))
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (worker, mark)) in self.0.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            let Mark {
                run,
                stdout,
                stderr,
            } = mark;
            write!(f, "{comma}{worker:#x}.{run}.{stdout}.{stderr}")?;
        }
        Ok(())
    }
}

/// All output after `position`, which moves to its end.
pub(crate) fn unread(logs: &BTreeMap<Address, Logs>, position: &mut Position) -> Vec<Written> {
    let mut all = Vec::new();
    for (worker, logs) in logs {
        for stream in Stream::BOTH {
            while let Some(written) = next(*worker, logs, stream, position) {
                all.push(written);
            }
        }
    }
    all
}

fn next(worker: Address, logs: &Logs, stream: Stream, position: &mut Position) -> Option<Written> {
    let run = logs.from.run;
    let seen = position.0.get(&worker).copied().unwrap_or_default();
    let piece = logs.after(seen, stream, PIECE_BYTES_MAX)?;
    let mut seen = seen.in_run(run);
    seen.set(stream, piece.end());
    position.0.insert(worker, seen);
    Some(Written {
        worker,
        run,
        stream,
        offset: piece.offset,
        missing: piece.missing,
        text: piece.text.to_owned(),
        position: position.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Address = Address::repeat_byte(1);
    const B: Address = Address::repeat_byte(2);

    fn logs(stdout: &str) -> Logs {
        let mut logs = Logs::default();
        logs.add(7, Stream::Stdout, 0, stdout);
        logs
    }

    #[test]
    fn a_position_is_read_back() {
        let logs = BTreeMap::from([(A, logs("one")), (B, logs("zwei"))]);
        let mut position = Position::default();
        let written = unread(&logs, &mut position);
        assert_eq!(written.len(), 2);
        assert_eq!(written[1].position, position);
        let text = position.to_string();
        assert_eq!(text, format!("{A:#x}.7.3.0,{B:#x}.7.4.0"));
        assert_eq!(Position::parse(&text), position);
        for nonsense in ["", "x", "0x01.1.2.3", &format!("{A:#x}.1.-1.0")] {
            assert_eq!(Position::parse(nonsense), Position::default(), "{nonsense}");
        }
    }

    #[test]
    fn whoever_comes_back_goes_on_after_what_it_has() {
        let mut all = BTreeMap::from([(A, logs("one two"))]);
        let mut position = Position::parse(&format!("{A:#x}.7.4.0"));
        assert_eq!(unread(&all, &mut position)[0].text, "two");
        assert!(unread(&all, &mut position).is_empty());
        let mut again = Logs::default();
        again.add(8, Stream::Stdout, 0, "again");
        all.insert(A, again);
        let written = unread(&all, &mut position);
        assert_eq!((written[0].run, written[0].offset), (8, 0));
        assert_eq!(written[0].text, "again");
    }
}
