//! The handle everything outside holds: one ledger behind a lock, and news of its blocks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, Weak};
use std::time::Duration;

use alloy::primitives::{Address, B256};
use alloy::rpc::types::{Header, Log};
use alloy::signers::local::PrivateKeySigner;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::error::Error;
use crate::ledger::Ledger;
use crate::rpc::{self, Filters, RpcError};
use crate::session::Mining;

/// Blocks a subscriber may fall behind before it is dropped.
pub const SUBSCRIBER_LAG_BLOCKS_MAX: usize = 1024;

/// Notices a subscriber may fall behind: of each block, and of the transaction it was mined for.
const SUBSCRIBER_LAG_MAX: usize = 2 * SUBSCRIBER_LAG_BLOCKS_MAX;

/// Something new, as subscribers hear of it.
#[derive(Debug)]
pub(crate) struct Notice {
    /// Counts notices; unlike block numbers it never goes back.
    pub(crate) sequence: u64,
    pub(crate) what: What,
}

/// What is new.
#[derive(Debug)]
pub(crate) enum What {
    /// A block was mined.
    Block { header: Box<Header>, logs: Vec<Log> },
    /// A transaction was taken in.
    Transaction(B256),
}

/// A running chain. Clones are cheap and mean the same chain, which lives until the last is gone.
///
/// Blocks are mined on demand, at once, for every accepted transaction, so there is no loop to
/// run: the node is as alive as the router or the callers that use it.
#[derive(Debug, Clone)]
pub struct Node(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    ledger: RwLock<Ledger>,
    filters: Mutex<Filters>,
    notices: broadcast::Sender<Arc<Notice>>,
    /// Number of the last notice; changed only with the ledger locked for writing.
    sequence: Mutex<u64>,
    clock: Arc<dyn Clock>,
    unlocked: Vec<PrivateKeySigner>,
    closed: CancellationToken,
    /// Stops the task that mines periodically, if there is one.
    timer: Mutex<Option<CancellationToken>>,
}

impl Node {
    /// Opens the chain in the configured data directory, or begins one. Blocks the
    /// thread while it reads the whole log, about 0.1 ms per transaction in a debug build.
    ///
    /// # Errors
    /// When the directory cannot be used, is in use by another node, or holds a damaged chain or
    /// one with another chain id.
    pub fn open(config: Config) -> Result<Self, Error> {
        let ledger = RwLock::new(Ledger::open(&config)?);
        Ok(Self(Arc::new(Shared {
            ledger,
            filters: Mutex::default(),
            notices: broadcast::Sender::new(SUBSCRIBER_LAG_MAX),
            sequence: Mutex::new(0),
            clock: config.clock,
            unlocked: config.unlocked,
            closed: CancellationToken::new(),
            timer: Mutex::default(),
        })))
    }

    /// Answers one JSON-RPC request from within the process. Blocks the thread for as long as the
    /// request takes to execute, typically well under a millisecond.
    ///
    /// # Errors
    /// Exactly the error a remote client would get.
    pub fn request(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        rpc::dispatch(self, method, params)
    }

    /// Chain time in seconds: what a block mined now would carry.
    pub fn time(&self) -> u64 {
        self.read().chain.time(self.wall_time())
    }

    /// `POST /` and WebSocket on `/`, nothing else; see [`crate::rpc_router`] to add pages.
    pub fn router(&self) -> axum::Router {
        crate::http::rpc_router(self.clone(), axum::Router::new())
    }

    /// Ends the node: waits until the disk has everything, lets go of the data directory and of
    /// every subscriber. Reads still work afterwards, changes fail. Not needed for safety, since
    /// a killed process loses nothing; needed to open the directory again, and against power cuts.
    ///
    /// # Errors
    /// When the operating system could not write.
    pub fn close(&self) -> Result<(), Error> {
        self.0.closed.cancel();
        self.0
            .ledger
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .close()
    }

