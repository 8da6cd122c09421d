//! Everybody a deal needs, on one hub: they sign orders, match them and wait for the results.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use alloy::primitives::{Address, B256, Bytes, U256};
use anyhow::{Context as _, Result, bail, ensure};
use chain::{Actor, Hub, HubEvent, Wallet};
use engine::Engine;
use futures_util::future::try_join_all;
use network::{Info, Role, local_wallet};
use protocol::{
    DealId, Tag, TaskId,
    deal::{Task, TaskStatus},
    order::{AppOrder, DatasetOrder, RequestOrder, Signed, WorkerpoolOrder},
    params::DealParams,
};
use serde_json::Value;

use crate::{
    archive::Archive,
    task::{self, PoolTask},
};

/// What the requester asks for.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// Tasks; 0 is 1.
    pub volume: u64,
    /// The category.
    pub category: u64,
    /// What the app order asks of the machine.
    pub tag: Tag,
    /// `iexec_args`.
    pub args: Option<String>,
    /// `iexec_input_files`.
    pub input_files: Option<Vec<String>>,
    /// The trust; 0 is 1.
    pub trust: u64,
    /// Who is called with the result.
    pub callback: Address,
    /// `iexec_result_encryption`.
    pub encrypts: bool,
    /// nRLC a task for the app.
    pub app_price: u64,
    /// nRLC a task for the pool; at 0, the pool's own order is taken from the market.
    pub pool_price: u64,
}

/// A deal that is mined.
#[derive(Clone, Debug)]
pub struct Deal {
    /// Its id.
    pub id: DealId,
    /// Its tasks, by index.
    pub tasks: Vec<TaskId>,
    /// The block it is in.
    pub block: u64,
    /// When we learned that.
    pub matched: Instant,
}

/// The people and where they meet.
#[derive(Debug)]
pub struct Cast {
    /// The chain.
    pub hub: Hub,
    /// Market, pool and gateway.
    pub origin: String,
    /// Asks there.
    pub http: reqwest::Client,
    /// The workers' engine.
    pub engine: Arc<dyn Engine>,
    /// Deploys apps.
    pub developer: Actor,
    /// Asks and pays.
    pub requester: Actor,
    /// Signs for the workerpool.
    pub pool_owner: Wallet,
    /// The workerpool.
    pub workerpool: Address,
}

impl Cast {
    /// The accounts of the local network.
    pub async fn local(info: &Info, engine: Arc<dyn Engine>) -> Result<Self> {
        let hub = Hub::connect(&info.ws_url, info.hub).await?;
        let wallet = |role| local_wallet(role, 0);
        let wallets = [Role::Developer, Role::Requester, Role::PoolOwner].map(wallet);
        Ok(Self::new(hub, info, wallets, engine))
    }

    /// Developer, requester and pool owner of any network.
    pub fn new(hub: Hub, info: &Info, wallets: [Wallet; 3], engine: Arc<dyn Engine>) -> Self {
        let [developer, requester, pool_owner] = wallets;
        Self {
            developer: Actor::new(hub.clone(), developer),
            requester: Actor::new(hub.clone(), requester),
            pool_owner,
            workerpool: info.workerpool,
            origin: info.pool.clone(),
            http: reqwest::Client::new(),
            engine,
            hub,
        }
    }

    /// Signs and matches everything that `ask` needs.
    pub async fn deal(&self, app: Address, ask: &Ask) -> Result<Deal> {
        let app_order = self.app_order(app, ask)?;
        let request = self.request_order(app, ask)?;
        self.match_orders(&app_order, &request, ask).await
    }

    /// Matches with a pool order that fits `ask`.
    pub async fn match_orders(
        &self,
        app: &Signed<AppOrder>,
        request: &Signed<RequestOrder>,
        ask: &Ask,
    ) -> Result<Deal> {
        self.match_with(app, &Signed::none(), request, ask).await
    }

