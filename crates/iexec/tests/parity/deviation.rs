//! Where ours differs from the official program on purpose, and why: `deviations/<story>.json`.

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::world::put;

/// At the end of a place: its keys are the same, but not their order.
const ORDER: &str = " (order of keys)";

/// Why. There is no other reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Reason {
    /// The official program exits with 0 although something failed; ours with 1 (spec/client.md
    /// §1.2).
    FailureIsSuccess,
    /// A bug of the official program that is not copied (spec/client.md §7.1).
    OfficialBug,
    /// The official text is that of a library (ethers, yup, commander, Node) or of JSON.parse;
    /// ours is a sentence. Or the order of keys is what yup makes of it.
    LibraryText,
    /// The official program asks although nobody can answer; ours asks nothing and says which
    /// option answers.
    Prompt,
    /// The official 9.0.1 adds `tee,tdx` to every tag; ours takes tags as they are given.
    NoForcedTag,
    /// Ours knows the local network, which the official program does not.
    LocalNetwork,
    /// Ours accepts what 8.24 had and 9.0.1 dropped, or what both refuse without need.
    MoreAccepted,
    /// Ours ought to be as the official one and is not yet; this list only shrinks.
    Open,
}

/// One difference: what ours has at a place of the outcome, `/code`, `/stdout/…`, `/stderr/…` or
/// `/files/…`; null where ours has nothing.
#[derive(Debug, Deserialize)]
pub(crate) struct Deviation {
    /// The row's number and line, so that a changed table cannot move it elsewhere.
    pub(crate) row: usize,
    pub(crate) line: String,
    #[expect(
        dead_code,
        reason = "for readers; that it is one of the list is what is checked"
    )]
    pub(crate) reason: Reason,
    pub(crate) at: String,
    pub(crate) ours: Value,
}

impl Deviation {
    /// Makes what the official program gave what ours must give.
    pub(crate) fn apply(&self, expected: &mut Value) -> Result<()> {
        let found = expected.pointer(&self.at);
        ensure!(
            found != Some(&self.ours),
            "{} does not deviate any more: remove it from the list",
            self.at
        );
        match self.at.strip_suffix(ORDER) {
            Some(at) => reorder(expected, at, &self.ours),
            None => put(expected, &self.at, self.ours.clone()),
        }
    }
}

/// Puts the keys of an object into another order.
fn reorder(expected: &mut Value, at: &str, keys: &Value) -> Result<()> {
    let object = expected.pointer_mut(at).and_then(Value::as_object_mut);
    let object = object.with_context(|| format!("no object at {at}"))?;
    let mut sorted = Map::new();
    for key in keys.as_array().into_iter().flatten() {
        let key = key.as_str().context("a key is no text")?;
        sorted.insert(key.to_owned(), object.remove(key).context("no such key")?);
    }
    ensure!(object.is_empty(), "keys are left at {at}");
    *object = sorted;
    Ok(())
}

/// A place where two outcomes differ.
#[derive(Debug, Serialize)]
pub(crate) struct Difference {
    pub(crate) at: String,
    official: Value,
    ours: Value,
}

/// All places where `ours` is not as `official`.
pub(crate) fn differences(at: &str, official: &Value, ours: &Value) -> Vec<Difference> {
    let (Value::Object(left), Value::Object(right)) = (official, ours) else {
        let here = || Difference {
            at: at.to_owned(),
            official: official.clone(),
            ours: ours.clone(),
        };
        return (official != ours).then(here).into_iter().collect();
    };
    let mut found = Vec::new();
    let added = right.keys().filter(|key| !left.contains_key(*key));
    for key in left.keys().chain(added) {
        let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        let of = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or_default();
        found.extend(differences(&at, &of(left), &of(right)));
    }
    if found.is_empty() && !left.keys().eq(right.keys()) {
        let keys = |map: &Map<String, Value>| map.keys().cloned().collect();
        found.push(Difference {
            at: format!("{at}{ORDER}"),
            official: keys(left),
            ours: keys(right),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_difference_has_a_place() {
        let official = json!({ "a": { "b/c": 1, "d": 2 }, "e": [1], "f": 1 });
        let ours = json!({ "a": { "b/c": 3, "d": 2 }, "e": [2], "g": 1 });
        let found = differences("", &official, &ours);
        let places: Vec<_> = found.iter().map(|found| found.at.as_str()).collect();
        assert_eq!(places, ["/a/b~1c", "/e", "/f", "/g"]);
        let order = differences("", &json!({ "a": 1, "b": 1 }), &json!({ "b": 1, "a": 1 }));
        assert_eq!(order.len(), 1);
        let mut sorted = json!({ "a": 1, "b": 2 });
        reorder(&mut sorted, "", &json!(["b", "a"])).unwrap();
        assert_eq!(sorted.to_string(), r#"{"b":2,"a":1}"#);
        assert!(differences("", &ours, &ours).is_empty());
    }

    #[test]
    fn a_deviation_that_is_none_any_more_fails() {
        let deviation = Deviation {
            row: 0,
            line: String::new(),
            reason: Reason::FailureIsSuccess,
            at: "/code".to_owned(),
            ours: json!(1),
        };
        let mut official = json!({ "code": 0 });
        deviation.apply(&mut official).unwrap();
        assert_eq!(official, json!({ "code": 1 }));
        assert!(deviation.apply(&mut official).is_err());
    }
}
