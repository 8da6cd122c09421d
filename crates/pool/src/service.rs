//! The pool as a service: opened, routed, run.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::Router;
use chain::Actor;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    Config, Error,
    api::{self, Api},
    chain_watch::{Watch, look_up},
    clock::Clock,
    database::Database,
    ledger::Ledger,
    live::Live,
    machine::{Event, Machine, Rules},
    operate::Handle,
    orders::{Demand, Publisher},
    shell::{Gathering, INPUTS_WAITING_MAX, Input, Shell},
    sms::{Remote, Sms},
    trace::Lives,
};

/// Pause before the chain is asked again at start.
const RECONCILE_RETRY_MS: u64 = 1_000;
/// Shortest time between two looks at the chain's clock.
const CHAIN_TIME_MS: u64 = 500;
/// How often old logs are deleted.
const PURGE_PERIOD_S: u64 = 3_600;

/// One workerpool.
pub struct Service {
    config: Config,
    ledger: Arc<dyn Ledger>,
    publisher: Option<Publisher>,
    sms: Option<Arc<dyn Sms>>,
    database: Database,
    live: Live,
    clock: Clock,
    sender: mpsc::Sender<Input>,
    inbox: mpsc::Receiver<Input>,
    api: Arc<Api>,
    drain: CancellationToken,
    withdrawn: CancellationToken,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Service({})", self.config.workerpool)
    }
}

impl Service {
    /// Opens the database of the pool whose workerpool `owner` owns. Nothing is read from the
    /// chain yet.
    ///
    /// # Errors
    /// [`Error::Database`] and [`Error::Migration`].
    pub async fn open(config: Config, owner: Actor) -> Result<Self, Error> {
        let (hub, wallet) = (owner.hub(), owner.wallet().clone());
        let sms = config.sms_url.as_deref().map(|url| {
            let remote = Remote::new(url, &config.result_proxy, wallet.clone());
            Arc::new(remote) as Arc<dyn Sms>
        });
        let publisher = Publisher::new(&config, wallet, hub.domain().clone(), hub.chain_id());
        Self::over(config, Arc::new(owner), publisher, sms).await
    }

    pub(crate) async fn over(
        config: Config,
        ledger: Arc<dyn Ledger>,
        publisher: Option<Publisher>,
        sms: Option<Arc<dyn Sms>>,
    ) -> Result<Self, Error> {
        let database = Database::open(&config.database_url).await?;
        let (sender, inbox) = mpsc::channel(INPUTS_WAITING_MAX);
        let (live, clock) = (Live::default(), Clock::default());
        let api = Arc::new(Api::new(
            &config,
            ledger.chain_id(),
            database.clone(),
            live.clone(),
            clock.clone(),
            sender.clone(),
        ));
        Ok(Self {
            config,
            ledger,
            publisher,
            sms,
            database,
            live,
            clock,
            sender,
            inbox,
            api,
            drain: CancellationToken::new(),
            withdrawn: CancellationToken::new(),
        })
    }

    /// For the process around it: the operator's routes and the drain.
    pub fn handle(&self) -> Handle {
        Handle {
            workerpool: self.config.workerpool,
            inbox: self.sender.clone(),
            database: self.database.clone(),
            ledger: self.ledger.clone(),
            refusals: self.api.refusals.clone(),
            drain: self.drain.clone(),
            withdrawn: self.withdrawn.clone(),
        }
    }

    /// What tests look behind the API with.
    #[cfg(test)]
    pub(crate) fn parts(&self) -> (Database, Clock) {
        (self.database.clone(), self.clock.clone())
    }

    /// The pool's API, the workers' WebSocket included. It answers from the moment the service
    /// is open; workers get orders once it runs.
    pub fn router(&self) -> Router {
        api::router(self.api.clone())
    }

