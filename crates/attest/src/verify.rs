//! From a quote to what it proves.

use std::cell::Cell;

use dcap_qvl::{
    QuoteClaims, QuotePolicy,
    quote::{EnclaveReport, Report, TDReport10},
    verify::QuoteVerifier,
};
use protocol::B256;
use sha2::{Digest as _, Sha256};

use crate::{Collateral, Digest, Platform, Policy, Reason, Rejected, shape};

/// SHA-256 of the identifier that Intel gives a processor package: the same for all quotes of one
/// machine, and no quote's hash, which has many spellings.
pub type PlatformId = B256;

/// Whose word counts: never both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Intel's production root.
    Intel,
    /// The root of one installation's simulated platform, DER: protects nothing.
    Simulated(Vec<u8>),
}

/// Intel's production root, the certificate that the library trusts too.
const INTEL_ROOT: &[u8] = include_bytes!("verify/intel_root.der");

impl Trust {
    /// The certificate at the end of every chain, DER.
    pub(crate) fn root(&self) -> &[u8] {
        match self {
            Self::Intel => INTEL_ROOT,
            Self::Simulated(root) => root,
        }
    }
}

/// Checks quotes under one root and one policy.
#[derive(Clone, Debug)]
pub struct Verifier {
    trust: Trust,
    policy: Policy,
}

/// What a good quote proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The kind of enclave.
    pub platform: Platform,
    /// The machine.
    pub platform_id: PlatformId,
    /// What runs there.
    pub measured: Measured,
    /// What the quote was made for.
    pub report_data: [u8; 64],
    /// Intel's verdict on the platform, as it is spelt there.
    pub status: String,
    /// The advisories that it is open to.
    pub advisories: Vec<String>,
}

/// What runs in an enclave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measured {
    /// A virtual machine.
    Tdx {
        /// The firmware.
        mrtd: Digest,
        /// The registers that boot and agent extend.
        rtmr: [Digest; 4],
    },
    /// A process.
    Sgx {
        /// The program.
        mrenclave: B256,
        /// Who signed it.
        mrsigner: B256,
        /// The signer's number of the product.
        product: u16,
        /// Its version.
        svn: u16,
    },
}

impl Verifier {
    /// A verifier under one root.
    pub fn new(trust: Trust, policy: Policy) -> Self {
        Self { trust, policy }
    }

    /// The rules that it applies.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whose word counts.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Whether it takes simulated platforms, which protect nothing.
    pub fn is_simulated(&self) -> bool {
        matches!(self.trust, Trust::Simulated(_))
    }

    /// Checks a quote's shape, its signatures up to the root, revocations, and the platform's
    /// state against the policy. `now` is in seconds since 1970. What runs there is judged by
    /// [`crate::appraise`].
    ///
    /// # Errors
    /// The first broken rule.
    pub fn verify(
        &self,
        quote: &[u8],
        collateral: &Collateral,
        now: u64,
    ) -> Result<Evidence, Rejected> {
        shape::check(quote)?;
        let judge = Judge {
            policy: self.policy.quote_policy(now),
            was_asked: Cell::new(false),
        };
        let verifier: QuoteVerifier = match &self.trust {
            Trust::Intel => QuoteVerifier::new_prod(),
            Trust::Simulated(root) => QuoteVerifier::new(root.clone()),
        };
        let claims = verifier.verify_with_policy(quote, collateral, now, &judge);
        let claims = claims.map_err(|error| {
            let detail = format!("{error:#}");
            let reason = match judge.was_asked.get() {
                true => Reason::TcbStatus,
                false => reason(&detail),
            };
            Rejected::new(reason, detail)
        })?;
        evidence(claims)
    }
}

/// Remembers that signatures were good before the policy was asked.
struct Judge {
    policy: QuotePolicy,
    was_asked: Cell<bool>,
}

impl dcap_qvl::Policy for Judge {
    fn validate(&self, claims: &QuoteClaims) -> anyhow::Result<()> {
        self.was_asked.set(true);
        self.policy.validate(claims)
    }
}

/// The library has no codes, only sentences; its version is pinned, and the vectors pin these. A
/// sentence that is not known is a broken chain: refused all the same.
fn reason(sentence: &str) -> Reason {
    const KNOWN: [(&str, Reason); 13] = [
        ("Failed to decode quote", Reason::QuoteFormat),
        ("Unsupported DCAP quote version", Reason::QuoteFormat),
        ("Unknown QE vendor ID", Reason::QuoteFormat),
        ("attestation key type", Reason::QuoteFormat),
        ("TCB status", Reason::TcbStatus),
        ("No matching TCB level", Reason::TcbStatus),
        ("is below minimum required", Reason::TcbStatus),
        ("Debug mode", Reason::Debug),
        ("TD profiling", Reason::Debug),
        ("Reserved bits in TD attributes", Reason::Debug),
        ("TD migration", Reason::Debug),
        ("SERVTD_EXT", Reason::Debug),
        ("SEPT_VE_DISABLE", Reason::Debug),
    ];
    let found = KNOWN.iter().find(|(part, _)| sentence.contains(part));
    found.map_or(Reason::Chain, |(_, reason)| *reason)
}

fn evidence(claims: QuoteClaims) -> Result<Evidence, Rejected> {
    let (platform, measured, report_data) = match &claims.report {
        Report::SgxEnclave(report) => (Platform::Sgx, enclave(report), report.report_data),
        Report::TD10(report) => (Platform::Tdx, domain(report), report.report_data),
        Report::TD15(report) => (Platform::Tdx, domain(&report.base), report.base.report_data),
        Report::TD15Ex(report) => {
            let base = &report.base.base;
            (Platform::Tdx, domain(base), base.report_data)
        }
    };
    let ppid = &claims.platform.pck.ppid;
    if ppid.is_empty() {
        return Err(Rejected::new(
            Reason::Chain,
            "the platform has no identifier",
        ));
    }
    Ok(Evidence {
        platform,
        platform_id: PlatformId::from_slice(&Sha256::digest(ppid)),
        measured,
        report_data,
        status: claims.tcb.status.to_string(),
        advisories: claims.tcb.advisory_ids,
    })
}

fn domain(report: &TDReport10) -> Measured {
    let rtmr = [report.rt_mr0, report.rt_mr1, report.rt_mr2, report.rt_mr3];
    Measured::Tdx {
        mrtd: Digest::new(report.mr_td),
        rtmr: rtmr.map(Digest::new),
    }
}

fn enclave(report: &EnclaveReport) -> Measured {
    Measured::Sgx {
        mrenclave: report.mr_enclave.into(),
        mrsigner: report.mr_signer.into(),
        product: report.isv_prod_id,
        svn: report.isv_svn,
    }
}

#[cfg(test)]
mod tests;
