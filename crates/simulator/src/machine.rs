//! One simulated machine: its identity, and what it has measured since it was booted.

use std::sync::{Arc, Mutex, PoisonError};

use attest::{Attester, Error, Event, EventLog};
use sha2::{Digest as _, Sha256};

use crate::{chain::Chain, der, key::Key, quote::Quoter};

/// The family of machines.
pub(crate) const FMSPC: [u8; 6] = [0x00, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0];
/// Intel's arcs for what it says of a machine.
const SGX: [u32; 7] = [1, 2, 840, 113_741, 1, 13, 1];

/// A machine with nobody in it but its owner. Extensions of RTMR3 are kept in memory only.
pub struct Machine {
    quoter: Quoter,
    log: Mutex<EventLog>,
}

impl Machine {
    pub(crate) fn boot(chain: Arc<Chain>, number: u32) -> Self {
        let pck = chain.machine_key(number, "pck");
        let certificates = chain.certify(&pck, about(&pck));
        let attestation = chain.machine_key(number, "attestation");
        Self {
            quoter: Quoter::new(pck, attestation, certificates),
            log: Mutex::new(EventLog(vec![boot_image()])),
        }
    }
}

impl Attester for Machine {
    fn quote(&self, report_data: [u8; 64]) -> Result<Vec<u8>, Error> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(self.quoter.quote(log.replay(), &report_data))
    }

    fn extend(&self, event: Event) -> Result<(), Error> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.0.push(event);
        Ok(())
    }

    fn event_log(&self) -> Result<EventLog, Error> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(log.clone())
    }
}

/// What each machine measures first.
pub(crate) fn boot_image() -> Event {
    Event::of("boot-image", b"iexec simulated platform: boot image")
}

/// What the maker says of a machine, as an extension of its certificate: who it is, how old it is,
/// and that it has no property that a strict policy forbids.
fn about(key: &Key) -> Vec<u8> {
    let id = Sha256::digest(key.public());
    let said = der::sequence(&[
        entry(&[1], der::octets(&id[..16])),
        entry(&[2], age()),
        entry(&[3], der::octets(&[0, 0])),
        entry(&[4], der::octets(&FMSPC)),
        // Scalable, as machines with TDX are.
        entry(&[5], der::enumerated(1)),
        entry(&[6], der::octets(&id[16..])),
        entry(
            &[7],
            der::sequence(&[1, 2, 3].map(|flag| entry(&[7, flag], der::boolean(false)))),
        ),
    ]);
    der::sequence(&[der::oid(&SGX), der::octets(&said)])
}

/// Sixteen components, the version of the certifying enclave, and all components together.
fn age() -> Vec<u8> {
    let mut parts: Vec<_> = (1..=17)
        .map(|part| entry(&[2, part], der::integer(1)))
        .collect();
    parts.push(entry(&[2, 18], der::octets(&[1; 16])));
    der::sequence(&parts)
}

fn entry(arcs: &[u32], value: Vec<u8>) -> Vec<u8> {
    der::sequence(&[der::oid(&[&SGX, arcs].concat()), value])
}
