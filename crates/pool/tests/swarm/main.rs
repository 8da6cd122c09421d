//! The pool's core at full size, driven by one seed: 10,000 workers of which some lie, keep silent
//! or crash, 100,000 tasks, connections that break, messages that come twice, a slow chain that
//! takes blocks back, and restarts of the pool. Time is simulated.
//!
//! A failing seed is replayed with `SWARM_SEED=<n> cargo test -p iexec-pool --test swarm`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that tells how its stories went"
)]

mod acts;
mod chain;
mod worker;
mod world;

use world::{Size, World};

/// Stories told in CI.
const SEEDS: u64 = 20;
/// Threads that tell them.
const THREADS: u64 = 2;
/// Names one seed to replay instead.
const SEED_VARIABLE: &str = "SWARM_SEED";

fn tell(seed: u64, size: Size) {
    let outcome = std::panic::catch_unwind(|| World::play(seed, size));
    match outcome {
        Ok(story) => println!("seed {seed}: {story}"),
        Err(panic) => {
            println!("replay with {SEED_VARIABLE}={seed} cargo test -p iexec-pool --test swarm");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn no_task_is_lost_and_no_worker_waits_in_vain() {
    if let Some(seed) = std::env::var(SEED_VARIABLE)
        .ok()
        .and_then(|s| s.parse().ok())
    {
        return tell(seed, Size::FULL);
    }
    let threads = (0..THREADS).map(|first| {
        std::thread::spawn(move || {
            let seeds = (first..SEEDS).step_by(THREADS as usize);
            seeds.for_each(|seed| tell(seed, Size::FULL));
        })
    });
    let threads: Vec<_> = threads.collect();
    let failed = threads.into_iter().map(|t| t.join()).filter(Result::is_err);
    assert_eq!(failed.count(), 0, "a story went wrong");
}

#[test]
fn the_same_seed_is_the_same_story() {
    let tell = || World::play(7, Size::SMALL).to_string();
    assert_eq!(tell(), tell());
}
