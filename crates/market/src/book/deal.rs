//! Deals and categories as the market API shows them (spec/market-explorer.md §12).

use protocol::{
    Address, U256,
    deal::{Category, Deal, Resource},
};
use serde_json::{Value, json};

use super::Page;
use crate::{
    Located, Match,
    clock::iso,
    database::{DealFilter, DealRow},
    input::{INTEGER_MAX, Invalid, Params, Wanted},
};

/// Roles that a list of deals may be narrowed by: parameter and column.
const ROLES: [(&str, &str); 8] = [
    ("requester", "requester"),
    ("beneficiary", "beneficiary"),
    ("app", "app"),
    ("dataset", "dataset"),
    ("workerpool", "workerpool"),
    ("appOwner", "app_owner"),
    ("datasetOwner", "dataset_owner"),
    ("workerpoolOwner", "workerpool_owner"),
];

/// Orders that a list of deals may be narrowed by: parameter and column.
const ORDERS: [(&str, &str); 4] = [
    ("apporderHash", "app_order"),
    ("datasetorderHash", "dataset_order"),
    ("workerpoolorderHash", "workerpool_order"),
    ("requestorderHash", "request_order"),
];

/// Which deals `params` asks for.
///
/// # Errors
/// [`Invalid`] for the first parameter that is wrong.
pub(crate) fn read_deals(params: &Params) -> Result<(DealFilter, Page), Invalid> {
    let page = super::page(params)?;
    let mut filter = DealFilter {
        category: params.integer("category", 0)?,
        ..DealFilter::default()
    };
    for (field, column) in ORDERS {
        let hash = params.bytes32(field)?;
        filter
            .keys
            .extend(hash.map(|hash| (column, hash.to_string())));
    }
    for (field, column) in ROLES {
        if let Wanted::One(address) = params.wanted(field)? {
            filter.keys.push((column, address.to_string()));
        }
    }
    Ok((filter, page))
}

/// What is kept of a deal; its answer shows the chain id as a number.
pub(crate) fn deal_row(chain_id: u64, deal: &Deal, matched: &Match, at: &Located) -> DealRow {
    let role = |address: Address| address.to_string();
    DealRow {
        id: deal.id,
        category: deal.category,
        block: at.block,
        keys: vec![
            ("requester", role(deal.requester)),
            ("beneficiary", role(deal.beneficiary)),
            ("app", role(deal.app.pointer)),
            ("dataset", role(deal.dataset.pointer)),
            ("workerpool", role(deal.workerpool.pointer)),
            ("app_owner", role(deal.app.owner)),
            ("dataset_owner", role(deal.dataset.owner)),
            ("workerpool_owner", role(deal.workerpool.owner)),
            ("app_order", matched.app.to_string()),
            ("dataset_order", matched.dataset.to_string()),
            ("workerpool_order", matched.workerpool.to_string()),
            ("request_order", matched.request.to_string()),
        ],
        body: body(chain_id, deal, matched, at),
    }
}

fn body(chain_id: u64, deal: &Deal, matched: &Match, at: &Located) -> Value {
    json!({
        "dealid": deal.id,
        "chainId": chain_id,
        "app": leg(&deal.app),
        "dataset": leg(&deal.dataset),
        "workerpool": leg(&deal.workerpool),
        "requester": deal.requester.to_string(),
        "beneficiary": deal.beneficiary.to_string(),
        "callback": deal.callback.to_string(),
        "appHash": matched.app,
        "datasetHash": matched.dataset,
        "workerpoolHash": matched.workerpool,
        "requestHash": matched.request,
        "params": deal.params,
        "volume": number(matched.volume),
        "category": deal.category,
        "tag": deal.tag,
        "trust": number(deal.trust),
        "startTime": deal.start_time,
        "botFirst": deal.bot_first,
        "botSize": deal.bot_size,
        "schedulerRewardRatio": number(deal.scheduler_reward_ratio),
        "workerStake": number(deal.worker_stake),
        "blockNumber": at.block,
        "blockTimestamp": iso(ms(deal.start_time)),
        "transactionHash": at.tx,
    })
}

/// A category as the market API shows it, made in a block at `seconds` since 1970; its answer
/// shows the chain id as a number.
pub(crate) fn category_body(
    chain_id: u64,
    id: u64,
    category: &Category,
    at: &Located,
    seconds: u64,
) -> Value {
    json!({
        "catid": id,
        "chainId": chain_id,
        "name": category.name,
        "description": category.description,
        "workClockTimeRef": category.work_clock_time_ref,
        "transactionHash": at.tx,
        "blockNumber": at.block,
        "blockTimestamp": iso(ms(seconds)),
    })
}

fn ms(seconds: u64) -> i64 {
    i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX)
}

fn leg(resource: &Resource) -> Value {
    json!({
        "pointer": resource.pointer.to_string(),
        "owner": resource.owner.to_string(),
        "price": number(resource.price),
    })
}

/// A JSON number while it is exact, decimal text beyond.
fn number(value: U256) -> Value {
    match u64::try_from(value) {
        Ok(small) if small <= INTEGER_MAX => small.into(),
        _ => value.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact() {
        assert_eq!(number(U256::from(5)), json!(5));
        assert_eq!(
            number(U256::from(INTEGER_MAX) + U256::from(1)),
            json!("9007199254740992")
        );
    }

    #[test]
    fn deals_are_searched_by_column() {
        let hash = format!("0x{}", "11".repeat(32));
        let params = Params::of(&[
            ("category", "3"),
            ("requestorderHash", &hash),
            ("app", "any"),
        ]);
        let (filter, _) = read_deals(&params).unwrap();
        assert_eq!(filter.category, Some(3));
        assert_eq!(filter.keys, [("request_order", hash)]);
    }
}
