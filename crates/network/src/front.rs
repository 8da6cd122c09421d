//! The one origin: a listener whose routes can be exchanged while it serves. The chain has to
//! answer before the services that talk to it can be made.

use std::{
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
};

use axum::{Router, extract::Request, serve::ListenerExt as _};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// The exchangeable routes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Front(Arc<RwLock<Router>>);

impl Front {
    /// From now on, requests go to `router`.
    pub(crate) fn set(&self, router: Router) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = router;
    }

    fn current(&self) -> Router {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Serves on `listener` until `shutdown`; open WebSockets do not hold it up.
    pub(crate) fn serve(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> JoinHandle<()> {
        let routes = move |request: Request| {
            let router = self.current();
            async move { router.oneshot(request).await }
        };
        let service = tower::service_fn(routes);
        let app = Router::new().fallback_service(service);
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        // Answers are small and often many: held back for each other's acknowledgement, each would
        // take 40 ms.
        let listener = listener.tap_io(|socket| {
            if let Err(error) = socket.set_nodelay(true) {
                tracing::debug!(%error, "a connection is slower than it could be");
            }
        });
        tokio::spawn(async move {
            let serving = axum::serve(listener, app);
            tokio::select! {
                result = serving.into_future() => {
                    if let Err(error) = result {
                        tracing::error!(%error, "the listener failed");
                    }
                }
                () = shutdown.cancelled() => {}
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::{extract::ConnectInfo, routing::get};

    use super::*;

    #[tokio::test]
    async fn routes_change_while_it_serves() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (front, shutdown) = (Front::default(), CancellationToken::new());
        let serving = front.clone().serve(listener, shutdown.clone());
        let status = reqwest::get(&url).await.unwrap().status();
        assert_eq!(status, 404);
        front.set(Router::new().route("/", get(|_: ConnectInfo<SocketAddr>| async { "hello" })));
        assert_eq!(
            reqwest::get(&url).await.unwrap().text().await.unwrap(),
            "hello"
        );
        shutdown.cancel();
        serving.await.unwrap();
    }
}
