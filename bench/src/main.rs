//! Measurements, each beside what it is compared to, in one run on one machine: machines differ,
//! ratios less so.
//!
//! `cargo build --release -p iexec -p iexec-bench && target/release/iexec-bench`; with the word
//! `market`, only the order book is measured.

use std::{ffi::OsString, process::ExitCode};

mod market;
mod start;
mod stats;
mod task;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let first = words.next();
    if first
        .as_ref()
        .is_some_and(|word| word == engine::HELPER_SUBCOMMAND)
    {
        let code = words
            .next()
            .map_or(2, |dir| engine::run_bundle_main(dir.as_ref()));
        return ExitCode::from(u8::try_from(code).unwrap_or(1));
    }
    match run(first) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            stats::say(&format!("failed: {error:?}"));
            ExitCode::FAILURE
        }
    }
}

/// Everything, or the one part that is named.
fn run(part: Option<OsString>) -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    if cfg!(debug_assertions) {
        stats::say("note: this is a debug build; measure with --release");
    }
    let runtime = tokio::runtime::Runtime::new()?;
    if part.as_ref().is_none_or(|part| part == "market") {
        runtime.block_on(market::measure())?;
    }
    if part.is_none() {
        start::measure()?;
        runtime.block_on(task::measure())?;
    }
    Ok(())
}
