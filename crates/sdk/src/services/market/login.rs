//! Logging in by a signed challenge (spec/client.md §3.1).

use chain::Wallet;
use protocol::challenge::{Audience, Token};
use serde::Deserialize;

use crate::{Client, Error, error::Api, http::Call};

#[derive(Deserialize)]
struct ChallengeAnswer {
    data: TypedData,
}

/// The part of a challenge that we use: the rest is rebuilt, never signed blindly.
#[derive(Deserialize)]
pub(crate) struct TypedData {
    pub(crate) message: Message,
}

/// The text to sign.
#[derive(Deserialize)]
pub(crate) struct Message {
    pub(crate) challenge: String,
}

/// Signs a challenge as `audience` builds it: `<hash>_<signature>_<address>`.
pub(crate) fn login_token(
    wallet: &Wallet,
    audience: Audience,
    chain_id: u64,
    challenge: &str,
) -> Result<String, Error> {
    let hash = audience.hash(chain_id, challenge);
    let signature = wallet
        .sign_hash(hash)
        .map_err(Error::chain("sign the challenge"))?;
    Ok(Token {
        hash,
        signature,
        address: wallet.address(),
    }
    .to_string())
}

pub(super) async fn login(client: &Client, wallet: &Wallet) -> Result<String, Error> {
    let chain_id = client.hub().chain_id();
    let call = Call::get(Api::Market, client.chain().market()?, "/challenge")
        .query("address", wallet.address().to_checksum(None))
        .query("chainId", chain_id);
    let answer: ChallengeAnswer = client.http().json(&call).await?.ok_or_else(|| Error::Api {
        api: Api::Market,
        message: "it has no /challenge: is `iexecGateway` its URL?".to_owned(),
    })?;
    login_token(
        wallet,
        Audience::Market,
        chain_id,
        &answer.data.message.challenge,
    )
}
