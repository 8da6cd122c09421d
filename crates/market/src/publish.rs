//! Publishing an order: the checks of [`crate::rules::publish`] in the official order, each with
//! what it needs from database and chain.

use std::time::Duration;

use chain::Standing;
use protocol::{Address, order::Kind};
use serde_json::{Map, Value};

use crate::{
    Claim, Error,
    book::Query,
    order::{Draft, Terms},
    record::{Record, Status},
    refusal::Refusal,
    rules::{
        Denial,
        publish::{self, Need},
    },
    service::Market,
};

/// Times an order is judged again because the book follows a newer block than it was judged by.
const TRIES_MAX: usize = 8;
/// Before the next try: the node that answers is behind the one that told of the block.
const RETRY_PAUSE_MS: u64 = 50;

impl Market {
    /// Publishes a normalised order body for `authorised`.
    ///
    /// # Errors
    /// [`Refusal::Denied`] for the first rule that is broken, [`Refusal::Failed`] for our faults.
    pub(crate) async fn publish(
        &self,
        kind: Kind,
        authorised: Address,
        body: Map<String, Value>,
    ) -> Result<Record, Refusal> {
        let draft = Draft::new(kind, body, &self.chain.domain())?;
        for _ in 0..TRIES_MAX {
            if let Some(record) = self.try_publish(&draft, authorised).await? {
                return Ok(record);
            }
            tokio::time::sleep(Duration::from_millis(RETRY_PAUSE_MS)).await;
        }
        Err(Error::chain("the node is behind the blocks it told of").into())
    }

    /// None when the book went on to a newer block meanwhile.
    async fn try_publish(
        &self,
        draft: &Draft,
        authorised: Address,
    ) -> Result<Option<Record>, Refusal> {
        let known = self.database.order(draft.hash).await?;
        publish::unpublished(known.map(|record| record.status))?;
        let branch = self.database.branch().await;
        let seen = self.chain.head().await?;
        let claim = draft.claim(authorised);
        let standing = self.chain.standing(&claim, seen).await?;
        let remaining = self.judge(draft, authorised, &standing)?;
        let record = draft.record(authorised, remaining, self.clock.now_ms(), seen);
        self.save(record, branch).await
    }

    /// The rules in the official order; returns the tasks that the order is good for.
    fn judge(
        &self,
        draft: &Draft,
        authorised: Address,
        standing: &Standing,
    ) -> Result<u64, Refusal> {
        let Draft { kind, terms, .. } = draft;
        let signer = match kind {
            Kind::Request => terms.subject(*kind),
            _ => standing.owner.ok_or(Denial::NotDeployed)?,
        };
        publish::by_signer(signer, authorised)?;
        if draft.signature().is_none() || !standing.signed {
            return Err(Denial::InvalidSign.into());
        }
        let open = self
            .database
            .look(|shelves| shelves.count(*kind, Some(signer)));
        let max = self.config.max_open_orders_per_wallet;
        publish::within_limit(*kind, signer, open, max)?;
        let remaining = publish::remaining(terms.volume, standing.consumed)?;
        publish::solvent(*kind, terms, remaining, standing.stake)?;
        if *kind == Kind::Request {
            self.check_offers(terms)?;
        }
        Ok(remaining)
    }

    fn check_offers(&self, request: &Terms) -> Result<(), Denial> {
        Need::of(request).try_for_each(|need| need.met_by(self.best_price(need, request)))
    }

    /// The lowest price at which a need of `request` is offered, nRLC.
    fn best_price(&self, need: Need, request: &Terms) -> Option<u64> {
        let best = Query::best(need, request);
        let price = |lot: &crate::book::Lot| lot.terms.price;
        self.database
            .look(|shelves| shelves.first(&best).map(price))
    }

