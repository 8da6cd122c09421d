//! What all order books have in common: filters and pages.

use protocol::{Tag, U256, order::Order, rlc};
use sdk::{
    Client, parse,
    services::market::{self, Filter, Party, Published, Restriction},
};
use serde_json::{Map, Value, json};

use crate::{
    context::Context,
    outcome::{Failure, Report},
    prompt,
};

/// Orders a page, as the official command line asks for.
const PAGE_ORDERS: usize = 20;
/// Orders shown to a program: no page is asked for when one more would exceed it.
const ORDERS_MAX: usize = 100;

/// Options.
#[derive(Debug, clap::Args)]
pub(super) struct FilterArgs {
    /// Exactly this tag, e.g. `tee,tdx`
    #[arg(long, conflicts_with_all = ["require_tag", "max_tag"])]
    tag: Option<String>,
    /// At least this tag
    #[arg(long, value_name = "tag")]
    require_tag: Option<String>,
    /// At most this tag
    #[arg(long, value_name = "tag")]
    max_tag: Option<String>,
    /// At least this volume left
    #[arg(long, value_name = "integer")]
    min_volume: Option<String>,
}

impl FilterArgs {
    /// The filter so far: the command adds its own part.
    pub(super) fn read(&self) -> Result<Filter, sdk::Error> {
        let tag = |given: &Option<String>| given.as_deref().map(Tag::parse).transpose();
        let exact = tag(&self.tag)?;
        Ok(Filter {
            min_tag: exact.or(tag(&self.require_tag)?),
            max_tag: exact.or(tag(&self.max_tag)?),
            min_volume: integer("--min-volume", self.min_volume.as_deref())?,
            ..Filter::default()
        })
    }
}

/// An address, `any`, or nothing.
pub(super) fn party(field: &str, text: Option<&str>) -> Result<Party, sdk::Error> {
    match text {
        None => Ok(Party::Unsaid),
        Some("any") => Ok(Party::Any),
        Some(text) => parse::address(field, text).map(Party::Is),
    }
}

/// Whom orders may be restricted to.
pub(super) fn restriction(
    field: &str,
    text: Option<&str>,
    strict: bool,
) -> Result<Restriction, sdk::Error> {
    let party = party(field, text)?;
    Ok(Restriction { party, strict })
}

/// Options for whom orders may be restricted to: also for those, or only for those.
macro_rules! restriction_args {
    ($($name:ident: $field:ident, $strict:ident, $word:literal;)*) => {$(
        /// Options.
        #[derive(Debug, clap::Args)]
        pub(super) struct $name {
            #[arg(long, value_name = "address",
                help = concat!("Also orders restricted to this ", $word))]
            $field: Option<String>,
            #[arg(long, help = concat!("Only orders restricted to that ", $word))]
            $strict: bool,
        }

        impl $name {
            /// What they mean.
            pub(super) fn read(&self) -> Result<Restriction, sdk::Error> {
                restriction(concat!("--", $word), self.$field.as_deref(), self.$strict)
            }
        }
    )*};
}

restriction_args! {
    ForApp: app, app_strict, "app";
    ForDataset: dataset, dataset_strict, "dataset";
    ForWorkerpool: workerpool, workerpool_strict, "workerpool";
    ForRequester: requester, requester_strict, "requester";
}

/// An integer, if given.
pub(super) fn integer(field: &str, text: Option<&str>) -> Result<Option<U256>, sdk::Error> {
    text.map(|text| parse::integer(field, text)).transpose()
}

/// A category, if given.
pub(super) fn category(text: Option<&str>) -> Result<Option<u64>, sdk::Error> {
    text.map(|text| parse::small("--category", text))
        .transpose()
}

/// How the orders of a kind are shown.
#[derive(Debug)]
pub(super) struct Columns<O: Order> {
    /// The key of the list in `--raw`.
    pub(super) key: &'static str,
    /// nRLC a task.
    pub(super) price: fn(&O) -> U256,
    /// The official keys of an order.
    pub(super) row: fn(&Published<O>) -> Value,
}

/// Reads page after page: people are asked for more, programs get up to [`ORDERS_MAX`].
pub(super) async fn show<O: Order>(
    context: &Context,
    client: &Client,
    filter: &Filter,
    columns: &Columns<O>,
) -> Result<Report, Failure> {
    let (mut rows, mut best, mut unseen) = (Vec::new(), None, Vec::new());
    let mut count = 0;
    for index in 0.. {
        let page = market::page::<O>(client, filter, index, PAGE_ORDERS).await?;
        count = page.count;
        best = best.or(page
            .orders
            .first()
            .map(|first| (columns.price)(&first.order.order)));
        unseen.extend(page.orders.iter().map(columns.row));
        if !page.has_more || count <= (rows.len() + unseen.len()) as u64 {
            break;
        }
        if prompt::is_possible() && !context.raw {
            context.show(&json!(unseen));
            rows.append(&mut unseen);
            let question = format!("{} of {count} orders are shown. More?", rows.len());
            if !prompt::wants(&question) {
                break;
            }
        } else if (index + 1) * PAGE_ORDERS >= ORDERS_MAX {
            break;
        }
    }
    let shown = json!(unseen);
    rows.append(&mut unseen);
    let raw = Map::from_iter([
        ("count".to_owned(), json!(count)),
        (columns.key.to_owned(), json!(rows)),
    ]);
    Ok(Report::new(Value::Object(raw), summary(count, best)).with_data(&shown))
}

/// One line about a book.
fn summary(count: u64, best: Option<U256>) -> String {
    match best.map(rlc::to_rlc) {
        Some(price) => format!("{count} orders found, the best at {price} RLC"),
        None => "no order found".to_owned(),
    }
}

/// A number as the market serves it. What 64 bits do not hold stays a text, where the official
/// program would round it.
pub(super) fn number(value: impl std::fmt::Display) -> Value {
    let text = value.to_string();
    text.parse::<u64>()
        .map_or_else(|_| text.into(), Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The official command line reads them under another name, and never sends them.
    #[test]
    fn strict_flags_count() {
        let address = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
        let strict = restriction("--dataset", Some(address), true).unwrap();
        assert!(strict.strict && matches!(strict.party, Party::Is(_)));
        let any = restriction("--dataset", Some("any"), false).unwrap();
        assert_eq!(any, Restriction::ANY);
        assert!(restriction("--dataset", Some("all"), false).is_err());
    }
}
