//! The whole way of a stage to its enclave, and everything that must not get there.

mod fixture;
mod rules;

use attest::{Attester, Binding, Event, Reason, Recipient, Stage};
use axum::http::StatusCode;
use protocol::{Address, B256, Tag, TaskId, deal::TaskStatus};
use serde_json::{Value as Json, json};

use crate::{
    Unavailable,
    testing::{FINAL_DEADLINE, State},
};

use fixture::{Evidence, World, rejected, status};

/// What a test changes, and how.
type Changes<T, const N: usize> = [(&'static str, fn(&mut T)); N];

#[tokio::test]
async fn each_stage_is_released_to_its_enclave_alone() {
    let world = World::new().await;
    let machine = world.launched();
    for stage in Stage::ALL {
        let challenge = world.challenge(stage).await;
        assert!(challenge.insecure);
        let pinned = world.sms_id().await;
        challenge.verify(&world.session, Some(pinned)).unwrap();
        let evidence = Evidence::of(&world, &challenge, &machine);
        let answer = world.redeem(&evidence.body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(answer.json()["insecure"], true);
        let plain = evidence.open(&answer.json());
        assert_eq!(plain["version"], "0.1.0+sim");
        let sealed: Json = serde_json::from_str(&world.sealed().await).unwrap();
        let services = sealed["services"].as_array().unwrap();
        let expected = services.iter().find(|one| one["name"] == stage.name());
        assert_eq!(plain["services"], json!([expected.unwrap()]));
        let entry = world.last_entry();
        assert_eq!(
            (&entry["decision"], &entry["ids"]["stage"]),
            (&json!("allowed"), &json!(stage))
        );
    }
    assert_eq!(world.audited(), 3);
}

/// The app gets no key to sign with, and the app's secrets go to the app only.
#[tokio::test]
async fn stages_do_not_see_each_others_secrets() {
    let world = World::new().await;
    let machine = world.launched();
    let challenge = world.challenge(Stage::App).await;
    let evidence = Evidence::of(&world, &challenge, &machine);
    let answer = world.redeem(&evidence.body).await;
    let plain = evidence.open(&answer.json()).to_string();
    assert!(!plain.contains("SIGN_TEE_CHALLENGE_PRIVATE_KEY"));
    assert!(!plain.contains(fixture::TOKEN));
    assert!(!answer.text.contains("IEXEC_TASK_ID"), "it is sealed");
}

/// A quote that was made for anything else: one field at a time.
#[tokio::test]
async fn a_quote_for_something_else_is_refused() {
    let world = World::new().await;
    let machine = world.launched();
    let changes: Changes<Binding, 11> = [
        ("chain", |b| b.chain_id += 1),
        ("hub", |b| b.hub = Address::ZERO),
        ("sms", |b| b.sms_id[0] ^= 1),
        ("session", |b| b.session_id.push('x')),
        ("task", |b| b.task = TaskId::repeat(9)),
        ("worker", |b| b.worker = Address::ZERO),
        ("enclave key", |b| b.enclave_challenge = Address::ZERO),
        ("stage", |b| b.stage = Stage::PostCompute),
        ("digest", |b| b.app_digest = B256::ZERO),
        ("nonce", |b| b.nonce[0] ^= 1),
        ("recipient", |b| b.hpke_pub = Recipient::new().public()),
    ];
    for (field, change) in changes {
        let challenge = world.challenge(Stage::App).await;
        let evidence = Evidence::changed(&world, &challenge, &machine, change);
        world
            .is_rejected(&evidence.body, Reason::ReportData, field)
            .await;
    }
    world.has_released_nothing().await;
}

/// The answer would go to another key than the one that the quote is over.
#[tokio::test]
async fn the_recipient_cannot_be_exchanged() {
    let world = World::new().await;
    let challenge = world.challenge(Stage::App).await;
    let mut evidence = Evidence::of(&world, &challenge, &world.launched());
    evidence.body["hpke_pub"] = json!(B256::from(Recipient::new().public()));
    world
        .is_rejected(&evidence.body, Reason::ReportData, "key")
        .await;
    world.has_released_nothing().await;
}

#[tokio::test]
async fn a_nonce_is_good_once_for_its_stage_and_a_while() {
    let world = World::new().await;
    let machine = world.launched();
    let challenge = world.challenge(Stage::App).await;
    let good = Evidence::of(&world, &challenge, &machine);
    let mut other_stage = good.body.clone();
    other_stage["stage"] = json!(Stage::PostCompute);
    let mut unknown = good.body.clone();
    unknown["nonce"] = json!(B256::ZERO);
    for (wrong, why) in [(other_stage, "stage"), (unknown, "unknown")] {
        world.is_rejected(&wrong, Reason::Nonce, why).await;
    }
    assert_eq!(world.redeem(&good.body).await.status, StatusCode::OK);
    world
        .is_rejected(&good.body, Reason::Nonce, "replayed")
        .await;
    let challenge = world.challenge(Stage::App).await;
    let late = Evidence::of(&world, &challenge, &machine);
    world.scene.service.attested().advance(120);
    world
        .is_rejected(&late.body, Reason::Nonce, "expired")
        .await;
}

/// A refused quote has used its nonce up: nobody tries variants.
#[tokio::test]
async fn a_nonce_is_used_up_by_a_refusal() {
    let world = World::new().await;
    let machine = world.launched();
    let challenge = world.challenge(Stage::App).await;
    let good = Evidence::of(&world, &challenge, &machine);
    let mut wrong = good.body.clone();
    wrong["quote"] = json!("");
    world
        .is_rejected(&wrong, Reason::QuoteFormat, "empty")
        .await;
    world.is_rejected(&good.body, Reason::Nonce, "again").await;
    world.has_released_nothing().await;
}

#[tokio::test]
async fn a_nonce_is_of_its_session() {
    let mut world = World::new().await;
    let challenge = world.challenge(Stage::App).await;
    let first = world.session.clone();
    world.switch_to_another_worker().await;
    assert_ne!(world.session, first);
    let evidence = Evidence::of(&world, &challenge, &world.launched());
    world
        .is_rejected(&evidence.body, Reason::Nonce, "session")
        .await;
}

#[tokio::test]
async fn a_session_stays_with_its_platform() {
    let world = World::new().await;
    let (first, second) = (world.launched(), world.launched_on(1));
    for (machine, is_first) in [(&first, true), (&second, false), (&first, true)] {
        let challenge = world.challenge(Stage::App).await;
        let evidence = Evidence::of(&world, &challenge, machine);
        match is_first {
            true => assert_eq!(world.redeem(&evidence.body).await.status, StatusCode::OK),
            false => {
                world
                    .is_rejected(&evidence.body, Reason::PlatformChanged, "second")
                    .await
            }
        }
    }
}

#[tokio::test]
async fn the_launch_has_to_be_there_once_and_last() {
    let world = World::new().await;
    let launch = world.launch();
    let other = Event::of("task-launch", b"another task");
    for (events, why) in [
        (vec![], "missing"),
        (vec![other.clone()], "another"),
        (vec![launch.clone(), launch.clone()], "twice"),
        (vec![launch.clone(), other.clone()], "not last"),
    ] {
        let machine = world.booted(0);
        for event in events {
            machine.extend(event).unwrap();
        }
        let challenge = world.challenge(Stage::App).await;
        let evidence = Evidence::of(&world, &challenge, &machine);
        world
            .is_rejected(&evidence.body, Reason::EventLog, why)
            .await;
    }
    world.has_released_nothing().await;
}

/// A log that hides or adds what was measured, or has it in another order.
#[tokio::test]
async fn a_log_that_was_edited_is_refused() {
    let world = World::new().await;
    let machine = world.launched();
    let edits: [fn(&mut Vec<Json>); 3] = [
        |log| drop(log.remove(0)),
        |log| log.push(log[0].clone()),
        |log| log.reverse(),
    ];
    for edit in edits {
        let challenge = world.challenge(Stage::App).await;
        let mut evidence = Evidence::of(&world, &challenge, &machine);
        edit(evidence.body["event_log"].as_array_mut().unwrap());
        world
            .is_rejected(&evidence.body, Reason::EventLog, "edited")
            .await;
    }
    world.has_released_nothing().await;
}

#[tokio::test]
async fn quotes_that_were_changed_or_are_of_others_are_refused() {
    let (world, other) = (World::new().await, World::new().await);
    let challenge = world.challenge(Stage::App).await;
    let foreign = other.simulator.attester();
    foreign.extend(world.launch()).unwrap();
    let evidence = Evidence::of(&world, &challenge, &foreign);
    world
        .is_rejected(&evidence.body, Reason::Chain, "other root")
        .await;
    let challenge = world.challenge(Stage::App).await;
    let mut evidence = Evidence::of(&world, &challenge, &world.launched());
    evidence.body["platform"] = json!("sgx");
    world
        .is_rejected(&evidence.body, Reason::QuoteFormat, "kind")
        .await;
    for (place, reason) in [
        (0, Reason::QuoteFormat),
        (200, Reason::Chain),
        (540, Reason::Chain),
    ] {
        let challenge = world.challenge(Stage::App).await;
        let mut evidence = Evidence::of(&world, &challenge, &world.launched());
        evidence.flip(place);
        world.is_rejected(&evidence.body, reason, "flipped").await;
    }
    world.has_released_nothing().await;
}

#[tokio::test]
async fn the_task_has_to_be_in_its_state() {
    let world = World::new().await;
    let machine = world.launched();
    let changes: Changes<State, 5> = [
        ("completed", |state| {
            state.tasks[0].status = TaskStatus::Completed
        }),
        ("over", |state| state.now = FINAL_DEADLINE),
        ("another kind", |state| state.deals[0].tag = Tag::NONE),
        ("unknown", |state| state.tasks.clear()),
        ("no app", |state| state.has_app = false),
    ];
    for (why, change) in changes {
        let before = world.scene.chain.0.lock().unwrap().clone();
        let challenge = world.challenge(Stage::App).await;
        let evidence = Evidence::of(&world, &challenge, &machine);
        world.scene.chain.change(change);
        world
            .is_rejected(&evidence.body, Reason::TaskState, why)
            .await;
        world.scene.chain.change(|state| *state = before);
    }
    world.has_released_nothing().await;
}

/// The owner registers another image, or the chain changes its mind: the old quote is for nothing.
#[tokio::test]
async fn the_image_is_read_anew() {
    let world = World::new().await;
    let challenge = world.challenge(Stage::App).await;
    let evidence = Evidence::of(&world, &challenge, &world.launched());
    world.scene.chain.change(|state| state.place.0 += 1);
    world
        .is_rejected(&evidence.body, Reason::ReportData, "other chain")
        .await;
}

#[tokio::test]
async fn a_stage_is_released_three_times_at_most() {
    let mut world = World::new().await;
    let machine = world.launched();
    for number in 0..5 {
        if number == 2 {
            world.scene.restart().await;
        }
        let challenge = world.challenge(Stage::App).await;
        let evidence = Evidence::of(&world, &challenge, &machine);
        let answer = world.redeem(&evidence.body).await;
        match number {
            0..3 => assert_eq!(answer.status, StatusCode::OK),
            _ => status(&answer, 409, "ALREADY_REDEEMED"),
        }
    }
    let challenge = world.challenge(Stage::PostCompute).await;
    let evidence = Evidence::of(&world, &challenge, &machine);
    assert_eq!(world.redeem(&evidence.body).await.status, StatusCode::OK);
}

/// Many redemptions with one nonce at once: one of them counts.
#[tokio::test]
async fn of_many_at_once_one_gets_the_answer() {
    let world = World::new().await;
    let challenge = world.challenge(Stage::App).await;
    let evidence = Evidence::of(&world, &challenge, &world.launched());
    let all = (0..16).map(|_| world.redeem(&evidence.body));
    let all = futures_util::future::join_all(all).await;
    let released = all.iter().filter(|answer| answer.status == StatusCode::OK);
    assert_eq!(released.count(), 1);
    let refused = all.iter().filter(|answer| answer.status != StatusCode::OK);
    refused.for_each(|answer| rejected(answer, Reason::Nonce, "raced"));
    assert_eq!(world.audited(), 16);
}

mod closed {
    use super::*;

    #[tokio::test]
    async fn without_the_chain_nothing_is_asked_or_released() {
        let world = World::new().await;
        let challenge = world.challenge(Stage::App).await;
        let evidence = Evidence::of(&world, &challenge, &world.launched());
        let away = Unavailable("no route".into());
        world.scene.chain.change(|state| state.away = Some(away));
        let asked = world.ask(&json!({ "stage": "app" })).await;
        status(&asked, 503, "CHAIN_UNAVAILABLE");
        status(
            &world.redeem(&evidence.body).await,
            503,
            "CHAIN_UNAVAILABLE",
        );
        assert_eq!(world.last_entry()["reason"], "CHAIN_UNAVAILABLE");
        world.has_released_nothing().await;
    }

    #[tokio::test]
    async fn without_the_store_nothing_is_released() {
        let world = World::new().await;
        let challenge = world.challenge(Stage::App).await;
        let evidence = Evidence::of(&world, &challenge, &world.launched());
        world.scene.service.vault().pool.close().await;
        let answer = world.redeem(&evidence.body).await;
        status(&answer, 503, "STORE_UNAVAILABLE");
    }

    #[tokio::test]
    async fn after_the_deadline_nothing_is_asked() {
        let world = World::new().await;
        world.scene.chain.change(|state| state.now = FINAL_DEADLINE);
        let answer = world.ask(&json!({ "stage": "app" })).await;
        status(&answer, 410, "SESSION_EXPIRED");
    }

    #[tokio::test]
    async fn unknown_sessions_stages_and_bodies_are_told_so() {
        let mut world = World::new().await;
        for body in [
            json!({}),
            json!({ "stage": "app", "x": 1 }),
            json!({ "stage": "all" }),
        ] {
            status(&world.ask(&body).await, 400, "MALFORMED");
        }
        status(
            &world.redeem(&json!({ "stage": "app" })).await,
            400,
            "MALFORMED",
        );
        let challenge = world.challenge(Stage::App).await;
        let evidence = Evidence::of(&world, &challenge, &world.launched());
        world.session.push('x');
        status(
            &world.ask(&json!({ "stage": "app" })).await,
            404,
            "NOT_FOUND",
        );
        status(&world.redeem(&evidence.body).await, 404, "NOT_FOUND");
        assert_eq!(world.audited(), 0);
    }

    #[tokio::test]
    async fn questions_are_limited() {
        let world = World::new().await;
        for number in 0..60 {
            let answer = world.ask(&json!({ "stage": "app" })).await;
            match number {
                0..16 => assert_eq!(answer.status, StatusCode::OK),
                _ => status(&answer, 429, "TOO_MANY_REQUESTS"),
            }
        }
        world.scene.service.attested().advance(120);
        assert_eq!(
            world.ask(&json!({ "stage": "app" })).await.status,
            StatusCode::OK
        );
        world.scene.service.purge().await;
    }
}
