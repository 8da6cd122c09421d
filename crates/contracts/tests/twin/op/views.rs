//! Questions, with answers for every argument.
use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::sol_types::SolCall;
use contracts::Hub;

use super::{Gen, Make};
use crate::step::Step;

pub(super) const OPS: &[(u64, &str, Make)] = &[
    (10, "view", view),
    (3, "view of an entry", view_entry),
    (3, "view of something else", view_other),
];

/// Functions that take no argument.
pub(crate) const CONSTANTS: [[u8; 4]; 22] = [
    Hub::nameCall::SELECTOR,
    Hub::symbolCall::SELECTOR,
    Hub::decimalsCall::SELECTOR,
    Hub::totalSupplyCall::SELECTOR,
    Hub::tokenCall::SELECTOR,
    Hub::ownerCall::SELECTOR,
    Hub::domainCall::SELECTOR,
    Hub::eip712domain_separatorCall::SELECTOR,
    Hub::countCategoryCall::SELECTOR,
    Hub::appregistryCall::SELECTOR,
    Hub::datasetregistryCall::SELECTOR,
    Hub::workerpoolregistryCall::SELECTOR,
    Hub::teebrokerCall::SELECTOR,
    Hub::callbackgasCall::SELECTOR,
    Hub::contribution_deadline_ratioCall::SELECTOR,
    Hub::reveal_deadline_ratioCall::SELECTOR,
    Hub::final_deadline_ratioCall::SELECTOR,
    Hub::workerpool_stake_ratioCall::SELECTOR,
    Hub::kitty_ratioCall::SELECTOR,
    Hub::kitty_minCall::SELECTOR,
    Hub::kitty_addressCall::SELECTOR,
    Hub::groupmember_purposeCall::SELECTOR,
];

/// Functions of a task, a deal, an order or a category: of one word.
const WORDS: [[u8; 4]; 12] = [
    Hub::viewDealCall::SELECTOR,
    Hub::viewTaskCall::SELECTOR,
    Hub::viewConsumedCall::SELECTOR,
    Hub::viewPresignedCall::SELECTOR,
    Hub::resultForCall::SELECTOR,
    Hub::viewCategoryCall::SELECTOR,
    Hub::viewDealABILegacy_pt1Call::SELECTOR,
    Hub::viewDealABILegacy_pt2Call::SELECTOR,
    Hub::viewConfigABILegacyCall::SELECTOR,
    Hub::viewTaskABILegacyCall::SELECTOR,
    Hub::viewCategoryABILegacyCall::SELECTOR,
    Hub::viewAccountCall::SELECTOR,
];

/// Of an account.
const ACCOUNTS: [[u8; 4]; 5] = [
    Hub::viewAccountCall::SELECTOR,
    Hub::viewAccountABILegacyCall::SELECTOR,
    Hub::balanceOfCall::SELECTOR,
    Hub::frozenOfCall::SELECTOR,
    Hub::viewScoreCall::SELECTOR,
];

const ENTRIES: [[u8; 4]; 3] = [
    Hub::viewAppCall::SELECTOR,
    Hub::viewDatasetCall::SELECTOR,
    Hub::viewWorkerpoolCall::SELECTOR,
];

pub(crate) fn ask(selector: [u8; 4], words: &[B256]) -> Bytes {
    let words = words.iter().flat_map(|word| word.0);
    selector.into_iter().chain(words).collect::<Vec<_>>().into()
}

fn view(g: &mut Gen<'_>) -> Step {
    let data = match g.dice.below(4) {
        0 => {
            let selector = g.dice.pick(&CONSTANTS);
            ask(selector, &[])
        }
        1 => {
            let (selector, account) = (g.dice.pick(&ACCOUNTS), g.anyone());
            ask(selector, &[account.into_word()])
        }
        2 => {
            let (selector, word) = (g.dice.pick(&WORDS), g.word());
            ask(selector, &[word])
        }
        _ => view_pair(g),
    };
    let from = g.sender();
    Step::raw(from, g.hub(), data)
}

/// Of a task and a worker, or of two accounts.
fn view_pair(g: &mut Gen<'_>) -> Bytes {
    let selectors = [
        Hub::viewContributionCall::SELECTOR,
        Hub::viewContributionABILegacyCall::SELECTOR,
    ];
    let worker = g.anyone().into_word();
    if g.dice.chance(20) {
        let spender = g.anyone().into_word();
        return ask(Hub::allowanceCall::SELECTOR, &[worker, spender]);
    }
    let (selector, task) = (g.dice.pick(&selectors), g.task_id());
    ask(selector, &[task, worker])
}

impl Gen<'_> {
    fn word(&mut self) -> B256 {
        match self.dice.below(5) {
            0 => self.task_id(),
            1 => self.deal_id(),
            2 => self.order_hash(),
            3 => B256::from(U256::from(self.dice.below(30))),
            _ => self.dice.word(),
        }
    }
}

/// Of assets, of contracts that are none, and of nothing.
fn view_entry(g: &mut Gen<'_>) -> Step {
    let kind = g.dice.index(3);
    let entry: Address = g.entry(kind);
    let from = g.sender();
    Step::raw(from, g.hub(), ask(ENTRIES[kind], &[entry.into_word()]))
}

/// A question to the wrong kind of thing.
fn view_other(g: &mut Gen<'_>) -> Step {
    let selectors = [WORDS.as_slice(), &ACCOUNTS, &ENTRIES].concat();
    let (selector, word) = (g.dice.pick(&selectors), g.word());
    let from = g.sender();
    Step::raw(from, g.hub(), ask(selector, &[word]))
}
