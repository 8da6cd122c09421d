//! The same verdicts from a second implementation, in another language: `@phala/dcap-qvl`.
//!
//! Not `dcap-rs`: it brings two dozen crates, a second generation of alloy among them, and panics
//! where it refuses. This one was translated from our library by its authors and shares its ideas;
//! other libraries parse its certificates and check its signatures.

use std::{ops::Range, path::Path, process::Command};

use anyhow::{Result, ensure};
use dcap_qvl::{intel, quote::Quote};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde::Serialize;

use super::{genuine, read};
use crate::{Collateral, Policy, Trust, Verifier, fuzz::vector};

const JUDGE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/src/verify/tests/differential.cjs"
);
const VERSION: &str = "0.3.9";
/// So that every run has the same cases.
const SEED: u64 = 7;
/// Changes of each part of a quote.
const CHANGES: usize = 30;

/// The part with the machine's certificates, as text.
const CERTIFICATION: &str = "certification data";

/// A good quote with what it is verified with.
struct Sample {
    name: &'static str,
    quote: Vec<u8>,
    collateral: Collateral,
    now: u64,
    policy: Policy,
    /// None is Intel's.
    root: Option<Vec<u8>>,
}

impl Sample {
    fn simulated() -> Self {
        Self {
            name: "simulated",
            quote: vector::QUOTE.to_vec(),
            collateral: vector::collateral(),
            now: vector::NOW,
            policy: vector::policy(),
            root: Some(read("sim_root_ca.der")),
        }
    }

    fn known(&self) -> Known<'_> {
        Known {
            collateral: &self.collateral,
            now: self.now,
            root: self.root.as_deref().map(hex::encode),
        }
    }

    fn accepts(&self, quote: &[u8]) -> Result<(), String> {
        let trust = match &self.root {
            Some(root) => Trust::Simulated(root.clone()),
            None => Trust::Intel,
        };
        let verifier = Verifier::new(trust, self.policy.clone());
        let verdict = verifier.verify(quote, &self.collateral, self.now);
        verdict.map(drop).map_err(|rejected| rejected.to_string())
    }

    /// The parts of the quote, in the order in which they lie.
    fn parts(&self) -> Vec<(&'static str, Range<usize>)> {
        let is_tdx = self.quote[0] > 3;
        let (report, nested) = if is_tdx { (584, 6) } else { (384, 0) };
        let lengths = [
            ("header", 48),
            ("body", report - 64),
            ("report data", 64),
            ("length", 4),
            ("signature", 64),
            ("key", 64),
            ("outer certification", nested),
            ("quoting enclave's report", 384),
            ("quoting enclave's signature", 64),
            ("quoting enclave's data", 2 + 32),
        ];
        let mut start = 0;
        let mut parts = Vec::new();
        for (name, length) in lengths {
            parts.push((name, start..start + length));
            start += length;
        }
        parts.push((CERTIFICATION, start..self.quote.len()));
        parts.retain(|(_, range)| !range.is_empty());
        parts
    }

    /// The quote itself, one changed bit in each part many times, and cut short.
    fn variants(&self, random: &mut StdRng) -> Vec<Variant> {
        let mut variants = vec![Variant::new("unchanged", 0, self.quote.clone())];
        for (part, range) in self.parts() {
            for _ in 0..CHANGES {
                let place = random.gen_range(range.clone());
                let mut quote = self.quote.clone();
                quote[place] ^= 1 << random.gen_range(0..8);
                variants.push(Variant::new(part, place, quote));
            }
        }
        for _ in 0..CHANGES {
            let length = random.gen_range(0..self.quote.len());
            variants.push(Variant::new("end", length, self.quote[..length].to_vec()));
        }
        variants
    }
}

struct Variant {
    part: &'static str,
    place: usize,
    quote: Vec<u8>,
}

impl Variant {
    fn new(part: &'static str, place: usize, quote: Vec<u8>) -> Self {
        Self { part, place, quote }
    }
}

/// Samples and cases as the script reads them.
#[derive(Serialize)]
struct Input<'a> {
    samples: Vec<Known<'a>>,
    cases: Vec<Case>,
}

