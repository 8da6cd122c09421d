//! Questions about signatures.
use alloy::primitives::Bytes;
use contracts::Hub;

use super::{Gen, Make};
use crate::step::Step;

pub(super) const OPS: &[(u64, &str, Make)] = &[
    (6, "verifySignature", verify_signature),
    (3, "verifyPresignature", verify_presignature),
    (4, "verifyPresignatureOrSignature", verify_either),
];

/// Somebody's signature, good or not.
fn signature(g: &mut Gen<'_>) -> Hub::verifySignatureCall {
    let account = g.anyone();
    let hash = if g.dice.chance(50) {
        g.order_hash()
    } else {
        g.dice.word()
    };
    let signature: Bytes = match g.dice.below(3) {
        0 => g.cast.forge(g.dice, account, hash),
        _ => g.cast.sign(g.dice, account, hash),
    };
    Hub::verifySignatureCall {
        account,
        hash,
        signature,
    }
}

fn verify_signature(g: &mut Gen<'_>) -> Step {
    let call = signature(g);
    let from = g.sender();
    Step::new(from, g.hub(), &call)
}

fn verify_presignature(g: &mut Gen<'_>) -> Step {
    let call = Hub::verifyPresignatureCall {
        account: g.anyone(),
        hash: g.order_hash(),
    };
    let from = g.sender();
    Step::new(from, g.hub(), &call)
}

fn verify_either(g: &mut Gen<'_>) -> Step {
    let Hub::verifySignatureCall {
        account,
        hash,
        signature,
    } = signature(g);
    let call = Hub::verifyPresignatureOrSignatureCall {
        account,
        hash,
        signature,
    };
    let from = g.sender();
    Step::new(from, g.hub(), &call)
}
