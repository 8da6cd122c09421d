//! The host of one container: what it may say and fetch, and what was made of it.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use engine::Reason;
use protocol::{Cause, TaskId, stage::Stage};
use worker::Failure;

use super::{
    guest::Guest,
    heard::{Archive, Heard, Reported, parse},
    incoming::Incoming,
    judge::judge,
    refused::Refused,
};
use crate::post_compute::Computed;

/// What is exchanged as files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    /// Where the archive of the result goes.
    pub(crate) archive: PathBuf,
    /// Encrypted datasets, by the number in their route.
    pub(crate) datasets: Vec<PathBuf>,
}

/// Answers one container.
pub(crate) struct Host {
    guest: Guest,
    files: Files,
    heard: Mutex<Heard>,
}

/// Proof that a call is the container's own: only then its body is read.
pub(crate) struct Admitted<'a>(&'a Host);

impl Host {
    /// Listens to `guest`.
    pub(crate) fn new(guest: Guest, files: Files) -> Self {
        Self {
            guest,
            files,
            heard: Mutex::default(),
        }
    }

    /// Looks at a call's route and signature.
    pub(crate) fn admit(
        &self,
        stage: &str,
        task: &str,
        authorization: Option<&str>,
    ) -> Result<Admitted<'_>, Refused> {
        self.guest.is_at(stage, task)?;
        self.guest.has_signed(authorization)?;
        Ok(Admitted(self))
    }

    /// Looks at an upload's token. Only one at a time gets further, and none once the archive is
    /// here.
    pub(crate) fn expect_archive(
        self: &Arc<Self>,
        authorization: Option<&str>,
    ) -> Result<Incoming, Refused> {
        if self.guest.stage != Stage::PostCompute {
            return Err(Refused::NotFound);
        }
        self.guest.has_token(authorization)?;
        let mut heard = self.heard();
        if heard.archive != Archive::Missing {
            return Err(Refused::Twice);
        }
        heard.archive = Archive::Coming;
        drop(heard);
        Ok(Incoming::new(Arc::clone(self)))
    }

    /// The file of an encrypted dataset. It needs no signature: it says nothing without its key.
    pub(crate) fn dataset(&self, number: &str) -> Result<&Path, Refused> {
        let index: Option<usize> = number.parse().ok();
        let path = index.and_then(|index| self.files.datasets.get(index));
        path.map(PathBuf::as_path).ok_or(Refused::NotFound)
    }

    /// What the stage achieved, once its container has ended with `code` for `reason`: a result of
    /// post-compute, of any other stage nothing.
    ///
    /// # Errors
    /// Why it failed; at least one failure.
    pub(crate) fn judge(
        &self,
        code: i64,
        reason: Reason,
    ) -> Result<Option<Computed>, Vec<Failure>> {
        let mut heard = self.heard();
        let reported = heard.causes.take().unwrap_or_default();
        judge(self.guest.stage, code, reason, reported)?;
        if self.guest.stage != Stage::PostCompute {
            return Ok(None);
        }
        let missing = |cause, message| vec![Failure::new(cause, message)];
        let Some(computed) = heard.computed.take() else {
            let message = "its program ended without telling a result";
            return Err(missing(Cause::SendComputedFileFailed, message));
        };
        if !self.guest.has_callback && heard.archive != Archive::Kept {
            let message = "its program told a result and handed over no archive of it";
            return Err(missing(Cause::PostIpfsUploadFailed, message));
        }
        Ok(Some(computed))
    }

    pub(super) fn task(&self) -> TaskId {
        self.guest.task
    }

    pub(super) fn archive(&self) -> &Path {
        &self.files.archive
    }

    /// What became of an upload that was let in.
    pub(super) fn archive_is(&self, archive: Archive) {
        self.heard().archive = archive;
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admitted<'_> {
    /// The container tells why it fails.
    pub(crate) fn exit_causes(&self, body: &[u8]) -> Result<Reported, Refused> {
        self.0.heard().report(&self.0.guest, parse(body)?)
    }

    /// The same as older programs tell it: one cause, without a message.
    pub(crate) fn exit(&self, body: &[u8]) -> Result<Reported, Refused> {
        self.0.heard().report(&self.0.guest, vec![parse(body)?])
    }

    /// The container tells its result.
    pub(crate) fn computed(&self, body: &[u8]) -> Result<TaskId, Refused> {
        self.0.heard().compute(&self.0.guest, body)
    }
}
