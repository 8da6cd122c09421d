//! What single facts do.

mod branches;
mod deaths;

use super::*;
use crate::{
    input::Params,
    record::Status,
    testing::{Bench, app_order, deal, request_order},
};
use protocol::{B256, DealId, OrderHash, U256, order::Kind};
use serde_json::json;

fn range(facts: &[Located], up_to: u64) -> Range {
    Range {
        facts: facts.to_vec(),
        up_to,
        head: up_to,
        blocks: Vec::new(),
    }
}

fn at(block: u64, fact: Fact) -> Located {
    Located {
        fact,
        block,
        position: 0,
        tx: B256::ZERO,
    }
}

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
        position: 0,
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
    let mut events = bench.market.database.news.sender().subscribe();
    for _ in 0..2 {
        bench
            .market
            .apply(&range(&[matched(app, request)], 7))
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
    let closed = at(1, Fact::Closed(app));
    bench.market.apply(&range(&[closed], 1)).await.unwrap();
    assert_eq!(bench.status(app).await, Some(Status::Canceled));
    assert_eq!(bench.status(request).await, Some(Status::Dead));
}

#[tokio::test]
async fn a_failed_batch_leaves_the_cursor() {
    let bench = Bench::new().await;
    let app = bench.publish(Kind::App, app_order()).await.unwrap().hash;
    bench.chain.fail(true);
    assert!(
        bench
            .market
            .apply(&range(&[matched(app, app)], 5))
            .await
            .is_err()
    );
    assert_eq!(bench.market.cursor().await.unwrap(), 0);
    bench.chain.fail(false);
    bench
        .market
        .apply(&range(&[matched(app, app)], 5))
        .await
        .unwrap();
    assert_eq!(bench.market.cursor().await.unwrap(), 6);
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
            .apply(&range(&[matched(app, request)], 7))
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
    let made = |id| at(id, Fact::Category(id));
    let facts = [made(0), made(1), made(2), made(1)];
    bench.market.apply(&range(&facts, 2)).await.unwrap();
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

#[tokio::test]
async fn tasks_are_as_their_last_step_says() {
    let bench = Bench::new().await;
    let (task, worker) = (TaskId::repeat(5), Address::repeat_byte(6));
    let step = |block, step| at(block, Fact::Task { task, step, worker });
    let facts = [
        step(1, TaskStep::Initialized),
        step(2, TaskStep::Contributed),
        step(3, TaskStep::Contributed),
        step(4, TaskStep::Finalized),
    ];
    for upto in [2, 4, 4] {
        bench
            .market
            .apply(&range(&facts[..upto], upto as u64))
            .await
            .unwrap();
    }
    let found = bench.market.database.task(task).await.unwrap().unwrap();
    assert_eq!(
        (found.status, found.contributions),
        (TaskStep::Finalized, 2)
    );
    assert_eq!(
        bench
            .market
            .database
            .tasks(found.deal, 0, 10)
            .await
            .unwrap(),
        [found]
    );
    assert!(
        bench
            .market
            .database
            .tasks(found.deal, 1, 10)
            .await
            .unwrap()
            .is_empty()
    );
    bench.market.go_back(2).await.unwrap();
    let before = bench.market.database.task(task).await.unwrap().unwrap();
    assert_eq!(
        (before.status, before.contributions),
        (TaskStep::Contributed, 1)
    );
    bench.market.go_back(0).await.unwrap();
    assert_eq!(bench.market.database.task(task).await.unwrap(), None);
}
