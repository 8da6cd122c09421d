//! `iexec wallet sweep`.

use sdk::wallet::{self, Swept};
use serde_json::{Value, json};

use super::payment::PaymentArgs;
use crate::{
    context::Context,
    outcome::{Failure, Report},
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  iexec wallet sweep --to 0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
)]
pub(crate) struct Args {
    #[command(flatten)]
    payment: PaymentArgs,
}

/// Runs it. What was sent before something failed is told, but it is a failure.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let (actor, to) = args.payment.agreed(context, "all RLC and ether").await?;
    let mut swept = Swept::default();
    let ended = wallet::sweep(&actor, to, &mut swept).await;
    let mut raw = json!({
        "from": actor.address().to_checksum(None),
        "to": to.to_checksum(None),
    });
    add(&mut raw, "sendNativeTxHash", swept.ether.as_ref());
    add(&mut raw, "sendERC20TxHash", swept.rlc.as_ref());
    match ended {
        Ok(()) => Ok(Report::new(raw, format!("Wallet swept to {to}"))),
        Err(error) => {
            raw["errors"] = json!([error.to_string()]);
            Err(Failure::from(error).partial(raw))
        }
    }
}

fn add(raw: &mut Value, key: &str, receipt: Option<&chain::Receipt>) {
    if let Some(receipt) = receipt {
        raw[key] = json!(receipt.tx);
    }
}
