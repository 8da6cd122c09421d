//! What a quote is bound to: everything that must not be exchanged for something else.

use protocol::{Address, B256, TaskId};
use sha2::{Digest as _, Sha384, Sha512};

use crate::{Digest, Event, Stage, event_log::LAUNCH, text::Fields};

const CONTEXT: &str = "iexec-rs/sms/attested-session/v1";

/// One release of one stage's secrets, to one key. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The chain that the task is on.
    pub chain_id: u64,
    /// The hub there.
    pub hub: Address,
    /// The secret manager's Ed25519 key.
    pub sms_id: [u8; 32],
    /// The session whose stage it is.
    pub session_id: String,
    /// The task.
    pub task: TaskId,
    /// The worker that contributes it.
    pub worker: Address,
    /// The address of the enclave's key, as pool, worker and chain know it.
    pub enclave_challenge: Address,
    /// Which secrets.
    pub stage: Stage,
    /// The app's image, as its owner registered it.
    pub app_digest: B256,
    /// Chosen by the secret manager, for one answer.
    pub nonce: [u8; 32],
    /// The X25519 key that the answer is sealed to.
    pub hpke_pub: [u8; 32],
}

impl Binding {
    /// What the quote has to contain: all fields, in an encoding of its own, so that a quote made
    /// for anything else is none for this (spec/secrets-tee.md §5.4).
    pub fn report_data(&self) -> [u8; 64] {
        Sha512::digest(self.fields().bytes()).into()
    }

    fn fields(&self) -> Fields {
        Fields::of(CONTEXT)
            .with(&self.chain_id.to_be_bytes())
            .with(self.hub.as_slice())
            .with(&self.sms_id)
            .with(self.session_id.as_bytes())
            .with(self.task.0.as_slice())
            .with(self.worker.as_slice())
            .with(self.enclave_challenge.as_slice())
            .with(self.stage.name().as_bytes())
            .with(self.app_digest.as_slice())
            .with(&self.nonce)
            .with(&self.hpke_pub)
    }

    /// What the enclave measures before it starts this task: SHA-384 of task, worker and image.
    pub fn launch(&self) -> Event {
        let digest = Sha384::new()
            .chain_update(self.task.0)
            .chain_update(self.worker)
            .chain_update(self.app_digest)
            .finalize();
        Event {
            event: LAUNCH.to_owned(),
            digest: Digest::new(digest.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::vector::Vector;

    #[test]
    fn the_vector_is_met_byte_by_byte() {
        let vector = Vector::read();
        let binding = vector.binding();
        let preimage = vector.bytes("preimage_hex");
        assert_eq!(binding.fields().bytes(), preimage);
        assert_eq!(binding.report_data().to_vec(), vector.bytes("report_data"));
        assert_eq!(binding.launch(), vector.events().0[1]);
    }

    #[test]
    fn each_field_counts() {
        let good = Vector::read().binding();
        let changes: [fn(&mut Binding); 11] = [
            |b| b.chain_id += 1,
            |b| b.hub = Address::ZERO,
            |b| b.sms_id[0] ^= 1,
            |b| b.session_id.push('x'),
            |b| b.task = TaskId::repeat(1),
            |b| b.worker = Address::ZERO,
            |b| b.enclave_challenge = Address::ZERO,
            |b| b.stage = Stage::PreCompute,
            |b| b.app_digest = B256::ZERO,
            |b| b.nonce[31] ^= 1,
            |b| b.hpke_pub[7] ^= 1,
        ];
        for change in changes {
            let mut other = good.clone();
            change(&mut other);
            assert_ne!(other.report_data(), good.report_data());
        }
    }
}
