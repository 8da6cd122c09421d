//! Transactions that came before their predecessors and wait for the gap to close.

use std::collections::BTreeMap;

use alloy::consensus::transaction::Recovered;
use alloy::consensus::{Transaction as _, TxEnvelope};
use alloy::primitives::{Address, B256};
use revm::primitives::AddressMap;

/// Transactions waiting in total. A sender whose gap never closes must not fill the memory.
pub const POOL_TRANSACTIONS_MAX: usize = 8192;
/// Transactions of one sender waiting, so that one cannot take all the room.
pub const POOL_SENDER_TRANSACTIONS_MAX: usize = 1024;

/// The waiting transactions, by sender and nonce. They live in memory only: a sender whose
/// transaction was not mined has to send it again after a restart, as with any node.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    waiting: AddressMap<BTreeMap<u64, Recovered<TxEnvelope>>>,
    count: usize,
}

impl Pool {
    /// Adds a transaction, in place of an earlier one with the same nonce. False when full.
    pub(crate) fn insert(&mut self, transaction: Recovered<TxEnvelope>) -> bool {
        let (sender, nonce) = (transaction.signer(), transaction.nonce());
        let waiting = self.waiting.get(&sender).map_or(0, BTreeMap::len);
        if waiting >= POOL_SENDER_TRANSACTIONS_MAX || self.count >= POOL_TRANSACTIONS_MAX {
            return false;
        }
        if self
            .waiting
            .entry(sender)
            .or_default()
            .insert(nonce, transaction)
            .is_none()
        {
            self.count += 1;
        }
        true
    }

    /// Removes and returns the sender's transaction with this nonce.
    pub(crate) fn take(&mut self, sender: Address, nonce: u64) -> Option<Recovered<TxEnvelope>> {
        let queue = self.waiting.get_mut(&sender)?;
        let transaction = queue.remove(&nonce)?;
        if queue.is_empty() {
            self.waiting.remove(&sender);
        }
        self.count -= 1;
        Some(transaction)
    }

    /// Finds a waiting transaction by its hash.
    pub(crate) fn get(&self, hash: &B256) -> Option<&Recovered<TxEnvelope>> {
        let mut all = self.waiting.values().flat_map(BTreeMap::values);
        all.find(|transaction| transaction.tx_hash() == hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::consensus::{SignableTransaction, TxLegacy};
    use alloy::primitives::Signature;

    fn transaction(sender: u64, nonce: u64) -> Recovered<TxEnvelope> {
        let signed = TxLegacy {
            nonce,
            ..TxLegacy::default()
        }
        .into_signed(Signature::test_signature());
        let sender = Address::left_padding_from(&sender.to_be_bytes());
        Recovered::new_unchecked(signed.into(), sender)
    }

    #[test]
    fn bounded_per_sender_and_in_total() {
        let mut pool = Pool::default();
        for nonce in 0..POOL_SENDER_TRANSACTIONS_MAX as u64 {
            assert!(pool.insert(transaction(0, nonce)));
        }
        assert!(
            !pool.insert(transaction(0, 9999)),
            "one sender has its share"
        );
        let others = POOL_TRANSACTIONS_MAX - POOL_SENDER_TRANSACTIONS_MAX;
        for sender in 1..=others as u64 {
            assert!(pool.insert(transaction(sender, 5)));
        }
        assert!(!pool.insert(transaction(u64::MAX, 5)), "the pool is full");
        assert!(pool.take(transaction(1, 0).signer(), 5).is_some());
        assert!(pool.insert(transaction(u64::MAX, 5)));
    }

    #[test]
    fn the_newest_with_a_nonce_replaces_the_older() {
        let mut pool = Pool::default();
        let first = transaction(1, 3);
        assert!(pool.insert(first.clone()) && pool.insert(first.clone()));
        assert_eq!(pool.count, 1);
        assert_eq!(pool.get(first.tx_hash()), Some(&first));
        assert_eq!(pool.take(first.signer(), 3), Some(first.clone()));
        assert_eq!(pool.take(first.signer(), 3), None);
        assert_eq!(pool.count, 0);
    }
}
