//! The worker's life: dial the pool, log in, follow orders, come back when the connection breaks.

use std::{sync::Arc, time::Duration};

use chain::Actor;
use engine::Engine;
use futures_util::{SinkExt, Stream, StreamExt, stream::SplitSink};
use protocol::{
    Bytes, challenge,
    message::{CONNECT_PATH, FRAME_BYTES_MAX, ToPool, ToWorker, VERSION},
};
use tokio::{net::TcpStream, sync::mpsc, time::Instant};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{self, Message, protocol::WebSocketConfig},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Board, Config, Enclave, Error,
    board::Seat,
    enclave,
    jobs::Jobs,
    journal::{self, Journal},
    replicate::Context,
    services::Services,
    spool::{Reader, Spool},
    stock, upload,
};

/// Said by everything that has to do with a simulated platform.
const SIMULATED: &str =
    "SIMULATED TEE: this worker's enclaves protect nothing from whoever runs it";

/// First pause before dialling again; short, because the usual reason is a restart of the pool.
const REDIAL_MIN_MS: u64 = 100;
/// Longest pause: a pool that is back is found within this.
const REDIAL_MAX_MS: u64 = 5_000;
/// The pool pings more often than this; longer silence means a dead connection.
const SILENCE_MAX_MS: u64 = 20_000;
/// Each step of the login has to come within this.
const LOGIN_TIMEOUT_MS: u64 = 10_000;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A worker.
#[derive(Debug)]
pub struct Service {
    context: Arc<Context>,
    board: Arc<Board>,
}

impl Service {
    /// A worker with this configuration, wallet and engine.
    ///
    /// # Errors
    /// [`Error::DataDir`] when task folders cannot be made, [`Error::HttpClient`].
    pub fn new(config: Config, actor: Actor, engine: Arc<dyn Engine>) -> Result<Self, Error> {
        let in_dir = |source| Error::DataDir {
            path: config.data_dir.clone(),
            source,
        };
        std::fs::create_dir_all(&config.data_dir).map_err(in_dir)?;
        let http = upload::client().map_err(Error::HttpClient)?;
        Ok(Self {
            board: Board::new(config.slots),
            context: Arc::new(Context {
                config,
                actor,
                engine,
                http,
                spool: Spool::default(),
                sms_turn: tokio::sync::Mutex::default(),
                enclave: None,
            }),
        })
    }

    /// Takes confidential tasks too, and says so to the pool. To be called before anything else.
    #[must_use]
    pub fn with_enclave(mut self, enclave: Enclave) -> Self {
        if let Some(context) = Arc::get_mut(&mut self.context) {
            if let Some(seed) = &enclave.attestation.simulator {
                tracing::warn!(seed = %seed.display(), "{SIMULATED}");
            }
            context.enclave = Some(enclave);
        }
        self
    }

    /// Shares slots with the sessions of other pools and is drained with them; the configuration's
    /// own slots do not count then.
    #[must_use]
    pub fn with_board(mut self, board: Arc<Board>) -> Self {
        self.board = board;
        self
    }

