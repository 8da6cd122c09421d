//! Between the ABI's structs and the protocol's types.

use alloy::primitives::{Address, U256};
use protocol::{
    DealId, Tag, TaskId,
    deal::{Category, Deal, Resource, Task, TaskStatus},
    order::{AppOrder, DatasetOrder, RequestOrder, Signed, WorkerpoolOrder},
};

use crate::abi;

macro_rules! order {
    ($from:ident, $($field:ident),*) => {
        impl From<&Signed<$from>> for abi::$from {
            fn from(signed: &Signed<$from>) -> Self {
                let o = signed.order.clone();
                Self { $($field: o.$field,)* tag: o.tag.0, sign: signed.sign.clone() }
            }
        }
    };
}

order!(
    AppOrder,
    app,
    appprice,
    volume,
    datasetrestrict,
    workerpoolrestrict,
    requesterrestrict,
    salt
);
order!(
    DatasetOrder,
    dataset,
    datasetprice,
    volume,
    apprestrict,
    workerpoolrestrict,
    requesterrestrict,
    salt
);
order!(
    WorkerpoolOrder,
    workerpool,
    workerpoolprice,
    volume,
    category,
    trust,
    apprestrict,
    datasetrestrict,
    requesterrestrict,
    salt
);
order!(
    RequestOrder,
    app,
    appmaxprice,
    dataset,
    datasetmaxprice,
    workerpool,
    workerpoolmaxprice,
    requester,
    volume,
    category,
    trust,
    beneficiary,
    callback,
    params,
    salt
);

/// Seconds, counts and indices fit 64 bits on any chain that lives; larger ones saturate.
pub(crate) fn small(value: U256) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

/// ERC-721 ids of the registries are the entries' addresses.
pub(crate) fn entry(id: U256) -> Address {
    Address::from_word(id.into())
}

fn resource(r: abi::Resource) -> Resource {
    Resource {
        pointer: r.pointer,
        owner: r.owner,
        price: r.price,
    }
}

/// None when the hub does not know the deal: it answers zeros.
pub(crate) fn deal(id: DealId, d: abi::Deal) -> Option<Deal> {
    if d.app.pointer.is_zero() {
        return None;
    }
    Some(Deal {
        id,
        app: resource(d.app),
        dataset: resource(d.dataset),
        workerpool: resource(d.workerpool),
        trust: d.trust,
        category: small(d.category),
        tag: Tag(d.tag),
        requester: d.requester,
        beneficiary: d.beneficiary,
        callback: d.callback,
        params: d.params,
        start_time: small(d.startTime),
        bot_first: small(d.botFirst),
        bot_size: small(d.botSize),
        worker_stake: d.workerStake,
        scheduler_reward_ratio: d.schedulerRewardRatio,
        sponsor: d.sponsor,
    })
}

/// None when the task is not initialised.
pub(crate) fn task(id: TaskId, t: abi::Task) -> Option<Task> {
    let status = TaskStatus::from_chain(t.status);
    if status == TaskStatus::Unset {
        return None;
    }
    Some(Task {
        id,
        status,
        deal: DealId(t.dealid),
        index: small(t.idx),
        timeref: small(t.timeref),
        contribution_deadline: small(t.contributionDeadline),
        reveal_deadline: small(t.revealDeadline),
        final_deadline: small(t.finalDeadline),
        consensus_value: t.consensusValue,
        reveal_counter: small(t.revealCounter),
        winner_counter: small(t.winnerCounter),
        contributors: t.contributors,
        result_digest: t.resultDigest,
        results: t.results,
        results_timestamp: small(t.resultsTimestamp),
        results_callback: t.resultsCallback,
    })
}

pub(crate) fn category(c: abi::CategoryView) -> Category {
    Category {
        name: c.name,
        description: c.description,
        work_clock_time_ref: small(c.workClockTimeRef),
    }
}
