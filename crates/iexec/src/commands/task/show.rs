//! `iexec task show`.

use std::path::PathBuf;

use protocol::{
    TaskId,
    deal::{Deal, Task},
};
use sdk::{
    Client, deal,
    result::{self, Proof},
    view,
    watch::Outcome,
};
use serde_json::{Value, json};

use crate::{
    cli::{ChainArgs, WalletArgs},
    commands::{deal::watch, result::keys::KeyDirArgs},
    context::{Context, write},
    outcome::{Failure, Report},
    tee,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  iexec task show 0x5c1e…77ab --download my-app-result --chain local"
)]
pub(crate) struct Args {
    /// The task
    taskid: String,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    _wallet: WalletArgs,
    /// Follow it to its end
    #[arg(long)]
    watch: bool,
    /// Save the verified result here (default: `<taskid>.zip`)
    #[arg(long, value_name = "fileName", num_args = 0..=1)]
    download: Option<Option<String>>,
    /// Decrypt the result of a confidential task with the beneficiary's key
    #[arg(long, requires = "download")]
    decrypt: bool,
    #[command(flatten)]
    keys: KeyDirArgs,
    /// The beneficiary's key in that directory (default: `<address>_key`)
    #[arg(long, value_name = "fileName")]
    beneficiary_key_file: Option<String>,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let id: TaskId = args.taskid.parse().map_err(sdk::Error::from)?;
    let client = context.client(args.chain.name()).await?;
    let mut task = deal::task(&client, id).await?;
    let deal = deal::show(&client, task.deal).await?;
    let is_simulated = tee::at_run(context, &client, deal.tag).await;
    let mut ended = None;
    if args.watch {
        let outcome = watch::follow_one(context, &client, &deal, task.index, None).await?;
        task = deal::task(&client, id).await?;
        ended = (outcome != Outcome::Completed).then_some(outcome);
    }
    let now = client.now().await?;
    let mut raw = json!({ "task": view::task(&task, now) });
    if let Some(outcome) = ended {
        return Err(watch::failure(id, &outcome, client.chain()).partial(raw));
    }
    let mark = match is_simulated {
        true => format!(" ({})", tee::SIMULATED),
        false => String::new(),
    };
    let mut message = format!("Task details{mark}:");
    if let Some(name) = &args.download {
        let (path, proof) = save(context, &client, (&deal, &task), args, name.as_deref()).await?;
        raw["resultPath"] = json!(path.display().to_string());
        message = format!("{proof}, saved to {}{mark}", path.display());
    }
    raw["claimable"] = json!(deal::is_claimable(&task, now));
    if raw["claimable"] == Value::Bool(true) {
        message.push_str("\nIt can be claimed: `iexec task claim <taskid>`");
    }
    let shown = raw["task"].clone();
    Ok(Report::new(raw, message).with_data(&shown))
}

/// Nothing is written before the archive is verified.
async fn save(
    context: &Context,
    client: &Client,
    (deal, task): (&Deal, &Task),
    args: &Args,
    name: Option<&str>,
) -> Result<(PathBuf, &'static str), Failure> {
    let (mut archive, mut proof) = result::download(client, deal, task).await?;
    if args.decrypt && proof == Proof::Encrypted {
        let key = args.beneficiary_key_file.as_deref();
        let pem = args
            .keys
            .private_key(context, key, || Ok(deal.beneficiary))?;
        archive = result::decrypt(&archive, &pem)?;
        proof = result::verify_opened(&archive, deal, task)?;
    }
    let name = name.map_or_else(|| task.id.to_string(), str::to_owned);
    let name = if name.ends_with(".zip") {
        name
    } else {
        format!("{name}.zip")
    };
    let path = context.project.join(name);
    write(&path, archive)?;
    Ok((
        path,
        match proof {
            Proof::Verified => "Result verified against the chain",
            Proof::FailureReport => {
                "Result verified against the chain: it is the report that the app could not run"
            }
            Proof::Encrypted => "Encrypted result downloaded",
        },
    ))
}
