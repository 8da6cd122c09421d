//! Tasks that several workers have to agree on.

use protocol::{
    Address, B256, Bytes, Cause, TaskId,
    deal::TaskStatus,
    message::{Profile, Report},
    status::{
        ReplicateStatus::{self, *},
        TaskStage,
    },
};

use super::{
    CLAIM_BATCH_MAX, Command, Effect, Event, Hello, OVERDUE_MS, Rules, SETTLE_RETRY_MS, Settling,
    Terms, WORKER_GRACE_MS,
    tests::{ALICE, BOB, Pool, START, deal, id, rules, runs, sends, terms},
};

const CAROL: Address = Address::repeat_byte(0xc);
const DAVE: Address = Address::repeat_byte(0xd);
const GOOD: B256 = B256::repeat_byte(1);
const BAD: B256 = B256::repeat_byte(2);
const LINK: &str = "{ \"storage\": \"ipfs\", \"location\": \"/ipfs/Qm\" }";

fn trusting(trust: u64) -> Terms {
    Terms { trust, ..terms(1) }
}

/// A task of this trust, and these workers with a slot each.
fn pool(trust: u64, workers: &[Address]) -> Pool {
    let mut pool = Pool::new();
    for worker in workers {
        pool.online(*worker, 1, &[]);
    }
    pool.step(deal(trusting(trust)));
    pool.chain_says(id(0), TaskStatus::Active);
    pool
}

fn contributes(pool: &mut Pool, worker: Address, hash: B256) -> Vec<Effect> {
    let task = id(0);
    for status in [Started, Computing, Computed, Contributing] {
        pool.report(worker, task, status, None);
    }
    pool.step(Event::Contributed { task, worker, hash })
}

fn agreed(pool: &mut Pool, value: B256) -> Vec<Effect> {
    let task = id(0);
    pool.step(Event::Agreed { task, value })
}

fn revealed(pool: &mut Pool, worker: Address) -> Vec<Effect> {
    let task = id(0);
    pool.step(Event::Revealed { task, worker })
}

fn uploaded(pool: &mut Pool, worker: Address) -> Vec<Effect> {
    let mut report = Report::new(id(0), ResultUploaded);
    report.result_link = Some(LINK.into());
    pool.step(Event::Reported {
        worker,
        seq: 9,
        report,
    })
}

fn ordered(effects: &[Effect], command: &Command) -> Vec<Address> {
    let to = |e: &Effect| match e {
        Effect::Send {
            worker, command: c, ..
        } if c == command => Some(*worker),
        _ => None,
    };
    effects.iter().filter_map(to).collect()
}

fn finalize(task: TaskId) -> Effect {
    Effect::Finalize {
        task,
        results: LINK.into(),
        callback: Bytes::new(),
    }
}

fn last(pool: &Pool, worker: Address) -> ReplicateStatus {
    *pool.statuses(id(0), worker).last().unwrap()
}

#[test]
fn the_whole_way_of_trust_three() {
    let (mut pool, task) = (pool(3, &[ALICE, BOB, CAROL]), id(0));
    assert_eq!(
        pool.task(task).active_workers().count(),
        2,
        "two are enough"
    );
    let [one, two] = workers_at(&pool);
    contributes(&mut pool, one, GOOD);
    // One block has both: nobody else may be asked in between.
    let effects = pool.step(Event::Many(vec![
        Event::Contributed {
            task,
            worker: two,
            hash: GOOD,
        },
        Event::Agreed { task, value: GOOD },
    ]));
    assert!(runs(&effects).is_empty());
    assert_eq!(ordered(&effects, &Command::Reveal { task }), [one, two]);
    let effects = revealed(&mut pool, one);
    assert_eq!(ordered(&effects, &Command::Upload { task }), [one]);
    let effects = uploaded(&mut pool, one);
    assert!(
        !effects.contains(&finalize(task)),
        "the other may still reveal"
    );
    let effects = revealed(&mut pool, two);
    assert!(effects.contains(&finalize(task)));
    let effects = pool.chain_says(task, TaskStatus::Completed);
    assert_eq!(ordered(&effects, &Command::Complete { task }), [one, two]);
    assert!(effects.contains(&Effect::ReadScores(vec![one, two])));
    use TaskStage as Stage;
    let path = [
        Stage::Received,
        Stage::Initializing,
        Stage::Initialized,
        Stage::Running,
        Stage::ConsensusReached,
        Stage::AtLeastOneRevealed,
        Stage::ResultUploading,
        Stage::ResultUploaded,
        Stage::Finalizing,
        Stage::Finalized,
        Stage::Completed,
    ];
    assert_eq!(pool.stages(task), path);
    assert_eq!((last(&pool, one), last(&pool, two)), (Completed, Completed));
    for (_, worker) in pool.machine.workers_online() {
        assert!(worker.active.is_empty() && worker.holding.is_empty());
    }
}

