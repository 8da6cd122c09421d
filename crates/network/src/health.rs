//! `GET /healthz`: whether a role can do its work, and if not, why.

use std::{
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use alloy::providers::Provider as _;
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::future::join_all;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

/// What a check may take; what takes longer does not work.
const CHECK_WAIT_S: u64 = 5;
/// How long an answer is given again: nobody can make a role ask its chain more often.
const KEPT_MS: u64 = 1_000;

/// What a check found: nothing wrong, or a sentence about it.
pub type Found = Result<(), String>;
type Check = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Found> + Send>> + Send + Sync>;

/// The checks of one role.
#[derive(Default)]
pub struct Health {
    checks: Vec<(&'static str, Check)>,
    last: Mutex<Option<(Instant, Verdict)>>,
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.checks.iter().map(|(name, _)| name);
        f.debug_list().entries(names).finish()
    }
}

#[derive(Clone)]
struct Verdict {
    is_well: bool,
    checks: Value,
}

impl Health {
    /// Adds a check under a short name, e.g. `chain`.
    #[must_use]
    pub fn check<F>(
        mut self,
        name: &'static str,
        check: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Found> + Send + 'static,
    {
        let check: Check = Box::new(move || Box::pin(check()));
        self.checks.push((name, check));
        self
    }

    /// The same for a node that has to tell the number of its newest block.
    #[must_use]
    pub fn chain(self, hub: chain::Hub) -> Self {
        self.check("chain", move || {
            let hub = hub.clone();
            async move {
                let head = hub.provider().get_block_number().await;
                head.map(drop).map_err(told("the node does not answer"))
            }
        })
    }

    /// `GET /healthz`: 200 when every check passes, else 503; both with all the checks.
    pub fn router(self) -> Router {
        Router::new()
            .route("/healthz", get(answer))
            .with_state(Arc::new(self))
    }

    async fn verdict(&self) -> Verdict {
        let mut last = self.last.lock().await;
        let kept = Duration::from_millis(KEPT_MS);
        if let Some((at, verdict)) = last.as_ref().filter(|(at, _)| at.elapsed() < kept) {
            tracing::trace!(age = ?at.elapsed(), "asked again");
            return verdict.clone();
        }
        let verdict = self.look().await;
        *last = Some((Instant::now(), verdict.clone()));
        verdict
    }

    async fn look(&self) -> Verdict {
        let wait = Duration::from_secs(CHECK_WAIT_S);
        let found = self.checks.iter().map(|(name, check)| async move {
            let found = tokio::time::timeout(wait, check()).await;
            let late = || Err(format!("no answer within {CHECK_WAIT_S} s"));
            (*name, found.unwrap_or_else(|_| late()))
        });
        let found = join_all(found).await;
        let is_well = found.iter().all(|(_, found)| found.is_ok());
        let line = |(name, found): (&str, Found)| {
            let said = found.err().unwrap_or_else(|| "ok".to_owned());
            (name.to_owned(), json!(said))
        };
        let checks: Map<_, _> = found.into_iter().map(line).collect();
        Verdict {
            is_well,
            checks: Value::Object(checks),
        }
    }
}

async fn answer(State(health): State<Arc<Health>>) -> Response {
    let Verdict { is_well, checks } = health.verdict().await;
    let (code, word) = match is_well {
        true => (StatusCode::OK, "ok"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "failing"),
    };
    (code, Json(json!({ "status": word, "checks": checks }))).into_response()
}

/// Logs an error and says `sentence` instead: an answer for everybody must not tell the URL of a
/// node or a database, which may have a key in it.
pub fn told<E: std::fmt::Display>(sentence: &'static str) -> impl FnOnce(E) -> String {
    move |error| {
        tracing::warn!(%error, "{sentence}");
        sentence.to_owned()
    }
}

/// Whether a file can be written in `dir`: a full or read-only disk stops every role.
///
/// # Errors
/// The system's words.
pub async fn disk(dir: &std::path::Path) -> Found {
    let path = dir.join(".healthz");
    let written = tokio::fs::write(&path, b"ok").await;
    let removed = tokio::fs::remove_file(&path).await;
    let said = |error: std::io::Error| format!("cannot write in {}: {error}", dir.display());
    written.and(removed).map_err(said)
}

#[cfg(test)]
mod tests {
    use axum::{body::to_bytes, http::Request};
    use tower::ServiceExt as _;

    use super::*;

    async fn asked(router: &Router) -> (StatusCode, Value) {
        let request = Request::get("/healthz").body(axum::body::Body::empty());
        let answer = router.clone().oneshot(request.unwrap()).await.unwrap();
        let status = answer.status();
        let body = to_bytes(answer.into_body(), 10_000).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn one_failure_makes_503_and_says_which() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        let well = Health::default().check("disk", move || {
            let path = path.clone();
            async move { disk(&path).await }
        });
        let (status, body) = asked(&well.router()).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(body, json!({ "status": "ok", "checks": { "disk": "ok" } }));

        let ill = Health::default()
            .check("chain", async || Ok(()))
            .check("disk", async || disk("/nonexistent".as_ref()).await);
        let (status, body) = asked(&ill.router()).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(body["checks"]["chain"], "ok");
        let said = body["checks"]["disk"].as_str().unwrap();
        assert!(said.starts_with("cannot write in /nonexistent: "), "{said}");
    }

    #[tokio::test]
    async fn questions_in_a_row_ask_once() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let count = Arc::new(AtomicU32::new(0));
        let counted = count.clone();
        let router = Health::default()
            .check("x", move || {
                counted.fetch_add(1, Ordering::Relaxed);
                async { Ok(()) }
            })
            .router();
        asked(&router).await;
        asked(&router).await;
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }
}
