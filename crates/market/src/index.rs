//! Following the hub: matches and cancellations change the book (spec/market-explorer.md §9–10).
//!
//! Every step reads the chain's present state, so an event may come twice or late.

use std::time::Duration;

use protocol::{DealId, OrderHash, order::Kind};

use crate::{
    Error, Fact, Located, Match,
    book::{category_body, deal_row},
    database::{CategoryRow, Counter},
    event::Event,
    record::Record,
    rules::status::State,
    service::Market,
};

/// Pause before a batch that failed is applied again.
const RETRY_PAUSE_MS: u64 = 1_000;
/// Times an order is read again because somebody else changed it meanwhile; the book has few
/// writers, so more than a few means a bug.
const CHANGE_TRIES_MAX: usize = 8;

impl Market {
    /// The first block whose events are not in the book yet.
    pub(crate) async fn cursor(&self) -> Result<u64, Error> {
        let last = self.database.counter(Counter::LastBlock).await?;
        Ok(last.map_or(self.config.start_block, |block| block + 1))
    }

    /// Applies all facts up to a block, then moves the cursor; tries until it works.
    pub(crate) async fn apply_until_done(&self, facts: &[Located], up_to: u64) {
        while let Err(error) = self.apply(facts, up_to).await {
            tracing::warn!(%error, source = ?error, up_to, "cannot follow the hub, trying again");
            tokio::time::sleep(Duration::from_millis(RETRY_PAUSE_MS)).await;
        }
    }

    pub(crate) async fn apply(&self, facts: &[Located], up_to: u64) -> Result<(), Error> {
        for located in facts {
            match located.fact {
                Fact::Matched(deal) => self.matched(&deal, located).await?,
                Fact::Closed(order) => self.close(order).await?,
                Fact::Category(id) => self.keep_category(id, located).await?,
            }
        }
        self.database.raise(Counter::LastBlock, up_to).await
    }

    async fn matched(&self, matched: &Match, at: &Located) -> Result<(), Error> {
        for order in matched.orders() {
            self.consume(order).await?;
        }
        self.keep_deal(matched.deal, matched, at).await
    }

    async fn keep_deal(&self, id: DealId, matched: &Match, at: &Located) -> Result<(), Error> {
        let Some(deal) = self.chain.deal(id).await? else {
            return Ok(());
        };
        let row = deal_row(self.config.chain_id, &deal, matched, at);
        self.database.keep_deal(&row).await?;
        Ok(())
    }

    async fn keep_category(&self, id: u64, at: &Located) -> Result<(), Error> {
        let Some(category) = self.chain.category(id).await? else {
            return Ok(());
        };
        let seconds = self.chain.block_time(at.block).await?;
        let row = CategoryRow {
            id,
            time_ref: category.work_clock_time_ref,
            body: category_body(self.config.chain_id, id, &category, at, seconds),
        };
        self.database.keep_category(&row).await
    }

