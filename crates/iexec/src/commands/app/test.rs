//! `iexec app test`: the tutorial's chapter *Test your app locally* in one command. The sandbox is
//! the worker's own code, so what passes here passes there.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use engine::{Engine, Image, ImageRef, Limits, Network, Pin};
use protocol::{Address, DealId, args::split, environment::Inputs, message::Stream};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use worker::{
    Failure as Fault, Outcome,
    inputs::{self, Policy},
    sandbox::{self, Folders, Ran, Run},
};

use crate::{
    context::Context,
    outcome::{Failure, Report},
    resolver::EngineResolver,
};

/// Seconds a test run may take unless said otherwise: the smallest category's.
const DEADLINE_S: u64 = 300;
/// Seconds for all input files, with the tries that fail: somebody is waiting at the terminal.
const INPUTS_TIMEOUT_S: u64 = 120;

/// Options of `iexec app test`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  iexec app test --args \"Ada --loud\"\n  \
    iexec app test --input-files https://example.com/a.txt --secret 1=my-login")]
pub(crate) struct Args {
    /// Image to test instead of `app.multiaddr` of iexec.json
    #[arg(value_name = "image")]
    image: Option<String>,
    /// Arguments as a requester would give them
    #[arg(long, value_name = "string", default_value = "")]
    args: String,
    /// URLs of input files, separated by commas
    #[arg(long, value_name = "urls", value_delimiter = ',')]
    input_files: Vec<String>,
    /// A local file that plays the decrypted dataset
    #[arg(long, value_name = "file")]
    dataset: Option<PathBuf>,
    /// A requester secret: `<number>=<value>`; only seen by this test
    #[arg(long, value_name = "number=value")]
    secret: Vec<String>,
    /// Seconds a run may take
    #[arg(long, value_name = "seconds", default_value_t = DEADLINE_S)]
    timeout: u64,
}

/// One run and what came of it.
struct Trial {
    ran: Ran,
    outcome: Result<Outcome, Fault>,
    files: Vec<String>,
}

/// Runs the app twice, judges `computed.json` and compares the digests.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let image = match &args.image {
        Some(image) => image.clone(),
        None => context.project_file()?.app()?.multiaddr,
    };
    let engine = EngineResolver::new(context)?.engine().await?;
    let image = pull(engine.as_ref(), &image).await?;
    context.note(format!(
        "testing {} on engine {}",
        image.reference,
        engine.name()
    ));
    let mut trials = Vec::new();
    for number in 1..=2 {
        context.note(format!("run {number} of 2"));
        trials.push(trial(args, context, engine.as_ref(), &image, number).await?);
    }
    let (first, second) = (&trials[0], &trials[1]);
    judge(first)?;
    judge(second)?;
    compare(first, second)
}

async fn pull(engine: &dyn Engine, text: &str) -> Result<Image, Failure> {
    let failed = |error: engine::Error| {
        Failure::new(error.to_string())
            .hint("build the image first, e.g. `docker build . --tag <name>`")
    };
    let reference = ImageRef::parse(text).map_err(failed)?;
    let found = engine.resolve(&reference).await.map_err(failed)?;
    let digest = found.image_id.or(found.digest);
    let digest = digest.ok_or_else(|| Failure::new(format!("image `{text}` has no digest")))?;
    engine
        .pull(
            &reference,
            &Pin::local(digest),
            &engine::ProgressSink::none(),
        )
        .await
        .map_err(failed)
}

async fn trial(
    args: &Args,
    context: &Context,
    engine: &dyn Engine,
    image: &Image,
    number: u32,
) -> Result<Trial, Failure> {
    let disk = |error: std::io::Error| Failure::new(format!("cannot make a task folder: {error}"));
    let temporary = tempfile::tempdir().map_err(disk)?;
    let folders = Folders::create(&temporary.path().join("task")).map_err(disk)?;
    let env = environment(args, &folders).await?;
    let run = Run {
        name: format!("iexec-test-{}-{number}", std::process::id()),
        image: image.clone(),
        args: split(&args.args),
        env,
        secrets: Vec::new(),
        limits: Limits::default(),
        deadline: Duration::from_secs(args.timeout),
        network: Network::Outbound,
        gpus: false,
    };
    let show = |_: Stream, text: &str| {
        if number == 1 {
            context.echo(text);
        }
    };
    let ran = sandbox::run(engine, &folders, run, show, CancellationToken::new()).await;
    let ran = ran.map_err(|error| Failure::new(error.to_string()))?;
    let outcome = worker::read_outcome(&folders.output(), false);
    let files = contents(&folders)?;
    Ok(Trial {
        ran,
        outcome,
        files,
    })
}

