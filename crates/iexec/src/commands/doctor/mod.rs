//! `iexec doctor`: looks at the machine, the chain and the services, and says what to do.

mod judge;

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy::{eips::BlockNumberOrTag, providers::Provider as _};
use sdk::{Client, chains, services::attestation, wallet_file};
use serde_json::json;

use self::judge::{Finding, Holder, Verdict};
use crate::{
    cli::{ChainArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    paths,
    resolver::EngineResolver,
    wallets,
};

/// Where `iexec up` listens unless told otherwise.
const PORT: u16 = 8545;
/// Whoever does not answer in this time is not there.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Bytes of an answer that may hold a version.
const BODY_BYTES_MAX: u64 = 4_096;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec doctor --chain local")]
pub(crate) struct Args {
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let mut findings = vec![engine(context).await];
    findings.extend(keystore(context, args));
    findings.push(port(context));
    findings.extend(chain(context, args).await);
    for finding in &findings {
        context.say(&finding.line());
    }
    let checks: Vec<_> = findings.iter().map(Finding::raw).collect();
    let raw = json!({ "checks": checks });
    let count = |verdict| findings.iter().filter(|f| f.verdict == verdict).count();
    match (count(Verdict::Fail), count(Verdict::Warn)) {
        (0, 0) => Ok(Report::new(raw, "all is well")),
        (0, warnings) => Ok(Report::new(
            raw,
            format!("it works, with {warnings} warnings"),
        )),
        (failed, _) => {
            let message = format!("{failed} of {} checks failed", findings.len());
            let failure = Failure::new(message).named("DoctorError").partial(raw);
            Err(failure.hint("each line above that begins with `fail` has its remedy"))
        }
    }
}

async fn engine(context: &Context) -> Finding {
    let found = match EngineResolver::new(context) {
        Ok(resolver) => resolver.engine().await,
        Err(failure) => Err(failure),
    };
    let found = found.map(|engine| (engine.name(), engine.lacks_network()));
    judge::engine(found.map_err(|failure| failure.to_string()))
}

/// The wallet in use, and who may read it and its neighbours.
fn keystore(context: &Context, args: &Args) -> Vec<Finding> {
    let dir = paths::keystore_dir(&args.wallet.keystoredir, &context.project);
    let plain = context.project.join(wallet_file::PLAIN_NAME);
    // `local` means the project folder, which is for others too
    let open_dir = (dir != context.project).then_some(dir.as_path());
    let mut findings: Vec<_> = open_dir
        .into_iter()
        .filter_map(|dir| permissions(dir, false))
        .collect();
    let names = fs::read_dir(&dir).into_iter().flatten().flatten();
    let keys = names.filter(|entry| entry.file_name().to_string_lossy().starts_with("UTC--"));
    findings.extend(keys.filter_map(|entry| permissions(&entry.path(), false)));
    findings.extend(permissions(&plain, true));
    findings.push(match wallets::try_find(context, &args.wallet) {
        Ok(Some(found)) => match found.address() {
            Ok(address) => Finding::ok("wallet", format!("{address} is in use")),
            Err(failure) => Finding::fail("wallet", failure.to_string()),
        },
        Ok(None) => Finding::warn("wallet", format!("there is none in {}", dir.display()))
            .fix("iexec wallet create"),
        Err(failure) => Finding::fail("wallet", failure.to_string()),
    });
    findings
}

#[cfg(unix)]
fn permissions(path: &Path, is_plain: bool) -> Option<Finding> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = fs::metadata(path).ok()?;
    let mode = metadata.permissions().mode();
    judge::permissions(
        &path.display().to_string(),
        mode,
        metadata.is_dir(),
        is_plain,
    )
}

#[cfg(not(unix))]
fn permissions(_path: &Path, _is_plain: bool) -> Option<Finding> {
    None
}

fn port(context: &Context) -> Finding {
    let network = context.network().ok().flatten();
    let url = network.and_then(|network| reqwest::Url::parse(&network.rpc_url).ok());
    let own = url.and_then(|url| url.port_or_known_default());
    let answers = |port| TcpStream::connect(("127.0.0.1", port)).is_ok();
    match own {
        Some(own) if answers(own) => judge::port(own, Holder::Network),
        _ => {
            let is_free = TcpListener::bind(("127.0.0.1", PORT)).is_ok();
            judge::port(
                PORT,
                if is_free {
                    Holder::Nobody
                } else {
                    Holder::Stranger
                },
            )
        }
    }
}

