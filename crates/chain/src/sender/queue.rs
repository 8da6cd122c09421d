//! What is in flight and what to do about it: no clock, no node, no disk.
//!
//! The chain's count of a wallet's transactions says of every nonce whether it is used, so one
//! question tells what was mined and, when the count falls, what a reorganisation took back.

use std::collections::BTreeMap;

use alloy::primitives::{B256, Bytes};

use crate::fees::{Fees, Prices};

/// Blocks on top of a mined transaction before it is believed to stay: deeper reorganisations are
/// not survived (`docs/ARCHITECTURE.md`).
pub(super) const WATCH_BLOCKS: u64 = 10;
/// How long a node may not know of a transaction before it gets it again: long enough for the
/// machines behind one name to tell each other.
const RESEND_MS: u64 = 5_000;
/// Blocks that must have come without a transaction before its price is to blame.
const RAISE_BLOCKS: u64 = 3;
/// Mined transactions that are watched; on a chain that stands still the oldest are given up.
const WATCHED_MAX: usize = 4_096;

/// One signed form of a transaction; all forms of one have the same nonce, so one is mined at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) hash: B256,
    pub(super) raw: Bytes,
    pub(super) fees: Fees,
}

/// A transaction between its signature and its eleventh block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// What it is for; see [`super::intent`].
    pub(super) intent: B256,
    /// The newest last; never empty.
    pub(super) offers: Vec<Offer>,
    /// The most that one gas may ever cost, in wei.
    pub(super) cap: u128,
    /// Somebody was told how it ended.
    pub(super) is_done: bool,
    /// When a node got it last, in milliseconds; none when it never did in this process.
    pub(super) tried: Option<u64>,
    /// When the newest offer was made, and the head at that time.
    offered: (u64, u64),
    /// The head at which it was first seen to be mined.
    mined: Option<u64>,
}

impl Entry {
    pub(super) fn new(intent: B256, offer: Offer, cap: u128) -> Self {
        Self {
            intent,
            offers: vec![offer],
            cap,
            is_done: false,
            tried: None,
            offered: (0, 0),
            mined: None,
        }
    }

    pub(super) fn is_mined(&self) -> bool {
        self.mined.is_some()
    }

    fn newest(&self) -> Option<Fees> {
        self.offers.last().map(|offer| offer.fees)
    }
}

/// What was seen of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sight {
    /// The wallet's transactions in blocks.
    pub(super) latest: u64,
    /// The same with those that wait in the node, as far as they follow each other.
    pub(super) pending: u64,
    /// The newest block.
    pub(super) head: u64,
    /// The time, in milliseconds.
    pub(super) now: u64,
}

/// What to do about a transaction, named by its nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// The chain or the node has forgotten it: the same bytes again.
    Resend(u64),
    /// It waits too long: offer more, if [`Queue::raised`] says how much.
    Raise(u64),
    /// It is deep enough.
    Forget(u64),
}

