//! Carries out a deployment one transaction after the other, so that it can be interrupted
//! anywhere and go on later.
use std::{path::Path, time::Duration};

use alloy::eips::Encodable2718 as _;
use alloy::network::{EthereumWallet, NetworkTransactionBuilder as _, TransactionBuilder as _};
use alloy::primitives::{Address, TxHash, U256};
use alloy::providers::{DynProvider, Provider};
use alloy::rpc::types::{TransactionReceipt, TransactionRequest};
use alloy::signers::local::PrivateKeySigner;
use chain::fees::{Fees, Prices};
use tokio::time::{Instant, sleep};

use crate::{
    Contract, Deployment, Error, Options, Step, StepName,
    error::is_revert,
    history,
    journal::{Journal, Purpose},
    next::{Facts, Next, next},
    view::{View, asked, genesis},
};

/// Between two looks for a receipt. Not every node pushes, and no chain makes blocks faster than
/// this; a deployment has eighteen of these waits.
pub(crate) const RECEIPT_POLL_MS: u64 = 250;
/// How long to wait for a block: minutes on a busy chain are possible, longer means that somebody
/// has to look.
pub(crate) const BLOCK_WAIT_S: u64 = 600;
/// Looks for the receipt of a transaction after its nonce was used: some nodes know the count
/// before the receipt. After that, another transaction had the nonce.
const LATE_RECEIPT_LOOKS_MAX: u32 = 20;
/// Attempts at one step. Each that fails without an error had its nonce used by somebody else.
const TRIES_MAX: usize = 8;
/// Looks at everything from the start: the second finds all in place, unless the chain has changed
/// its past.
const PASSES_MAX: usize = 4;
/// How many of the deployer's latest transactions are searched for a deployment that no journal
/// knows.
const SEARCH_MAX: u64 = 256;
/// Percent added to the node's estimate: state, and on a rollup the price of the chain below, may
/// change between estimate and block.
const GAS_MARGIN_PERCENT: u64 = 25;
/// Gas that a step of configuration needs at least; only to say early that funds are too low.
const CALL_GAS_MIN: u64 = 45_000;

/// What happens while a deployment goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Contracts of a deployment that the journal did not know were found on the chain, and are
    /// gone on with.
    Found {
        /// How many.
        contracts: usize,
    },
    /// Transactions of the deployer that are not of this deployment, as far as the journal knows,
    /// are waited for.
    Others {
        /// How many.
        count: u64,
    },
    /// A step is done.
    Done {
        /// Which of all steps, from 1.
        number: usize,
        /// How many steps there are.
        total: usize,
        /// What it did.
        step: StepName,
        /// Its transaction and the gas that it used; none for one that an earlier run has done.
        spent: Option<(TxHash, u64)>,
    },
}

/// What a run has achieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Where everything is.
    pub deployment: Deployment,
    /// Transactions of this run.
    pub transactions: usize,
    /// Gas they used.
    pub gas_used: u64,
    /// What they cost, in wei.
    pub cost: U256,
}

/// Deploys and configures everything, or goes on where an earlier run was interrupted, and returns
/// once all of it is on the chain. A deployment that is finished is only looked at.
///
/// Transactions go one by one: each is estimated, written into the `journal`, sent, and waited for.
/// `signer` ends up owning the hub, the registries and (unless `options` names a token) the whole
/// supply of RLC. See `docs/ARCHITECTURE.md` for why nothing happens twice.
///
/// # Errors
/// Every [`Error`]. After any of them the same call goes on.
pub async fn deploy_resumable(
    provider: &DynProvider,
    signer: &PrivateKeySigner,
    options: &Options,
    journal: &Path,
    tell: &mut dyn FnMut(Progress),
) -> Result<Outcome, Error> {
    let deployer = signer.address();
    let chain_id = asked("name its chain", provider.get_chain_id().await)?;
    let purpose = Purpose::new(chain_id, genesis(provider).await?, deployer, options);
    let journal = Journal::open(journal, purpose)?;
    let view = View::newest(provider, 0).await?;
    if let Some(token) = options.token {
        view.check_token(token, deployer).await?;
    }
    let mut run = Run {
        provider,
        signer,
        deployer,
        chain_id,
        options,
        steps: StepName::all(options),
        journal,
        tell,
        floor: view.block,
        pass: 0,
        spent: Spent::default(),
    };
    run.all().await
}

