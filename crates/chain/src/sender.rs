//! The transaction queue of one key: nonces are counted here, so many transactions can be in
//! flight and none waits for another's receipt. What waits too long is made dearer, what is lost
//! is sent again, and what an earlier process sent is known if there is a journal.

mod journal;
mod keeper;
mod node;
mod queue;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use alloy::{
    eips::BlockNumberOrTag,
    network::TransactionBuilder as _,
    primitives::{Address, B256, Bytes, Keccak256, U256},
    providers::Provider as _,
    rpc::types::{Log, TransactionReceipt, TransactionRequest},
};
use tokio::sync::{mpsc, oneshot, watch};

use self::{
    journal::{Journal, Purpose},
    keeper::{Command, Keeper, Order, Ticket},
    node::Node,
    queue::Queue,
};
use crate::{Error, Hub, Policy, Wallet, fees::Fees};

/// How long to wait for a block before saying so. All offers are made by then (each
/// [`Policy::raise_after_s`] at a quarter more, eight until five times the first), so longer means
/// that somebody has to look.
const RECEIPT_WAIT_S: u64 = 900;
/// Answers between heads: a receipt can lag behind the head on some nodes.
const RECEIPT_CHECK_MS: u64 = 1_000;
/// Looks for a receipt after the nonce was used: some nodes know the count before the receipt.
/// After that, another transaction had the nonce.
const LATE_RECEIPT_LOOKS_MAX: u32 = 20;
/// Percent added to the node's gas estimate: state may change between estimate and block.
const GAS_MARGIN_PERCENT: u64 = 25;
/// Attempts when somebody else who has the key uses the nonce of each.
const LOSSES_MAX: usize = 3;

/// A mined, successful transaction.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Its hash.
    pub tx: B256,
    /// Its block.
    pub block: u64,
    /// Gas it used.
    pub gas_used: u64,
    /// What it logged.
    pub logs: Vec<Log>,
}

struct Inner {
    node: Arc<Node>,
    heads: watch::Receiver<u64>,
    /// To the loop; started at the first transaction, so that readers have none.
    keeper: Mutex<Option<mpsc::Sender<Command>>>,
}

/// Sends transactions of one wallet. A cheap clone; all clones share the nonce.
///
/// A transaction is sent once for each call and is seen to until it is ten blocks deep, as long as
/// a clone lives: sent again when the node or the chain forgets it, made dearer when it waits. It
/// outlives the call: if that is dropped, or ends without a receipt, the next call that wants the
/// same (destination, data and value) waits for it and sends nothing.
///
/// One wallet must have one `Sender` at a time in a process; another process using the same key
/// is tolerated (the nonce is read again when the node refuses it).
#[derive(Clone)]
pub struct Sender(Arc<Inner>);

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sender({})", self.wallet().address())
    }
}

/// A transaction as its caller wants it.
struct Call {
    what: &'static str,
    intent: B256,
    is_named: bool,
    request: TransactionRequest,
}

impl Sender {
    /// A queue for `wallet` on the chain of `hub`.
    pub fn new(hub: &Hub, wallet: Wallet, policy: Policy) -> Self {
        Self(Arc::new(Inner {
            node: Arc::new(Node {
                provider: hub.provider().clone(),
                chain_id: hub.chain_id(),
                wallet,
                policy,
            }),
            heads: hub.heads(),
            keeper: Mutex::new(None),
        }))
    }

    /// The same with a journal in `folder`: what an earlier process sent and is not deep in the
    /// chain yet is seen to as if it were sent now.
    ///
    /// # Errors
    /// [`Error::Journal`] when the journal cannot be read or written, [`Error::Unreachable`].
    pub async fn open(
        hub: &Hub,
        wallet: Wallet,
        policy: Policy,
        folder: &Path,
    ) -> Result<Self, Error> {
        let purpose = Purpose {
            chain_id: hub.chain_id(),
            genesis: genesis(hub).await?,
            wallet: wallet.address(),
        };
        let (journal, queue) = Journal::open(folder, purpose).map_err(|source| Error::Journal {
            path: folder.to_owned(),
            source,
        })?;
        let sender = Self::new(hub, wallet, policy);
        sender.start(&mut sender.keeper(), queue, Some(journal));
        Ok(sender)
    }

    fn keeper(&self) -> std::sync::MutexGuard<'_, Option<mpsc::Sender<Command>>> {
        let keeper = &self.0.keeper;
        keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(
        &self,
        keeper: &mut Option<mpsc::Sender<Command>>,
        queue: Queue,
        journal: Option<Journal>,
    ) -> mpsc::Sender<Command> {
        let (node, heads) = (self.0.node.clone(), self.0.heads.clone());
        let commands = Keeper::new(node, heads, queue, journal).start();
        keeper.insert(commands).clone()
    }

    /// Whose transactions these are.
    pub fn wallet(&self) -> &Wallet {
        &self.0.node.wallet
    }

