//! The chain as a synchronous state machine: events in, blocks and state out. No I/O, no clock.

use std::collections::BTreeMap;
use std::convert::Infallible;

use alloy::consensus::Header;
use alloy::consensus::constants::EMPTY_WITHDRAWALS;
use alloy::consensus::constants::{EMPTY_OMMER_ROOT_HASH, EMPTY_RECEIPTS, EMPTY_TRANSACTIONS};
use alloy::eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy::primitives::{Address, B256, U256};
use revm::DatabaseRef;
use revm::primitives::B256Map;
use revm::state::{AccountInfo, Bytecode};

use crate::block::Block;
use crate::event::Event;
use crate::state::{Change, Difference, Info, State};
use crate::terms::Terms;

/// How many blocks back `eth_call`, `eth_getBalance` and the like can look, and how far back a
/// snapshot can be returned to. About 3 kB of undo entries per busy block are kept for it.
pub const HISTORY_BLOCKS_MAX: u64 = 1024;

/// Latest time a block can be given by hand, in seconds: far beyond any deadline, far from where
/// sums of seconds would overflow.
pub(crate) const TIME_MAX: u64 = 99_999_999_999;

/// What has to be remembered to come back to a snapshot.
#[derive(Debug, Clone, Copy)]
struct Snapshot {
    head: u64,
    position: u64,
    offset: i64,
    next: Option<u64>,
    terms: Terms,
}

/// All blocks, the state at the head and the chain's own time.
#[derive(Debug)]
pub(crate) struct Chain {
    id: u64,
    state: State,
    blocks: Vec<Block>,
    /// State position at the start of each block.
    starts: Vec<u64>,
    by_hash: B256Map<u64>,
    transactions: B256Map<(u64, usize)>,
    offset: i64,
    next: Option<u64>,
    snapshots: BTreeMap<u64, Snapshot>,
    snapshots_taken: u64,
    terms: Terms,
    /// How often blocks were given up; part of the headers that follow, so that a new block
    /// never has the hash of one that was given up.
    forks: u64,
    alloc: Vec<(Address, U256)>,
}

impl Chain {
    /// A chain of one empty block that gives out `alloc`.
    pub(crate) fn new(id: u64, timestamp: u64, alloc: &[(Address, U256)]) -> Self {
        let mut state = State::default();
        for (address, balance) in alloc {
            state.apply(&Change::Account(
                *address,
                Info {
                    balance: *balance,
                    ..Info::default()
                },
            ));
        }
        state.forget(state.position());
        let start = state.position();
        let mut chain = Self {
            id,
            state,
            blocks: Vec::new(),
            starts: Vec::new(),
            by_hash: B256Map::default(),
            transactions: B256Map::default(),
            offset: 0,
            next: None,
            snapshots: BTreeMap::new(),
            snapshots_taken: 0,
            terms: Terms::default(),
            forks: 0,
            alloc: alloc.to_vec(),
        };
        let header = header(0, timestamp, B256::ZERO, chain.terms);
        chain.push(Block::new(header, Vec::new()), start);
        chain
    }

    /// The only way a chain changes. Events must come from this chain's own log or builder.
    pub(crate) fn apply(&mut self, event: Event) {
        match event {
            Event::Genesis {
                chain_id,
                timestamp,
                alloc,
            } => {
                *self = Self::new(chain_id, timestamp, &alloc);
            }
            Event::Block { block, changes } => self.extend(*block, &changes),
            Event::Balance(address, balance) => {
                let info = self.state.account(&address).unwrap_or_default();
                self.state
                    .apply(&Change::Account(address, Info { balance, ..info }));
            }
            Event::Clock { offset, next } => (self.offset, self.next) = (offset, next),
            Event::Snapshot => self.snapshot(),
            Event::Revert(id) => self.revert(id),
            Event::Changes(changes) => changes.iter().for_each(|change| self.state.apply(change)),
            Event::Rollback(number) => self.rollback(number),
            Event::Terms(terms) => self.terms = terms,
        }
    }

    fn extend(&mut self, block: Block, changes: &[Change]) {
        let start = self.state.position();
        for change in changes {
            self.state.apply(change);
        }
        self.push(block, start);
        self.next = None;
        self.terms = self.terms.spent();
        if let Some(number) = self.head_number().checked_sub(HISTORY_BLOCKS_MAX) {
            self.state.forget(self.after(number));
        }
    }

