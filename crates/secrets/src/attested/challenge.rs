//! The question: a fresh nonce, and everything that the evidence has to be about.

use attest::{Challenge, Stage};
use protocol::{B256, Bytes};
use rand::{RngCore, rngs::OsRng};

use super::{
    Attested,
    facts::{Facts, Known},
    refusal::Refusal,
    stage,
};
use crate::service::Shared;

/// An enclave needs well below a second for its quote; a loaded host gets time.
const NONCE_FOR_S: u64 = 120;

/// Makes and signs a challenge for one stage of the session with this id.
pub(super) async fn make(
    shared: &Shared,
    attested: &Attested,
    id: &str,
    stage: Stage,
) -> Result<Challenge, Refusal> {
    let known = Known::find(shared, attested, id).await?;
    if !stage::is_there(&known.session, stage)? {
        return Err(Refusal::NotFound);
    }
    let facts = Facts::read(shared, attested, &known).await?;
    if facts.is_over() {
        return Err(Refusal::Expired);
    }
    let mut nonce = B256::ZERO;
    OsRng.fill_bytes(nonce.as_mut_slice());
    let now = attested.now();
    let expires_at = now + NONCE_FOR_S;
    let place = (known.id.as_str(), stage);
    let kept = shared.vault.put_nonce(nonce, place, (now, expires_at));
    if !kept.await? {
        return Err(Refusal::TooMany);
    }
    let challenge = Challenge {
        nonce,
        expires_at,
        chain_id: facts.chain_id,
        hub: facts.hub,
        sms_id: facts.sms_id.into(),
        task_id: known.place.task,
        worker: known.place.worker,
        enclave_challenge: facts.enclave_challenge,
        app_digest: facts.app_digest,
        stage,
        policy_id: attested.verifier.policy().id(),
        insecure: attested.is_simulated(),
        signature: Bytes::new(),
    };
    let identity = attested.identity(&shared.vault).await?;
    Ok(challenge.sign(&known.id, identity))
}
