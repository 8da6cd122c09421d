//! A platform that is none: quotes under a root of the installation's own, for machines without
//! confidential hardware (spec/secrets-tee.md §5.3).
//!
//! **It protects nothing.** Whoever can read the seed can make any quote. What it gives is the
//! whole way of a confidential task with the very checks of a real one: certificates, revocation
//! lists, platform data and quotes have Intel's forms, and the verifier differs in its root only.
//! That root follows from a random seed in a file of its owner's only, so that no two
//! installations trust each other, and no verifier of Intel's quotes takes one of ours.

mod chain;
mod collateral;
mod der;
mod error;
mod key;
mod machine;
mod quote;
mod seed;
#[cfg(test)]
mod tests;

use std::{path::Path, sync::Arc};

use attest::{Collateral, Digest, Expected, Policy};

pub use error::Error;
pub use machine::Machine;

use chain::Chain;

/// A fake maker of platforms, with its root.
pub struct Simulator {
    chain: Arc<Chain>,
}

impl Simulator {
    /// The maker that follows from the seed in `seed_file`, which is made, readable by its owner
    /// only, when it is absent.
    ///
    /// # Errors
    /// What the disk says; [`Error::BadSeed`] for a file that holds no seed, and
    /// [`Error::Exposed`] for one that others can read.
    pub fn open(seed_file: &Path) -> Result<Self, Error> {
        let seed = seed::open(seed_file)?;
        let chain = Arc::new(Chain::new(&seed));
        Ok(Self { chain })
    }

    /// The certificate to trust, DER.
    pub fn root_der(&self) -> Vec<u8> {
        self.chain.root.clone()
    }

    /// What the maker publishes on the day of `now`, seconds since 1970: good for thirty days, like
    /// Intel's.
    pub fn collateral(&self, now: u64) -> Collateral {
        collateral::publish(&self.chain, now)
    }

    /// A freshly booted machine, always the same one.
    pub fn attester(&self) -> Machine {
        self.machine(0)
    }

    /// A freshly booted machine; another number is another machine.
    pub fn machine(&self, number: u32) -> Machine {
        Machine::boot(Arc::clone(&self.chain), number)
    }

    /// The rules that admit what these machines run, and nothing else.
    pub fn policy() -> Policy {
        let [mrtd, rtmr0, rtmr1, rtmr2] = measurements();
        Policy {
            measurements: vec![Expected::Tdx {
                mrtd,
                rtmr0,
                rtmr1,
                rtmr2,
            }],
            boot_events: vec![machine::boot_image().digest],
            ..Policy::default()
        }
    }
}

/// What these machines are said to have booted: firmware, its configuration, kernel, disk.
pub(crate) fn measurements() -> [Digest; 4] {
    let digest = |part: &str| {
        let name = format!("iexec simulated platform: {part}");
        attest::Event::of(part, name.as_bytes()).digest
    };
    ["firmware", "configuration", "kernel", "disk"].map(digest)
}
