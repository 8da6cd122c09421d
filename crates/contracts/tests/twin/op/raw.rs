//! Calls that no client makes: of other steps with something broken, or of nothing at all.
use alloy::primitives::{Bytes, U256};

use super::{Gen, Make, Table};
use crate::step::Step;

pub(super) const OPS: &[(u64, &str, Make)] = &[
    (14, "broken call", broken),
    (2, "unknown function", unknown),
    (1, "empty call", empty),
    (2, "coins without a reason", coins),
];

/// Any call to the hub, but for some bytes.
fn broken(g: &mut Gen<'_>) -> Step {
    let table: Table = super::table(g.mode)
        .into_iter()
        .filter(|(_, (name, _))| !NOT_BROKEN.contains(name))
        .collect();
    let mut step = g.step(&table);
    step.offers.clear();
    let hub = g.hub();
    if let Some(tx) = step.tx_mut().filter(|tx| tx.to == hub) {
        tx.data = g.damage(&tx.data);
    }
    step
}

/// Those that are this themselves, and those of the registries, which have their own.
const NOT_BROKEN: [&str; 4] = ["broken call", "unknown function", "empty call", "wait"];

impl Gen<'_> {
    pub(super) fn damage(&mut self, data: &Bytes) -> Bytes {
        let mut data = data.to_vec();
        let words = (data.len().saturating_sub(4)) / 32;
        if words == 0 {
            data.push(self.dice.next() as u8);
            return data.into();
        }
        let at = 4 + 32 * self.dice.index(words);
        match self.dice.below(9) {
            0 => data.truncate(4 + self.dice.index(data.len() - 4)),
            1 => data.truncate(at),
            2 => data[at] ^= 1 << self.dice.below(8),
            3 => data[at + 11] ^= 1,
            4 => data[at..at + 32].fill(0),
            5 => data[at..at + 32].fill(0xff),
            6 => data[at + 31] ^= 1 << self.dice.below(8),
            7 => data.extend_from_slice(&self.dice.bytes(33)),
            _ => {
                let byte = 4 + self.dice.index(data.len() - 4);
                data[byte] ^= 1 << self.dice.below(8);
            }
        }
        data.into()
    }
}

fn unknown(g: &mut Gen<'_>) -> Step {
    let length = g.dice.pick(&[1, 2, 3, 4, 4, 36, 68]);
    let (from, data) = (g.sender(), g.dice.bytes(length));
    Step::raw(from, g.hub(), data)
}

fn empty(g: &mut Gen<'_>) -> Step {
    let from = g.rich();
    Step::raw(from, g.hub(), Bytes::new())
}

/// To a function that takes none, from somebody who has some.
fn coins(g: &mut Gen<'_>) -> Step {
    let call = contracts::Hub::transferCall {
        to: g.receiver(),
        value: g.amount(),
    };
    let from = g.rich();
    Step::new(from, g.hub(), &call).with_value(U256::from(1))
}