    fn push(&mut self, block: Block, start: u64) {
        let number = self.blocks.len() as u64;
        self.by_hash.insert(block.hash, number);
        for (index, mined) in block.transactions.iter().enumerate() {
            self.transactions.insert(mined.hash(), (number, index));
        }
        self.blocks.push(block);
        self.starts.push(start);
    }

    fn pop(&mut self) {
        self.starts.pop();
        if let Some(block) = self.blocks.pop() {
            self.by_hash.remove(&block.hash);
            for mined in &block.transactions {
                self.transactions.remove(&mined.hash());
            }
        }
    }

    fn snapshot(&mut self) {
        let (offset, next, terms) = (self.offset, self.next, self.terms);
        let (head, position) = (self.head_number(), self.state.position());
        self.snapshots_taken += 1;
        self.snapshots.insert(
            self.snapshots_taken,
            Snapshot {
                head,
                position,
                offset,
                next,
                terms,
            },
        );
    }

    fn revert(&mut self, id: u64) {
        let Some(snapshot) = self.snapshots.split_off(&id).remove(&id) else {
            return;
        };
        self.state.rewind(snapshot.position);
        while self.head_number() > snapshot.head {
            self.pop();
        }
        (self.offset, self.next) = (snapshot.offset, snapshot.next);
        self.terms = snapshot.terms;
    }

    fn rollback(&mut self, number: u64) {
        let position = self.after(number);
        if number >= self.head_number() || !self.state.reaches(position) {
            return;
        }
        self.snapshots
            .retain(|_, snapshot| snapshot.position <= position);
        self.state.rewind(position);
        while self.head_number() > number {
            self.pop();
        }
        self.forks += 1;
    }

    /// Whether the chain can go back to block `number`.
    pub(crate) fn can_roll_back(&self, number: u64) -> Result<(), OutOfReach> {
        if number <= self.head_number() && self.state.reaches(self.after(number)) {
            return Ok(());
        }
        Err(OutOfReach)
    }

    /// How coming blocks will look.
    pub(crate) fn terms(&self) -> Terms {
        self.terms
    }

    /// Balances at genesis.
    pub(crate) fn alloc(&self) -> &[(Address, U256)] {
        &self.alloc
    }

    /// Id of the newest snapshot ever taken.
    pub(crate) fn snapshots_taken(&self) -> u64 {
        self.snapshots_taken
    }

    /// How many snapshots are kept.
    pub(crate) fn snapshot_count(&self) -> usize {
        self.snapshots.len()
    }

    /// Whether snapshot `id` exists; `Err` when it does but lies too far back.
    pub(crate) fn can_revert(&self, id: u64) -> Result<bool, OutOfReach> {
        match self.snapshots.get(&id) {
            None => Ok(false),
            Some(snapshot) if self.state.reaches(snapshot.position) => Ok(true),
            Some(_) => Err(OutOfReach),
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn head(&self) -> &Block {
        &self.blocks[self.blocks.len() - 1]
    }

    pub(crate) fn head_number(&self) -> u64 {
        self.blocks.len() as u64 - 1
    }

    pub(crate) fn block(&self, number: u64) -> Option<&Block> {
        self.blocks.get(usize::try_from(number).ok()?)
    }

    /// The blocks from `first` to `last`, both included, as far as they exist.
    pub(crate) fn blocks(&self, first: u64, last: u64) -> &[Block] {
        let end = last.saturating_add(1).min(self.blocks.len() as u64);
        let range = usize::try_from(first).ok().zip(usize::try_from(end).ok());
        range
            .and_then(|(first, end)| self.blocks.get(first..end))
            .unwrap_or_default()
    }

    pub(crate) fn number_of(&self, hash: &B256) -> Option<u64> {
        self.by_hash.get(hash).copied()
    }

    /// Where a transaction was mined: the block and the index in it.
    pub(crate) fn transaction(&self, hash: &B256) -> Option<(&Block, usize)> {
        let (number, index) = self.transactions.get(hash)?;
        Some((self.block(*number)?, *index))
    }

    pub(crate) fn nonce(&self, address: &Address) -> u64 {
        self.state.account(address).map_or(0, |info| info.nonce)
    }

    /// Distance of chain time from the wall clock, in seconds.
    pub(crate) fn offset(&self) -> i64 {
        self.offset
    }

    /// Chain time when the wall clock says `now`, in seconds; never before the head.
    pub(crate) fn time(&self, now: u64) -> u64 {
        let head = self.head().header.timestamp;
        let spaced = || {
            self.terms
                .spacing
                .map(|seconds| head.saturating_add(seconds))
        };
        let time = self.next.or_else(spaced);
        time.unwrap_or_else(|| now.saturating_add_signed(self.offset))
            .max(head)
    }

    /// The state at the head.
    pub(crate) fn latest(&self) -> View<'_> {
        self.differing(Difference::default())
    }

    /// The state as it was before block `number + 1`.
    pub(crate) fn at(&self, number: u64) -> Result<View<'_>, OutOfReach> {
        if number >= self.head_number() {
            return Ok(self.latest());
        }
        let position = self.after(number);
        if !self.state.reaches(position) {
            return Err(OutOfReach);
        }
        Ok(self.differing(self.state.past(position)))
    }

