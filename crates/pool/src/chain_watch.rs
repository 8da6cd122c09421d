//! From the hub's events to the machine's: deals are read completely before the cursor moves past
//! them, however long the chain's node is away.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use chain::{Batch, HubEvent, Located, REORG_DEPTH_MAX};
use futures_util::{StreamExt, TryStreamExt, stream};
use protocol::{
    Address, DealId, TaskId,
    deal::{ContributionStatus, Task, TaskStatus},
};
use tokio::sync::mpsc;
use tracing::warn;

use crate::{
    Error,
    database::Database,
    ledger::{Ledger, Turn, concerns},
    machine::{
        Event, OnChain, Poll, Terms,
        task::{Consensus, Contribution, Standing},
        terms::App,
    },
    orders::Demand,
    shell::Input,
};

/// Tasks handled of one deal: a free pool must not be drowned by one request order.
pub(crate) const DEAL_TASKS_MAX: u64 = 100_000;
/// Questions to the chain's node at the same time when many tasks are looked up.
const LOOKUPS_AT_ONCE: usize = 16;
/// First pause after a failed question; doubles up to the longest.
const RETRY_MS: u64 = 250;
/// Longest pause after a failed question.
const RETRY_MS_MAX: u64 = 10_000;
/// Apps and categories remembered.
const REMEMBERED_MAX: usize = 10_000;

/// Follows the hub for one workerpool.
pub(crate) struct Watch {
    ledger: Arc<dyn Ledger>,
    database: Database,
    workerpool: Address,
    /// Told about each deal: an order may be used up.
    demand: Arc<Demand>,
    /// Head when the watch began: older deals may have been served before.
    began_at: u64,
    timerefs: HashMap<u64, u64>,
    apps: HashMap<Address, App>,
    /// Tasks heard of in blocks that may still go.
    recent: BTreeMap<u64, BTreeSet<TaskId>>,
}

impl Watch {
    pub(crate) fn new(
        ledger: Arc<dyn Ledger>,
        database: Database,
        workerpool: Address,
        demand: Arc<Demand>,
    ) -> Self {
        let began_at = *ledger.heads().borrow();
        Self {
            ledger,
            database,
            workerpool,
            demand,
            began_at,
            timerefs: HashMap::new(),
            apps: HashMap::new(),
            recent: BTreeMap::new(),
        }
    }

    /// Feeds the loop from `from_block` on, until the loop or the stream is gone.
    pub(crate) async fn run(mut self, from_block: u64, inbox: mpsc::Sender<Input>) {
        let mut events = self.ledger.events(from_block);
        while let Some(batch) = events.next().await {
            let input = match batch {
                Ok(Turn::Forward(batch)) => self.translate(batch).await,
                Ok(Turn::Back(to)) => self.go_back(to).await,
                Err(error) => {
                    warn!(%error, "the chain's events cannot be read; trying again");
                    continue;
                }
            };
            if inbox.send(input).await.is_err() {
                return;
            }
        }
        warn!("the chain's events ended");
    }

    /// Reads again what was heard in blocks that are gone; what comes after is heard as usual.
    async fn go_back(&mut self, to: u64) -> Input {
        let orphaned = self.recent.split_off(&(to + 1));
        let tasks: BTreeSet<TaskId> = orphaned.into_values().flatten().collect();
        warn!(to, tasks = tasks.len(), "blocks are gone; reading again");
        let ids: Vec<TaskId> = tasks.into_iter().collect();
        let mut pause = RETRY_MS;
        let reverted = loop {
            match self.reread(&ids).await {
                Ok(reverted) => break reverted,
                Err(error) => warn!(%error, "tasks cannot be looked up; trying again"),
            }
            tokio::time::sleep(Duration::from_millis(pause)).await;
            pause = (pause * 2).min(RETRY_MS_MAX);
        };
        Input::Chain {
            events: vec![reverted],
            cursor: to.saturating_add(1),
        }
    }

    async fn reread(&self, ids: &[TaskId]) -> Result<Event, Error> {
        let states = look_up(self.ledger.as_ref(), ids.to_vec()).await?;
        let mut stored = Vec::new();
        for id in ids {
            stored.extend(self.database.task(*id).await?);
        }
        Ok(Event::Reverted { states, stored })
    }

    fn remember(&mut self, located: &Located) {
        if let Some(task) = task_of(&located.event) {
            self.recent.entry(located.block).or_default().insert(task);
        }
    }

    async fn translate(&mut self, batch: Batch) -> Input {
        let mut events = Vec::new();
        for located in batch.events {
            if concerns(&located.event, self.workerpool) {
                self.remember(&located);
                events.extend(self.event(located).await);
            }
        }
        let final_below = batch.up_to.saturating_sub(REORG_DEPTH_MAX);
        self.recent = self.recent.split_off(&final_below);
        Input::Chain {
            events,
            cursor: batch.up_to.saturating_add(1),
        }
    }

