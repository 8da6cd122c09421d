//! The datasets of one task of a bulk (spec/client.md §4.6, spec/secrets-tee.md §1.5). IPFS says
//! which they are, anybody can put anything there, so the chain has to allow each of them: without
//! that, who names a dataset in a bulk would get its key.

use std::{collections::HashSet, time::Duration};

use chain::DatasetInfo;
use futures_util::future::try_join_all;
use protocol::{
    DealId,
    deal::{Deal, Task},
    multiaddr,
    order::{DatasetOrder, Signed},
};
use serde::de::DeserializeOwned;

use super::Refused;
use crate::{Grant, Ipfs, Ledger};

/// Orders of a slice: more than the SDK puts there is a mistake or an attack.
const ORDERS_MAX: usize = 100;
/// Bytes of the list of slices, which is enough for about 20 000.
const ROOT_BYTES_MAX: usize = 1 << 20;
/// Bytes of a slice: a hundred orders of plain wallets have a tenth of it.
const SLICE_BYTES_MAX: usize = 1 << 20;
/// Characters of a CID in any of its forms.
const CID_CHARS_MAX: usize = 128;
/// Orders that the chain is asked about at once.
const ORDERS_AT_ONCE: usize = 8;
/// Everything has to be read by then: a worker waits twenty seconds for its session.
const TIMEOUT_S: u64 = 15;

/// Where a bulk is looked up, and for whom.
struct Bulk<'a> {
    ledger: &'a dyn Ledger,
    ipfs: &'a dyn Ipfs,
    deal: DealId,
}

/// The datasets of the slice of `task` in the bulk `root`, in its order. All of them or none: a
/// result of some would look like one of all.
///
/// # Errors
/// A verdict when the bulk is not what it should be or an order does not allow the deal; not now
/// when IPFS or the chain does not answer.
pub(super) async fn datasets(
    ledger: &dyn Ledger,
    ipfs: Option<&dyn Ipfs>,
    task: &Task,
    deal: &Deal,
    root: &str,
) -> Result<Vec<DatasetInfo>, Refused> {
    let none = "this secret manager has no IPFS gateway to read a bulk from";
    let bulk = Bulk {
        ledger,
        ipfs: ipfs.ok_or_else(|| Refused::description(none))?,
        deal: deal.id,
    };
    let limit = Duration::from_secs(TIMEOUT_S);
    let read = tokio::time::timeout(limit, bulk.datasets(root, task.index));
    let late = |_| Err(Refused::not_now("the bulk could not be read in time"));
    read.await.unwrap_or_else(late)
}

/// What keeps these orders from being a slice, whoever they are for.
fn fault(orders: &[Signed<DatasetOrder>]) -> Option<String> {
    let count = orders.len();
    if !(1..=ORDERS_MAX).contains(&count) {
        return Some(format!("has {count} orders, not 1 to {ORDERS_MAX}"));
    }
    // A file of the app is named by its dataset.
    let mut seen = HashSet::new();
    let mut datasets = orders.iter().map(|signed| signed.order.dataset);
    let twice = datasets.find(|dataset| !seen.insert(*dataset))?;
    Some(format!("names dataset {twice} twice"))
}

impl Bulk<'_> {
    async fn datasets(&self, root: &str, index: u64) -> Result<Vec<DatasetInfo>, Refused> {
        let orders = self.slice(root, index).await?;
        let mut datasets = Vec::with_capacity(orders.len());
        for some in orders.chunks(ORDERS_AT_ONCE) {
            datasets.extend(try_join_all(some.iter().map(|order| self.dataset(order))).await?);
        }
        Ok(datasets)
    }

    async fn slice(&self, root: &str, index: u64) -> Result<Vec<Signed<DatasetOrder>>, Refused> {
        let slices: Vec<String> = self.read(root, ROOT_BYTES_MAX).await?;
        let slice = usize::try_from(index).ok().and_then(|at| slices.get(at));
        let none = || {
            let count = slices.len();
            let reason = format!("the bulk has {count} slices, none for the task number {index}");
            Refused::description(reason)
        };
        let orders: Vec<_> = self.read(slice.ok_or_else(none)?, SLICE_BYTES_MAX).await?;
        match fault(&orders) {
            None => Ok(orders),
            Some(fault) => Err(Refused::description(format!("slice {index} {fault}"))),
        }
    }

    async fn read<T: DeserializeOwned>(&self, cid: &str, bytes_max: usize) -> Result<T, Refused> {
        let is_plain = cid.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if cid.is_empty() || cid.len() > CID_CHARS_MAX || !is_plain {
            return Err(Refused::description(format!("`{cid}` is no CID")));
        }
        let bytes = self.ipfs.read(cid, bytes_max).await?;
        let other = |error| Refused::description(format!("`{cid}` is not of a bulk: {error}"));
        serde_json::from_slice(&bytes).map_err(other)
    }

    async fn dataset(&self, signed: &Signed<DatasetOrder>) -> Result<DatasetInfo, Refused> {
        let address = signed.order.dataset;
        let refuse = |reason: &str| {
            let reason = format!("dataset {address} cannot be used: {reason}");
            Err(Refused::description(reason))
        };
        if !signed.order.is_for_bulk() {
            return refuse("its order is not for bulks, it has a price or a limited volume");
        }
        if let Grant::Refused(reason) = self.ledger.grant(signed, self.deal).await? {
            return refuse(&reason);
        }
        match self.ledger.dataset(address).await? {
            Some(dataset) if multiaddr::is_blank(&dataset.multiaddr) => refuse("it has no file"),
            Some(dataset) => Ok(dataset),
            None => refuse("it is not registered"),
        }
    }
}
