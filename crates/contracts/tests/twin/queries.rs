//! What is asked of both worlds to see whether they are still the same.
use alloy::primitives::{Address, B256, Bytes, Log, U256};
use alloy::sol_types::{SolCall, SolEventInterface};
use contracts::{App, AppRegistry, Dataset, Hub, Workerpool};

use crate::known::{Deal, Known, Task};
use crate::op::{self, CONSTANTS, ask};

/// A call; `named` when entries of the deployment's own registries occur in it.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(crate) to: Address,
    pub(crate) data: Bytes,
    pub(crate) named: bool,
}

/// Collects calls to one contract.
struct Queries {
    to: Address,
    named: bool,
    list: Vec<Query>,
}

impl Queries {
    fn to(to: Address, named: bool) -> Self {
        let list = Vec::new();
        Self { to, named, list }
    }

    fn add(&mut self, call: &impl SolCall) {
        self.add_raw(call.abi_encode().into());
    }

    fn add_raw(&mut self, data: Bytes) {
        let (to, named) = (self.to, self.named);
        self.list.push(Query { to, data, named });
    }

    fn add_all(&mut self, selectors: &[[u8; 4]], words: &[B256]) {
        for selector in selectors {
            self.add_raw(ask(*selector, words));
        }
    }
}

/// Whatever the events of a transaction are about, and who sent it.
pub(crate) fn touched(known: &Known, from: Address, logs: &[Log]) -> Vec<Query> {
    let hub = known.places.at.hub;
    let mut queries = Queries::to(hub, false);
    account(&mut queries, from);
    let logs = logs.iter().filter(|log| log.address == hub);
    for event in logs.filter_map(|log| Hub::HubEvents::decode_log(log).ok()) {
        about(&mut queries, known, &event.data);
    }
    queries
        .list
        .sort_by(|left, right| left.data.cmp(&right.data));
    queries.list.dedup_by(|left, right| left.data == right.data);
    queries.list
}

fn about(queries: &mut Queries, known: &Known, event: &Hub::HubEvents) {
    use Hub::HubEvents as E;
    let id = match event {
        E::Transfer(moved) => {
            account(queries, moved.from);
            account(queries, moved.to);
            return queries.add(&Hub::totalSupplyCall {});
        }
        E::Seize(lost) => return account(queries, lost.owner),
        E::Approval(allowed) => return allowance(queries, allowed.owner, allowed.spender),
        E::AccurateContribution(done) => return score(queries, done.worker),
        E::FaultyContribution(done) => return score(queries, done.worker),
        E::CreateCategory(created) => return category(queries, created.catid),
        E::OrdersMatched(matched) => {
            let hashes = [matched.appHash, matched.datasetHash, matched.workerpoolHash];
            let hashes = hashes.into_iter().chain([matched.requestHash]);
            hashes.for_each(|hash| order(queries, hash));
            return deal(queries, matched.dealid);
        }
        E::TaskInitialize(task) => task.taskid,
        E::TaskContribute(task) => task.taskid,
        E::TaskReveal(task) => task.taskid,
        E::TaskReopen(task) => task.taskid,
        E::TaskFinalize(task) => task.taskid,
        E::TaskClaimed(task) => task.taskid,
        _ => return,
    };
    if let Some(found) = known.task(id) {
        task(queries, found);
    }
}

fn account(queries: &mut Queries, account: Address) {
    queries.add(&Hub::viewAccountCall { account });
}

fn score(queries: &mut Queries, _worker: Address) {
    queries.add(&Hub::viewScoreCall { _worker });
}

fn allowance(queries: &mut Queries, account: Address, spender: Address) {
    queries.add(&Hub::allowanceCall { account, spender });
}

fn order(queries: &mut Queries, hash: B256) {
    let selectors = [
        Hub::viewConsumedCall::SELECTOR,
        Hub::viewPresignedCall::SELECTOR,
    ];
    queries.add_all(&selectors, &[hash]);
}

fn category(queries: &mut Queries, number: U256) {
    let selectors = [
        Hub::viewCategoryCall::SELECTOR,
        Hub::viewCategoryABILegacyCall::SELECTOR,
    ];
    queries.add_all(&selectors, &[number.into()]);
}

fn deal(queries: &mut Queries, id: B256) {
    let selectors = [
        Hub::viewDealCall::SELECTOR,
        Hub::viewDealABILegacy_pt1Call::SELECTOR,
        Hub::viewDealABILegacy_pt2Call::SELECTOR,
        Hub::viewConfigABILegacyCall::SELECTOR,
    ];
    queries.add_all(&selectors, &[id]);
}

fn task(queries: &mut Queries, task: &Task) {
    let selectors = [
        Hub::viewTaskCall::SELECTOR,
        Hub::viewTaskABILegacyCall::SELECTOR,
        Hub::resultForCall::SELECTOR,
    ];
    queries.add_all(&selectors, &[task.id]);
    let selectors = [
        Hub::viewContributionCall::SELECTOR,
        Hub::viewContributionABILegacyCall::SELECTOR,
    ];
    for one in &task.contributions {
        queries.add_all(&selectors, &[task.id, one.worker.into_word()]);
    }
}

