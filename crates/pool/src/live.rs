//! What is happening right now, for those who watch: steps, progress and output of running apps.
//! Nothing in here survives a restart; a worker sends the output again, and its end comes with the
//! worker's report.

mod position;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use protocol::{
    Address, TaskId,
    message::{Heard, Logs, Phase, Stream},
};
use tokio::sync::{broadcast, watch};

pub(crate) use position::{Position, Written, unread};

use crate::machine::Notice;

/// Steps and percentages a slow watcher may be behind; beyond it, its stream ends and it has to
/// come again. Output does not count: it is read from what is kept, at the watcher's pace.
const BEHIND_MAX: usize = 1_024;
/// Tasks whose live output is kept at once; beyond it, output is only kept by reports.
const LIVE_TASKS_MAX: usize = 1_000;

/// One piece of news.
#[derive(Clone, Debug)]
pub(crate) enum News {
    /// A stage or a step.
    Notice(Notice),
    /// Something long comes along.
    Progress {
        worker: Address,
        phase: Phase,
        percent: u8,
    },
}

#[derive(Debug)]
struct Channel {
    news: broadcast::Sender<News>,
    /// Changes when an app wrote something.
    written: watch::Sender<()>,
    logs: BTreeMap<Address, Logs>,
}

/// What somebody who watches one task listens to. Both are closed when the task is final.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) news: broadcast::Receiver<News>,
    /// There is output to read.
    pub(crate) written: watch::Receiver<()>,
}

/// All live tasks. Cheap clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live(Arc<Mutex<HashMap<TaskId, Channel>>>);

impl Live {
    /// News from now on.
    pub(crate) fn watch(&self, task: TaskId) -> Subscription {
        let mut channels = self.lock();
        let channel = channels.entry(task).or_insert_with(Channel::new);
        Subscription {
            news: channel.news.subscribe(),
            written: channel.written.subscribe(),
        }
    }

    /// The output so far.
    pub(crate) fn tails(&self, task: TaskId) -> BTreeMap<Address, Logs> {
        let channels = self.lock();
        let logs = channels.get(&task).map(|channel| channel.logs.clone());
        logs.unwrap_or_default()
    }

    /// The output so far that comes after `position`, which moves.
    pub(crate) fn unread(&self, task: TaskId, position: &mut Position) -> Vec<Written> {
        match self.lock().get(&task) {
            Some(channel) => unread(&channel.logs, position),
            None => Vec::new(),
        }
    }

    /// How much of a worker's output is here.
    pub(crate) fn heard(&self, worker: Address, tasks: &[TaskId]) -> Vec<Heard> {
        let channels = self.lock();
        let heard = |task: &TaskId| {
            let mark = channels.get(task)?.logs.get(&worker)?.end();
            Some(Heard { task: *task, mark })
        };
        tasks.iter().filter_map(heard).collect()
    }

    /// Drops what is kept of a task that was final before its watcher came.
    pub(crate) fn forget(&self, task: TaskId) {
        self.lock().remove(&task);
    }

    /// Ends every stream: the pool stops.
    pub(crate) fn close(&self) {
        self.lock().clear();
    }

    pub(crate) fn publish(&self, notice: Notice) {
        let mut channels = self.lock();
        let (task, is_final) = (notice.task, notice.stage.is_final());
        if let Some(channel) = channels.get(&task) {
            // Nobody listening is fine.
            let _ = channel.news.send(News::Notice(notice));
        }
        if is_final {
            channels.remove(&task);
        }
    }

    pub(crate) fn progress(&self, task: TaskId, worker: Address, phase: Phase, percent: u8) {
        if let Some(channel) = self.lock().get(&task) {
            let percent = percent.min(100);
            let _ = channel.news.send(News::Progress {
                worker,
                phase,
                percent,
            });
        }
    }

    /// The app wrote `text` at `offset` of a stream of `run`.
    pub(crate) fn log(
        &self,
        task: TaskId,
        worker: Address,
        (run, stream, offset): (u64, Stream, u64),
        text: &str,
    ) {
        self.add(task, worker, |logs| logs.add(run, stream, offset, text));
    }

    /// The end of the output, as a worker reports it.
    pub(crate) fn complete(&self, task: TaskId, worker: Address, reported: &Logs) {
        self.add(task, worker, |logs| {
            for stream in Stream::BOTH {
                let from = reported.from;
                logs.add(from.run, stream, from.of(stream), reported.text(stream));
            }
        });
    }

    fn add(&self, task: TaskId, worker: Address, add: impl FnOnce(&mut Logs)) {
        let mut channels = self.lock();
        if channels.len() >= LIVE_TASKS_MAX && !channels.contains_key(&task) {
            return;
        }
        let channel = channels.entry(task).or_insert_with(Channel::new);
        add(channel.logs.entry(worker).or_default());
        channel.written.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TaskId, Channel>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Channel {
    fn new() -> Self {
        Self {
            news: broadcast::channel(BEHIND_MAX).0,
            written: watch::Sender::new(()),
            logs: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_watcher_gets_the_output_exactly_once() {
        let (live, task, worker) = (Live::default(), TaskId::repeat(1), Address::ZERO);
        let log = |offset, text| live.log(task, worker, (1, Stream::Stdout, offset), text);
        log(0, "a");
        let (mut subscription, mut position) = (live.watch(task), Position::default());
        log(1, "b");
        log(1, "b");
        assert!(subscription.written.changed().await.is_ok());
        let texts = |written: Vec<Written>| written.into_iter().map(|w| w.text).collect::<String>();
        assert_eq!(texts(live.unread(task, &mut position)), "ab");
        assert!(live.unread(task, &mut position).is_empty());
        assert_eq!(live.tails(task)[&worker].stdout, "ab");
        let heard = live.heard(worker, &[task, TaskId::repeat(2)]);
        assert_eq!((heard.len(), heard[0].mark.stdout), (1, 2));
    }

    #[tokio::test]
    async fn a_report_brings_what_is_missing_at_the_end() {
        let (live, task, worker) = (Live::default(), TaskId::repeat(1), Address::ZERO);
        live.log(task, worker, (1, Stream::Stdout, 0), "one ");
        let mut whole = Logs::default();
        whole.add(1, Stream::Stdout, 0, "one two");
        whole.add(1, Stream::Stderr, 0, "three");
        live.complete(task, worker, &whole);
        assert_eq!(live.tails(task)[&worker], whole);
    }
}
