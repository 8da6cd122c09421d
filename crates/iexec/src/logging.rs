//! The program's own words about what it does, on stderr.

use std::io::IsTerminal as _;

use tracing_subscriber::{
    EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::{commands::role::LogFormat, env_vars};

/// What is told unless `RUST_LOG` says otherwise: what somebody has to look at. The connection
/// library calls every end of a connection an error; our own words say when it matters.
const DEFAULT: &str = "warn,alloy_pubsub=off,alloy_transport_ws=off";
/// Whoever asks for `--raw` reads one line of JSON there, and nothing else.
const RAW: &str = "off";
/// For a role that runs alone: its log is all that its operator sees of it.
const ROLE: &str = "info,alloy_pubsub=off,alloy_transport_ws=off";

/// Starts telling, in the format of a role that runs alone if it is one; another command whose
/// answer is for a program (`is_silent`) tells nothing unless asked. A second start changes
/// nothing.
pub(crate) fn start(role: Option<LogFormat>, is_silent: bool) {
    let default = match role {
        Some(_) => ROLE,
        None if is_silent => RAW,
        None => DEFAULT,
    };
    let filter = env_vars::get(env_vars::LOG).unwrap_or_else(|| default.to_owned());
    let telling = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let telling = match role {
        Some(LogFormat::Json) => telling.json().boxed(),
        _ => telling.boxed(),
    };
    // A filter of its own: spans that are no words of the log go to the trace collector.
    let telling = telling.with_filter(EnvFilter::new(filter));
    let all = tracing_subscriber::registry().with(telling);
    let _ = all.with(crate::spans::layer()).try_init();
}