    /// Serves until `shutdown`: every task that the database knows is compared with the chain
    /// first, then the chain is followed from where it was left.
    ///
    /// # Errors
    /// [`Error::Database`] when something cannot be saved: going on would promise what a restart
    /// forgets.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let (live, database) = (self.live.clone(), self.database.clone());
        let result = tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            result = self.serve(shutdown.child_token()) => result,
        };
        live.close();
        database.close().await;
        result
    }

    async fn serve(self, shutdown: CancellationToken) -> Result<(), Error> {
        let stop = shutdown.clone().drop_guard();
        let cursor = self.database.cursor().await?;
        let from_block = cursor.unwrap_or(self.config.start_block);
        let demand = Arc::new(Demand::default());
        let watch = Watch::new(
            self.ledger.clone(),
            self.database.clone(),
            self.config.workerpool,
            demand.clone(),
        );
        let spawn = |work: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
            tokio::spawn(shutdown.clone().run_until_cancelled_owned(work));
        };
        spawn(Box::pin(follow_time(
            self.ledger.clone(),
            self.sender.clone(),
        )));
        spawn(Box::pin(purge(self.database.clone(), self.clock.clone())));
        if let Some(publisher) = self.publisher.clone() {
            let (drain, withdrawn) = (self.drain.clone(), self.withdrawn.clone());
            spawn(Box::pin(async move {
                publisher.until(drain, demand).await;
                withdrawn.cancel();
            }));
        } else {
            self.withdrawn.cancel();
        }
        let sender = self.sender.clone();
        let shell = self.restored(shutdown.clone()).await?;
        spawn(Box::pin(watch.run(from_block, sender)));
        let result = shell.run().await;
        drop(stop);
        result
    }

    /// The loop with every open task of the database, after the chain's word about each.
    async fn restored(self, shutdown: CancellationToken) -> Result<Shell, Error> {
        let tasks = self.database.open_tasks(self.clock.now() / 1000).await?;
        let ids: Vec<_> = tasks.iter().map(|task| task.id).collect();
        let (states, takes_batches) = loop {
            let ledger = self.ledger.as_ref();
            match tokio::try_join!(look_up(ledger, ids.clone()), ledger.takes_batches()) {
                Ok(answers) => break answers,
                Err(error) => warn!(%error, "the chain does not answer; trying again"),
            }
            tokio::time::sleep(Duration::from_millis(RECONCILE_RETRY_MS)).await;
        };
        let rules = Rules {
            has_sms: self.sms.is_some(),
            finalizes_at_once: self.config.finalizes_at_once,
            claims_for_requesters: self.config.claims_for_requesters,
        };
        let mut shell = Shell {
            machine: Machine::restore(tasks, self.clock.now()).with_rules(rules),
            ledger: self.ledger,
            database: self.database,
            live: self.live,
            clock: self.clock,
            inbox: self.inbox,
            sender: self.sender,
            links: HashMap::new(),
            saved_cursor: 0,
            next_block: 0,
            deals: 0,
            logs_kept_s: self.config.logs_kept_s,
            initialize_slots: Shell::initialize_slots(),
            sms: self.sms,
            challenge_slots: Shell::challenge_slots(),
            settle_slots: Shell::settle_slots(),
            gathering: Gathering::new(takes_batches),
            lives: Lives::default(),
            shutdown,
        };
        shell
            .round(vec![Input::Event(Event::ChainSays(states))])
            .await?;
        Ok(shell)
    }
}

/// Tells the loop the chain's time after new blocks: a test chain may jump.
async fn follow_time(ledger: Arc<dyn Ledger>, inbox: mpsc::Sender<Input>) {
    let mut heads = ledger.heads();
    loop {
        if let Ok(seconds) = ledger.now().await
            && inbox.send(Input::ChainTime(seconds)).await.is_err()
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(CHAIN_TIME_MS)).await;
        if heads.changed().await.is_err() {
            return;
        }
    }
}

async fn purge(database: Database, clock: Clock) {
    loop {
        purge_once(&database, &clock).await;
        tokio::time::sleep(Duration::from_secs(PURGE_PERIOD_S)).await;
    }
}

pub(crate) async fn purge_once(database: &Database, clock: &Clock) {
    if let Err(error) = database.purge_logs(clock.now() / 1000).await {
        warn!(%error, "old logs cannot be deleted");
    }
}
