//! What is read from IPFS: the orders of a bulk.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, Response, StatusCode, Url, redirect::Policy};

use crate::Error;

/// A gateway that takes no connection within this is down.
const CONNECT_TIMEOUT_S: u64 = 5;
/// The whole of a content has to be there by then.
const READ_TIMEOUT_S: u64 = 10;
/// Public gateways give each content an origin of its own.
const REDIRECTS_MAX: usize = 3;

/// Why there is no content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// Not just now: IPFS never says that something does not exist.
    #[error("IPFS has no `{cid}` just now: {reason}")]
    Unreachable {
        /// What was asked for.
        cid: String,
        /// What happened.
        reason: String,
    },
    /// It would be the same at any time.
    #[error("`{cid}` is larger than {bytes_max} bytes")]
    TooLarge {
        /// What was asked for.
        cid: String,
        /// What would have been read.
        bytes_max: usize,
    },
}

/// IPFS as this service sees it. What is behind it is believed to answer with the content of the
/// CID; who may use a dataset is never up to it.
#[async_trait]
pub trait Ipfs: Send + Sync + 'static {
    /// The content of a CID, which has letters and digits only.
    ///
    /// # Errors
    /// [`Unread`].
    async fn read(&self, cid: &str, bytes_max: usize) -> Result<Vec<u8>, Unread>;
}

/// The gateway that an operator has chosen.
pub(crate) struct Gateway {
    http: Client,
    url: String,
}

impl Gateway {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// [`Error::Gateway`].
    pub(crate) fn new(url: &str) -> Result<Self, Error> {
        let failed = |reason: String| Error::Gateway {
            url: url.to_owned(),
            reason,
        };
        let is_web = Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !is_web {
            return Err(failed("not an http(s) URL".to_owned()));
        }
        let http = Client::builder()
            .connect_timeout(Duration::from_secs(CONNECT_TIMEOUT_S))
            .timeout(Duration::from_secs(READ_TIMEOUT_S))
            .redirect(Policy::limited(REDIRECTS_MAX))
            .build();
        Ok(Self {
            http: http.map_err(|error| failed(error.to_string()))?,
            url: url.trim_end_matches('/').to_owned(),
        })
    }

    async fn get(&self, cid: &str) -> Result<Response, String> {
        let answer = self.http.get(format!("{}/ipfs/{cid}", self.url)).send();
        let answer = answer.await.map_err(|error| told(&error))?;
        match answer.status() {
            StatusCode::OK => Ok(answer),
            status => Err(format!("the gateway answered {status}")),
        }
    }
}

/// The last cause: "connection refused" says more than "error sending request".
fn told(error: &reqwest::Error) -> String {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

#[async_trait]
impl Ipfs for Gateway {
    async fn read(&self, cid: &str, bytes_max: usize) -> Result<Vec<u8>, Unread> {
        let unreachable = |reason| Unread::Unreachable {
            cid: cid.to_owned(),
            reason,
        };
        let mut answer = self.get(cid).await.map_err(unreachable)?;
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| unreachable(told(&e)))? {
            if bytes.len() + chunk.len() > bytes_max {
                let cid = cid.to_owned();
                return Err(Unread::TooLarge { cid, bytes_max });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, extract::Path, routing::get};

    use super::*;

    /// A gateway with `QmHere` only, and where it is.
    async fn serve() -> Gateway {
        // Tests of one process race for it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let content = async |Path(cid): Path<String>| match cid.as_str() {
            "QmHere" => Ok("12345"),
            _ => Err(StatusCode::NOT_FOUND),
        };
        let router = Router::new().route("/ipfs/{cid}", get(content));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, router).into_future());
        Gateway::new(&url).unwrap()
    }

    #[tokio::test]
    async fn content_is_read_up_to_a_size() {
        let gateway = serve().await;
        assert_eq!(gateway.read("QmHere", 5).await.unwrap(), b"12345");
        let long = gateway.read("QmHere", 4).await.unwrap_err();
        let cid = "QmHere".to_owned();
        assert_eq!(long, Unread::TooLarge { cid, bytes_max: 4 });
    }

    #[tokio::test]
    async fn what_is_not_there_may_come() {
        let mut gateway = serve().await;
        let is_unreachable = |read| matches!(read, Err(Unread::Unreachable { .. }));
        assert!(is_unreachable(gateway.read("QmGone", 5).await));
        gateway.url = "http://127.0.0.1:1".to_owned();
        assert!(is_unreachable(gateway.read("QmHere", 5).await));
    }

    #[test]
    fn a_gateway_is_on_the_web() {
        for odd in ["", "ipfs", "file:///etc"] {
            assert!(matches!(Gateway::new(odd), Err(Error::Gateway { .. })));
        }
    }
}
