//! Everything anybody can do, and how often it happens.
use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::sol_types::{SolStruct, SolValue};

use crate::cast::Cast;
use crate::dice::Dice;
use crate::known::{Deal, Known, Task};
use crate::mocks;
use crate::orders::Order;
use crate::step::Step;
use crate::world::Mode;

mod boost;
mod config;
mod escrow;
mod matching;
mod native;
mod orders;
mod raw;
mod registries;
mod spoil;
mod tasks;
mod verify;
mod views;

pub(crate) use boost::view_deal as view_deal_boost;
pub(crate) use registries::predict;
pub(crate) use spoil::CODES;
pub(crate) use views::{CONSTANTS, ask};

/// How a step is made.
pub(crate) type Make = fn(&mut Gen<'_>) -> Step;

/// What steps are made from.
pub(crate) struct Gen<'a> {
    pub(crate) dice: &'a mut Dice,
    pub(crate) cast: &'a Cast,
    pub(crate) known: &'a Known,
    pub(crate) mode: Mode,
}

/// Operations with their weights.
pub(crate) type Table = Vec<(u64, (&'static str, Make))>;

pub(crate) fn table(mode: Mode) -> Table {
    let mut table = Vec::new();
    let mut add = |ops: &[(u64, &'static str, Make)]| {
        table.extend(
            ops.iter()
                .map(|&(weight, name, make)| (weight, (name, make))),
        );
    };
    add(if mode.is_native() {
        native::OPS
    } else {
        escrow::TOKEN_OPS
    });
    if mode == Mode::Boost {
        add(boost::OPS);
    }
    add(escrow::OPS);
    add(orders::OPS);
    add(verify::OPS);
    add(matching::OPS);
    add(tasks::OPS);
    add(config::OPS);
    add(registries::OPS);
    add(views::OPS);
    add(raw::OPS);
    table
}

impl Gen<'_> {
    pub(crate) fn step(&mut self, table: &Table) -> Step {
        let away = self.known.registries[0] != self.known.places.common[0];
        if away && self.dice.chance(25) {
            return config::bring_back(self);
        }
        let (name, make) = *self.dice.weighted(table);
        let mut step = make(self);
        if step.name.is_empty() {
            step.name = name;
        }
        self.spare_the_hub(&mut step);
        step
    }

    /// Nobody has the key of the hub, and its nonce, which a transaction would use up, says where
    /// its next contract is.
    fn spare_the_hub(&mut self, step: &mut Step) {
        let stranger = self.stranger();
        if let Some(tx) = step
            .tx_mut()
            .filter(|tx| tx.from == self.known.places.at.hub)
        {
            tx.from = stranger;
        }
    }

    fn hub(&self) -> Address {
        self.known.places.at.hub
    }

    fn token(&self) -> Address {
        self.known.places.at.token
    }

    fn rich(&mut self) -> Address {
        let rich = self.cast.rich();
        self.dice.pick(&rich)
    }

    fn anyone(&mut self) -> Address {
        let all = self.cast.all();
        self.dice.pick(&all)
    }

    /// The one who may, or sometimes somebody else.
    fn mostly(&mut self, account: Address) -> Address {
        if self.dice.chance(85) {
            account
        } else {
            self.sender()
        }
    }

    fn sender(&mut self) -> Address {
        self.anyone()
    }

    fn stranger(&mut self) -> Address {
        self.dice.pick(&self.cast.strangers)
    }

    /// Somebody to receive something: sometimes the hub, the kitty, a contract or nobody.
    fn receiver(&mut self) -> Address {
        match self.dice.below(20) {
            0 => self.hub(),
            1 => crate::known::KITTY,
            2 => Address::ZERO,
            3..7 => self.anyone(),
            _ => self.rich(),
        }
    }

    /// Mostly affordable.
    fn amount(&mut self) -> U256 {
        match self.dice.below(24) {
            0 => U256::ZERO,
            1 => self.dice.huge(),
            2..6 => U256::from(self.dice.below(10)),
            6..10 => U256::from(self.dice.below(100_000_000_000_000)),
            _ => U256::from(self.dice.below(1_000_000_000)),
        }
    }

    fn bytes(&mut self) -> Bytes {
        let length = self.dice.pick(&[0, 1, 31, 32, 33, 64, 100, 200]);
        self.dice.bytes(length)
    }

    /// Also of several words, and of none.
    fn text(&mut self) -> String {
        let length = self.dice.pick(&[0, 1, 5, 31, 32, 33, 70, 139]);
        (0..length)
            .map(|_| char::from(b'a' + self.dice.below(26) as u8))
            .collect()
    }

    fn deal(&mut self) -> Option<Deal> {
        self.dice.recent(&self.known.deals)
    }

    /// Mostly one that has not ended.
    fn task(&mut self) -> Option<Task> {
        let open = self.dice.recent(&self.known.open);
        match open.filter(|_| self.dice.chance(85)) {
            Some(index) => Some(self.known.tasks[index].clone()),
            None => self.dice.recent(&self.known.tasks),
        }
    }

    /// Its id, or something else.
    fn task_id(&mut self) -> B256 {
        match self.task() {
            Some(task) if self.dice.chance(97) => task.id,
            _ => self.dice.word(),
        }
    }

    fn deal_id(&mut self) -> B256 {
        match self.deal() {
            Some(deal) if self.dice.chance(97) => deal.id,
            _ => self.dice.word(),
        }
    }

    fn order_hash(&mut self) -> B256 {
        let known = self.dice.recent(&self.known.hashes);
        let random = self.dice.word();
        known.unwrap_or(random)
    }

    /// Something with an `owner()`, or not.
    fn entry(&mut self, kind: usize) -> Address {
        match self.dice.below(12) {
            0 => self.anyone(),
            1 => {
                let other = self.dice.index(3);
                self.dice
                    .find(&self.known.entries[other])
                    .unwrap_or_default()
            }
            _ => self
                .dice
                .find(&self.known.entries[kind])
                .unwrap_or_default(),
        }
    }

    /// What is signed for a typed structure of the hub.
    fn digest(&self, typed: &impl SolStruct) -> B256 {
        typed_data(self.known.separator, typed)
    }

    /// Signs an order in the name of an account.
    fn sign(&mut self, account: Address, order: &mut impl Order) {
        let hash = self.digest(&order.typed());
        let signature = self.cast.sign(self.dice, account, hash);
        order.sign(signature);
    }

    /// Puts something else where the signature of an account belongs.
    fn forge(&mut self, account: Address, order: &mut impl Order) {
        let hash = self.digest(&order.typed());
        let signature = self.cast.forge(self.dice, account, hash);
        order.sign(signature);
    }

    /// A contract or an account without code that stands for a group without `member`.
    fn foreign_group(&mut self) -> Address {
        let groups = [
            mocks::ZERO,
            mocks::REVERTS,
            mocks::REVERTS_WITH_DATA,
            mocks::NOTHING,
            mocks::SHORT,
            mocks::SILENT,
            mocks::TWO,
        ];
        if self.dice.chance(25) {
            return self.stranger();
        }
        self.dice.pick(&groups)
    }
}

pub(crate) fn typed_data(separator: B256, typed: &impl SolStruct) -> B256 {
    let hash = typed.eip712_hash_struct();
    keccak256(
        [
            [0x19, 0x01].as_slice(),
            separator.as_slice(),
            hash.as_slice(),
        ]
        .concat(),
    )
}

pub(crate) fn task_id(deal: B256, index: U256) -> B256 {
    keccak256((deal, index).abi_encode_packed())
}
