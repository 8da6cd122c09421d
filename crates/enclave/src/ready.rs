//! Whether a worker can have enclaves at all, found out when it starts and not with its first task.

use std::path::PathBuf;

use worker::agent::Attestation;

use crate::tsm::Tsm;

/// What an enclave would lack.
#[derive(Debug, thiserror::Error)]
pub enum Unready {
    /// A new seed would be one that no secret manager knows.
    #[error("there is no seed of a simulated platform at {}", .0.display())]
    NoSeed(PathBuf),
    /// It is there, but cannot be used.
    #[error("the seed of the simulated platform")]
    Seed(#[source] simulator::Error),
    /// Without it, an enclave of real hardware would serve whoever calls itself a secret manager.
    #[error("`sms-id` is not set: nothing tells which secret manager to trust")]
    NoSmsId,
    /// The kernel's interfaces are not all there.
    #[error(transparent)]
    Platform(attest::Error),
}

impl Unready {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NoSeed(_) | Self::Seed(_) => {
                "`simulator` names the seed file of the secret manager's simulation, readable for \
                 its owner only"
            }
            Self::NoSmsId => {
                "GET /attest/v1/info of the secret manager tells its `sms_id`: set it in \
                 [attestation]"
            }
            Self::Platform(_) => {
                "run it inside a trusted domain of Intel TDX, as root; or leave [attestation] out, \
                 and it takes no confidential tasks"
            }
        }
    }
}

/// Looks at what the settings name. Measures and locks nothing.
///
/// # Errors
/// The first thing that is missing.
pub fn check(attestation: &Attestation) -> Result<(), Unready> {
    if let Some(seed) = &attestation.simulator {
        if !seed.is_file() {
            return Err(Unready::NoSeed(seed.clone()));
        }
        return simulator::Simulator::open(seed)
            .map(drop)
            .map_err(Unready::Seed);
    }
    if attestation.sms_id.is_none() {
        return Err(Unready::NoSmsId);
    }
    let tsm = Tsm::open(attestation.tsm.as_deref());
    tsm.map(drop).map_err(Unready::Platform)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use protocol::B256;

    use super::*;

    #[test]
    fn a_simulated_platform_needs_the_seed_of_its_secret_manager() {
        let dir = tempfile::tempdir().unwrap();
        let seed = dir.path().join("seed");
        let attestation = Attestation {
            simulator: Some(seed.clone()),
            ..Attestation::default()
        };
        assert!(matches!(check(&attestation), Err(Unready::NoSeed(_))));
        assert!(!seed.exists(), "a seed was made");
        simulator::Simulator::open(&seed).unwrap();
        check(&attestation).unwrap();
        fs::set_permissions(&seed, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(check(&attestation), Err(Unready::Seed(_))));
    }

    #[test]
    fn a_real_platform_needs_a_secret_manager_and_the_kernels_interfaces() {
        let mut attestation = Attestation {
            tsm: Some("/nowhere".into()),
            ..Attestation::default()
        };
        assert!(matches!(check(&attestation), Err(Unready::NoSmsId)));
        attestation.sms_id = Some(B256::repeat_byte(1));
        let missing = check(&attestation).unwrap_err();
        assert!(missing.to_string().contains("/nowhere"), "{missing}");
    }
}
