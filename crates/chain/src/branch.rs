//! The events of the winning branch: what was reported and is orphaned since is taken back.
//!
//! [`Events`](crate::Events) is for consumers that check the state they act on. This stream is for
//! those that keep what they were told: they remember the hashes of recent blocks, hand them over
//! at the start, and are told how far to go back before they are told what is new.

use std::{collections::VecDeque, time::Duration};

use alloy::{
    eips::BlockId as Wanted,
    primitives::B256,
    providers::Provider,
    rpc::types::{Filter, Log},
};
use futures_util::future::try_join_all;
use tokio::sync::watch;

use crate::{
    Asset, Error, Hub, Located,
    events::{BLOCK_SPAN_MAX, asset_transfer, locate},
};

/// How deep a reorganisation may go: half of the states that a node without archive keeps, so that
/// the state at every block that may still be orphaned can be read.
pub const REORG_DEPTH_MAX: u64 = 64;
/// Pause after a failed question; short, because the usual reason is a block that is just going.
const RETRY_MS: u64 = 250;

/// A block of one branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRef {
    /// Its height.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
}

/// The events of a range of blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// In the order of the chain; possibly none.
    pub events: Vec<Located>,
    /// Last block of the range.
    pub up_to: u64,
    /// The newest block there is, as far as known.
    pub head: u64,
    /// Those blocks of the range that may still be orphaned, the oldest first.
    pub blocks: Vec<BlockRef>,
}

/// What a follower has to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Forget what was reported of blocks above this one: they are not on the chain any more.
    Back(u64),
    /// Take in what is new.
    Forward(Span),
}

/// The stream.
#[derive(Debug)]
pub struct Branch {
    hub: Hub,
    heads: watch::Receiver<u64>,
    next_block: u64,
    /// The newest blocks reported, the oldest first.
    trail: VecDeque<BlockRef>,
}

impl Branch {
    /// Starts at `next_block`; `trail` are the newest blocks that the consumer knows, the oldest
    /// first, as earlier [`Span`]s told them.
    pub(crate) fn new(hub: Hub, next_block: u64, trail: Vec<BlockRef>) -> Self {
        let heads = hub.heads();
        Self {
            hub,
            heads,
            next_block,
            trail: trail.into(),
        }
    }

    /// The next step, waiting for it; none when the connection is gone for good. An error is a
    /// failed question; the next call asks again.
    ///
    /// Cancel safe: a dropped call loses nothing.
    pub async fn next(&mut self) -> Option<Result<Step, Error>> {
        loop {
            let head = *self.heads.borrow_and_update();
            match self.step(head).await {
                Ok(Some(step)) => return Some(Ok(self.take(step))),
                Ok(None) => self.heads.changed().await.ok()?,
                Err(error) => {
                    tokio::time::sleep(Duration::from_millis(RETRY_MS)).await;
                    return Some(Err(error));
                }
            }
        }
    }

    /// None when there is nothing new.
    async fn step(&self, head: u64) -> Result<Option<Step>, Error> {
        let up_to = head.min(self.next_block.saturating_add(BLOCK_SPAN_MAX - 1));
        let from = self.next_block.max(head.saturating_sub(REORG_DEPTH_MAX));
        let blocks = self.headers(from, up_to).await?;
        if !self.continues(&blocks).await? {
            return Ok(Some(Step::Back(self.fork().await?)));
        }
        if self.next_block > head {
            return Ok(None);
        }
        let logs = self.logs(up_to).await?;
        self.unmoved(&blocks, &logs).await?;
        let blocks = blocks.into_iter().map(|(block, _)| block).collect();
        let events = logs.iter().filter_map(|log| self.read(log)).collect();
        Ok(Some(Step::Forward(Span {
            events,
            up_to,
            head,
            blocks,
        })))
    }

