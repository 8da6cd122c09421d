//! What a deal asks of the pool: read once from the chain, the same for all tasks of its bag.

use protocol::{
    Address, B256, Cause, DealId, Tag, TaskId,
    deal::{Deadlines, Deal},
    message::{Flow, Profile},
};
use serde::{Deserialize, Serialize};

/// What the pool's operator decides once for all deals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// There is a secret manager: confidential tasks need one, and TDX is the only framework.
    pub has_sms: bool,
    /// At trust 1 the worker contributes and finalizes in one transaction; otherwise it
    /// contributes and reveals as at any other trust.
    pub finalizes_at_once: bool,
    /// Dead tasks are claimed even if no stake of a worker is locked in them: the requester gets
    /// its money back without asking.
    pub claims_for_requesters: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            has_sms: false,
            finalizes_at_once: true,
            claims_for_requesters: false,
        }
    }
}

/// What the pool knows of an app; empty when it could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct App {
    /// Its type, e.g. `DOCKER`.
    pub kind: String,
    /// Where its image is, as text.
    pub image: String,
    /// The image's digest.
    pub checksum: B256,
}

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
    /// The image's digest, which pins it.
    #[serde(default)]
    pub checksum: B256,
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

/// What a task needs of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Needs {
    /// A GPU.
    pub gpu: bool,
    /// An enclave that can be attested.
    pub tee: bool,
    /// Seconds a run may take.
    pub seconds: u64,
}

impl Needs {
    /// Whether a machine has it.
    pub fn are_met_by(&self, profile: &Profile) -> bool {
        let has_time = profile.seconds_max == 0 || self.seconds <= profile.seconds_max;
        has_time && (profile.gpu || !self.gpu) && (profile.tee || !self.tee)
    }
}

impl Terms {
    /// What its tasks need of a machine.
    pub fn needs(&self) -> Needs {
        Needs {
            gpu: self.tag.is_gpu(),
            tee: self.tag.is_tee(),
            seconds: self.timeref,
        }
    }

    /// The facts of `deal` in a category of `timeref` seconds, at most `size` of its tasks.
    pub fn of(deal: &Deal, timeref: u64, app: App, size: u64) -> Self {
        let deadlines = Deadlines::of(deal.start_time, timeref);
        Self {
            deal: deal.id,
            first: deal.bot_first,
            size: deal.bot_size.min(size),
            requester: deal.requester,
            app_type: app.kind,
            image: app.image,
            checksum: app.checksum,
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

    /// How the result gets on chain.
    ///
    /// # Errors
    /// Why this pool does not serve the deal at all.
    pub fn flow(&self, rules: Rules) -> Result<Flow, Cause> {
        if self.tag.is_tee() && !(rules.has_sms && self.tag.is_tdx()) {
            return Err(Cause::TeeNotSupported);
        }
        match self.trust {
            1 if rules.finalizes_at_once || self.tag.is_tee() => Ok(Flow::ContributeAndFinalize),
            _ if self.tag.is_tee() => Err(Cause::TrustNot1),
            _ => Ok(Flow::ContributeAndReveal),
        }
    }

    /// Milliseconds since 1970 from which on no contribution is possible.
    pub fn contribution_deadline_ms(&self) -> u64 {
        self.contribution_deadline.saturating_mul(1000)
    }

    /// Milliseconds since 1970 from which on the task can only be claimed.
    pub fn final_deadline_ms(&self) -> u64 {
        self.final_deadline.saturating_mul(1000)
    }

    /// Milliseconds a run may take.
    pub fn run_ms(&self) -> u64 {
        self.timeref.saturating_mul(1000)
    }
}
