//! Measurements, each beside what it is compared to, in one run on one machine: machines differ,
//! ratios less so.
//!
//! `cargo build --release -p iexec -p iexec-bench`, then
//! `target/release/iexec-bench [start|task|bag|core|containers|cli|market|secrets|redeem]`

use std::process::ExitCode;

mod bag;
mod cli;
mod command;
mod containers;
mod core;
mod market;
mod redeem;
mod secrets;
mod start;
mod stats;
mod task;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let first = words.next();
    let first = first.as_ref().and_then(|word| word.to_str());
    if first == Some(engine::HELPER_SUBCOMMAND) {
        let code = words
            .next()
            .map_or(2, |dir| engine::run_bundle_main(dir.as_ref()));
        return ExitCode::from(u8::try_from(code).unwrap_or(1));
    }
    if first == Some(command::PARENT) {
        return command::measure(words);
    }
    match run(first) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            stats::say(&format!("failed: {error:?}"));
            ExitCode::FAILURE
        }
    }
}

/// All measurements, or those of one kind.
fn run(only: Option<&str>) -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    if cfg!(debug_assertions) {
        stats::say("note: this is a debug build; measure with --release");
    }
    let is_wanted = |kind| only.is_none_or(|only| only == kind);
    let runtime = tokio::runtime::Runtime::new()?;
    if is_wanted("start") {
        start::measure()?;
    }
    if is_wanted("task") {
        runtime.block_on(task::measure())?;
    }
    if is_wanted("core") {
        core::measure();
    }
    if is_wanted("bag") {
        runtime.block_on(bag::measure())?;
    }
    if is_wanted("containers") {
        runtime.block_on(containers::measure())?;
    }
    if is_wanted("market") {
        runtime.block_on(market::measure())?;
    }
    if is_wanted("secrets") {
        runtime.block_on(secrets::measure())?;
    }
    if is_wanted("redeem") {
        runtime.block_on(redeem::measure())?;
    }
    if is_wanted("cli") {
        runtime.block_on(cli::measure())?;
    }
    Ok(())
}
