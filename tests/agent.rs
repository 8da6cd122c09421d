//! An enclave's agent inside any test binary.

use std::ffi::OsString;

engine::before_main!(linked, become_agent);

/// The command to give to a worker: the running test binary, which becomes the agent when called
/// so.
pub fn agent() -> Vec<OsString> {
    linked();
    vec!["/proc/self/exe".into(), worker::agent::SUBCOMMAND.into()]
}

fn become_agent() {
    let first = std::env::args_os().nth(1);
    if first.is_some_and(|first| first == worker::agent::SUBCOMMAND) {
        std::process::exit(enclave::main());
    }
}
