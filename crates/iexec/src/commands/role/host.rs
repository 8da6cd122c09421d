//! One role as a process: it listens, says so, works, drains and ends.

use std::{
    fs::File,
    future::pending,
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::Router;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{PlaceOptions, remote};
use crate::{
    context::{Context, create_private_dir},
    outcome::{Failure, Report},
    paths,
};

/// How long the loops of a role may take to end.
const STOP_WAIT_S: u64 = 30;

type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How a role stops taking work.
pub(crate) struct Drain {
    /// Takes no more.
    pub(crate) begin: Box<dyn Fn() + Send>,
    /// Returns when nothing is left to do.
    pub(crate) idle: Box<dyn Fn() -> Waiting + Send>,
    /// Whether SIGTERM drains, and for how long; without it SIGTERM ends the role at once.
    pub(crate) on_stop: Option<Duration>,
}

/// What a role consists of.
pub(crate) struct Service {
    /// Its routes.
    pub(crate) router: Router,
    /// What it says when it is ready, besides its URL.
    pub(crate) facts: Value,
    /// How it is drained, if it can be.
    pub(crate) drain: Option<Drain>,
}

/// The process of one role.
pub(crate) struct Host {
    role: &'static str,
    listener: Option<TcpListener>,
    address: SocketAddr,
    /// Everything the role keeps.
    pub(crate) data_dir: PathBuf,
    /// Ends the role.
    pub(crate) shutdown: CancellationToken,
    tracker: TaskTracker,
    failed: Arc<Mutex<Option<Failure>>>,
    is_json: bool,
    _lock: File,
}

/// Where a role is by default.
pub(crate) struct Standard {
    /// Its name, which is also that of its data directory.
    pub(crate) role: &'static str,
    /// Its port.
    pub(crate) port: u16,
}

impl Host {
    /// Takes the data directory and the port. What is not in the options comes from the settings
    /// (`listen`, `data`), else it is the default.
    pub(crate) async fn open(
        default: &Standard,
        options: &PlaceOptions,
        listen: Option<SocketAddr>,
        data: Option<PathBuf>,
        context: &Context,
    ) -> Result<Self, Failure> {
        let role = default.role;
        let data = options.data.clone().or(data);
        // Engines bind task folders by their path.
        let data_dir = paths::role_dir(role, data.as_deref());
        let data_dir = std::path::absolute(&data_dir).unwrap_or(data_dir);
        let disk = |error| Failure::new(format!("cannot use {}: {error}", data_dir.display()));
        create_private_dir(&data_dir).map_err(disk)?;
        let lock = network::lock(&data_dir).map_err(|error| busy(role, &error))?;
        let standard = SocketAddr::from(([127, 0, 0, 1], default.port));
        let wanted = options.listen.or(listen).unwrap_or(standard);
        let taken = |error: std::io::Error| {
            Failure::new(format!("cannot listen on {wanted}: {error}"))
                .named("NetworkError")
                .hint("another program has this port; choose one with --listen")
        };
        let listener = TcpListener::bind(wanted).await.map_err(taken)?;
        let address = listener.local_addr().map_err(taken)?;
        Ok(Self {
            role,
            listener: Some(listener),
            address,
            data_dir,
            shutdown: CancellationToken::new(),
            tracker: TaskTracker::new(),
            failed: Arc::default(),
            is_json: options.json || context.raw,
            _lock: lock,
        })
    }

    /// Where this machine reaches the role.
    pub(crate) fn url(&self) -> String {
        let ip = network::reachable(self.address.ip());
        format!("http://{}", SocketAddr::new(ip, self.address.port()))
    }

    /// The listener, for a role that serves by itself.
    pub(crate) fn take_listener(&mut self) -> Option<TcpListener> {
        self.listener.take()
    }

    /// Runs a loop of the role; its failure ends the role.
    pub(crate) fn spawn<E>(&self, work: impl Future<Output = Result<(), E>> + Send + 'static)
    where
        Failure: From<E>,
    {
        let (shutdown, failed) = (self.shutdown.clone(), self.failed.clone());
        self.tracker.spawn(async move {
            if let Err(error) = work.await {
                failed
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .get_or_insert(error.into());
                shutdown.cancel();
            }
        });
    }

    /// Serves, says so, and lives until a signal, the end of a drain, or a failure.
    pub(crate) async fn live(mut self, service: Service) -> Result<Report, Failure> {
        let mut signals = Signals::new()?;
        let serving = self
            .listener
            .take()
            .map(|listener| network::serve(listener, service.router, CancellationToken::new()));
        self.announce(&service.facts)?;
        self.until_end(service.drain, &mut signals).await;
        self.shutdown.cancel();
        self.tracker.close();
        let wait = Duration::from_secs(STOP_WAIT_S);
        if tokio::time::timeout(wait, self.tracker.wait())
            .await
            .is_err()
        {
            tracing::warn!("not everything stopped within {STOP_WAIT_S} s");
        }
        // Answers of the last moment are given, as its status is.
        if let Some(serving) = serving {
            serving.abort();
        }
        remote::forget(&self.data_dir);
        tracing::info!(role = self.role, "ended");
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.clone().map_or(Ok(Report::default()), Err)
    }

    fn announce(&self, facts: &Value) -> Result<(), Failure> {
        let url = self.url();
        remote::remember(&self.data_dir, &url)?;
        let mut line = json!({ "role": self.role, "url": url, "pid": std::process::id() });
        if let (Some(line), Some(facts)) = (line.as_object_mut(), facts.as_object()) {
            line.extend(facts.clone());
        }
        let text = match self.is_json {
            true => line.to_string(),
            false => format!("{} listening on {url}{}", self.role, shown(facts)),
        };
        crate::outcome::to_stdout(&text);
        Ok(())
    }

    async fn until_end(&self, drain: Option<Drain>, signals: &mut Signals) {
        let (mut idle, mut deadline): (Waiting, Waiting) =
            (Box::pin(pending()), Box::pin(pending()));
        let mut is_stopping = false;
        loop {
            let wish = tokio::select! {
                wish = signals.next() => wish,
                () = &mut idle => return tracing::info!(role = self.role, "drained"),
                () = &mut deadline => {
                    return tracing::warn!(role = self.role, "what still runs is handed back");
                }
                () = self.shutdown.cancelled() => return,
            };
            let Some(drain) = &drain else {
                return;
            };
            let wait = match (wish, is_stopping) {
                (Wish::Stop, true) => return,
                (Wish::Stop, false) => match drain.on_stop {
                    Some(wait) => Some(wait),
                    None => return,
                },
                (Wish::Drain, _) => None,
            };
            is_stopping |= wish == Wish::Stop;
            tracing::info!(role = self.role, within = ?wait, "draining");
            (drain.begin)();
            idle = (drain.idle)();
            if let Some(wait) = wait {
                deadline = Box::pin(tokio::time::sleep_until(Instant::now() + wait));
            }
        }
    }
}

/// What is said besides the URL, for people; lists are for programs.
fn shown(facts: &Value) -> String {
    let facts = facts.as_object().into_iter().flatten();
    let facts = facts.filter(|(_, value)| !value.is_array());
    let fact = |(name, value): (&String, &Value)| {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        format!(", {name} {value}")
    };
    facts.map(fact).collect()
}

fn busy(role: &str, error: &network::Error) -> Failure {
    match error {
        network::Error::Running(dir) => {
            Failure::new(format!("another process uses {} already", dir.display()))
                .named("NetworkError")
                .hint(format!("end it, or choose another --data for this {role}"))
        }
        error => Failure::with_sources(error),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    Stop,
    Drain,
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    drain: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| Failure::new(format!("cannot listen to signals: {error}")))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            drain: listen(SignalKind::user_defined1())?,
        })
    }

    async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.interrupt.recv() => Wish::Stop,
            _ = self.terminate.recv() => Wish::Stop,
            _ = self.drain.recv() => Wish::Drain,
        }
    }
}
