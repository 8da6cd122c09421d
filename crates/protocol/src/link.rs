//! The result's whereabouts as it stands on chain (spec/pool-worker.md §2.13).

use serde::{Deserialize, Serialize};

/// What `results` of a task says: where the archive is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultLink {
    /// `ipfs`, `dropbox`, `ethereum` (a callback) or `none`.
    pub storage: String,
    /// `/ipfs/<cid>` for `ipfs`; a path or address otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

impl ResultLink {
    /// An archive on IPFS.
    pub fn ipfs(cid: &str) -> Self {
        Self {
            storage: "ipfs".into(),
            location: Some(format!("/ipfs/{cid}")),
        }
    }

    /// A callback's result: the data itself went to the contract at `callback`.
    pub fn ethereum(callback: &str) -> Self {
        Self {
            storage: "ethereum".into(),
            location: Some(callback.to_owned()),
        }
    }

    /// The exact bytes for the chain, official spacing included.
    pub fn to_chain(&self) -> Vec<u8> {
        let location = self.location.as_deref().unwrap_or_default();
        format!(
            r#"{{ "storage": "{}", "location": "{location}" }}"#,
            self.storage
        )
        .into_bytes()
    }

    /// Reads the chain's bytes; anything unreadable is `{"storage":"none"}`, as in the SDK.
    pub fn from_chain(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_else(|_| Self {
            storage: "none".into(),
            location: None,
        })
    }

    /// The CID when the archive is on IPFS.
    pub fn cid(&self) -> Option<&str> {
        if self.storage != "ipfs" {
            return None;
        }
        self.location.as_deref()?.strip_prefix("/ipfs/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spacing_is_the_official_one() {
        let link = ResultLink::ipfs("QmX");
        let bytes = link.to_chain();
        assert_eq!(bytes, br#"{ "storage": "ipfs", "location": "/ipfs/QmX" }"#);
        assert_eq!(ResultLink::from_chain(&bytes), link);
        assert_eq!(link.cid(), Some("QmX"));
    }

    #[test]
    fn nonsense_is_no_storage() {
        assert_eq!(ResultLink::from_chain(b"").storage, "none");
        assert_eq!(ResultLink::from_chain(b"").cid(), None);
    }
}
