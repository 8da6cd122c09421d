//! What facts do to orders.

use protocol::{Address, OrderHash, U256, order::Kind};

use crate::{
    Error, Match,
    book::{Lot, Query},
    database::Turn,
    record::Record,
    rules::{publish, publish::Need, status::State},
    service::Market,
};

/// Kinds whose signer must have stake.
const STAKED: [Kind; 2] = [Kind::Request, Kind::Workerpool];

impl Market {
    /// How much of each of our orders in a match is used.
    pub(super) async fn used(
        &self,
        matched: &Match,
        at: u64,
    ) -> Result<Vec<(OrderHash, U256)>, Error> {
        let mut used = Vec::new();
        for order in matched.orders() {
            if self.database.order(order).await?.is_some() {
                used.push((order, self.chain.consumed(order, at).await?));
            }
        }
        Ok(used)
    }

    /// Brings `remaining` of orders down to what the chain says; returns all of them.
    pub(super) async fn use_up(
        turn: &mut Turn<'_>,
        used: &[(OrderHash, U256)],
        block: u64,
    ) -> Result<Vec<Record>, Error> {
        let mut orders = Vec::new();
        for (hash, consumed) in used {
            let Some(record) = turn.order(*hash).await? else {
                continue;
            };
            let to = State::of(&record).matched(record.terms.volume, *consumed);
            orders.push(match to {
                Some(to) => turn.set(&record, to, Some(block)).await?,
                None => record,
            });
        }
        Ok(orders)
    }

    pub(super) async fn closed(&self, hash: OrderHash, block: u64) -> Result<(), Error> {
        let mut turn = self.database.turn().await?;
        let Some(record) = turn.order(hash).await? else {
            return Ok(());
        };
        let closed = match State::of(&record).closed() {
            Some(to) => turn.set(&record, to, Some(block)).await?,
            None => record,
        };
        turn.commit().await?;
        self.mourn(&[closed], block).await
    }

    /// An account has less stake: each of its orders that it could not honour alone dies.
    pub(super) async fn stake_left(
        &self,
        account: Address,
        block: u64,
        at: u64,
    ) -> Result<(), Error> {
        let orders = self.signed(&STAKED, account, None, block);
        if orders.is_empty() {
            return Ok(());
        }
        let stake = self.chain.stake(account, at).await?;
        let dead = orders
            .into_iter()
            .filter(|(kind, lot)| publish::cost(*kind, &lot.terms, lot.remaining) > stake)
            .map(|(_, lot)| lot.hash)
            .collect();
        self.bury(dead, Some(block)).await.map(drop)
    }

    /// An asset has a new owner: the old one's orders for it die.
    pub(super) async fn asset_left(
        &self,
        kind: Kind,
        (entry, from): (Address, Address),
        block: u64,
        at: u64,
    ) -> Result<(), Error> {
        let orders = self.signed(&[kind], from, Some(entry), block);
        if !orders.is_empty() && self.chain.owner_of(entry, at).await? != from {
            let dead = orders.into_iter().map(|(_, lot)| lot.hash).collect();
            self.bury(dead, Some(block)).await?;
        }
        self.bury_dependents(kind, entry, Some(block)).await
    }

    /// Open orders of a signer whose publication did not yet know of `block`.
    fn signed(
        &self,
        kinds: &[Kind],
        signer: Address,
        resource: Option<Address>,
        block: u64,
    ) -> Vec<(Kind, Lot)> {
        self.database.look(|shelves| {
            let of = |kind: &Kind| {
                let query = Query::signed_by(*kind, signer, resource);
                let lots = shelves.all(&query).into_iter();
                let unaware = lots.filter(|lot| lot.seen < block);
                unaware.map(|lot| (*kind, lot.clone())).collect::<Vec<_>>()
            };
            kinds.iter().flat_map(of).collect()
        })
    }

    /// Open orders among these die. Those that other orders need take them along.
    pub(crate) async fn bury(
        &self,
        hashes: Vec<OrderHash>,
        block: Option<u64>,
    ) -> Result<Vec<Record>, Error> {
        if hashes.is_empty() {
            return Ok(Vec::new());
        }
        let mut turn = self.database.turn().await?;
        let mut dead = Vec::new();
        for hash in hashes {
            let Some(record) = turn.order(hash).await? else {
                continue;
            };
            if let Some(to) = State::of(&record).died() {
                dead.push(turn.set(&record, to, block).await?);
            }
        }
        turn.commit().await?;
        Ok(dead)
    }

    /// Requests that needed those of `orders` which are not open any more.
    pub(super) async fn mourn(&self, orders: &[Record], block: u64) -> Result<(), Error> {
        for order in orders.iter().filter(|order| !order.status.is_open()) {
            let subject = order.terms.subject(order.kind);
            self.bury_dependents(order.kind, subject, Some(block))
                .await?;
        }
        Ok(())
    }

    /// After an offer of `resource` is gone: open requests that find no other one die.
    pub(crate) async fn bury_dependents(
        &self,
        kind: Kind,
        resource: Address,
        block: Option<u64>,
    ) -> Result<(), Error> {
        if !matches!(kind, Kind::App | Kind::Dataset) {
            return Ok(());
        }
        let unmet = self.unmet(&Query::dependents(kind, resource));
        self.bury(unmet, block).await.map(drop)
    }

    /// All requests that miss an offer die: what a death between an offer's end and theirs left
    /// over, and what another branch of the chain brought back.
    pub(crate) async fn bury_all_unmet(&self) -> Result<(), Error> {
        let all = Query {
            kind: Kind::Request,
            filters: Vec::new(),
            page: crate::book::Page::ALL,
        };
        let unmet = self.unmet(&all);
        self.bury(unmet, None).await.map(drop)
    }

    fn unmet(&self, requests: &Query) -> Vec<OrderHash> {
        self.database.look(|shelves| {
            let lacks = |request: &&Lot| {
                let best = |need| shelves.first(&Query::best(need, &request.terms));
                Need::of(&request.terms)
                    .any(|need| need.met_by(best(need).map(|lot| lot.terms.price)).is_err())
            };
            let unmet = shelves.all(requests).into_iter().filter(lacks);
            unmet.map(|request| request.hash).collect()
        })
    }
}
