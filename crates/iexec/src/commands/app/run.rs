//! `iexec app run`.

use chain::Wallet;
use protocol::rlc;
use sdk::{
    Client, deal,
    run::{self, Started, preflight},
};
use serde_json::{Value, json};

use super::{ready, wishes::WishArgs};
use crate::{
    cli::{ChainArgs, TxArgs, WalletArgs},
    commands::deal::watch,
    context::Context,
    outcome::{Failure, Report},
    prompt, tee, wallets,
};

/// Tasks whose ids are told: more would bury the rest.
const TASKS_TOLD_MAX: usize = 10;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec app run --args \"Alice\" --watch --chain local")]
pub(crate) struct Args {
    /// The app; the one deployed last if left out
    #[arg(value_name = "appAddress")]
    app: Option<String>,
    #[command(flatten)]
    wishes: WishArgs,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    tx: TxArgs,
    /// Pay without asking
    #[arg(long)]
    force: bool,
    /// Follow the task to its end, with the app's output
    #[arg(long)]
    watch: bool,
    /// Do not ask the SMS for the secrets that the run needs
    #[arg(long)]
    skip_preflight_check: bool,
}

/// Runs it: whatever can be found out is found out before a key is needed.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let found = wallets::find(context, &args.wallet)?;
    let client = context
        .client(args.chain.name())
        .await?
        .with_policy(args.tx.policy()?);
    let wishes = args.wishes.read(args.app.as_deref(), context, &client)?;
    let app = match args.skip_preflight_check {
        true => None,
        false => Some(preflight::app(&client, wishes.app).await?),
    };
    let draft = run::plan::draft(&client, found.address()?, &wishes).await?;
    if let Some(app) = &app {
        ready::check(context, &client, app, &draft.orders).await?;
    }
    tee::at_run(context, &client, draft.orders.tag()).await;
    if !draft.cost.is_zero() && !args.force {
        let cost = rlc::to_rlc(draft.cost);
        prompt::confirm(&format!(
            "Do you want to spend {cost} RLC to execute this request?"
        ))?;
    }
    let wallet = found.unlock(&args.wallet)?;
    let actor = client.actor(wallet.clone());
    let plan = draft.sign(&actor)?;
    let started = run::execute(&actor, &plan).await?;
    follow(args, context, &client, &wallet, &started).await
}

async fn follow(
    args: &Args,
    context: &Context,
    client: &Client,
    wallet: &Wallet,
    started: &Started,
) -> Result<Report, Failure> {
    context.note(format!("Deal submitted with dealid {}", started.deal));
    let deal = deal::show(client, started.deal).await?;
    for (_, task) in deal.tasks().take(TASKS_TOLD_MAX) {
        context.note(format!("Task {task}"));
    }
    let deals = json!([deal_of(started)]);
    if !args.watch {
        let message = match deal.bot_size {
            1 => "1 task submitted; follow it with `iexec task show <taskid> --watch`".to_owned(),
            count => format!(
                "{count} tasks submitted; follow them with `iexec deal show {} --watch`",
                started.deal
            ),
        };
        return Ok(Report::new(json!({ "deals": deals }), message));
    }
    let watched = watch::follow(context, client, &deal, Some(wallet)).await?;
    watched.report(Some(deals), client.chain())
}

fn deal_of(started: &Started) -> Value {
    json!({
        "dealid": started.deal,
        "volume": started.volume.to_string(),
        "txHash": started.receipt.tx,
    })
}