    fn take(&mut self, step: Step) -> Step {
        match &step {
            Step::Back(to) => {
                self.next_block = to + 1;
                self.trail.retain(|block| block.number <= *to);
            }
            Step::Forward(span) => {
                self.next_block = span.up_to + 1;
                self.trail.extend(&span.blocks);
                let oldest = span.up_to.saturating_sub(REORG_DEPTH_MAX);
                self.trail.retain(|block| block.number >= oldest);
            }
        }
        step
    }

    /// Whether `blocks` come after what was reported, on the same branch.
    async fn continues(&self, blocks: &[(BlockRef, B256)]) -> Result<bool, Error> {
        let Some(newest) = self.trail.back() else {
            return Ok(true);
        };
        match blocks.first() {
            Some((first, parent)) if first.number == newest.number + 1 => {
                Ok(*parent == newest.hash)
            }
            _ => Ok(self.hash(newest.number).await? == Some(newest.hash)),
        }
    }

    /// The newest reported block that is still there. Below all that are known nothing can be
    /// taken back any more.
    async fn fork(&self) -> Result<u64, Error> {
        for known in self.trail.iter().rev() {
            if self.hash(known.number).await? == Some(known.hash) {
                return Ok(known.number);
            }
        }
        let oldest = self.trail.front().map_or(self.next_block, |b| b.number);
        tracing::error!(
            oldest,
            "the chain changed below all blocks that are remembered"
        );
        Ok(oldest.saturating_sub(1))
    }

    async fn hash(&self, number: u64) -> Result<Option<B256>, Error> {
        let block = self.hub.provider().get_block(Wanted::number(number)).await;
        let block = block.map_err(|e| Error::from_transport("eth_getBlockByNumber", e))?;
        Ok(block.map(|block| block.header.hash))
    }

    /// The blocks of a range with their parents' hashes; one must be the parent of the next.
    async fn headers(&self, from: u64, to: u64) -> Result<Vec<(BlockRef, B256)>, Error> {
        let headers = try_join_all((from..=to).map(|number| self.header(number))).await?;
        let linked = headers.windows(2).all(|pair| pair[1].1 == pair[0].0.hash);
        linked.then_some(headers).ok_or(Error::Moving)
    }

    async fn header(&self, number: u64) -> Result<(BlockRef, B256), Error> {
        let block = self.hub.provider().get_block(Wanted::number(number)).await;
        let block = block.map_err(|e| Error::from_transport("eth_getBlockByNumber", e))?;
        let header = block.ok_or(Error::Moving)?.header;
        let hash = header.hash;
        Ok((BlockRef { number, hash }, header.parent_hash))
    }

    async fn logs(&self, up_to: u64) -> Result<Vec<Log>, Error> {
        let hub = &self.hub;
        let registries = [Asset::App, Asset::Dataset, Asset::Workerpool];
        let mut addresses = registries.map(|asset| hub.registry(asset)).to_vec();
        addresses.push(hub.address());
        let filter = Filter::new()
            .address(addresses)
            .from_block(self.next_block)
            .to_block(up_to);
        let logs = hub.provider().get_logs(&filter).await;
        logs.map_err(|e| Error::from_transport("eth_getLogs", e))
    }

    /// Logs and headers are read one after the other: they must be of one branch.
    async fn unmoved(&self, blocks: &[(BlockRef, B256)], logs: &[Log]) -> Result<(), Error> {
        let Some((newest, _)) = blocks.last() else {
            return Ok(());
        };
        let hash = |number| blocks.iter().find(|(b, _)| Some(b.number) == number);
        let same = logs.iter().all(|log| {
            hash(log.block_number).is_none_or(|(block, _)| log.block_hash == Some(block.hash))
        });
        if same && self.hash(newest.number).await? == Some(newest.hash) {
            return Ok(());
        }
        Err(Error::Moving)
    }

    fn read(&self, log: &Log) -> Option<Located> {
        if log.address() == self.hub.address() {
            return locate(log);
        }
        let assets = [Asset::App, Asset::Dataset, Asset::Workerpool];
        let asset = assets
            .into_iter()
            .find(|asset| self.hub.registry(*asset) == log.address())?;
        asset_transfer(asset, log)
    }
}
