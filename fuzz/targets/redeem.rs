//! The body of a redeem, which any worker sends.
#![no_main]

use attest::Redeem;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(redeem) = serde_json::from_slice::<Redeem>(bytes) {
        let text = serde_json::to_vec(&redeem).expect("it was read");
        let again: Redeem = serde_json::from_slice(&text).expect("what is written is read");
        assert_eq!(serde_json::to_vec(&again).expect("it was read"), text);
    }
});
