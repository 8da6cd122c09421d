//! An event log, which any worker sends.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    attest::fuzz::event_log(bytes);
});
