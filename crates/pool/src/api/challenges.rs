//! Challenges for those who want to read logs: random texts, each for one address, good for an
//! hour and for any number of requests (spec/pool-worker.md §1.14).

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use protocol::Address;
use rand::{Rng, distributions::Alphanumeric};

/// How long a challenge is good.
const CHALLENGE_TTL_MS: u64 = 60 * 60 * 1000;
/// Challenges kept; beyond it the oldest makes room.
const CHALLENGES_MAX: usize = 10_000;
/// Length of a challenge.
const CHALLENGE_CHARS: usize = 32;

#[derive(Clone, Debug)]
struct Issued {
    text: String,
    expires_at: u64,
}

/// The challenges that are good.
#[derive(Debug, Default)]
pub(crate) struct Challenges(Mutex<HashMap<Address, Issued>>);

impl Challenges {
    /// The challenge of an address; the same one while it is good for at least half its time.
    pub(crate) fn issue(&self, address: Address, now: u64) -> String {
        let mut issued = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = issued.get(&address);
        if let Some(known) = known.filter(|c| c.expires_at > now + CHALLENGE_TTL_MS / 2) {
            return known.text.clone();
        }
        if issued.len() >= CHALLENGES_MAX {
            make_room(&mut issued, now);
        }
        let challenge = Issued {
            text: random_text(),
            expires_at: now + CHALLENGE_TTL_MS,
        };
        issued.insert(address, challenge.clone());
        challenge.text
    }

    /// The good challenge of an address.
    pub(crate) fn get(&self, address: Address, now: u64) -> Option<String> {
        let issued = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let challenge = issued.get(&address).filter(|c| c.expires_at > now)?;
        Some(challenge.text.clone())
    }
}

fn make_room(issued: &mut HashMap<Address, Issued>, now: u64) {
    issued.retain(|_, challenge| challenge.expires_at > now);
    if issued.len() >= CHALLENGES_MAX {
        let oldest = issued.iter().min_by_key(|(_, c)| c.expires_at);
        if let Some(oldest) = oldest.map(|(address, _)| *address) {
            issued.remove(&oldest);
        }
    }
}

/// Random letters and digits that no signer takes for hexadecimal bytes
/// (spec/pool-worker.md §1.14, the quirk of texts that begin with 0x).
pub(crate) fn random_text() -> String {
    loop {
        let letters = rand::thread_rng().sample_iter(Alphanumeric);
        let text: String = letters.take(CHALLENGE_CHARS).map(char::from).collect();
        if !text.starts_with("0x") {
            return text;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_kept_for_its_hour() {
        let challenges = Challenges::default();
        let address = Address::repeat_byte(1);
        let text = challenges.issue(address, 1000);
        assert_eq!(text.len(), CHALLENGE_CHARS);
        assert_eq!(challenges.issue(address, 2000), text);
        assert_eq!(challenges.get(address, 3000), Some(text.clone()));
        assert_eq!(challenges.get(address, 1000 + CHALLENGE_TTL_MS), None);
        assert_ne!(challenges.issue(address, 1000 + CHALLENGE_TTL_MS), text);
        assert_eq!(challenges.get(Address::ZERO, 0), None);
    }

    #[test]
    fn the_number_of_challenges_is_bounded() {
        let challenges = Challenges::default();
        for n in 0..=CHALLENGES_MAX as u64 {
            challenges.issue(
                Address::from_word(protocol::B256::from(protocol::U256::from(n))),
                n,
            );
        }
        assert_eq!(challenges.0.lock().unwrap().len(), CHALLENGES_MAX);
    }
}
