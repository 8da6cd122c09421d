use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const PATIENCE: u64 = 15_000;

fn offer(hash: u64, most: u128) -> Offer {
    Offer {
        hash: B256::from(alloy::primitives::U256::from(hash)),
        raw: Bytes::new(),
        fees: Fees::Legacy { price: most },
    }
}

fn entry(intent: u8) -> Entry {
    Entry::new(
        B256::repeat_byte(intent),
        offer(u64::from(intent), 100),
        500,
    )
}

fn sight(latest: u64, pending: u64, head: u64, now: u64) -> Sight {
    Sight {
        latest,
        pending,
        head,
        now,
    }
}

/// Nonces 5 to 7, handed over at time 0 and block 100.
fn three() -> Queue {
    let mut queue = Queue::default();
    for nonce in 5..8 {
        let mut entry = entry(u8::try_from(nonce).unwrap());
        entry.tried = Some(0);
        queue.insert(nonce, entry, 0, 100);
    }
    queue
}

fn price(base_fee: u128) -> Prices {
    Prices {
        base_fee: Some(base_fee),
        gas_price: base_fee,
    }
}

#[test]
fn nonces_follow_each_other_and_a_refused_one_is_used_again() {
    let mut queue = three();
    assert_eq!(queue.next(100), Some(8));
    queue.give_back(8);
    assert_eq!(queue.next(101), Some(8));
    queue.reset();
    assert_eq!(
        (queue.next(101), queue.free(5), queue.free(2)),
        (None, 8, 2)
    );
}

#[test]
fn a_chain_that_became_shorter_is_asked_for_its_nonce() {
    let mut queue = three();
    assert_eq!(queue.next(100), Some(8));
    assert_eq!(queue.next(90), None);
}

#[test]
fn a_hole_below_what_waits_is_filled_first() {
    let mut queue = three();
    assert_eq!(queue.next(100), Some(8));
    queue.look(sight(3, 3, 100, 0), PATIENCE);
    assert_eq!(queue.next(100), None);
    assert_eq!(queue.free(3), 3);
}

#[test]
fn what_is_mined_is_watched_for_ten_blocks() {
    let mut queue = three();
    assert_eq!(queue.look(sight(7, 8, 101, 10), PATIENCE), []);
    assert!(queue.entries[&6].is_mined() && queue.is_waiting());
    assert_eq!(queue.look(sight(8, 8, 110, 20), PATIENCE), []);
    let acts = queue.look(sight(8, 8, 111, 30), PATIENCE);
    assert_eq!(acts, [Act::Forget(5), Act::Forget(6)]);
    assert!(!queue.is_waiting());
}

#[test]
fn a_reorganisation_that_takes_it_back_is_answered_with_the_same_bytes() {
    let mut queue = three();
    assert_eq!(queue.look(sight(8, 8, 101, 10), PATIENCE), []);
    let acts = queue.look(sight(6, 6, 101, 20), PATIENCE);
    assert_eq!(acts, [Act::Resend(6), Act::Resend(7)]);
    // mined again, it must be ten blocks deep from there
    assert_eq!(queue.look(sight(8, 8, 105, 30), PATIENCE), []);
    let acts = queue.look(sight(8, 8, 112, 40), PATIENCE);
    assert_eq!(acts, [Act::Forget(5)]);
}

#[test]
fn a_node_that_forgot_gets_it_again_but_not_all_the_time() {
    let mut queue = three();
    assert_eq!(queue.look(sight(5, 6, 100, 4_999), PATIENCE), []);
    let acts = queue.look(sight(5, 6, 100, 5_000), PATIENCE);
    assert_eq!(acts, [Act::Resend(6), Act::Resend(7)]);
    for nonce in [6, 7] {
        queue.entry(nonce).unwrap().tried = Some(5_000);
    }
    assert_eq!(queue.look(sight(5, 6, 100, 9_999), PATIENCE), []);
}

#[test]
fn what_no_node_was_given_goes_at_once() {
    let mut queue = Queue::default();
    queue.restore(5, entry(5));
    queue.restore(6, entry(6));
    let acts = queue.look(sight(6, 6, 100, 0), PATIENCE);
    assert_eq!(acts, [Act::Resend(6)]);
}

#[test]
fn the_first_that_waits_is_made_dearer_when_blocks_came_without_it() {
    let mut queue = three();
    let now = sight(5, 8, 103, PATIENCE);
    let acts = queue.look(now, PATIENCE);
    assert_eq!(acts, [Act::Raise(5), Act::Raise(6), Act::Raise(7)]);
    let dearer = Some(Fees::Legacy { price: 125 });
    assert_eq!(queue.raised(5, price(0), now), dearer);
    assert_eq!(queue.raised(6, price(0), now), None);
    assert_eq!(queue.raised(7, price(0), now), None);
    // and all have their time again
    assert_eq!(queue.look(sight(5, 8, 110, PATIENCE + 1), PATIENCE), []);
}

#[test]
fn without_blocks_only_what_is_too_cheap_is_made_dearer() {
    let mut queue = three();
    let now = sight(5, 8, 102, PATIENCE);
    queue.look(now, PATIENCE);
    assert_eq!(queue.raised(5, price(100), now), None);
    let (most, tip) = (240, 125);
    let dearer = Some(Fees::Dynamic { most, tip });
    assert_eq!(queue.raised(6, price(120), now), dearer);
    assert_eq!(queue.raised(7, price(9_000), now).unwrap().most(), 500);
}

