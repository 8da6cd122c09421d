//! Asking Intel's service, or an operator's cache of it (interface version 4).

use std::time::Duration;

use async_trait::async_trait;
use attest::{Answer, Answers, Collateral, Family, Platform};
use reqwest::{Client, Response, StatusCode, Url, redirect};

/// One answer in all: the service is quick, and somebody may wait.
const TIMEOUT_S: u64 = 10;
/// Bytes of one answer; the longest is a few tens of KiB.
const BODY_BYTES_MAX: usize = 512 * 1024;
/// Bytes of the certificates in a header.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Intel's own service, which does not have the root's list of revocations.
const INTEL: &str = "api.trustedservices.intel.com";
/// Where Intel publishes that list.
const INTEL_ROOT_LIST: &str = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der";

/// Whoever publishes collateral.
#[async_trait]
pub(super) trait Publisher: Send + Sync {
    /// What is published about a family. Nothing about it is checked yet.
    async fn fetch(&self, family: Family) -> Result<Collateral, Failure>;
}

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// No answer.
    #[error("failed to ask: {0}")]
    Silent(#[from] reqwest::Error),
    /// Another answer than was asked for.
    #[error("`{path}` answers {status}")]
    Status { path: String, status: StatusCode },
    /// More than anybody publishes.
    #[error("`{path}` answers more than {} bytes", BODY_BYTES_MAX)]
    Long { path: String },
    /// The answer does not say who signed it.
    #[error("`{path}` answers without its signer")]
    Unsigned { path: String },
    /// What came is not good.
    #[error(transparent)]
    Bad(#[from] attest::Error),
}

/// A service at an address.
pub(super) struct Pcs {
    http: Client,
    base: Url,
}

impl Pcs {
    /// None for an address that is none.
    pub(super) fn new(url: &str) -> Option<Self> {
        let base = Url::parse(url.trim_end_matches('/')).ok()?;
        let is_known = matches!(base.scheme(), "http" | "https");
        // Another part of the process may have chosen: then it stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder()
            .timeout(Duration::from_secs(TIMEOUT_S))
            .redirect(redirect::Policy::none())
            .build();
        is_known.then_some(Self {
            http: http.ok()?,
            base,
        })
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base.as_str().trim_end_matches('/'))
    }

    async fn signed(&self, path: &str, headers: &[&str]) -> Result<Answer, Failure> {
        let response = self.ask(&self.url(path)).await?;
        let found = headers.iter().find_map(|one| response.headers().get(*one));
        let issuers = found
            .filter(|value| value.len() <= HEADER_BYTES_MAX)
            .and_then(|value| decoded(value.as_bytes()))
            .ok_or_else(|| Failure::Unsigned { path: path.into() })?;
        let body = body(response).await?;
        Ok(Answer { body, issuers })
    }

    async fn root_list(&self) -> Result<Vec<u8>, Failure> {
        let url = match self.base.host_str() {
            Some(INTEL) => INTEL_ROOT_LIST.to_owned(),
            _ => self.url("sgx/certification/v4/rootcacrl"),
        };
        body(self.ask(&url).await?).await
    }

    async fn ask(&self, url: &str) -> Result<Response, Failure> {
        let response = self.http.get(url).send().await?;
        let status = response.status();
        match status {
            StatusCode::OK => Ok(response),
            _ => {
                let path = response.url().path().to_owned();
                Err(Failure::Status { path, status })
            }
        }
    }
}

#[async_trait]
impl Publisher for Pcs {
    async fn fetch(&self, family: Family) -> Result<Collateral, Failure> {
        let kind = match family.platform {
            Platform::Tdx => "tdx",
            Platform::Sgx => "sgx",
        };
        let fmspc = hex::encode_upper(family.fmspc);
        let tcb = format!("{kind}/certification/v4/tcb?fmspc={fmspc}");
        let enclave = format!("{kind}/certification/v4/qe/identity");
        let issuer = family.issuer.name();
        let list = format!("sgx/certification/v4/pckcrl?ca={issuer}&encoding=der");
        let answers = Answers {
            tcb_info: self
                .signed(
                    &tcb,
                    &["TCB-Info-Issuer-Chain", "SGX-TCB-Info-Issuer-Chain"],
                )
                .await?,
            qe_identity: self
                .signed(&enclave, &["SGX-Enclave-Identity-Issuer-Chain"])
                .await?,
            pck_crl: self.signed(&list, &["SGX-PCK-CRL-Issuer-Chain"]).await?,
            root_ca_crl: self.root_list().await?,
        };
        Ok(Collateral::try_from(answers)?)
    }
}

/// The body, as long as it is not too long.
async fn body(mut response: Response) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    while let Some(part) = response.chunk().await? {
        if bytes.len() + part.len() > BODY_BYTES_MAX {
            let path = response.url().path().to_owned();
            return Err(Failure::Long { path });
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

/// Text with each `%2B` as the byte that it stands for.
fn decoded(text: &[u8]) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, behind) = rest.split_at_checked(2)?;
        bytes.extend(hex::decode(digits).ok()?);
        rest = behind;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_text_is_read() {
        let text = decoded(b"-----BEGIN%20A%2B+%0A").unwrap();
        assert_eq!(text, "-----BEGIN A++\n");
        assert_eq!(decoded(b"%2"), None);
        assert_eq!(decoded(b"%zz"), None);
        assert_eq!(decoded(b"%ff"), None);
    }

    #[test]
    fn only_addresses_are_taken() {
        let pcs = Pcs::new("https://pccs.example/").unwrap();
        assert_eq!(pcs.url("sgx"), "https://pccs.example/sgx");
        assert!(Pcs::new("pccs.example").is_none());
        assert!(Pcs::new("file:///etc").is_none());
    }
}
