//! Taking orders out of the book (spec/market-explorer.md §7).

use protocol::{Address, OrderHash, order::Kind};
use serde_json::Value;

use crate::{
    book::{Lot, Query},
    database::Turn,
    input::{self, Invalid, required, subject_field},
    refusal::Refusal,
    rules::Denial,
    service::Market,
};

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
        let mut turn = self.database.turn().await?;
        let (gone, resource) = match target {
            Target::One(hash) => Self::find_one(&mut turn, kind, signer, hash).await?,
            Target::Last(resource) => {
                let newest = self.find_all(kind, signer, resource)?.into_iter().take(1);
                (newest.collect(), resource)
            }
            Target::All(resource) => (self.find_all(kind, signer, resource)?, resource),
        };
        for hash in &gone {
            turn.remove(kind, *hash).await?;
        }
        turn.commit().await?;
        self.bury_dependents(kind, resource, None).await?;
        Ok(gone)
    }

    async fn find_one(
        turn: &mut Turn<'_>,
        kind: Kind,
        signer: Address,
        hash: OrderHash,
    ) -> Result<(Vec<OrderHash>, Address), Refusal> {
        let known = turn.order(hash).await?;
        let record = known
            .filter(|record| record.kind == kind && record.status.is_open())
            .ok_or(Denial::NotPublished { kind, hash })?;
        if record.signer != signer {
            return Err(Denial::UnpublishByOther(record.signer).into());
        }
        Ok((vec![hash], record.terms.subject(kind)))
    }

    /// The newest first. Whoever calls has the turn, so that nothing changes meanwhile.
    fn find_all(
        &self,
        kind: Kind,
        signer: Address,
        resource: Address,
    ) -> Result<Vec<OrderHash>, Denial> {
        let query = Query::signed_by(kind, signer, Some(resource));
        let age = |lot: &Lot| (lot.published_ms, lot.hash);
        let mut found: Vec<_> = self
            .database
            .look(|shelves| shelves.all(&query).into_iter().map(age).collect());
        found.sort_unstable_by(|a, b| b.cmp(a));
        if found.is_empty() {
            return Err(Denial::NoneOpen {
                kind,
                signer,
                field: subject_field(kind),
                resource,
            });
        }
        Ok(found.into_iter().map(|(_, hash)| hash).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        record::Status,
        testing::{Bench, app_order, request_order},
    };
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

        let mut events = bench.market.database.news.sender().subscribe();
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
