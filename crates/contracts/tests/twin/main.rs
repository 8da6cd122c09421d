//! The differential test: the same random life on our contracts and on the official ones, compared
//! step by step, in revm. What succeeds, what is returned, why the rest is refused, every event,
//! every getter.
//!
//! `FUZZ_SECONDS` says how long each mode goes on, `FUZZ_SEED` which life to see again, and
//! `FUZZ_STEPS` how long a life is.
#![expect(
    clippy::unwrap_used,
    non_snake_case,
    reason = "everything here is a test or serves one, and arguments are called as published"
)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

mod cast;
mod coverage;
mod dice;
mod differences;
#[path = "../harness/mod.rs"]
mod harness;
mod invariants;
mod known;
mod life;
mod mocks;
mod op;
mod outcome;
mod queries;
mod step;
mod twin;
mod world;

use harness::{chain, official, orders, stage};

use coverage::Coverage;
use life::Life;
use world::Mode;

/// How many steps a life has.
const STEPS: u64 = 2_000;

/// How many lives are always the same, and how long they are.
const FIXED_LIVES: u64 = 4;
const FIXED_STEPS: u64 = 3_000;
/// Operations that can only be refused in some mode or after the start, and those that are no
/// transactions or count by what they became.
const EXCEPTED: &[&str] = &[
    "broken call",
    "chain id",
    "coins to the hub",
    "coins without a reason",
    "wait",
    "configure",
    "empty call",
    "renounceOwnership",
    "unknown function",
];
/// Why things are refused in every mode, besides the codes of `matchOrders`.
const REASONS: &[&str] = &[
    "App restriction not satisfied",
    "Dataset order is revoked or fully consumed",
    "Deal already has a dataset",
    "Deal not found",
    "ERC20: mint to the zero address",
    "ERC20: transfer to the zero address",
    "IexecEscrow: Transfer amount exceeds balance",
    "Invalid dataset order signature",
    "Operation not supported on this chain",
    "Ownable: caller is not the owner",
    "Requester restriction not satisfied",
    "Tag compatibility not satisfied",
    "Workerpool restriction not satisfied",
    "already initialized",
    "already-configured",
    "approval-refused",
    "caller is not the owner",
    "invalid-array-length",
    "invalid-sender-or-signature",
    "invalid-signature-format",
    "panic 0x11",
    "score-already-imported",
    "task-pending",
];

fn reasons(mode: Mode) -> Vec<String> {
    let codes = op::CODES.iter().chain(&[0x60]);
    let codes = codes.map(|code| format!("iExecV5-matchOrders-0x{code:02x}"));
    let token = ["fallback-disabled", "wrong-token"].map(str::to_owned);
    let own = if mode.is_native() {
        &token[..0]
    } else {
        &token
    };
    codes
        .chain(REASONS.iter().map(|reason| (*reason).to_owned()))
        .chain(own.to_vec())
        .collect()
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is not a number")),
    )
}

/// Lives until the time is up, but at least one.
fn fuzz(mode: Mode, seconds: u64, package: &std::path::Path) {
    let steps = number("FUZZ_STEPS").unwrap_or(STEPS);
    if let Some(seed) = number("FUZZ_SEED") {
        return report(mode, 1, &Life::new(mode, seed, package).live(steps));
    }
    let budget = Duration::from_secs(number("FUZZ_SECONDS").unwrap_or(seconds));
    let start = Instant::now();
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut seeds = dice::Dice::new(clock.as_nanos() as u64);
    let (mut total, mut lives) = (Coverage::default(), 0);
    while lives == 0 || start.elapsed() < budget {
        total.add(Life::new(mode, seeds.next(), package).live(steps));
        lives += 1;
    }
    report(mode, lives, &total);
}

#[expect(clippy::print_stderr, reason = "shown with --nocapture")]
fn report(mode: Mode, lives: u64, total: &Coverage) {
    eprintln!("{mode:?}: {lives} lives, {} steps\n{total}", total.steps);
}

/// The same steps whenever it runs: what a generator must come across to be worth something.
#[test]
fn everything_is_tried() {
    let package = tools::need!(official::package());
    for mode in [Mode::Token, Mode::Native, Mode::Boost] {
        let mut total = Coverage::default();
        for seed in 0..FIXED_LIVES {
            total.add(Life::new(mode, seed, &package).live(FIXED_STEPS));
        }
        let names = op::table(mode).into_iter().map(|(_, (name, _))| name);
        let never = total.never(names.filter(|name| !EXCEPTED.contains(name)));
        assert_eq!(never, [""; 0], "{mode:?}: these never succeeded\n{total}");
        let unseen = total.unseen(reasons(mode));
        assert_eq!(unseen, [""; 0], "{mode:?}: nothing was refused so\n{total}");
    }
}

#[test]
fn token_mode() {
    fuzz(Mode::Token, 60, &tools::need!(official::package()));
}

#[test]
fn native_mode() {
    fuzz(Mode::Native, 25, &tools::need!(official::package()));
}

#[test]
fn boost_mode() {
    fuzz(Mode::Boost, 25, &tools::need!(official::package()));
}
