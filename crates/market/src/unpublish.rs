//! Taking orders out of the book (spec/market-explorer.md §7).

use protocol::{Address, OrderHash, order::Kind};
use serde_json::Value;

use crate::{
    Error,
    book::{Page, Query},
    database::Mine,
    event::Event,
    input::{self, Invalid, required, subject_field},
    record::{Record, Status},
    refusal::Refusal,
    rules::{Denial, publish::Need, status::State},
    service::Market,
};

/// Requests judged in one read when an offer they may need is gone.
const DEPENDENTS_BATCH: u64 = 200;

/// Which orders are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// This one.
    One(OrderHash),
    /// The signer's newest for the resource.
    Last(Address),
    /// All of the signer's for the resource.
    All(Address),
}

impl Target {
    /// Reads the body of an unpublish request.
    ///
    /// # Errors
    /// [`Invalid`] for an unknown target or a missing member.
    pub(crate) fn read(kind: Kind, body: &Value) -> Result<Self, Invalid> {
        let resource = || {
            let field = subject_field(kind);
            let value = body.get(field).ok_or_else(|| required(field))?;
            input::address(field, value)
        };
        let target = body.get("target").unwrap_or(&Value::Null);
        match target.as_str() {
            None if target.is_null() => Self::one(body),
            Some("unpublish_orderHash") => Self::one(body),
            Some("unpublish_last") => resource().map(Self::Last),
            Some("unpublish_all") => resource().map(Self::All),
            _ => Err(Invalid(
                "target must be one of the following values: \
                 unpublish_orderHash, unpublish_last, unpublish_all"
                    .to_owned(),
            )),
        }
    }

    fn one(body: &Value) -> Result<Self, Invalid> {
        let value = body.get("orderHash").ok_or_else(|| required("orderHash"))?;
        input::bytes32("orderHash", value).map(|hash| Self::One(OrderHash(hash)))
    }
}

impl Market {
    /// Takes `signer`'s orders out of the book and answers their hashes, the newest first.
    ///
    /// # Errors
    /// [`Refusal::Denied`] when there is none, or it is somebody else's.
    pub(crate) async fn unpublish(
        &self,
        kind: Kind,
        signer: Address,
        target: Target,
    ) -> Result<Vec<OrderHash>, Refusal> {
        let (gone, resource) = match target {
            Target::One(hash) => self.unpublish_one(kind, signer, hash).await?,
            Target::Last(resource) | Target::All(resource) => {
                let mine = Mine {
                    kind,
                    signer,
                    resource,
                };
                (self.unpublish_mine(mine, target).await?, resource)
            }
        };
        for hash in &gone {
            self.tell(Event::gone(kind, *hash));
        }
        self.bury_dependents(kind, resource).await?;
        Ok(gone)
    }

    async fn unpublish_one(
        &self,
        kind: Kind,
        signer: Address,
        hash: OrderHash,
    ) -> Result<(Vec<OrderHash>, Address), Refusal> {
        let missing = || Denial::NotPublished { kind, hash };
        let known = self.database.order(hash).await?;
        let record = known
            .filter(|record| record.kind == kind && record.status.is_open())
            .ok_or_else(missing)?;
        if record.signer != signer {
            return Err(Denial::UnpublishByOther(record.signer).into());
        }
        if !self.database.remove(hash).await? {
            return Err(missing().into());
        }
        Ok((vec![hash], record.terms.subject(kind)))
    }

    async fn unpublish_mine(&self, mine: Mine, target: Target) -> Result<Vec<OrderHash>, Refusal> {
        let gone = match target {
            Target::All(_) => self.database.remove_all(mine).await?,
            _ => self.database.remove_last(mine).await?,
        };
        if !gone.is_empty() {
            return Ok(gone);
        }
        let Mine {
            kind,
            signer,
            resource,
        } = mine;
        let field = subject_field(kind);
        Err(Denial::NoneOpen {
            kind,
            signer,
            field,
            resource,
        }
        .into())
    }

    /// After an offer of `resource` is gone: open requests that find no other one die.
    pub(crate) async fn bury_dependents(&self, kind: Kind, resource: Address) -> Result<(), Error> {
        if !matches!(kind, Kind::App | Kind::Dataset) {
            return Ok(());
        }
        let mut page = Page {
            skip: 0,
            size: DEPENDENTS_BATCH,
        };
        loop {
            let query = Query::dependents(kind, resource, page);
            let candidates = self.database.orders(&query).await?;
            for request in &candidates {
                if !self.bury_unmet(kind, request).await? {
                    page.skip += 1;
                }
            }
            if (candidates.len() as u64) < page.size {
                return Ok(());
            }
        }
    }

