//! A command that does the same for several orders: each succeeds or fails by itself.

use protocol::order::Kind;
use sdk::order::name;
use serde_json::{Map, Value, json};

use crate::outcome::{Failure, Report};

/// What happened so far.
#[derive(Debug, Default)]
pub(super) struct Parts {
    done: Map<String, Value>,
    failed: Vec<String>,
    hint: Option<String>,
}

impl Parts {
    /// Notes how it went for one order.
    pub(super) fn add(&mut self, kind: Kind, result: Result<Value, Failure>) {
        match result {
            Ok(value) => drop(self.done.insert(name(kind).to_owned(), value)),
            Err(failure) => {
                self.failed
                    .push(format!("{}: {}", name(kind), failure.message()));
                let advice = failure.advice().map(str::to_owned);
                self.hint = self.hint.take().or(advice);
            }
        }
    }

    /// The end: a failure when anything failed, with the parts that worked. The official command
    /// line exits with 0 then.
    pub(super) fn finish(self, doing: &str, done: &str) -> Result<Report, Failure> {
        let shown = Value::Object(self.done.clone());
        if self.failed.is_empty() {
            return Ok(Report::new(shown.clone(), format!("Successfully {done}")).with_data(&shown));
        }
        let mut raw = self.done;
        raw.insert("fail".to_owned(), json!(self.failed));
        let message = format!("Failed to {doing}: {}", self.failed.join("; "));
        let failure = Failure::new(message).partial(Value::Object(raw));
        Err(match self.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_does_not_hide_what_worked() {
        let mut parts = Parts::default();
        parts.add(Kind::App, Ok(json!({ "orderHash": "0x1" })));
        let failure = Failure::new("apporder is odd").hint("look again");
        parts.add(Kind::Request, Err(failure));
        let failure = parts.finish("publish", "published").unwrap_err();
        assert_eq!(
            failure.message(),
            "Failed to publish: requestorder: apporder is odd"
        );
        assert_eq!(failure.advice(), Some("look again"));
        let mut parts = Parts::default();
        parts.add(Kind::App, Ok(json!(1)));
        assert!(parts.finish("publish", "published").is_ok());
    }
}
