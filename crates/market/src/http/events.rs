//! `GET /events`: the live feed as server-sent events, with the names and payloads of the official
//! socket (spec/market-explorer.md §11). Every event has a number; a client that was away goes on
//! after the last one it saw.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::{Query, State},
    http::HeaderMap,
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::{Stream, stream::unfold};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::{Params_, Shared};
use crate::{
    Error,
    database::{Database, Told},
    input::Params,
    refusal::Refusal,
};

/// Listeners at once: each holds a connection and reads the backlog.
pub(crate) const LISTENERS_MAX: usize = 1000;
/// Events read from the backlog at once.
const PAGE: u64 = 200;
/// How often a quiet feed shows that it is alive.
const KEEP_ALIVE_S: u64 = 15;
/// After so long a full house may have a place.
const FULL_RETRY_S: u64 = 10;
/// What a browser says when it comes back.
const LAST_EVENT_ID: &str = "last-event-id";

/// Events after `Last-Event-ID`, else after `since`, else from now on.
pub(super) async fn events(
    State(market): Shared,
    Query(query): Params_,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let mut query = query;
    if let Some(last) = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()) {
        query.insert("since".to_owned(), last.to_owned());
    }
    let params = Params::from(query);
    let since = params.integer("since", 0)?;
    params.expect_chain(market.config.chain_id)?;
    let permit = Arc::clone(&market.listeners).try_acquire_owned();
    let permit = permit.map_err(|_| Refusal::TooMany(FULL_RETRY_S))?;
    let newest = market.database.news.newest();
    let last = (*newest.borrow()).unwrap_or_default();
    let (seen, ready) = match since {
        // of an older database: its numbers mean nothing here
        Some(since) if since > last => (last, VecDeque::from([gap(last + 1)])),
        since => (since.unwrap_or(last), VecDeque::new()),
    };
    let feed = Feed {
        database: market.database.clone(),
        newest,
        seen,
        ready,
        _permit: permit,
    };
    let alive = KeepAlive::new().interval(Duration::from_secs(KEEP_ALIVE_S));
    Ok(Sse::new(feed.stream()).keep_alive(alive).into_response())
}

/// One listener.
struct Feed {
    database: Database,
    newest: watch::Receiver<Option<u64>>,
    /// Number of the last event told.
    seen: u64,
    ready: VecDeque<Event>,
    _permit: OwnedSemaphorePermit,
}

impl Feed {
    fn stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        unfold(self, |mut feed| async move {
            let event = feed.next().await?;
            Some((Ok(event), feed))
        })
    }

    /// None when the market stops or cannot be read: the client comes back.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let newest = (*self.newest.borrow_and_update())?;
            if newest <= self.seen {
                self.newest.changed().await.ok()?;
                continue;
            }
            self.read().await.ok()?;
        }
    }

    async fn read(&mut self) -> Result<(), Error> {
        let told = self.database.events_after(self.seen, PAGE).await?;
        if let Some(first) = told.first().filter(|first| first.id > self.seen + 1) {
            self.ready.push_back(gap(first.id));
        }
        self.seen = told.last().map_or(self.seen, |last| last.id);
        self.ready.extend(told.into_iter().map(shown));
        Ok(())
    }
}

/// Tells that events before `first` are forgotten: the client reads the lists again.
fn gap(first: u64) -> Event {
    Event::default()
        .id((first - 1).to_string())
        .event("gap")
        .data(format!("{{\"first\":{first}}}"))
}

fn shown(told: Told) -> Event {
    Event::default()
        .id(told.id.to_string())
        .event(told.name)
        .data(told.payload)
}

#[cfg(test)]
mod tests {
    use axum::{
        body::{Body, BodyDataStream},
        http::Request,
    };
    use futures_util::StreamExt as _;
    use protocol::order::Kind;
    use tower::ServiceExt as _;

    use crate::testing::{Bench, CHAIN_ID, app_order, dataset_order};

    async fn listen(bench: &Bench, query: &str, last: Option<&str>) -> BodyDataStream {
        let path = format!("/events?chainId={CHAIN_ID}{query}");
        let mut request = Request::get(path);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let router = crate::http::router(bench.market.clone());
        let request = request.body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        response.into_body().into_data_stream()
    }

    /// Number and name of the next event.
    async fn next(feed: &mut BodyDataStream) -> (String, String) {
        let bytes = feed.next().await.unwrap().unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap().trim().to_owned()
        };
        (field("id:"), field("event:"))
    }

    fn told(id: u64, name: &str) -> (String, String) {
        (id.to_string(), name.to_owned())
    }

    #[tokio::test]
    async fn a_listener_misses_nothing_and_goes_on_where_it_stopped() {
        let bench = Bench::new().await;
        let mut live = listen(&bench, "", None).await;
        let app = bench.publish(Kind::App, app_order()).await.unwrap();
        bench.publish(Kind::Dataset, dataset_order()).await.unwrap();
        let owner = bench.owner.address();
        let target = crate::unpublish::Target::One(app.hash);
        bench
            .market
            .unpublish(Kind::App, owner, target)
            .await
            .unwrap();
        let all = [
            told(1, "apporder_published"),
            told(2, "datasetorder_published"),
            told(3, "apporder_unpublished"),
        ];
        for event in &all {
            assert_eq!(next(&mut live).await, *event);
        }
        let mut again = listen(&bench, "&since=1", None).await;
        assert_eq!(next(&mut again).await, all[1]);
        let mut browser = listen(&bench, "&since=0", Some("2")).await;
        assert_eq!(next(&mut browser).await, all[2]);
    }

    #[tokio::test]
    async fn forgotten_events_are_a_gap() {
        let bench = Bench::new().await;
        bench.publish(Kind::App, app_order()).await.unwrap();
        bench.publish(Kind::Dataset, dataset_order()).await.unwrap();
        bench.market.database.forget_events(1).await;
        let mut feed = listen(&bench, "&since=0", None).await;
        assert_eq!(next(&mut feed).await, told(1, "gap"));
        assert_eq!(next(&mut feed).await, told(2, "datasetorder_published"));
    }

    /// A new data directory counts from 1 again, and browsers still know the old numbers.
    #[tokio::test]
    async fn numbers_of_an_older_database_are_a_gap() {
        let bench = Bench::new().await;
        let mut feed = listen(&bench, "", Some("57")).await;
        assert_eq!(next(&mut feed).await, told(0, "gap"));
        bench.publish(Kind::App, app_order()).await.unwrap();
        assert_eq!(next(&mut feed).await, told(1, "apporder_published"));
    }

    #[tokio::test]
    async fn the_feed_ends_with_the_service() {
        let bench = Bench::new().await;
        let mut feed = listen(&bench, "", None).await;
        bench.market.database.close().await;
        assert!(feed.next().await.is_none());
    }
}
