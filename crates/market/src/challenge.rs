//! Who is asking: a wallet proves itself by signing words we chose (spec/market-explorer.md §3).

use std::sync::{MutexGuard, PoisonError};

use protocol::{
    Address, B256, Bytes,
    challenge::{Audience, Token},
};
use rand::{Rng, distributions::Alphanumeric};
use serde_json::Value;

use crate::{Error, refusal::Refusal, service::Market};

mod kept;

use kept::Challenge;
pub(crate) use kept::Kept;

/// How long a challenge is worth something: time to confirm on a hardware wallet.
const CHALLENGE_LIFE_MS: i64 = 5 * 60 * 1000;
/// Live challenges of one wallet. More than the open orders of a wallet, so that a pool can
/// publish its book at once; then the newest one is handed out again.
const CHALLENGES_PER_WALLET_MAX: usize = 64;
/// Letters in the part that makes a challenge unique: 190 bits.
const NONCE_LETTERS: usize = 32;

/// A wallet that proved itself, with the challenge that is not used up yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proof {
    pub(crate) address: Address,
    hash: B256,
}

impl Market {
    /// The typed data that `address` is to sign.
    pub(crate) fn challenge(&self, address: Address) -> Value {
        let now = self.clock.now_ms();
        let (live, newest) = self.challenges().live(address, now);
        let words = match newest {
            Some(words) if live >= CHALLENGES_PER_WALLET_MAX => words,
            _ => self.new_challenge(address, now),
        };
        Audience::Market.typed_data(self.config.chain_id, &words)
    }

    fn new_challenge(&self, address: Address, now: i64) -> String {
        let words = format!("Sign this message to log into iExec Gateway: {}", nonce());
        let challenge = Challenge {
            address,
            words: words.clone(),
            expires_ms: now.saturating_add(CHALLENGE_LIFE_MS),
        };
        let hash = Audience::Market.hash(self.config.chain_id, &words);
        self.challenges().keep(hash, challenge);
        words
    }

    fn challenges(&self) -> MutexGuard<'_, Kept> {
        self.challenges
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks an `Authorization` header without using the challenge up, so that a mistake in the
    /// body does not cost a second signature.
    ///
    /// # Errors
    /// [`Refusal::Unauthorized`], whatever the reason.
    pub(crate) async fn prove(&self, header: Option<&str>) -> Result<Proof, Refusal> {
        let header = header.ok_or(Refusal::Unauthorized)?;
        let claim = Claim::parse(header).ok_or(Refusal::Unauthorized)?;
        let now = self.clock.now_ms();
        if !self.challenges().has(claim.hash, claim.address, now) {
            return Err(Refusal::Unauthorized);
        }
        let by_key = Token::parse(header).is_ok_and(|token| token.proves(claim.hash));
        if !by_key && !self.by_contract(&claim, claim.hash).await? {
            return Err(Refusal::Unauthorized);
        }
        Ok(Proof {
            address: claim.address,
            hash: claim.hash,
        })
    }

    /// A contract wallet signs by ERC-1271, which the hub knows how to ask.
    async fn by_contract(&self, claim: &Claim, hash: B256) -> Result<bool, Error> {
        self.chain.verify(claim.address, hash, &claim.sign).await
    }

    /// Uses the challenge up: of two requests with the same header, one gets through.
    ///
    /// # Errors
    /// [`Refusal::Unauthorized`] for the other one.
    pub(crate) fn redeem(&self, proof: Proof) -> Result<Address, Refusal> {
        if self.challenges().take(proof.hash) {
            return Ok(proof.address);
        }
        Err(Refusal::Unauthorized)
    }
}

/// `<hash>_<signature>_<address>`, with a signature of any length.
struct Claim {
    hash: B256,
    sign: Bytes,
    address: Address,
}

impl Claim {
    fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split('_');
        let claim = Self {
            hash: parts.next()?.parse().ok()?,
            sign: parts.next()?.parse().ok()?,
            address: parts.next()?.parse().ok()?,
        };
        (parts.next().is_none() && !claim.address.is_zero()).then_some(claim)
    }
}

fn nonce() -> String {
    let letters = rand::thread_rng().sample_iter(Alphanumeric);
    letters.take(NONCE_LETTERS).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Bench, Wallet};

    #[tokio::test]
    async fn a_challenge_is_used_once() {
        let bench = Bench::new().await;
        let wallet = Wallet::new(1);
        let header = bench.login(&wallet).await;
        let proof = bench.market.prove(Some(&header)).await.unwrap();
        let again = bench.market.prove(Some(&header)).await.unwrap();
        assert_eq!(bench.market.redeem(proof).unwrap(), wallet.address());
        assert!(bench.market.redeem(again).is_err());
        assert!(bench.market.prove(Some(&header)).await.is_err());
    }

    #[tokio::test]
    async fn a_challenge_expires_after_five_minutes() {
        let bench = Bench::new().await;
        let header = bench.login(&Wallet::new(1)).await;
        bench.pass(CHALLENGE_LIFE_MS - 1);
        assert!(bench.market.prove(Some(&header)).await.is_ok());
        bench.pass(1);
        assert!(bench.market.prove(Some(&header)).await.is_err());
    }

    #[tokio::test]
    async fn nobody_signs_for_another() {
        let bench = Bench::new().await;
        let (one, other) = (Wallet::new(1), Wallet::new(2));
        let words = bench.words(one.address()).await;
        let stolen = other.answer(&words, one.address());
        assert!(bench.market.prove(Some(&stolen)).await.is_err());
        let unasked = other.answer(&words, other.address());
        assert!(bench.market.prove(Some(&unasked)).await.is_err());
        assert!(bench.market.prove(Some("a_b_c")).await.is_err());
        assert!(bench.market.prove(None).await.is_err());
    }

    #[tokio::test]
    async fn contract_wallets_sign_through_the_hub() {
        let bench = Bench::new().await;
        let contract = Address::repeat_byte(0xc0);
        let words = bench.words(contract).await;
        let header = Wallet::new(1).answer(&words, contract);
        assert!(bench.market.prove(Some(&header)).await.is_err());
        bench.chain.trust(contract);
        assert!(bench.market.prove(Some(&header)).await.is_ok());
    }

    #[tokio::test]
    async fn challenges_are_fresh_until_a_wallet_hoards_them() {
        let bench = Bench::new().await;
        let address = Wallet::new(1).address();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..CHALLENGES_PER_WALLET_MAX {
            assert!(seen.insert(bench.words(address).await));
        }
        assert!(seen.contains(&bench.words(address).await));
    }
}
