//! `iexec task debug`.

use chain::Wallet;
use protocol::TaskId;
use sdk::{
    Client, deal,
    services::{
        compass,
        pool::{self, ComputeLogs, StatusChange, TaskModel},
    },
    view,
};
use serde_json::{Value, json};

use crate::{
    cli::{ChainArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec task debug 0x5c1e…77ab --logs --chain local")]
pub(crate) struct Args {
    /// The task
    taskid: String,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    /// Also show what the app wrote; for the requester only
    #[arg(long)]
    logs: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let id: TaskId = args.taskid.parse().map_err(sdk::Error::from)?;
    let client = context.client(args.chain.name()).await?;
    let task = deal::task(&client, id).await?;
    let deal = deal::show(&client, task.deal).await?;
    let wallet = match args.logs {
        true => Some(wallets::find(context, &args.wallet)?.unlock(&args.wallet)?),
        false => None,
    };
    if let Some(wallet) = wallet
        .as_ref()
        .filter(|wallet| wallet.address() != deal.requester)
    {
        return Err(Failure::new(format!(
            "only the requester {} can read the logs, not {}",
            deal.requester,
            wallet.address()
        )));
    }
    let mut raw = json!({ "onchainData": view::task(&task, client.now().await?) });
    let mut message = "Task status:".to_owned();
    match offchain(&client, deal.workerpool.pointer, id, wallet.as_ref()).await {
        Ok((model, logs)) => {
            if let Some((cause, text)) = model.as_ref().and_then(TaskModel::last_cause) {
                let text = text.map(|text| format!(" ({text})")).unwrap_or_default();
                let (sentence, hint) = (cause.sentence(), cause.hint());
                message =
                    format!("Last failure: {cause}: {sentence}{text}\n  hint: {hint}\n{message}");
            }
            raw["offchainData"] = model.map_or(Value::Null, |model| show_model(&model));
            let logs = logs.filter(|logs| !logs.is_empty());
            raw["appLogs"] = logs.map_or(Value::Null, |logs| show_logs(&logs));
        }
        Err(error) => context.note(format!("No off-chain data: {}", error)),
    }
    let mut shown = raw.clone();
    if let Value::Object(map) = &mut shown {
        map.retain(|_, value| !value.is_null());
    }
    Ok(Report::new(raw, message).with_data(&shown))
}

type Offchain = (Option<TaskModel>, Option<Vec<ComputeLogs>>);

async fn offchain(
    client: &Client,
    workerpool: protocol::Address,
    task: TaskId,
    wallet: Option<&Wallet>,
) -> Result<Offchain, sdk::Error> {
    let url = compass::pool_url(client, workerpool).await?;
    let url = url.ok_or_else(|| sdk::Error::Configuration {
        reason: format!("nobody knows the API of workerpool {workerpool}"),
        hint: None,
    })?;
    let model = pool::task(client, &url, task).await?;
    let logs = match wallet {
        Some(wallet) => Some(pool::logs(client, &url, task, wallet).await?),
        None => None,
    };
    Ok((model, logs))
}

fn show_model(model: &TaskModel) -> Value {
    let replicates: Vec<_> = model
        .replicates
        .iter()
        .map(|replicate| {
            json!({
                "worker": replicate.wallet_address.to_checksum(None),
                "exitCode": replicate.app_exit_code,
                "status": replicate.current_status,
                "statusHistory": history(&replicate.status_update_list),
            })
        })
        .collect();
    json!({
        "task": {
            "status": model.current_status,
            "statusHistory": history(&model.date_status_list),
        },
        "replicates": replicates,
    })
}

fn history(changes: &[StatusChange]) -> Value {
    json!(changes)
}

fn show_logs(logs: &[ComputeLogs]) -> Value {
    logs.iter()
        .map(|log| {
            json!({
                "worker": log.wallet_address.to_checksum(None),
                "stdout": log.stdout,
                "stderr": log.stderr,
            })
        })
        .collect()
}
