//! `iexec app run`.

use protocol::{Address, Tag, rlc};
use sdk::{
    Client, deal,
    files::deployed_json::Kind,
    parse,
    run::{
        self,
        request::{TypedParams, Wishes},
    },
};
use serde_json::json;

use crate::{
    cli::{ChainArgs, TxArgs, WalletArgs},
    commands::deal::watch,
    context::Context,
    outcome::{Failure, Report},
    prompt, wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec app run --args \"Alice\" --watch --chain local")]
pub(crate) struct Args {
    /// The app; the one deployed last if left out
    #[arg(value_name = "appAddress")]
    app: Option<String>,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    _tx: TxArgs,
    /// Pay without asking
    #[arg(long)]
    force: bool,
    /// Follow the task to its end, with the app's output
    #[arg(long)]
    watch: bool,
    /// Dataset to use, or `deployed`
    #[arg(long, value_name = "address")]
    dataset: Option<String>,
    /// Workerpool to run on, or `deployed`; any if left out
    #[arg(long, value_name = "address")]
    workerpool: Option<String>,
    /// Arguments for the app
    #[arg(long, allow_hyphen_values = true)]
    args: Option<String>,
    /// URLs of input files, between commas
    #[arg(long, value_name = "fileUrl")]
    input_files: Option<String>,
    /// Secrets of the requester: `<number>=<name>`
    #[arg(long, value_name = "mapping", num_args = 1..)]
    secret: Vec<String>,
    /// Category, i.e. how long a task may take; the smallest on offer if left out
    #[arg(long, value_name = "id")]
    category: Option<String>,
    /// What the machine must have, e.g. `tee,tdx`
    #[arg(long)]
    tag: Option<String>,
    /// Where the result goes: `ipfs` or `dropbox`
    #[arg(long, value_name = "provider")]
    storage_provider: Option<String>,
    /// Contract to call with the result
    #[arg(long, value_name = "address")]
    callback: Option<String>,
    /// Encrypt the result for the beneficiary
    #[arg(long)]
    encrypt_result: bool,
    /// How sure the result must be
    #[arg(long, value_name = "integer")]
    trust: Option<String>,
    /// Who may decrypt the result
    #[arg(long, value_name = "address")]
    beneficiary: Option<String>,
    /// Further parameters as JSON
    #[arg(long, value_name = "json", allow_hyphen_values = true)]
    params: Option<String>,
    /// Do not ask the SMS for the secrets that the run needs
    #[arg(long)]
    skip_preflight_check: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let found = wallets::find(context, &args.wallet)?;
    let client = context.client(args.chain.name()).await?;
    let wishes = args.wishes(context, &client)?;
    if !args.skip_preflight_check {
        run::preflight::check(&client, found.address()?, &wishes).await?;
    }
    let wallet = found.unlock(&args.wallet)?;
    let actor = client.actor(wallet.clone());
    let plan = run::plan::prepare(&client, &actor, &wishes).await?;
    if !plan.cost.is_zero() && !args.force {
        let cost = rlc::to_rlc(plan.cost);
        prompt::confirm(&format!(
            "Do you want to spend {cost} RLC to execute this request?"
        ))?;
    }
    let started = run::execute(&actor, &plan).await?;
    let deals = json!([{
        "dealid": started.deal,
        "volume": started.volume.to_string(),
        "txHash": started.receipt.tx,
    }]);
    context.note(format!("Deal submitted with dealid {}", started.deal));
    let deal = deal::show(&client, started.deal).await?;
    for (_, task) in deal.tasks() {
        context.note(format!("Task {task}"));
    }
    if !args.watch {
        let message = "1 task submitted; follow it with `iexec task show <taskid> --watch`";
        return Ok(Report::new(json!({ "deals": deals }), message));
    }
    let watched = watch::follow(context, &client, &deal, Some(&wallet)).await?;
    watched.report(Some(deals), client.chain())
}

impl Args {
    fn wishes(&self, context: &Context, client: &Client) -> Result<Wishes, Failure> {
        let chain_id = client.hub().chain_id();
        let optional = |given: &Option<String>, kind| {
            let given = given.as_deref();
            let address =
                given.map(|given| context.address_or_deployed(Some(given), kind, chain_id));
            address.transpose()
        };
        let address = |given: &Option<String>, option| {
            given
                .as_deref()
                .map(|given| parse::address(option, given))
                .transpose()
        };
        let number = |given: &Option<String>, option| {
            given
                .as_deref()
                .map(|given| parse::small(option, given))
                .transpose()
        };
        let typed = TypedParams {
            params: self.params.as_deref(),
            args: self.args.as_deref(),
            input_files: self.input_files.as_deref(),
            secrets: &self.secret,
            storage_provider: self.storage_provider.as_deref(),
            encrypt_result: self.encrypt_result,
        };
        let tag = Tag::parse(self.tag.as_deref().unwrap_or_default()).map_err(sdk::Error::from)?;
        let trust = number(&self.trust, "--trust")?.unwrap_or_default();
        Ok(Wishes {
            app: context.address_or_deployed(self.app.as_deref(), Kind::App, chain_id)?,
            dataset: optional(&self.dataset, Kind::Dataset)?.filter(|a| *a != Address::ZERO),
            workerpool: optional(&self.workerpool, Kind::Workerpool)?,
            category: number(&self.category, "--category")?,
            tag,
            trust: protocol::U256::from(trust),
            beneficiary: address(&self.beneficiary, "--beneficiary")?,
            callback: address(&self.callback, "--callback")?.unwrap_or_default(),
            params: typed.read()?,
        })
    }
}
