//! The handle everything outside holds: one ledger behind a lock, and news of its blocks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use alloy::primitives::Address;
use alloy::rpc::types::{Header, Log};
use alloy::signers::local::PrivateKeySigner;
use serde_json::Value;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::error::Error;
use crate::ledger::Ledger;
use crate::rpc::{self, Filters, RpcError};

/// Blocks a subscriber may fall behind before it is dropped.
pub const SUBSCRIBER_LAG_BLOCKS_MAX: usize = 1024;

/// A new block, as subscribers hear of it.
#[derive(Debug)]
pub(crate) struct Notice {
    /// Counts notices; unlike block numbers it never goes back.
    pub(crate) sequence: u64,
    pub(crate) header: Header,
    pub(crate) logs: Vec<Log>,
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
            notices: broadcast::Sender::new(SUBSCRIBER_LAG_BLOCKS_MAX),
            sequence: Mutex::new(0),
            clock: config.clock,
            unlocked: config.unlocked,
            closed: CancellationToken::new(),
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
        for block in ledger.chain.blocks(before + 1, u64::MAX) {
            let mut sequence = self.sequence();
            *sequence += 1;
            if self.0.notices.receiver_count() == 0 {
                continue;
            }
            let _ = self.0.notices.send(Arc::new(Notice {
                sequence: *sequence,
                header: rpc::header(block),
                logs: rpc::logs(block).collect(),
            }));
        }
        result
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

#[cfg(test)]
mod tests;