/// The variables a worker would set, and the secrets that only confidential tasks get.
async fn environment(args: &Args, folders: &Folders) -> Result<Vec<(String, String)>, Failure> {
    let policy = Policy {
        allow_private: true,
        ipfs_gateway: None,
    };
    let deadline = Instant::now() + Duration::from_secs(INPUTS_TIMEOUT_S);
    let fetched = inputs::fetch_all(&args.input_files, &folders.input(), &policy, deadline).await;
    let deal = DealId::default();
    let inputs = Inputs {
        deal,
        task: deal.task(0),
        index: 0,
        bot_first: 0,
        bot_size: 1,
        dataset: Address::ZERO,
        input_files: fetched.map_err(|fault| Failure::new(fault.to_string()))?,
    };
    let mut env = inputs.variables();
    if let Some(dataset) = &args.dataset {
        let name = dataset
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        std::fs::copy(dataset, folders.input().join(&name))
            .map_err(|error| Failure::new(format!("dataset {}: {error}", dataset.display())))?;
        env.retain(|(key, _)| key != "IEXEC_DATASET_FILENAME");
        env.push(("IEXEC_DATASET_FILENAME".to_owned(), name));
    }
    for secret in &args.secret {
        let (number, value) = secret
            .split_once('=')
            .filter(|(number, _)| number.parse::<u32>().is_ok_and(|n| n > 0))
            .ok_or_else(|| Failure::new("a secret is `<number>=<value>`, numbers from 1"))?;
        env.push((format!("IEXEC_REQUESTER_SECRET_{number}"), value.to_owned()));
    }
    Ok(env)
}

/// Packs the result as a worker would and lists what the requester would find in it.
fn contents(folders: &Folders) -> Result<Vec<String>, Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::new(format!("no result archive: {error}"));
    worker::pack(&folders.output(), &folders.archive()).map_err(|error| failed(&error))?;
    let file = std::fs::File::open(folders.archive()).map_err(|error| failed(&error))?;
    worker::names(file).map_err(|error| failed(&error))
}

fn judge(trial: &Trial) -> Result<(), Failure> {
    let fault = match (&trial.outcome, trial.ran.failure()) {
        (Ok(_), None) => return Ok(()),
        (Ok(_), Some(fault)) | (Err(_), Some(fault)) => fault,
        (Err(fault), None) => fault.clone(),
    };
    let text = format!("{}: {}", fault.cause.code(), fault.message);
    Err(Failure::new(text)
        .named("AppTestError")
        .hint(fault.cause.hint()))
}

fn compare(first: &Trial, second: &Trial) -> Result<Report, Failure> {
    let (Ok(one), Ok(two)) = (&first.outcome, &second.outcome) else {
        return Err(Failure::new("a run has no result"));
    };
    let raw = json!({
        "deterministic": one == two,
        "digest": one.digest.to_string(),
        "exitCode": first.ran.exit.code,
        "files": first.files,
        "stdout": first.ran.logs.stdout,
        "stderr": first.ran.logs.stderr,
    });
    if one != two {
        let text = format!(
            "not deterministic: run 1 gave {}, run 2 {}",
            one.digest, two.digest
        );
        return Err(Failure::new(text)
            .named("AppTestError")
            .partial(raw)
            .hint("let `deterministic-output-path` name a file that depends on the inputs only"));
    }
    let tree: String = first
        .files
        .iter()
        .map(|name| format!("\n  ├── {name}"))
        .collect();
    let text = format!(
        "computed.json is right and both runs gave digest {}\n\
         the requester would get\nresult.zip{tree}",
        one.digest
    );
    Ok(Report::new(raw, text))
}