    /// The state at the head with these differences.
    pub(crate) fn differing(&self, difference: Difference) -> View<'_> {
        View {
            chain: self,
            difference,
        }
    }

    /// State position when block `number` was no longer the head.
    fn after(&self, number: u64) -> u64 {
        let index = usize::try_from(number + 1).unwrap_or(usize::MAX);
        self.starts
            .get(index)
            .copied()
            .unwrap_or_else(|| self.state.position())
    }

    /// Seals `transactions` into the next block's header; `timestamp` is in seconds.
    pub(crate) fn next_header(&self, timestamp: u64) -> Header {
        let number = self.head_number() + 1;
        let header = header(number, timestamp, self.head().hash, self.terms);
        if self.forks == 0 {
            return header;
        }
        let extra_data = self.forks.to_be_bytes().into();
        Header {
            extra_data,
            ..header
        }
    }
}

#[cfg(test)]
impl Chain {
    /// Equal for equal chains: the head, everything in the state, and what comes next.
    pub(crate) fn fingerprint(&self) -> B256 {
        let next = (self.offset, self.next, self.terms, self.forks);
        let snapshots = self.snapshots.keys().collect::<Vec<_>>();
        let rest = format!("{next:?}{snapshots:?}{}", self.head().hash);
        alloy::primitives::keccak256(self.state.describe() + &rest)
    }
}

fn header(number: u64, timestamp: u64, parent_hash: B256, terms: Terms) -> Header {
    Header {
        parent_hash,
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        transactions_root: EMPTY_TRANSACTIONS,
        receipts_root: EMPTY_RECEIPTS,
        number,
        timestamp,
        beneficiary: terms.coinbase,
        gas_limit: terms.gas_limit,
        // Serves as `block.prevrandao`: different in each block, and nothing here is at stake.
        mix_hash: terms.randao.unwrap_or(parent_hash),
        base_fee_per_gas: Some(terms.base_fee.unwrap_or_default()),
        withdrawals_root: Some(EMPTY_WITHDRAWALS),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::ZERO),
        requests_hash: Some(EMPTY_REQUESTS_HASH),
        ..Header::default()
    }
}

/// The moment asked for is older than the undo information kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutOfReach;

/// The state at one moment, as the EVM reads it.
#[derive(Debug)]
pub(crate) struct View<'a> {
    chain: &'a Chain,
    difference: Difference,
}

impl View<'_> {
    pub(crate) fn account(&self, address: &Address) -> Option<Info> {
        match self.difference.accounts.get(address) {
            Some(info) => *info,
            None => self.chain.state.account(address),
        }
    }

    pub(crate) fn slot(&self, address: &Address, key: &U256) -> U256 {
        match self.difference.slots.get(&(*address, *key)) {
            Some(value) => *value,
            None => self.chain.state.slot(address, key),
        }
    }

    pub(crate) fn code(&self, hash: &B256) -> Bytecode {
        let code = self.difference.codes.get(hash);
        let code = code.or_else(|| self.chain.state.code(hash));
        code.cloned().unwrap_or_default()
    }
}

impl DatabaseRef for View<'_> {
    type Error = Infallible;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        Ok(self.account(&address).map(AccountInfo::from))
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, Infallible> {
        Ok(self.code(&hash))
    }

    fn storage_ref(&self, address: Address, key: U256) -> Result<U256, Infallible> {
        Ok(self.slot(&address, &key))
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, Infallible> {
        Ok(self
            .chain
            .block(number)
            .map_or(B256::ZERO, |block| block.hash))
    }
}
