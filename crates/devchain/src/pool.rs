//! Transactions that are not mined yet: their predecessors are missing, or nobody mines.

use std::collections::{BTreeMap, BinaryHeap};

use alloy::consensus::transaction::Recovered;
use alloy::consensus::{Transaction as _, TxEnvelope};
use alloy::primitives::{Address, B256};
use revm::primitives::{AddressMap, B256Map};

/// Transactions waiting in total. A sender whose gap never closes must not fill the memory.
pub const POOL_TRANSACTIONS_MAX: usize = 8192;
/// Transactions of one sender waiting, so that one cannot take all the room.
pub const POOL_SENDER_TRANSACTIONS_MAX: usize = 1024;
/// Bytes of calldata waiting in total, for the same reason.
pub const POOL_BYTES_MAX: usize = 64 << 20;
/// A transaction replaces another that waits with its nonce if it pays this many percent more, as
/// in geth. Where gas is free nobody can pay more: there, the newest counts.
const REPLACEMENT_PERCENT_MIN: u128 = 10;

/// Why a transaction was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// There is no room.
    Room,
    /// Another with this nonce waits and pays about as much.
    Underpriced,
}

#[derive(Debug)]
struct Waiting {
    transaction: Recovered<TxEnvelope>,
    /// Counts arrivals: at the same price, the first to come is the first to be mined.
    arrival: u64,
}

/// The waiting transactions, by sender and nonce. They live in memory only: a sender whose
/// transaction was not mined has to send it again after a restart, as with any node.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    waiting: AddressMap<BTreeMap<u64, Waiting>>,
    places: B256Map<(Address, u64)>,
    arrivals: u64,
    bytes: usize,
}

impl Pool {
    /// Adds a transaction, in place of an earlier one with the same nonce.
    pub(crate) fn insert(&mut self, transaction: Recovered<TxEnvelope>) -> Result<(), Full> {
        let (sender, nonce) = (transaction.signer(), transaction.nonce());
        if self.bytes.saturating_add(transaction.input().len()) > POOL_BYTES_MAX {
            return Err(Full::Room);
        }
        let queue = self.waiting.get(&sender);
        match queue.and_then(|queue| queue.get(&nonce)) {
            Some(rival) if !outbids(&transaction, &rival.transaction) => {
                return Err(Full::Underpriced);
            }
            Some(_) => drop(self.take(sender, nonce)),
            None if queue.map_or(0, BTreeMap::len) >= POOL_SENDER_TRANSACTIONS_MAX
                || self.places.len() >= POOL_TRANSACTIONS_MAX =>
            {
                return Err(Full::Room);
            }
            None => {}
        }
        self.arrivals += 1;
        self.bytes += transaction.input().len();
        let arrival = self.arrivals;
        self.places.insert(*transaction.tx_hash(), (sender, nonce));
        let queue = self.waiting.entry(sender).or_default();
        queue.insert(
            nonce,
            Waiting {
                transaction,
                arrival,
            },
        );
        Ok(())
    }

    /// Removes and returns the sender's transaction with this nonce.
    pub(crate) fn take(&mut self, sender: Address, nonce: u64) -> Option<Recovered<TxEnvelope>> {
        let queue = self.waiting.get_mut(&sender)?;
        let Waiting { transaction, .. } = queue.remove(&nonce)?;
        if queue.is_empty() {
            self.waiting.remove(&sender);
        }
        self.places.remove(transaction.tx_hash());
        self.bytes -= transaction.input().len();
        Some(transaction)
    }

    /// Removes the sender's transactions up to this nonce: they can never be mined.
    pub(crate) fn drop_stale(&mut self, sender: Address, next: u64) {
        while let Some(nonce) = self.first_nonce(sender).filter(|nonce| *nonce < next) {
            drop(self.take(sender, nonce));
        }
    }

    fn first_nonce(&self, sender: Address) -> Option<u64> {
        self.waiting.get(&sender)?.keys().next().copied()
    }

    /// Finds a waiting transaction by its hash.
    pub(crate) fn get(&self, hash: &B256) -> Option<&Recovered<TxEnvelope>> {
        let (sender, nonce) = self.places.get(hash)?;
        Some(&self.waiting.get(sender)?.get(nonce)?.transaction)
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// All senders.
    pub(crate) fn senders(&self) -> impl Iterator<Item = Address> + '_ {
        self.waiting.keys().copied()
    }

    /// The sender's transactions by nonce.
    pub(crate) fn of(&self, sender: Address) -> impl Iterator<Item = &Recovered<TxEnvelope>> {
        let queue = self.waiting.get(&sender).into_iter();
        queue.flat_map(|queue| queue.values().map(|waiting| &waiting.transaction))
    }

    /// The nonce after those the sender has used up, waiting transactions included, when the
    /// chain expects `expected`.
    pub(crate) fn next_nonce(&self, sender: Address, expected: u64) -> u64 {
        let Some(queue) = self.waiting.get(&sender) else {
            return expected;
        };
        let run = queue.range(expected..).zip(expected..);
        expected + run.take_while(|((nonce, _), at)| *nonce == at).count() as u64
    }

