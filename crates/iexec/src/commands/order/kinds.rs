//! Which of the four orders are meant, and where they come from.

use protocol::{OrderHash, order::Kind};
use sdk::{
    Client,
    order::{AnyOrder, life, name},
};

use crate::{context::Context, outcome::Failure};

/// Flags; without any, all four are meant.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct KindFlags {
    /// The app order
    #[arg(long)]
    app: bool,
    /// The dataset order
    #[arg(long)]
    dataset: bool,
    /// The workerpool order
    #[arg(long)]
    workerpool: bool,
    /// The request order
    #[arg(long)]
    request: bool,
}

impl KindFlags {
    /// The kinds, in their official order.
    pub(super) fn chosen(self) -> Vec<Kind> {
        let flags = [self.app, self.dataset, self.workerpool, self.request];
        let is_all = !flags.contains(&true);
        let kinds = Kind::ALL.into_iter().zip(flags);
        kinds
            .filter_map(|(kind, is_given)| (is_all || is_given).then_some(kind))
            .collect()
    }
}

/// Flags with a hash each; without the hash, the order in orders.json is meant.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct HashFlags {
    /// The app order; the one in orders.json without a hash
    #[arg(long, value_name = "orderHash", num_args = 0..=1)]
    app: Option<Option<String>>,
    /// The dataset order
    #[arg(long, value_name = "orderHash", num_args = 0..=1)]
    dataset: Option<Option<String>>,
    /// The workerpool order
    #[arg(long, value_name = "orderHash", num_args = 0..=1)]
    workerpool: Option<Option<String>>,
    /// The request order
    #[arg(long, value_name = "orderHash", num_args = 0..=1)]
    request: Option<Option<String>>,
}

impl HashFlags {
    /// The kinds given, at least one, each with its hash if there is one.
    pub(super) fn chosen(&self) -> Result<Vec<(Kind, Option<OrderHash>)>, Failure> {
        let given = [&self.app, &self.dataset, &self.workerpool, &self.request];
        let mut chosen = Vec::new();
        for (kind, given) in Kind::ALL.into_iter().zip(given) {
            if let Some(hash) = given {
                chosen.push((kind, hash.as_deref().map(read_hash).transpose()?));
            }
        }
        match chosen.is_empty() {
            false => Ok(chosen),
            true => Err(Failure::new(
                "No option specified, you should choose one \
                 (--app | --dataset | --workerpool | --request)",
            )),
        }
    }
}

/// 32 bytes in hexadecimal.
pub(super) fn read_hash(text: &str) -> Result<OrderHash, Failure> {
    Ok(text.parse().map_err(sdk::Error::from)?)
}

/// The order in orders.json.
pub(super) fn saved(
    context: &Context,
    client: &Client,
    kind: Kind,
) -> Result<Option<AnyOrder>, Failure> {
    Ok(context.orders()?.get(client.hub().chain_id(), kind)?)
}

/// The order meant: by its hash, in orders.json or on the market; else the one in orders.json.
pub(super) async fn resolve(
    context: &Context,
    client: &Client,
    kind: Kind,
    hash: Option<OrderHash>,
) -> Result<AnyOrder, Failure> {
    match (hash, saved(context, client, kind)?) {
        (Some(hash), Some(saved)) if saved.hash(client) == hash => Ok(saved),
        (Some(hash), _) => Ok(life::fetch(client, kind, hash).await?),
        (None, Some(saved)) => Ok(saved),
        (None, None) => Err(missing(kind, client.hub().chain_id())),
    }
}

fn missing(kind: Kind, chain_id: u64) -> Failure {
    let order = name(kind);
    Failure::new(format!(
        "Missing {order} in \"orders.json\" for chain {chain_id}"
    ))
    .hint(format!(
        "give its hash, or sign one with `iexec order sign --{}`",
        kind.name()
    ))
}