    /// What changed in the book since the order was judged is judged once more; the chain's
    /// events since then meet the order only if it was judged by a state as new as the book's.
    async fn save(&self, record: Record, branch: u64) -> Result<Option<Record>, Refusal> {
        let mut turn = self.database.turn().await?;
        if !turn.accepts(branch, record.seen) {
            return Ok(None);
        }
        let Record { kind, signer, .. } = record;
        let open = self
            .database
            .look(|shelves| shelves.count(kind, Some(signer)));
        let max = self.config.max_open_orders_per_wallet;
        publish::within_limit(kind, signer, open, max)?;
        if kind == Kind::Request {
            self.check_offers(&record.terms)?;
        }
        let saved = turn.publish(&record).await?;
        let saved = saved.ok_or(Denial::AlreadyPublished)?;
        turn.commit().await?;
        Ok(Some(saved))
    }
}

impl Draft {
    fn claim(&self, signer: Address) -> Claim {
        Claim {
            kind: self.kind,
            resource: self.terms.subject(self.kind),
            signer,
            hash: self.hash,
            sign: self.signature().unwrap_or_default(),
        }
    }

    fn record(&self, signer: Address, remaining: u64, published_ms: i64, seen: u64) -> Record {
        Record {
            kind: self.kind,
            hash: self.hash,
            terms: self.terms.clone(),
            body: self.body.clone(),
            signer,
            remaining,
            status: Status::Open,
            published_ms,
            seen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Bench, app_order, request_order};
    use protocol::U256;
    use serde_json::json;

    fn denial(result: Result<Record, Refusal>) -> Denial {
        match result {
            Err(Refusal::Denied(denial)) => denial,
            other => panic!("not denied: {other:?}"),
        }
    }

    #[tokio::test]
    async fn an_order_is_published_and_told() {
        let bench = Bench::new().await;
        let mut events = bench.market.database.news.sender().subscribe();
        let record = bench.publish(Kind::App, app_order()).await.unwrap();
        assert_eq!((record.remaining, record.status), (1, Status::Open));
        assert_eq!(record.signer, bench.owner.address());
        assert_eq!(events.try_recv().unwrap().name(), "apporder_published");
        let again = bench.publish(Kind::App, app_order()).await;
        assert_eq!(denial(again), Denial::AlreadyPublished);
    }

    #[tokio::test]
    async fn resources_must_exist() {
        let bench = Bench::new().await;
        let mut order = app_order();
        order["app"] = json!(Address::repeat_byte(0xde).to_string());
        assert_eq!(
            denial(bench.publish(Kind::App, order).await),
            Denial::NotDeployed
        );
    }

    #[tokio::test]
    async fn a_changed_order_is_not_signed() {
        let bench = Bench::new().await;
        let mut order = bench.owner.sign(Kind::App, app_order(), &bench.domain());
        order["volume"] = json!(2);
        let refused = bench.publish_signed(Kind::App, order.clone()).await;
        assert_eq!(denial(refused), Denial::InvalidSign);
        order["sign"] = json!("0xZZ");
        let refused = bench.publish_signed(Kind::App, order).await;
        assert_eq!(denial(refused), Denial::InvalidSign);
    }

    #[tokio::test]
    async fn requests_need_an_offer_and_stake() {
        let bench = Bench::new().await;
        let refused = denial(bench.publish(Kind::Request, request_order(&bench)).await);
        assert!(matches!(refused, Denial::NoOffer { .. }));
        bench.publish(Kind::App, app_order()).await.unwrap();
        bench
            .publish(Kind::Request, request_order(&bench))
            .await
            .unwrap();
        let mut dear = request_order(&bench);
        dear["workerpoolmaxprice"] = json!(5);
        let refused = denial(bench.publish(Kind::Request, dear.clone()).await);
        assert_eq!(refused, Denial::RequesterStake(U256::from(5)));
        bench.chain.set_stake(bench.owner.address(), 5);
        bench.publish(Kind::Request, dear).await.unwrap();
    }

    #[tokio::test]
    async fn a_chain_that_fails_is_our_fault() {
        let bench = Bench::new().await;
        bench.chain.fail(true);
        let refused = bench.publish(Kind::App, app_order()).await;
        assert!(matches!(refused, Err(Refusal::Failed(Error::Chain(_)))));
    }
}
