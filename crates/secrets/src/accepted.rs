//! Which signed pushes a slot has had, so that an old one cannot bring back its value.
//!
//! The official signature has neither a date nor a number, and the request that replaces a value
//! can be recorded by whoever reads a plain connection. What is remembered is a hash of the
//! signature, not of the value: a hash of a short secret could be guessed from.

use protocol::Signature;
use sha2::{Digest, Sha256};

/// Pushes of one slot that are remembered, the newest ones.
pub(crate) const ACCEPTED_MAX: usize = 256;
/// Bytes of a mark: nobody finds a second signature with the same.
const MARK_BYTES: usize = 16;

/// One signed push. It tells nothing of the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark(String);

impl Mark {
    /// Both forms of a signature, of which anybody can make one from the other, are one.
    pub(crate) fn of(signature: &Signature) -> Self {
        let signature = signature.normalized_s();
        let hash = Sha256::new()
            .chain_update(signature.r().to_be_bytes::<32>())
            .chain_update(signature.s().to_be_bytes::<32>())
            .finalize();
        Self(hex::encode(&hash[..MARK_BYTES]))
    }

    /// As the first one of a slot.
    pub(crate) fn first(&self) -> &str {
        &self.0
    }

    /// What is remembered of a slot once this push replaces its value; `known` is what was before,
    /// the current value's last. None when it is an older push than that.
    pub(crate) fn after(&self, known: &str) -> Option<String> {
        let mut marks: Vec<_> = known.split_whitespace().collect();
        if marks.last() == Some(&self.0.as_str()) {
            return Some(known.to_owned());
        }
        if marks.contains(&self.0.as_str()) {
            return None;
        }
        marks.push(&self.0);
        let old = marks.len().saturating_sub(ACCEPTED_MAX);
        Some(marks[old..].join(" "))
    }
}

#[cfg(test)]
mod tests {
    use alloy::signers::{SignerSync, local::PrivateKeySigner};
    use protocol::U256;

    use super::*;

    fn signature(text: &str) -> Signature {
        let wallet = PrivateKeySigner::from_slice(&[1; 32]).unwrap();
        wallet.sign_message_sync(text.as_bytes()).unwrap()
    }

    fn mark(number: usize) -> Mark {
        Mark::of(&signature(&number.to_string()))
    }

    /// The order of secp256k1's group.
    const ORDER: &str = "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

    #[test]
    fn the_other_form_of_a_signature_is_the_same_push() {
        let one = signature("text");
        let order: U256 = ORDER.parse().unwrap();
        let other = Signature::new(one.r(), order - one.s(), !one.v());
        assert_eq!(
            other.recover_address_from_msg("text").unwrap(),
            one.recover_address_from_msg("text").unwrap()
        );
        assert_eq!(Mark::of(&other), Mark::of(&one));
        assert_ne!(Mark::of(&signature("other")), Mark::of(&one));
    }

    #[test]
    fn the_newest_are_remembered_and_the_last_may_come_again() {
        let mut known = mark(0).first().to_owned();
        for number in 1..=ACCEPTED_MAX {
            known = mark(number).after(&known).unwrap();
            assert_eq!(mark(number).after(&known), Some(known.clone()));
            assert_eq!(mark(number - 1).after(&known), None);
        }
        assert_eq!(mark(1).after(&known), None);
        assert!(mark(0).after(&known).is_some());
    }
}
