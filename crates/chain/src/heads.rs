//! The newest block number, pushed to whoever waits for it.

use std::time::Duration;

use alloy::providers::{DynProvider, Provider};
use futures_util::StreamExt;
use tokio::sync::watch;

/// How often a chain without WebSocket is asked for its head: an eighth of a second-scale block,
/// two questions a second at worst.
const HEAD_POLL_MS: u64 = 500;
/// Over WebSocket, how often the head is checked all the same: repairs a subscription that the
/// node dropped silently.
const HEAD_CHECK_MS: u64 = 5_000;

/// Starts following `provider`; the task ends when nobody holds a receiver any more.
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
        let mut pushed = match subscription {
            Some(subscription) => subscription.into_stream().map(|h| h.number).boxed(),
            None => futures_util::stream::pending().boxed(),
        };
        let mut ticks = tokio::time::interval(Duration::from_millis(period));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let head = tokio::select! {
                () = tx.closed() => return,
                Some(head) = pushed.next() => Some(head),
                _ = ticks.tick() => provider.get_block_number().await.ok(),
            };
            if let Some(head) = head {
                tx.send_if_modified(|known| std::mem::replace(known, head) != head);
            }
        }
    });
    rx
}
