//! A web server for input files.

use anyhow::Result;
use axum::{Router, extract::Path, http::StatusCode, routing::get};
use tokio::{net::TcpListener, task::JoinHandle};

/// Serves fixed files on the loopback interface; stops when dropped.
#[derive(Debug)]
pub struct FileServer {
    origin: String,
    serving: JoinHandle<()>,
}

impl FileServer {
    /// Serves each `(name, content)` at `/files/<name>`; anything else is 404.
    pub async fn start(files: &'static [(&str, &str)]) -> Result<Self> {
        let answer = move |Path(asked): Path<String>| async move {
            let found = files.iter().find(|(name, _)| *name == asked);
            found
                .map(|(_, content)| *content)
                .ok_or(StatusCode::NOT_FOUND)
        };
        let routes = Router::new().route("/files/{name}", get(answer));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let serving = tokio::spawn(async move {
            // It ends with the test only.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { origin, serving })
    }

    /// The address of a file, existing or not.
    pub fn url(&self, name: &str) -> String {
        format!("{}/files/{name}", self.origin)
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
