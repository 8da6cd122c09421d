//! Lists of tokens, compared with plain vectors that follow the rules of ERC721Enumerable.
use std::collections::BTreeMap;

use alloy::primitives::{Address, U256};
use contracts::WorkerpoolRegistry;

use crate::stage::{Stage, id};

const ALICE: Address = Address::repeat_byte(0xa1);
const BOB: Address = Address::repeat_byte(0xb0);
const CAROL: Address = Address::repeat_byte(0xca);
const EVERYBODY: [Address; 3] = [ALICE, BOB, CAROL];

/// A generator that needs no crate: the constants of Knuth's MMIX.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn somebody(&mut self) -> Address {
        EVERYBODY[self.below(EVERYBODY.len())]
    }
}

/// A registry of workerpools and what it should say.
struct Model {
    stage: Stage,
    registry: Address,
    all: Vec<U256>,
    owned: BTreeMap<Address, Vec<U256>>,
}

impl Model {
    fn new() -> Self {
        let stage = Stage::new();
        let pool = id(stage.pool);
        Self {
            registry: stage.at.workerpool_registry,
            all: vec![pool],
            owned: BTreeMap::from([(stage.scheduler.address(), vec![pool])]),
            stage,
        }
    }

    fn mint(&mut self, owner: Address) {
        let call = WorkerpoolRegistry::createWorkerpoolCall {
            _workerpoolOwner: owner,
            _workerpoolDescription: self.all.len().to_string(),
        };
        let token = id(self
            .stage
            .chain
            .act(Address::ZERO, self.registry, &call)
            .value);
        self.all.push(token);
        self.owned.entry(owner).or_default().push(token);
    }

    /// Sells the token at a place of the owner's list; the last one takes its place.
    fn transfer(&mut self, from: Address, place: usize, to: Address) {
        let list = self.owned.get_mut(&from).unwrap();
        let token = list[place];
        if from != to {
            list.swap_remove(place);
            self.owned.entry(to).or_default().push(token);
        }
        let call = WorkerpoolRegistry::transferFromCall {
            from,
            to,
            tokenId: token,
        };
        self.stage.chain.act(from, self.registry, &call);
    }

    fn transfer_any(&mut self, dice: &mut Dice) {
        let (from, to) = (dice.somebody(), dice.somebody());
        let count = self.owned.get(&from).map_or(0, Vec::len);
        if count > 0 && from != to {
            self.transfer(from, dice.below(count), to);
        }
    }

    fn check(&mut self) {
        let chain = &mut self.stage.chain;
        let supply = chain.read(self.registry, &WorkerpoolRegistry::totalSupplyCall {});
        assert_eq!(supply, U256::from(self.all.len()));
        for (index, token) in self.all.iter().enumerate() {
            let index = U256::from(index);
            let call = WorkerpoolRegistry::tokenByIndexCall { index };
            assert_eq!(chain.read(self.registry, &call), *token);
        }
        for (&owner, list) in &self.owned {
            let call = WorkerpoolRegistry::balanceOfCall { owner };
            let balance = chain.read(self.registry, &call);
            assert_eq!(balance, U256::from(list.len()));
            for (index, &token) in list.iter().enumerate() {
                let index = U256::from(index);
                let call = WorkerpoolRegistry::tokenOfOwnerByIndexCall { owner, index };
                assert_eq!(chain.read(self.registry, &call), token);
                let call = WorkerpoolRegistry::ownerOfCall { tokenId: token };
                assert_eq!(chain.read(self.registry, &call), owner);
            }
        }
    }
}

#[test]
fn lists_follow_every_sale() {
    let mut dice = Dice(1);
    let mut model = Model::new();
    for _ in 0..60 {
        let owner = dice.somebody();
        model.mint(owner);
        if dice.below(3) == 0 {
            model.transfer_any(&mut dice);
        }
    }
    model.check();
    let longest = model.owned.values().map(Vec::len).max().unwrap();
    assert!(longest > 16, "lists of three words are worth testing");
    for round in 0..200 {
        model.transfer_any(&mut dice);
        if round % 10 == 0 {
            model.check();
        }
    }
    model.check();
}

/// Lists grow and shrink across the boundaries of words, from the front and from the back.
#[test]
fn a_list_empties_and_fills_again() {
    let mut model = Model::new();
    for _ in 0..20 {
        model.mint(ALICE);
    }
    for left in (0..20).rev() {
        model.transfer(ALICE, if left % 2 == 0 { left } else { 0 }, BOB);
        model.check();
    }
    assert!(model.owned[&ALICE].is_empty());
    for _ in 0..20 {
        model.transfer(BOB, 0, ALICE);
    }
    model.check();
    model.mint(ALICE);
    model.check();
}

/// As in 6.2.0; in 6.1.0 the token went to the end of the list.
#[test]
fn a_sale_to_oneself_changes_no_list() {
    let mut model = Model::new();
    for _ in 0..10 {
        model.mint(ALICE);
    }
    for place in [0, 3, 9] {
        model.transfer(ALICE, place, ALICE);
    }
    model.check();
}

#[test]
fn there_is_nothing_beyond_a_list() {
    let mut model = Model::new();
    for _ in 0..8 {
        model.mint(ALICE);
    }
    let registry = model.registry;
    let chain = &mut model.stage.chain;
    for (owner, count) in [(ALICE, 8_u64), (BOB, 0)] {
        let index = U256::from(count);
        let call = WorkerpoolRegistry::tokenOfOwnerByIndexCall { owner, index };
        let refused = chain.refuse(BOB, registry, &call);
        assert_eq!(refused, out_of_bounds(owner, index));
    }
    let index = U256::from(9);
    let call = WorkerpoolRegistry::tokenByIndexCall { index };
    let refused = chain.refuse(BOB, registry, &call);
    assert_eq!(refused, out_of_bounds(Address::ZERO, index));
    let huge = U256::MAX;
    let call = WorkerpoolRegistry::tokenOfOwnerByIndexCall {
        owner: ALICE,
        index: huge,
    };
    let refused = chain.refuse(BOB, registry, &call);
    assert_eq!(refused, out_of_bounds(ALICE, huge));
}

fn out_of_bounds(owner: Address, index: U256) -> String {
    crate::chain::error(&WorkerpoolRegistry::ERC721OutOfBoundsIndex { owner, index })
}

/// The number of contracts a registry has made takes two bytes from the 127th entry on.
#[test]
fn many_entries_are_found() {
    let mut model = Model::new();
    for number in 1..310 {
        model.mint(EVERYBODY[number % 3]);
    }
    model.check();
    let stage = &mut model.stage;
    for (number, token) in model.all.iter().enumerate().skip(1) {
        let call = contracts::Workerpool::m_workerpoolDescriptionCall {};
        let pool = Address::from_word((*token).into());
        assert_eq!(stage.chain.read(pool, &call), number.to_string());
    }
}