fn workers_at(pool: &Pool) -> [Address; 2] {
    let workers: Vec<Address> = pool.task(id(0)).active_workers().collect();
    workers.try_into().unwrap()
}

#[test]
fn a_liar_calls_for_another_worker_at_once_and_is_told_the_end() {
    let (mut pool, task) = (pool(3, &[ALICE, BOB, CAROL, DAVE]), id(0));
    let [liar, honest] = workers_at(&pool);
    contributes(&mut pool, liar, BAD);
    let effects = contributes(&mut pool, honest, GOOD);
    // One wrong contribution at trust 3 takes three right ones (spec/contracts.md §12).
    assert_eq!(runs(&effects).len(), 2);
    for (worker, _) in runs(&effects) {
        contributes(&mut pool, worker, GOOD);
    }
    let effects = agreed(&mut pool, GOOD);
    assert_eq!(ordered(&effects, &Command::Reveal { task }).len(), 3);
    let winners: Vec<Address> = pool.task(task).winners().map(|c| c.worker).collect();
    for worker in winners {
        revealed(&mut pool, worker);
    }
    uploaded(&mut pool, honest);
    let effects = pool.chain_says(task, TaskStatus::Completed);
    let cause = Cause::ConsensusReached;
    assert_eq!(ordered(&effects, &Command::Abort { task, cause }), [liar]);
    assert_eq!(last(&pool, liar), Aborted);
}

#[test]
fn a_contribution_frees_the_slot() {
    let mut pool = pool(3, &[ALICE, BOB]);
    let effects = pool.step(Event::DealSeen {
        terms: std::sync::Arc::new(Terms {
            deal: protocol::DealId::repeat(2),
            ..trusting(1)
        }),
        chain: Vec::new(),
    });
    assert!(runs(&effects).is_empty(), "both are busy");
    let effects = contributes(&mut pool, ALICE, GOOD);
    assert_eq!(runs(&effects), [(ALICE, 0)]);
}

#[test]
fn a_worker_that_is_gone_is_replaced_but_its_contribution_counts() {
    let mut pool = pool(5, &[ALICE, BOB, CAROL, DAVE]);
    let at_it: Vec<Address> = pool.task(id(0)).active_workers().collect();
    assert_eq!(at_it.len(), 3);
    contributes(&mut pool, at_it[0], GOOD);
    pool.step(Event::WorkerOffline(at_it[0]));
    pool.step(Event::WorkerOffline(at_it[1]));
    let effects = pool.pass(WORKER_GRACE_MS);
    assert_eq!(
        runs(&effects).len(),
        1,
        "one for the one that had not contributed"
    );
    assert_eq!(last(&pool, at_it[0]), Contributed);
    assert_eq!(last(&pool, at_it[1]), WorkerLost);
}

#[test]
fn workers_of_one_owner_do_not_vouch_for_each_other() {
    let mut pool = Pool::new();
    let owned = |address, owner| {
        Event::WorkerOnline(Hello {
            address,
            name: String::new(),
            slots: 1,
            engine: String::new(),
            profile: Profile {
                owner: Some(owner),
                ..Profile::default()
            },
            busy: Vec::new(),
        })
    };
    pool.step(owned(ALICE, DAVE));
    pool.step(owned(BOB, DAVE));
    pool.step(deal(trusting(3)));
    assert_eq!(pool.task(id(0)).active_workers().count(), 1);
    let effects = pool.step(owned(CAROL, CAROL));
    assert_eq!(runs(&effects), [(CAROL, 0)]);
}

#[test]
fn a_gpu_task_waits_for_a_gpu_and_nothing_waits_behind_it() {
    let mut pool = Pool::new();
    pool.online(ALICE, 1, &[]);
    let mut bits = B256::ZERO;
    bits.0[30] = 1;
    let gpu = Terms {
        tag: protocol::Tag(bits),
        ..terms(1)
    };
    assert!(runs(&pool.step(deal(gpu))).is_empty());
    let other = Terms {
        deal: protocol::DealId::repeat(2),
        ..terms(1)
    };
    assert_eq!(runs(&pool.step(deal(other))), [(ALICE, 0)]);
    let effects = pool.step(Event::WorkerOnline(Hello {
        address: BOB,
        name: String::new(),
        slots: 1,
        engine: String::new(),
        profile: Profile {
            gpu: true,
            ..Profile::default()
        },
        busy: Vec::new(),
    }));
    assert_eq!(runs(&effects), [(BOB, 0)]);
}

