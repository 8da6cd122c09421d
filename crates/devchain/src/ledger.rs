//! Chain, pool and log together: the rules for what happens when. Synchronous; time is an argument.

use alloy::consensus::transaction::Recovered;
use alloy::consensus::{Transaction as _, TxEnvelope};
use alloy::primitives::{Address, B256};
use revm::primitives::AddressSet;

use crate::block::Block;
use crate::chain::{Chain, TIME_MAX};
use crate::config::Config;
use crate::error::Error;
use crate::event::Event;
use crate::execute::{self, Builder};
use crate::log_file::LogFile;
use crate::pool::{Full, Pool};
use crate::rpc::RpcError;
use crate::session::{Mining, Session};
use crate::state::{Change, Difference};
use crate::terms::Terms;

/// Snapshots kept at a time; each is a few words, but clients in a loop forget to revert.
pub const SNAPSHOTS_MAX: usize = 4096;

/// The chain with what feeds it and what remembers it.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) chain: Chain,
    pub(crate) pool: Pool,
    pub(crate) session: Session,
    news: News,
    log: Option<LogFile>,
    is_closed: bool,
}

/// What happened since anybody was told.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Transactions that were taken in.
    pub(crate) arrivals: Vec<B256>,
    /// The lowest head there was, if the chain went back.
    pub(crate) lowest_head: Option<u64>,
}

