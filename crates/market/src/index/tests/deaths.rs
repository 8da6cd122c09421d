//! Every way an order leaves the book because of the chain (spec/market-explorer.md §9).

use super::*;
use crate::testing::{dataset_order, workerpool_order};
use serde_json::Value;

async fn apply(bench: &Bench, block: u64, fact: Fact) {
    bench
        .market
        .apply(&range(&[at(block, fact)], block))
        .await
        .unwrap();
}

async fn publish(bench: &Bench, kind: Kind, order: Value) -> OrderHash {
    bench.publish(kind, order).await.unwrap().hash
}

fn dear(mut order: Value, price: &str, nrlc: u64) -> Value {
    order[price] = json!(nrlc);
    order
}

#[tokio::test]
async fn stake_that_leaves_takes_orders_along_that_need_it() {
    let bench = Bench::new().await;
    let owner = bench.owner.address();
    bench.chain.set_stake(owner, 100);
    publish(&bench, Kind::App, app_order()).await;
    let cheap = publish(&bench, Kind::Request, request_order(&bench)).await;
    let mut costly = dear(request_order(&bench), "workerpoolmaxprice", 60);
    costly["salt"] = json!(OrderHash::repeat(1));
    let costly = publish(&bench, Kind::Request, costly).await;
    let pool = publish(
        &bench,
        Kind::Workerpool,
        dear(workerpool_order(), "workerpoolprice", 200),
    )
    .await;
    let free = publish(&bench, Kind::Workerpool, workerpool_order()).await;
    bench.chain.set_stake(owner, 60);
    apply(&bench, 1, Fact::StakeLeft(owner)).await;
    for (order, status) in [
        (costly, Status::Open),
        (pool, Status::Open),
        (cheap, Status::Open),
    ] {
        assert_eq!(
            bench.status(order).await,
            Some(status),
            "60 is enough for each alone"
        );
    }
    bench.chain.set_stake(owner, 59);
    apply(&bench, 2, Fact::StakeLeft(owner)).await;
    let statuses = [costly, pool, cheap, free];
    let expected = [Status::Dead, Status::Dead, Status::Open, Status::Open];
    for (order, status) in statuses.into_iter().zip(expected) {
        assert_eq!(bench.status(order).await, Some(status));
    }
    bench.chain.set_stake(owner, 1000);
    apply(&bench, 3, Fact::StakeLeft(owner)).await;
    assert_eq!(
        bench.status(costly).await,
        Some(Status::Dead),
        "never revived"
    );
}

#[tokio::test]
async fn a_publication_that_knew_of_the_loss_stays() {
    let bench = Bench::new().await;
    let owner = bench.owner.address();
    bench.chain.set_stake(owner, 60);
    bench.chain.set_head(5);
    let pool = publish(
        &bench,
        Kind::Workerpool,
        dear(workerpool_order(), "workerpoolprice", 200),
    )
    .await;
    bench.chain.set_stake(owner, 0);
    apply(&bench, 5, Fact::StakeLeft(owner)).await;
    assert_eq!(bench.status(pool).await, Some(Status::Open));
    apply(&bench, 6, Fact::StakeLeft(owner)).await;
    assert_eq!(bench.status(pool).await, Some(Status::Dead));
}

#[tokio::test]
async fn orders_for_an_asset_die_with_their_signers_ownership() {
    let bench = Bench::new().await;
    let (owner, app) = (bench.owner.address(), bench.app);
    let order = publish(&bench, Kind::App, app_order()).await;
    let request = publish(&bench, Kind::Request, request_order(&bench)).await;
    let gone = Fact::AssetLeft {
        kind: Kind::App,
        entry: app,
        from: owner,
    };
    apply(&bench, 1, gone.clone()).await;
    assert_eq!(
        bench.status(order).await,
        Some(Status::Open),
        "it came back"
    );
    bench.chain.own(app, Address::repeat_byte(9));
    apply(&bench, 2, gone).await;
    assert_eq!(bench.status(order).await, Some(Status::Dead));
    assert_eq!(bench.status(request).await, Some(Status::Dead));
}

#[tokio::test]
async fn requests_die_with_the_dataset_they_need() {
    let bench = Bench::new().await;
    publish(&bench, Kind::App, app_order()).await;
    let data = publish(&bench, Kind::Dataset, dataset_order()).await;
    let plain = publish(&bench, Kind::Request, request_order(&bench)).await;
    let mut request = request_order(&bench);
    request["dataset"] = dataset_order()["dataset"].clone();
    let request = publish(&bench, Kind::Request, request).await;
    bench.chain.consume(data, 1);
    let none = OrderHash::repeat(0);
    let matched = Match {
        deal: DealId::repeat(1),
        app: none,
        dataset: data,
        workerpool: none,
        request: none,
        volume: U256::from(1),
    };
    apply(&bench, 1, Fact::Matched(matched)).await;
    assert_eq!(bench.status(data).await, Some(Status::Filled));
    assert_eq!(bench.status(request).await, Some(Status::Dead));
    assert_eq!(bench.status(plain).await, Some(Status::Open));
}

#[tokio::test]
async fn what_a_death_in_between_left_over_is_buried_at_the_start() {
    let bench = Bench::new().await;
    let app = publish(&bench, Kind::App, app_order()).await;
    let request = publish(&bench, Kind::Request, request_order(&bench)).await;
    let mut turn = bench.market.database.turn().await.unwrap();
    turn.remove(Kind::App, app).await.unwrap();
    turn.commit().await.unwrap();
    assert_eq!(bench.status(request).await, Some(Status::Open));
    bench.market.start_over().await.unwrap();
    assert_eq!(bench.status(request).await, Some(Status::Dead));
}