/// Everything there is to ask the hub.
pub(crate) fn everything(known: &Known) -> Vec<Query> {
    let mut queries = Queries::to(known.places.at.hub, false);
    queries.add_all(&CONSTANTS, &[]);
    let of_account = [
        Hub::viewAccountCall::SELECTOR,
        Hub::viewAccountABILegacyCall::SELECTOR,
        Hub::balanceOfCall::SELECTOR,
        Hub::frozenOfCall::SELECTOR,
        Hub::viewScoreCall::SELECTOR,
    ];
    for account in &known.accounts {
        queries.add_all(&of_account, &[account.into_word()]);
    }
    for (owner, spender) in &known.spenders {
        allowance(&mut queries, *owner, *spender);
    }
    let mut hashes = known.hashes.clone();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
        .into_iter()
        .for_each(|hash| order(&mut queries, hash));
    for number in 0..=known.categories.len() {
        category(&mut queries, U256::from(number));
    }
    known
        .deals
        .iter()
        .for_each(|Deal { id, .. }| deal(&mut queries, *id));
    known.tasks.iter().for_each(|one| task(&mut queries, one));
    for (id, _) in &known.boost {
        queries.add_raw(op::view_deal_boost(*id));
    }
    let views = [
        Hub::viewAppCall::SELECTOR,
        Hub::viewDatasetCall::SELECTOR,
        Hub::viewWorkerpoolCall::SELECTOR,
    ];
    for (view, entries) in views.into_iter().zip(&known.entries) {
        for entry in entries {
            queries.add_all(&[view], &[entry.into_word()]);
        }
    }
    queries.list
}

/// Everything there is to ask the registries of the deployment and their entries.
pub(crate) fn registries(known: &Known) -> Vec<Query> {
    let at = known.places.at;
    let registries = [at.app_registry, at.dataset_registry, at.workerpool_registry];
    let mut list = Vec::new();
    for (kind, registry) in registries.into_iter().enumerate() {
        list.extend(registry_queries(known, registry, &known.natural[kind]));
        for entry in &known.natural[kind] {
            list.extend(entry_queries(*entry, kind));
        }
    }
    list
}

fn registry_queries(known: &Known, registry: Address, entries: &[Address]) -> Vec<Query> {
    let mut queries = Queries::to(registry, true);
    let constants = [
        AppRegistry::totalSupplyCall::SELECTOR,
        AppRegistry::ownerCall::SELECTOR,
        AppRegistry::baseURICall::SELECTOR,
        AppRegistry::masterCall::SELECTOR,
        AppRegistry::previousCall::SELECTOR,
    ];
    queries.add_all(&constants, &[]);
    let of_token = [
        AppRegistry::ownerOfCall::SELECTOR,
        AppRegistry::getApprovedCall::SELECTOR,
        AppRegistry::tokenURICall::SELECTOR,
        AppRegistry::isRegisteredCall::SELECTOR,
    ];
    let mut owners = std::collections::BTreeMap::<Address, u64>::new();
    for (number, entry) in entries.iter().enumerate() {
        queries.add_all(
            &[AppRegistry::tokenByIndexCall::SELECTOR],
            &[U256::from(number).into()],
        );
        queries.add_all(&of_token, &[entry.into_word()]);
        *owners.entry(known.owner_of(*entry)).or_default() += 1;
    }
    for (owner, count) in owners {
        queries.add(&AppRegistry::balanceOfCall { owner });
        for index in 0..=count {
            let index = U256::from(index);
            queries.add(&AppRegistry::tokenOfOwnerByIndexCall { owner, index });
        }
    }
    queries.list
}

fn entry_queries(entry: Address, kind: usize) -> Vec<Query> {
    let mut queries = Queries::to(entry, true);
    queries.add_all(
        &[App::ownerCall::SELECTOR, App::registryCall::SELECTOR],
        &[],
    );
    let own = match kind {
        0 => vec![
            App::m_appNameCall::SELECTOR,
            App::m_appTypeCall::SELECTOR,
            App::m_appMultiaddrCall::SELECTOR,
            App::m_appChecksumCall::SELECTOR,
            App::m_appMREnclaveCall::SELECTOR,
        ],
        1 => vec![
            Dataset::m_datasetNameCall::SELECTOR,
            Dataset::m_datasetMultiaddrCall::SELECTOR,
            Dataset::m_datasetChecksumCall::SELECTOR,
        ],
        _ => vec![
            Workerpool::m_workerpoolDescriptionCall::SELECTOR,
            Workerpool::m_workerStakeRatioPolicyCall::SELECTOR,
            Workerpool::m_schedulerRewardRatioPolicyCall::SELECTOR,
        ],
    };
    queries.add_all(&own, &[]);
    queries.list
}
