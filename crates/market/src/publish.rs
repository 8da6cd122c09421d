//! Publishing an order: the checks of [`crate::rules::publish`] in the official order, each with
//! what it needs from database and chain.

use protocol::{Address, order::Kind};
use serde_json::{Map, Value};

use crate::{
    Error,
    book::Query,
    event::{Change, Event},
    order::{Draft, Terms},
    record::{Record, Status},
    refusal::Refusal,
    rules::{
        Denial,
        publish::{self, Need},
    },
    service::Market,
};

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
        let known = self.database.order(draft.hash).await?;
        publish::unpublished(known.map(|record| record.status))?;
        let signer = self.signer(&draft).await?;
        publish::by_signer(signer, authorised)?;
        self.check_signature(&draft, signer).await?;
        let open = self.database.open_orders(kind, Some(signer)).await?;
        let max = self.config.max_open_orders_per_wallet;
        publish::within_limit(kind, signer, open, max)?;
        let consumed = self.chain.consumed(draft.hash).await?;
        let remaining = publish::remaining(draft.terms.volume, consumed)?;
        self.check_stake(&draft, signer, remaining).await?;
        if kind == Kind::Request {
            self.check_offers(&draft.terms).await?;
        }
        self.save(draft, signer, remaining).await
    }

    /// Whose signature counts: the resource's owner now, or the requester.
    async fn signer(&self, draft: &Draft) -> Result<Address, Refusal> {
        let subject = draft.terms.subject(draft.kind);
        if draft.kind == Kind::Request {
            return Ok(subject);
        }
        if !self.chain.is_registered(draft.kind, subject).await? {
            return Err(Denial::NotDeployed.into());
        }
        Ok(self.chain.owner_of(subject).await?)
    }

    async fn check_signature(&self, draft: &Draft, signer: Address) -> Result<(), Refusal> {
        let sign = draft.signature().ok_or(Denial::InvalidSign)?;
        if self.chain.verify(signer, draft.digest(), &sign).await? {
            return Ok(());
        }
        Err(Denial::InvalidSign.into())
    }

    async fn check_stake(
        &self,
        draft: &Draft,
        signer: Address,
        remaining: u64,
    ) -> Result<(), Refusal> {
        if publish::cost(draft.kind, &draft.terms, remaining).is_zero() {
            return Ok(());
        }
        let stake = self.chain.stake(signer).await?;
        Ok(publish::solvent(
            draft.kind,
            &draft.terms,
            remaining,
            stake,
        )?)
    }

    async fn check_offers(&self, request: &Terms) -> Result<(), Refusal> {
        for need in Need::of(request) {
            need.met_by(self.best_price(need, request).await?)?;
        }
        Ok(())
    }

    /// The lowest price at which a need of `request` is offered, nRLC.
    pub(crate) async fn best_price(
        &self,
        need: Need,
        request: &Terms,
    ) -> Result<Option<u64>, Error> {
        let best = self.database.orders(&Query::best(need, request)).await?;
        Ok(best.first().map(|offer| offer.terms.price))
    }

    async fn save(&self, draft: Draft, signer: Address, remaining: u64) -> Result<Record, Refusal> {
        let record = Record {
            kind: draft.kind,
            hash: draft.hash,
            terms: draft.terms,
            body: draft.body,
            signer,
            remaining,
            status: Status::Open,
            published_ms: self.clock.now_ms(),
        };
        let saved = self.database.publish(&record).await?;
        let saved = saved.ok_or(Denial::AlreadyPublished)?;
        self.tell(Event {
            kind: saved.kind,
            change: Change::Published(Box::new(saved.clone())),
        });
        // A match between the check above and the insert was seen by nobody.
        self.consume(saved.hash).await?;
        Ok(saved)
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
        let mut events = bench.market.events.subscribe();
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
