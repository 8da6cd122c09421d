//! `GET /tasks/{id}/stream`: what happened so far and what happens from now on, as server-sent
//! events: `status`, `progress`, `log` (for the requester only) and, at last, `end`.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc};

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
    Address,
    message::{Logs, Stream as Output},
    status::{ReplicateStatus, TaskStage},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use super::{
    Api, Refusal,
    model::{date, failure},
};
use crate::{
    live::News,
    machine::{Failure, Notice, Task},
};

/// Events waiting for a slow watcher.
const EVENTS_WAITING_MAX: usize = 64;

#[derive(Debug, Deserialize)]
pub(super) struct StreamQuery {
    /// The token of the `Authorization` header, for clients that cannot set headers.
    authorization: Option<String>,
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
    let seat = api.stream_seats.clone().try_acquire_owned();
    let seat = seat.map_err(|_| Refusal::Busy)?;
    let (sender, events) = mpsc::channel(EVENTS_WAITING_MAX);
    let watcher = Watcher {
        api,
        sender,
        with_logs: reader.is_some(),
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
    _seat: OwnedSemaphorePermit,
}

impl Watcher {
    /// None as soon as the client is gone or the pool stops.
    async fn watch(self, id: String) -> Option<()> {
        let id = id.parse().ok()?;
        // First the subscription, then the history: nothing can fall between them.
        let (mut news, tails) = self.api.live.watch(id);
        let task = self.api.database.task(id).await.ok()??;
        self.replay(&task).await?;
        if task.is_final() {
            self.api.live.forget(id);
            self.replay_logs(self.api.output(&task).await.ok()?).await?;
        } else {
            self.replay_logs(tails).await?;
            self.follow(&mut news, task.revision).await?;
        }
        let task = self.api.database.task(id).await.ok()??;
        if !task.is_final() {
            return None;
        }
        self.send("end", end(&task)).await
    }

    async fn replay(&self, task: &Task) -> Option<()> {
        for (_, value) in history(task) {
            self.send("status", value).await?;
        }
        Some(())
    }

    async fn replay_logs(&self, logs: BTreeMap<Address, Logs>) -> Option<()> {
        for (worker, logs) in logs {
            for (stream, text) in [(Output::Stdout, logs.stdout), (Output::Stderr, logs.stderr)] {
                if self.with_logs && !text.is_empty() {
                    self.send("log", log(worker, stream, &text)).await?;
                }
            }
        }
        Some(())
    }

    /// Passes news on until the task is final, skipping what the history had.
    async fn follow(&self, news: &mut broadcast::Receiver<News>, seen: u64) -> Option<()> {
        loop {
            let next = tokio::select! {
                () = self.sender.closed() => return None,
                next = news.recv() => next,
            };
            match next {
                Ok(news) => self.pass(news, seen).await?,
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return Some(()),
            }
        }
    }

    async fn pass(&self, news: News, seen: u64) -> Option<()> {
        match news {
            News::Notice(notice) if notice.revision > seen => {
                self.send("status", live_status(&notice)).await
            }
            News::Progress { worker, percent } => {
                let value = json!({ "worker": address(worker), "percent": percent });
                self.send("progress", value).await
            }
            News::Log {
                worker,
                stream,
                text,
            } if self.with_logs => self.send("log", log(worker, stream, &text)).await,
            _ => Some(()),
        }
    }

    async fn send(&self, name: &str, value: Value) -> Option<()> {
        let event = Event::default().event(name).data(value.to_string());
        self.sender.send(Ok(event)).await.ok()
    }
}

fn address(address: Address) -> String {
    format!("{address:#x}")
}

fn log(worker: Address, stream: Output, text: &str) -> Value {
    json!({ "worker": address(worker), "stream": stream, "text": text })
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