#[test]
fn too_many_to_watch_are_given_up_from_the_oldest() {
    let mut queue = Queue::default();
    let many = WATCHED_MAX as u64 + 2;
    for nonce in 0..many {
        queue.insert(nonce, entry(1), 0, 100);
    }
    let acts = queue.look(sight(many, many, 100, 0), PATIENCE);
    assert_eq!(acts, [Act::Forget(0), Act::Forget(1)]);
}

/// What happens to a world of one wallet.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// The next intent is handed to a node that takes it.
    Send,
    /// A node that refuses it.
    Refuse,
    /// A node that has it or not, but does not answer.
    Silence(bool),
    /// A block.
    Mine,
    /// Blocks are replaced by empty ones, transactions return to the node or do not.
    Reorg(u64, bool),
    /// The node loses what waits.
    Forget,
    /// Our process ends and begins again.
    Restart,
    Look,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Send),
        1 => Just(Fate::Refuse),
        1 => any::<bool>().prop_map(Fate::Silence),
        5 => Just(Fate::Mine),
        1 => (1..=WATCH_BLOCKS, any::<bool>()).prop_map(|(depth, back)| Fate::Reorg(depth, back)),
        1 => Just(Fate::Forget),
        1 => Just(Fate::Restart),
        4 => Just(Fate::Look),
    ]
}

#[derive(Default)]
struct World {
    queue: Queue,
    /// What is written down of every transaction before it is sent.
    journal: BTreeMap<u64, Entry>,
    /// By nonce: the block and what was mined.
    mined: Vec<(u64, B256)>,
    waiting: BTreeMap<u64, B256>,
    head: u64,
    now: u64,
    intents: u64,
}

impl World {
    fn pending(&self) -> u64 {
        let next = self.mined.len() as u64;
        let mut run = (next..).take_while(|nonce| self.waiting.contains_key(nonce));
        run.by_ref().last().map_or(next, |last| last + 1)
    }

    fn take(&mut self, nonce: u64) {
        let hash = self.journal[&nonce].offers[0].hash;
        if nonce >= self.mined.len() as u64 {
            self.waiting.insert(nonce, hash);
        }
    }

    /// One transaction for the next intent; true if the queue has it.
    fn send(&mut self, is_refused: bool, arrives: bool, answers: bool) {
        let pending = self.pending();
        let next = self.queue.next(self.head);
        let nonce = next.unwrap_or_else(|| self.queue.free(pending));
        let mut entry = Entry::new(B256::ZERO, offer(self.intents, 100), 500);
        self.journal.insert(nonce, entry.clone());
        if is_refused {
            self.journal.remove(&nonce);
            return self.queue.give_back(nonce);
        }
        self.intents += 1;
        entry.tried = answers.then_some(self.now);
        self.queue.insert(nonce, entry, self.now, self.head);
        if arrives {
            self.take(nonce);
        }
    }

    fn mine(&mut self) {
        self.head += 1;
        while let Some(hash) = self.waiting.remove(&(self.mined.len() as u64)) {
            self.mined.push((self.head, hash));
        }
    }

    fn reorg(&mut self, depth: u64, come_back: bool) {
        let kept = self.head.saturating_sub(depth);
        let count = self.mined.partition_point(|(block, _)| *block <= kept);
        for (nonce, (_, hash)) in (count as u64..).zip(self.mined.drain(count..)) {
            if come_back {
                self.waiting.insert(nonce, hash);
            }
        }
        // what is not noticed between two looks is not claimed to be survived
        self.look();
    }

    fn look(&mut self) {
        self.now += 6_000;
        let sight = sight(self.mined.len() as u64, self.pending(), self.head, self.now);
        for act in self.queue.look(sight, PATIENCE) {
            match act {
                Act::Resend(nonce) => {
                    self.take(nonce);
                    self.queue.entry(nonce).unwrap().tried = Some(self.now);
                }
                Act::Raise(_) => {}
                Act::Forget(nonce) => {
                    self.queue.remove(nonce);
                    self.journal.remove(&nonce);
                }
            }
        }
    }

    fn meet(&mut self, fate: Fate) {
        match fate {
            Fate::Send => self.send(false, true, true),
            Fate::Refuse => self.send(true, false, true),
            Fate::Silence(arrives) => self.send(false, arrives, false),
            Fate::Mine => self.mine(),
            Fate::Reorg(depth, come_back) => self.reorg(depth, come_back),
            Fate::Forget => self.waiting.clear(),
            Fate::Look => self.look(),
            Fate::Restart => {
                self.queue = Queue::default();
                for (nonce, entry) in &self.journal {
                    self.queue.restore(*nonce, entry.clone());
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn every_intent_is_mined_once_and_without_a_gap(
        fates in prop::collection::vec(fate(), 1..400),
    ) {
        let mut world = World::default();
        for fate in fates {
            world.meet(fate);
        }
        // left alone, everything comes to rest
        for _ in 0..WATCH_BLOCKS + 3 {
            world.look();
            world.mine();
        }
        world.look();
        prop_assert!(world.queue.is_empty(), "{:?}", world.queue);
        prop_assert_eq!(world.mined.len() as u64, world.intents);
        let hashes: BTreeSet<_> = world.mined.iter().map(|(_, hash)| *hash).collect();
        prop_assert_eq!(hashes.len() as u64, world.intents);
    }
}
