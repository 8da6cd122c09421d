//! Trying again: how long to wait before the next try of a transfer, and when to give up.
//!
//! Only what may pass by itself is tried again: no connection, a server in trouble, a server that
//! asks to come back. A file that is not there is not there.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use reqwest::{Response, StatusCode, header};

/// Tries of one transfer; with the pauses between them they span about a minute.
const TRIES_MAX: u32 = 9;
/// Tries when the answer is a refusal: the other side may only look at the chain a moment later.
const REFUSED_TRIES_MAX: u32 = 4;
/// First pause; it doubles.
const FIRST_PAUSE_MS: u64 = 300;
/// No pause of ours is longer; a server may ask for more.
const PAUSE_MAX_MS: u64 = 30_000;

/// A try that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// For people.
    pub(crate) reason: String,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// The same would come again.
    Final,
    /// May be gone soon; the server may have said when.
    Passing { after: Option<Duration> },
    /// May be a matter of a moment.
    Refused,
}

impl Fault {
    /// The same would come again.
    pub(crate) fn lasting(reason: impl Into<String>) -> Self {
        Self::new(Kind::Final, reason)
    }

    /// May be gone soon.
    pub(crate) fn passing(reason: impl Into<String>) -> Self {
        Self::new(Kind::Passing { after: None }, reason)
    }

    fn new(kind: Kind, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { reason, kind }
    }

    /// A refused permission is worth a few more tries: the other side judges by its own node.
    pub(crate) fn or_refused(self, answer: StatusCode) -> Self {
        match answer {
            StatusCode::UNAUTHORIZED => Self::new(Kind::Refused, self.reason),
            _ => self,
        }
    }

    /// What an answer that is no success means for the next try.
    pub(crate) fn of_answer(answer: &Response, reason: impl Into<String>) -> Self {
        let status = answer.status();
        let passing = status.is_server_error()
            || status == StatusCode::TOO_MANY_REQUESTS
            || status == StatusCode::REQUEST_TIMEOUT;
        if !passing {
            return Self::lasting(reason);
        }
        let value = answer.headers().get(header::RETRY_AFTER);
        let after = value.and_then(|value| retry_after(value.to_str().ok()?));
        Self::new(Kind::Passing { after }, reason)
    }

    /// What a broken connection means for the next try.
    pub(crate) fn of_error(error: &reqwest::Error) -> Self {
        let reason = story(error);
        // A URL that is none, or that we must not follow, stays so.
        if error.is_builder() || error.is_redirect() || is_forbidden(error) {
            return Self::lasting(reason);
        }
        Self::passing(reason)
    }
}

/// Whether our own resolver refused the address.
fn is_forbidden(error: &reqwest::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::PermissionDenied) {
            return true;
        }
        source = error.source();
    }
    false
}

/// The innermost cause: the outer ones repeat the URL.
fn story(error: &reqwest::Error) -> String {
    let mut source = std::error::Error::source(error);
    let mut last = error.to_string();
    while let Some(error) = source {
        last = error.to_string();
        source = error.source();
    }
    last
}

/// `Retry-After: 120`. The other form of the header, a date, counts as if nothing were said.
fn retry_after(value: &str) -> Option<Duration> {
    value.trim().parse().ok().map(Duration::from_secs)
}

/// How long to wait after try number `attempt` (from 1), when `now` is given and all must be over
/// at `deadline`; none means to give up. `chance`, from 0 to 1, keeps many workers from coming
/// back at once.
pub(crate) fn pause(
    attempt: u32,
    now: Instant,
    deadline: Instant,
    fault: &Fault,
    chance: f64,
) -> Option<Duration> {
    let (tries, after) = match fault.kind {
        Kind::Final => return None,
        Kind::Passing { after } => (TRIES_MAX, after),
        Kind::Refused => (REFUSED_TRIES_MAX, None),
    };
    if attempt >= tries {
        return None;
    }
    let doubled = FIRST_PAUSE_MS.saturating_mul(1 << (attempt - 1).min(16));
    let most = Duration::from_millis(doubled.min(PAUSE_MAX_MS));
    let ours = most / 2 + (most / 2).mul_f64(chance.clamp(0.0, 1.0));
    let pause = ours.max(after.unwrap_or_default());
    let left = deadline.saturating_duration_since(now);
    (pause < left).then_some(pause)
}

/// Time and chance, so that a test may replace them.
pub(crate) trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Instant;
    /// Returns after that long.
    fn sleep(&self, pause: Duration) -> BoxFuture<'_, ()>;
    /// From 0 to 1.
    fn chance(&self) -> f64;
}

/// The machine's.
pub(crate) struct System;

impl Clock for System {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, pause: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(pause))
    }

    fn chance(&self) -> f64 {
        rand::random()
    }
}

/// When all tries must be over, by which clock.
#[derive(Clone, Copy)]
pub(crate) struct Tries<'a> {
    pub(crate) clock: &'a dyn Clock,
    pub(crate) deadline: Instant,
}

