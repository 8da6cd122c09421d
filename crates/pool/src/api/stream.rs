//! `GET /tasks/{id}/stream`: what happened so far and what happens from now on, as server-sent
//! events: `status`, `progress`, `log` and `gap` (for the requester only) and, at last, `end`.
//!
//! The `id:` of a `log` is a [`Position`]. Who sends the last one back, as `Last-Event-ID` or
//! `?after=`, gets the output that comes after it, once; where that is not kept any more, a `gap`
//! says how many bytes are missing. The steps are told from the beginning each time.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::{Path, Query, State},
    http::{HeaderMap, header},
    response::{
        Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::Stream;
use protocol::{
    Address, TaskId,
    status::{ReplicateStatus, TaskStage},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    sync::{broadcast::error::RecvError, mpsc},
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;

use super::{
    Api, Refusal,
    model::{date, failure},
    seats::Seat,
};
use crate::{
    live::{News, Position, Subscription, Written, unread},
    machine::{Failure, Notice, Task},
};

/// The header in which a browser brings back the last `id:`.
const LAST_EVENT_ID: &str = "last-event-id";
/// Events waiting for a slow watcher; the rest waits where it is kept.
const EVENTS_WAITING_MAX: usize = 8;
/// A watcher that takes nothing for this long gives its seat to another one; it may come again.
const SLOW_MS_MAX: u64 = 60_000;

#[derive(Debug, Deserialize)]
pub(super) struct StreamQuery {
    /// The token of the `Authorization` header, for clients that cannot set headers.
    authorization: Option<String>,
    /// The last `id:`, for clients that cannot set headers.
    after: Option<String>,
}

type Item = Result<Event, Infallible>;

pub(super) async fn stream(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    Query(query): Query<StreamQuery>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Item>>, Refusal> {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok());
    let token = token.map(str::to_owned).or(query.authorization);
    let reader = token.map(|token| api.signer(&token)).transpose()?;
    let requester = api.task(&id).await?.terms.requester;
    if reader.is_some_and(|reader| reader != requester) {
        return Err(Refusal::NotRequester);
    }
    let seat = api.stream_seats.take(reader)?;
    let after = headers.get(LAST_EVENT_ID).and_then(|v| v.to_str().ok());
    let after = after.map(str::to_owned).or(query.after);
    let (sender, events) = mpsc::channel(EVENTS_WAITING_MAX);
    let watcher = Watcher {
        api,
        sender,
        with_logs: reader.is_some(),
        position: Position::parse(&after.unwrap_or_default()),
        _seat: seat,
    };
    tokio::spawn(watcher.watch(id));
    Ok(Sse::new(ReceiverStream::new(events)).keep_alive(KeepAlive::default()))
}

/// Feeds one client.
struct Watcher {
    api: Arc<Api>,
    sender: mpsc::Sender<Item>,
    with_logs: bool,
    /// What of the output is sent.
    position: Position,
    _seat: Seat,
}

impl Watcher {
    /// None as soon as the client is gone or the pool stops.
    async fn watch(mut self, id: String) -> Option<()> {
        let id = id.parse().ok()?;
        // First the subscription, then the history: nothing can fall between them.
        let mut subscription = self.api.live.watch(id);
        let task = self.api.database.task(id).await.ok()??;
        self.replay(&task).await?;
        match task.is_final() {
            true => self.api.live.forget(id),
            false => self.follow(id, &mut subscription, task.revision).await?,
        }
        let task = self.api.database.task(id).await.ok()??;
        if !task.is_final() {
            return None;
        }
        // The end of the output may have come with the report that ended the task.
        let logs = self.api.output(&task).await.ok()?;
        let rest = unread(&logs, &mut self.position);
        self.pass_output(rest).await?;
        self.send("end", end(&task)).await
    }

    async fn replay(&self, task: &Task) -> Option<()> {
        for (_, value) in history(task) {
            self.send("status", value).await?;
        }
        Some(())
    }

    /// Passes news on until the task is final, skipping what the history had. None when the client
    /// is gone, or so far behind that it has to come again.
    async fn follow(&mut self, id: TaskId, to: &mut Subscription, seen: u64) -> Option<()> {
        loop {
            let written = self.api.live.unread(id, &mut self.position);
            self.pass_output(written).await?;
            tokio::select! {
                () = self.sender.closed() => return None,
                changed = to.written.changed() => if changed.is_err() {
                    // Final: what was told before that is still there.
                    while let Ok(news) = to.news.try_recv() {
                        self.pass(news, seen).await?;
                    }
                    return Some(());
                },
                news = to.news.recv() => match news {
                    Ok(news) => {
                        // What the app wrote before a step is told before it.
                        let written = self.api.live.unread(id, &mut self.position);
                        self.pass_output(written).await?;
                        self.pass(news, seen).await?;
                    }
                    Err(RecvError::Closed) => return Some(()),
                    Err(RecvError::Lagged(_)) => return None,
                },
            }
        }
    }

    async fn pass(&self, news: News, seen: u64) -> Option<()> {
        match news {
            News::Notice(notice) if notice.revision > seen => {
                self.send("status", live_status(&notice)).await
            }
            News::Notice(_) => Some(()),
            News::Progress {
                worker,
                phase,
                percent,
            } => {
                let worker = address(worker);
                let value = json!({ "worker": worker, "phase": phase, "percent": percent });
                self.send("progress", value).await
            }
        }
    }

    async fn pass_output(&self, written: Vec<Written>) -> Option<()> {
        for written in written.into_iter().filter(|_| self.with_logs) {
            if written.missing > 0 {
                self.send("gap", gap(&written)).await?;
            }
            let event = Event::default()
                .event("log")
                .data(log(&written).to_string());
            let event = event.id(written.position.to_string());
            self.deliver(event).await?;
        }
        Some(())
    }

    async fn send(&self, name: &str, value: Value) -> Option<()> {
        let event = Event::default().event(name).data(value.to_string());
        self.deliver(event).await
    }

    async fn deliver(&self, event: Event) -> Option<()> {
        let taken = self.sender.send(Ok(event));
        timeout(Duration::from_millis(SLOW_MS_MAX), taken)
            .await
            .ok()?
            .ok()
    }
}

fn address(address: Address) -> String {
    format!("{address:#x}")
}

fn log(written: &Written) -> Value {
    json!({
        "worker": address(written.worker),
        "run": written.run,
        "stream": written.stream,
        "offset": written.offset,
        "text": written.text,
    })
}

/// What comes before a piece of output and is not kept any more.
fn gap(written: &Written) -> Value {
    json!({
        "worker": address(written.worker),
        "run": written.run,
        "stream": written.stream,
        "offset": written.offset - written.missing,
        "missing": written.missing,
    })
}

fn end(task: &Task) -> Value {
    let cause = task.failure.as_ref().map(failure);
    json!({ "taskStatus": task.stage(), "resultLink": task.result_link, "cause": cause })
}

fn status(
    stage: TaskStage,
    step: Option<(Address, ReplicateStatus)>,
    when: u64,
    why: Option<&Failure>,
) -> Value {
    json!({
        "taskStatus": stage,
        "replicateStatus": step.map(|(_, status)| status),
        "worker": step.map(|(worker, _)| address(worker)),
        "date": date(when),
        "cause": why.map(|f| f.cause),
        "message": why.and_then(|f| f.message.as_deref()),
    })
}

fn live_status(notice: &Notice) -> Value {
    status(
        notice.stage,
        notice.step,
        notice.date,
        notice.failure.as_ref(),
    )
}

/// Stages and steps in the order of their dates.
fn history(task: &Task) -> Vec<(u64, Value)> {
    let stage_at = |when: u64| {
        let before = task.stages.iter().take_while(|s| s.date <= when);
        before.last().map_or(TaskStage::Received, |s| s.stage)
    };
    let mut events = Vec::new();
    for entry in &task.stages {
        let is_end = entry.stage.is_final();
        let why = task.failure.as_ref().filter(|_| is_end);
        events.push((entry.date, status(entry.stage, None, entry.date, why)));
    }
    for replicate in &task.replicates {
        for update in &replicate.updates {
            let why = update
                .cause
                .map(|c| Failure::new(c, update.message.clone()));
            let step = Some((replicate.worker, update.status));
            let value = status(stage_at(update.date), step, update.date, why.as_ref());
            events.push((update.date, value));
        }
    }
    events.sort_by_key(|(date, _)| *date);
    events
}
