//! The pool itself.

use chain::{Actor, Hub, Wallet};
use network::health::{self, Health};
use pool::Handle;
use protocol::Address;
use serde_json::json;

use super::{Args, STANDARD, config::Settings};
use crate::{
    commands::role::{Drain, Host, Place, Service, database_url, read, start_block},
    context::Context,
    env_vars,
    outcome::{Failure, Report},
    spans,
};

/// Runs until a signal.
pub(super) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let settings = settings(args)?;
    spans::start("iexec-pool", settings.traces.as_deref())?;
    let workerpool = settings
        .workerpool
        .ok_or_else(|| wrong("no workerpool is given"))?;
    let place = Place::find(context, &args.common, &settings.chain)?;
    let (listen, data) = (settings.listen, settings.data.clone());
    let host = Host::open(&STANDARD, &args.common.place, listen, data, context).await?;
    let hub = place.connect().await?;
    let wallet = args.keys.unlock(&settings.wallet, hub.chain_id())?;
    check_owner(&hub, workerpool, &wallet).await?;
    let config = config(settings, workerpool, &place, &host, &hub).await?;
    if config.offers.is_empty() || config.market_url.is_none() {
        tracing::warn!("nothing is published: there is no [[offer]] or no market");
    }
    let owner = Actor::open(hub.clone(), wallet, &host.data_dir).await;
    let owner = owner.map_err(|error| Failure::with_sources(&error))?;
    let service = pool::Service::open(config, owner).await;
    let service = service.map_err(|error| Failure::with_sources(&error))?;
    let handle = service.handle();
    let router = network::open_to_browsers(service.router())
        .merge(handle.router())
        .merge(health(hub.clone(), handle.clone(), &host).router());
    let shutdown = host.shutdown.clone();
    host.spawn(async move {
        let ended = service.run(shutdown).await;
        ended.map_err(|error| {
            Failure::with_sources(&error).hint("start it again: nothing that was saved is lost")
        })
    });
    let facts = json!({
        "workerpool": workerpool.to_checksum(None),
        "chainId": hub.chain_id(),
    });
    let drain = Some(drain(handle));
    host.live(Service {
        router,
        facts,
        drain,
    })
    .await
}

fn settings(args: &Args) -> Result<Settings, Failure> {
    let mut settings: Settings = read(args.common.config.as_deref())?;
    let workerpool = args.workerpool.clone();
    let workerpool = workerpool.or_else(|| env_vars::get(env_vars::WORKERPOOL));
    if let Some(text) = workerpool {
        settings.workerpool = Some(sdk::parse::address("--workerpool", &text)?);
    }
    settings.result_proxy = args.result_proxy.clone().or(settings.result_proxy);
    settings.market = args.market.clone().or(settings.market);
    settings.sms = args.sms.clone().or(settings.sms);
    Ok(settings)
}

fn wrong(message: &str) -> Failure {
    Failure::new(message)
        .named("ValidationError")
        .hint("`iexec pool init` prints a settings file in which every key is explained")
}

/// Nobody else's signature lets a worker contribute.
async fn check_owner(hub: &Hub, workerpool: Address, wallet: &Wallet) -> Result<(), Failure> {
    let info = hub.workerpool(workerpool).await;
    let info =
        info.map_err(|error| Failure::with_sources(&error).named("Web3ProviderCallError"))?;
    let info = info.ok_or_else(|| {
        Failure::new(format!("{workerpool} is no workerpool of this hub"))
            .named("ObjectNotFoundError")
            .hint("deploy one with `iexec workerpool deploy`, or is the chain another one?")
    })?;
    if info.owner == wallet.address() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "workerpool {workerpool} belongs to {}, the wallet is {}",
        info.owner,
        wallet.address()
    ))
    .named("ValidationError")
    .hint("give the wallet of the owner"))
}

async fn config(
    settings: Settings,
    workerpool: Address,
    place: &Place,
    host: &Host,
    hub: &Hub,
) -> Result<pool::Config, Failure> {
    let result_proxy = settings.result_proxy;
    let known = place.known.as_ref();
    Ok(pool::Config {
        workerpool,
        database_url: database_url(settings.database_url, host, "pool"),
        result_proxy: result_proxy.ok_or_else(|| wrong("no result store is given"))?,
        sms_url: settings.sms,
        market_url: settings
            .market
            .or_else(|| known.and_then(|known| known.market.clone())),
        offers: settings.offer,
        whitelist: settings.whitelist,
        logs_kept_s: settings.logs_kept_seconds,
        finalizes_at_once: settings.finalizes_at_once,
        claims_for_requesters: settings.claims_for_requesters,
        start_block: start_block(settings.start_block, host, hub)?,
    })
}

fn health(hub: Hub, handle: Handle, host: &Host) -> Health {
    let data_dir = host.data_dir.clone();
    Health::default()
        .chain(hub)
        .check("database", move || {
            let handle = handle.clone();
            async move {
                let checked = handle.check_database().await;
                checked.map_err(health::told("it takes no changes"))
            }
        })
        .check("disk", move || {
            let data_dir = data_dir.clone();
            async move { health::disk(&data_dir).await }
        })
}

fn drain(handle: Handle) -> Drain {
    let idle = handle.clone();
    Drain {
        begin: Box::new(move || handle.drain()),
        idle: Box::new(move || {
            let handle = idle.clone();
            Box::pin(async move { handle.idle().await })
        }),
        on_stop: None,
    }
}
