//! How a stage ended, from the way its container ended and from what it said before
//! (spec/secrets-tee.md §2.5).

use engine::Reason;
use protocol::{Cause, stage::Stage};
use worker::Failure;

use super::words::Words;

/// All went well.
const DONE: i64 = 0;
/// It failed, and has told why.
const REPORTED: i64 = 1;
/// It failed, and could not tell why.
const UNREPORTED: i64 = 2;
/// It was not told which task it is for, so there was nobody to tell.
const NO_TASK: i64 = 3;

/// The failures of a stage whose container ended with `code` for `reason`, having `reported` some.
///
/// # Errors
/// At least one failure, unless all went well.
pub(crate) fn judge(
    stage: Stage,
    code: i64,
    reason: Reason,
    reported: Vec<Failure>,
) -> Result<(), Vec<Failure>> {
    let words = Words::of(stage);
    let unknown = |message: &str| Failure::new(words.unknown, format!("its program {message}"));
    let failure = match (reason, code) {
        (Reason::Exited, DONE) => return Ok(()),
        (Reason::Exited | Reason::OutOfMemory | Reason::DiskFull, REPORTED)
            if !reported.is_empty() =>
        {
            return Err(reported);
        }
        (Reason::Exited, REPORTED) => unknown("failed and told no cause"),
        (Reason::Exited, UNREPORTED) => Failure::plain(words.untold),
        (Reason::Exited, NO_TASK) => Failure::plain(words.no_task),
        (Reason::Exited, code) => unknown(&format!("ended with exit code {code}")),
        (Reason::OutOfMemory, _) => unknown("ran out of memory"),
        (Reason::DiskFull, _) => unknown("wrote too much"),
        (Reason::Killed, _) => unknown("was killed, not by the worker"),
        (Reason::Deadline, _) => Failure::plain(words.late),
        (Reason::Cancelled, _) => Failure::plain(Cause::AbortedByWorker),
    };
    Err(vec![failure])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn causes(stage: Stage, code: i64, reason: Reason, reported: &[Cause]) -> Vec<Cause> {
        let reported = reported
            .iter()
            .map(|cause| Failure::plain(*cause))
            .collect();
        let judged = judge(stage, code, reason, reported);
        let failures = judged.err().unwrap_or_default();
        failures.into_iter().map(|failure| failure.cause).collect()
    }

    #[test]
    fn each_exit_code_has_its_cause() {
        let pre = |code| causes(Stage::PreCompute, code, Reason::Exited, &[]);
        let post = |code| causes(Stage::PostCompute, code, Reason::Exited, &[]);
        assert_eq!((pre(0), post(0)), (vec![], vec![]));
        for (code, before, after) in [
            (1, Cause::PreComputeUnknown, Cause::PostComputeUnknown),
            (
                2,
                Cause::PreExitReportingFailed,
                Cause::PostExitReportingFailed,
            ),
            (3, Cause::PreTaskIdMissing, Cause::PostTaskIdMissing),
            (4, Cause::PreComputeUnknown, Cause::PostComputeUnknown),
            (101, Cause::PreComputeUnknown, Cause::PostComputeUnknown),
            (137, Cause::PreComputeUnknown, Cause::PostComputeUnknown),
        ] {
            assert_eq!(
                (pre(code), post(code)),
                (vec![before], vec![after]),
                "{code}"
            );
        }
    }

    #[test]
    fn what_was_reported_counts_with_code_1_only() {
        let reported = [
            Cause::PreDatasetUrlMissing,
            Cause::PreInvalidDatasetChecksum,
        ];
        let pre = |code| causes(Stage::PreCompute, code, Reason::Exited, &reported);
        assert_eq!(pre(1), reported);
        assert_eq!(pre(0), []);
        assert_eq!(pre(2), [Cause::PreExitReportingFailed]);
        assert_eq!(pre(9), [Cause::PreComputeUnknown]);
    }

    #[test]
    fn the_end_that_others_made_of_it_has_its_cause() {
        for (reason, before, after) in [
            (Reason::Deadline, Cause::PreTimeout, Cause::PostTimeout),
            (
                Reason::OutOfMemory,
                Cause::PreComputeUnknown,
                Cause::PostComputeUnknown,
            ),
            (
                Reason::DiskFull,
                Cause::PreComputeUnknown,
                Cause::PostComputeUnknown,
            ),
            (
                Reason::Killed,
                Cause::PreComputeUnknown,
                Cause::PostComputeUnknown,
            ),
            (
                Reason::Cancelled,
                Cause::AbortedByWorker,
                Cause::AbortedByWorker,
            ),
        ] {
            for code in [0, 1, 137] {
                let pre = causes(Stage::PreCompute, code, reason, &[]);
                let post = causes(Stage::PostCompute, code, reason, &[]);
                assert_eq!((pre, post), (vec![before], vec![after]), "{reason:?}");
            }
        }
        let late = causes(Stage::App, 137, Reason::Deadline, &[]);
        assert_eq!(late, [Cause::AppComputeTimeout]);
    }
}
