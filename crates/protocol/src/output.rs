//! What an app prints, with the place of every piece, so that whoever lost the connection goes on
//! exactly where it was: worker, pool and requester count alike.

use serde::{Deserialize, Serialize};

use crate::message::{LOG_CHARS_MAX, Logs, Stream};

/// How far somebody has come in the output of one run: an offset in each stream, bytes of its
/// UTF-8 from the beginning of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Mark {
    /// Tells a run from an earlier one of the same task on the same worker.
    pub run: u64,
    /// In standard output.
    pub stdout: u64,
    /// In standard error.
    pub stderr: u64,
}

impl Mark {
    /// The offset in one stream.
    pub fn of(&self, stream: Stream) -> u64 {
        match stream {
            Stream::Stdout => self.stdout,
            Stream::Stderr => self.stderr,
        }
    }

    /// Moves to `offset` in one stream.
    pub fn set(&mut self, stream: Stream, offset: u64) {
        match stream {
            Stream::Stdout => self.stdout = offset,
            Stream::Stderr => self.stderr = offset,
        }
    }

    /// The same mark in `run`: at the beginning unless it was in that run already.
    #[must_use]
    pub fn in_run(self, run: u64) -> Self {
        match self.run == run {
            true => self,
            false => Self {
                run,
                ..Self::default()
            },
        }
    }
}

/// Output that comes next after a [`Mark`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Where it was written.
    pub stream: Stream,
    /// Where it begins.
    pub offset: u64,
    /// Bytes between the mark and it that are not kept any more.
    pub missing: u64,
    /// What was written; not necessarily whole lines.
    pub text: &'a str,
}

impl Piece<'_> {
    /// Where the next one begins.
    pub fn end(&self) -> u64 {
        self.offset + self.text.len() as u64
    }
}

impl Logs {
    /// The kept end of one stream.
    pub fn text(&self, stream: Stream) -> &str {
        match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        }
    }

    fn text_mut(&mut self, stream: Stream) -> &mut String {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    /// The mark of somebody who has read all of it.
    pub fn end(&self) -> Mark {
        let mut end = self.from;
        for stream in Stream::BOTH {
            end.set(stream, self.end_of(stream));
        }
        end
    }

    fn end_of(&self, stream: Stream) -> u64 {
        self.from.of(stream) + self.text(stream).len() as u64
    }

    /// Takes in what was written at `offset` of `run`. What is here already is passed over, so a
    /// piece may come twice; when there is a gap before it, only what comes after is kept, and
    /// another run begins anew.
    pub fn add(&mut self, run: u64, stream: Stream, offset: u64, text: &str) {
        if run != self.from.run {
            *self = Self {
                from: self.from.in_run(run),
                ..Self::default()
            };
        }
        let end = self.end_of(stream);
        if offset > end {
            self.from.set(stream, offset);
            self.text_mut(stream).clear();
        }
        let known = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
        self.text_mut(stream)
            .push_str(text.get(known..).unwrap_or_default());
        // Cutting is put off until it is worth it, so that adding stays cheap.
        if self.text(stream).len() > 2 * LOG_CHARS_MAX {
            self.keep_end(stream, LOG_CHARS_MAX);
        }
    }

    /// Cuts the beginning of a stream off until at most `chars` characters are left.
    pub fn keep_end(&mut self, stream: Stream, chars: usize) {
        let text = self.text_mut(stream);
        if text.len() <= chars {
            return;
        }
        let start = text.char_indices().rev().nth(chars.saturating_sub(1));
        if let Some((start, _)) = start {
            text.drain(..start);
            self.from.set(stream, self.from.of(stream) + start as u64);
        }
    }

    /// What comes after `seen` in one stream, at most about `bytes` of it; none when there is
    /// nothing yet.
    pub fn after(&self, seen: Mark, stream: Stream, bytes: usize) -> Option<Piece<'_>> {
        let (text, from) = (self.text(stream), self.from.of(stream));
        let at = seen.in_run(self.from.run).of(stream);
        if at >= self.end_of(stream) {
            return None;
        }
        let start = usize::try_from(at.saturating_sub(from)).ok()?;
        // A mark comes from outside and may stand in the middle of a character.
        let start = boundary(text, start);
        let end = boundary(text, start.saturating_add(bytes.max(1)));
        Some(Piece {
            stream,
            offset: from + start as u64,
            missing: from.saturating_sub(at),
            text: text.get(start..end)?,
        })
    }
}

/// The first place at or after `index` where a character begins, or the end.
fn boundary(text: &str, index: usize) -> usize {
    let mut places = index..text.len();
    places
        .find(|i| text.is_char_boundary(*i))
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUT: Stream = Stream::Stdout;

    fn logs(run: u64, text: &str) -> Logs {
        let mut logs = Logs::default();
        logs.add(run, OUT, 0, text);
        logs
    }

    #[test]
    fn a_piece_may_come_twice_or_overlap() {
        let mut logs = logs(1, "héllo");
        logs.add(1, OUT, 0, "héllo");
        logs.add(1, OUT, 3, "llo world");
        assert_eq!(logs.stdout, "héllo world");
        assert_eq!(logs.end().stdout, 12);
    }

    #[test]
    fn a_gap_is_counted_and_another_run_begins_anew() {
        let mut logs = logs(1, "abc");
        logs.add(1, OUT, 10, "later");
        assert_eq!((logs.stdout.as_str(), logs.from.stdout), ("later", 10));
        let seen = Mark {
            run: 1,
            stdout: 2,
            stderr: 0,
        };
        let piece = logs.after(seen, OUT, 100).unwrap();
        assert_eq!((piece.offset, piece.missing, piece.text), (10, 8, "later"));
        logs.add(2, OUT, 0, "new");
        let piece = logs.after(seen, OUT, 100).unwrap();
        assert_eq!((piece.offset, piece.missing, piece.text), (0, 0, "new"));
    }

    #[test]
    fn reading_in_small_pieces_gives_all_of_it_in_whole_characters() {
        let logs = logs(1, "aéîøb");
        let (mut seen, mut read) = (Mark::default().in_run(1), String::new());
        while let Some(piece) = logs.after(seen, OUT, 1) {
            read.push_str(piece.text);
            seen.set(OUT, piece.end());
        }
        assert_eq!(read, "aéîøb");
        let inside = Mark {
            run: 1,
            stdout: 2,
            stderr: 0,
        };
        assert_eq!(logs.after(inside, OUT, 100).unwrap().text, "îøb");
    }

    #[test]
    fn the_end_is_kept_with_its_place() {
        let mut logs = logs(1, &("é".repeat(5) + "abc"));
        logs.keep_end(OUT, 4);
        assert_eq!((logs.stdout.as_str(), logs.from.stdout), ("éabc", 8));
        for _ in 0..5 {
            let end = logs.end().stdout;
            logs.add(1, OUT, end, &"x".repeat(LOG_CHARS_MAX));
        }
        assert!(logs.stdout.len() <= 2 * LOG_CHARS_MAX);
        assert_eq!(logs.end().stdout, 13 + 5 * LOG_CHARS_MAX as u64);
    }

    #[test]
    fn what_nobody_has_yet_is_waited_for() {
        let seen = Mark {
            run: 1,
            stdout: 9,
            stderr: 9,
        };
        assert_eq!(logs(1, "abc").after(seen, OUT, 100), None);
        assert_eq!(logs(1, "abc").after(seen, Stream::Stderr, 100), None);
    }
}