    async fn event(&mut self, located: Located) -> Option<Event> {
        let block = Some(located.block);
        match located.event {
            HubEvent::SchedulerNotice { deal, .. } => self.deal(deal, located.block).await,
            HubEvent::TaskInitialize { task, .. } => {
                let state = OnChain::new(task, TaskStatus::Active);
                Some(Event::ChainSays(vec![OnChain { block, ..state }]))
            }
            HubEvent::TaskContribute {
                task,
                worker,
                result_hash: hash,
            } => Some(Event::Contributed { task, worker, hash }),
            HubEvent::TaskConsensus { task, value } => Some(Event::Agreed { task, value }),
            HubEvent::TaskReveal { task, worker, .. } => Some(Event::Revealed { task, worker }),
            HubEvent::TaskReopen { task } => Some(Event::Reopened(task)),
            HubEvent::TaskFinalize { task, results } => {
                let state = OnChain::new(task, TaskStatus::Completed);
                let results = Some(text(&results));
                Some(Event::ChainSays(vec![OnChain { results, ..state }]))
            }
            HubEvent::TaskClaimed { task } => {
                let state = OnChain::new(task, TaskStatus::Failed);
                Some(Event::ChainSays(vec![state]))
            }
            _ => None,
        }
    }

    async fn deal(&mut self, id: DealId, block: u64) -> Option<Event> {
        let mut pause = RETRY_MS;
        loop {
            match self.read_deal(id, block).await {
                Ok(event) => return event,
                Err(error) => warn!(%id, %error, "a deal cannot be read; trying again"),
            }
            tokio::time::sleep(Duration::from_millis(pause)).await;
            pause = (pause * 2).min(RETRY_MS_MAX);
        }
    }

    async fn read_deal(&mut self, id: DealId, block: u64) -> Result<Option<Event>, Error> {
        if self.database.has_deal(id).await? {
            return Ok(None);
        }
        let Some(deal) = self.ledger.deal(id).await? else {
            warn!(%id, "the chain announces a deal that it does not know");
            return Ok(None);
        };
        self.demand.add(deal.bot_size);
        if deal.bot_size > DEAL_TASKS_MAX {
            warn!(%id, tasks = deal.bot_size, "only {DEAL_TASKS_MAX} tasks of the deal are served");
        }
        let timeref = self.timeref(deal.category).await?;
        let app = self.app(deal.app.pointer).await?;
        let terms = Arc::new(Terms::of(&deal, timeref, app, DEAL_TASKS_MAX));
        let chain = if block <= self.began_at {
            let ids = terms.tasks().map(|(_, id)| id).collect();
            look_up(self.ledger.as_ref(), ids).await?
        } else {
            Vec::new()
        };
        Ok(Some(Event::DealSeen { terms, chain }))
    }

    async fn timeref(&mut self, category: u64) -> Result<u64, Error> {
        if let Some(timeref) = self.timerefs.get(&category) {
            return Ok(*timeref);
        }
        let timeref = self.ledger.timeref(category).await?.unwrap_or_default();
        self.timerefs.insert(category, timeref);
        Ok(timeref)
    }

    async fn app(&mut self, app: Address) -> Result<App, Error> {
        if let Some(known) = self.apps.get(&app) {
            return Ok(known.clone());
        }
        let known = self.ledger.app(app).await?.unwrap_or_default();
        if self.apps.len() >= REMEMBERED_MAX {
            self.apps.clear();
        }
        self.apps.insert(app, known.clone());
        Ok(known)
    }
}

/// The task that an event is about.
fn task_of(event: &HubEvent) -> Option<TaskId> {
    match event {
        HubEvent::TaskInitialize { task, .. }
        | HubEvent::TaskContribute { task, .. }
        | HubEvent::TaskConsensus { task, .. }
        | HubEvent::TaskReveal { task, .. }
        | HubEvent::TaskReopen { task }
        | HubEvent::TaskFinalize { task, .. }
        | HubEvent::TaskClaimed { task } => Some(*task),
        _ => None,
    }
}

/// What the chain says about tasks now.
pub(crate) async fn look_up(ledger: &dyn Ledger, ids: Vec<TaskId>) -> Result<Vec<OnChain>, Error> {
    stream::iter(ids)
        .map(|id| look_up_one(ledger, id))
        .buffered(LOOKUPS_AT_ONCE)
        .try_collect()
        .await
}

async fn look_up_one(ledger: &dyn Ledger, id: TaskId) -> Result<OnChain, Error> {
    let Some(task) = ledger.task(id).await? else {
        return Ok(OnChain::new(id, TaskStatus::Unset));
    };
    let mut contributions = Vec::with_capacity(task.contributors.len());
    for worker in &task.contributors {
        let contribution = ledger.contribution(id, *worker).await?;
        contributions.extend(contribution.map(|c| Contribution {
            worker: c.worker,
            hash: c.result_hash,
            standing: standing(c.status),
        }));
    }
    let is_completed = task.status == TaskStatus::Completed;
    Ok(OnChain {
        results: is_completed.then(|| text(&task.results)),
        poll: Some(Poll {
            contributions,
            consensus: consensus(&task),
        }),
        ..OnChain::new(id, task.status)
    })
}

fn standing(status: ContributionStatus) -> Standing {
    match status {
        ContributionStatus::Contributed => Standing::Contributed,
        ContributionStatus::Proved => Standing::Revealed,
        ContributionStatus::Rejected => Standing::Rejected,
    }
}

fn consensus(task: &Task) -> Option<Consensus> {
    (task.status == TaskStatus::Revealing).then_some(Consensus {
        value: task.consensus_value,
        reveal_deadline: task.reveal_deadline,
    })
}

fn text(results: &[u8]) -> String {
    String::from_utf8_lossy(results).into_owned()
}
