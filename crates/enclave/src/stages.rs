//! Where the agent gets what each stage may know.

use async_trait::async_trait;
use worker::{Failure, agent::Stage};

use crate::environment::StageEnvironment;

/// A session at a secret manager, opened stage by stage: each is asked for only when it is needed.
#[async_trait]
pub(crate) trait Stages: Send + Sync {
    /// What `stage` is to be given. A stage may be asked for again only as often as the secret
    /// manager allows.
    ///
    /// # Errors
    /// [`protocol::Cause::TeePreparationFailed`] with the secret manager's reason, never with
    /// anything that it gave.
    async fn open(&self, stage: Stage) -> Result<StageEnvironment, Failure>;
}
