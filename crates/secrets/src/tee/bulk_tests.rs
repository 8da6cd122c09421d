//! Which datasets a task of a bulk gets: each rule broken alone, and nothing is released.

use protocol::{
    Address, B256, Cause, DealId, Tag, U256,
    deal::Deal,
    order::{BULK_VOLUME_MIN, DatasetOrder, Signed},
};
use serde_json::{Value as Json, json};

use super::{Refused, describe};
use crate::{
    Ledger, Unavailable,
    testing::{APP, Scene, Script, task},
};

/// CIDs of the bulk and of its two slices.
const ROOT: &str = "QmRoot";
const SLICES: [&str; 2] = ["QmFirst", "QmSecond"];
const VERDICT: Cause = Cause::SessionGetTaskDescriptionFailed;
const NOT_NOW: Cause = Cause::SessionUnknownIssue;

fn address(number: u8) -> Address {
    Address::repeat_byte(number)
}

/// An order of the owner of dataset `number` for any app.
fn order(number: u8) -> Signed<DatasetOrder> {
    let order = DatasetOrder {
        dataset: address(number),
        datasetprice: U256::ZERO,
        volume: U256::from(BULK_VOLUME_MIN),
        tag: Tag::TEE_TDX,
        apprestrict: Address::ZERO,
        workerpoolrestrict: Address::ZERO,
        requesterrestrict: Address::ZERO,
        salt: B256::ZERO,
    };
    let sign = order.dataset.to_vec().into();
    Signed { order, sign }
}

/// A deal for a bulk of datasets 1 and 2, and 3.
async fn scene() -> (Script, Deal) {
    let (scene, id) = Scene::tdx(&json!({ "bulk_cid": ROOT })).await;
    let chain = scene.chain.clone();
    put(&chain, ROOT, &json!(SLICES));
    put(&chain, SLICES[0], &json!([order(1), order(2)]));
    put(&chain, SLICES[1], &json!([order(3)]));
    let deal = chain.deal(id).await.unwrap().unwrap();
    (chain, deal)
}

fn put(chain: &Script, cid: &str, content: &Json) {
    let bytes = content.to_string().into_bytes();
    chain.change(|state| drop(state.ipfs.insert(cid.to_owned(), bytes)));
}

async fn datasets(chain: &Script, deal: &Deal, index: u64) -> Result<Vec<Address>, Refused> {
    let task = task(deal.id, index);
    let description = describe(chain, Some(chain), &task, deal.clone()).await?;
    Ok(description.bulk.iter().map(|it| it.address).collect())
}

/// Fails unless the first task is refused for `cause` with `words`.
async fn refused(chain: &Script, deal: &Deal, cause: Cause, words: &str) {
    let refused = datasets(chain, deal, 0).await.unwrap_err();
    assert_eq!(refused.cause, cause, "{refused}");
    let reason = refused.reason.unwrap_or_default();
    assert!(reason.contains(words), "{reason}");
}

/// The same when this is what the first slice has.
async fn refused_with(slice: Json, words: &str) {
    let (chain, deal) = scene().await;
    put(&chain, SLICES[0], &slice);
    refused(&chain, &deal, VERDICT, words).await;
}

#[tokio::test]
async fn each_task_has_its_slice() {
    let (chain, deal) = scene().await;
    let first = datasets(&chain, &deal, 0).await.unwrap();
    assert_eq!(first, [address(1), address(2)]);
    let second = datasets(&chain, &deal, 1).await.unwrap();
    assert_eq!(second, [address(3)]);
}

#[tokio::test]
async fn there_is_no_slice_for_a_later_task() {
    let (chain, deal) = scene().await;
    let refused = datasets(&chain, &deal, 2).await.unwrap_err();
    assert_eq!(refused.cause, VERDICT);
    let reason = refused.reason.unwrap();
    assert_eq!(reason, "the bulk has 2 slices, none for the task number 2");
}

/// The order is good, but of the owner of another dataset.
#[tokio::test]
async fn nobody_sells_the_dataset_of_another() {
    let mut foreign = order(2);
    foreign.sign = order(1).sign;
    let slice = json!([order(1), foreign]);
    refused_with(slice, "Invalid dataset order signature").await;
}

