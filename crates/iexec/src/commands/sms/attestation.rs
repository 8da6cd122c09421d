//! The section `[attestation]` of a secret manager's settings.

use std::path::PathBuf;

use serde::Deserialize;

use crate::outcome::Failure;

/// Whose word counts for what an enclave is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    /// Intel's.
    Intel,
    /// A simulator's.
    Simulation,
}

/// How enclaves prove what they are; without a mode no session is released.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Settings {
    mode: Option<Mode>,
    collateral: Option<PathBuf>,
    pccs_url: Option<String>,
    simulator: Option<PathBuf>,
    production_chains: Vec<u64>,
    policy: secrets::Policy,
}

impl Settings {
    /// Which enclaves the store is for, also for commands that serve none.
    pub(super) fn mode(&self) -> secrets::Mode {
        match self.mode {
            Some(Mode::Simulation) => secrets::Mode::Simulation,
            Some(Mode::Intel) | None => secrets::Mode::Real,
        }
    }

    /// `allows_simulation` is what was said on the command line: the file alone cannot.
    ///
    /// # Errors
    /// A mode without its file, or with those of the other one.
    pub(super) fn resolve(
        self,
        allows_simulation: bool,
    ) -> Result<Option<secrets::Attestation>, Failure> {
        let wrong = |message: &str| Err(Failure::new(message));
        match (self.mode, self.collateral, self.simulator) {
            (None, None, None) if !allows_simulation && self.pccs_url.is_none() => Ok(None),
            (None, ..) => wrong("attestation has no mode: set `mode` in [attestation]"),
            (Some(Mode::Intel), Some(collateral), None) if !allows_simulation => {
                Ok(Some(secrets::Attestation::Intel {
                    policy: self.policy,
                    collateral,
                    pccs_url: self.pccs_url,
                }))
            }
            (Some(Mode::Simulation), None, Some(seed))
                if self.policy == secrets::Policy::default() && self.pccs_url.is_none() =>
            {
                Ok(Some(secrets::Attestation::Simulation {
                    seed,
                    insecure_simulation: allows_simulation,
                    production_chains: self.production_chains,
                }))
            }
            (Some(Mode::Intel), ..) => wrong(
                "mode \"intel\" takes `collateral`, `pccs-url`, `policy`, nothing of a simulation",
            ),
            (Some(Mode::Simulation), ..) => wrong(
                "mode \"simulation\" takes `simulator`, and no collateral, `pccs-url` or policy",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::role::read_text;

    fn resolved(text: &str, flag: bool) -> Result<Option<secrets::Attestation>, Failure> {
        let settings: Settings = read_text(text).unwrap();
        settings.resolve(flag)
    }

    #[test]
    fn a_simulation_is_allowed_on_the_command_line_only() {
        let text = "mode = \"simulation\"\nsimulator = \"/seed\"\nproduction-chains = [5]";
        for flag in [false, true] {
            let expected = secrets::Attestation::Simulation {
                seed: "/seed".into(),
                insecure_simulation: flag,
                production_chains: vec![5],
            };
            assert_eq!(resolved(text, flag).unwrap(), Some(expected));
        }
        let told = format!("{text}\ninsecure-simulation = true");
        assert!(read_text::<Settings>(&told).is_err());
    }

    #[test]
    fn modes_do_not_mix() {
        let intel = "mode = \"intel\"\ncollateral = \"/c\"";
        assert!(resolved("", false).unwrap().is_none());
        assert!(resolved(intel, false).unwrap().is_some());
        for (text, flag) in [
            ("", true),
            ("collateral = \"/c\"", false),
            ("mode = \"intel\"", false),
            (intel, true),
            (
                "mode = \"intel\"\ncollateral = \"/c\"\nsimulator = \"/s\"",
                false,
            ),
            ("mode = \"simulation\"", true),
            ("pccs-url = \"https://pccs.example\"", false),
            (
                "mode = \"simulation\"\nsimulator = \"/s\"\npccs-url = \"https://p\"",
                true,
            ),
            (
                "mode = \"simulation\"\nsimulator = \"/s\"\npolicy = { smt = true }",
                true,
            ),
        ] {
            assert!(resolved(text, flag).is_err(), "{text}");
        }
    }

    #[test]
    fn genuine_collateral_may_be_fetched() {
        let text = "mode = \"intel\"\ncollateral = \"/c\"\npccs-url = \"https://pccs.example\"";
        let expected = secrets::Attestation::Intel {
            policy: secrets::Policy::default(),
            collateral: "/c".into(),
            pccs_url: Some("https://pccs.example".into()),
        };
        assert_eq!(resolved(text, false).unwrap(), Some(expected));
    }

    #[test]
    fn a_policy_is_read_strictly() {
        let register = "00".repeat(48);
        let program = format!(
            "[[policy.measurements]]\nplatform = \"tdx\"\nmrtd = \"0x{register}\"\n\
             rtmr0 = \"0x{register}\"\nrtmr1 = \"0x{register}\"\nrtmr2 = \"0x{register}\"\n"
        );
        let text = format!("mode = \"intel\"\ncollateral = \"/c\"\n{program}");
        assert!(resolved(&text, false).unwrap().is_some());
        assert!(read_text::<Settings>("policy = { debug = true }").is_err());
    }
}
