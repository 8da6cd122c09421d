//! What the app prints, on its way to whoever looks on and to the result.

use std::{fs, path::Path};

use engine::LogReader;
use protocol::{
    computed,
    message::{LOG_CHARS_MAX, Logs, Stream},
};

use crate::progress::Watch;

/// Looks on while an app runs.
pub trait Observer: Send {
    /// The app wrote something; not necessarily whole lines, always whole characters.
    fn output(&mut self, stream: Stream, text: &str);
    /// The app says how far it is, in percent.
    fn progress(&mut self, _percent: u8) {}
}

impl<F: FnMut(Stream, &str) + Send> Observer for F {
    fn output(&mut self, stream: Stream, text: &str) {
        self(stream, text);
    }
}

/// All that an app printed; its size is bounded by the engine's log limit.
#[derive(Debug, Default)]
pub(crate) struct Output {
    stdout: Printed,
    stderr: Printed,
}

/// Collects the output, and looks after the progress file in `out` until the output ends.
pub(crate) async fn read(mut reader: LogReader, out: &Path, mut observer: impl Observer) -> Output {
    let mut output = Output::default();
    let mut progress = Watch::new(out);
    loop {
        let chunk = tokio::select! {
            chunk = reader.recv() => chunk,
            percent = progress.next() => {
                observer.progress(percent);
                continue;
            }
        };
        let Some(chunk) = chunk else { break };
        let (stream, printed) = match chunk.stream {
            engine::Stream::Stdout => (Stream::Stdout, &mut output.stdout),
            engine::Stream::Stderr => (Stream::Stderr, &mut output.stderr),
        };
        tell(&mut observer, stream, &printed.push(&chunk.bytes));
    }
    tell(&mut observer, Stream::Stdout, &output.stdout.rest());
    tell(&mut observer, Stream::Stderr, &output.stderr.rest());
    // An app may be done before it was looked at once.
    if let Some(percent) = progress.look() {
        observer.progress(percent);
    }
    output
}

fn tell(observer: &mut impl Observer, stream: Stream, text: &str) {
    if !text.is_empty() {
        observer.output(stream, text);
    }
}

impl Output {
    /// Writes what is not empty to `stdout.txt` and `stderr.txt` in `out`.
    pub(crate) fn save(&self, out: &Path) {
        for (name, printed) in [
            (computed::STDOUT, &self.stdout),
            (computed::STDERR, &self.stderr),
        ] {
            if printed.bytes.is_empty() {
                continue;
            }
            // The app may have left a link of this name: writing through it would leave the folder.
            let path = out.join(name);
            let _ = fs::remove_file(&path);
            if let Err(error) = fs::write(&path, &printed.bytes) {
                tracing::warn!(file = %path.display(), %error, "output not saved");
            }
        }
    }

    /// The end of both, with the offsets that a looker-on counts.
    pub(crate) fn tail(&self) -> Logs {
        let mut logs = Logs {
            stdout: text_of(&self.stdout.bytes),
            stderr: text_of(&self.stderr.bytes),
            ..Logs::default()
        };
        for stream in Stream::BOTH {
            logs.keep_end(stream, LOG_CHARS_MAX);
        }
        logs
    }
}

/// One stream: its bytes, and how many of them were told as text.
#[derive(Debug, Default)]
struct Printed {
    bytes: Vec<u8>,
    told: usize,
}

impl Printed {
    /// Takes bytes, and returns the text that is whole by now: a character that was cut between
    /// two chunks waits for its rest.
    fn push(&mut self, bytes: &[u8]) -> String {
        self.bytes.extend_from_slice(bytes);
        let new = &self.bytes[self.told..];
        let whole = new.len() - unfinished(new);
        let text = text_of(&new[..whole]);
        self.told += whole;
        text
    }

    /// What waited in vain.
    fn rest(&mut self) -> String {
        let text = text_of(&self.bytes[self.told..]);
        self.told = self.bytes.len();
        text
    }
}

/// Bytes at the end that begin a character and do not finish it.
fn unfinished(bytes: &[u8]) -> usize {
    let last = bytes.utf8_chunks().last();
    let invalid = last.map(|chunk| chunk.invalid()).unwrap_or_default();
    match std::str::from_utf8(invalid) {
        Err(error) if error.error_len().is_none() => invalid.len(),
        _ => 0,
    }
}

/// Bytes as text. A NUL is replaced here, where offsets begin, because Postgres takes none.
fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_come_whole_however_the_bytes_are_cut() {
        let text = "aéî→🦀\0b";
        let mut bytes = text.as_bytes().to_vec();
        bytes.extend([0xff, b'c', 0xf0, 0x9f]);
        let expected = text_of(&bytes);
        for size in 1..bytes.len() {
            let mut printed = Printed::default();
            let mut told: String = bytes.chunks(size).map(|part| printed.push(part)).collect();
            assert!(!told.ends_with('\u{fffd}'), "cut every {size}: {told}");
            told.push_str(&printed.rest());
            assert_eq!(told, expected, "cut every {size}");
        }
    }

    #[test]
    fn the_end_of_long_output_is_kept_with_its_offset() {
        let long = "é".repeat(LOG_CHARS_MAX) + "end";
        let mut output = Output::default();
        output.stdout.push(long.as_bytes());
        let logs = output.tail();
        assert!(logs.stdout.ends_with("end"));
        assert_eq!(logs.stdout.chars().count(), LOG_CHARS_MAX);
        assert_eq!(logs.end().stdout, long.len() as u64);
    }

    #[test]
    fn saving_output_does_not_follow_the_apps_links() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        fs::write(&outside, "untouched").unwrap();
        let out = dir.path().join("out");
        fs::create_dir(&out).unwrap();
        std::os::unix::fs::symlink(&outside, out.join("stdout.txt")).unwrap();
        let mut output = Output::default();
        output.stdout.push(b"hello");
        output.save(&out);
        assert_eq!(fs::read(&outside).unwrap(), b"untouched");
        assert_eq!(fs::read(out.join("stdout.txt")).unwrap(), b"hello");
        assert!(!out.join("stderr.txt").exists());
    }
}