#[test]
fn the_worker_that_has_the_image_goes_first() {
    let mut pool = Pool::new();
    let image = B256::repeat_byte(7);
    for (address, images) in [(ALICE, vec![]), (BOB, vec![image]), (CAROL, vec![])] {
        pool.step(Event::WorkerOnline(Hello {
            address,
            name: String::new(),
            slots: 1,
            engine: String::new(),
            profile: Profile {
                images,
                ..Profile::default()
            },
            busy: Vec::new(),
        }));
    }
    let wanted = Terms {
        checksum: image,
        ..terms(1)
    };
    assert_eq!(runs(&pool.step(deal(wanted))), [(BOB, 0)]);
}

#[test]
fn a_high_score_needs_fewer_workers() {
    let mut pool = Pool::new();
    for worker in [ALICE, BOB, CAROL] {
        pool.online(worker, 1, &[]);
    }
    pool.step(Event::Scored(vec![(BOB, 300)]));
    pool.step(deal(trusting(5)));
    let workers: Vec<Address> = pool.task(id(0)).active_workers().collect();
    assert_eq!(workers, [BOB], "a weight of 99 alone reaches trust 5");
}

#[test]
fn a_silent_winner_costs_only_time() {
    let (mut pool, task) = (pool(3, &[ALICE, BOB]), id(0));
    contributes(&mut pool, ALICE, GOOD);
    contributes(&mut pool, BOB, GOOD);
    agreed(&mut pool, GOOD);
    revealed(&mut pool, ALICE);
    let effects = uploaded(&mut pool, ALICE);
    assert!(!effects.contains(&finalize(task)));
    // Twice the category's time (spec/contracts.md §2).
    let effects = pool.pass(600_000);
    assert!(effects.contains(&finalize(task)));
    assert_eq!(last(&pool, BOB), RevealFailed);
}

#[test]
fn nobody_reveals_and_others_do_it_again() {
    let (mut pool, task) = (pool(3, &[ALICE, BOB]), id(0));
    contributes(&mut pool, ALICE, GOOD);
    contributes(&mut pool, BOB, GOOD);
    agreed(&mut pool, GOOD);
    let effects = pool.pass(600_000);
    assert!(effects.contains(&Effect::Reopen(task)));
    assert_eq!(pool.task(task).stage(), TaskStage::Reopening);
    pool.step(Event::Reopened(task));
    assert_eq!(pool.task(task).stage(), TaskStage::Reopened);
    let mut effects = pool.online(CAROL, 1, &[]);
    effects.extend(pool.online(DAVE, 1, &[]));
    assert_eq!(runs(&effects).len(), 2, "not those that kept silent");
    contributes(&mut pool, CAROL, GOOD);
    contributes(&mut pool, DAVE, GOOD);
    agreed(&mut pool, GOOD);
    revealed(&mut pool, CAROL);
    revealed(&mut pool, DAVE);
    assert!(uploaded(&mut pool, CAROL).contains(&finalize(task)));
}

#[test]
fn too_late_to_reopen_is_a_dead_task_that_gets_claimed() {
    let (mut pool, task) = (pool(3, &[ALICE, BOB]), id(0));
    pool.pass(1_800_000);
    contributes(&mut pool, ALICE, GOOD);
    contributes(&mut pool, BOB, GOOD);
    agreed(&mut pool, GOOD);
    let effects = pool.pass(600_000);
    assert!(!effects.contains(&Effect::Reopen(task)));
    assert_eq!(pool.task(task).stage(), TaskStage::Failed);
    assert_eq!(pool.cause(task), Some(Cause::RevealTimeout));
    let claim = Effect::Claim(vec![task]);
    assert!(!effects.contains(&claim));
    let effects = pool.pass(600_000);
    assert!(
        effects.contains(&claim),
        "the workers' stakes are locked in it"
    );
    pool.chain_says(task, TaskStatus::Failed);
    assert!(pool.task(task).is_closed());
}

#[test]
fn an_upload_that_fails_goes_to_another_winner() {
    let (mut pool, task) = (pool(3, &[ALICE, BOB]), id(0));
    contributes(&mut pool, ALICE, GOOD);
    contributes(&mut pool, BOB, GOOD);
    agreed(&mut pool, GOOD);
    revealed(&mut pool, ALICE);
    revealed(&mut pool, BOB);
    let cause = Some(Cause::ResultLinkMissing);
    pool.report(ALICE, task, ResultUploadFailed, cause);
    let effects = pool.pass(0);
    assert_eq!(ordered(&effects, &Command::Upload { task }), [BOB]);
    assert!(uploaded(&mut pool, BOB).contains(&finalize(task)));
}