    /// The transactions that can be mined, in the order to mine them: who pays more first, then
    /// who came first. `expected` is the nonce the chain expects of a sender.
    pub(crate) fn ready(
        &self,
        base_fee: u64,
        expected: impl Fn(Address) -> u64,
    ) -> Vec<&Recovered<TxEnvelope>> {
        let mut next: BinaryHeap<_> = self
            .senders()
            .filter_map(|sender| self.bid(sender, expected(sender), base_fee))
            .collect();
        let mut ready = Vec::new();
        while let Some((_, _, sender, nonce)) = next.pop() {
            let queue = self.waiting.get(&sender);
            ready.extend(queue.and_then(|queue| Some(&queue.get(&nonce)?.transaction)));
            next.extend(self.bid(sender, nonce + 1, base_fee));
        }
        ready
    }

    /// A sender's place in the order: tip, arrival, and what to mine.
    fn bid(&self, sender: Address, nonce: u64, base_fee: u64) -> Option<Bid> {
        let waiting = self.waiting.get(&sender)?.get(&nonce)?;
        let tip = waiting.transaction.effective_tip_per_gas(base_fee)?;
        Some((tip, std::cmp::Reverse(waiting.arrival), sender, nonce))
    }
}

type Bid = (u128, std::cmp::Reverse<u64>, Address, u64);

fn outbids(new: &TxEnvelope, old: &TxEnvelope) -> bool {
    let enough = |old: u128| old.saturating_add(old.saturating_mul(REPLACEMENT_PERCENT_MIN) / 100);
    let fees = |transaction: &TxEnvelope| {
        let fee = transaction.max_fee_per_gas();
        (fee, transaction.max_priority_fee_per_gas().unwrap_or(fee))
    };
    let ((fee, tip), (old_fee, old_tip)) = (fees(new), fees(old));
    fee >= enough(old_fee) && tip >= enough(old_tip)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::consensus::{SignableTransaction, TxLegacy};
    use alloy::primitives::Signature;

    fn priced(sender: u64, nonce: u64, gas_price: u128) -> Recovered<TxEnvelope> {
        let signed = TxLegacy {
            nonce,
            gas_price,
            gas_limit: sender,
            ..TxLegacy::default()
        }
        .into_signed(Signature::test_signature());
        let sender = Address::left_padding_from(&sender.to_be_bytes());
        Recovered::new_unchecked(signed.into(), sender)
    }

    fn transaction(sender: u64, nonce: u64) -> Recovered<TxEnvelope> {
        priced(sender, nonce, 0)
    }

    #[test]
    fn bounded_per_sender_and_in_total() {
        let mut pool = Pool::default();
        for nonce in 0..POOL_SENDER_TRANSACTIONS_MAX as u64 {
            assert_eq!(pool.insert(transaction(0, nonce)), Ok(()));
        }
        let more = pool.insert(transaction(0, 9999));
        assert_eq!(more, Err(Full::Room), "one sender has its share");
        let others = POOL_TRANSACTIONS_MAX - POOL_SENDER_TRANSACTIONS_MAX;
        for sender in 1..=others as u64 {
            assert_eq!(pool.insert(transaction(sender, 5)), Ok(()));
        }
        let more = pool.insert(transaction(u64::MAX, 5));
        assert_eq!(more, Err(Full::Room), "the pool is full");
        assert!(pool.take(transaction(1, 0).signer(), 5).is_some());
        assert_eq!(pool.insert(transaction(u64::MAX, 5)), Ok(()));
    }

    #[test]
    fn where_gas_is_free_the_newest_with_a_nonce_replaces_the_older() {
        let mut pool = Pool::default();
        let first = transaction(1, 3);
        assert_eq!(pool.insert(first.clone()), Ok(()));
        assert_eq!(pool.insert(first.clone()), Ok(()));
        assert_eq!(pool.get(first.tx_hash()), Some(&first));
        assert_eq!(pool.take(first.signer(), 3), Some(first.clone()));
        assert_eq!(pool.take(first.signer(), 3), None);
        assert!(pool.is_empty());
    }

    #[test]
    fn where_gas_costs_something_a_replacement_pays_a_tenth_more() {
        let mut pool = Pool::default();
        let (old, new) = (priced(1, 0, 100), priced(1, 0, 110));
        assert_eq!(pool.insert(old.clone()), Ok(()));
        assert_eq!(pool.insert(priced(1, 0, 109)), Err(Full::Underpriced));
        assert_eq!(pool.insert(new.clone()), Ok(()));
        assert_eq!(
            (pool.get(old.tx_hash()), pool.of(new.signer()).count()),
            (None, 1)
        );
    }

    #[test]
    fn the_order_is_by_price_then_by_arrival_and_never_against_nonces() {
        let mut pool = Pool::default();
        let sent = [
            (1, 0, 0),
            (2, 1, 9),
            (3, 0, 5),
            (2, 0, 1),
            (4, 0, 5),
            (5, 7, 99),
        ];
        for (sender, nonce, price) in sent {
            pool.insert(priced(sender, nonce, price)).unwrap();
        }
        let ready = pool.ready(0, |_| 0).into_iter();
        let order: Vec<_> = ready
            .map(|found| (found.gas_limit(), found.nonce()))
            .collect();
        assert_eq!(order, [(3, 0), (4, 0), (2, 0), (2, 1), (1, 0)]);
        assert_eq!(
            pool.ready(2, |_| 0).len(),
            2,
            "the rest cannot pay the base fee"
        );
        assert_eq!(pool.next_nonce(priced(2, 0, 0).signer(), 0), 2);
        assert_eq!(pool.next_nonce(priced(5, 0, 0).signer(), 0), 0);
        pool.drop_stale(priced(2, 0, 0).signer(), 1);
        assert_eq!(pool.of(priced(2, 0, 0).signer()).count(), 1);
    }
}
