//! Deals, tasks and assets with the official keys in the official order (spec/client.md §1.4).

use chain::{AppInfo, DatasetInfo, WorkerpoolInfo};
use protocol::{
    Address, Tag, TaskId,
    deal::{Deadlines, Deal, Resource, Task, TaskStatus},
    link::ResultLink,
};
use serde_json::{Map, Value, json};

use crate::asset::Info;

/// `app show`'s, `dataset show`'s or `workerpool show`'s object.
pub fn asset(info: &Info, registry: Address) -> Value {
    match info {
        Info::App(info) => app(info, registry),
        Info::Dataset(info) => dataset(info, registry),
        Info::Workerpool(info) => workerpool(info, registry),
    }
}

/// `app show`'s object.
pub fn app(app: &AppInfo, registry: Address) -> Value {
    json!({
        "appChecksum": app.checksum,
        "appMREnclave": String::from_utf8_lossy(&app.mrenclave),
        "appMultiaddr": protocol::multiaddr::decode(&app.multiaddr),
        "appName": app.name,
        "appType": app.kind,
        "owner": app.owner.to_checksum(None),
        "registry": registry.to_checksum(None),
    })
}

fn dataset(dataset: &DatasetInfo, registry: Address) -> Value {
    json!({
        "datasetChecksum": dataset.checksum,
        "datasetMultiaddr": protocol::multiaddr::decode(&dataset.multiaddr),
        "datasetName": dataset.name,
        "owner": dataset.owner.to_checksum(None),
        "registry": registry.to_checksum(None),
    })
}

fn workerpool(pool: &WorkerpoolInfo, registry: Address) -> Value {
    json!({
        "schedulerRewardRatioPolicy": pool.scheduler_reward_ratio.to_string(),
        "workerStakeRatioPolicy": pool.worker_stake_ratio.to_string(),
        "workerpoolDescription": pool.description,
        "owner": pool.owner.to_checksum(None),
        "registry": registry.to_checksum(None),
    })
}

/// `deal show`'s object; `timeref` is the category's seconds, `now` seconds since 1970.
pub fn deal(deal: &Deal, timeref: u64, now: u64) -> Value {
    let last = Deadlines::of(deal.start_time, timeref).last;
    json!({
        "dealid": deal.id.to_string(),
        "app": resource(&deal.app),
        "dataset": resource(&deal.dataset),
        "workerpool": resource(&deal.workerpool),
        "trust": deal.trust.to_string(),
        "category": deal.category.to_string(),
        "tag": deal.tag.to_string(),
        "requester": deal.requester.to_checksum(None),
        "beneficiary": deal.beneficiary.to_checksum(None),
        "callback": deal.callback.to_checksum(None),
        "params": deal.params,
        "startTime": deal.start_time.to_string(),
        "botFirst": deal.bot_first.to_string(),
        "botSize": deal.bot_size.to_string(),
        "workerStake": deal.worker_stake.to_string(),
        "schedulerRewardRatio": deal.scheduler_reward_ratio.to_string(),
        "sponsor": deal.sponsor.to_checksum(None),
        "finalTime": last.to_string(),
        "deadlineReached": now >= last,
        "tasks": deal.tasks().map(|(_, task)| task.to_string()).collect::<Vec<_>>(),
    })
}

fn resource(resource: &Resource) -> Value {
    json!({
        "pointer": resource.pointer.to_checksum(None),
        "owner": resource.owner.to_checksum(None),
        "price": resource.price.to_string(),
    })
}

/// A tag in words, as `--tag` takes it: `none`, `tee,tdx`; hexadecimal where there is no word.
pub fn tag_words(tag: Tag) -> String {
    let names = ["tee", "scone", "gramine", "tdx", "gpu"];
    let with = |words: &[&str]| Tag::parse(&words.join(",")).ok();
    let worn: Vec<_> = names
        .into_iter()
        .filter(|name| with(&[name]).is_some_and(|one| tag.covers(one)))
        .collect();
    match (worn.is_empty(), with(&worn) == Some(tag)) {
        (true, true) => "none".to_owned(),
        (false, true) => worn.join(","),
        (_, false) => tag.to_string(),
    }
}

/// Whether a task's time is over without a result.
pub fn is_timed_out(status: TaskStatus, final_deadline: u64, now: u64) -> bool {
    status != TaskStatus::Completed && now >= final_deadline
}

/// The status as people know it: `TIMEOUT` for one that is stuck past its deadline.
pub fn status_name(status: TaskStatus, final_deadline: u64, now: u64) -> &'static str {
    match !status.is_final() && is_timed_out(status, final_deadline, now) {
        true => "TIMEOUT",
        false => status.name(),
    }
}

/// `task show`'s object. The chain does not keep when a result came, hence `resultsTimestamp`
/// is only there when the caller knows it.
pub fn task(task: &Task, now: u64) -> Value {
    let contributors: Vec<_> = task
        .contributors
        .iter()
        .map(|who| who.to_checksum(None))
        .collect();
    json!({
        "taskid": task.id.to_string(),
        "status": task.status.number(),
        "dealid": task.deal.to_string(),
        "idx": task.index.to_string(),
        "timeref": task.timeref.to_string(),
        "contributionDeadline": task.contribution_deadline.to_string(),
        "revealDeadline": task.reveal_deadline.to_string(),
        "finalDeadline": task.final_deadline.to_string(),
        "consensusValue": task.consensus_value,
        "revealCounter": task.reveal_counter.to_string(),
        "winnerCounter": task.winner_counter.to_string(),
        "contributors": contributors,
        "resultDigest": task.result_digest,
        "results": ResultLink::from_chain(&task.results),
        "resultsTimestamp": task.results_timestamp.to_string(),
        "resultsCallback": task.results_callback,
        "statusName": status_name(task.status, task.final_deadline, now),
        "taskTimedOut": is_timed_out(task.status, task.final_deadline, now),
    })
}