    /// Sends one call and waits until it is mined and has the confirmations asked for.
    ///
    /// # Errors
    /// [`Error::Reverted`] when the contract refuses, before or after mining;
    /// [`Error::Refused`], [`Error::Unreachable`], [`Error::NoReceipt`], [`Error::Journal`].
    pub async fn send(
        &self,
        what: &'static str,
        to: Address,
        data: Vec<u8>,
        value: U256,
    ) -> Result<Receipt, Error> {
        let intent = intent(to, &data, value);
        self.run(self.call(what, intent, to, data, value)).await
    }

    /// Sends one call unless one with this name is in flight or among the newest ten blocks: then
    /// that one is waited for, also if others do, and whatever it calls.
    ///
    /// # Errors
    /// As [`Sender::send`].
    pub async fn send_once(
        &self,
        name: B256,
        what: &'static str,
        to: Address,
        data: Vec<u8>,
        value: U256,
    ) -> Result<Receipt, Error> {
        let mut call = self.call(what, name, to, data, value);
        call.is_named = true;
        self.run(call).await
    }

    fn call(
        &self,
        what: &'static str,
        intent: B256,
        to: Address,
        data: Vec<u8>,
        value: U256,
    ) -> Call {
        let request = TransactionRequest::default()
            .with_from(self.wallet().address())
            .with_to(to)
            .with_value(value)
            .with_input(data);
        Call {
            what,
            intent,
            is_named: false,
            request,
        }
    }

    async fn run(&self, mut call: Call) -> Result<Receipt, Error> {
        for _ in 0..LOSSES_MAX {
            let ticket = match self.find(&call).await? {
                Some(ticket) => ticket,
                None => {
                    let (fees, cap) = self.estimate(&mut call).await?;
                    self.submit(&call, fees, cap).await?
                }
            };
            if let Some(receipt) = self.finish(&call, ticket).await? {
                return Ok(receipt);
            }
        }
        Err(taken(call.what))
    }

    /// Sends all of the chain's coin that is left after paying for the transfer; none when the
    /// wallet has no more than that.
    ///
    /// # Errors
    /// As [`Sender::send`].
    pub async fn send_all(&self, to: Address) -> Result<Option<(U256, Receipt)>, Error> {
        let (what, node) = ("transfer", &self.0.node);
        let from = self.wallet().address();
        let request = TransactionRequest::default().with_from(from).with_to(to);
        let balance = async {
            let balance = node.provider.get_balance(from).await;
            balance.map_err(|e| Error::from_transport("eth_getBalance", e))
        };
        let (gas, prices, balance) =
            tokio::try_join!(self.gas(what, &request), node.prices(), balance)?;
        let price = node.first_offer(prices).most();
        let cost = U256::from(price) * U256::from(gas);
        let value = balance.saturating_sub(cost);
        if value.is_zero() {
            return Ok(None);
        }
        let call = Call {
            what,
            intent: intent(to, &[], value),
            is_named: false,
            request: request.with_value(value).with_gas_limit(gas),
        };
        // a legacy price is paid as it stands, so that nothing stays behind
        let fees = Fees::Legacy { price };
        let ticket = self.submit(&call, fees, price).await?;
        let receipt = self.finish(&call, ticket).await?;
        Ok(Some((value, receipt.ok_or_else(|| taken(what))?)))
    }

    /// Asks for gas and prices at once; returns the first offer and the most that may become of it.
    async fn estimate(&self, call: &mut Call) -> Result<(Fees, u128), Error> {
        let node = &self.0.node;
        let (gas, prices) = tokio::try_join!(self.gas(call.what, &call.request), node.prices())?;
        call.request
            .set_gas_limit(gas + gas * GAS_MARGIN_PERCENT / 100);
        let fees = node.first_offer(prices);
        Ok((fees, node.policy.dearest(fees.most())))
    }

    async fn gas(&self, what: &'static str, tx: &TransactionRequest) -> Result<u64, Error> {
        let gas = self.0.node.provider.estimate_gas(tx.clone()).await;
        gas.map_err(|e| Error::from_transport(what, e))
    }

    /// A transaction of an earlier call or process that is this one.
    async fn find(&self, call: &Call) -> Result<Option<Ticket>, Error> {
        let (reply, found) = oneshot::channel();
        let command = Command::Find {
            intent: call.intent,
            is_named: call.is_named,
            reply,
        };
        self.command(command).await;
        found.await.map_err(|_| stopped(call.what))
    }

    async fn submit(&self, call: &Call, fees: Fees, cap: u128) -> Result<Ticket, Error> {
        let (reply, sent) = oneshot::channel();
        let order = Order {
            what: call.what,
            intent: call.intent,
            is_named: call.is_named,
            request: call.request.clone(),
            fees,
            cap,
            disputes: 0,
            reply,
        };
        self.command(Command::Submit(Box::new(order))).await;
        sent.await.map_err(|_| stopped(call.what))?
    }