#[derive(Serialize)]
struct Known<'a> {
    collateral: &'a Collateral,
    now: u64,
    root: Option<String>,
}

#[derive(Serialize)]
struct Case {
    sample: usize,
    quote: String,
}

/// What the other implementation says of each variant of each sample: one process for all.
fn others(
    library: &Path,
    samples: &[Sample],
    variants: &[Vec<Variant>],
) -> Result<Vec<Option<String>>> {
    let case = |sample: usize, variant: &Variant| Case {
        sample,
        quote: hex::encode(&variant.quote),
    };
    let cases = variants.iter().enumerate();
    let cases = cases.flat_map(|(at, all)| all.iter().map(move |one| case(at, one)));
    let input = Input {
        samples: samples.iter().map(Sample::known).collect(),
        cases: cases.collect(),
    };
    let file = tempfile::NamedTempFile::new()?;
    serde_json::to_writer(&file, &input)?;
    let mut node = Command::new("node");
    let output = node.arg(JUDGE).arg(library).arg(file.path()).output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{errors}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Why the verdicts of a variant differ; none when they must not.
fn reason(
    original: &[u8],
    variant: &Variant,
    ours: &Result<(), String>,
    theirs: Option<&str>,
) -> Option<&'static str> {
    let strict = |ours: &str| ours.contains("do not add up") || ours.contains("parse certs");
    match (ours, theirs) {
        (Ok(()), None) | (Err(_), Some(_)) => Some("they do not"),
        (Err(ours), None) if strict(ours) => Some("ours reads certificates and lengths strictly"),
        (Ok(()), Some(_)) if is_signed_alike(original, variant) => {
            Some("ours uses its own copy of the root, and takes other spellings of certificates")
        }
        _ => None,
    }
}

/// Whether only the certification data changed, and neither the machine's certificate nor that of
/// its issuer.
fn is_signed_alike(original: &[u8], variant: &Variant) -> bool {
    let certificates = |quote| {
        let chain = intel::extract_cert_chain(&Quote::parse(quote).ok()?).ok()?;
        Some([chain.first()?.clone(), chain.get(1)?.clone()])
    };
    let found = certificates(&variant.quote);
    variant.part == CERTIFICATION && found.is_some() && found == certificates(original)
}

fn compare(samples: &[Sample]) {
    tools::need!(tools::npm());
    let library = tools::need!(tools::npm_package("@phala/dcap-qvl", VERSION));
    let mut random = StdRng::seed_from_u64(SEED);
    let variants: Vec<_> = samples
        .iter()
        .map(|sample| sample.variants(&mut random))
        .collect();
    let theirs = others(&library, samples, &variants).unwrap();
    let pairs = samples
        .iter()
        .zip(&variants)
        .flat_map(|(sample, all)| all.iter().map(move |variant| (sample, variant)));
    let (mut refused, mut unexplained) = (0, Vec::new());
    for ((sample, variant), theirs) in pairs.zip(theirs) {
        let ours = sample.accepts(&variant.quote);
        let Variant { part, place, .. } = variant;
        let told = format!("{}, {part} at {place}: {ours:?} {theirs:?}", sample.name);
        if reason(&sample.quote, variant, &ours, theirs.as_deref()).is_none() {
            unexplained.push(told.clone());
        }
        assert!(*part != "unchanged" || ours.is_ok(), "{told}");
        refused += usize::from(ours.is_err());
    }
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    assert!(refused >= 300 * samples.len(), "{refused}");
}

#[test]
fn another_verifier_says_the_same_of_changed_simulated_quotes() {
    compare(&[Sample::simulated()]);
}

#[test]
fn another_verifier_says_the_same_of_changed_genuine_quotes() {
    let Some(folder) = genuine::folder() else {
        return;
    };
    // The other one does not know the body of the third.
    let samples = genuine::SAMPLES[..2].iter().map(|(name, now, status)| {
        let (quote, collateral) = genuine::sample(&folder, name);
        Sample {
            name,
            quote,
            collateral,
            now: *now,
            policy: genuine::cloud(*status),
            root: None,
        }
    });
    compare(&samples.collect::<Vec<_>>());
}
