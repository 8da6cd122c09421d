//! `iexec up`: the local network.

use std::{
    io::{BufRead, BufReader, Write},
    net::{IpAddr, Ipv4Addr},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use network::{Info, Network};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    context::Context,
    env_vars,
    outcome::{Failure, Report, note},
    paths, spans,
};

/// Name of the file that gets the words of a detached network.
const LOG_FILE: &str = "up.log";

/// Options of `iexec up`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  iexec up\n  iexec up --detach && iexec app run --chain local; \
    iexec down\n  iexec up --port 0 --data /tmp/net --json"
)]
pub(crate) struct Args {
    /// Port to listen on; 0 takes a free one
    #[arg(long, value_name = "port", default_value_t = 8545)]
    port: u16,
    /// Address to listen on; the accounts' keys are public, so keep it to this machine
    #[arg(long, value_name = "address", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Number of workers
    #[arg(long, value_name = "count", default_value_t = 3)]
    workers: u32,
    /// Container engine; auto is Docker when it answers, else the built-in one
    #[arg(long, value_name = "engine", default_value = "auto",
        value_parser = ["auto", "docker", "builtin"])]
    engine: String,
    /// Data directory (or set IEXEC_DATA)
    #[arg(long, value_name = "dir")]
    data: Option<PathBuf>,
    /// Forget chain, orders, tasks and results of earlier runs
    #[arg(long)]
    fresh: bool,
    /// Return once it is ready and leave it running; end it with `iexec down`
    #[arg(long)]
    detach: bool,
    /// Print network.json once ready
    #[arg(long)]
    json: bool,
}

/// Runs until a signal, or until the network fails.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let data_dir = paths::data_dir(args.data.as_deref());
    if args.detach {
        return detach(args, &data_dir, context.raw);
    }
    let start = Instant::now();
    spans::start("iexec", None)?;
    let network = builder(args, &data_dir).start().await.map_err(failure)?;
    announce(args, context.raw, network.info(), start)?;
    let (mut interrupt, mut terminate) = (
        listen(SignalKind::interrupt())?,
        listen(SignalKind::terminate())?,
    );
    let failed = tokio::select! {
        _ = interrupt.recv() => false,
        _ = terminate.recv() => false,
        () = network.stopped() => true,
    };
    network.stop().await;
    if failed {
        return Err(Failure::new("a role of the network failed").hint("its words are above"));
    }
    Ok(Report::default())
}

fn builder(args: &Args, data_dir: &Path) -> network::Builder {
    Network::builder(data_dir)
        .port(args.port)
        .host(args.host)
        .workers(args.workers)
        .engine(choice(&args.engine))
        .docker_host(env_vars::get(env_vars::DOCKER_HOST))
        .fresh(args.fresh)
}

/// The engine of that name.
pub(crate) fn choice(name: &str) -> engine::Choice {
    match name {
        "docker" => engine::Choice::Docker,
        "builtin" => engine::Choice::Builtin,
        _ => engine::Choice::Auto,
    }
}

fn listen(kind: SignalKind) -> Result<tokio::signal::unix::Signal, Failure> {
    signal(kind).map_err(|error| Failure::new(format!("cannot listen to signals: {error}")))
}

/// The error, its sources and what to do.
pub(crate) fn failure(error: network::Error) -> Failure {
    let hint = match &error {
        network::Error::Running(_) => Some("end it with `iexec down`, or choose another --data"),
        network::Error::Listen { .. } => Some("another program has this port; try `--port 0`"),
        _ => None,
    };
    let failure = Failure::with_sources(&error).named("NetworkError");
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn announce(args: &Args, is_raw: bool, info: &Info, start: Instant) -> Result<(), Failure> {
    if args.json || is_raw {
        let text = serde_json::to_string(info).unwrap_or_default();
        return say(&format!("{text}\n"));
    }
    say(&table(&serde_json::to_value(info).unwrap_or_default()))?;
    let seconds = start.elapsed().as_secs_f64();
    let dir = paths::data_dir(args.data.as_deref());
    note(
        false,
        "SIMULATED TEE: confidential tasks run here, but nothing protects them",
    );
    note(
        false,
        &format!(
            "ready in {seconds:.2} s; data in {}; Ctrl-C ends it",
            dir.display()
        ),
    );
    Ok(())
}

/// Endpoints and accounts, for people.
fn table(info: &Value) -> String {
    let mut lines = String::new();
    for (key, value) in info.as_object().into_iter().flatten() {
        if let Some(accounts) = value.as_array() {
            for account in accounts {
                let text = |key: &str| account[key].as_str().unwrap_or_default();
                let (role, address) = (text("role"), text("address"));
                lines += &format!("{role:>14}  {address}  {}\n", text("privateKey"));
            }
        } else {
            lines += &format!("{key:>14}  {}\n", value.to_string().trim_matches('"'));
        }
    }
    lines
}

/// A reader that went away (`iexec up | head`) does not end the network.
fn say(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    Ok(())
}

/// Starts this program again as a process of its own and waits for its `network.json`.
fn detach(args: &Args, data_dir: &Path, is_raw: bool) -> Result<Report, Failure> {
    let io = |error: std::io::Error| Failure::new(format!("cannot detach: {error}"));
    std::fs::create_dir_all(data_dir).map_err(io)?;
    let log_path = data_dir.join(LOG_FILE);
    let log = std::fs::File::create(&log_path).map_err(io)?;
    let words = std::env::args_os()
        .skip(1)
        .filter(|arg| arg != "--detach" && arg != "--json");
    let mut child = Command::new(std::env::current_exe().map_err(io)?)
        .args(words)
        .arg("--json")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .process_group(0)
        .spawn()
        .map_err(io)?;
    let mut line = String::new();
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).read_line(&mut line).map_err(io)?;
    }
    let Ok(info) = serde_json::from_str::<Value>(&line) else {
        let log = std::fs::read_to_string(&log_path).unwrap_or_default();
        let words = log
            .trim()
            .trim_start_matches("✖ Command \"iexec up\" failed with ");
        return Err(Failure::new(format!("the network did not start: {words}")));
    };
    let text = if args.json || is_raw {
        line
    } else {
        table(&info)
    };
    say(&text)?;
    note(
        is_raw,
        &format!(
            "running as process {}; end it with `iexec down`",
            child.id()
        ),
    );
    Ok(Report::default())
}
