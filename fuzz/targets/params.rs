//! The `params` of a request order, which any requester writes on the chain.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::params::DealParams;

fuzz_target!(|text: &str| {
    let params = DealParams::from_chain(text);
    let _ = (
        params.args(),
        params.input_files(),
        params.check_standard(true),
    );
    let again = DealParams::from_chain(&params.to_text());
    assert_eq!(again, params, "what is written is read");
});
