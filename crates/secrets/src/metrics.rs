//! How many secrets there are, never which (spec/secrets-tee.md §1.6).

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value as Json, json};
use sqlx::Row;

use crate::{Error, vault::Vault};

/// What is counted, with the official name; requester's and developer's secrets count together.
pub(crate) const KINDS: [(&str, &str); 4] = [
    ("web2", "select count(*) from secret where kind = 'web2'"),
    ("web3", "select count(*) from secret where kind = 'web3'"),
    (
        "compute",
        "select count(*) from secret where kind in ('requester', 'app')",
    ),
    ("TEE challenges", "select count(*) from tee_challenge"),
];
/// Place of the enclave keys in [`KINDS`].
pub(crate) const CHALLENGES: usize = 3;

/// Counts since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    initial: [u64; KINDS.len()],
    added: [AtomicU64; KINDS.len()],
}

impl Vault {
    /// Remembers how many there are at the start.
    pub(crate) async fn start_counting(&mut self) -> Result<(), Error> {
        self.counters.initial = self.stored().await?;
        Ok(())
    }

    pub(crate) fn count_added(&self, kind: usize, count: u64) {
        self.counters.added[kind].fetch_add(count, Ordering::Relaxed);
    }

    async fn stored(&self) -> Result<[u64; KINDS.len()], Error> {
        let mut counts = [0; KINDS.len()];
        for (count, (_, sql)) in counts.iter_mut().zip(KINDS) {
            let row = sqlx::query(sql).fetch_one(&self.pool).await;
            let row = row.map_err(Error::database("count the secrets"))?;
            let number: i64 = row
                .try_get(0)
                .map_err(Error::database("count the secrets"))?;
            *count = u64::try_from(number).unwrap_or_default();
        }
        Ok(counts)
    }

    /// The official JSON, and the head of the audit log for an outside witness. Each enclave key is
    /// one challenge and one credential there.
    pub(crate) async fn metrics(&self) -> Result<Json, Error> {
        let stored = self.stored().await?;
        let entry = |name: &str, kind: usize| {
            json!({
                "secretsType": name,
                "initialCount": self.counters.initial[kind],
                "storedCount": stored[kind],
                "addedSinceStartCount": self.counters.added[kind].load(Ordering::Relaxed),
                "cachedSecretsCount": 0,
            })
        };
        let mut all = serde_json::Map::new();
        for (kind, (name, _)) in KINDS.iter().enumerate() {
            all.insert((*name).to_owned(), entry(name, kind));
        }
        let credentials = "Ethereum Credentials";
        all.insert(credentials.to_owned(), entry(credentials, CHALLENGES));
        let head = self.audit_head();
        let audit = json!({ "entries": head.entries, "head": head.to_string() });
        Ok(json!({ "secretsMetrics": all, "audit": audit }))
    }
}