    /// The same with a dataset.
    pub async fn match_with(
        &self,
        app: &Signed<AppOrder>,
        dataset: &Signed<DatasetOrder>,
        request: &Signed<RequestOrder>,
        ask: &Ask,
    ) -> Result<Deal> {
        let pool = match ask.pool_price {
            0 => self.published_order(ask).await?,
            _ => self.pool_order(ask)?,
        };
        let matched = self
            .requester
            .match_orders(app, dataset, &pool, request)
            .await;
        let (id, volume, receipt) = matched?;
        let matched = Instant::now();
        let deal = self
            .hub
            .deal(id)
            .await?
            .context("the deal is not on chain")?;
        ensure!(
            U256::from(deal.bot_size) == volume,
            "the event has another volume"
        );
        let tasks = deal.tasks().map(|(_, task)| task).collect();
        Ok(Deal {
            id,
            tasks,
            block: receipt.block,
            matched,
        })
    }

    /// The developer's offer.
    pub fn app_order(&self, app: Address, ask: &Ask) -> Result<Signed<AppOrder>> {
        let order = AppOrder {
            app,
            appprice: U256::from(ask.app_price),
            volume: U256::from(ask.volume.max(1)),
            tag: ask.tag,
            datasetrestrict: Address::ZERO,
            workerpoolrestrict: Address::ZERO,
            requesterrestrict: Address::ZERO,
            salt: salt(),
        };
        Ok(self
            .developer
            .wallet()
            .sign_order(order, self.hub.domain())?)
    }

    /// The requester's demand.
    pub fn request_order(&self, app: Address, ask: &Ask) -> Result<Signed<RequestOrder>> {
        let params = DealParams {
            iexec_args: ask.args.clone(),
            iexec_input_files: ask.input_files.clone(),
            iexec_result_encryption: ask.encrypts.then_some(true),
            ..DealParams::default()
        };
        let order = RequestOrder {
            app,
            appmaxprice: U256::from(ask.app_price),
            dataset: Address::ZERO,
            datasetmaxprice: U256::ZERO,
            workerpool: self.workerpool,
            workerpoolmaxprice: U256::from(ask.pool_price),
            requester: self.requester.address(),
            volume: U256::from(ask.volume.max(1)),
            tag: ask.tag,
            category: U256::from(ask.category),
            trust: U256::from(ask.trust.max(1)),
            beneficiary: self.requester.address(),
            callback: ask.callback,
            params: params.to_text(),
            salt: salt(),
        };
        Ok(self
            .requester
            .wallet()
            .sign_order(order, self.hub.domain())?)
    }

    /// The pool's offer, at the price of `ask`.
    pub fn pool_order(&self, ask: &Ask) -> Result<Signed<WorkerpoolOrder>> {
        let order = WorkerpoolOrder {
            workerpool: self.workerpool,
            workerpoolprice: U256::from(ask.pool_price),
            volume: U256::from(ask.volume.max(1)),
            tag: ask.tag,
            category: U256::from(ask.category),
            trust: U256::from(ask.trust.max(1)),
            apprestrict: Address::ZERO,
            datasetrestrict: Address::ZERO,
            requesterrestrict: Address::ZERO,
            salt: salt(),
        };
        Ok(self.pool_owner.sign_order(order, self.hub.domain())?)
    }

    /// What the pool offers on the market.
    async fn published_order(&self, ask: &Ask) -> Result<Signed<WorkerpoolOrder>> {
        let (chain, category, tag) = (self.hub.chain_id(), ask.category, ask.tag);
        let url = format!(
            "{}/workerpoolorders?chainId={chain}&workerpool={:#x}&category={category}\
             &minTag={tag}&maxTag={tag}",
            self.origin, self.workerpool
        );
        let answer: Value = self.http.get(url).send().await?.json().await?;
        let order = answer["orders"][0]["order"].clone();
        serde_json::from_value(order).with_context(|| format!("no order in {answer}"))
    }

    /// Waits on the chain until so many of the deal's tasks are completed.
    pub async fn completed(&self, deal: &Deal, count: usize) -> Result<()> {
        let mut events = self.hub.events(deal.block);
        let mut done = BTreeSet::new();
        while done.len() < count {
            let batch = events.next().await.context("the chain is gone")??;
            for located in batch.events {
                if let HubEvent::TaskFinalize { task, .. } = located.event
                    && deal.tasks.contains(&task)
                {
                    done.insert(task);
                }
            }
        }
        Ok(())
    }

