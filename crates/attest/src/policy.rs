//! Which platforms, and which programs there, secrets are released to.

use dcap_qvl::{QuotePolicy, QuotePolicyConfig, TcbStatus};
use protocol::B256;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{Digest, Measured};

/// An operator's rules. Each default is the strictest: without an entry in
/// [`Policy::measurements`] nothing is released to anybody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Policy {
    /// Intel's verdicts that are accepted; only `UpToDate` when empty. `Revoked` never is.
    pub statuses: Vec<TcbStatus>,
    /// For how long an accepted platform may be out of date, in seconds.
    pub platform_grace_s: u64,
    /// The same of its quoting enclave.
    pub quoting_enclave_grace_s: u64,
    /// The oldest edition of Intel's TCB data that is accepted; keeps old collateral out.
    pub min_evaluation_number: u32,
    /// Advisories that a platform must not be open to, e.g. `INTEL-SA-00334`.
    pub denied_advisories: Vec<String>,
    /// Whether the platform may be one that packages can be added to; cloud machines are.
    pub dynamic_platform: bool,
    /// Whether Intel may keep the platform's root keys; true of cloud machines.
    pub cached_keys: bool,
    /// Whether hyperthreading may be on.
    pub smt: bool,
    /// Programs that may get secrets.
    pub measurements: Vec<Expected>,
    /// One platform for one task: then RTMR3 has `boot_events` and one launch, nothing else.
    pub one_task: bool,
    /// With `one_task`: what may be measured before the launch.
    pub boot_events: Vec<Digest>,
}

/// What runs, by its measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "platform",
    rename_all = "lowercase",
    rename_all_fields = "kebab-case"
)]
#[serde(deny_unknown_fields)]
pub enum Expected {
    /// A virtual machine: firmware, its configuration, kernel, command line and initial disk.
    Tdx {
        /// The firmware.
        mrtd: Digest,
        /// The firmware's configuration.
        rtmr0: Digest,
        /// The kernel.
        rtmr1: Digest,
        /// Command line and initial disk.
        rtmr2: Digest,
    },
    /// A process: either exactly one program, or any of one signer.
    Sgx {
        /// The program; any of the signer's when absent.
        #[serde(default)]
        mrenclave: Option<B256>,
        /// Who signed it.
        mrsigner: B256,
        /// The signer's number of the product.
        product: u16,
        /// The oldest version of it.
        min_svn: u16,
    },
}

impl Policy {
    /// Names these rules: SHA-256 of their JSON.
    pub fn id(&self) -> B256 {
        let json = serde_json::to_vec(self).unwrap_or_default();
        B256::from_slice(&Sha256::digest(json))
    }

    /// The part that the quote's verification judges.
    pub(crate) fn quote_policy(&self, now: u64) -> QuotePolicy {
        let config = QuotePolicyConfig {
            allowed_statuses: self.statuses.clone(),
            rejected_advisory_ids: self.denied_advisories.clone(),
            platform_grace_period_secs: self.platform_grace_s,
            qe_grace_period_secs: self.quoting_enclave_grace_s,
            min_tcb_eval_data_number: self.min_evaluation_number,
            allow_dynamic_platform: self.dynamic_platform,
            allow_cached_keys: self.cached_keys,
            allow_smt: self.smt,
            accepted_sgx_types: None,
        };
        config.into_policy(now)
    }

    /// Whether what runs there may get secrets.
    pub(crate) fn admits(&self, measured: &Measured) -> bool {
        self.measurements.iter().any(|one| one.is_met_by(measured))
    }
}

impl Expected {
    fn is_met_by(&self, measured: &Measured) -> bool {
        match (self, measured) {
            (
                Self::Tdx {
                    mrtd,
                    rtmr0,
                    rtmr1,
                    rtmr2,
                },
                Measured::Tdx { mrtd: td, rtmr },
            ) => mrtd == td && [*rtmr0, *rtmr1, *rtmr2] == rtmr[..3],
            (
                Self::Sgx {
                    mrenclave,
                    mrsigner,
                    product,
                    min_svn,
                },
                Measured::Sgx {
                    mrenclave: enclave,
                    mrsigner: signer,
                    product: number,
                    svn,
                },
            ) => {
                mrenclave.is_none_or(|expected| expected == *enclave)
                    && (mrsigner, product) == (signer, number)
                    && svn >= min_svn
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sgx(mrenclave: Option<B256>) -> Policy {
        Policy {
            measurements: vec![Expected::Sgx {
                mrenclave,
                mrsigner: B256::repeat_byte(2),
                product: 1,
                min_svn: 3,
            }],
            ..Policy::default()
        }
    }

    fn enclave(svn: u16) -> Measured {
        Measured::Sgx {
            mrenclave: B256::repeat_byte(1),
            mrsigner: B256::repeat_byte(2),
            product: 1,
            svn,
        }
    }

    #[test]
    fn an_empty_list_admits_nobody() {
        assert!(!Policy::default().admits(&enclave(9)));
    }

    #[test]
    fn a_signer_is_trusted_from_a_version_on() {
        assert!(sgx(None).admits(&enclave(3)));
        assert!(!sgx(None).admits(&enclave(2)));
        assert!(sgx(Some(B256::repeat_byte(1))).admits(&enclave(3)));
        assert!(!sgx(Some(B256::repeat_byte(9))).admits(&enclave(3)));
    }

    #[test]
    fn settings_name_everything_in_one_way() {
        let json = serde_json::to_string(&sgx(None)).unwrap();
        assert!(!json.contains('_'), "{json}");
        assert_eq!(serde_json::from_str::<Policy>(&json).unwrap(), sgx(None));
    }

    #[test]
    fn a_misspelt_rule_is_refused_and_the_id_follows_the_rules() {
        assert!(serde_json::from_str::<Policy>(r#"{"smmt":true}"#).is_err());
        let json = r#"{"smt":true,"statuses":["SWHardeningNeeded"]}"#;
        let policy: Policy = serde_json::from_str(json).unwrap();
        assert!(policy.smt && !policy.cached_keys);
        assert_ne!(policy.id(), Policy::default().id());
    }
}
