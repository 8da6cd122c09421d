//! Accounts, storage and code at the head of the chain, plus enough undo information to look at,
//! or go back to, any recent block.

use std::collections::VecDeque;

use alloy::primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
use revm::primitives::{AddressMap, B256Map, HashMap, U256Map};
use revm::state::{AccountInfo, Bytecode};

/// What an account is, apart from its storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Info {
    pub(crate) balance: U256,
    pub(crate) nonce: u64,
    pub(crate) code_hash: B256,
}

impl Default for Info {
    fn default() -> Self {
        Self {
            balance: U256::ZERO,
            nonce: 0,
            code_hash: KECCAK256_EMPTY,
        }
    }
}

impl From<Info> for AccountInfo {
    fn from(info: Info) -> Self {
        let Info {
            balance,
            nonce,
            code_hash,
        } = info;
        Self {
            balance,
            nonce,
            code_hash,
            code: None,
            ..Self::default()
        }
    }
}

impl From<&AccountInfo> for Info {
    fn from(info: &AccountInfo) -> Self {
        Self {
            balance: info.balance,
            nonce: info.nonce,
            code_hash: info.code_hash,
        }
    }
}

/// One step from one state to the next. Blocks are persisted as lists of these, so that reading
/// a chain back needs no execution and cannot come out differently under a newer EVM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// The account now looks like this; its storage is untouched.
    Account(Address, Info),
    /// The account and its storage are gone.
    Destroyed(Address),
    /// One storage slot now holds this value.
    Slot(Address, U256, U256),
    /// New code, found under its hash by the accounts that run it.
    Code(Bytes),
}

/// The value something had before a [`Change`].
#[derive(Debug, Clone, Copy)]
enum Undo {
    Account(Address, Option<Info>),
    Slot(Address, U256, U256),
}

/// The state at the head. Positions count undo entries since genesis and never go down except by
/// [`State::rewind`]; they are how blocks and snapshots name a moment.
#[derive(Debug, Default)]
pub(crate) struct State {
    accounts: AddressMap<Info>,
    storage: AddressMap<U256Map<U256>>,
    codes: B256Map<Bytecode>,
    undo: VecDeque<Undo>,
    forgotten: u64,
}

impl State {
    pub(crate) fn account(&self, address: &Address) -> Option<Info> {
        self.accounts.get(address).copied()
    }

