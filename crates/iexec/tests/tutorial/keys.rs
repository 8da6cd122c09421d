//! The keys of `--raw` (spec/client.md §1.4), in their official order, and of `network.json`.

use anyhow::{Result, ensure};
use serde_json::Value;

pub(crate) const NETWORK: &str = "name chainId hub token native workerpool engine rpcUrl wsUrl \
    market sms resultProxy ipfsGateway ipfsNode compass pool explorer accounts";
pub(crate) const DEAL: &str = "dealid app dataset workerpool trust category tag requester \
    beneficiary callback params startTime botFirst botSize workerStake schedulerRewardRatio \
    sponsor finalTime deadlineReached tasks";
pub(crate) const TASK: &str = "taskid status dealid idx timeref contributionDeadline \
    revealDeadline finalDeadline consensusValue revealCounter winnerCounter contributors \
    resultDigest results resultsTimestamp resultsCallback statusName taskTimedOut";
pub(crate) const WATCHED_TASK: &str = "idx taskid status dealid timeref contributionDeadline \
    revealDeadline finalDeadline consensusValue revealCounter winnerCounter contributors \
    resultDigest results resultsTimestamp resultsCallback statusName taskTimedOut";
pub(crate) const APP: &str = "owner appName appType appMultiaddr appChecksum appMREnclave registry";
pub(crate) const APP_ORDER: &str = "orderHash price remaining app tag datasetrestrict \
    workerpoolrestrict requesterrestrict";

/// Fails unless `value` has exactly these keys.
pub(crate) fn check(value: &Value, expected: &str) -> Result<()> {
    let found = value
        .as_object()
        .map(|map| map.keys().map(String::as_str).collect::<Vec<_>>());
    let (mut found, mut names) = (
        found.unwrap_or_default(),
        expected.split_whitespace().collect::<Vec<_>>(),
    );
    found.sort_unstable();
    names.sort_unstable();
    ensure!(found == names, "the keys are {found:?}, not {names:?}");
    Ok(())
}