impl Tries<'_> {
    /// Tries until it works, or cannot, or the time is over; then says why it did not.
    pub(crate) async fn run<T, F>(
        &self,
        what: &str,
        mut once: impl FnMut() -> F,
    ) -> Result<T, String>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let mut attempt = 1;
        loop {
            let left = self.deadline.saturating_duration_since(self.clock.now());
            let fault = tokio::select! {
                biased;
                done = once() => match done {
                    Ok(done) => return Ok(done),
                    Err(fault) => fault,
                },
                () = self.clock.sleep(left) => return Err("the time for it is over".to_owned()),
            };
            let (now, chance) = (self.clock.now(), self.clock.chance());
            let Some(pause) = pause(attempt, now, self.deadline, &fault, chance) else {
                return Err(fault.reason);
            };
            tracing::warn!(what, reason = fault.reason, attempt, ?pause, "trying again");
            self.clock.sleep(pause).await;
            attempt += 1;
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use std::sync::Mutex;

    use super::*;

    /// A clock that moves only by sleeping, and notes how long; a longer wait than `patience` is
    /// the end of a try, which here only real silence may bring.
    pub(crate) struct Still {
        start: Instant,
        patience: Duration,
        pub(crate) slept: Mutex<Vec<Duration>>,
    }

    impl Still {
        /// With tries that may take until the deadline.
        pub(crate) fn new(deadline: Duration) -> (Self, Instant) {
            let start = Instant::now();
            let still = Self {
                start,
                patience: deadline,
                slept: Mutex::default(),
            };
            (still, start + deadline)
        }
    }

    impl Clock for Still {
        fn now(&self) -> Instant {
            self.start + self.slept.lock().unwrap().iter().sum()
        }

        /// The end of a try is really waited for, a pause is not.
        fn sleep(&self, pause: Duration) -> BoxFuture<'_, ()> {
            let slept: Duration = self.slept.lock().unwrap().iter().sum();
            if pause + slept == self.patience {
                return Box::pin(tokio::time::sleep(pause));
            }
            self.slept.lock().unwrap().push(pause);
            Box::pin(std::future::ready(()))
        }

        fn chance(&self) -> f64 {
            1.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::Still, *};

    fn pauses(fault: &Fault, deadline: Duration, chance: f64) -> Vec<u64> {
        let start = Instant::now();
        let mut now = start;
        let mut pauses = Vec::new();
        while let Some(wait) = pause(
            pauses.len() as u32 + 1,
            now,
            start + deadline,
            fault,
            chance,
        ) {
            pauses.push(wait.as_millis() as u64);
            now += wait;
        }
        pauses
    }

    const LONG: Duration = Duration::from_secs(3_600);

    #[test]
    fn pauses_double_up_to_a_limit_and_tries_end() {
        let fault = Fault::passing("x");
        let whole = [300, 600, 1_200, 2_400, 4_800, 9_600, 19_200, 30_000];
        assert_eq!(pauses(&fault, LONG, 1.0), whole);
        assert_eq!(pauses(&fault, LONG, 0.0), whole.map(|ms| ms / 2));
        let refused = fault.or_refused(StatusCode::UNAUTHORIZED);
        assert_eq!(pauses(&refused, LONG, 1.0), whole[..3]);
    }

    #[test]
    fn no_pause_reaches_the_deadline() {
        let fault = Fault::passing("x");
        let deadline = Duration::from_millis(2_100);
        assert_eq!(pauses(&fault, deadline, 1.0), [300, 600]);
        assert!(pauses(&fault, Duration::ZERO, 0.0).is_empty());
    }

    #[test]
    fn a_lasting_fault_is_not_tried_again() {
        assert!(pauses(&Fault::lasting("x"), LONG, 1.0).is_empty());
        let gone = Fault::lasting("x").or_refused(StatusCode::NOT_FOUND);
        assert!(pauses(&gone, LONG, 1.0).is_empty());
    }

    #[test]
    fn a_server_that_says_when_is_believed_within_the_deadline() {
        let after = Some(Duration::from_secs(60));
        let fault = Fault::new(Kind::Passing { after }, "x");
        assert_eq!(pauses(&fault, Duration::from_secs(100), 0.0), [60_000]);
        assert!(pauses(&fault, Duration::from_secs(60), 0.0).is_empty());
    }

    #[tokio::test]
    async fn tries_go_on_until_one_works() {
        let (clock, deadline) = Still::new(LONG);
        let tries = Tries {
            clock: &clock,
            deadline,
        };
        let mut left = 3;
        let done = tries.run("x", || {
            left -= 1;
            let done = if left == 0 {
                Ok(7)
            } else {
                Err(Fault::passing("not yet"))
            };
            std::future::ready(done)
        });
        assert_eq!(done.await, Ok(7));
        assert_eq!(clock.slept.lock().unwrap().len(), 2);
        let never = tries.run("x", || {
            std::future::ready(Err::<(), _>(Fault::lasting("gone")))
        });
        assert_eq!(never.await, Err("gone".to_owned()));
    }

    #[tokio::test]
    async fn a_try_without_end_ends_with_the_time() {
        let tries = Tries {
            clock: &System,
            deadline: Instant::now(),
        };
        let never = tries.run("x", std::future::pending::<Result<(), Fault>>);
        assert!(never.await.unwrap_err().contains("time"));
    }
}
