//! The gate's questions, asked to a hub.

use async_trait::async_trait;
use chain::Hub;
use protocol::{
    DealId, TaskId,
    deal::{Deal, Task},
};

use super::Chain;

#[async_trait]
impl Chain for Hub {
    async fn now(&self) -> Result<u64, String> {
        Hub::now(self).await.map_err(|error| error.to_string())
    }

    async fn task(&self, id: TaskId) -> Result<Option<Task>, String> {
        Hub::task(self, id).await.map_err(|error| error.to_string())
    }

    async fn deal(&self, id: DealId) -> Result<Option<Deal>, String> {
        Hub::deal(self, id).await.map_err(|error| error.to_string())
    }
}
