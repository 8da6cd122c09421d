//! Releasing a session to the enclave that it was made for, and to nobody else: challenge, quote,
//! redemption (spec/secrets-tee.md §5.4).
//!
//! Worker and pool only decide who may ask. What decides who gets is evidence: a quote over
//! everything that must not be exchanged, from a platform that the policy admits, whose log ends
//! with the launch of this very task. In doubt nothing is released, and every decision about a
//! known session is in the audit log before the answer is on its way.

mod challenge;
mod config;
mod facts;
mod http;
mod limit;
mod redeem;
mod refusal;
mod source;
mod stage;
mod store;
#[cfg(test)]
mod tests;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use attest::{Identity, Verifier};
use tokio::sync::{OnceCell, Semaphore};

use crate::{Error, vault::Vault};

pub use config::{Attestation, PRODUCTION_CHAINS};
pub(crate) use http::{routes, stamped};

use limit::Limit;
use source::Source;

/// Quotes that are verified at once; each takes a millisecond of a core. More are told to come
/// back.
const VERIFICATIONS_MAX: usize = 32;

/// Everything that is needed to judge evidence.
pub(crate) struct Attested {
    verifier: Verifier,
    source: Source,
    identity: OnceCell<Identity>,
    limit: Limit,
    gate: Semaphore,
    /// How far our clock is ahead of this machine's, in tests.
    #[cfg(test)]
    ahead_s: AtomicU64,
    released: AtomicU64,
    refused: AtomicU64,
}

impl Attested {
    /// Opens what `config` names, for the chain with this id.
    pub(crate) fn open(config: Attestation, chain_id: u64) -> Result<Self, Error> {
        let (verifier, source) = config.open(chain_id)?;
        let attested = Self {
            verifier,
            source,
            identity: OnceCell::new(),
            limit: Limit::default(),
            gate: Semaphore::new(VERIFICATIONS_MAX),
            #[cfg(test)]
            ahead_s: AtomicU64::new(0),
            released: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        };
        attested.warn();
        Ok(attested)
    }

    /// Says at the start and then each hour what a simulation is.
    pub(crate) fn warn(&self) {
        if self.is_simulated() {
            tracing::warn!(
                "SIMULATED ATTESTATION: secrets are released to software that proves nothing; \
                 whoever runs a worker can read them. Never use this with real secrets"
            );
        }
    }

    pub(crate) fn is_simulated(&self) -> bool {
        self.verifier.is_simulated()
    }

    /// `intel` or `simulation`.
    pub(crate) fn mode(&self) -> &'static str {
        match self.is_simulated() {
            true => "simulation",
            false => "intel",
        }
    }

    /// Seconds since 1970.
    fn now(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = since.map_or(0, |since| since.as_secs());
        #[cfg(test)]
        let now = now + self.ahead_s.load(Ordering::Relaxed);
        now
    }

    /// The service's own key, made on first use and kept with the secrets.
    async fn identity(&self, vault: &Vault) -> Result<&Identity, Error> {
        self.identity.get_or_try_init(|| vault.identity()).await
    }

    /// Counts since the start, for an operator.
    pub(crate) fn metrics(&self) -> serde_json::Value {
        serde_json::json!({
            "mode": self.mode(),
            "sms_attestation_simulated": u8::from(self.is_simulated()),
            "released": self.released.load(Ordering::Relaxed),
            "refused": self.refused.load(Ordering::Relaxed),
        })
    }

    /// Forgets nonces that are over, and fetches collateral that is due.
    pub(crate) async fn tidy(&self, vault: &Vault) {
        self.source.renew(self.now());
        if let Err(error) = vault.forget_nonces(self.now()).await {
            tracing::warn!(%error, "old nonces cannot be deleted");
        }
    }

    #[cfg(test)]
    pub(crate) fn advance(&self, seconds: u64) {
        self.ahead_s.fetch_add(seconds, Ordering::Relaxed);
    }
}
