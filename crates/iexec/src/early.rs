//! What must happen before anything else: the program run as its own helper.

use std::process::ExitCode;

/// Runs as a helper if asked to; none for the ordinary program.
pub(crate) fn dispatch() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    let first = args.next()?;
    let code = if first == engine::HELPER_SUBCOMMAND {
        args.next().map_or(2, |dir| run_bundle(dir.as_ref()))
    } else if first == worker::agent::SUBCOMMAND {
        enclave::main()
    } else {
        return None;
    };
    Some(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

#[cfg(target_os = "linux")]
fn run_bundle(dir: &std::path::Path) -> i32 {
    engine::run_bundle_main(dir)
}

#[cfg(not(target_os = "linux"))]
fn run_bundle(_dir: &std::path::Path) -> i32 {
    2
}