/// What this run's transactions came to.
#[derive(Default)]
struct Spent {
    transactions: usize,
    gas_used: u64,
    cost: U256,
}

struct Run<'a> {
    provider: &'a DynProvider,
    signer: &'a PrivateKeySigner,
    deployer: Address,
    chain_id: u64,
    options: &'a Options,
    steps: Vec<StepName>,
    journal: Journal,
    tell: &'a mut dyn FnMut(Progress),
    /// A block that is known to exist: nodes behind one name may not all have it yet.
    floor: u64,
    pass: usize,
    spent: Spent,
}

impl Run<'_> {
    /// Goes through the steps until a whole pass found nothing to do.
    async fn all(&mut self) -> Result<Outcome, Error> {
        for pass in 0..PASSES_MAX {
            self.pass = pass;
            let mut tries = 0;
            for number in 1..=self.steps.len() {
                tries += self.settle(number).await?;
            }
            if tries == 0 {
                return self.outcome();
            }
        }
        let step = self.steps[0];
        Err(Error::Unsettled {
            step,
            tries: PASSES_MAX,
        })
    }

    fn outcome(&self) -> Result<Outcome, Error> {
        self.journal.save()?;
        Ok(Outcome {
            deployment: self.at(),
            transactions: self.spent.transactions,
            gas_used: self.spent.gas_used,
            cost: self.spent.cost,
        })
    }

    fn at(&self) -> Deployment {
        self.journal.deployment(self.options)
    }

    /// Sees to it that a step is done; returns how much had to be done for it.
    async fn settle(&mut self, number: usize) -> Result<usize, Error> {
        let step = self.steps[number - 1];
        let mut spent = None;
        for tries in 0..TRIES_MAX {
            let facts = self.facts(step).await?;
            let sent = self.journal.sent(step).map(|sent| sent.nonce);
            match next(sent, facts) {
                Next::GoOn => {
                    self.done(number, spent);
                    return Ok(tries);
                }
                Next::Send { nonce } => spent = self.send(step, nonce).await?,
                Next::WaitFor { mined } => self.wait_for(facts.mined, mined).await?,
            }
        }
        let tries = TRIES_MAX;
        Err(Error::Unsettled { step, tries })
    }

    fn done(&mut self, number: usize, spent: Option<(TxHash, u64)>) {
        if self.pass > 0 && spent.is_none() {
            return;
        }
        (self.tell)(Progress::Done {
            number,
            total: self.steps.len(),
            step: self.steps[number - 1],
            spent,
        });
    }

    async fn facts(&mut self, step: StepName) -> Result<Facts, Error> {
        let waiting = self.provider.get_transaction_count(self.deployer).pending();
        let waiting = asked("count waiting transactions", waiting.await)?;
        let view = View::newest(self.provider, self.floor).await?;
        self.floor = view.block;
        let mined = view.transactions(self.deployer).await?;
        if matches!(step, StepName::Create(_)) && self.journal.sent(step).is_none() {
            self.search(&view, mined).await?;
        }
        Ok(Facts {
            is_done: view.is_done(step, self.options, &self.at()).await?,
            mined,
            pending: waiting.max(mined),
        })
    }

    /// Looks for contracts of this deployment among the transactions that the journal does not
    /// know.
    async fn search(&mut self, view: &View<'_>, mined: u64) -> Result<(), Error> {
        let first = match self.journal.last_nonce() {
            Some(nonce) => nonce + 1,
            None => mined.saturating_sub(SEARCH_MAX),
        };
        let created = view.created(self.deployer, first..mined).await?;
        let mut wanted = self.options.created();
        wanted.retain(|contract| self.journal.sent(StepName::Create(*contract)).is_none());
        let at = self.at();
        let found = history::deployments(&wanted, &at, self.deployer, self.options, &created);
        for contracts in found.into_iter().rev() {
            if self.is_ours(view, &contracts).await? {
                (self.tell)(Progress::Found {
                    contracts: contracts.len(),
                });
                for (contract, nonce) in contracts {
                    self.journal.recall(contract, nonce);
                }
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether nothing contradicts that these contracts are the ones wanted: a hub that was
    /// configured with another token is not.
    async fn is_ours(&self, view: &View<'_>, found: &[history::Found]) -> Result<bool, Error> {
        let mut at = self.at();
        for (contract, nonce) in found {
            at.set(*contract, self.deployer.create(*nonce));
        }
        if found.iter().all(|(contract, _)| *contract != Contract::Hub) {
            return Ok(true);
        }
        match view.is_done(StepName::Configure, self.options, &at).await {
            Ok(_) => Ok(true),
            Err(Error::Conflict { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Waits until `wanted` transactions of the deployer are mined.
    async fn wait_for(&mut self, mined: u64, wanted: u64) -> Result<(), Error> {
        (self.tell)(Progress::Others {
            count: wanted - mined,
        });
        let deadline = Instant::now() + Duration::from_secs(BLOCK_WAIT_S);
        while Instant::now() < deadline {
            let count = self.provider.get_transaction_count(self.deployer).await;
            if asked("count transactions", count)? >= wanted {
                return Ok(());
            }
            sleep(Duration::from_millis(RECEIPT_POLL_MS)).await;
        }
        Err(Error::Others {
            deployer: self.deployer,
            count: wanted - mined,
            seconds: BLOCK_WAIT_S,
        })
    }

    /// Sees to it that the node has a good transaction for the step with this nonce, and waits
    /// until the nonce is used. Returns what our transaction spent, if it was ours.
    async fn send(&mut self, step: StepName, nonce: u64) -> Result<Option<(TxHash, u64)>, Error> {
        let prices = asked("price gas", Prices::now(self.provider).await)?;
        if let Some(fees) = self.offer(step, nonce, prices).await? {
            self.submit(step, nonce, fees, prices).await?;
        }
        let Some(receipt) = self.wait(step, nonce).await? else {
            return Ok(None);
        };
        self.floor = self.floor.max(receipt.block_number.unwrap_or_default());
        self.spent.transactions += 1;
        self.spent.gas_used += receipt.gas_used;
        self.spent.cost += U256::from(receipt.gas_used) * U256::from(receipt.effective_gas_price);
        let tx = receipt.transaction_hash;
        match receipt.status() {
            true => Ok(Some((tx, receipt.gas_used))),
            false => Err(Error::Reverted { step, tx }),
        }
    }

    /// What to offer; nothing when the node has a transaction that is good enough.
    async fn offer(
        &self,
        step: StepName,
        nonce: u64,
        prices: Prices,
    ) -> Result<Option<Fees>, Error> {
        for hash in self.hashes(step, nonce) {
            let known = self.provider.get_transaction_by_hash(hash).await;
            let Some(known) = asked("look for a transaction", known)? else {
                continue;
            };
            let old = Fees::of(&known.inner);
            return Ok(match known.block_number.is_some() || old.fits(prices) {
                true => None,
                false => old.raised(prices, u128::MAX),
            });
        }
        Ok(Some(Fees::new(prices)))
    }

    /// All transactions that were signed for the step with this nonce, the newest first.
    fn hashes(&self, step: StepName, nonce: u64) -> Vec<TxHash> {
        let sent = self.journal.sent(step).filter(|sent| sent.nonce == nonce);
        let hashes = sent.map(|sent| sent.hashes.clone()).unwrap_or_default();
        hashes.into_iter().rev().collect()
    }

    async fn submit(
        &mut self,
        step: StepName,
        nonce: u64,
        fees: Fees,
        prices: Prices,
    ) -> Result<(), Error> {
        let gas = match self.estimate(step).await {
            // done since we looked, or about to be, by another process with this key: some nodes
            // estimate on top of what waits
            Err(Error::Refused { .. }) if self.is_taken(nonce).await? => return Ok(()),
            gas => gas?,
        };
        let gas = gas + gas * GAS_MARGIN_PERCENT / 100;
        let fees = self.affordable(step, gas, fees, prices).await?;
        let request = self
            .request(step)
            .with_gas_limit(gas)
            .with_nonce(nonce)
            .with_chain_id(self.chain_id);
        let wallet = EthereumWallet::from(self.signer.clone());
        let signed = fees.offer(request).build(&wallet).await;
        let signed = signed.map_err(|error| Error::Signature {
            step,
            reason: error.to_string(),
        })?;
        let hash = *signed.tx_hash();
        self.journal.note(step, nonce, hash)?;
        let raw = signed.encoded_2718();
        let sent = self.provider.send_raw_transaction(&raw).await;
        match asked(step, sent.map(drop)) {
            Err(error) if !self.is_with_node(hash, nonce).await => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether the node has a transaction with this nonce, mined or not.
    async fn is_taken(&self, nonce: u64) -> Result<bool, Error> {
        let count = self.provider.get_transaction_count(self.deployer).pending();
        Ok(asked("count transactions", count.await)? > nonce)
    }

    /// Whether a transaction with this nonce is mined.
    async fn is_used(&self, nonce: u64) -> Result<bool, Error> {
        let mined = self.provider.get_transaction_count(self.deployer).await;
        Ok(asked("count transactions", mined)? > nonce)
    }

    /// After the node refused a transaction: whether it did because it has it, or another one with
    /// the same nonce.
    async fn is_with_node(&self, hash: TxHash, nonce: u64) -> bool {
        let known = self.provider.get_transaction_by_hash(hash).await;
        let count = self.provider.get_transaction_count(self.deployer).pending();
        known.is_ok_and(|known| known.is_some()) || count.await.is_ok_and(|count| count > nonce)
    }

    fn request(&self, step: StepName) -> TransactionRequest {
        let step = Step::new(step, self.deployer, self.options, &self.at());
        let request = TransactionRequest::default().with_from(self.deployer);
        match step.to {
            Some(to) => request.with_to(to).with_input(step.data),
            None => request.with_deploy_code(step.data),
        }
    }

    async fn estimate(&self, step: StepName) -> Result<u64, Error> {
        let estimate = self.provider.estimate_gas(self.request(step)).await;
        match asked(format!("estimate the gas to {step}"), estimate) {
            Err(Error::Rpc { source, .. }) if is_revert(&source) => Err(Error::Refused {
                step,
                reason: source.to_string(),
            }),
            estimate => estimate,
        }
    }

    /// What to offer, given what the deployer has. Before the first transaction the whole rest must
    /// be affordable at today's price, as far as it can be known; before any, what the node will
    /// ask for. Where the base fee is zero, nodes name a price all the same, and take nothing.
    async fn affordable(
        &self,
        step: StepName,
        gas: u64,
        fees: Fees,
        prices: Prices,
    ) -> Result<Fees, Error> {
        let mut needed = U256::from(gas) * U256::from(fees.most());
        if needed.is_zero() {
            return Ok(fees);
        }
        if self.spent.transactions == 0 {
            let rest = U256::from(self.rest(step).await?) * U256::from(prices.gas_price);
            needed = needed.max(rest);
        }
        let balance = self.provider.get_balance(self.deployer).await;
        let balance = asked("show a balance", balance)?;
        if balance >= needed {
            return Ok(fees);
        }
        match prices.base_fee {
            Some(0) => Ok(Fees::Legacy { price: 0 }),
            _ => Err(Error::Funds {
                deployer: self.deployer,
                balance,
                needed,
                step,
            }),
        }
    }

    /// Gas that the steps from this one on need at least. What a creation costs does not depend
    /// on the chain's state, so the node can estimate it before its turn.
    async fn rest(&self, from: StepName) -> Result<u64, Error> {
        let mut gas = 0;
        for step in self.steps.iter().skip_while(|step| **step != from) {
            gas += match step {
                StepName::Create(_) => self.estimate(*step).await?,
                _ => CALL_GAS_MIN,
            };
        }
        Ok(gas)
    }

    /// Waits until the nonce is used and returns the receipt of our transaction; none when another
    /// one had the nonce.
    async fn wait(&self, step: StepName, nonce: u64) -> Result<Option<TransactionReceipt>, Error> {
        let hashes = self.hashes(step, nonce);
        let deadline = Instant::now() + Duration::from_secs(BLOCK_WAIT_S);
        let mut late_looks = 0;
        while Instant::now() < deadline {
            for hash in &hashes {
                let receipt = self.provider.get_transaction_receipt(*hash).await;
                if let Some(receipt) = asked("show a receipt", receipt)? {
                    return Ok(Some(receipt));
                }
            }
            if self.is_used(nonce).await? {
                late_looks += 1;
                if hashes.is_empty() || late_looks == LATE_RECEIPT_LOOKS_MAX {
                    return Ok(None);
                }
            }
            sleep(Duration::from_millis(RECEIPT_POLL_MS)).await;
        }
        Err(Error::Waiting {
            step,
            tx: hashes.first().copied().unwrap_or_default(),
            seconds: BLOCK_WAIT_S,
        })
    }
}
