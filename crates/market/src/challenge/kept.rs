//! Challenges that were handed out and are not used yet. In memory only: they live for minutes, and
//! a client whose challenge was lost with the process asks for another.

use std::collections::{HashMap, VecDeque};

use protocol::{Address, B256};

/// Challenges kept at once, some 200 bytes each; beyond, the oldest is forgotten first.
const KEPT_MAX: usize = 100_000;

/// What a wallet was asked to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    /// Who is to sign.
    pub(super) address: Address,
    /// The words that are signed.
    pub(super) words: String,
    /// Milliseconds since 1970; worthless from here on.
    pub(super) expires_ms: i64,
}

/// All of them, by the digest that is signed.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    challenges: HashMap<B256, Challenge>,
    /// The oldest first; used ones stay here until they expire.
    ages: VecDeque<(i64, B256)>,
    /// The oldest of a wallet first.
    wallets: HashMap<Address, VecDeque<B256>>,
}

impl Kept {
    pub(super) fn keep(&mut self, hash: B256, challenge: Challenge) {
        while self.ages.len() >= KEPT_MAX {
            self.forget_oldest();
        }
        self.ages.push_back((challenge.expires_ms, hash));
        let wallet = self.wallets.entry(challenge.address).or_default();
        wallet.push_back(hash);
        self.challenges.insert(hash, challenge);
    }

    /// The live challenges of a wallet: how many, and the words of the one that lives longest.
    pub(super) fn live(&mut self, address: Address, now_ms: i64) -> (usize, Option<String>) {
        self.expire(now_ms);
        let Some(wallet) = self.wallets.get(&address) else {
            return (0, None);
        };
        let newest = wallet.back().and_then(|hash| self.challenges.get(hash));
        (
            wallet.len(),
            newest.map(|challenge| challenge.words.clone()),
        )
    }

    /// Whether there is a live challenge with this digest for this wallet.
    pub(super) fn has(&mut self, hash: B256, address: Address, now_ms: i64) -> bool {
        self.expire(now_ms);
        let challenge = self.challenges.get(&hash);
        challenge.is_some_and(|challenge| challenge.address == address)
    }

    /// Uses a challenge up; false when somebody was faster.
    pub(super) fn take(&mut self, hash: B256) -> bool {
        let Some(challenge) = self.challenges.remove(&hash) else {
            return false;
        };
        if let Some(wallet) = self.wallets.get_mut(&challenge.address) {
            wallet.retain(|other| *other != hash);
            if wallet.is_empty() {
                self.wallets.remove(&challenge.address);
            }
        }
        true
    }

    fn expire(&mut self, now_ms: i64) {
        while self
            .ages
            .front()
            .is_some_and(|(expires_ms, _)| *expires_ms <= now_ms)
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, hash)) = self.ages.pop_front() {
            self.take(hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(wallet: u8, expires_ms: i64) -> Challenge {
        Challenge {
            address: Address::repeat_byte(wallet),
            words: expires_ms.to_string(),
            expires_ms,
        }
    }

    #[test]
    fn nothing_is_left_of_what_was_used_or_expired() {
        let mut kept = Kept::default();
        let wallet = Address::repeat_byte(1);
        for n in 0..4u8 {
            kept.keep(B256::repeat_byte(n), challenge(1, 10 + i64::from(n)));
        }
        assert_eq!(kept.live(wallet, 10), (3, Some("13".to_owned())));
        assert!(kept.take(B256::repeat_byte(3)));
        assert!(!kept.take(B256::repeat_byte(3)));
        assert_eq!(kept.live(wallet, 10), (2, Some("12".to_owned())));
        assert!(!kept.has(B256::repeat_byte(2), Address::repeat_byte(9), 10));
        assert_eq!(kept.live(wallet, 100), (0, None));
        assert!(kept.challenges.is_empty() && kept.wallets.is_empty() && kept.ages.is_empty());
    }

    #[test]
    fn the_oldest_makes_room() {
        let mut kept = Kept::default();
        for n in 0..=KEPT_MAX {
            let hash = B256::left_padding_from(&n.to_be_bytes());
            kept.keep(hash, challenge(1, 10));
        }
        assert_eq!(kept.challenges.len(), KEPT_MAX);
        assert!(!kept.has(B256::ZERO, Address::repeat_byte(1), 0));
    }
}
