//! The worker itself.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chain::{Actor, Hub};
use engine::Engine;
use network::health::{self, Health};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use worker::{Board, status::Identity};

use super::{
    Args, STANDARD,
    config::{PoolEntry, Settings},
    registry,
};
use crate::{
    commands::{
        role::{Drain, Host, Place, Service, read},
        up,
    },
    context::Context,
    env_vars,
    outcome::{Failure, Report},
    spans,
};

/// No container has such a name: the engine is asked for it to see whether it answers.
const NO_CONTAINER: &str = "iexec-healthz-";

/// Runs until a signal.
pub(super) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let settings = settings(args)?;
    if let Some(attestation) = &settings.attestation {
        enclave::check(attestation).map_err(|error| {
            let failure = Failure::with_sources(&error).named("ValidationError");
            failure.hint(error.hint())
        })?;
    }
    spans::start("iexec-worker", settings.traces.as_deref())?;
    let place = Place::find(context, &args.common, &settings.chain)?;
    let (listen, data) = (settings.listen, settings.data.clone());
    let host = Host::open(&STANDARD, &args.common.place, listen, data, context).await?;
    let hub = place.connect().await?;
    let wallet = args.keys.unlock(&settings.wallet, hub.chain_id())?;
    let engine_config = engine_config(&settings, &host)?;
    let engine = engine(&engine_config).await?;
    let actor = Actor::open(hub.clone(), wallet, &host.data_dir).await;
    let actor = actor.map_err(|error| Failure::with_sources(&error))?;
    let board = Board::new(settings.slots);
    let gateway = place.known.map(|known| known.ipfs_gateway);
    let left = Arc::new(AtomicUsize::new(settings.pool.len()));
    for pool in &settings.pool {
        let config = settings.session(pool, &host.data_dir, gateway.clone());
        let session = worker::Service::new(config, actor.clone(), engine.clone());
        let session = session.map_err(|error| Failure::with_sources(&error))?;
        let mut session = session.with_board(board.clone());
        if let Some(attestation) = &settings.attestation {
            let enclave = worker::Enclave::new(attestation.clone(), engine_config.clone());
            session = session.with_enclave(enclave);
        }
        // Its own token: a session that is over cancels it.
        let shutdown = host.shutdown.child_token();
        host.spawn(serve(session, pool.clone(), shutdown, left.clone()));
    }
    let facts = json!({
        "wallet": actor.address().to_checksum(None),
        "chainId": hub.chain_id(),
        "engine": engine.name(),
        "slots": settings.slots,
        "tee": tee(&settings),
    });
    let identity = Identity {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        name: settings.name.clone(),
        wallet: actor.address(),
        engine: engine.name().to_owned(),
        chain_id: hub.chain_id(),
    };
    let health = health(hub, engine, board.clone(), &host).router();
    let router = worker::status::router(identity, board.clone()).merge(health);
    let drain = Some(drain(board, settings.drain_seconds));
    host.live(Service {
        router,
        facts,
        drain,
    })
    .await
}

/// The session of one pool. A pool that does not want the worker ends it only when no other pool is
/// left.
async fn serve(
    session: worker::Service,
    pool: PoolEntry,
    shutdown: CancellationToken,
    left: Arc<AtomicUsize>,
) -> Result<(), Failure> {
    let Err(error) = session.run(shutdown).await else {
        return Ok(());
    };
    tracing::error!(%error, pool = pool.url, "the session with a pool is over");
    if left.fetch_sub(1, Ordering::Relaxed) > 1 {
        return Ok(());
    }
    let failure = Failure::with_sources(&error);
    Err(match &error {
        worker::Error::Refused(_) => failure.named("WorkerpoolCallError").hint(format!(
            "ask whoever runs {} to let this wallet in",
            pool.url
        )),
        worker::Error::OtherPool { .. } | worker::Error::PoolUrl(_) => failure
            .named("ValidationError")
            .hint("a pool's URL and its workerpool belong together; so do its chain and yours"),
        worker::Error::OtherVersion(_) => failure
            .named("WorkerpoolCallError")
            .hint("run the same version of the program as the pool"),
        _ => failure
            .named("EngineError")
            .hint("`iexec doctor` tells what the machine lacks"),
    })
}

