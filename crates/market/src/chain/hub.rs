//! The chain as [`chain::Hub`] reads it.

use alloy::{providers::Provider, sol_types::Eip712Domain};
use async_trait::async_trait;
use chain::{Asset, Hub, HubEvent};
use protocol::{
    Address, B256, Bytes, DealId, OrderHash, U256,
    deal::{Category, Deal},
    order::Kind,
};

use super::{Chain, Fact, Located, Match};
use crate::Error;

#[async_trait]
impl Chain for Hub {
    fn domain(&self) -> Eip712Domain {
        Self::domain(self).clone()
    }

    async fn is_registered(&self, kind: Kind, entry: Address) -> Result<bool, Error> {
        let asset = match kind {
            Kind::App => Asset::App,
            Kind::Dataset => Asset::Dataset,
            Kind::Workerpool => Asset::Workerpool,
            Kind::Request => return Ok(false),
        };
        Self::is_registered(self, asset, entry)
            .await
            .map_err(Error::chain)
    }

    async fn owner_of(&self, entry: Address) -> Result<Address, Error> {
        Self::owner_of(self, entry).await.map_err(Error::chain)
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

    async fn consumed(&self, order: OrderHash) -> Result<U256, Error> {
        Self::consumed(self, order).await.map_err(Error::chain)
    }

    async fn stake(&self, account: Address) -> Result<U256, Error> {
        let account = self.account(account).await.map_err(Error::chain)?;
        Ok(account.stake)
    }

    async fn deal(&self, id: DealId) -> Result<Option<Deal>, Error> {
        Self::deal(self, id).await.map_err(Error::chain)
    }

    async fn category(&self, id: u64) -> Result<Option<Category>, Error> {
        Self::category(self, id).await.map_err(Error::chain)
    }

    async fn block_time(&self, block: u64) -> Result<u64, Error> {
        let found = self.provider().get_block_by_number(block.into()).await;
        let found = found.map_err(Error::chain)?;
        let missing = || Error::chain(format!("block {block} is not there"));
        Ok(found.ok_or_else(missing)?.header.timestamp)
    }
}

/// What the book has to know of an event, if anything.
pub(crate) fn fact(located: &chain::Located) -> Option<Located> {
    let fact = match located.event {
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
        _ => return None,
    };
    Some(Located {
        fact,
        block: located.block,
        tx: located.tx,
    })
}
