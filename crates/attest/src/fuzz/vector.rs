//! The recorded session: made by another implementation, with throw-away keys.

use protocol::{Address, B256, TaskId};
use serde_json::Value as Json;

use crate::{Binding, Collateral, Digest, Event, EventLog, Expected, Policy, Stage, Trust};

const SESSION: &str = include_str!("../../vectors/sim-dcap/session_vector.json");
const COLLATERAL: &str = include_str!("../../vectors/sim-dcap/sim_collateral.json");
const ROOT: &[u8] = include_bytes!("../../vectors/sim-dcap/sim_root_ca.der");
/// The quote of the session.
pub(crate) const QUOTE: &[u8] = include_bytes!("../../vectors/sim-dcap/session_quote.bin");
/// Its sealed answer.
pub(crate) const SEALED: &[u8] = include_bytes!("../../vectors/sim-dcap/session_sealed.bin");
/// When it is verified, seconds since 1970.
pub(crate) const NOW: u64 = 1_790_000_000;

pub(crate) fn trust() -> Trust {
    Trust::Simulated(ROOT.to_vec())
}

pub(crate) fn collateral() -> Collateral {
    serde_json::from_str(COLLATERAL).unwrap()
}

/// What runs on the platform of the vectors.
pub(crate) fn policy() -> Policy {
    let [mrtd, rtmr0, rtmr1, rtmr2] = [0x11, 0x20, 0x21, 0x22].map(Digest::repeat_byte);
    Policy {
        measurements: vec![Expected::Tdx {
            mrtd,
            rtmr0,
            rtmr1,
            rtmr2,
        }],
        ..Policy::default()
    }
}

pub(crate) struct Vector(Json);

impl Vector {
    pub(crate) fn read() -> Self {
        Self(serde_json::from_str(SESSION).unwrap())
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap()
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        hex::decode(self.text(name)).unwrap()
    }

    fn field(&self, name: &str) -> Vec<u8> {
        hex::decode(self.0["fields"][name].as_str().unwrap()).unwrap()
    }

    pub(crate) fn binding(&self) -> Binding {
        let bytes32 = |name| <[u8; 32]>::try_from(self.field(name)).unwrap();
        let address = |name| Address::from_slice(&self.field(name));
        let text = |name| String::from_utf8(self.field(name)).unwrap();
        Binding {
            chain_id: u64::from_be_bytes(self.field("chain_id").try_into().unwrap()),
            hub: address("hub"),
            sms_id: bytes32("sms_id"),
            session_id: text("session_id"),
            task: TaskId(bytes32("task_id").into()),
            worker: address("worker"),
            enclave_challenge: address("enclave_challenge"),
            stage: text("stage").parse::<Stage>().unwrap(),
            app_digest: B256::from(bytes32("app_digest")),
            nonce: bytes32("nonce"),
            hpke_pub: bytes32("hpke_pub"),
        }
    }

    pub(crate) fn events(&self) -> EventLog {
        let event = |pair: &Json| Event {
            event: pair[0].as_str().unwrap().to_owned(),
            digest: pair[1].as_str().unwrap().parse().unwrap(),
        };
        EventLog(
            self.0["rtmr3_events"]
                .as_array()
                .unwrap()
                .iter()
                .map(event)
                .collect(),
        )
    }
}
