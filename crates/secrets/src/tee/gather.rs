//! What a session is made of: the task's description from the chain, its secrets from the vault.

use std::collections::BTreeMap;

use protocol::{
    Address, Cause,
    deal::{Deal, Task},
    multiaddr,
    params::DealParams,
    sms,
};

use super::{
    Refused, bulk,
    session::{Description, Secrets},
};
use crate::{Error, Ipfs, Ledger, Slot, Value, vault::Vault};

/// Reads what the chain says about a task, and IPFS about its part of a bulk.
///
/// # Errors
/// [`Cause::SessionGetTaskDescriptionFailed`] when there is no such app or dataset, or the bulk is
/// not one of this deal. [`Cause::SessionGetChainDealFailed`] when the chain does not answer just
/// now, [`Cause::SessionUnknownIssue`] when IPFS does not: the pool takes the other for a verdict.
pub(crate) async fn describe(
    ledger: &dyn Ledger,
    ipfs: Option<&dyn Ipfs>,
    task: &Task,
    deal: Deal,
) -> Result<Description, Refused> {
    let failed = Cause::SessionGetTaskDescriptionFailed;
    let params = DealParams::from_chain(&deal.params);
    let app = ledger.app(deal.app.pointer).await?;
    let dataset = if deal.dataset.pointer.is_zero() {
        None
    } else {
        let dataset = ledger.dataset(deal.dataset.pointer).await?;
        Some(dataset.ok_or(failed)?)
    };
    let bulk = match &params.bulk_cid {
        Some(root) => bulk::datasets(ledger, ipfs, task, &deal, root).await?,
        None => Vec::new(),
    };
    Ok(Description {
        task: task.id,
        index: task.index,
        app: app.ok_or(failed)?,
        dataset: dataset.filter(|dataset| !multiaddr::is_blank(&dataset.multiaddr)),
        bulk,
        deal,
        params,
    })
}

impl Vault {
    /// Everything that was pushed for a task which `worker` is to run.
    pub(crate) async fn secrets_for(
        &self,
        task: &Description,
        worker: Address,
    ) -> Result<Secrets, Error> {
        let deal = &task.deal;
        let (mut dataset_key, mut result_key) = (None, None);
        if task.dataset.is_some() {
            dataset_key = self.get(&Slot::dataset(deal.dataset.pointer)).await?;
        }
        if task.params.iexec_result_encryption == Some(true) {
            result_key = self.web2(deal.beneficiary, sms::RESULT_KEY).await?;
        }
        Ok(Secrets {
            dataset_key,
            bulk_keys: self.bulk_keys(task).await?,
            app: self.get(&Slot::app(deal.app.pointer)).await?,
            requester: self.requester_secrets(task).await?,
            result_key,
            storage_token: self.storage_token(task, worker).await?,
            storage_url: self.web2(deal.workerpool.owner, sms::STORE_URL).await?,
        })
    }

    async fn bulk_keys(&self, task: &Description) -> Result<BTreeMap<Address, Value>, Error> {
        let mut found = BTreeMap::new();
        for dataset in &task.bulk {
            let key = self.get(&Slot::dataset(dataset.address)).await?;
            found.extend(key.map(|key| (dataset.address, key)));
        }
        Ok(found)
    }

    /// Those that the deal names by a positive number. One that nobody pushed is left out, as
    /// upstream: the app finds it absent. The log says so.
    async fn requester_secrets(
        &self,
        task: &Description,
    ) -> Result<BTreeMap<String, Value>, Error> {
        let mut found = BTreeMap::new();
        for (number, name) in task.params.iexec_secrets.iter().flatten() {
            let is_number = number.parse::<i32>().is_ok_and(|number| number > 0);
            let Some(slot) = Slot::requester(task.deal.requester, name).filter(|_| is_number)
            else {
                continue;
            };
            match self.get(&slot).await? {
                Some(secret) => drop(found.insert(number.clone(), secret)),
                None => tracing::warn!(task = %task.task, number, "a requester secret is missing"),
            }
        }
        Ok(found)
    }

    /// Dropbox takes the requester's token; our store the worker's, else the requester's.
    async fn storage_token(
        &self,
        task: &Description,
        worker: Address,
    ) -> Result<Option<Value>, Error> {
        let requester = task.deal.requester;
        if task.params.iexec_result_storage_provider.as_deref() == Some("dropbox") {
            return self.web2(requester, sms::DROPBOX_TOKEN).await;
        }
        match self.web2(worker, sms::STORE_TOKEN).await? {
            Some(token) => Ok(Some(token)),
            None => self.web2(requester, sms::STORE_TOKEN).await,
        }
    }

    async fn web2(&self, owner: Address, name: &str) -> Result<Option<Value>, Error> {
        match Slot::web2(owner, name) {
            Some(slot) => self.get(&slot).await,
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        Unavailable,
        testing::{Scene, Script, task},
    };

    #[tokio::test]
    async fn silence_of_the_chain_is_no_verdict() {
        let (scene, id) = Scene::tdx(&json!({})).await;
        let deal = scene.chain.deal(id).await.unwrap().unwrap();
        let away = Script::away(Unavailable("no route".into()));
        let unread = describe(&away, None, &task(id, 0), deal.clone()).await;
        assert_eq!(unread.unwrap_err().cause, Cause::SessionGetChainDealFailed);
        scene.chain.change(|state| state.has_app = false);
        let none = describe(&scene.chain, None, &task(id, 0), deal).await;
        let cause = none.unwrap_err().cause;
        assert_eq!(cause, Cause::SessionGetTaskDescriptionFailed);
    }
}
