//! Reports that the pool has not acknowledged yet: sent again after each reconnection.

use std::collections::BTreeMap;

use protocol::{
    TaskId,
    message::{Report, ToPool},
};

/// Reports kept for a pool that is away; the oldest go first. A task makes about fifteen.
const REPORTS_MAX: usize = 10_000;

/// Numbered reports until they are acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    next: u64,
    waiting: BTreeMap<u64, Report>,
}

impl Outbox {
    /// Numbers a report and keeps it; returns the frame to send now.
    pub(crate) fn add(&mut self, report: Report) -> ToPool {
        self.next += 1;
        self.waiting.insert(self.next, report.clone());
        if self.waiting.len() > REPORTS_MAX {
            self.waiting.pop_first();
        }
        ToPool::Report {
            seq: self.next,
            report,
        }
    }

    /// The pool has stored this one.
    pub(crate) fn acknowledged(&mut self, seq: u64) {
        self.waiting.remove(&seq);
    }

    /// Reports that wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether a report about `task` is not acknowledged.
    pub(crate) fn has(&self, task: TaskId) -> bool {
        self.waiting.values().any(|report| report.task == task)
    }

    /// What to send again, in order.
    pub(crate) fn unacknowledged(&self) -> Vec<ToPool> {
        let frame = |(seq, report): (&u64, &Report)| ToPool::Report {
            seq: *seq,
            report: report.clone(),
        };
        self.waiting.iter().map(frame).collect()
    }
}

#[cfg(test)]
mod tests {
    use protocol::status::ReplicateStatus;

    use super::*;

    #[test]
    fn only_unacknowledged_reports_are_sent_again_in_order() {
        let mut outbox = Outbox::default();
        for status in [ReplicateStatus::Starting, ReplicateStatus::Started] {
            outbox.add(Report::new(TaskId::repeat(1), status));
        }
        let third = outbox.add(Report::new(TaskId::repeat(1), ReplicateStatus::Computing));
        outbox.acknowledged(2);
        let again = outbox.unacknowledged();
        assert_eq!(again.len(), 2);
        assert_eq!(again[1], third);
    }

    #[test]
    fn a_pool_that_never_answers_does_not_fill_the_memory() {
        let mut outbox = Outbox::default();
        for _ in 0..REPORTS_MAX + 5 {
            outbox.add(Report::new(TaskId::repeat(1), ReplicateStatus::Computing));
        }
        assert_eq!(outbox.unacknowledged().len(), REPORTS_MAX);
    }
}
