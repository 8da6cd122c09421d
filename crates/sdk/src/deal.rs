//! Deals and tasks: reading and claiming (spec/client.md §4.7).

use chain::{Actor, Receipt};
use futures_util::{StreamExt as _, TryStreamExt as _};
use protocol::{
    DealId, TaskId,
    deal::{Deadlines, Deal, Task, TaskStatus},
};

use crate::{Client, Error};

/// Gas of claiming one task, as the official client reckons (spec/client.md §4.7).
const CLAIM_GAS: u64 = 55_000;
/// Gas of initialising and claiming one task.
const INITIALIZE_AND_CLAIM_GAS: u64 = 250_000;
/// Gas of one transaction that nodes accept, however large their blocks are: many limit it to 2^24.
const TRANSACTION_GAS_MAX: u64 = 1 << 24;
/// Tasks read at the same time.
const READS_MAX: usize = 32;

/// The deal.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Chain`].
pub async fn show(client: &Client, id: DealId) -> Result<Deal, Error> {
    let deal = client
        .hub()
        .deal(id)
        .await
        .map_err(Error::chain("read the deal"))?;
    deal.ok_or_else(|| client.not_found("deal", id))
}

/// Seconds of the deal's category.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Chain`].
pub async fn timeref(client: &Client, deal: &Deal) -> Result<u64, Error> {
    let category = client.hub().category(deal.category).await;
    let category = category.map_err(Error::chain("read the category"))?;
    let category = category.ok_or_else(|| client.not_found("category", deal.category))?;
    Ok(category.work_clock_time_ref)
}

/// The task.
///
/// # Errors
/// [`Error::NotFound`] also while the task is not initialised: the chain does not know the id
/// before; [`Error::Chain`].
pub async fn task(client: &Client, id: TaskId) -> Result<Task, Error> {
    let task = client
        .hub()
        .task(id)
        .await
        .map_err(Error::chain("read the task"))?;
    task.ok_or_else(|| client.not_found("task", id))
}

/// Whether the task can be claimed.
pub fn is_claimable(task: &Task, now: u64) -> bool {
    !task.status.is_final() && now >= task.final_deadline
}

/// Gives the requester the money of a failed task back.
///
/// # Errors
/// [`Error::NotClaimable`] before anything is sent; as [`task`]; [`Error::Chain`].
pub async fn claim_task(client: &Client, actor: &Actor, id: TaskId) -> Result<Receipt, Error> {
    let task = task(client, id).await?;
    let now = client.now().await?;
    if task.status.is_final() {
        let reason = format!("the task is {} already", task.status.name());
        return Err(Error::NotClaimable { reason });
    }
    if now < task.final_deadline {
        return Err(too_early(task.final_deadline, now));
    }
    actor
        .claim(id)
        .await
        .map_err(Error::chain("claim the task"))
}

