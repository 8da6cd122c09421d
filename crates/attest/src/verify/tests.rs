//! The recorded cases, each with what another run of the library said of it.

mod differential;

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::fuzz::{self, vector};

#[derive(Deserialize)]
struct Manifest {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    quote: String,
    now: u64,
    expect: String,
    collateral: Option<String>,
    root: Option<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/sim-dcap")
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

/// The reason that the wire gives for each of the recorded refusals.
fn expected(name: &str) -> Reason {
    match name {
        "debug_td" | "migratable_td" | "no_sept_ve_disable" => Reason::Debug,
        "truncated" | "wrong_vendor" | "version_3_tdx" | "trailing_garbage" => Reason::QuoteFormat,
        "qe_revoked" | "tcb_out_of_date" | "tcb_revoked" | "tcb_no_match" => Reason::TcbStatus,
        _ => Reason::Chain,
    }
}

#[test]
fn each_recorded_case_has_its_verdict() {
    let manifest: Manifest = serde_json::from_slice(&read("manifest.json")).unwrap();
    assert_eq!(manifest.cases.len(), 29);
    for case in manifest.cases {
        let collateral = case.collateral.as_deref().unwrap_or("sim_collateral.json");
        let collateral = serde_json::from_slice(&read(collateral)).unwrap();
        let root = read(case.root.as_deref().unwrap_or("sim_root_ca.der"));
        let verifier = Verifier::new(Trust::Simulated(root), Policy::default());
        let verdict = verifier.verify(&read(&case.quote), &collateral, case.now);
        match case.expect.as_str() {
            "accept" => assert!(verdict.is_ok(), "{}: {verdict:?}", case.name),
            _ => {
                let rejected = verdict.expect_err(&case.name);
                assert_eq!(
                    rejected.reason,
                    expected(&case.name),
                    "{}: {rejected}",
                    case.name
                );
            }
        }
    }
}

#[test]
fn intel_does_not_vouch_for_a_simulated_platform() {
    let verifier = Verifier::new(Trust::Intel, vector::policy());
    let collateral = vector::collateral();
    let verdict = verifier.verify(vector::QUOTE, &collateral, vector::NOW);
    assert_eq!(verdict.unwrap_err().reason, Reason::Chain);
}

/// One bit of each byte that is signed: none is taken.
#[test]
fn every_signed_byte_counts() {
    let verifier = Verifier::new(vector::trust(), vector::policy());
    let collateral = vector::collateral();
    for place in 0..636 {
        let mut quote = vector::QUOTE.to_vec();
        quote[place] ^= 1;
        let verdict = verifier.verify(&quote, &collateral, vector::NOW);
        assert!(verdict.is_err(), "{place}");
    }
}

/// Genuine quotes are not ours to keep in the repository: told where they are, they are verified.
mod genuine {
    use super::*;

    const NEAR: &str = "../../../../shared/vectors/real-dcap";

    pub(super) fn folder() -> Option<PathBuf> {
        let near = || Path::new(env!("CARGO_MANIFEST_DIR")).join(NEAR);
        let told = std::env::var_os("IEXEC_REAL_DCAP").map(PathBuf::from);
        Some(told.unwrap_or_else(near)).filter(|folder| folder.is_dir())
    }

    pub(super) fn sample(folder: &Path, name: &str) -> (Vec<u8>, Collateral) {
        let quote = std::fs::read(folder.join(name)).unwrap();
        // One of them was recorded with the padding of its cloud.
        let quote = crate::without_padding(&quote).to_vec();
        let json = std::fs::read(folder.join(format!("{name}_collateral.json"))).unwrap();
        (quote, serde_json::from_slice(&json).unwrap())
    }

    /// What a machine in a cloud needs, and Intel's verdict on the sample.
    pub(super) fn cloud(status: dcap_qvl::TcbStatus) -> Policy {
        Policy {
            statuses: vec![status],
            dynamic_platform: true,
            cached_keys: true,
            smt: true,
            ..Policy::default()
        }
    }

    pub(super) const SAMPLES: [(&str, u64, dcap_qvl::TcbStatus); 3] = [
        (
            "sgx_quote",
            1_750_373_771,
            dcap_qvl::TcbStatus::ConfigurationAndSWHardeningNeeded,
        ),
        ("tdx_quote", 1_750_372_347, dcap_qvl::TcbStatus::UpToDate),
        (
            "tdx_quote_td15ex",
            1_791_461_386,
            dcap_qvl::TcbStatus::UpToDate,
        ),
    ];

    #[test]
    fn quotes_of_intel_verify_under_intels_root_only() {
        let Some(folder) = folder() else {
            return;
        };
        for (name, now, status) in SAMPLES {
            let (quote, collateral) = sample(&folder, name);
            let verifier = Verifier::new(Trust::Intel, cloud(status));
            let evidence = verifier.verify(&quote, &collateral, now).unwrap();
            assert_eq!(evidence.status, status.to_string(), "{name}");
            let family = crate::Family::of_quote(&quote).unwrap();
            assert_eq!(collateral.family(), Some(family), "{name}");
            let simulated = Verifier::new(vector::trust(), cloud(status));
            let verdict = simulated.verify(&quote, &collateral, now);
            assert_eq!(verdict.unwrap_err().reason, Reason::Chain, "{name}");
        }
    }

    #[test]
    fn strict_rules_refuse_machines_of_clouds() {
        let Some(folder) = folder() else {
            return;
        };
        for (name, now, _) in &SAMPLES[..2] {
            let (quote, collateral) = sample(&folder, name);
            let verifier = Verifier::new(Trust::Intel, Policy::default());
            let verdict = verifier.verify(&quote, &collateral, *now);
            assert_eq!(verdict.unwrap_err().reason, Reason::TcbStatus, "{name}");
        }
    }

    #[test]
    fn old_collateral_is_refused() {
        let Some(folder) = folder() else {
            return;
        };
        let month = 31 * 86_400;
        for (name, now, status) in SAMPLES {
            let (quote, collateral) = sample(&folder, name);
            let verifier = Verifier::new(Trust::Intel, cloud(status));
            let verdict = verifier.verify(&quote, &collateral, now + month);
            assert_eq!(verdict.unwrap_err().reason, Reason::Chain, "{name}");
            assert!(collateral.check(now).is_ok());
            assert!(collateral.check(now + month).is_err());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_make_the_reader_of_quotes_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..6000),
    ) {
        let verifier = Verifier::new(vector::trust(), vector::policy());
        prop_assert!(!fuzz::quote(&verifier, &bytes, &vector::collateral(), vector::NOW));
    }

    /// Nearly good quotes get further into the reader.
    #[test]
    fn no_change_makes_the_reader_of_quotes_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
        long in any::<bool>(),
    ) {
        let mut quote = vector::QUOTE.to_vec();
        for (place, byte) in changes {
            let place = place.index(quote.len());
            quote[place] = byte;
        }
        if !long {
            quote.truncate(cut.index(vector::QUOTE.len()));
        }
        let verifier = Verifier::new(vector::trust(), vector::policy());
        fuzz::quote(&verifier, &quote, &vector::collateral(), vector::NOW);
    }

    #[test]
    fn no_text_makes_the_readers_of_json_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        fuzz::event_log(&bytes);
        prop_assert!(!fuzz::redeem(&bytes));
    }
}