/// The chain and its services; without a chain there is nothing more to look at.
async fn chain(context: &Context, args: &Args) -> Vec<Finding> {
    let chain = match context.chain(args.chain.name()) {
        Ok(chain) => chain,
        Err(failure) => return vec![broken("chain", &failure)],
    };
    let host = chain.host.clone();
    let connect = tokio::time::timeout(ANSWER_MAX, Client::connect(chain.clone()));
    let mut findings = match connect.await {
        Err(_) => vec![silent(&host)],
        Ok(Err(error)) => vec![broken("chain", &Failure::from(error))],
        Ok(Ok(client)) => {
            let mut findings = on_chain(&client).await;
            let attestation = attestation::attestation(&client).await;
            findings.extend(judge::enclaves(&attestation, chain.name == chains::LOCAL));
            findings
        }
    };
    findings.extend(services(&chain).await);
    findings
}

fn silent(host: &str) -> Finding {
    let text = format!("{host} says nothing for {} s", ANSWER_MAX.as_secs());
    Finding::fail("chain", text).fix("choose another `host` in chain.json")
}

fn broken(check: &'static str, failure: &Failure) -> Finding {
    let finding = Finding::fail(check, failure.to_string());
    match failure.advice() {
        Some(remedy) => finding.fix(remedy),
        None => finding.fix("correct `host`, `id` and `hub` of the chain in chain.json"),
    }
}

async fn on_chain(client: &Client) -> Vec<Finding> {
    let (chain, hub) = (client.chain(), client.hub());
    let text = format!("{} answers as chain {}", chain.host, hub.chain_id());
    let mut findings = vec![Finding::ok("chain", text)];
    findings.push(match hub.category_count().await {
        Ok(0) => Finding::warn("hub", format!("{} has no categories", hub.address()))
            .fix("iexec category init && iexec category create"),
        Ok(count) => {
            let mode = if hub.is_native() { "native" } else { "token" };
            let text = format!("{} has {count} categories, {mode} mode", hub.address());
            Finding::ok("hub", text)
        }
        Err(error) => Finding::fail("hub", format!("{}: {error}", hub.address()))
            .fix("correct `hub` of the chain in chain.json"),
    });
    let latest = hub.provider().get_block_by_number(BlockNumberOrTag::Latest);
    if let Ok(Some(block)) = latest.await {
        let here = SystemTime::now().duration_since(UNIX_EPOCH);
        let here = here.map(|age| age.as_secs()).unwrap_or_default();
        let mines_on_demand = chain.name == chains::LOCAL;
        findings.push(judge::clock(block.header.timestamp, here, mines_on_demand));
    }
    findings
}

async fn services(chain: &chains::Chain) -> Vec<Finding> {
    let compass = format!(
        "/{}/workerpools/{}",
        chain.id.unwrap_or_default(),
        protocol::Address::ZERO
    );
    let market = chain.market.as_deref();
    let gateway = Some(chain.ipfs_gateway.as_str());
    let asked = [
        ("market", "iexecGateway", market, "/version"),
        ("sms", "sms", chain.sms.as_deref(), "/version"),
        ("gateway", "ipfsGateway", gateway, "/"),
        (
            "compass",
            "compass",
            chain.compass.as_deref(),
            compass.as_str(),
        ),
    ];
    let asking = asked.map(|(name, key, url, path)| async move {
        let answer = match url {
            Some(url) => ask(url, path).await,
            None => Err(String::new()),
        };
        judge::service(name, key, url, answer)
    });
    futures_util::future::join_all(asking).await
}

/// Status and beginning of the body.
async fn ask(url: &str, path: &str) -> Result<(u16, String), String> {
    let failed = |error: reqwest::Error| {
        let mut deepest: &dyn std::error::Error = &error;
        while let Some(source) = deepest.source() {
            deepest = source;
        }
        deepest.to_string()
    };
    let url = format!("{}{path}", url.trim_end_matches('/'));
    let client = reqwest::Client::builder().timeout(ANSWER_MAX).build();
    let response = client.map_err(failed)?.get(url).send().await;
    let response = response.map_err(failed)?;
    let status = response.status().as_u16();
    let is_short = response
        .content_length()
        .is_some_and(|n| n <= BODY_BYTES_MAX);
    let body = match is_short {
        true => response.text().await.unwrap_or_default(),
        false => String::new(),
    };
    Ok((status, body))
}