    /// Works until `shutdown`. What an earlier process left (containers, folders) is removed
    /// first; the pool hands its tasks out again.
    ///
    /// # Errors
    /// A final [`Error`]: another workerpool's pool, or a refusal. Lost connections are dialled
    /// again for ever.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let journals = self.clean_up().await?;
        let config = &self.context.config;
        let seat = self.board.seat(&config.pool_url, config.workerpool);
        let (jobs, mut frames) = Jobs::new(self.context.clone(), seat.clone(), shutdown.clone());
        for journal in journals {
            jobs.resume(journal);
        }
        let url = socket_url(&config.pool_url)?;
        let mut pause = REDIAL_MIN_MS;
        let ended = loop {
            let session = Session {
                context: &self.context,
                jobs: &jobs,
                seat: &seat,
                pause: &mut pause,
            };
            let ended = tokio::select! {
                ended = session.run(&url, &mut frames) => ended,
                () = shutdown.cancelled() => break Ok(()),
            };
            match ended {
                Err(error) if error.is_final() => break Err(error),
                Err(error) => tracing::debug!(%error, "dialling again"),
                Ok(()) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(pause)) => {}
                () = shutdown.cancelled() => break Ok(()),
            }
            pause = (pause * 2).min(REDIAL_MAX_MS);
        };
        shutdown.cancel();
        jobs.finish().await;
        ended
    }

    /// Removes what an earlier process left, but the results that are not paid yet.
    async fn clean_up(&self) -> Result<Vec<Journal>, Error> {
        let path = &self.context.config.data_dir;
        let failed = |source| Error::DataDir {
            path: path.clone(),
            source,
        };
        let mut journals = Vec::new();
        for folder in journal::task_folders(path).map_err(failed)? {
            match Journal::load(&folder) {
                Some(journal) => journals.push(journal),
                None => {
                    let _ = engine::remove_tree(&folder);
                }
            }
        }
        enclave::sweep_memory(&self.context.container_prefix());
        // Containers are only started with a journal: without one of a running app none is wanted.
        if journals.iter().all(|journal| journal.computed.is_some()) {
            self.sweep().await?;
        }
        Ok(journals)
    }

    async fn sweep(&self) -> Result<(), Error> {
        let prefix = self.context.container_prefix();
        let removed = self.context.engine.sweep(&prefix).await?;
        if removed > 0 {
            tracing::info!(removed, "removed containers of an earlier run");
        }
        Ok(())
    }
}

fn socket_url(pool: &str) -> Result<String, Error> {
    let (scheme, rest) = pool
        .split_once("://")
        .ok_or_else(|| Error::PoolUrl(pool.to_owned()))?;
    let scheme = match scheme {
        "http" | "ws" => "ws",
        "https" | "wss" => "wss",
        _ => return Err(Error::PoolUrl(pool.to_owned())),
    };
    Ok(format!(
        "{scheme}://{}{CONNECT_PATH}",
        rest.trim_end_matches('/')
    ))
}

fn broken(reason: impl ToString) -> Error {
    Error::Connection(reason.to_string())
}

struct Session<'a> {
    context: &'a Context,
    jobs: &'a Arc<Jobs>,
    seat: &'a Seat,
    pause: &'a mut u64,
}

impl Session<'_> {
    async fn run(self, url: &str, frames: &mut mpsc::Receiver<ToPool>) -> Result<(), Error> {
        let limits = WebSocketConfig::default()
            .max_message_size(Some(FRAME_BYTES_MAX))
            .max_frame_size(Some(FRAME_BYTES_MAX));
        let dial = tokio_tungstenite::connect_async_with_config(url, Some(limits), true);
        let (mut socket, _) = dial.await.map_err(broken)?;
        let login = Duration::from_millis(LOGIN_TIMEOUT_MS);
        let (is_draining, mut slots) = (self.seat.is_draining(), self.seat.slots());
        let mut reader = tokio::time::timeout(login, self.login(&mut socket, slots))
            .await
            .map_err(broken)??;
        *self.pause = REDIAL_MIN_MS;
        let _online = self.seat.online();
        let (mut sink, mut stream) = socket.split();
        // Reports queued before are in the outbox too: sending them from there keeps the order.
        while frames.try_recv().is_ok() {}
        for frame in self.jobs.unacknowledged() {
            send(&mut sink, &frame).await?;
        }
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                Some(frame) = frames.recv() => send(&mut sink, &frame).await?,
                frame = self.context.spool.next(&mut reader) => send(&mut sink, &frame).await?,
                received = receive(&mut stream, &mut heard) => match received? {
                    Received::Frame(ToWorker::Order { id, order }) => {
                        self.jobs.follow(order);
                        send(&mut sink, &ToPool::Acknowledge { id }).await?;
                    }
                    Received::Frame(ToWorker::Acknowledge { seq }) => self.jobs.acknowledged(seq),
                    Received::Frame(_) => {}
                    Received::Ping => sink.flush().await.map_err(broken)?,
                },
                // Logging in again tells any pool that there are no slots any more.
                () = self.seat.drained(is_draining) => return Ok(()),
                other = self.seat.slots_other_than(slots) => {
                    slots = other;
                    send(&mut sink, &ToPool::Slots { slots }).await?;
                }
            }
        }
    }

    async fn login(&self, socket: &mut Socket, slots: u32) -> Result<Reader, Error> {
        let config = &self.context.config;
        let ToWorker::Challenge {
            challenge,
            workerpool,
            chain_id,
            version,
        } = next(socket).await?
        else {
            return Err(broken("the pool did not begin with a challenge"));
        };
        if version != VERSION {
            return Err(Error::OtherVersion(version));
        }
        let hub = self.context.actor.hub();
        if workerpool != config.workerpool || chain_id != hub.chain_id() {
            return Err(Error::OtherPool {
                found: workerpool,
                expected: config.workerpool,
            });
        }
        let hash = challenge::worker_login(chain_id, workerpool, &challenge);
        let signature = self
            .context
            .actor
            .wallet()
            .sign_hash(hash)
            .map_err(broken)?;
        let images = stock::images(&*self.context.engine, config.allow_local_images).await;
        let login = ToPool::Login {
            address: self.context.actor.address(),
            signature: Bytes::copy_from_slice(&signature.as_bytes()),
            name: config.name.clone(),
            slots,
            engine: self.context.engine.name().to_owned(),
            profile: config.profile(images, self.context.enclave.is_some()),
            busy: self.jobs.busy(),
        };
        socket.send(text(&login)).await.map_err(broken)?;
        match next(socket).await? {
            ToWorker::Welcome {
                result_proxy,
                sms,
                heard,
            } => {
                self.jobs.set_services(Services { result_proxy, sms });
                Ok(Reader::new(heard))
            }
            ToWorker::Refused { reason } => Err(Error::Refused(reason)),
            _ => Err(broken("the pool did not answer the login")),
        }
    }
}

