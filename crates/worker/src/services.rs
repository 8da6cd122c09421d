//! Where results go and secrets are, as the pool said last.

use tokio::sync::watch;

/// Addresses that the pool tells at each login: it may have moved since a task began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Services {
    /// The result store's origin.
    pub(crate) result_proxy: String,
    /// The secret manager's, if the pool has one.
    pub(crate) sms: Option<String>,
}

/// Returns when results go elsewhere than to `store`.
pub(crate) async fn moved(services: &mut watch::Receiver<Services>, store: &str) {
    let is_gone = {
        let elsewhere = services.wait_for(|now| now.result_proxy != store).await;
        elsewhere.is_err()
    };
    if is_gone {
        // Nobody is left who could tell.
        std::future::pending().await
    }
}
