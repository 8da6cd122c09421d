//! A worker's WebSocket: challenge, login, then frames both ways.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::{
        State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
};
use protocol::{
    Address, Bytes, Signature, challenge,
    message::{FRAME_BYTES_MAX, ToPool, ToWorker, VERSION},
};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::{debug, info};

use crate::{
    api::Api,
    machine::{Event, Hello},
    refusals::Reason,
    shell::{Input, Link},
};

/// Time to answer the challenge.
const LOGIN_WAIT_MS: u64 = 10_000;
/// How often a silent worker is asked whether it is there.
const PING_PERIOD_MS: u64 = 5_000;
/// Pings without any answer before a worker counts as gone.
const PINGS_MISSED_MAX: u32 = 2;
/// Frames waiting for one worker: more than its orders and acknowledgements can be.
const FRAMES_WAITING_MAX: usize = 2_048;
/// Time for one frame to leave; a worker that does not read is gone.
const SEND_WAIT_MS: u64 = 10_000;
/// Workers connected at once.
pub(crate) const WORKERS_MAX: usize = 10_000;
/// Characters of a worker's name and engine that are kept.
const NAME_CHARS_MAX: usize = 100;

static NEXT_LINK: AtomicU64 = AtomicU64::new(1);

/// `GET /workers/connect`.
pub(crate) async fn connect(State(api): State<Arc<Api>>, upgrade: WebSocketUpgrade) -> Response {
    let Ok(seat) = api.worker_seats.clone().try_acquire_owned() else {
        api.refusals.count(Reason::PoolIsFull, None);
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    upgrade
        .max_message_size(FRAME_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .on_upgrade(move |socket| async move {
            let connection = Connection { socket, api };
            connection.serve().await;
            drop(seat);
        })
}

struct Connection {
    socket: WebSocket,
    api: Arc<Api>,
}

impl Connection {
    async fn serve(mut self) -> Option<()> {
        let hello = match self.log_in().await? {
            Ok(hello) => hello,
            Err((reason, worker)) => {
                self.api.refusals.count(reason, worker);
                let reason = reason.sentence().to_owned();
                return self.send(&ToWorker::Refused { reason }).await;
            }
        };
        let worker = hello.address;
        info!(%worker, name = hello.name, slots = hello.slots, "worker online");
        let (sender, frames) = mpsc::channel(FRAMES_WAITING_MAX);
        let busy: Vec<_> = hello.busy.iter().map(|busy| busy.task).collect();
        let welcome = ToWorker::Welcome {
            result_proxy: self.api.result_proxy.clone(),
            sms: self.api.sms.clone(),
            heard: self.api.live.heard(worker, &busy),
        };
        sender.try_send(welcome).ok()?;
        let number = NEXT_LINK.fetch_add(1, Ordering::Relaxed);
        let link = Link { sender, number };
        let inbox = self.api.inbox.clone();
        inbox.send(Input::Online { hello, link }).await.ok()?;
        self.exchange(worker, frames).await;
        info!(%worker, "worker offline");
        inbox.send(Input::Offline { worker, number }).await.ok()
    }

    /// None when the peer is gone; an error is why it is refused, and who it says it is.
    async fn log_in(&mut self) -> Option<Result<Hello, (Reason, Option<Address>)>> {
        let challenge = crate::api::challenges::random_text();
        let frame = ToWorker::Challenge {
            challenge: challenge.clone(),
            workerpool: self.api.workerpool,
            chain_id: self.api.chain_id,
            version: VERSION,
        };
        self.send(&frame).await?;
        let answer = timeout(Duration::from_millis(LOGIN_WAIT_MS), self.receive());
        let Some(login) = answer.await.ok().flatten() else {
            return Some(Err((Reason::NoLogin, None)));
        };
        Some(self.check(&challenge, login))
    }

    fn check(&self, challenge: &str, login: ToPool) -> Result<Hello, (Reason, Option<Address>)> {
        let ToPool::Login {
            address,
            signature,
            name,
            slots,
            engine,
            profile,
            busy,
        } = login
        else {
            return Err((Reason::NoLogin, None));
        };
        let api = &self.api;
        let hash = challenge::worker_login(api.chain_id, api.workerpool, challenge);
        if signer(&signature, hash) != Some(address) {
            return Err((Reason::WrongSignature, Some(address)));
        }
        if !api.whitelist.is_empty() && !api.whitelist.contains(&address) {
            return Err((Reason::NotOnWhitelist, Some(address)));
        }
        Ok(Hello {
            address,
            name: name.chars().take(NAME_CHARS_MAX).collect(),
            slots,
            engine: engine.chars().take(NAME_CHARS_MAX).collect(),
            profile,
            busy,
        })
    }

    /// Until the worker is gone, or a newer connection takes its place.
    async fn exchange(&mut self, worker: Address, mut frames: mpsc::Receiver<ToWorker>) {
        let mut pings = tokio::time::interval(Duration::from_millis(PING_PERIOD_MS));
        let mut unanswered = 0;
        loop {
            let alive = tokio::select! {
                frame = frames.recv() => match frame {
                    Some(frame) => self.send(&frame).await,
                    None => return,
                },
                message = self.socket.recv() => {
                    unanswered = 0;
                    take(&self.api, worker, message).await
                }
                _ = pings.tick() => {
                    unanswered += 1;
                    if unanswered > PINGS_MISSED_MAX {
                        return;
                    }
                    self.send_message(Message::Ping(Default::default())).await
                }
            };
            if alive.is_none() {
                return;
            }
        }
    }

    async fn receive(&mut self) -> Option<ToPool> {
        loop {
            if let Message::Text(text) = self.socket.recv().await?.ok()? {
                return serde_json::from_str(&text).ok();
            }
        }
    }

    async fn send(&mut self, frame: &ToWorker) -> Option<()> {
        let text = serde_json::to_string(frame).ok()?;
        self.send_message(Message::Text(text.into())).await
    }

    async fn send_message(&mut self, message: Message) -> Option<()> {
        let sent = timeout(
            Duration::from_millis(SEND_WAIT_MS),
            self.socket.send(message),
        );
        sent.await.ok()?.ok()
    }
}

async fn take(
    api: &Api,
    worker: Address,
    message: Option<Result<Message, axum::Error>>,
) -> Option<()> {
    match message?.ok()? {
        Message::Text(text) => {
            let Ok(frame) = serde_json::from_str(&text) else {
                debug!(%worker, "a frame that nobody understands");
                return Some(());
            };
            match input(worker, frame) {
                Some(input) => api.inbox.send(input).await.ok(),
                None => Some(()),
            }
        }
        Message::Close(_) => None,
        _ => Some(()),
    }
}

fn input(worker: Address, frame: ToPool) -> Option<Input> {
    Some(match frame {
        ToPool::Login { .. } => return None,
        ToPool::Slots { slots } => Input::Event(Event::SlotsChanged { worker, slots }),
        ToPool::Acknowledge { id } => Input::Event(Event::OrderAcknowledged { worker, id }),
        ToPool::Report { seq, report } => Input::Event(Event::Reported {
            worker,
            seq,
            report,
        }),
        ToPool::Progress {
            task,
            phase,
            percent,
        } => Input::Progress {
            worker,
            task,
            phase,
            percent,
        },
        ToPool::Log {
            task,
            run,
            stream,
            offset,
            text,
        } => Input::Log {
            worker,
            task,
            place: (run, stream, offset),
            text,
        },
    })
}

fn signer(signature: &Bytes, hash: protocol::B256) -> Option<Address> {
    let signature = Signature::from_raw(signature).ok()?;
    signature.recover_address_from_prehash(&hash).ok()
}
