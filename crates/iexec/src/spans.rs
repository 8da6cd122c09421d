//! Traces of tasks for a collector, in a program that is built with the feature `otlp`.

use crate::{env_vars, outcome::Failure};

/// Where traces go: what the settings say, else the variable that all programs share.
fn endpoint(settings: Option<&str>) -> Option<String> {
    let settings = settings.map(str::to_owned);
    settings.or_else(|| env_vars::get(env_vars::OTLP_ENDPOINT))
}

#[cfg(feature = "otlp")]
mod otlp {
    use std::sync::LazyLock;

    use traces::Traces;
    use tracing::Subscriber;
    use tracing_subscriber::{Layer, registry::LookupSpan};

    use super::{Failure, endpoint};

    static TRACES: LazyLock<Traces> = LazyLock::new(Traces::default);

    /// For the subscriber of the program.
    pub(crate) fn layer<S>() -> impl Layer<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        TRACES.layer()
    }

    /// Sends the spans of `service` from here on, if there is somewhere to send them.
    pub(crate) fn start(service: &str, settings: Option<&str>) -> Result<(), Failure> {
        let Some(endpoint) = endpoint(settings) else {
            return Ok(());
        };
        TRACES.start(service, &endpoint).map_err(|error| {
            Failure::with_sources(&error)
                .named("ValidationError")
                .hint("the collector's URL is its origin, e.g. http://127.0.0.1:4318")
        })
    }

    /// The last spans go before the program ends.
    pub(crate) fn finish() {
        TRACES.finish();
    }
}

#[cfg(not(feature = "otlp"))]
mod otlp {
    use tracing_subscriber::layer::Identity;

    use super::{Failure, endpoint};

    pub(crate) fn layer() -> Identity {
        Identity::new()
    }

    pub(crate) fn start(_: &str, settings: Option<&str>) -> Result<(), Failure> {
        if endpoint(settings).is_some() {
            tracing::warn!("no traces are sent: the program is built without the feature `otlp`");
        }
        Ok(())
    }

    pub(crate) fn finish() {}
}

pub(crate) use otlp::{finish, layer, start};