/// What claiming a deal did.
#[derive(Clone, Debug, Default)]
pub struct Claimed {
    /// Position in the deal and id of each claimed task.
    pub tasks: Vec<(u64, TaskId)>,
    /// Transactions, with the official name of the call.
    pub transactions: Vec<(&'static str, Receipt)>,
}

impl Claimed {
    /// The tasks stay in the deal's order.
    fn add(
        &mut self,
        name: &'static str,
        receipt: Receipt,
        tasks: impl Iterator<Item = (u64, TaskId)>,
    ) {
        self.transactions.push((name, receipt));
        self.tasks.extend(tasks);
        self.tasks.sort_unstable();
    }
}

/// Claims every unfinished task of a deal past its deadline.
///
/// # Errors
/// [`Error::NotClaimable`] before the deadline or when nothing is open; [`Error::Chain`]; what was
/// claimed before stands in `claimed`.
pub async fn claim(
    client: &Client,
    actor: &Actor,
    id: DealId,
    claimed: &mut Claimed,
) -> Result<(), Error> {
    let deal = show(client, id).await?;
    let (last, now) = (final_time(client, &deal).await?, client.now().await?);
    if now < last {
        return Err(too_early(last, now));
    }
    let (open, unset) = unfinished(client, &deal).await?;
    if open.is_empty() && unset.is_empty() {
        return Err(Error::NotClaimable {
            reason: "nothing to claim: no task is open".to_owned(),
        });
    }
    let gas = client.hub().block_gas().await;
    let gas = gas.map_err(Error::chain("read the newest block"))?;
    let position = |(index, task): &(u64, TaskId)| (index.saturating_sub(deal.bot_first), *task);
    for chunk in open.chunks(per_transaction(gas, CLAIM_GAS)) {
        let ids: Vec<_> = chunk.iter().map(|(_, task)| *task).collect();
        let receipt = actor.claim_many(&ids).await;
        let receipt = receipt.map_err(Error::chain("claim the tasks"))?;
        claimed.add("claimArray", receipt, chunk.iter().map(position));
    }
    for chunk in unset.chunks(per_transaction(gas, INITIALIZE_AND_CLAIM_GAS)) {
        let indices: Vec<_> = chunk.iter().map(|(index, _)| *index).collect();
        let receipt = actor.initialize_and_claim(id, &indices).await;
        let receipt = receipt.map_err(Error::chain("claim the tasks"))?;
        let name = "initializeAndClaimArray";
        claimed.add(name, receipt, chunk.iter().map(position));
    }
    Ok(())
}

type Tasks = Vec<(u64, TaskId)>;

/// Tasks that are initialised but not finished, and those that never were.
async fn unfinished(client: &Client, deal: &Deal) -> Result<(Tasks, Tasks), Error> {
    let reads = futures_util::stream::iter(deal.tasks()).map(|(index, task)| async move {
        let known = client.hub().task(task).await;
        let known = known.map_err(Error::chain("read the tasks"))?;
        Ok::<_, Error>((index, task, known.map(|task| task.status)))
    });
    let known: Vec<_> = reads.buffered(READS_MAX).try_collect().await?;
    let (mut open, mut unset) = (Vec::new(), Vec::new());
    for (index, task, status) in known {
        match status {
            None | Some(TaskStatus::Unset) => unset.push((index, task)),
            Some(status) if !status.is_final() => open.push((index, task)),
            Some(_) => {}
        }
    }
    Ok((open, unset))
}

/// Tasks that fit one transaction in a block of `block_gas`.
fn per_transaction(block_gas: u64, task_gas: u64) -> usize {
    let gas = block_gas.min(TRANSACTION_GAS_MAX);
    usize::try_from(gas / task_gas).unwrap_or(1).max(1)
}

/// When a deal is over, in seconds since 1970.
///
/// # Errors
/// As [`timeref`].
pub async fn final_time(client: &Client, deal: &Deal) -> Result<u64, Error> {
    Ok(Deadlines::of(deal.start_time, timeref(client, deal).await?).last)
}

fn too_early(deadline: u64, now: u64) -> Error {
    let wait = deadline.saturating_sub(now);
    Error::NotClaimable {
        reason: format!("it cannot be claimed before its final deadline, in {wait} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::sample_task;

    #[test]
    fn a_bag_is_claimed_in_transactions_that_fit_a_block() {
        assert_eq!(per_transaction(30_000_000, CLAIM_GAS), 305);
        assert_eq!(per_transaction(1_000_000, INITIALIZE_AND_CLAIM_GAS), 4);
        assert_eq!(per_transaction(1, CLAIM_GAS), 1);
    }

    #[test]
    fn only_stuck_tasks_are_claimable() {
        assert!(is_claimable(&sample_task(TaskStatus::Active), 3000));
        assert!(!is_claimable(&sample_task(TaskStatus::Active), 2999));
        assert!(!is_claimable(&sample_task(TaskStatus::Failed), 3000));
        assert!(too_early(10, 4).to_string().ends_with("in 6 s"));
    }
}
