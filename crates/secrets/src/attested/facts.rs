//! What chain and vault say of a session's task, read anew each time.

use attest::{Binding, Evidence, Platform, Reason, Rejected, Stage};
use protocol::{
    Address, B256,
    deal::{Deal, Task, TaskStatus},
};

use super::{Attested, refusal::Refusal};
use crate::{Value, service::Shared, tee::Place};

/// A session that somebody asks for.
pub(super) struct Known {
    pub(super) id: String,
    pub(super) place: Place,
    pub(super) session: Value,
}

impl Known {
    /// Finds it, and counts the request.
    pub(super) async fn find(
        shared: &Shared,
        attested: &Attested,
        id: &str,
    ) -> Result<Self, Refusal> {
        let found = shared.vault.session(id).await?;
        let (place, session) = found.ok_or(Refusal::NotFound)?;
        if !attested.limit.admits(id, attested.now()) {
            return Err(Refusal::TooMany);
        }
        let id = id.to_owned();
        Ok(Self { id, place, session })
    }
}

/// The state of its task.
pub(super) struct Facts {
    pub(super) chain_id: u64,
    pub(super) hub: Address,
    pub(super) sms_id: [u8; 32],
    pub(super) enclave_challenge: Address,
    pub(super) app_digest: B256,
    task: Task,
    deal: Deal,
    /// The chain's clock, by which its deadlines are.
    now: u64,
}

impl Facts {
    /// Reads them.
    pub(super) async fn read(
        shared: &Shared,
        attested: &Attested,
        known: &Known,
    ) -> Result<Self, Refusal> {
        let gone = || Refusal::rejected(Reason::TaskState, "the chain does not know the task");
        let (chain_id, hub) = shared.ledger.place();
        let task = shared.ledger.task(known.place.task).await?;
        let task = task.ok_or_else(gone)?;
        let deal = shared.ledger.deal(task.deal).await?.ok_or_else(gone)?;
        let app = shared.ledger.app(deal.app.pointer).await?;
        let key = shared.vault.challenge(known.place.task).await?;
        Ok(Self {
            chain_id,
            hub,
            sms_id: attested.identity(&shared.vault).await?.id(),
            enclave_challenge: key.ok_or(Refusal::NotFound)?.address,
            app_digest: app.ok_or_else(gone)?.checksum,
            task,
            deal,
            now: shared.ledger.now().await?,
        })
    }

    /// Whether it is too late, whatever the evidence.
    pub(super) fn is_over(&self) -> bool {
        self.now >= self.task.final_deadline
    }

    /// Whether secrets of this task are released to enclaves of this kind now.
    pub(super) fn check(&self, platform: Platform) -> Result<(), Rejected> {
        let refused = |detail| Err(Rejected::new(Reason::TaskState, detail));
        if self.task.status != TaskStatus::Active {
            return refused("the task is not active");
        }
        if self.is_over() {
            return refused("the task's final deadline is over");
        }
        if !self.deal.tag.is_tdx() || platform != Platform::Tdx {
            return refused("the deal asks for another kind of enclave");
        }
        Ok(())
    }

    /// What the quote has to be bound to.
    pub(super) fn binding(
        &self,
        known: &Known,
        stage: Stage,
        nonce: B256,
        hpke_pub: B256,
    ) -> Binding {
        Binding {
            chain_id: self.chain_id,
            hub: self.hub,
            sms_id: self.sms_id,
            session_id: known.id.clone(),
            task: known.place.task,
            worker: known.place.worker,
            enclave_challenge: self.enclave_challenge,
            stage,
            app_digest: self.app_digest,
            nonce: nonce.0,
            hpke_pub: hpke_pub.0,
        }
    }
}

/// What the audit log tells of evidence.
pub(super) fn measurements(evidence: &Evidence) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("platform", evidence.platform_id.to_string()),
        ("status", evidence.status.clone()),
    ];
    match &evidence.measured {
        attest::Measured::Tdx { mrtd, rtmr } => {
            all.push(("mrtd", mrtd.to_string()));
            let names = ["rtmr0", "rtmr1", "rtmr2", "rtmr3"];
            all.extend(
                names
                    .into_iter()
                    .zip(rtmr.map(|register| register.to_string())),
            );
        }
        attest::Measured::Sgx {
            mrenclave,
            mrsigner,
            ..
        } => {
            all.push(("mrenclave", mrenclave.to_string()));
            all.push(("mrsigner", mrsigner.to_string()));
        }
    }
    all
}
