//! The `Authorization` header: a signature in hexadecimal, and who made it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::{B256, Signature};

fuzz_target!(|text: &str| {
    if let Ok(signature) = text.parse::<Signature>() {
        let _ = signature.recover_address_from_msg(B256::ZERO);
        let again: Signature = signature
            .to_string()
            .parse()
            .expect("what is written is read");
        assert_eq!(again, signature);
    }
});
