//! The newest block number, pushed to whoever waits for it.

use std::time::Duration;

use alloy::{
    eips::BlockNumberOrTag,
    primitives::B256,
    providers::{DynProvider, Provider},
};
use futures_util::StreamExt;
use tokio::sync::watch;

/// How often a chain without WebSocket is asked for its head: an eighth of a second-scale block,
/// two questions a second at worst.
const HEAD_POLL_MS: u64 = 500;
/// Over WebSocket, how often the head is checked all the same: repairs a subscription that the
/// node dropped silently.
const HEAD_CHECK_MS: u64 = 5_000;

/// Starts following `provider`. Another block at the same height, after a reorganisation, is news
/// like a higher one. The task ends when nobody holds a receiver any more.
pub(crate) async fn follow(provider: DynProvider) -> watch::Receiver<u64> {
    let (tx, rx) = watch::channel(provider.get_block_number().await.unwrap_or_default());
    let subscription = match provider.client().pubsub_frontend() {
        Some(_) => provider.subscribe_blocks().await.ok(),
        None => None,
    };
    let period = if subscription.is_some() {
        HEAD_CHECK_MS
    } else {
        HEAD_POLL_MS
    };
    tokio::spawn(async move {
        let mut last = None;
        let mut pushed = match subscription {
            Some(subscription) => subscription
                .into_stream()
                .map(|header| (header.number, header.hash))
                .boxed(),
            None => futures_util::stream::pending().boxed(),
        };
        let mut ticks = tokio::time::interval(Duration::from_millis(period));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let head = tokio::select! {
                () = tx.closed() => return,
                Some(head) = pushed.next() => Some(head),
                _ = ticks.tick() => newest(&provider).await,
            };
            if let Some(head) = head.filter(|head| last.replace(*head) != Some(*head)) {
                tx.send_replace(head.0);
            }
        }
    });
    rx
}

async fn newest(provider: &DynProvider) -> Option<(u64, B256)> {
    let block = provider.get_block_by_number(BlockNumberOrTag::Latest).await;
    let header = block.ok()??.header;
    Some((header.number, header.hash))
}
