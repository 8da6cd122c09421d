//! The transaction queue of one key: nonces are counted here, so many transactions can be in
//! flight and none waits for another's receipt.

use std::{sync::Arc, time::Duration};

use alloy::{
    consensus::BlockHeader as _,
    eips::{BlockNumberOrTag, Encodable2718 as _},
    network::{BlockResponse as _, NetworkTransactionBuilder as _, TransactionBuilder},
    primitives::{Address, B256, Bytes, U256},
    providers::{DynProvider, Provider},
    rpc::types::{Log, TransactionReceipt, TransactionRequest},
    transports::TransportError,
};
use tokio::sync::{Mutex, watch};

use crate::{Error, Hub, Policy, Wallet};

/// How long to wait for a receipt before saying so: minutes on a busy chain are possible, longer
/// means that somebody has to look.
const RECEIPT_WAIT_S: u64 = 180;
/// Answers between heads: a receipt can lag behind the head on some nodes.
const RECEIPT_CHECK_MS: u64 = 1_000;
/// Percent added to the node's gas estimate: state may change between estimate and block.
const GAS_MARGIN_PERCENT: u64 = 25;
/// Attempts to send again after the node and we disagree on the nonce.
const NONCE_RETRIES_MAX: usize = 3;

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
    provider: DynProvider,
    heads: watch::Receiver<u64>,
    chain_id: u64,
    wallet: Wallet,
    policy: Policy,
    next_nonce: Mutex<Option<u64>>,
}

/// Sends transactions of one wallet. A cheap clone; all clones share the nonce.
///
/// One wallet must have one `Sender` at a time in a process; another process using the same key
/// is tolerated (the nonce is read again when the node refuses it).
#[derive(Clone)]
pub struct Sender(Arc<Inner>);

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sender({})", self.0.wallet.address())
    }
}

struct Fees {
    base: u128,
    gas_price: u128,
}

impl Sender {
    /// A queue for `wallet` on the chain of `hub`.
    pub fn new(hub: &Hub, wallet: Wallet, policy: Policy) -> Self {
        Self(Arc::new(Inner {
            provider: hub.provider().clone(),
            heads: hub.heads(),
            chain_id: hub.chain_id(),
            wallet,
            policy,
            next_nonce: Mutex::new(None),
        }))
    }

    /// Whose transactions these are.
    pub fn wallet(&self) -> &Wallet {
        &self.0.wallet
    }

    /// Sends one call and waits until it is mined and has the confirmations asked for.
    ///
    /// # Errors
    /// [`Error::Reverted`] when the contract refuses, before or after mining;
    /// [`Error::Refused`], [`Error::Unreachable`], [`Error::NoReceipt`].
    pub async fn send(
        &self,
        what: &'static str,
        to: Address,
        data: Vec<u8>,
        value: U256,
    ) -> Result<Receipt, Error> {
        let request = TransactionRequest::default()
            .with_from(self.0.wallet.address())
            .with_to(to)
            .with_value(value)
            .with_input(data);
        let (gas, fees) = tokio::try_join!(self.estimate(what, &request), self.fees())?;
        let gas = gas + gas * GAS_MARGIN_PERCENT / 100;
        let request = self.priced(request.with_gas_limit(gas), &fees);
        self.finish(what, request).await
    }

    /// Sends all of the chain's coin that is left after paying for the transfer; none when the
    /// wallet has no more than that.
    ///
    /// # Errors
    /// As [`Sender::send`].
    pub async fn send_all(&self, to: Address) -> Result<Option<(U256, Receipt)>, Error> {
        let what = "transfer";
        let from = self.0.wallet.address();
        let request = TransactionRequest::default().with_from(from).with_to(to);
        let balance = async {
            let balance = self.0.provider.get_balance(from).await;
            balance.map_err(|e| Error::from_transport("eth_getBalance", e))
        };
        let (gas, fees, balance) =
            tokio::try_join!(self.estimate(what, &request), self.fees(), balance)?;
        let price = self.dearest(&fees);
        let cost = U256::from(price) * U256::from(gas);
        let value = balance.saturating_sub(cost);
        if value.is_zero() {
            return Ok(None);
        }
        // a legacy price is paid as it stands, so that nothing stays behind
        let request = request.with_value(value).with_gas_limit(gas);
        let receipt = self.finish(what, request.with_gas_price(price)).await?;
        Ok(Some((value, receipt)))
    }

    /// The most that one gas can cost, in wei.
    fn dearest(&self, fees: &Fees) -> u128 {
        let tx = self.priced(TransactionRequest::default(), fees);
        tx.max_fee_per_gas.or(tx.gas_price).unwrap_or_default()
    }

    fn priced(&self, tx: TransactionRequest, fees: &Fees) -> TransactionRequest {
        match self.0.policy.gas_price {
            Some(price) => tx.with_gas_price(price),
            None => priced(tx, fees),
        }
    }

    /// Signs and submits what is priced, and waits for the receipt.
    async fn finish(
        &self,
        what: &'static str,
        request: TransactionRequest,
    ) -> Result<Receipt, Error> {
        let request = request.with_chain_id(self.0.chain_id);
        let tx = self.submit(what, &request).await?;
        let receipt = self.wait(what, tx).await?;
        if receipt.status() {
            return Ok(summary(receipt));
        }
        Err(self.why_reverted(what, request).await)
    }

