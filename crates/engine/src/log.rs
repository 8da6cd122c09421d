//! The output of a container on its way to a reader, live and bounded.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;

/// Waiting output of one stream is joined up to this size, so that a program writing single
/// bytes to a slow reader does not cost an allocation for each.
const CHUNK_BYTES_MAX: usize = 64 * 1024;

/// Which of the two outputs of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A piece of output, not necessarily whole lines, not necessarily UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogChunk {
    /// Where it was written.
    pub stream: Stream,
    /// What was written; never empty.
    pub bytes: Bytes,
}

/// A pair to give to [`Engine::run`](crate::Engine::run) and to read from.
///
/// The queue between them holds at most `Limits::log_bytes`, so neither side ever waits for
/// the other: a slow reader cannot stop a container, and a run may be read after it ended.
#[must_use]
pub fn log_channel() -> (LogSink, LogReader) {
    let shared = Arc::new(Shared::default());
    (
        LogSink {
            shared: Arc::clone(&shared),
        },
        LogReader { shared },
    )
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    chunks: VecDeque<(Stream, BytesMut)>,
    sink_closed: bool,
    reader_gone: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writing end, owned by the engine during a run. Dropping it ends the stream.
#[derive(Debug)]
pub struct LogSink {
    shared: Arc<Shared>,
}

impl LogSink {
    fn push(&self, stream: Stream, bytes: &[u8]) {
        let mut queue = self.shared.lock();
        if queue.reader_gone {
            return;
        }
        match queue.chunks.back_mut() {
            Some((last, tail)) if *last == stream && tail.len() < CHUNK_BYTES_MAX => {
                tail.extend_from_slice(bytes);
            }
            _ => queue.chunks.push_back((stream, BytesMut::from(bytes))),
        }
        drop(queue);
        self.shared.changed.notify_one();
    }
}

impl Drop for LogSink {
    fn drop(&mut self) {
        self.shared.lock().sink_closed = true;
        self.shared.changed.notify_one();
    }
}

/// The reading end.
#[derive(Debug)]
pub struct LogReader {
    shared: Arc<Shared>,
}

impl LogReader {
    /// The next output; None when the container has ended and everything was read.
    /// Cancel safe.
    pub async fn recv(&mut self) -> Option<LogChunk> {
        loop {
            {
                let mut queue = self.shared.lock();
                if let Some((stream, bytes)) = queue.chunks.pop_front() {
                    return Some(LogChunk {
                        stream,
                        bytes: bytes.freeze(),
                    });
                }
                if queue.sink_closed {
                    return None;
                }
            }
            self.shared.changed.notified().await;
        }
    }
}

impl Drop for LogReader {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.reader_gone = true;
        queue.chunks.clear();
    }
}

/// A sink that stops at the log limit of its run and counts what it drops.
#[derive(Debug)]
pub(crate) struct CappedLog {
    sink: LogSink,
    budget: Mutex<Budget>,
}

#[derive(Debug)]
struct Budget {
    left: u64,
    dropped: u64,
}

impl CappedLog {
    pub(crate) fn new(sink: LogSink, log_bytes: u64) -> Self {
        Self {
            sink,
            budget: Mutex::new(Budget {
                left: log_bytes,
                dropped: 0,
            }),
        }
    }

    pub(crate) fn push(&self, stream: Stream, bytes: &[u8]) {
        let kept = self.budget().take(bytes.len());
        if kept > 0 {
            self.sink.push(stream, &bytes[..kept]);
        }
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.budget().dropped
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Budget {
    fn take(&mut self, wanted: usize) -> usize {
        let kept = usize::try_from(self.left).map_or(wanted, |left| left.min(wanted));
        self.left -= kept as u64;
        self.dropped += (wanted - kept) as u64;
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn order_of_streams_is_kept_and_neighbours_joined() {
        let (sink, mut reader) = log_channel();
        for (stream, text) in [
            (Stream::Stdout, "a"),
            (Stream::Stdout, "b"),
            (Stream::Stderr, "c"),
            (Stream::Stdout, "d"),
        ] {
            sink.push(stream, text.as_bytes());
        }
        drop(sink);
        let mut seen = Vec::new();
        while let Some(chunk) = reader.recv().await {
            seen.push((
                chunk.stream,
                String::from_utf8(chunk.bytes.to_vec()).unwrap(),
            ));
        }
        let expected = [
            (Stream::Stdout, "ab"),
            (Stream::Stderr, "c"),
            (Stream::Stdout, "d"),
        ];
        assert_eq!(
            seen,
            expected.map(|(stream, text)| (stream, text.to_owned()))
        );
    }

    #[tokio::test]
    async fn a_waiting_reader_is_woken_by_output_and_by_the_end() {
        let (sink, mut reader) = log_channel();
        let waiting = tokio::spawn(async move {
            let first = reader.recv().await;
            (first, reader.recv().await)
        });
        tokio::task::yield_now().await;
        sink.push(Stream::Stderr, b"x");
        tokio::task::yield_now().await;
        drop(sink);
        let (first, last) = waiting.await.unwrap();
        assert_eq!(first.unwrap().bytes, "x");
        assert_eq!(last, None);
    }

    #[tokio::test]
    async fn what_exceeds_the_limit_is_dropped_and_counted() {
        let (sink, mut reader) = log_channel();
        let capped = CappedLog::new(sink, 5);
        capped.push(Stream::Stdout, b"1234");
        capped.push(Stream::Stdout, b"5678");
        capped.push(Stream::Stderr, b"9");
        assert_eq!(capped.dropped(), 4);
        drop(capped);
        assert_eq!(reader.recv().await.unwrap().bytes, "12345");
        assert_eq!(reader.recv().await, None);
    }

    #[test]
    fn output_without_reader_is_not_kept() {
        let (sink, reader) = log_channel();
        drop(reader);
        sink.push(Stream::Stdout, b"lost");
        assert!(sink.shared.lock().chunks.is_empty());
    }
}
