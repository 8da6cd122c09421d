//! The tutorial of the official documentation, played with the compiled program on a real local
//! network, with a real image in a real registry; and what happens when things go wrong. And the
//! contracts put on chains of others.

mod assets;
mod canary;
mod chaos;
mod confidential;
mod crash;
mod demo;
mod deploy;
mod failure;
mod found;
mod guide;
mod image;
mod keys;
mod net;
mod official;
mod opened;
mod orders;
mod person;
mod platform;
mod process;
mod refusals;
mod rest;
mod roles;
mod simulated;
mod story;
mod verdict;
mod wire;

use std::{future::Future, time::Duration};

use anyhow::Result;
use engine::Choice;
use iexec_tests::bench::{self, Bench};

/// No test takes so long, even beside all the others on a slow machine: what does, hangs.
const TEST_MAX: Duration = Duration::from_secs(300);

async fn play<F>(test: &'static str, choice: Choice, story: impl FnOnce(Bench) -> F)
where
    F: Future<Output = Result<()>>,
{
    bench::play_within(TEST_MAX, test, choice, story).await;
}

#[tokio::test]
async fn tutorial_on_docker() {
    play("tutorial_on_docker", Choice::Docker, story::tell).await;
}

#[tokio::test]
async fn tutorial_on_the_built_in_engine() {
    play(
        "tutorial_on_the_built_in_engine",
        Choice::Builtin,
        story::tell,
    )
    .await;
}

#[tokio::test]
async fn tutorial_on_the_official_contracts() {
    let test = "tutorial_on_the_official_contracts";
    play(test, Choice::Builtin, official::tell).await;
}

#[tokio::test]
async fn assets_are_sold_and_change_hands() {
    let test = "assets_are_sold_and_change_hands";
    play(test, Choice::Builtin, assets::tell).await;
}

#[tokio::test]
async fn every_failure_ends_with_its_cause() {
    let test = "every_failure_ends_with_its_cause";
    play(test, Choice::Builtin, failure::all).await;
}

#[tokio::test]
async fn wrong_uses_are_refused_before_money_moves() {
    let test = "wrong_uses_are_refused_before_money_moves";
    play(test, Choice::Builtin, refusals::tell).await;
}

#[tokio::test]
async fn confidential_from_dataset_to_result() {
    let test = "confidential_from_dataset_to_result";
    play(test, Choice::Builtin, confidential::tell).await;
}

#[tokio::test]
async fn an_opened_result_is_compared_with_the_chain() {
    let test = "an_opened_result_is_compared_with_the_chain";
    play(test, Choice::Builtin, opened::tell).await;
}

#[tokio::test]
async fn simulated_enclaves_are_told_everywhere() {
    let test = "simulated_enclaves_are_told_everywhere";
    play(test, Choice::Builtin, simulated::tell).await;
}

#[tokio::test]
async fn orders_from_template_to_claim() {
    let test = "orders_from_template_to_claim";
    play(test, Choice::Builtin, orders::tell).await;
}

#[tokio::test]
async fn killed_in_the_middle_of_a_bag() {
    let test = "killed_in_the_middle_of_a_bag";
    play(test, Choice::Builtin, crash::killed_in_a_bag).await;
}

#[tokio::test]
async fn killed_while_somebody_watches() {
    let test = "killed_while_somebody_watches";
    play(test, Choice::Builtin, crash::watched).await;
}

#[tokio::test]
async fn money_secrets_and_the_rest() {
    play("money_secrets_and_the_rest", Choice::Builtin, rest::tell).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_role_alone() {
    play("each_role_alone", Choice::Builtin, roles::each_alone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pools_share_a_worker() {
    let test = "pools_share_a_worker";
    play(test, Choice::Builtin, roles::pools_share_a_worker).await;
}

#[tokio::test]
async fn demo_on_docker() {
    play("demo_on_docker", Choice::Docker, demo::succeeds).await;
}

#[tokio::test]
async fn demo_on_the_built_in_engine() {
    play(
        "demo_on_the_built_in_engine",
        Choice::Builtin,
        demo::succeeds,
    )
    .await;
}

#[tokio::test]
async fn demo_with_no_programs() {
    let test = "demo_with_no_programs";
    play(test, Choice::Builtin, demo::succeeds_with_no_programs).await;
}

/// Tells the story of this seed, or of all of `first-last`, instead of the usual ones.
const CHAOS_SEED: &str = "IEXEC_CHAOS_SEED";
const CHAOS_SEEDS: std::ops::RangeInclusive<u64> = 1..=3;

fn chaos_seeds() -> Result<std::ops::RangeInclusive<u64>> {
    let Ok(asked) = std::env::var(CHAOS_SEED) else {
        return Ok(CHAOS_SEEDS);
    };
    let (first, last) = asked.split_once('-').unwrap_or((&asked, &asked));
    Ok(first.parse()?..=last.parse()?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bag_survives_kills() {
    let test = "a_bag_survives_kills";
    for seed in chaos_seeds().unwrap() {
        play(test, Choice::Builtin, |bench| chaos::survive(bench, seed)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bag_survives_kills_on_the_official_contracts() {
    let test = "a_bag_survives_kills_on_the_official_contracts";
    for seed in chaos_seeds().unwrap() {
        let story = |bench| chaos::survive_on_the_official_contracts(bench, seed);
        play(test, Choice::Builtin, story).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_is_found_again() {
    play("a_container_is_found_again", Choice::Docker, found::again).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_heard_by_nobody() {
    let test = "secrets_are_heard_by_nobody";
    let choice = Choice::Builtin;
    play(test, choice, |bench| {
        canary::is_heard_by_nobody(bench, choice)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_heard_by_nobody_on_docker() {
    let test = "secrets_are_heard_by_nobody_on_docker";
    let choice = Choice::Docker;
    play(test, choice, |bench| {
        canary::is_heard_by_nobody(bench, choice)
    })
    .await;
}
