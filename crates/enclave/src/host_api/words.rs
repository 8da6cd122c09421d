//! The same things have other names in each stage.

use protocol::{Cause, stage::Stage};

/// How a stage is named in routes, and what its failures are called.
pub(super) struct Words {
    /// The part of a route that names it.
    pub(super) segment: &'static str,
    /// What its official codes begin with: no container says a code of somebody else.
    prefix: &'static str,
    /// Anything without a code of its own.
    pub(super) unknown: Cause,
    /// It says that it failed to tell why it failed.
    pub(super) untold: Cause,
    /// It did not know which task it was for.
    pub(super) no_task: Cause,
    /// It took too long.
    pub(super) late: Cause,
}

impl Words {
    /// Those of a stage.
    pub(super) const fn of(stage: Stage) -> Self {
        match stage {
            Stage::PreCompute => Self {
                segment: "pre",
                prefix: "PRE_COMPUTE_",
                unknown: Cause::PreComputeUnknown,
                untold: Cause::PreExitReportingFailed,
                no_task: Cause::PreTaskIdMissing,
                late: Cause::PreTimeout,
            },
            Stage::App => Self {
                segment: "app",
                prefix: "APP_COMPUTE_",
                unknown: Cause::AppComputeFailed,
                untold: Cause::AppComputeFailed,
                no_task: Cause::AppComputeFailed,
                late: Cause::AppComputeTimeout,
            },
            Stage::PostCompute => Self {
                segment: "post",
                prefix: "POST_COMPUTE_",
                unknown: Cause::PostComputeUnknown,
                untold: Cause::PostExitReportingFailed,
                no_task: Cause::PostTaskIdMissing,
                late: Cause::PostTimeout,
            },
        }
    }

    /// The cause that a container calls `name`.
    pub(super) fn cause(&self, name: &str) -> Cause {
        let mut all = Cause::ALL.iter().filter(|_| name.starts_with(self.prefix));
        let known = all.find(|cause| cause.code() == name);
        known.copied().unwrap_or(self.unknown)
    }
}
