//! The chain as [`chain::Hub`] reads it.

use alloy::{providers::Provider, sol_types::Eip712Domain};
use async_trait::async_trait;
use chain::{Asset, Hub, HubEvent, Standing};
use protocol::{
    Address, B256, Bytes, DealId, OrderHash, TaskId, U256,
    deal::{Category, Deal, Task},
    order::Kind,
};

use super::{Chain, Claim, Fact, Located, Match};
use crate::{Error, TaskStep};

#[async_trait]
impl Chain for Hub {
    fn domain(&self) -> Eip712Domain {
        Self::domain(self).clone()
    }

    async fn head(&self) -> Result<u64, Error> {
        let head = self.provider().get_block_number().await;
        head.map_err(Error::chain)
    }

    async fn verify(&self, signer: Address, hash: B256, sign: &Bytes) -> Result<bool, Error> {
        let signed = self.verify_signature(signer, hash, sign).await;
        if signed.map_err(Error::chain)? {
            return Ok(true);
        }
        self.verify_presigned(signer, hash)
            .await
            .map_err(Error::chain)
    }

    async fn standing(&self, order: &Claim, at: u64) -> Result<Standing, Error> {
        let resource = asset(order.kind).map(|asset| (asset, order.resource));
        self.at(at)
            .standing(resource, order.signer, order.hash, &order.sign)
            .await
            .map_err(Error::chain)
    }

    async fn owner_of(&self, entry: Address, at: u64) -> Result<Address, Error> {
        self.at(at).owner_of(entry).await.map_err(Error::chain)
    }

    async fn consumed(&self, order: OrderHash, at: u64) -> Result<U256, Error> {
        self.at(at).consumed(order).await.map_err(Error::chain)
    }

    async fn stake(&self, account: Address, at: u64) -> Result<U256, Error> {
        let account = self.at(at).account(account).await;
        Ok(account.map_err(Error::chain)?.stake)
    }

    async fn deal(&self, id: DealId, at: u64) -> Result<Option<Deal>, Error> {
        self.at(at).deal(id).await.map_err(Error::chain)
    }

    async fn task(&self, id: TaskId, at: u64) -> Result<Option<Task>, Error> {
        self.at(at).task(id).await.map_err(Error::chain)
    }

    async fn category(&self, id: u64, at: u64) -> Result<Option<Category>, Error> {
        self.at(at).category(id).await.map_err(Error::chain)
    }

    async fn block_time(&self, block: u64) -> Result<u64, Error> {
        let found = self.provider().get_block_by_number(block.into()).await;
        let found = found.map_err(Error::chain)?;
        let missing = || Error::chain(format!("block {block} is not there"));
        Ok(found.ok_or_else(missing)?.header.timestamp)
    }
}

const fn asset(kind: Kind) -> Option<Asset> {
    match kind {
        Kind::App => Some(Asset::App),
        Kind::Dataset => Some(Asset::Dataset),
        Kind::Workerpool => Some(Asset::Workerpool),
        Kind::Request => None,
    }
}

const fn kind(asset: Asset) -> Kind {
    match asset {
        Asset::App => Kind::App,
        Asset::Dataset => Kind::Dataset,
        Asset::Workerpool => Kind::Workerpool,
    }
}

/// What the book has to know of an event, if anything.
pub(crate) fn fact(located: &chain::Located) -> Option<Located> {
    let fact = of_orders(&located.event).or_else(|| of_tasks(&located.event))?;
    Some(Located {
        fact,
        block: located.block,
        position: located.index,
        tx: located.tx,
    })
}

fn of_orders(event: &HubEvent) -> Option<Fact> {
    Some(match *event {
        HubEvent::OrdersMatched {
            deal,
            app,
            dataset,
            workerpool,
            request,
            volume,
        } => Fact::Matched(Match {
            deal,
            app,
            dataset,
            workerpool,
            request,
            volume,
        }),
        HubEvent::OrderClosed { hash, .. } => Fact::Closed(hash),
        HubEvent::CategoryCreated { id } => Fact::Category(id),
        HubEvent::StakeTransfer { from, value, .. } if !from.is_zero() && !value.is_zero() => {
            Fact::StakeLeft(from)
        }
        HubEvent::AssetTransfer { asset, entry, from } if !from.is_zero() => Fact::AssetLeft {
            kind: kind(asset),
            entry,
            from,
        },
        _ => return None,
    })
}

fn of_tasks(event: &HubEvent) -> Option<Fact> {
    let nobody = Address::ZERO;
    let (task, step, worker) = match *event {
        HubEvent::TaskInitialize { task, .. } => (task, TaskStep::Initialized, nobody),
        HubEvent::TaskContribute { task, worker, .. } => (task, TaskStep::Contributed, worker),
        HubEvent::TaskConsensus { task, .. } => (task, TaskStep::Consensus, nobody),
        HubEvent::TaskReveal { task, worker, .. } => (task, TaskStep::Revealed, worker),
        HubEvent::TaskReopen { task } => (task, TaskStep::Reopened, nobody),
        HubEvent::TaskFinalize { task, .. } => (task, TaskStep::Finalized, nobody),
        HubEvent::TaskClaimed { task } => (task, TaskStep::Claimed, nobody),
        _ => return None,
    };
    Some(Fact::Task { task, step, worker })
}
