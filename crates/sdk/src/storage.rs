//! Where results go: IPFS needs nothing, Dropbox a token in the SMS (spec/client.md §1.4).

use chain::Wallet;
use protocol::Address;

use crate::{Client, Error, services::sms};

/// A place for results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// The network's own store.
    Ipfs,
    /// The requester's Dropbox.
    Dropbox,
}

impl Provider {
    /// Reads the name; without one it is IPFS.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn parse(name: Option<&str>) -> Result<Self, Error> {
        match name {
            None | Some("default" | "ipfs") => Ok(Self::Ipfs),
            Some("dropbox") => Ok(Self::Dropbox),
            Some(other) => Err(Error::malformed(
                "the provider",
                format!(
                    "\"{other}\" is not a valid storage provider, use one of the supported \
                     providers (dropbox, ipfs)"
                ),
            )),
        }
    }
}

/// Whether results of `owner` can go there.
///
/// # Errors
/// [`Error::Api`].
pub async fn is_initialized(
    client: &Client,
    owner: Address,
    provider: Provider,
) -> Result<bool, Error> {
    match provider {
        Provider::Ipfs => Ok(true),
        Provider::Dropbox => sms::has_web2(client, owner, sms::DROPBOX_TOKEN).await,
    }
}

/// Stores the Dropbox token; whether an older one was replaced comes back.
///
/// # Errors
/// [`Error::Invalid`] when there is one and `update` is not set; [`Error::Api`].
pub async fn push_token(
    client: &Client,
    wallet: &Wallet,
    token: &str,
    update: bool,
) -> Result<bool, Error> {
    let exists = is_initialized(client, wallet.address(), Provider::Dropbox).await?;
    if exists && !update {
        let reason = "dropbox storage is already initialized, use --force-update option to update \
            your storage token";
        return Err(Error::Configuration {
            reason: reason.to_owned(),
            hint: None,
        });
    }
    sms::push_web2(client, wallet, sms::DROPBOX_TOKEN, token, exists).await?;
    Ok(exists)
}
