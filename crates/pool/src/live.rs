//! What is happening right now, for those who watch: steps, progress and output of running apps.
//! Nothing in here survives a restart; the full output comes with the worker's report.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use protocol::{
    Address, TaskId,
    message::{LOG_CHARS_MAX, Logs, Stream},
};
use tokio::sync::broadcast;

use crate::machine::Notice;

/// Events a slow watcher may be behind before it misses some.
const BEHIND_MAX: usize = 1_024;
/// Tasks whose live output is kept at once; beyond it, output is only kept by reports.
const LIVE_TASKS_MAX: usize = 1_000;

/// One piece of news.
#[derive(Clone, Debug)]
pub(crate) enum News {
    /// A stage or a step.
    Notice(Notice),
    /// The image is coming down.
    Progress { worker: Address, percent: u8 },
    /// The app wrote something.
    Log {
        worker: Address,
        stream: Stream,
        text: String,
    },
}

#[derive(Debug)]
struct Channel {
    sender: broadcast::Sender<News>,
    tails: BTreeMap<Address, Logs>,
}

/// All live tasks. Cheap clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live(Arc<Mutex<HashMap<TaskId, Channel>>>);

impl Live {
    /// News from now on, and the output so far.
    pub(crate) fn watch(
        &self,
        task: TaskId,
    ) -> (broadcast::Receiver<News>, BTreeMap<Address, Logs>) {
        let mut channels = self.lock();
        let channel = channels.entry(task).or_insert_with(Channel::new);
        (channel.sender.subscribe(), channel.tails.clone())
    }

    /// The output so far.
    pub(crate) fn tails(&self, task: TaskId) -> BTreeMap<Address, Logs> {
        let channels = self.lock();
        channels
            .get(&task)
            .map(|c| c.tails.clone())
            .unwrap_or_default()
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
            let _ = channel.sender.send(News::Notice(notice));
        }
        if is_final {
            channels.remove(&task);
        }
    }

    pub(crate) fn progress(&self, task: TaskId, worker: Address, percent: u8) {
        if let Some(channel) = self.lock().get(&task) {
            let percent = percent.min(100);
            let _ = channel.sender.send(News::Progress { worker, percent });
        }
    }

    pub(crate) fn log(&self, task: TaskId, worker: Address, stream: Stream, text: String) {
        let mut channels = self.lock();
        if channels.len() >= LIVE_TASKS_MAX && !channels.contains_key(&task) {
            return;
        }
        let channel = channels.entry(task).or_insert_with(Channel::new);
        let tail = channel.tails.entry(worker).or_default();
        let kept = match stream {
            Stream::Stdout => &mut tail.stdout,
            Stream::Stderr => &mut tail.stderr,
        };
        kept.push_str(&text);
        // Cutting is put off until it is worth it, so that appending stays cheap.
        if kept.len() > 2 * LOG_CHARS_MAX {
            keep_end(kept, LOG_CHARS_MAX);
        }
        let _ = channel.sender.send(News::Log {
            worker,
            stream,
            text,
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TaskId, Channel>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Channel {
    fn new() -> Self {
        Self {
            sender: broadcast::channel(BEHIND_MAX).0,
            tails: BTreeMap::new(),
        }
    }
}

/// Cuts the beginning off until at most `chars` characters are left.
pub(crate) fn keep_end(text: &mut String, chars: usize) {
    if text.len() <= chars {
        return;
    }
    let start = text.char_indices().rev().nth(chars.saturating_sub(1));
    if let Some((start, _)) = start {
        text.drain(..start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_output_is_kept() {
        let mut text = "é".repeat(5) + "abc";
        keep_end(&mut text, 3);
        assert_eq!(text, "abc");
        let mut short = "abc".to_owned();
        keep_end(&mut short, 3);
        assert_eq!(short, "abc");
    }

    #[tokio::test]
    async fn a_watcher_gets_the_output_exactly_once() {
        let (live, task, worker) = (Live::default(), TaskId::repeat(1), Address::ZERO);
        live.log(task, worker, Stream::Stdout, "a".into());
        let (mut news, tails) = live.watch(task);
        live.log(task, worker, Stream::Stdout, "b".into());
        assert_eq!(tails[&worker].stdout, "a");
        let News::Log { text, .. } = news.recv().await.unwrap() else {
            panic!("a log was expected");
        };
        assert_eq!(text, "b");
        assert_eq!(live.tails(task)[&worker].stdout, "ab");
    }
}
