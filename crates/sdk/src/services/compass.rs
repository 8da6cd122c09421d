//! Where a workerpool's API is (spec/client.md §3.4).

use serde::Deserialize;

use protocol::Address;

use crate::{Client, Error, error::Api, http::Call};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    api_url: Option<String>,
}

/// The URL of the pool's API: compass's answer, else what the chain's configuration says.
///
/// # Errors
/// Only when compass cannot be reached and nothing else is known.
pub async fn pool_url(client: &Client, workerpool: Address) -> Result<Option<String>, Error> {
    let configured = client.chain().pool.clone();
    match listed(client, workerpool).await {
        Ok(listed) => Ok(listed.or(configured)),
        Err(error) => configured.map(Some).ok_or(error),
    }
}

/// What compass itself says of the pool; none when it does not know it, or there is no compass.
///
/// # Errors
/// [`Error::Api`] when compass cannot be reached.
pub async fn listed(client: &Client, workerpool: Address) -> Result<Option<String>, Error> {
    let Some(base) = client.chain().compass.as_deref() else {
        return Ok(None);
    };
    let (chain_id, pool) = (client.hub().chain_id(), workerpool.to_checksum(None));
    let call = Call::get(
        Api::Compass,
        base,
        format!("/{chain_id}/workerpools/{pool}"),
    );
    let answer: Option<Answer> = client.http().json(&call).await?;
    Ok(answer.and_then(|answer| answer.api_url))
}
