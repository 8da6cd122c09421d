//! Everything here that reads bytes of strangers, as functions of bytes: for fuzzing.

use crate::{Collateral, EventLog, Redeem, Verifier};

/// Reads a quote. The answer does not matter, that there is one does.
pub fn quote(verifier: &Verifier, bytes: &[u8], collateral: &Collateral, now: u64) -> bool {
    verifier.verify(bytes, collateral, now).is_ok()
}

/// Reads an event log.
pub fn event_log(bytes: &[u8]) -> bool {
    let log = serde_json::from_slice::<EventLog>(bytes);
    log.is_ok_and(|log| log.replay() != crate::Digest::ZERO)
}

/// Reads the body of a redeem.
pub fn redeem(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Redeem>(bytes).is_ok()
}

#[cfg(test)]
pub(crate) mod vector;