    pub(crate) fn slot(&self, address: &Address, key: &U256) -> U256 {
        self.storage
            .get(address)
            .and_then(|slots| slots.get(key))
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn code(&self, hash: &B256) -> Option<&Bytecode> {
        self.codes.get(hash)
    }

    /// The name of this moment.
    pub(crate) fn position(&self) -> u64 {
        self.forgotten + self.undo.len() as u64
    }

    /// Whether [`State::past`] and [`State::rewind`] still reach back to `position`.
    pub(crate) fn reaches(&self, position: u64) -> bool {
        position >= self.forgotten
    }

    pub(crate) fn apply(&mut self, change: &Change) {
        match change {
            Change::Account(address, info) => self.set_account(*address, Some(*info)),
            Change::Slot(address, key, value) => self.set_slot(*address, *key, *value),
            Change::Destroyed(address) => self.destroy(*address),
            Change::Code(code) => {
                let code = Bytecode::new_raw(code.clone());
                self.codes.insert(code.hash_slow(), code);
            }
        }
    }

    fn destroy(&mut self, address: Address) {
        let keys: Vec<U256> = self
            .storage
            .get(&address)
            .map(|slots| slots.keys().copied().collect())
            .unwrap_or_default();
        for key in keys {
            self.set_slot(address, key, U256::ZERO);
        }
        self.set_account(address, None);
    }

    fn set_account(&mut self, address: Address, info: Option<Info>) {
        let old = self.put_account(address, info);
        if old != info {
            self.undo.push_back(Undo::Account(address, old));
        }
    }

    fn set_slot(&mut self, address: Address, key: U256, value: U256) {
        let old = self.put_slot(address, key, value);
        if old != value {
            self.undo.push_back(Undo::Slot(address, key, old));
        }
    }

    fn put_account(&mut self, address: Address, info: Option<Info>) -> Option<Info> {
        match info {
            Some(info) => self.accounts.insert(address, info),
            None => self.accounts.remove(&address),
        }
    }

    fn put_slot(&mut self, address: Address, key: U256, value: U256) -> U256 {
        let slots = self.storage.entry(address).or_default();
        let old = if value.is_zero() {
            slots.remove(&key)
        } else {
            slots.insert(key, value)
        };
        if slots.is_empty() {
            self.storage.remove(&address);
        }
        old.unwrap_or_default()
    }

    /// Goes back to how things were at `position`, which must be in reach.
    pub(crate) fn rewind(&mut self, position: u64) {
        debug_assert!(self.reaches(position));
        while self.position() > position {
            match self.undo.pop_back() {
                Some(Undo::Account(address, info)) => drop(self.put_account(address, info)),
                Some(Undo::Slot(address, key, value)) => drop(self.put_slot(address, key, value)),
                None => return,
            }
        }
    }

    /// What differed from now at `position`, which must be in reach.
    pub(crate) fn past(&self, position: u64) -> Difference {
        let mut past = Difference::default();
        let skip = usize::try_from(position.saturating_sub(self.forgotten)).unwrap_or(usize::MAX);
        for undo in self.undo.iter().skip(skip).rev() {
            match *undo {
                Undo::Account(address, info) => drop(past.accounts.insert(address, info)),
                Undo::Slot(address, key, value) => drop(past.slots.insert((address, key), value)),
            }
        }
        past
    }

    /// Gives up the ability to go back before `position`.
    pub(crate) fn forget(&mut self, position: u64) {
        let count = position
            .saturating_sub(self.forgotten)
            .min(self.undo.len() as u64);
        self.undo.drain(..usize::try_from(count).unwrap_or(0));
        self.forgotten += count;
    }
}

#[cfg(test)]
impl State {
    /// Everything in it, in an order of its own.
    pub(crate) fn describe(&self) -> String {
        use std::collections::BTreeMap;
        let accounts: BTreeMap<_, _> = self.accounts.iter().collect();
        let slots = |slots: &U256Map<U256>| -> BTreeMap<_, _> {
            slots.iter().map(|(key, value)| (*key, *value)).collect()
        };
        let storage = self.storage.iter();
        let storage: BTreeMap<_, _> = storage.map(|(owner, all)| (owner, slots(all))).collect();
        format!("{accounts:?}{storage:?}")
    }
}

/// Another moment, older or not yet come, as its differences from the head.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    pub(crate) accounts: AddressMap<Option<Info>>,
    pub(crate) slots: HashMap<(Address, U256), U256>,
    pub(crate) codes: B256Map<Bytecode>,
}

impl Difference {
    /// What the head would be after `changes`.
    pub(crate) fn after(changes: &[Change]) -> Self {
        let mut difference = Self::default();
        for change in changes {
            difference.add(change);
        }
        difference
    }

    fn add(&mut self, change: &Change) {
        match change {
            Change::Account(address, info) => {
                self.accounts.insert(*address, Some(*info));
            }
            Change::Slot(address, key, value) => {
                self.slots.insert((*address, *key), *value);
            }
            // What a transaction destroys it has created itself (EIP-6780), or was empty: no
            // older storage is left behind.
            Change::Destroyed(address) => {
                self.accounts.insert(*address, None);
                self.slots.retain(|(owner, _), _| owner != address);
            }
            Change::Code(code) => {
                let code = Bytecode::new_raw(code.clone());
                self.codes.insert(code.hash_slow(), code);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Address = Address::repeat_byte(0xaa);

    fn rich(balance: u64) -> Info {
        Info {
            balance: U256::from(balance),
            ..Info::default()
        }
    }

    #[test]
    fn past_and_rewind_agree() {
        let mut state = State::default();
        let key = U256::from(7);
        state.apply(&Change::Account(A, rich(1)));
        state.apply(&Change::Slot(A, key, U256::from(10)));
        let then = state.position();
        state.apply(&Change::Account(A, rich(2)));
        state.apply(&Change::Slot(A, key, U256::from(20)));
        state.apply(&Change::Destroyed(A));
        assert_eq!(state.account(&A), None);
        let past = state.past(then);
        assert_eq!(past.accounts[&A], Some(rich(1)));
        assert_eq!(past.slots[&(A, key)], U256::from(10));
        state.rewind(then);
        assert_eq!(state.account(&A), Some(rich(1)));
        assert_eq!(state.slot(&A, &key), U256::from(10));
        assert_eq!(state.position(), then);
    }

    #[test]
    fn forgetting_bounds_the_undo_list() {
        let mut state = State::default();
        for balance in 0..10 {
            state.apply(&Change::Account(A, rich(balance)));
        }
        let position = state.position();
        state.forget(position - 2);
        assert_eq!(state.position(), position);
        assert!(state.reaches(position - 2) && !state.reaches(position - 3));
        assert_eq!(state.past(position - 2).accounts[&A], Some(rich(7)));
    }
}
