//! `iexec wallet send-ether`.

use protocol::ether;
use sdk::wallet;
use serde_json::json;

use super::payment::PaymentArgs;
use crate::{
    amount,
    context::Context,
    outcome::{Failure, Report},
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec wallet send-ether 0.5 --to 0x7099…79C8")]
pub(crate) struct Args {
    /// How much
    amount: String,
    /// `wei`, `kwei`, `mwei`, `gwei`, `szabo`, `finney` or `ether` (if left out)
    unit: Option<String>,
    #[command(flatten)]
    payment: PaymentArgs,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let amount = amount::join(&args.amount, args.unit.as_deref());
    let amount = ether::parse(&amount, "ether").map_err(sdk::Error::from)?;
    let shown = format!("{} ether", ether::to_ether(amount));
    let (actor, to) = args.payment.agreed(context, &shown).await?;
    let receipt = wallet::send_ether(&actor, to, amount).await?;
    let raw = json!({
        "amount": amount.to_string(),
        "from": actor.address().to_checksum(None),
        "to": to.to_checksum(None),
        "txHash": receipt.tx,
    });
    Ok(Report::new(raw, format!("Sent {shown} to {to}")))
}
