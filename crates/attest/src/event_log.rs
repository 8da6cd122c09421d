//! What was measured after boot, in order: the log explains RTMR3, and RTMR3 proves the log.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha384};

use crate::Digest;

/// The name of a task's launch.
pub(crate) const LAUNCH: &str = "task-launch";

/// Events in a log: a platform that has launched more tasks since it was booted must boot again.
/// As JSON they fit into the body of a redeem.
pub const EVENTS_MAX: usize = 2_048;

/// One extension of RTMR3. Only the digest is measured; the name explains it to people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// What it is, e.g. `boot-image` or `task-launch`.
    pub event: String,
    /// What RTMR3 was extended with.
    pub digest: Digest,
}

impl Event {
    /// An event that measures `content`.
    pub fn of(event: &str, content: &[u8]) -> Self {
        Self {
            event: event.to_owned(),
            digest: Digest::new(Sha384::digest(content).into()),
        }
    }
}

/// All extensions of RTMR3 since the platform was booted, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventLog(pub Vec<Event>);

impl EventLog {
    /// The value that RTMR3 has after these events and no others.
    pub fn replay(&self) -> Digest {
        let extend = |register: Digest, event: &Event| {
            let both = Sha384::new().chain_update(register);
            Digest::new(both.chain_update(event.digest).finalize().into())
        };
        self.0.iter().fold(Digest::ZERO, extend)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::vector::Vector;

    #[test]
    fn the_vector_replays() {
        let vector = Vector::read();
        let register = vector.events().replay();
        assert_eq!(register.to_vec(), vector.bytes("rtmr3"));
    }

    #[test]
    fn order_and_number_count() {
        let [a, b] = [Event::of("a", b"1"), Event::of("b", b"2")];
        let of = |events: &[&Event]| EventLog(events.iter().copied().cloned().collect()).replay();
        let all = [
            of(&[]),
            of(&[&a]),
            of(&[&a, &b]),
            of(&[&b, &a]),
            of(&[&a, &b, &b]),
        ];
        for (i, one) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|other| other != one));
        }
    }

    #[test]
    fn the_json_form_is_strict() {
        let log = EventLog(vec![Event::of("boot-image", b"")]);
        let json = serde_json::to_value(&log).unwrap();
        assert_eq!(json[0]["event"], "boot-image");
        assert!(
            json[0]["digest"]
                .as_str()
                .unwrap()
                .starts_with("0x38b060a7")
        );
        assert_eq!(serde_json::from_value::<EventLog>(json).unwrap(), log);
        for bad in [
            r#"[{"event":"a"}]"#,
            r#"[{"event":"a","digest":"0x00"}]"#,
            "{}",
        ] {
            assert!(serde_json::from_str::<EventLog>(bad).is_err(), "{bad}");
        }
    }
}