    /// Brings `remaining` of an order down to what the chain says.
    pub(crate) async fn consume(&self, order: OrderHash) -> Result<(), Error> {
        for _ in 0..CHANGE_TRIES_MAX {
            let Some(record) = self.database.order(order).await? else {
                return Ok(());
            };
            let consumed = self.chain.consumed(order).await?;
            let to = state(&record).matched(record.terms.volume, consumed);
            if self.rewrite(&record, to).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn close(&self, order: OrderHash) -> Result<(), Error> {
        for _ in 0..CHANGE_TRIES_MAX {
            let Some(record) = self.database.order(order).await? else {
                return Ok(());
            };
            if self.rewrite(&record, state(&record).closed()).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// False when the record changed meanwhile.
    async fn rewrite(&self, record: &Record, to: Option<State>) -> Result<bool, Error> {
        let Some(to) = to else {
            return Ok(true);
        };
        let Some(new) = self.database.change(record.hash, state(record), to).await? else {
            return Ok(false);
        };
        if record.status.is_open() {
            self.tell_change(new).await?;
        }
        Ok(true)
    }

    async fn tell_change(&self, new: Record) -> Result<(), Error> {
        let (kind, resource) = (new.kind, new.terms.subject(new.kind));
        let gone = !new.status.is_open();
        self.tell(Event::of(new));
        if gone && matches!(kind, Kind::App | Kind::Dataset) {
            self.bury_dependents(kind, resource).await?;
        }
        Ok(())
    }
}

const fn state(record: &Record) -> State {
    State {
        remaining: record.remaining,
        status: record.status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        input::Params,
        record::Status,
        testing::{Bench, app_order, deal, request_order},
    };
    use protocol::{B256, U256};
    use serde_json::json;

    fn matched(app: OrderHash, request: OrderHash) -> Located {
        let none = OrderHash::repeat(0);
        Located {
            fact: Fact::Matched(Match {
                deal: DealId::repeat(1),
                app,
                dataset: none,
                workerpool: none,
                request,
                volume: U256::from(1),
            }),
            block: 7,
            tx: B256::repeat_byte(3),
        }
    }

    #[tokio::test]
    async fn a_match_uses_orders_up_once() {
        let bench = Bench::new().await;
        let mut two = app_order();
        two["volume"] = json!(2);
        let app = bench.publish(Kind::App, two).await.unwrap().hash;
        let request = bench
            .publish(Kind::Request, request_order(&bench))
            .await
            .unwrap()
            .hash;
        bench.chain.consume(app, 1);
        bench.chain.consume(request, 1);
        let mut events = bench.market.events.subscribe();
        for _ in 0..2 {
            bench
                .market
                .apply(&[matched(app, request)], 7)
                .await
                .unwrap();
        }
        assert_eq!(bench.status(app).await, Some(Status::Open));
        assert_eq!(bench.status(request).await, Some(Status::Filled));
        assert_eq!(bench.market.cursor().await.unwrap(), 8);
        let names: Vec<_> = std::iter::from_fn(|| events.try_recv().ok())
            .map(|event| event.name())
            .collect();
        assert_eq!(names, ["apporder_updated", "requestorder_unpublished"]);
    }

    #[tokio::test]
    async fn a_cancelled_app_order_takes_its_requests_along() {
        let bench = Bench::new().await;
        let app = bench.publish(Kind::App, app_order()).await.unwrap().hash;
        let request = bench
            .publish(Kind::Request, request_order(&bench))
            .await
            .unwrap()
            .hash;
        let closed = Located {
            fact: Fact::Closed(app),
            block: 1,
            tx: B256::ZERO,
        };
        bench.market.apply(&[closed], 1).await.unwrap();
        assert_eq!(bench.status(app).await, Some(Status::Canceled));
        assert_eq!(bench.status(request).await, Some(Status::Dead));
    }

    #[tokio::test]
    async fn a_failed_batch_leaves_the_cursor() {
        let bench = Bench::new().await;
        let app = bench.publish(Kind::App, app_order()).await.unwrap().hash;
        bench.chain.fail(true);
        assert!(bench.market.apply(&[matched(app, app)], 5).await.is_err());
        assert_eq!(bench.market.cursor().await.unwrap(), 0);
        bench.chain.fail(false);
        bench.market.apply(&[matched(app, app)], 5).await.unwrap();
        bench.market.apply(&[], 3).await.unwrap();
        assert_eq!(bench.market.cursor().await.unwrap(), 6, "never falls");
    }

    #[tokio::test]
    async fn deals_are_kept_and_found_by_their_roles() {
        let bench = Bench::new().await;
        let requester = bench.owner.address();
        bench.chain.make(deal(DealId::repeat(1), requester));
        let (app, request) = (OrderHash::repeat(2), OrderHash::repeat(3));
        for _ in 0..2 {
            bench
                .market
                .apply(&[matched(app, request)], 7)
                .await
                .unwrap();
        }
        let found = async |pairs: Vec<(&'static str, String)>| {
            let pairs: Vec<_> = pairs.iter().map(|(k, v)| (*k, v.as_str())).collect();
            let (filter, page) = crate::book::read_deals(&Params::of(&pairs)).unwrap();
            bench.market.database.deals(&filter, page).await.unwrap()
        };
        let (count, deals) = found(vec![("requester", requester.to_string())]).await;
        assert_eq!((count, deals.len()), (1, 1));
        assert_eq!(
            deals[0]["blockTimestamp"],
            json!("1970-01-01T00:16:40.000Z")
        );
        assert_eq!(deals[0]["workerpool"]["price"], json!(2));
        let by_order = vec![
            ("apporderHash", app.to_string()),
            ("category", "3".to_owned()),
        ];
        assert_eq!(found(by_order).await.0, 1);
        assert_eq!(found(vec![("category", "4".to_owned())]).await.0, 0);
    }

    #[tokio::test]
    async fn categories_are_listed_by_their_time() {
        let bench = Bench::new().await;
        let made = |id| Located {
            fact: Fact::Category(id),
            block: id,
            tx: B256::ZERO,
        };
        let facts = [made(0), made(1), made(2), made(1)];
        bench.market.apply(&facts, 2).await.unwrap();
        let page = crate::book::Page { skip: 0, size: 10 };
        let (count, found) = bench
            .market
            .database
            .categories((99, 100), page)
            .await
            .unwrap();
        let ids: Vec<_> = found.iter().map(|category| &category["catid"]).collect();
        assert_eq!((count, ids), (2, vec![&json!(1), &json!(0)]));
        let one = bench.market.database.category(2).await.unwrap().unwrap();
        assert_eq!(one["workClockTimeRef"], json!(98));
        assert_eq!(one["blockTimestamp"], json!("1970-01-01T00:00:02.000Z"));
    }
}
