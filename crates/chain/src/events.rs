//! The hub's events as a stream with a cursor: pushed by new heads, read in ranges, at least once.

use std::time::Duration;

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    providers::Provider,
    rpc::types::{Filter, Log},
    sol_types::SolEvent,
};
use protocol::{DealId, OrderHash, TaskId, order::Kind};
use tokio::sync::watch;

use crate::{
    Asset, Error, Hub,
    abi::{Hub as Abi, Registry},
    convert::{entry, small},
};

/// Blocks asked for in one question: what public nodes allow.
pub(crate) const BLOCK_SPAN_MAX: u64 = 1_000;
/// Pause after a failed question.
const RETRY_MS: u64 = 1_000;

/// Something that happened on the hub (spec/contracts.md §8, §14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HubEvent {
    /// A deal was made for this workerpool.
    SchedulerNotice {
        /// Whose turn it is.
        workerpool: Address,
        /// The deal.
        deal: DealId,
    },
    /// Four orders were matched.
    OrdersMatched {
        /// The deal.
        deal: DealId,
        /// The app order.
        app: OrderHash,
        /// The dataset order; zero without a dataset.
        dataset: OrderHash,
        /// The workerpool order.
        workerpool: OrderHash,
        /// The request order.
        request: OrderHash,
        /// Tasks.
        volume: U256,
    },
    /// An order was closed by its owner.
    OrderClosed {
        /// Which kind.
        kind: Kind,
        /// The order.
        hash: OrderHash,
    },
    /// A task takes contributions now.
    TaskInitialize {
        /// The task.
        task: TaskId,
        /// Its workerpool.
        workerpool: Address,
    },
    /// A worker contributed.
    TaskContribute {
        /// The task.
        task: TaskId,
        /// The worker.
        worker: Address,
        /// What it contributed.
        result_hash: B256,
    },
    /// The contributions agree.
    TaskConsensus {
        /// The task.
        task: TaskId,
        /// The result hash agreed on.
        value: B256,
    },
    /// A worker revealed.
    TaskReveal {
        /// The task.
        task: TaskId,
        /// The worker.
        worker: Address,
        /// The digest.
        digest: B256,
    },
    /// Nobody revealed: the task takes contributions again.
    TaskReopen {
        /// The task.
        task: TaskId,
    },
    /// The task is completed and paid.
    TaskFinalize {
        /// The task.
        task: TaskId,
        /// The result link.
        results: Bytes,
    },
    /// The task failed and the money went back.
    TaskClaimed {
        /// The task.
        task: TaskId,
    },
    /// There is a new category.
    CategoryCreated {
        /// Its number.
        id: u64,
    },
    /// Stake went from one account to another; zero stands for outside.
    StakeTransfer {
        /// Who has less.
        from: Address,
        /// Who has more.
        to: Address,
        /// nRLC.
        value: U256,
    },
    /// An asset has a new owner. Told by [`Branch`](crate::Branch) only.
    AssetTransfer {
        /// Which kind.
        asset: Asset,
        /// The asset.
        entry: Address,
        /// The owner before; zero at its creation.
        from: Address,
    },
}

/// An event and where it stands on chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// What happened.
    pub event: HubEvent,
    /// In which block.
    pub block: u64,
    /// In which transaction.
    pub tx: B256,
    /// Position among the block's logs.
    pub index: u64,
}

/// The events of a range of blocks that ends at `up_to`. Whoever has dealt with it stores
/// `up_to + 1` as the cursor to start from next time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// In the order of the chain; possibly none.
    pub events: Vec<Located>,
    /// Last block of the range.
    pub up_to: u64,
}

/// The stream. Blocks are reported when they are the head: a chain that reorganises needs
/// consumers that check the state they act on, as ours do.
#[derive(Debug)]
pub struct Events {
    hub: Hub,
    heads: watch::Receiver<u64>,
    next_block: u64,
}

impl Events {
    pub(crate) fn new(hub: Hub, next_block: u64) -> Self {
        let heads = hub.heads();
        Self {
            hub,
            heads,
            next_block,
        }
    }

    /// The next range with something new, waiting for it; none when the connection is gone for
    /// good. An error is a failed question: the same range is asked for at the next call.
    ///
    /// Cancel safe: a dropped call loses nothing.
    pub async fn next(&mut self) -> Option<Result<Batch, Error>> {
        loop {
            let head = *self.heads.borrow_and_update();
            if self.next_block > head {
                self.heads.changed().await.ok()?;
                continue;
            }
            let up_to = head.min(self.next_block.saturating_add(BLOCK_SPAN_MAX - 1));
            match self.read(self.next_block, up_to).await {
                Ok(events) => {
                    self.next_block = up_to + 1;
                    return Some(Ok(Batch { events, up_to }));
                }
                Err(error) => {
                    tokio::time::sleep(Duration::from_millis(RETRY_MS)).await;
                    return Some(Err(error));
                }
            }
        }
    }

