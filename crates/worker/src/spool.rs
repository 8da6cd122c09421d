//! The output of running apps until it is with the pool. The session takes it at the pool's pace,
//! so a slow or lost connection costs nothing but what is too much to keep.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use protocol::{
    TaskId,
    message::{Heard, Logs, Stream, ToPool},
    output::Mark,
};
use tokio::sync::Notify;

/// Bytes of output in one frame: a busy app waits for no other one's turn for long.
const PIECE_BYTES_MAX: usize = 64 * 1024;

/// The kept end of the output of every running app. Cheap clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spool(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    tasks: Mutex<BTreeMap<TaskId, Logs>>,
    written: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<TaskId, Logs>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spool {
    /// Begins a run of a task. What it writes is kept until the returned run is dropped: by then
    /// its end is in a report.
    pub(crate) fn start(&self, task: TaskId) -> Run {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        // Any number will do that the run before, perhaps of another process, did not have.
        let number = since.map_or(1, |d| u64::try_from(d.as_millis()).unwrap_or(1));
        let mut logs = Logs::default();
        logs.from.run = number;
        self.0.lock().insert(task, logs);
        Run {
            spool: self.clone(),
            task,
            number,
        }
    }

    /// The next piece that the reader does not have. Cancel safe.
    pub(crate) async fn next(&self, reader: &mut Reader) -> ToPool {
        loop {
            if let Some(frame) = reader.take(&self.0.lock()) {
                return frame;
            }
            self.0.written.notified().await;
        }
    }
}

/// One run of an app.
#[derive(Debug)]
pub(crate) struct Run {
    spool: Spool,
    task: TaskId,
    /// Tells it from other runs of the task.
    pub(crate) number: u64,
}

impl Run {
    /// The app wrote something.
    pub(crate) fn write(&self, stream: Stream, text: &str) {
        if let Some(logs) = self.spool.0.lock().get_mut(&self.task) {
            let end = logs.end().of(stream);
            logs.add(self.number, stream, end, text);
        }
        self.spool.0.written.notify_one();
    }

    /// What it wrote so far, for a report on a run that was lost.
    pub(crate) fn logs(&self) -> Logs {
        let tasks = self.spool.0.lock();
        tasks.get(&self.task).cloned().unwrap_or_default()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.spool.0.lock().remove(&self.task);
    }
}

/// How far the pool at the other end of one connection is.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    sent: HashMap<TaskId, Mark>,
    /// Tasks take turns.
    last: TaskId,
}

impl Reader {
    /// A pool that knows this much.
    pub(crate) fn new(heard: Vec<Heard>) -> Self {
        let sent = heard.into_iter().map(|heard| (heard.task, heard.mark));
        Self {
            sent: sent.collect(),
            last: TaskId::default(),
        }
    }

    fn take(&mut self, tasks: &BTreeMap<TaskId, Logs>) -> Option<ToPool> {
        self.sent.retain(|task, _| tasks.contains_key(task));
        let (before, after): (Vec<_>, Vec<_>) = tasks.iter().partition(|(t, _)| **t <= self.last);
        let turns = after.into_iter().chain(before);
        turns
            .into_iter()
            .find_map(|(task, logs)| self.piece(*task, logs))
    }

    fn piece(&mut self, task: TaskId, logs: &Logs) -> Option<ToPool> {
        let run = logs.from.run;
        let seen = self.sent.entry(task).or_default();
        *seen = seen.in_run(run);
        let mut pieces = Stream::BOTH.into_iter();
        let piece = pieces.find_map(|stream| logs.after(*seen, stream, PIECE_BYTES_MAX))?;
        seen.set(piece.stream, piece.end());
        self.last = task;
        Some(ToPool::Log {
            task,
            run,
            stream: piece.stream,
            offset: piece.offset,
            text: piece.text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use protocol::message::LOG_CHARS_MAX;

    use super::*;

    const TASK: TaskId = TaskId::repeat(1);

    /// What a pool has after the frames that a reader gets now.
    fn hear(spool: &Spool, reader: &mut Reader, pool: &mut Logs) {
        while let Some(frame) = reader.take(&spool.0.lock()) {
            let ToPool::Log {
                run,
                stream,
                offset,
                text,
                ..
            } = frame
            else {
                panic!("a log was expected");
            };
            pool.add(run, stream, offset, &text);
        }
    }

    #[test]
    fn a_new_connection_goes_on_where_the_pool_is() {
        let spool = Spool::default();
        let run = spool.start(TASK);
        let (mut reader, mut pool) = (Reader::default(), Logs::default());
        run.write(Stream::Stdout, "one ");
        run.write(Stream::Stderr, "oh");
        hear(&spool, &mut reader, &mut pool);
        run.write(Stream::Stdout, "two ");
        // This frame is lost with the connection.
        assert!(reader.take(&spool.0.lock()).is_some());
        run.write(Stream::Stdout, "three");
        let mark = pool.end();
        let mut reader = Reader::new(vec![Heard { task: TASK, mark }]);
        hear(&spool, &mut reader, &mut pool);
        assert_eq!(
            (pool.stdout.as_str(), pool.stderr.as_str()),
            ("one two three", "oh")
        );
        let mut started_again = Logs::default();
        hear(&spool, &mut Reader::default(), &mut started_again);
        assert_eq!(started_again, pool);
    }

    #[test]
    fn what_is_too_much_to_keep_is_a_gap() {
        let spool = Spool::default();
        let run = spool.start(TASK);
        for _ in 0..5 {
            run.write(Stream::Stdout, &"x".repeat(LOG_CHARS_MAX));
        }
        let mut pool = Logs::default();
        hear(&spool, &mut Reader::default(), &mut pool);
        assert!(pool.from.stdout > 0);
        assert_eq!(pool.end().stdout, 5 * LOG_CHARS_MAX as u64);
    }

    #[test]
    fn busy_tasks_take_turns_and_the_ended_are_forgotten() {
        let spool = Spool::default();
        let runs = [1, 2].map(|byte| spool.start(TaskId::repeat(byte)));
        for run in &runs {
            run.write(Stream::Stdout, &"x".repeat(2 * PIECE_BYTES_MAX));
        }
        let mut reader = Reader::default();
        let mut turn = || match reader.take(&spool.0.lock()) {
            Some(ToPool::Log { task, .. }) => Some(task),
            _ => None,
        };
        let turns = [1, 2, 1, 2].map(|byte| Some(TaskId::repeat(byte)));
        assert_eq!([turn(), turn(), turn(), turn()], turns);
        assert_eq!(turn(), None);
        drop(runs);
        assert!(spool.0.lock().is_empty());
    }
}