    async fn estimate(&self, what: &'static str, tx: &TransactionRequest) -> Result<u64, Error> {
        let gas = self.0.provider.estimate_gas(tx.clone()).await;
        gas.map_err(|e| Error::from_transport(what, e))
    }

    async fn fees(&self) -> Result<Fees, Error> {
        let latest = self
            .0
            .provider
            .get_block_by_number(BlockNumberOrTag::Latest);
        let (block, gas_price) =
            tokio::try_join!(async { latest.await }, self.0.provider.get_gas_price())
                .map_err(|e| Error::from_transport("eth_gasPrice", e))?;
        let base = block
            .and_then(|b| b.header().base_fee_per_gas())
            .unwrap_or_default();
        Ok(Fees {
            base: base.into(),
            gas_price,
        })
    }

    /// Signs with the next nonce and hands the transaction to the node; the lock is held only for
    /// this round trip, so nonces reach the node in order.
    async fn submit(&self, what: &'static str, tx: &TransactionRequest) -> Result<B256, Error> {
        let mut next = self.0.next_nonce.lock().await;
        let mut attempt = 0;
        loop {
            let nonce = match *next {
                Some(nonce) => nonce,
                None => self.pending_nonce().await?,
            };
            match self.submit_once(tx.clone().with_nonce(nonce)).await? {
                Ok(hash) => {
                    *next = Some(nonce + 1);
                    return Ok(hash);
                }
                Err(error) => {
                    *next = None;
                    attempt += 1;
                    if attempt > NONCE_RETRIES_MAX || !is_nonce_dispute(&error) {
                        return Err(Error::from_transport(what, error));
                    }
                }
            }
        }
    }

    async fn submit_once(
        &self,
        tx: TransactionRequest,
    ) -> Result<Result<B256, TransportError>, Error> {
        let envelope = tx
            .build(&self.0.wallet.signer())
            .await
            .map_err(|e| Error::Signature(e.to_string()))?;
        let raw = envelope.encoded_2718();
        let sent = self.0.provider.send_raw_transaction(&raw).await;
        Ok(sent.map(|pending| *pending.tx_hash()))
    }

    async fn pending_nonce(&self) -> Result<u64, Error> {
        let count = self
            .0
            .provider
            .get_transaction_count(self.0.wallet.address())
            .pending();
        count
            .await
            .map_err(|e| Error::from_transport("eth_getTransactionCount", e))
    }

    async fn wait(&self, what: &'static str, tx: B256) -> Result<TransactionReceipt, Error> {
        let mut heads = self.0.heads.clone();
        let patience = Duration::from_secs(RECEIPT_WAIT_S);
        let mut deadline = tokio::time::Instant::now() + patience;
        let mut seen = *heads.borrow();
        loop {
            let head = *heads.borrow_and_update();
            if let Ok(Some(receipt)) = self.0.provider.get_transaction_receipt(tx).await {
                if self.is_confirmed(&receipt, head) {
                    return Ok(receipt);
                }
                // mined: each further block may take as long as the receipt might have
                if std::mem::replace(&mut seen, head) != head {
                    deadline = tokio::time::Instant::now() + patience;
                }
            }
            let check = tokio::time::sleep(Duration::from_millis(RECEIPT_CHECK_MS));
            tokio::select! {
                _ = heads.changed() => {}
                () = check => {}
                () = tokio::time::sleep_until(deadline) => {
                    return Err(Error::NoReceipt { what, tx, seconds: RECEIPT_WAIT_S });
                }
            }
        }
    }

    /// The receipt is read again at each head: a reorg may have taken the transaction back.
    fn is_confirmed(&self, receipt: &TransactionReceipt, head: u64) -> bool {
        let target = self
            .0
            .policy
            .confirmed_at(receipt.block_number.unwrap_or_default());
        // the first confirmation is the receipt itself, which may come before the head is pushed
        receipt.block_number == Some(target) || head >= target
    }

    /// A mined transaction failed: asks the node why by calling it again.
    async fn why_reverted(&self, what: &'static str, tx: TransactionRequest) -> Error {
        match self.0.provider.call(tx).await {
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

/// Free chains take a price of zero; elsewhere twice the base fee outlives six full blocks.
fn priced(tx: TransactionRequest, fees: &Fees) -> TransactionRequest {
    if fees.base == 0 {
        return tx.with_gas_price(fees.gas_price);
    }
    let tip = fees.gas_price.saturating_sub(fees.base);
    tx.with_max_fee_per_gas(fees.base * 2 + tip)
        .with_max_priority_fee_per_gas(tip)
}

fn is_nonce_dispute(error: &TransportError) -> bool {
    let text = error.to_string().to_lowercase();
    text.contains("nonce") || text.contains("replacement")
}

fn summary(receipt: TransactionReceipt) -> Receipt {
    Receipt {
        tx: receipt.transaction_hash,
        block: receipt.block_number.unwrap_or_default(),
        gas_used: receipt.gas_used,
        logs: receipt.inner.logs().to_vec(),
    }
}