/// The transactions of one wallet.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: BTreeMap<u64, Entry>,
    next: Option<u64>,
    head: u64,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn entries(&self) -> &BTreeMap<u64, Entry> {
        &self.entries
    }

    pub(super) fn entry(&mut self, nonce: u64) -> Option<&mut Entry> {
        self.entries.get_mut(&nonce)
    }

    /// Whether something is not mined yet.
    pub(super) fn is_waiting(&self) -> bool {
        self.entries.values().any(|entry| !entry.is_mined())
    }

    /// The first free nonce, if known without asking. A chain that became shorter has other ones.
    pub(super) fn next(&mut self, head: u64) -> Option<u64> {
        if std::mem::replace(&mut self.head, head) > head {
            self.next = None;
        }
        self.next
    }

    /// The first nonce from `from` on that is none of ours: a hole is filled before anything else.
    pub(super) fn free(&self, from: u64) -> u64 {
        let mut nonce = from;
        while self.entries.contains_key(&nonce) {
            nonce += 1;
        }
        nonce
    }

    /// Somebody else uses the nonces, or the chain has: ask before the next transaction.
    pub(super) fn reset(&mut self) {
        self.next = None;
    }

    /// The nonce was refused and belongs to the next transaction.
    pub(super) fn give_back(&mut self, nonce: u64) {
        self.next = Some(nonce);
    }

    /// A transaction is on its way.
    pub(super) fn insert(&mut self, nonce: u64, mut entry: Entry, now: u64, head: u64) {
        entry.offered = (now, head);
        self.entries.insert(nonce, entry);
        self.next = Some(self.free(nonce + 1));
    }

    /// A transaction of an earlier process.
    pub(super) fn restore(&mut self, nonce: u64, entry: Entry) {
        self.entries.insert(nonce, entry);
    }

    /// Another signed form of the same.
    pub(super) fn offer(&mut self, nonce: u64, offer: Offer) {
        if let Some(entry) = self.entries.get_mut(&nonce) {
            entry.offers.push(offer);
        }
    }

    pub(super) fn remove(&mut self, nonce: u64) -> Option<Entry> {
        self.entries.remove(&nonce)
    }

    /// Takes in what is seen and says what to do, the lowest nonce first. `patience` is how long a
    /// transaction may wait for its block before more is offered, in milliseconds.
    pub(super) fn look(&mut self, sight: Sight, patience: u64) -> Vec<Act> {
        let lowest = self.entries.range(sight.latest..).next();
        if lowest.is_some_and(|(nonce, _)| *nonce > sight.pending) {
            self.next = None;
        }
        let mut acts: Vec<_> = self
            .entries
            .iter_mut()
            .filter_map(|(nonce, entry)| look_at(*nonce, entry, sight, patience))
            .collect();
        acts.extend(self.surplus().map(Act::Forget));
        acts
    }

    /// The oldest of the mined that are too many to be watched.
    fn surplus(&self) -> impl Iterator<Item = u64> {
        let mined = self.entries.iter().filter(|(_, entry)| entry.is_mined());
        let mined: Vec<_> = mined.map(|(nonce, _)| *nonce).collect();
        let surplus = mined.len().saturating_sub(WATCHED_MAX);
        mined.into_iter().take(surplus)
    }

    /// What to offer for a transaction that waits too long; none when its price is not to blame or
    /// cannot be raised. Only the first that waits can be the one that blocks the others.
    pub(super) fn raised(&mut self, nonce: u64, prices: Prices, sight: Sight) -> Option<Fees> {
        let entry = self.entries.get_mut(&nonce)?;
        let (_, since) = std::mem::replace(&mut entry.offered, (sight.now, sight.head));
        let is_passed_over = nonce == sight.latest && sight.head >= since + RAISE_BLOCKS;
        let newest = entry.newest()?;
        if !is_passed_over && newest.suffices(prices) {
            return None;
        }
        newest.raised(prices, entry.cap)
    }
}

fn look_at(nonce: u64, entry: &mut Entry, sight: Sight, patience: u64) -> Option<Act> {
    if nonce < sight.latest {
        let since = entry.mined.unwrap_or(sight.head).min(sight.head);
        entry.mined = Some(since);
        return (sight.head >= since + WATCH_BLOCKS).then_some(Act::Forget(nonce));
    }
    if entry.mined.take().is_some() {
        entry.offered = (sight.now, sight.head);
        return Some(Act::Resend(nonce));
    }
    let Some(tried) = entry.tried else {
        entry.offered = (sight.now, sight.head);
        return Some(Act::Resend(nonce));
    };
    if nonce >= sight.pending && sight.now >= tried + RESEND_MS {
        return Some(Act::Resend(nonce));
    }
    let is_overdue = sight.now >= entry.offered.0.saturating_add(patience);
    is_overdue.then_some(Act::Raise(nonce))
}

#[cfg(test)]
mod tests;
