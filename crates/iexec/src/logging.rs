//! The program's own words about what it does, on stderr.

use tracing_subscriber::EnvFilter;

use crate::env_vars;

/// What is told unless `RUST_LOG` says otherwise: what somebody has to look at. The connection
/// library calls every end of a connection an error; our own words say when it matters.
const DEFAULT: &str = "warn,alloy_pubsub=off,alloy_transport_ws=off";

/// Starts telling. A second start changes nothing.
pub(crate) fn start() {
    let filter = env_vars::get(env_vars::LOG).unwrap_or_else(|| DEFAULT.to_owned());
    let _ = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .try_init();
}