/// A task in a watch's list: its position in front; a task never initialised has few keys.
pub fn watched_task(deal: &Deal, index: u64, known: Option<&Task>, last: u64, now: u64) -> Value {
    let position = index.saturating_sub(deal.bot_first).to_string();
    let mut listed = Map::new();
    listed.insert("idx".to_owned(), Value::String(position.clone()));
    let rest = match known {
        Some(known) => task(known, now),
        None => unset_task(deal, deal.id.task(index), last, now),
    };
    if let Value::Object(rest) = rest {
        listed.extend(rest);
    }
    listed.insert("idx".to_owned(), Value::String(position));
    Value::Object(listed)
}

fn unset_task(deal: &Deal, task: TaskId, last: u64, now: u64) -> Value {
    json!({
        "taskid": task.to_string(),
        "dealid": deal.id.to_string(),
        "status": TaskStatus::Unset.number(),
        "statusName": status_name(TaskStatus::Unset, last, now),
        "taskTimedOut": is_timed_out(TaskStatus::Unset, last, now),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use protocol::{B256, Bytes, DealId, U256};

    use super::*;

    pub(crate) fn sample_task(status: TaskStatus) -> Task {
        Task {
            id: TaskId::repeat(1),
            status,
            deal: DealId::repeat(2),
            index: 7,
            timeref: 300,
            contribution_deadline: 2100,
            reveal_deadline: 0,
            final_deadline: 3000,
            consensus_value: B256::ZERO,
            reveal_counter: 0,
            winner_counter: 0,
            contributors: vec![Address::repeat_byte(4)],
            result_digest: B256::ZERO,
            results: Bytes::new(),
            results_timestamp: 0,
            results_callback: Bytes::new(),
        }
    }

    pub(crate) fn sample_deal() -> Deal {
        let party = Resource::default();
        Deal {
            id: DealId::repeat(2),
            app: party,
            dataset: party,
            workerpool: party,
            trust: U256::from(1),
            category: 0,
            tag: Tag::NONE,
            requester: Address::repeat_byte(5),
            beneficiary: Address::repeat_byte(5),
            callback: Address::ZERO,
            params: "{}".to_owned(),
            start_time: 0,
            bot_first: 6,
            bot_size: 2,
            worker_stake: U256::ZERO,
            scheduler_reward_ratio: U256::ZERO,
            sponsor: Address::repeat_byte(5),
        }
    }

    #[test]
    fn keys_are_the_official_ones_in_order() {
        let keys = |value: Value| {
            let map = value.as_object().unwrap().clone();
            map.keys().cloned().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            keys(deal(&sample_deal(), 300, 0)),
            "dealid app dataset workerpool trust category tag requester beneficiary callback \
             params startTime botFirst botSize workerStake schedulerRewardRatio sponsor finalTime \
             deadlineReached tasks"
        );
        assert_eq!(
            keys(task(&sample_task(TaskStatus::Active), 0)),
            "taskid status dealid idx timeref contributionDeadline revealDeadline finalDeadline \
             consensusValue revealCounter winnerCounter contributors resultDigest results \
             resultsTimestamp resultsCallback statusName taskTimedOut"
        );
        assert_eq!(
            keys(watched_task(&sample_deal(), 7, None, 3000, 0)),
            "idx taskid dealid status statusName taskTimedOut"
        );
    }

    #[test]
    fn tags_have_words() {
        assert_eq!(tag_words(Tag::NONE), "none");
        assert_eq!(tag_words(Tag::TEE_TDX), "tee,tdx");
        let odd = Tag(B256::with_last_byte(0x80));
        assert_eq!(tag_words(odd), odd.to_string());
    }

    #[test]
    fn a_stuck_task_timed_out() {
        let show = |status, now| {
            let value = task(&sample_task(status), now);
            (value["statusName"].clone(), value["taskTimedOut"].clone())
        };
        assert_eq!(
            show(TaskStatus::Active, 2999),
            (json!("ACTIVE"), json!(false))
        );
        assert_eq!(
            show(TaskStatus::Active, 3000),
            (json!("TIMEOUT"), json!(true))
        );
        assert_eq!(
            show(TaskStatus::Failed, 3000),
            (json!("FAILED"), json!(true))
        );
        assert_eq!(
            show(TaskStatus::Completed, 3000),
            (json!("COMPLETED"), json!(false))
        );
    }

    #[test]
    fn positions_count_within_the_deal() {
        let deal = sample_deal();
        let active = sample_task(TaskStatus::Active);
        let listed = watched_task(&deal, 7, Some(&active), 3000, 0);
        assert_eq!(
            (listed["idx"].clone(), listed["status"].clone()),
            (json!("1"), json!(1))
        );
    }
}