fn settings(args: &Args) -> Result<Settings, Failure> {
    let mut settings: Settings = read(args.common.config.as_deref())?;
    let url = args.pool_url.clone();
    let url = url.or_else(|| env_vars::get(env_vars::POOL_URL));
    let workerpool = args.workerpool.clone();
    let workerpool = workerpool.or_else(|| env_vars::get(env_vars::WORKERPOOL));
    match (url, workerpool) {
        (Some(url), Some(workerpool)) => {
            let workerpool = sdk::parse::address("--workerpool", &workerpool)?;
            settings.pool = vec![PoolEntry { url, workerpool }];
        }
        (None, None) => {}
        _ => return Err(wrong("--pool-url and --workerpool belong together")),
    }
    settings.slots = args.slots.unwrap_or(settings.slots).max(1);
    if let Some(engine) = &args.engine {
        settings.engine = up::choice(engine);
    }
    if settings.pool.is_empty() {
        return Err(wrong("no pool is given"));
    }
    let mut seen = BTreeSet::new();
    match settings
        .pool
        .iter()
        .find(|pool| !seen.insert(pool.workerpool))
    {
        Some(twice) => Err(wrong(&format!(
            "workerpool {} stands twice",
            twice.workerpool
        ))),
        None => Ok(settings),
    }
}

fn wrong(message: &str) -> Failure {
    Failure::new(message).named("ValidationError").hint(
        "give --pool-url and --workerpool, or one [[pool]] section for each pool in the settings",
    )
}

/// What this worker has for confidential tasks.
fn tee(settings: &Settings) -> &'static str {
    match &settings.attestation {
        None => "none",
        Some(attestation) if attestation.simulator.is_some() => "SIMULATED TEE",
        Some(_) => "tdx",
    }
}

fn engine_config(settings: &Settings, host: &Host) -> Result<engine::Config, Failure> {
    let mut config = engine::Config::new(settings.engine, host.data_dir.join("engine"));
    config.docker_host = env_vars::get(env_vars::DOCKER_HOST);
    config.runtime_dir = env_vars::get(env_vars::XDG_RUNTIME_DIR).map(Into::into);
    config.credentials = registry::credentials(&settings.registry)?;
    config.cache_bytes_max = Some(settings.image_cache_bytes());
    Ok(config)
}

async fn engine(config: &engine::Config) -> Result<Arc<dyn Engine>, Failure> {
    let detected = engine::detect(config).await;
    detected.map_err(|error| {
        Failure::with_sources(&error)
            .named("EngineError")
            .hint("`iexec doctor` tells what the machine lacks")
    })
}

fn health(hub: Hub, engine: Arc<dyn Engine>, board: Arc<Board>, host: &Host) -> Health {
    let data_dir = host.data_dir.clone();
    Health::default()
        .chain(hub)
        .check("engine", move || {
            let engine = engine.clone();
            async move {
                let asked = engine.sweep(NO_CONTAINER).await;
                asked.map(drop).map_err(health::told("it does not answer"))
            }
        })
        .check("disk", move || {
            let data_dir = data_dir.clone();
            async move { health::disk(&data_dir).await }
        })
        .check("pool", move || {
            let is_online = board.view().pools.iter().any(|pool| pool.online);
            async move {
                is_online
                    .then_some(())
                    .ok_or("logged in at no pool".to_owned())
            }
        })
}

fn drain(board: Arc<Board>, seconds: u64) -> Drain {
    let idle = board.clone();
    Drain {
        begin: Box::new(move || board.drain()),
        idle: Box::new(move || {
            let board = idle.clone();
            Box::pin(async move { board.idle().await })
        }),
        on_stop: Some(Duration::from_secs(seconds)),
    }
}
