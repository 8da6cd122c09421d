//! A connection that breaks again and again.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use anyhow::{Context as _, Result};
use tokio::{
    io::{AsyncReadExt as _, copy},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A proxy that ends each connection after a while.
#[derive(Debug)]
pub struct Cutter {
    /// Its origin.
    pub url: String,
    cuts: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

impl Cutter {
    /// Stands before `origin`, `http://host:port`, and cuts after so many bytes of what either
    /// side says.
    pub async fn before(origin: &str, bytes: u64) -> Result<Self> {
        let target = origin.strip_prefix("http://").context("no http origin")?;
        let target = target.trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let cuts = Arc::new(AtomicUsize::new(0));
        let counted = cuts.clone();
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, target.clone(), bytes, counted.clone()));
            }
        });
        Ok(Self { url, cuts, serving })
    }

    /// Connections that were cut.
    pub fn cuts(&self) -> usize {
        self.cuts.load(Relaxed)
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass(mut client: TcpStream, target: String, bytes: u64, cuts: Arc<AtomicUsize>) {
    let Ok(mut server) = TcpStream::connect(target).await else {
        return;
    };
    let (from_server, mut to_server) = server.split();
    let (from_client, mut to_client) = client.split();
    let (mut answer, mut question) = (from_server.take(bytes), from_client.take(bytes));
    let passed = tokio::select! {
        passed = copy(&mut answer, &mut to_client) => passed,
        passed = copy(&mut question, &mut to_server) => passed,
    };
    if passed.is_ok_and(|passed| passed == bytes) {
        cuts.fetch_add(1, Relaxed);
    }
}
