//! The archive of a confidential task, which any worker uploads: opened by its beneficiary.
#![no_main]

use libfuzzer_sys::fuzz_target;

const KEY: &str = include_str!("../../crates/sdk/vectors/TEST_ONLY_rsa2048.key.pem");

fuzz_target!(|bytes: &[u8]| {
    let _ = sdk::result::decrypt(bytes, KEY);
});
