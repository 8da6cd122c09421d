//! What an operator decides about attestation, and what nobody may decide.

use std::path::PathBuf;

use attest::{Policy, Trust, Verifier};
use serde::{Deserialize, Serialize};
use simulator::Simulator;

use super::source::Source;
use crate::{Error, Mode};

/// Chains with real money and real data: Arbitrum One, iExec's sidechain, Ethereum.
pub const PRODUCTION_CHAINS: [u64; 3] = [42_161, 134, 1];

/// Whose word counts for what an enclave is, and which enclaves get secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "mode",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
#[serde(deny_unknown_fields)]
pub enum Attestation {
    /// Genuine platforms, under Intel's production root.
    Intel {
        /// Which platforms and programs.
        policy: Policy,
        /// Folder of `*.json` files with what Intel publishes, one for each family of machines.
        /// They are read at each use, so that fresh ones can be put there.
        collateral: PathBuf,
        /// The service that fills the folder: Intel's, or a cache of it. Without one somebody else
        /// has to.
        #[serde(default)]
        pccs_url: Option<String>,
    },
    /// Platforms that are none: for development and tests. It protects nothing.
    Simulation {
        /// The seed that workers of this installation simulate with; made when absent.
        seed: PathBuf,
        /// Must be true, so that nobody gets here by choosing a mode only.
        #[serde(default)]
        insecure_simulation: bool,
        /// Chains to refuse in addition to those that are always refused.
        #[serde(default)]
        production_chains: Vec<u64>,
    },
}

impl Attestation {
    /// Which stores it can be used with.
    pub(crate) const fn mode(&self) -> Mode {
        match self {
            Self::Intel { .. } => Mode::Real,
            Self::Simulation { .. } => Mode::Simulation,
        }
    }

    pub(super) fn open(self, chain_id: u64) -> Result<(Verifier, Source), Error> {
        match self {
            Self::Intel {
                policy,
                collateral,
                pccs_url,
            } => {
                let verifier = Verifier::new(Trust::Intel, policy);
                let source = Source::genuine(collateral, pccs_url.as_deref())?;
                Ok((verifier, source))
            }
            Self::Simulation {
                seed,
                insecure_simulation,
                production_chains,
            } => {
                if !insecure_simulation {
                    return Err(Error::Insecure);
                }
                let is_production = |chains: &[u64]| chains.contains(&chain_id);
                if is_production(&PRODUCTION_CHAINS) || is_production(&production_chains) {
                    return Err(Error::ProductionChain { chain_id });
                }
                let simulator = Simulator::open(&seed)?;
                let trust = Trust::Simulated(simulator.root_der());
                let verifier = Verifier::new(trust, Simulator::policy());
                Ok((verifier, Source::Simulated(simulator)))
            }
        }
    }
}
