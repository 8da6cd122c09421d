//! `iexec app request-execution`.

use protocol::{Bytes, U256, order::Signed, rlc};
use sdk::{
    order::{AnyOrder, life},
    run::{
        execution::{self, Prices},
        preflight,
    },
};
use serde_json::json;

use super::wishes::WishArgs;
use crate::{
    cli::{ChainArgs, WalletArgs},
    context::Context,
    outcome::{Failure, Report},
    prompt, wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  iexec app request-execution 0x2aD6…0F4c --workerpool-price 0.1 \
                        RLC --chain local"
)]
pub(crate) struct Args {
    /// The app
    #[arg(value_name = "appAddress")]
    app: String,
    #[command(flatten)]
    wishes: WishArgs,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    /// Do not ask
    #[arg(long)]
    force: bool,
    /// The most that is paid for the app (default: 0)
    #[arg(long, value_name = "amount unit", num_args = 1..=2)]
    app_price: Vec<String>,
    /// The most that is paid for the dataset (default: 0)
    #[arg(long, value_name = "amount unit", num_args = 1..=2)]
    dataset_price: Vec<String>,
    /// The most that is paid for the workerpool (default: 0)
    #[arg(long, value_name = "amount unit", num_args = 1..=2)]
    workerpool_price: Vec<String>,
    /// Do not ask the SMS for the secrets that the run needs
    #[arg(long)]
    skip_preflight_check: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let prices = args.prices()?;
    let found = wallets::find(context, &args.wallet)?;
    let client = context.client(args.chain.name()).await?;
    let wishes = args.wishes.read(Some(&args.app), context, &client)?;
    let order = execution::draft(&client, found.address()?, &wishes, prices).await?;
    if !args.skip_preflight_check {
        preflight::app(&client, order.app).await?;
        context.notes(preflight::request(&client, &order, order.tag).await?);
    }
    let order = AnyOrder::Request(Signed {
        order,
        sign: Bytes::new(),
    });
    if !args.force && prompt::is_possible() {
        context.show(&order.to_json());
        let total = rlc::to_rlc(prices.sum().saturating_mul(wishes.volume));
        prompt::confirm(&format!("Publish this request for at most {total} RLC?"))?;
    }
    let actor = client.actor(found.unlock(&args.wallet)?);
    let signed = life::sign(&client, &actor, order).await?;
    let hash = life::publish(&client, &actor, &signed).await?;
    let message = format!("Successfully published requestorder with orderHash {hash}");
    Ok(Report::new(json!({ "orderHash": hash }), message))
}

impl Args {
    fn prices(&self) -> Result<Prices, sdk::Error> {
        let read = |words: &[String]| -> Result<U256, sdk::Error> {
            Ok(rlc::parse(&words.join(" "), "nRLC")?)
        };
        Ok(Prices {
            app: read(&self.app_price)?,
            dataset: read(&self.dataset_price)?,
            workerpool: read(&self.workerpool_price)?,
        })
    }
}