#[tokio::test]
async fn one_order_for_another_app_spoils_the_slice() {
    let mut other = order(2);
    other.order.apprestrict = address(0x99);
    refused_with(json!([order(1), other]), "App restriction not satisfied").await;
    let (chain, deal) = scene().await;
    let mut own = order(2);
    own.order.apprestrict = APP;
    put(&chain, SLICES[0], &json!([own]));
    assert_eq!(datasets(&chain, &deal, 0).await.unwrap(), [address(2)]);
}

/// The hub looks at no price, as nothing is paid.
#[tokio::test]
async fn what_is_sold_or_counted_is_not_for_bulks() {
    let mut sold = order(1);
    sold.order.datasetprice = U256::from(1);
    refused_with(json!([sold]), "not for bulks").await;
    let mut counted = order(1);
    counted.order.volume -= U256::from(1);
    refused_with(json!([counted]), "not for bulks").await;
}

#[tokio::test]
async fn a_slice_has_one_to_a_hundred_orders() {
    let orders = |count| json!((1..=count).map(order).collect::<Vec<_>>());
    let (chain, deal) = scene().await;
    put(&chain, SLICES[0], &orders(100));
    assert_eq!(datasets(&chain, &deal, 0).await.unwrap().len(), 100);
    refused_with(orders(101), "101 orders").await;
    refused_with(json!([]), "0 orders").await;
    refused_with(json!([order(1), order(2), order(1)]), "twice").await;
}

#[tokio::test]
async fn what_is_no_bulk_is_told() {
    refused_with(json!({ "orders": [] }), "`QmFirst` is not of a bulk").await;
    refused_with(json!(["QmFirst"]), "`QmFirst` is not of a bulk").await;
    let (chain, deal) = scene().await;
    let text = b"<html>".to_vec();
    chain.change(|state| drop(state.ipfs.insert(ROOT.to_owned(), text)));
    refused(&chain, &deal, VERDICT, "`QmRoot` is not of a bulk").await;
    put(&chain, ROOT, &json!([1, 2]));
    refused(&chain, &deal, VERDICT, "`QmRoot` is not of a bulk").await;
    put(&chain, ROOT, &json!("x".repeat(1 << 20)));
    refused(&chain, &deal, VERDICT, "is larger than").await;
    for odd in ["../api/v0/add", "Qm?x", "", "Qm\n", &"Q".repeat(129)] {
        put(&chain, ROOT, &json!([odd]));
        refused(&chain, &deal, VERDICT, "is no CID").await;
    }
}

#[tokio::test]
async fn silence_is_no_verdict() {
    let (chain, deal) = scene().await;
    chain.change(|state| drop(state.ipfs.remove(SLICES[0])));
    refused(&chain, &deal, NOT_NOW, "IPFS has no `QmFirst` just now").await;
    chain.change(|state| state.ipfs.clear());
    refused(&chain, &deal, NOT_NOW, "IPFS has no `QmRoot` just now").await;
    chain.change(|state| state.away = Some(Unavailable("no route".into())));
    refused(&chain, &deal, Cause::SessionGetChainDealFailed, "").await;
}

#[tokio::test]
async fn a_dataset_is_registered_and_has_a_file() {
    let (chain, deal) = scene().await;
    let empty = |dataset: &mut chain::DatasetInfo| dataset.multiaddr = Default::default();
    chain.change(|state| state.dataset.iter_mut().for_each(empty));
    refused(&chain, &deal, VERDICT, "it has no file").await;
    chain.change(|state| state.dataset = None);
    refused(&chain, &deal, VERDICT, "it is not registered").await;
}

#[tokio::test]
async fn without_a_gateway_there_is_no_bulk() {
    let (chain, deal) = scene().await;
    let described = describe(&chain, None, &task(deal.id, 0), deal.clone()).await;
    let refused = described.unwrap_err();
    assert_eq!(refused.cause, VERDICT);
    assert!(refused.reason.unwrap().contains("no IPFS gateway"));
    let unknown = Deal {
        id: DealId::repeat(9),
        ..deal
    };
    let refused = datasets(&chain, &unknown, 0).await.unwrap_err();
    assert!(refused.reason.unwrap().contains("Deal not found"));
}
