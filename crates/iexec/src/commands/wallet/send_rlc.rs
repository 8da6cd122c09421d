//! `iexec wallet send-RLC`.

use protocol::rlc;
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
#[command(after_help = "Example:\n  iexec wallet send-RLC 0.5 --to 0x7099…79C8")]
pub(crate) struct Args {
    /// How much
    amount: String,
    /// `nRLC` or `RLC`, which it is if left out
    unit: Option<String>,
    #[command(flatten)]
    payment: PaymentArgs,
}

/// Runs it; `default_unit` counts when none is typed.
pub(crate) async fn run(
    args: &Args,
    context: &Context,
    default_unit: &str,
) -> Result<Report, Failure> {
    let amount = amount::join(&args.amount, args.unit.as_deref());
    let amount = rlc::parse(&amount, default_unit).map_err(sdk::Error::from)?;
    let shown = format!("{} RLC", rlc::to_rlc(amount));
    let (actor, to) = args.payment.agreed(context, &shown).await?;
    let receipt = wallet::send_rlc(&actor, to, amount).await?;
    let raw = json!({
        "amount": amount.to_string(),
        "from": actor.address().to_checksum(None),
        "to": to.to_checksum(None),
        "txHash": receipt.tx,
    });
    Ok(Report::new(raw, format!("Sent {shown} to {to}")))
}