    async fn read(&self, from: u64, to: u64) -> Result<Vec<Located>, Error> {
        let filter = Filter::new()
            .address(self.hub.address())
            .from_block(from)
            .to_block(to);
        let logs = self.hub.provider().get_logs(&filter).await;
        let logs = logs.map_err(|e| Error::from_transport("eth_getLogs", e))?;
        Ok(logs.iter().filter_map(locate).collect())
    }
}

pub(crate) fn locate(log: &Log) -> Option<Located> {
    Some(Located {
        event: decode(log)?,
        block: log.block_number?,
        tx: log.transaction_hash?,
        index: log.log_index.unwrap_or_default(),
    })
}

/// A registry's record of a new owner.
pub(crate) fn asset_transfer(asset: Asset, log: &Log) -> Option<Located> {
    let transfer: Registry::Transfer = get(log)?;
    Some(Located {
        event: HubEvent::AssetTransfer {
            asset,
            entry: entry(transfer.tokenId),
            from: transfer.from,
        },
        block: log.block_number?,
        tx: log.transaction_hash?,
        index: log.log_index.unwrap_or_default(),
    })
}

fn get<E: SolEvent>(log: &Log) -> Option<E> {
    E::decode_log(&log.inner).ok().map(|log| log.data)
}

/// None for events that nobody here follows.
fn decode(log: &Log) -> Option<HubEvent> {
    let topic = *log.topic0()?;
    decode_order(topic, log).or_else(|| decode_task(topic, log))
}

fn decode_order(topic: B256, log: &Log) -> Option<HubEvent> {
    let closed = |kind, hash: B256| {
        Some(HubEvent::OrderClosed {
            kind,
            hash: OrderHash(hash),
        })
    };
    match topic {
        Abi::SchedulerNotice::SIGNATURE_HASH => {
            let e: Abi::SchedulerNotice = get(log)?;
            Some(HubEvent::SchedulerNotice {
                workerpool: e.workerpool,
                deal: DealId(e.dealid),
            })
        }
        Abi::OrdersMatched::SIGNATURE_HASH => {
            let e: Abi::OrdersMatched = get(log)?;
            Some(HubEvent::OrdersMatched {
                deal: DealId(e.dealid),
                app: OrderHash(e.appHash),
                dataset: OrderHash(e.datasetHash),
                workerpool: OrderHash(e.workerpoolHash),
                request: OrderHash(e.requestHash),
                volume: e.volume,
            })
        }
        Abi::ClosedAppOrder::SIGNATURE_HASH => {
            closed(Kind::App, get::<Abi::ClosedAppOrder>(log)?.hash)
        }
        Abi::ClosedDatasetOrder::SIGNATURE_HASH => {
            closed(Kind::Dataset, get::<Abi::ClosedDatasetOrder>(log)?.hash)
        }
        Abi::ClosedWorkerpoolOrder::SIGNATURE_HASH => closed(
            Kind::Workerpool,
            get::<Abi::ClosedWorkerpoolOrder>(log)?.hash,
        ),
        Abi::ClosedRequestOrder::SIGNATURE_HASH => {
            closed(Kind::Request, get::<Abi::ClosedRequestOrder>(log)?.hash)
        }
        Abi::Transfer::SIGNATURE_HASH => {
            let e: Abi::Transfer = get(log)?;
            Some(HubEvent::StakeTransfer {
                from: e.from,
                to: e.to,
                value: e.value,
            })
        }
        Abi::CreateCategory::SIGNATURE_HASH => Some(HubEvent::CategoryCreated {
            id: small(get::<Abi::CreateCategory>(log)?.catid),
        }),
        _ => None,
    }
}

fn decode_task(topic: B256, log: &Log) -> Option<HubEvent> {
    let task = TaskId(*log.topics().get(1)?);
    match topic {
        Abi::TaskInitialize::SIGNATURE_HASH => {
            let e: Abi::TaskInitialize = get(log)?;
            Some(HubEvent::TaskInitialize {
                task,
                workerpool: e.workerpool,
            })
        }
        Abi::TaskContribute::SIGNATURE_HASH => {
            let e: Abi::TaskContribute = get(log)?;
            Some(HubEvent::TaskContribute {
                task,
                worker: e.worker,
                result_hash: e.hash,
            })
        }
        Abi::TaskConsensus::SIGNATURE_HASH => {
            let e: Abi::TaskConsensus = get(log)?;
            Some(HubEvent::TaskConsensus {
                task,
                value: e.consensus,
            })
        }
        Abi::TaskReveal::SIGNATURE_HASH => {
            let e: Abi::TaskReveal = get(log)?;
            Some(HubEvent::TaskReveal {
                task,
                worker: e.worker,
                digest: e.digest,
            })
        }
        Abi::TaskReopen::SIGNATURE_HASH => Some(HubEvent::TaskReopen { task }),
        Abi::TaskFinalize::SIGNATURE_HASH => {
            let e: Abi::TaskFinalize = get(log)?;
            Some(HubEvent::TaskFinalize {
                task,
                results: e.results,
            })
        }
        Abi::TaskClaimed::SIGNATURE_HASH => Some(HubEvent::TaskClaimed { task }),
        _ => None,
    }
}
