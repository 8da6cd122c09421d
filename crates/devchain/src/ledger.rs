//! Chain, pool and log together: the rules for what happens when. Synchronous; time is an argument.

use alloy::consensus::transaction::Recovered;
use alloy::consensus::{Transaction as _, TxEnvelope};
use alloy::primitives::{Address, U256};

use crate::chain::Chain;
use crate::config::{BLOCK_GAS_LIMIT, Config};
use crate::error::Error;
use crate::event::Event;
use crate::execute::Builder;
use crate::log_file::LogFile;
use crate::pool::Pool;
use crate::rpc::RpcError;

/// Snapshots kept at a time; each is a few words, but clients in a loop forget to revert.
pub const SNAPSHOTS_MAX: usize = 4096;

/// The chain with what feeds it and what remembers it.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) chain: Chain,
    pub(crate) pool: Pool,
    log: Option<LogFile>,
    is_closed: bool,
}

impl Ledger {
    /// Reads the chain in the data directory, or begins one.
    pub(crate) fn open(config: &Config) -> Result<Self, Error> {
        let mut chain = None;
        let mut log = match &config.data_dir {
            Some(dir) => Some(LogFile::open(dir, |event| replay(&mut chain, event))?),
            None => None,
        };
        let chain = match chain {
            Some(chain) => check(chain, config)?,
            None => begin(config, log.as_mut())?,
        };
        Ok(Self {
            chain,
            pool: Pool::default(),
            log,
            is_closed: false,
        })
    }

    /// Writes the event down, then lets it happen.
    fn commit(&mut self, event: Event) -> Result<(), Error> {
        if self.is_closed {
            return Err(Error::Closed);
        }
        if let Some(log) = &mut self.log {
            log.append(&event)?;
        }
        self.chain.apply(event);
        Ok(())
    }

    /// Takes a transaction in. If it is the sender's next, it is mined at once, together with
    /// those that waited for it; otherwise it waits. An error means it was not taken.
    pub(crate) fn submit(
        &mut self,
        transaction: Recovered<TxEnvelope>,
        now: u64,
    ) -> Result<(), RpcError> {
        let expected = self.chain.nonce(&transaction.signer());
        let nonce = transaction.nonce();
        if transaction.is_eip4844() {
            return Err(RpcError::rejected("blob transactions are not supported"));
        }
        if transaction.gas_limit() > BLOCK_GAS_LIMIT {
            return Err(RpcError::rejected("exceeds block gas limit"));
        }
        if nonce < expected {
            let message = format!("nonce too low: next nonce {expected}, tx nonce {nonce}");
            return Err(RpcError::rejected(message));
        }
        if nonce == expected {
            return self.mine_run(transaction, now);
        }
        if self.pool.get(transaction.tx_hash()).is_some() {
            return Err(RpcError::rejected("already known"));
        }
        if self.pool.insert(transaction) {
            Ok(())
        } else {
            Err(RpcError::rejected("txpool is full"))
        }
    }

    /// Mines `first` and the waiting transactions that follow it, in as few blocks as possible.
    fn mine_run(&mut self, first: Recovered<TxEnvelope>, now: u64) -> Result<(), RpcError> {
        let hash = *first.tx_hash();
        let sender = first.signer();
        let rival = first.nonce();
        let mut next = Some(first);
        while next.is_some() {
            let mut builder = Builder::new(&self.chain, self.chain.time(now));
            while let Some(transaction) = next.take_if(|next| builder.fits(next)) {
                match builder.push(&transaction) {
                    Ok(()) => next = self.pool.take(sender, transaction.nonce() + 1),
                    Err(error) if *transaction.tx_hash() == hash => return Err(error),
                    Err(error) => tracing::debug!(%error, "dropped a waiting transaction"),
                }
            }
            if builder.is_empty() {
                break;
            }
            let event = builder.seal();
            self.commit(event).map_err(RpcError::internal)?;
        }
        // One with the same nonce that waited all along can never be mined now.
        drop(self.pool.take(sender, rival));
        Ok(())
    }

    /// Mines an empty block.
    pub(crate) fn mine_empty(&mut self, now: u64) -> Result<(), Error> {
        let event = Builder::new(&self.chain, self.chain.time(now)).seal();
        self.commit(event)
    }

    pub(crate) fn set_balance(&mut self, address: Address, balance: U256) -> Result<(), Error> {
        self.commit(Event::Balance(address, balance))
    }

    /// Moves chain time by `seconds` from where it is and returns the new total offset.
    pub(crate) fn increase_time(&mut self, seconds: i64) -> Result<i64, Error> {
        let offset = self.chain.offset().saturating_add(seconds);
        self.commit(Event::Clock { offset, next: None })?;
        Ok(offset)
    }

    /// Gives the next block exactly this time, in seconds; time runs on from there.
    pub(crate) fn set_next_time(&mut self, time: u64, now: u64) -> Result<(), RpcError> {
        let head = self.chain.head().header.timestamp;
        if time < head {
            let message = format!("timestamp {time} is before the latest block's, {head}");
            return Err(RpcError::params(message));
        }
        let offset = time.cast_signed().saturating_sub(now.cast_signed());
        self.commit(Event::Clock {
            offset,
            next: Some(time),
        })
        .map_err(RpcError::internal)
    }

    /// Takes a snapshot and returns its id.
    pub(crate) fn snapshot(&mut self) -> Result<u64, RpcError> {
        if self.chain.snapshot_count() >= SNAPSHOTS_MAX {
            return Err(RpcError::rejected("too many snapshots"));
        }
        self.commit(Event::Snapshot).map_err(RpcError::internal)?;
        Ok(self.chain.snapshots_taken())
    }

    /// Goes back to a snapshot, using it up. False when there is none of this id.
    pub(crate) fn revert(&mut self, id: u64) -> Result<bool, RpcError> {
        let known = self.chain.can_revert(id).map_err(RpcError::from)?;
        if known {
            self.pool = Pool::default();
            self.commit(Event::Revert(id)).map_err(RpcError::internal)?;
        }
        Ok(known)
    }

    /// Waits until the disk has everything, gives up the log and refuses further changes.
    pub(crate) fn close(&mut self) -> Result<(), Error> {
        self.is_closed = true;
        self.log.take().map_or(Ok(()), |log| log.flush())
    }
}

fn replay(chain: &mut Option<Chain>, event: Event) {
    match (chain, event) {
        (
            chain @ None,
            Event::Genesis {
                chain_id,
                timestamp,
                alloc,
            },
        ) => {
            *chain = Some(Chain::new(chain_id, timestamp, &alloc));
        }
        (Some(chain), event) => chain.apply(event),
        (None, _) => tracing::error!("ignored a log record before genesis"),
    }
}

fn check(chain: Chain, config: &Config) -> Result<Chain, Error> {
    if chain.id() == config.chain_id {
        return Ok(chain);
    }
    Err(Error::ChainId {
        found: chain.id(),
        wanted: config.chain_id,
    })
}

fn begin(config: &Config, log: Option<&mut LogFile>) -> Result<Chain, Error> {
    let timestamp = config.clock.now();
    let (chain_id, alloc) = (config.chain_id, config.alloc.clone());
    let chain = Chain::new(chain_id, timestamp, &alloc);
    if let Some(log) = log {
        log.append(&Event::Genesis {
            chain_id,
            timestamp,
            alloc,
        })?;
    }
    Ok(chain)
}