enum Received {
    Frame(ToWorker),
    Ping,
}

/// A pool that takes nothing is as good as silent.
async fn send(sink: &mut SplitSink<Socket, Message>, frame: &ToPool) -> Result<(), Error> {
    let silence = Duration::from_millis(SILENCE_MAX_MS);
    let sent = tokio::time::timeout(silence, sink.send(text(frame))).await;
    sent.map_err(|_| broken("the pool takes nothing"))?
        .map_err(broken)
}

/// The pool's next word. Silence counts since it was `heard`, however often this is asked: a
/// worker that has much to say asks often.
async fn receive<S>(stream: &mut S, heard: &mut Instant) -> Result<Received, Error>
where
    S: Stream<Item = Result<Message, tungstenite::Error>> + Unpin,
{
    let silence = *heard + Duration::from_millis(SILENCE_MAX_MS);
    let message = tokio::time::timeout_at(silence, stream.next()).await;
    let message = message.map_err(|_| broken("the pool is silent"))?;
    *heard = Instant::now();
    match message.ok_or_else(|| broken("closed"))?.map_err(broken)? {
        Message::Text(text) => serde_json::from_str(&text)
            .map(Received::Frame)
            .map_err(broken),
        Message::Close(_) => Err(broken("closed")),
        _ => Ok(Received::Ping),
    }
}

async fn next(socket: &mut Socket) -> Result<ToWorker, Error> {
    loop {
        match socket
            .next()
            .await
            .ok_or_else(|| broken("closed"))?
            .map_err(broken)?
        {
            Message::Text(text) => return serde_json::from_str(&text).map_err(broken),
            Message::Close(_) => return Err(broken("closed")),
            _ => {}
        }
    }
}

fn text(frame: &ToPool) -> Message {
    Message::text(serde_json::to_string(frame).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_below_the_pools_url() {
        assert_eq!(
            socket_url("http://a:1/").unwrap(),
            "ws://a:1/workers/connect"
        );
        assert_eq!(socket_url("https://a").unwrap(), "wss://a/workers/connect");
        assert!(socket_url("a:1").is_err());
        assert!(socket_url("ftp://a").is_err());
    }

    /// Asking again and again once put the end of a silent connection off for ever.
    #[tokio::test]
    async fn silence_counts_since_the_last_word() {
        let long_ago = Instant::now() - Duration::from_millis(SILENCE_MAX_MS);
        let (mut silent, mut heard) = (futures_util::stream::pending(), long_ago);
        assert!(receive(&mut silent, &mut heard).await.is_err());
        let ping = Ok(Message::Ping(Default::default()));
        let mut alive = futures_util::stream::iter([ping]);
        assert!(receive(&mut alive, &mut heard).await.is_ok());
        assert!(heard > long_ago);
    }
}
