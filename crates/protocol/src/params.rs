//! `params` of a request order: what the deal tells the worker (spec/client.md §4.5,
//! spec/pool-worker.md §8.1 trap 12).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Input files one request may name: more is a mistake or an attack on the worker.
pub const INPUT_FILES_MAX: usize = 100;

/// The known keys. Serialising gives the order the SDK uses when it rewrites them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DealParams {
    /// Secret number → name of a requester secret; confidential tasks only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iexec_secrets: Option<BTreeMap<String, String>>,
    /// `ipfs` or `dropbox`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iexec_result_storage_provider: Option<String>,
    /// Where the pool's result store is, when not the pool's default (8.24 clients write it).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iexec_result_storage_proxy: Option<String>,
    /// Whether the result is encrypted for the beneficiary; confidential tasks only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iexec_result_encryption: Option<bool>,
    /// CID of a bulk of dataset orders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bulk_cid: Option<String>,
    /// URLs to download for the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iexec_input_files: Option<Vec<String>>,
    /// The command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iexec_args: Option<String>,
}

impl DealParams {
    /// Reads what stands on chain. Text that is not the strict JSON form is all `iexec_args`, as
    /// in the official worker, so a deal can always run.
    pub fn from_chain(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|_| Self {
            iexec_args: Some(text.to_owned()),
            ..Self::default()
        })
    }

    /// The text for a request order.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The container's arguments; empty means the image's own command.
    pub fn args(&self) -> Vec<String> {
        crate::args::split(self.iexec_args.as_deref().unwrap_or_default())
    }

    /// The input files' URLs.
    pub fn input_files(&self) -> &[String] {
        self.iexec_input_files.as_deref().unwrap_or_default()
    }

    /// What must be true before a standard request is signed.
    ///
    /// # Errors
    /// [`Error::Params`] with the first broken rule.
    pub fn check_standard(&self, has_callback: bool) -> Result<(), Error> {
        let wrong = |text: &str| Err(Error::Params(text.to_owned()));
        if self
            .iexec_secrets
            .as_ref()
            .is_some_and(|secrets| !secrets.is_empty())
        {
            return wrong("secrets need the tag tee,tdx");
        }
        if self.iexec_result_encryption == Some(true) {
            return wrong("encrypted results need the tag tee,tdx");
        }
        if self.bulk_cid.is_some() {
            return wrong("a bulk of datasets needs the tag tee,tdx");
        }
        let provider = self.iexec_result_storage_provider.as_deref();
        if !has_callback && provider.is_some_and(|p| p != "ipfs") {
            return wrong("only the storage provider `ipfs` works without the tag tee,tdx");
        }
        self.check_input_files()
    }

    fn check_input_files(&self) -> Result<(), Error> {
        let files = self.input_files();
        if files.len() > INPUT_FILES_MAX {
            return Err(Error::Params(format!(
                "more than {INPUT_FILES_MAX} input files"
            )));
        }
        let web = |url: &&String| !url.starts_with("http://") && !url.starts_with("https://");
        match files.iter().find(web) {
            Some(url) => Err(Error::Params(format!(
                "input file `{url}` is not an http(s) URL"
            ))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_json_or_all_args() {
        let params =
            DealParams::from_chain(r#"{"iexec_args":"a b","iexec_input_files":["http://x/y"]}"#);
        assert_eq!(params.args(), ["a", "b"]);
        assert_eq!(params.input_files(), ["http://x/y"]);
        let odd = r#"{"iexec_args":"a","unknown":1}"#;
        assert_eq!(DealParams::from_chain(odd).iexec_args.as_deref(), Some(odd));
        assert_eq!(DealParams::from_chain("hello").args(), ["hello"]);
    }

    #[test]
    fn rewriting_uses_the_sdks_order() {
        let text = r#"{"iexec_args":"x","iexec_result_storage_provider":"ipfs"}"#;
        let params: DealParams = serde_json::from_str(text).unwrap();
        assert_eq!(
            params.to_text(),
            r#"{"iexec_result_storage_provider":"ipfs","iexec_args":"x"}"#
        );
    }

    #[test]
    fn standard_requests_cannot_ask_for_secrets() {
        let secrets = BTreeMap::from([("1".to_owned(), "name".to_owned())]);
        let params = DealParams {
            iexec_secrets: Some(secrets),
            ..Default::default()
        };
        assert!(params.check_standard(false).is_err());
        let bulk = DealParams {
            bulk_cid: Some("QmX".into()),
            ..Default::default()
        };
        assert!(bulk.check_standard(false).is_err());
        let file = DealParams {
            iexec_input_files: Some(vec!["file:///etc/passwd".into()]),
            ..Default::default()
        };
        assert!(file.check_standard(false).is_err());
        assert!(DealParams::default().check_standard(false).is_ok());
    }
}
