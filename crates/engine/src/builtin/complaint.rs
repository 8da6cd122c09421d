//! What libcontainer says when something fails.
//!
//! Its error values cross from the container's first process to the helper as a short text; the
//! reason itself is only traced there. So the helper keeps those traces, in a file that all of
//! its processes share.

use std::fmt::{Debug, Write as _};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// The first complaint is nearest to the cause; this much of it makes a sentence.
const COMPLAINT_CHARS_MAX: usize = 500;

/// Writes each traced error as a line.
struct Complaints(File);

/// Keeps what is traced in this process, and those cloned from it, from now on.
pub(super) fn record(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    tracing::subscriber::set_global_default(Complaints(file)).map_err(io::Error::other)
}

/// The first recorded error, if there is one.
pub(super) fn first(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().next()?;
    Some(line.chars().take(COMPLAINT_CHARS_MAX).collect())
}

impl Subscriber for Complaints {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() == Level::ERROR
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        // In one call, as several processes may write.
        let _ = (&self.0).write_all(format!("{}{}\n", line.message, line.fields).as_bytes());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, ", {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_kept_with_their_fields_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("complaints");
        assert_eq!(first(&path), None);
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .unwrap();
        tracing::subscriber::with_default(Complaints(file), || {
            tracing::info!("fine");
            tracing::error!(path = "/x", "failed to {}", "mount");
            tracing::error!("failed to run");
        });
        assert_eq!(first(&path).unwrap(), "failed to mount, path=\"/x\"");
    }
}