/// The block that would be mined now, and the state after it.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) block: Block,
    pub(crate) difference: Difference,
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
            session: Session::default(),
            news: News::default(),
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

    /// What happened since the last time this was asked.
    pub(crate) fn take_news(&mut self) -> News {
        std::mem::take(&mut self.news)
    }

    /// Takes a transaction in. While blocks are mined at once, the sender's next is mined together
    /// with those that waited for it; otherwise it waits. An error means it was not taken.
    pub(crate) fn submit(
        &mut self,
        transaction: Recovered<TxEnvelope>,
        now: u64,
    ) -> Result<(), RpcError> {
        let hash = *transaction.tx_hash();
        self.check(&transaction)?;
        let mines_at_once = self.session.mining == Mining::AtOnce;
        if mines_at_once && transaction.nonce() == self.chain.nonce(&transaction.signer()) {
            // Subscribers hear of it before its block, as they would elsewhere.
            self.mine_run(transaction, now)?;
        } else {
            if !mines_at_once {
                execute::admit(&self.chain, self.chain.time(now), &transaction)?;
            }
            self.pool.insert(transaction).map_err(|full| {
                RpcError::rejected(match full {
                    Full::Room => "txpool is full",
                    Full::Underpriced => "replacement transaction underpriced",
                })
            })?;
        }
        self.news.arrivals.push(hash);
        Ok(())
    }

    /// What is wrong with a transaction whatever the state.
    fn check(&self, transaction: &Recovered<TxEnvelope>) -> Result<(), RpcError> {
        let expected = self.chain.nonce(&transaction.signer());
        let nonce = transaction.nonce();
        if transaction.is_eip4844() {
            return Err(RpcError::rejected("blob transactions are not supported"));
        }
        if self.pool.get(transaction.tx_hash()).is_some() {
            return Err(RpcError::rejected("already known"));
        }
        if transaction.gas_limit() > self.chain.terms().gas_limit {
            return Err(RpcError::rejected("exceeds block gas limit"));
        }
        if nonce < expected {
            let message = format!("nonce too low: next nonce {expected}, tx nonce {nonce}");
            return Err(RpcError::rejected(message));
        }
        Ok(())
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

    /// Mines a block of the transactions that wait and can be mined, possibly none.
    pub(crate) fn mine(&mut self, now: u64) -> Result<(), Error> {
        let (builder, refused) = self.assemble(now);
        let event = builder.seal();
        self.commit(event)?;
        for (sender, nonce) in refused {
            drop(self.pool.take(sender, nonce));
        }
        let mined = self.chain.head().transactions.iter();
        for (sender, nonce) in mined.map(|mined| (mined.sender, mined.transaction.nonce())) {
            self.pool.drop_stale(sender, nonce + 1);
        }
        Ok(())
    }

    /// Fills the next block; also says which transactions turned out never to be minable.
    fn assemble(&self, now: u64) -> (Builder<'_>, Vec<(Address, u64)>) {
        let mut builder = Builder::new(&self.chain, self.chain.time(now));
        let (mut skipped, mut refused) = (AddressSet::default(), Vec::new());
        let base_fee = self.chain.terms().base_fee.unwrap_or_default();
        for transaction in self
            .pool
            .ready(base_fee, |sender| self.chain.nonce(&sender))
        {
            let sender = transaction.signer();
            if skipped.contains(&sender) {
                continue;
            }
            if !builder.fits(transaction) {
                skipped.insert(sender);
            } else if let Err(error) = builder.push(transaction) {
                tracing::debug!(%error, "dropped a waiting transaction");
                skipped.insert(sender);
                refused.push((sender, transaction.nonce()));
            }
        }
        (builder, refused)
    }

    /// The block that would be mined now.
    pub(crate) fn pending(&self, now: u64) -> Pending {
        let (block, changes) = self.assemble(now).0.finish();
        let difference = Difference::after(&changes);
        Pending { block, difference }
    }

    /// Nonce of the sender's next transaction, those that wait included.
    pub(crate) fn next_nonce(&self, sender: Address) -> u64 {
        self.pool.next_nonce(sender, self.chain.nonce(&sender))
    }

    /// Says when blocks are mined. Whoever goes back to mining at once gets what waits mined.
    pub(crate) fn set_mining(&mut self, mining: Mining, now: u64) -> Result<(), Error> {
        self.session.mining = mining;
        while mining == Mining::AtOnce && !self.ready_is_empty() {
            self.mine(now)?;
        }
        Ok(())
    }

    fn ready_is_empty(&self) -> bool {
        let base_fee = self.chain.terms().base_fee.unwrap_or_default();
        let expected = |sender| self.chain.nonce(&sender);
        let fits = |gas| gas <= self.chain.terms().gas_limit;
        let ready = self.pool.ready(base_fee, expected).into_iter();
        !ready.take(1).any(|first| fits(first.gas_limit()))
    }

    /// Changes the state by hand.
    pub(crate) fn change(&mut self, changes: Vec<Change>) -> Result<(), Error> {
        self.commit(Event::Changes(changes))
    }

    /// Says how coming blocks are to look.
    pub(crate) fn set_terms(&mut self, terms: Terms) -> Result<(), Error> {
        self.commit(Event::Terms(terms))
    }

    /// Gives up the last `depth` blocks, and the transactions in them.
    pub(crate) fn roll_back(&mut self, depth: u64) -> Result<(), RpcError> {
        let number = self.chain.head_number().checked_sub(depth);
        let number = number.ok_or_else(|| RpcError::params("deeper than the chain is long"))?;
        if depth == 0 {
            return Ok(());
        }
        self.chain.can_roll_back(number)?;
        self.commit(Event::Rollback(number))
            .map_err(RpcError::internal)?;
        self.went_back();
        Ok(())
    }

    /// Mines one block of these transactions, in this order. What cannot be mined is left out, as
    /// whoever builds a block would.
    pub(crate) fn mine_these(
        &mut self,
        transactions: &[Recovered<TxEnvelope>],
        now: u64,
    ) -> Result<(), Error> {
        let mut builder = Builder::new(&self.chain, self.chain.time(now));
        for transaction in transactions.iter().filter(|found| !found.is_eip4844()) {
            if !builder.fits(transaction) {
                continue;
            }
            if let Err(error) = builder.push(transaction) {
                tracing::warn!(%error, "left a transaction out of a reorganised block");
            }
        }
        let event = builder.seal();
        self.commit(event)
    }

    /// Begins the chain again, from the balances it began with.
    pub(crate) fn reset(&mut self, now: u64) -> Result<(), Error> {
        self.commit(Event::Genesis {
            chain_id: self.chain.id(),
            timestamp: now,
            alloc: self.chain.alloc().to_vec(),
        })?;
        self.pool = Pool::default();
        self.session = Session::default();
        self.went_back();
        Ok(())
    }

    fn went_back(&mut self) {
        let head = self.chain.head_number();
        let lowest = self
            .news
            .lowest_head
            .map_or(head, |lowest| lowest.min(head));
        self.news.lowest_head = Some(lowest);
    }

    /// Moves chain time by `seconds` from where it is and returns the new total offset.
    pub(crate) fn increase_time(&mut self, seconds: i64, now: u64) -> Result<i64, RpcError> {
        self.set_offset(self.chain.offset().saturating_add(seconds), now)
    }

    /// Makes it `time`, in seconds, and returns the new distance from the wall clock.
    pub(crate) fn set_time(&mut self, time: u64, now: u64) -> Result<i64, RpcError> {
        check_time(time)?;
        self.set_offset(time.cast_signed().saturating_sub(now.cast_signed()), now)
    }

    fn set_offset(&mut self, offset: i64, now: u64) -> Result<i64, RpcError> {
        check_time(now.saturating_add_signed(offset))?;
        self.commit(Event::Clock { offset, next: None })
            .map_err(RpcError::internal)?;
        Ok(offset)
    }

    /// Gives the next block exactly this time, in seconds; time runs on from there.
    pub(crate) fn set_next_time(&mut self, time: u64, now: u64) -> Result<(), RpcError> {
        let head = self.chain.head().header.timestamp;
        if time < head {
            let message = format!("timestamp {time} is before the latest block's, {head}");
            return Err(RpcError::params(message));
        }
        check_time(time)?;
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
            self.went_back();
        }
        Ok(known)
    }

    /// Waits until the disk has everything, gives up the log and refuses further changes.
    pub(crate) fn close(&mut self) -> Result<(), Error> {
        self.is_closed = true;
        self.log.take().map_or(Ok(()), |log| log.flush())
    }
}

fn check_time(time: u64) -> Result<(), RpcError> {
    if time <= TIME_MAX {
        return Ok(());
    }
    let message = format!("a time of {time} s is more than {TIME_MAX} s");
    Err(RpcError::params(message))
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
