//! Bulks: the datasets of many owners in one request (spec/client.md §4.6).
//!
//! No order of a bulk is matched on chain: the request names the content of the orders, its tasks
//! are confidential, and the secret manager asks the chain about each order before it gives a key.

use protocol::order::{DatasetOrder, Signed};
use serde::Serialize;

use crate::{Client, Error, services::ipfs};

/// Datasets that one task may have.
pub const DATASETS_PER_TASK_MAX: usize = 100;

/// A bulk that is on IPFS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bulk {
    /// What the request names: `bulk_cid` of its params.
    pub cid: String,
    /// Tasks it is for: the volume of the request.
    pub volume: u64,
}

/// Puts the orders on IPFS, at most `per_task` for each task, in their order.
///
/// # Errors
/// [`Error::Invalid`] for orders that are not for bulks, before anything is sent; [`Error::Api`];
/// [`Error::Configuration`] when the chain has no IPFS node.
pub async fn prepare(
    client: &Client,
    orders: &[Signed<DatasetOrder>],
    per_task: usize,
) -> Result<Bulk, Error> {
    check(orders, per_task)?;
    let mut slices = Vec::new();
    for slice in orders.chunks(per_task) {
        slices.push(ipfs::add(client, json(slice)?).await?);
    }
    Ok(Bulk {
        cid: ipfs::add(client, json(&slices)?).await?,
        volume: slices.len() as u64,
    })
}

fn json(value: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| Error::invalid("orders", error.to_string()))
}

fn check(orders: &[Signed<DatasetOrder>], per_task: usize) -> Result<(), Error> {
    if !(1..=DATASETS_PER_TASK_MAX).contains(&per_task) {
        let reason = format!("{per_task} is not between 1 and {DATASETS_PER_TASK_MAX}");
        return Err(Error::invalid("datasets of a task", reason));
    }
    if orders.is_empty() {
        return Err(Error::invalid("orders", "a bulk has at least one"));
    }
    match orders.iter().find(|signed| !signed.order.is_for_bulk()) {
        None => Ok(()),
        Some(signed) => {
            let dataset = signed.order.dataset;
            let reason = format!("that of {dataset} has a price or a limited volume");
            Err(Error::invalid("orders", reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::{U256, order::BULK_VOLUME_MIN};

    use super::*;

    fn order(price: u64, volume: u64) -> Signed<DatasetOrder> {
        let mut signed = Signed::<DatasetOrder>::none();
        signed.order.datasetprice = U256::from(price);
        signed.order.volume = U256::from(volume);
        signed
    }

    #[test]
    fn only_what_is_given_away_is_for_bulks() {
        let good = order(0, BULK_VOLUME_MIN);
        assert!(check(&[good.clone(), order(0, u64::MAX)], 2).is_ok());
        for bad in [order(1, BULK_VOLUME_MIN), order(0, BULK_VOLUME_MIN - 1)] {
            assert!(check(&[good.clone(), bad], 2).is_err());
        }
        assert!(check(&[], 2).is_err());
    }

    #[test]
    fn a_task_has_one_to_a_hundred() {
        let orders = [order(0, BULK_VOLUME_MIN)];
        for (per_task, is_right) in [(0, false), (1, true), (100, true), (101, false)] {
            assert_eq!(check(&orders, per_task).is_ok(), is_right, "{per_task}");
        }
    }
}