    pub(crate) fn closed(&self) -> CancellationToken {
        self.0.closed.clone()
    }

    pub(crate) fn wall_time(&self) -> u64 {
        self.0.clock.now()
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Ledger> {
        self.0.ledger.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn filters(&self) -> MutexGuard<'_, Filters> {
        self.0
            .filters
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets `change` happen to the ledger and announces the blocks that came of it. The lock is
    /// held until they are announced, so news come in order and never before the block itself.
    pub(crate) fn write<T>(
        &self,
        change: impl FnOnce(&mut Ledger, u64) -> Result<T, RpcError>,
    ) -> Result<T, RpcError> {
        let mut ledger = self
            .0
            .ledger
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let before = ledger.chain.head_number();
        let result = change(&mut ledger, self.wall_time());
        let news = ledger.take_news();
        for hash in news.arrivals {
            self.filters().note_arrival(hash);
            self.announce(|| What::Transaction(hash));
        }
        let before = news.lowest_head.map_or(before, |lowest| lowest.min(before));
        for block in ledger.chain.blocks(before + 1, u64::MAX) {
            self.announce(|| What::Block {
                header: Box::new(rpc::header(block)),
                logs: rpc::logs(block).collect(),
            });
        }
        result
    }

    fn announce(&self, what: impl FnOnce() -> What) {
        let mut sequence = self.sequence();
        *sequence += 1;
        if self.0.notices.receiver_count() > 0 {
            let (sequence, what) = (*sequence, what());
            let _ = self.0.notices.send(Arc::new(Notice { sequence, what }));
        }
    }

    /// Says when blocks are mined. Mining by the clock needs a tokio runtime around the caller,
    /// as every server has; it ends with the node.
    pub(crate) fn set_mining(&self, mining: Mining) -> Result<(), RpcError> {
        let mut timer = self.0.timer.lock().unwrap_or_else(PoisonError::into_inner);
        let runtime = Handle::try_current();
        if let (Mining::Every(_), Err(error)) = (mining, &runtime) {
            return Err(RpcError::rejected(format!("no clock to mine by: {error}")));
        }
        if let Some(old) = timer.take() {
            old.cancel();
        }
        if let (Mining::Every(seconds), Ok(runtime)) = (mining, runtime) {
            let stop = self.0.closed.child_token();
            *timer = Some(stop.clone());
            runtime.spawn(mine_every(Arc::downgrade(&self.0), seconds, stop));
        }
        self.write(|ledger, now| ledger.set_mining(mining, now).map_err(RpcError::internal))
    }

    fn sequence(&self) -> MutexGuard<'_, u64> {
        self.0
            .sequence
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of the last notice sent.
    pub(crate) fn last_notice(&self) -> u64 {
        *self.sequence()
    }

    pub(crate) fn notices(&self) -> broadcast::Receiver<Arc<Notice>> {
        self.0.notices.subscribe()
    }

    pub(crate) fn unlocked_addresses(&self) -> Vec<Address> {
        self.0
            .unlocked
            .iter()
            .map(PrivateKeySigner::address)
            .collect()
    }

    pub(crate) fn unlocked(&self, address: Address) -> Option<&PrivateKeySigner> {
        self.0
            .unlocked
            .iter()
            .find(|signer| signer.address() == address)
    }
}

/// Mines a block every so many seconds, until told to stop or until the node is gone.
async fn mine_every(node: Weak<Shared>, seconds: u64, stop: CancellationToken) {
    let period = Duration::from_secs(seconds);
    loop {
        tokio::select! {
            () = tokio::time::sleep(period) => {}
            () = stop.cancelled() => return,
        }
        let Some(node) = node.upgrade().map(Node) else {
            return;
        };
        let mine = move || node.write(|ledger, now| ledger.mine(now).map_err(RpcError::internal));
        match tokio::task::spawn_blocking(mine).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "could not mine a block"),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests;
