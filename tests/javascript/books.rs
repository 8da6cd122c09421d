//! Order books through the library: pages and filters.

use anyhow::{Context as _, Result};
use protocol::{DealId, TaskId};
use serde_json::{Value, json};

use crate::{official::Official, shell::parse};

/// A page of the prices of orders as a script tells it.
fn page(count: usize, prices: impl IntoIterator<Item = u32>, has_more: bool) -> Value {
    let prices: Vec<u32> = prices.into_iter().collect();
    json!({ "count": count, "prices": prices, "hasMore": has_more })
}

pub(crate) async fn order_books(official: Official) -> Result<()> {
    let app = official.idle_app().await?;
    let told: Value = official
        .script("books", json!({ "app": app.to_checksum(None) }))
        .await?;
    let pages = [
        page(46, 1..=20, true),
        page(46, 21..=40, true),
        page(46, (41..=45).chain([101]), false),
    ];
    assert_eq!(told["pages"], json!(pages));
    assert_eq!(told["large"], page(3, 1..=3, false));
    // The friend sees what is for everybody and what is for it.
    assert_eq!(
        told["forFriend"],
        page(47, (41..=45).chain([100, 101]), false)
    );
    assert_eq!(told["strictly"], page(1, [100], false));
    assert_eq!(told["byOwner"], page(46, 1..=10, true));
    assert_eq!(told["withGpu"], page(1, [101], false));
    // Without any bit: nothing of 9.0.1, which sets two on every order.
    let standard = match official.is_old() {
        true => page(45, 1..=20, true),
        false => page(0, [], false),
    };
    assert_eq!(told["withoutTee"], standard);
    assert_eq!(told["last"], told["hashes"]["gpu"]);
    assert_eq!(told["gone"].as_array().map(Vec::len), Some(46));
    assert_eq!(told["empty"], page(0, [], false));

    // The pool offers every category with and without the tags.
    assert_eq!(told["offersOf3"]["categories"], json!([3, 3]));
    for (kind, tag) in [("confidential", '9'), ("standard", '0')] {
        assert_eq!(told[kind]["count"], 1, "{kind}");
        let shown = told[kind]["tags"][0].as_str().context("no tag")?;
        assert!(shown.ends_with(tag), "{kind} has {shown}");
    }
    assert_eq!(told["trusted"]["count"], 0);
    assert_eq!(
        (&told["requests"], &told["datasets"]),
        (&json!(0), &json!(0))
    );
    official.world.stop().await
}

/// The deal that a script made, and its tasks as our chain knows them.
pub(crate) async fn deal(official: &Official, told: &Value) -> Result<(DealId, Vec<TaskId>)> {
    let id = parse(told, "/dealid")?;
    let deal = official.world.cast.hub.deal(id).await?;
    let deal = deal.with_context(|| format!("{id} is not on chain"))?;
    Ok((id, deal.tasks().map(|(_, task)| task).collect()))
}
