//! What a deal asks of the pool: read once from the chain, the same for all tasks of its bag.

use protocol::{
    Address, Cause, DealId, Tag, TaskId,
    deal::{Deadlines, Deal},
    message::Flow,
};
use serde::{Deserialize, Serialize};

/// The facts of a deal that outlive its reading. Times are seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The deal.
    pub deal: DealId,
    /// First index of the bag.
    pub first: u64,
    /// Tasks in the bag.
    pub size: u64,
    /// Who may read the logs.
    pub requester: Address,
    /// Where the app's image is, as text; empty when the app could not be read.
    pub image: String,
    /// The app's type, e.g. `DOCKER`.
    pub app_type: String,
    /// What is asked of the machine.
    pub tag: Tag,
    /// At least 1.
    pub trust: u64,
    /// The request's parameters, verbatim.
    pub params: String,
    /// Seconds a run may take.
    pub timeref: u64,
    /// No contribution from here on.
    pub contribution_deadline: u64,
    /// Claimable from here on.
    pub final_deadline: u64,
}

impl Terms {
    /// The facts of `deal` in a category of `timeref` seconds, at most `size` of its tasks.
    pub fn of(deal: &Deal, timeref: u64, app: (String, String), size: u64) -> Self {
        let deadlines = Deadlines::of(deal.start_time, timeref);
        Self {
            deal: deal.id,
            first: deal.bot_first,
            size: deal.bot_size.min(size),
            requester: deal.requester,
            app_type: app.0,
            image: app.1,
            tag: deal.tag,
            trust: deal.trust.try_into().unwrap_or(u64::MAX).max(1),
            params: deal.params.clone(),
            timeref,
            contribution_deadline: deadlines.contribution,
            final_deadline: deadlines.last,
        }
    }

    /// Index and id of each task, in order.
    pub fn tasks(&self) -> impl Iterator<Item = (u64, TaskId)> + '_ {
        let indices = self.first..self.first.saturating_add(self.size);
        indices.map(|index| (index, self.deal.task(index)))
    }

    /// How the result gets on chain; consensus among several workers has its place here.
    /// `has_sms` says whether the pool has a secret manager: confidential tasks need one, and TDX
    /// is the only framework there is.
    ///
    /// # Errors
    /// Why this pool does not serve the deal at all.
    pub fn flow(&self, has_sms: bool) -> Result<Flow, Cause> {
        if self.tag.is_tee() && !(has_sms && self.tag.is_tdx()) {
            return Err(Cause::TeeNotSupported);
        }
        if self.trust > 1 {
            return Err(Cause::TrustNot1);
        }
        Ok(Flow::ContributeAndFinalize)
    }

    /// Milliseconds since 1970 from which on no contribution is possible.
    pub fn contribution_deadline_ms(&self) -> u64 {
        self.contribution_deadline.saturating_mul(1000)
    }
}
