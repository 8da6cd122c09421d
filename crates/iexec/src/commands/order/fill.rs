//! `iexec order fill`.

use protocol::{
    Bytes,
    order::{Kind, Signed},
    rlc,
};
use sdk::{
    Client,
    order::{
        AnyOrder,
        facts::Trusted,
        fill::{self, request_for},
    },
    run::{self, check::Orders, preflight, request::params_text},
};
use serde_json::json;

use super::kinds::{read_hash, resolve, saved};
use crate::{
    cli::{ChainArgs, TxArgs, WalletArgs},
    commands::app::ready,
    context::Context,
    outcome::{Failure, Report},
    prompt, tee, wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  iexec order fill --app 0x48a7…2a54 --workerpool 0xd0b7…ec5a \
                        --params '{\"iexec_args\":\"x\"}' --chain local"
)]
pub(crate) struct Args {
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    tx: TxArgs,
    /// Pay without asking
    #[arg(long)]
    force: bool,
    /// A published app order; the one in orders.json if left out
    #[arg(long, value_name = "orderHash")]
    app: Option<String>,
    /// A published dataset order
    #[arg(long, value_name = "orderHash")]
    dataset: Option<String>,
    /// A published workerpool order
    #[arg(long, value_name = "orderHash")]
    workerpool: Option<String>,
    /// A published request order
    #[arg(long, value_name = "orderHash", conflicts_with = "params")]
    request: Option<String>,
    /// Make the request order that the others call for, with these parameters
    #[arg(long, value_name = "json", allow_hyphen_values = true)]
    params: Option<String>,
    /// Do not ask the SMS for the secrets that the run needs
    #[arg(long)]
    skip_preflight_check: bool,
}

/// Runs it: everything is judged before a key is needed.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let found = wallets::find(context, &args.wallet)?;
    let client = context
        .client(args.chain.name())
        .await?
        .with_policy(args.tx.policy()?);
    let mut orders = args.orders(context, &client, found.address()?).await?;
    let trusted = Trusted {
        request: args.params.is_some(),
        ..Trusted::default()
    };
    let estimate = fill::estimate(&client, &orders, trusted).await?;
    if !args.skip_preflight_check {
        let app = preflight::app(&client, orders.app.order.app).await?;
        ready::check(context, &client, &app, &orders).await?;
    }
    tee::at_run(context, &client, orders.tag()).await;
    if !estimate.total.is_zero() && !args.force {
        let (volume, total) = (estimate.volume, rlc::to_rlc(estimate.total));
        prompt::confirm(&format!(
            "Do you want to spend {total} RLC on {volume} tasks?"
        ))?;
    }
    let actor = client.actor(found.unlock(&args.wallet)?);
    if args.params.is_some() {
        let request = orders.request.order.clone();
        let signed = sdk::order::life::sign(
            &client,
            &actor,
            AnyOrder::Request(Signed {
                order: request,
                sign: Bytes::new(),
            }),
        );
        if let AnyOrder::Request(signed) = signed.await? {
            orders.request = signed;
        }
    }
    let started = run::match_orders(&actor, &orders).await?;
    let (deal, volume) = (started.deal, started.volume);
    let raw = json!({
        "dealid": deal,
        "volume": volume.to_string(),
        "txHash": started.receipt.tx,
    });
    let message = format!("{volume} task successfully purchased with dealid {deal}");
    Ok(Report::new(raw, message))
}

impl Args {
    /// The four orders; a request made on the fly is not signed yet.
    async fn orders(
        &self,
        context: &Context,
        client: &Client,
        requester: protocol::Address,
    ) -> Result<Orders, Failure> {
        let get = async |kind, hash: &Option<String>| {
            let hash = hash.as_deref().map(read_hash).transpose()?;
            resolve(context, client, kind, hash).await
        };
        let app = get(Kind::App, &self.app).await?;
        let workerpool = get(Kind::Workerpool, &self.workerpool).await?;
        let request = match &self.params {
            Some(_) => None,
            None => Some(get(Kind::Request, &self.request).await?),
        };
        let has_dataset = match &request {
            Some(AnyOrder::Request(request)) => !request.order.dataset.is_zero(),
            _ => self.dataset.is_some() || saved(context, client, Kind::Dataset)?.is_some(),
        };
        let dataset = match has_dataset {
            true => get(Kind::Dataset, &self.dataset).await?,
            false => AnyOrder::Dataset(Signed::none()),
        };
        let (AnyOrder::App(app), AnyOrder::Dataset(dataset), AnyOrder::Workerpool(workerpool)) =
            (app, dataset, workerpool)
        else {
            return Err(Failure::new("orders.json holds orders of the wrong kind"));
        };
        let three = (app, dataset, workerpool);
        self.with_request(three, request, requester)
    }

    fn with_request(
        &self,
        (app, dataset, workerpool): Three,
        request: Option<AnyOrder>,
        requester: protocol::Address,
    ) -> Result<Orders, Failure> {
        let request = match request {
            Some(AnyOrder::Request(request)) => request,
            _ => {
                let text = self.params.as_deref().unwrap_or("{}");
                let params = params_text(text, app.order.tag, false)?;
                request_for(
                    &app.order,
                    &dataset.order,
                    &workerpool.order,
                    requester,
                    params,
                )
            }
        };
        Ok(Orders {
            app,
            dataset,
            workerpool,
            request,
        })
    }
}

type Three = (
    Signed<protocol::order::AppOrder>,
    Signed<protocol::order::DatasetOrder>,
    Signed<protocol::order::WorkerpoolOrder>,
);