#[test]
fn the_only_winner_left_is_asked_again() {
    let (mut pool, task) = (pool(3, &[ALICE, BOB]), id(0));
    contributes(&mut pool, ALICE, GOOD);
    contributes(&mut pool, BOB, GOOD);
    agreed(&mut pool, GOOD);
    revealed(&mut pool, ALICE);
    for _ in 0..3 {
        let cause = Some(Cause::ResultLinkMissing);
        pool.report(ALICE, task, ResultUploadFailed, cause);
        let effects = pool.pass(super::UPLOAD_RETRY_MS);
        assert_eq!(ordered(&effects, &Command::Upload { task }), [ALICE]);
    }
}

#[test]
fn one_word_against_the_app_is_not_enough_at_trust_three() {
    let (mut pool, task) = (pool(3, &[ALICE, BOB, CAROL]), id(0));
    let [one, two] = workers_at(&pool);
    let cause = Some(Cause::AppComputeFailed);
    let effects = pool.report(one, task, ComputeFailed, cause);
    assert_eq!(runs(&effects).len(), 1, "another worker tries it");
    assert!(!pool.task(task).is_final());
    pool.report(two, task, ComputeFailed, cause);
    assert_eq!(pool.task(task).stage(), TaskStage::Failed);
    assert_eq!(pool.cause(task), cause);
}

#[test]
fn a_worker_that_takes_too_long_gets_company() {
    let mut pool = pool(1, &[ALICE]);
    pool.online(BOB, 1, &[]);
    let effects = pool.pass(300_000 + OVERDUE_MS);
    assert_eq!(runs(&effects), [(BOB, 0)]);
    assert!(
        pool.machine.is_active(id(0), ALICE),
        "it may still be the first"
    );
}

#[test]
fn a_failed_finalization_is_looked_into_and_tried_again() {
    let (mut pool, task) = (pool(3, &[ALICE, BOB]), id(0));
    contributes(&mut pool, ALICE, GOOD);
    contributes(&mut pool, BOB, GOOD);
    agreed(&mut pool, GOOD);
    revealed(&mut pool, ALICE);
    revealed(&mut pool, BOB);
    uploaded(&mut pool, ALICE);
    let effects = pool.step(Event::SettleFailed {
        tasks: vec![task],
        what: Settling::Finalize,
        reason: "the node is away".into(),
    });
    assert!(effects.contains(&Effect::Check(vec![task])));
    let effects = pool.pass(SETTLE_RETRY_MS);
    assert!(effects.contains(&finalize(task)));
}

#[test]
fn dead_tasks_of_the_requester_are_claimed_in_batches_if_the_operator_says_so() {
    let mut pool = Pool::new();
    pool.machine = super::Machine::restore(Vec::new(), pool.now).with_rules(Rules {
        claims_for_requesters: true,
        ..rules()
    });
    let size = CLAIM_BATCH_MAX as u64 + 1;
    pool.step(deal(terms(size)));
    for index in 0..size {
        pool.chain_says(id(index), TaskStatus::Active);
    }
    pool.now = START * 1000;
    pool.pass(2_100_000);
    let effects = pool.pass(900_000);
    let claims = effects.iter().filter_map(|e| match e {
        Effect::Claim(tasks) => Some(tasks.len()),
        _ => None,
    });
    assert_eq!(claims.collect::<Vec<_>>(), [CLAIM_BATCH_MAX, 1]);
}

#[test]
fn what_was_lost_between_pool_and_worker_is_said_again() {
    let (mut pool, task) = (pool(3, &[ALICE, BOB]), id(0));
    contributes(&mut pool, ALICE, GOOD);
    contributes(&mut pool, BOB, GOOD);
    pool.step(Event::WorkerOffline(ALICE));
    pool.pass(WORKER_GRACE_MS);
    agreed(&mut pool, GOOD);
    let effects = pool.online(ALICE, 1, &[task]);
    assert!(sends(&effects, &Command::Reveal { task }));
    revealed(&mut pool, ALICE);
    pool.step(Event::WorkerOffline(ALICE));
    let effects = pool.online(ALICE, 1, &[task]);
    assert!(sends(&effects, &Command::Upload { task }));
}

#[test]
fn a_worker_is_known_to_have_the_images_it_has_pulled() {
    let mut pool = Pool::new();
    pool.online(ALICE, 1, &[]);
    let wanted = |deal| Terms {
        deal: protocol::DealId::repeat(deal),
        checksum: B256::repeat_byte(7),
        ..terms(1)
    };
    pool.step(deal(wanted(1)));
    pool.report(ALICE, id(0), AppDownloaded, None);
    pool.chain_says(id(0), TaskStatus::Completed);
    pool.online(BOB, 1, &[]);
    pool.online(ALICE, 1, &[]);
    assert_eq!(runs(&pool.step(deal(wanted(2)))), [(ALICE, 0)]);
}