    /// A loop that ended with its runtime is started again, without what it knew.
    async fn command(&self, command: Command) {
        let running = {
            let mut keeper = self.keeper();
            match keeper.as_ref().filter(|keeper| !keeper.is_closed()) {
                Some(running) => running.clone(),
                None => self.start(&mut keeper, Queue::default(), None),
            }
        };
        // if it ends now, whoever waits for its reply hears of it
        drop(running.send(command).await);
    }

    /// Waits for what was sent; none when somebody else used its nonce.
    async fn finish(&self, call: &Call, ticket: Ticket) -> Result<Option<Receipt>, Error> {
        let place = ticket.place;
        let Some(receipt) = self.wait(call.what, ticket).await? else {
            self.command(Command::Lost(place)).await;
            return Ok(None);
        };
        self.command(Command::Done(place)).await;
        if receipt.status() {
            return Ok(Some(summary(receipt)));
        }
        Err(self.why_reverted(call.what, call.request.clone()).await)
    }

    async fn wait(
        &self,
        what: &'static str,
        mut ticket: Ticket,
    ) -> Result<Option<TransactionReceipt>, Error> {
        let mut heads = self.0.heads.clone();
        let patience = Duration::from_secs(RECEIPT_WAIT_S);
        let mut deadline = tokio::time::Instant::now() + patience;
        let mut seen = *heads.borrow();
        let mut late = 0;
        loop {
            let head = *heads.borrow_and_update();
            let track = ticket.track.borrow_and_update().clone();
            if let Some(receipt) = self.0.node.receipt(&track.hashes).await {
                if self.is_confirmed(&receipt, head) {
                    return Ok(Some(receipt));
                }
                // mined: each further block may take as long as the receipt might have
                if std::mem::replace(&mut seen, head) != head {
                    deadline = tokio::time::Instant::now() + patience;
                }
                late = 0;
            } else if track.is_used {
                late += 1;
                if late > LATE_RECEIPT_LOOKS_MAX {
                    return Ok(None);
                }
            }
            let check = tokio::time::sleep(Duration::from_millis(RECEIPT_CHECK_MS));
            tokio::select! {
                Ok(()) = heads.changed() => {}
                Ok(()) = ticket.track.changed() => {}
                () = check => {}
                () = tokio::time::sleep_until(deadline) => {
                    return Err(Error::NoReceipt {
                        what,
                        tx: track.hashes.last().copied().unwrap_or_default(),
                        nonce: ticket.place.nonce,
                        offers: track.hashes.len(),
                        seconds: RECEIPT_WAIT_S,
                    });
                }
            }
        }
    }

    /// The receipt is read again at each head: a reorg may have taken the transaction back.
    fn is_confirmed(&self, receipt: &TransactionReceipt, head: u64) -> bool {
        let policy = &self.0.node.policy;
        let target = policy.confirmed_at(receipt.block_number.unwrap_or_default());
        // the first confirmation is the receipt itself, which may come before the head is pushed
        receipt.block_number == Some(target) || head >= target
    }

    /// A mined transaction failed: asks the node why by calling it again.
    async fn why_reverted(&self, what: &'static str, tx: TransactionRequest) -> Error {
        match self.0.node.provider.call(tx).await {
            Err(error) => Error::from_transport(what, error),
            Ok(_) => {
                let reason = "the state changed while the transaction was waiting".to_owned();
                Error::Reverted {
                    what,
                    reason,
                    data: Bytes::new(),
                }
            }
        }
    }
}

/// What a transaction is for, unless its caller names it.
fn intent(to: Address, data: &[u8], value: U256) -> B256 {
    let mut hash = Keccak256::new();
    hash.update(to);
    hash.update(value.to_be_bytes::<32>());
    hash.update(data);
    hash.finalize()
}

async fn genesis(hub: &Hub) -> Result<B256, Error> {
    let first = hub
        .provider()
        .get_block_by_number(BlockNumberOrTag::Number(0));
    let first = first.await;
    let first = first.map_err(|e| Error::from_transport("eth_getBlockByNumber", e))?;
    Ok(first.map(|block| block.header.hash).unwrap_or_default())
}

fn taken(what: &'static str) -> Error {
    let reason = format!("its nonce was used by somebody else, {LOSSES_MAX} times");
    Error::Refused { what, reason }
}

fn stopped(what: &'static str) -> Error {
    let reason = "the wallet's queue has stopped".to_owned();
    Error::Refused { what, reason }
}

fn summary(receipt: TransactionReceipt) -> Receipt {
    Receipt {
        tx: receipt.transaction_hash,
        block: receipt.block_number.unwrap_or_default(),
        gas_used: receipt.gas_used,
        logs: receipt.inner.logs().to_vec(),
    }
}
