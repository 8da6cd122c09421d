//! What enclave and secret manager send each other, in JSON.

use protocol::{Address, B256, Bytes, TaskId};
use serde::{Deserialize, Serialize};

use crate::{Binding, Error, EventLog, Identity, Stage, identity::is_signed, text};

const CONTEXT: &str = "iexec-rs/sms/challenge/v1";

/// Which kind of enclave a quote is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// A whole virtual machine: Intel TDX.
    Tdx,
    /// One process: Intel SGX.
    Sgx,
}

/// Body of the question for a challenge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// Whose secrets are wanted.
    pub stage: Stage,
}

/// What a quote has to be bound to, signed by the secret manager.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// For one redeem only.
    pub nonce: B256,
    /// The nonce is refused afterwards, seconds since 1970.
    pub expires_at: u64,
    /// The chain that the task is on.
    pub chain_id: u64,
    /// The hub there.
    pub hub: Address,
    /// The secret manager's Ed25519 key.
    pub sms_id: B256,
    /// The task.
    pub task_id: TaskId,
    /// The worker that contributes it.
    pub worker: Address,
    /// The address of the enclave's key.
    pub enclave_challenge: Address,
    /// The app's image, as its owner registered it.
    pub app_digest: B256,
    /// Whose secrets are released.
    pub stage: Stage,
    /// By which rules the evidence will be judged.
    pub policy_id: B256,
    /// True when simulated platforms are taken: then nothing is protected from the worker.
    #[serde(default)]
    pub insecure: bool,
    /// Ed25519, over all of this and the session's id.
    #[serde(default)]
    pub signature: Bytes,
}

impl Challenge {
    fn signed_bytes(&self, session_id: &str) -> text::Fields {
        text::Fields::of(CONTEXT)
            .with(self.nonce.as_slice())
            .with(&self.expires_at.to_be_bytes())
            .with(&self.chain_id.to_be_bytes())
            .with(self.hub.as_slice())
            .with(self.sms_id.as_slice())
            .with(session_id.as_bytes())
            .with(self.task_id.0.as_slice())
            .with(self.worker.as_slice())
            .with(self.enclave_challenge.as_slice())
            .with(self.app_digest.as_slice())
            .with(self.stage.name().as_bytes())
            .with(self.policy_id.as_slice())
            .with(&[u8::from(self.insecure)])
    }

    /// Signed for the session with this id. Sets [`Challenge::sms_id`] too.
    #[must_use]
    pub fn sign(mut self, session_id: &str, identity: &Identity) -> Self {
        self.sms_id = identity.id().into();
        let signature = identity.sign(self.signed_bytes(session_id).bytes());
        self.signature = signature.to_vec().into();
        self
    }

    /// Whether it comes from the secret manager that it names, for this session. Without a pin
    /// anybody may be that secret manager: only for tests and the first contact.
    ///
    /// # Errors
    /// [`Error::Stranger`], [`Error::Signature`].
    pub fn verify(&self, session_id: &str, pinned_sms_id: Option<[u8; 32]>) -> Result<(), Error> {
        if let Some(pinned) = pinned_sms_id.filter(|pinned| self.sms_id != *pinned) {
            return Err(Error::Stranger {
                found: self.sms_id.to_string(),
                pinned: B256::from(pinned).to_string(),
            });
        }
        let message = self.signed_bytes(session_id);
        match is_signed(&self.sms_id.0, message.bytes(), &self.signature) {
            true => Ok(()),
            false => Err(Error::Signature),
        }
    }

    /// What the quote is to be bound to when the answer goes to `hpke_pub`.
    pub fn binding(&self, session_id: &str, hpke_pub: [u8; 32]) -> Binding {
        Binding {
            chain_id: self.chain_id,
            hub: self.hub,
            sms_id: self.sms_id.0,
            session_id: session_id.to_owned(),
            task: self.task_id,
            worker: self.worker,
            enclave_challenge: self.enclave_challenge,
            stage: self.stage,
            app_digest: self.app_digest,
            nonce: self.nonce.0,
            hpke_pub,
        }
    }
}

/// Body of the redemption of a challenge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redeem {
    /// As in the challenge.
    pub stage: Stage,
    /// As in the challenge.
    pub nonce: B256,
    /// Which kind of quote it is.
    pub platform: Platform,
    /// The X25519 key to seal the answer to.
    pub hpke_pub: B256,
    /// The quote, over the binding's report data; base64.
    #[serde(with = "text::base64")]
    pub quote: Vec<u8>,
    /// What explains RTMR3; empty for SGX.
    pub event_log: EventLog,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge() -> (Challenge, Identity) {
        let challenge = Challenge {
            nonce: B256::repeat_byte(1),
            expires_at: 120,
            chain_id: 31_337,
            hub: Address::repeat_byte(2),
            sms_id: B256::ZERO,
            task_id: TaskId::repeat(3),
            worker: Address::repeat_byte(4),
            enclave_challenge: Address::repeat_byte(5),
            app_digest: B256::repeat_byte(6),
            stage: Stage::App,
            policy_id: B256::repeat_byte(7),
            insecure: true,
            signature: Bytes::new(),
        };
        let identity = Identity::from_seed([9; 32]);
        (challenge.sign("session", &identity), identity)
    }

    #[test]
    fn a_signed_challenge_survives_json() {
        let (challenge, identity) = challenge();
        let json = serde_json::to_string(&challenge).unwrap();
        let read: Challenge = serde_json::from_str(&json).unwrap();
        assert_eq!(read, challenge);
        assert!(read.verify("session", Some(identity.id())).is_ok());
        assert!(read.verify("session", None).is_ok());
        assert_eq!(read.binding("session", [8; 32]).nonce, [1; 32]);
    }

    #[test]
    fn another_secret_manager_or_session_is_noticed() {
        let (good, _) = challenge();
        let pinned = good.verify("session", Some([1; 32]));
        assert!(matches!(pinned, Err(Error::Stranger { .. })));
        assert!(matches!(good.verify("other", None), Err(Error::Signature)));
        let other = Identity::from_seed([1; 32]).id();
        let mut forged = good.clone();
        forged.sms_id = other.into();
        let forged = forged.verify("session", Some(other));
        assert!(matches!(forged, Err(Error::Signature)));
    }

    #[test]
    fn each_field_is_signed() {
        let changes: [fn(&mut Challenge); 12] = [
            |c| c.nonce = B256::ZERO,
            |c| c.expires_at += 1,
            |c| c.chain_id += 1,
            |c| c.hub = Address::ZERO,
            |c| c.task_id = TaskId::repeat(9),
            |c| c.worker = Address::ZERO,
            |c| c.enclave_challenge = Address::ZERO,
            |c| c.app_digest = B256::ZERO,
            |c| c.stage = Stage::PostCompute,
            |c| c.policy_id = B256::ZERO,
            |c| c.insecure = false,
            |c| c.signature = Bytes::new(),
        ];
        for change in changes {
            let (mut challenge, _) = challenge();
            change(&mut challenge);
            let verdict = challenge.verify("session", None);
            assert!(matches!(verdict, Err(Error::Signature)));
        }
    }
}