    /// Waits on the chain until so many events about the deal's first task are as wanted.
    pub async fn seen(
        &self,
        deal: &Deal,
        count: usize,
        is: impl Fn(&HubEvent, TaskId) -> bool,
    ) -> Result<()> {
        let mut events = self.hub.events(deal.block);
        let mut seen = 0;
        while seen < count {
            let batch = events.next().await.context("the chain is gone")??;
            let fits = |l: &&chain::Located| is(&l.event, deal.tasks[0]);
            seen += batch.events.iter().filter(fits).count();
        }
        Ok(())
    }

    /// Waits until so many workers are logged in.
    pub async fn online(&self, count: usize) -> Result<()> {
        let look = Duration::from_millis(20);
        loop {
            let workers = self.http.get(format!("{}/workers", self.origin)).send();
            let workers: Value = workers.await?.json().await?;
            if workers.as_array().is_some_and(|w| w.len() >= count) {
                return Ok(());
            }
            tokio::time::sleep(look).await;
        }
    }

    /// Puts a contract on the chain, from an unlocked account.
    pub async fn deploy_code(&self, code: Bytes) -> Result<Address> {
        use alloy::providers::Provider as _;
        let provider = self.hub.provider();
        let tx = serde_json::json!({ "from": self.developer.address(), "data": code });
        let hash: B256 = provider
            .raw_request("eth_sendTransaction".into(), (tx,))
            .await?;
        let receipt = provider.get_transaction_receipt(hash).await?;
        let receipt = receipt.context("the deployment is not mined")?;
        receipt.contract_address.context("no contract was made")
    }

    /// The first word of a contract's storage.
    pub async fn slot_zero(&self, contract: Address) -> Result<B256> {
        use alloy::providers::Provider as _;
        let slot = self.hub.provider().get_storage_at(contract, U256::ZERO);
        Ok(slot.await?.into())
    }

    /// Follows every task of the deal to its end in the pool.
    pub async fn ended(&self, deal: &Deal) -> Result<Vec<PoolTask>> {
        let tasks = deal.tasks.iter();
        try_join_all(tasks.map(|task| task::ended(&self.http, &self.origin, *task))).await
    }

    /// Follows a deal of one task.
    pub async fn ended_one(&self, deal: &Deal) -> Result<PoolTask> {
        let mut ended = self.ended(deal).await?;
        ensure!(ended.len() == 1, "{} tasks", ended.len());
        ended.pop().context("no task")
    }

    /// The task on chain.
    pub async fn on_chain(&self, task: TaskId) -> Result<Task> {
        self.hub
            .task(task)
            .await?
            .context("the task is not on chain")
    }

    /// Downloads a completed task's result and checks it against the chain.
    pub async fn result(&self, id: TaskId) -> Result<Archive> {
        let task = self.on_chain(id).await?;
        ensure!(
            task.status == TaskStatus::Completed,
            "it is {:?}",
            task.status
        );
        let link = std::str::from_utf8(&task.results)?;
        let cid = link
            .strip_prefix(r#"{ "storage": "ipfs", "location": "/ipfs/"#)
            .and_then(|rest| rest.strip_suffix(r#"" }"#))
            .with_context(|| format!("the result link is {link}"))?;
        let answer = self
            .http
            .get(format!("{}/ipfs/{cid}", self.origin))
            .send()
            .await?;
        let archive = Archive::unzip(&answer.error_for_status()?.bytes().await?)?;
        archive.verify(&task)?;
        Ok(archive)
    }

    /// Moves the chain's clock forward and mines a block there.
    pub async fn advance(&self, seconds: u64) -> Result<()> {
        use alloy::providers::Provider as _;
        let provider = self.hub.provider();
        let _: Value = provider
            .raw_request("evm_increaseTime".into(), (seconds,))
            .await?;
        let _: Value = provider.raw_request("evm_mine".into(), ()).await?;
        Ok(())
    }

    /// Fails unless the task ended so.
    pub fn expect_end(task: &PoolTask, status: &str, cause: &str) -> Result<()> {
        if task.status() != status || task.cause() != cause {
            bail!("{status} with {cause} was expected, not {:#}", task.0);
        }
        Ok(())
    }
}

/// Makes equal orders distinct.
fn salt() -> B256 {
    B256::from(rand::random::<[u8; 32]>())
}
