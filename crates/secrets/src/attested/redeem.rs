//! The answer: judged step by step, in the order of spec/secrets-tee.md §5.4, a to h.

use std::sync::{Arc, atomic::Ordering};

use attest::{Evidence, Reason, Redeem, Sealed, appraise, seal};

use super::{
    Attested,
    facts::{self, Facts, Known},
    refusal::Refusal,
    source::Lack,
    stage,
};
use crate::{
    audit::{Decision, Entry},
    service::Shared,
};

/// The sealed stage of the session with this id, if the evidence holds. The decision is written
/// down before it is known to anybody; what cannot be written down is not released.
pub(super) async fn redeem(
    shared: &Shared,
    attested: &Arc<Attested>,
    id: &str,
    asked: Redeem,
) -> Result<Sealed, Refusal> {
    let known = Known::find(shared, attested, id).await?;
    let asked = Arc::new(asked);
    let mut attempt = Attempt {
        shared,
        attested,
        known: &known,
        asked: &asked,
        evidence: None,
    };
    let verdict = attempt.judge().await;
    let counter = match &verdict {
        Ok(_) => &attested.released,
        Err(refusal) => {
            tracing::info!(session = id, stage = %asked.stage, ?refusal, "nothing is released");
            &attested.refused
        }
    };
    attempt.write_down(&verdict).await?;
    counter.fetch_add(1, Ordering::Relaxed);
    verdict
}

struct Attempt<'a> {
    shared: &'a Shared,
    attested: &'a Arc<Attested>,
    known: &'a Known,
    asked: &'a Arc<Redeem>,
    /// As soon as the quote is known to be genuine: for the audit log.
    evidence: Option<Evidence>,
}

impl Attempt<'_> {
    async fn judge(&mut self) -> Result<Sealed, Refusal> {
        self.take_nonce().await?;
        let evidence = self.verify().await?;
        let evidence = self.evidence.insert(evidence);
        if evidence.platform != self.asked.platform {
            let detail = "the quote is of another kind of platform";
            return Err(Refusal::rejected(Reason::QuoteFormat, detail));
        }
        let facts = Facts::read(self.shared, self.attested, self.known).await?;
        let asked = self.asked;
        let binding = facts.binding(self.known, asked.stage, asked.nonce, asked.hpke_pub);
        let policy = self.attested.verifier.policy();
        let platform = appraise(evidence, &asked.event_log, &binding, policy)?;
        facts.check(asked.platform)?;
        self.count(platform).await?;
        let is_simulated = self.attested.is_simulated();
        let plain = stage::only(&self.known.session, asked.stage, is_simulated)?;
        let plain = plain.ok_or(Refusal::NotFound)?;
        seal(&asked.hpke_pub.0, &binding.report_data(), &plain).map_err(|_| Refusal::Malformed)
    }

    /// Before anything else is looked at, so that nothing is tried twice with one nonce.
    async fn take_nonce(&self) -> Result<(), Refusal> {
        let (nonce, stage) = (self.asked.nonce, self.asked.stage);
        let taken = self
            .shared
            .vault
            .take_nonce(nonce, &self.known.id, stage, self.attested.now());
        match taken.await? {
            true => Ok(()),
            false => {
                let detail = "unknown, used, expired, or of another session or stage";
                Err(Refusal::rejected(Reason::Nonce, detail))
            }
        }
    }

    /// Not before there is collateral: a turn is for those who only need a thread.
    async fn verify(&self) -> Result<Evidence, Refusal> {
        let (attested, asked) = (Arc::clone(self.attested), Arc::clone(self.asked));
        let now = attested.now();
        let collateral = attested.source.collateral(&asked.quote, now).await;
        let collateral = collateral.map_err(|lack| match lack {
            Lack::Rejected(rejected) => Refusal::Rejected(rejected),
            Lack::Missing => Refusal::Collateral,
        })?;
        let _turn = self
            .attested
            .gate
            .try_acquire()
            .map_err(|_| Refusal::TooMany)?;
        let work = move || {
            let verdict = attested
                .verifier
                .verify(&asked.quote, &collateral, attested.now());
            verdict.map_err(Refusal::from)
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.unwrap_or_else(|error| {
            tracing::error!(%error, "the verifier failed");
            Err(Refusal::rejected(
                Reason::QuoteFormat,
                "the verifier failed",
            ))
        })
    }

    /// One platform for a session, and only so many releases of a stage.
    async fn count(&self, platform: attest::PlatformId) -> Result<(), Refusal> {
        let (vault, place) = (&self.shared.vault, self.known.place);
        let pinned = vault.pin_platform(&self.known.id, platform, place.purge_at);
        if !pinned.await? {
            let detail = "another platform has begun to redeem";
            return Err(Refusal::rejected(Reason::PlatformChanged, detail));
        }
        let counted = vault.count_release(&self.known.id, self.asked.stage, place.purge_at);
        match counted.await? {
            true => Ok(()),
            false => Err(Refusal::Redeemed),
        }
    }

    async fn write_down(&self, verdict: &Result<Sealed, Refusal>) -> Result<(), Refusal> {
        let (decision, reason) = match verdict {
            Ok(_) => (Decision::Allowed, "released"),
            Err(refusal) => (Decision::Refused, refusal.reason()),
        };
        let actor = format!("{:#x}", self.known.place.worker);
        let mut entry = Entry::new(actor, "session.redeem", decision)
            .id("session", self.known.id.as_str())
            .id("task", self.known.place.task.to_string())
            .id("stage", self.asked.stage.name())
            .id("mode", self.attested.mode())
            .reason(reason);
        for (name, value) in self.evidence.iter().flat_map(facts::measurements) {
            entry = entry.measurement(name, value);
        }
        Ok(self.shared.vault.audit(entry).await?)
    }
}
