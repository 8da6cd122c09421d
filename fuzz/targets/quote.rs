//! A quote, which any worker sends: nothing is accepted but what a platform of the root signed.
#![no_main]

use std::sync::LazyLock;

use attest::{Collateral, Evidence, Policy, Trust, Verifier};
use libfuzzer_sys::fuzz_target;

const COLLATERAL: &str = include_str!("../../crates/attest/vectors/sim-dcap/sim_collateral.json");
const ROOT: &[u8] = include_bytes!("../../crates/attest/vectors/sim-dcap/sim_root_ca.der");
const GOOD: [&[u8]; 2] = [
    include_bytes!("../../crates/attest/vectors/sim-dcap/session_quote.bin"),
    include_bytes!("../../crates/attest/vectors/sim-dcap/sim_tdx_quote.bin"),
];
/// When the vectors are valid, seconds since 1970.
const NOW: u64 = 1_790_000_000;

struct Scene {
    verifier: Verifier,
    collateral: Collateral,
    signed: Vec<Evidence>,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let verifier = Verifier::new(Trust::Simulated(ROOT.to_vec()), Policy::default());
    let collateral: Collateral = serde_json::from_str(COLLATERAL).expect("recorded");
    let good = GOOD.map(|quote| verifier.verify(quote, &collateral, NOW).expect("recorded"));
    Scene {
        signed: good.to_vec(),
        verifier,
        collateral,
    }
});

fuzz_target!(|bytes: &[u8]| {
    let scene = &*SCENE;
    if let Ok(evidence) = scene.verifier.verify(bytes, &scene.collateral, NOW) {
        assert!(scene.signed.contains(&evidence), "nobody signed that");
    }
});
