//! Taking the pool's orders off the market.

use serde_json::{Value, json};

use super::Publisher;
use crate::Error;

impl Publisher {
    /// Takes all orders of the workerpool off the market. Whoever kept one can still use it: only a
    /// transaction takes it back for good (`iexec order cancel`).
    pub(super) async fn withdraw(&self) -> Result<(), Error> {
        let url = self.url(&format!("/workerpoolorders?chainId={}", self.chain_id));
        let body = json!({ "target": "unpublish_all", "workerpool": self.workerpool });
        let request = self.http.put(url).json(&body);
        let request = request.header("authorization", self.log_in().await?);
        match self.ask::<Value>(request).await {
            // It says so when there is none.
            Ok(_) | Err(Error::MarketRefused(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