    /// Whether the request is out of the book now.
    async fn bury_unmet(&self, kind: Kind, request: &Record) -> Result<bool, Error> {
        for need in Need::of(&request.terms).filter(|need| need.kind == kind) {
            let best = self.best_price(need, &request.terms).await?;
            if need.met_by(best).is_err() {
                self.bury(request).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn bury(&self, record: &Record) -> Result<(), Error> {
        let from = State {
            remaining: record.remaining,
            status: record.status,
        };
        let to = State {
            status: Status::Dead,
            ..from
        };
        if let Some(dead) = self.database.change(record.hash, from, to).await? {
            self.tell(Event::of(dead));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Bench, app_order, request_order};
    use serde_json::json;

    #[test]
    fn targets_are_read_with_the_official_messages() {
        let read = |body: Value| Target::read(Kind::App, &body).map_err(|e| e.0);
        let message = |body: Value| read(body).unwrap_err();
        let hash = OrderHash::repeat(1);
        let app = Address::repeat_byte(2);
        assert_eq!(read(json!({ "orderHash": hash })), Ok(Target::One(hash)));
        let last = json!({ "target": "unpublish_last", "app": app });
        assert_eq!(read(last), Ok(Target::Last(app)));
        assert_eq!(message(json!({})), "orderHash is a required field");
        let all = json!({ "target": "unpublish_all" });
        assert_eq!(message(all.clone()), "app is a required field");
        assert_eq!(
            Target::read(Kind::Request, &all).unwrap_err().0,
            "requester is a required field"
        );
        assert_eq!(
            message(json!({ "target": "everything" })),
            "target must be one of the following values: \
             unpublish_orderHash, unpublish_last, unpublish_all"
        );
    }

    #[tokio::test]
    async fn requests_die_with_the_last_offer_that_fits() {
        let bench = Bench::new().await;
        let (app, owner) = (bench.app, bench.owner.address());
        bench.publish(Kind::App, app_order()).await.unwrap();
        let mut second = app_order();
        second["salt"] = json!(OrderHash::repeat(9));
        bench.publish(Kind::App, second).await.unwrap();
        let request = bench
            .publish(Kind::Request, request_order(&bench))
            .await
            .unwrap();

        let gone = bench
            .market
            .unpublish(Kind::App, owner, Target::Last(app))
            .await
            .unwrap();
        assert_eq!(gone.len(), 1);
        assert_eq!(bench.status(request.hash).await, Some(Status::Open));

        let mut events = bench.market.events.subscribe();
        bench
            .market
            .unpublish(Kind::App, owner, Target::All(app))
            .await
            .unwrap();
        assert_eq!(bench.status(request.hash).await, Some(Status::Dead));
        let names: Vec<_> = std::iter::from_fn(|| events.try_recv().ok())
            .map(|event| event.name())
            .collect();
        assert_eq!(names, ["apporder_unpublished", "requestorder_unpublished"]);

        bench.publish(Kind::App, app_order()).await.unwrap();
        bench.pass(1000);
        let revived = bench
            .publish(Kind::Request, request_order(&bench))
            .await
            .unwrap();
        assert_eq!(
            revived.published_ms, request.published_ms,
            "revived in place"
        );
    }

    #[tokio::test]
    async fn only_the_signer_takes_an_order_back() {
        let bench = Bench::new().await;
        let record = bench.publish(Kind::App, app_order()).await.unwrap();
        let stranger = Address::repeat_byte(0x55);
        let one = Target::One(record.hash);
        let refused = bench.market.unpublish(Kind::App, stranger, one).await;
        assert!(matches!(
            refused,
            Err(Refusal::Denied(Denial::UnpublishByOther(_)))
        ));
        let owner = bench.owner.address();
        assert!(
            bench
                .market
                .unpublish(Kind::Dataset, owner, one)
                .await
                .is_err()
        );
        let gone = bench.market.unpublish(Kind::App, owner, one).await.unwrap();
        assert_eq!(gone, [record.hash]);
        assert!(bench.market.unpublish(Kind::App, owner, one).await.is_err());
    }
}
