//! Putting content on IPFS (spec/client.md §3.6).

use reqwest::Method;
use serde::Deserialize;

use crate::{
    Client, Error,
    error::Api,
    http::{Body, Call, body, success},
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Added {
    hash: String,
}

/// Gives the chain's IPFS node a file, and looks whether the gateway has it; returns its CID.
///
/// # Errors
/// [`Error::Api`]; [`Error::Configuration`] when the chain has no IPFS node.
pub(crate) async fn add(client: &Client, content: Vec<u8>) -> Result<String, Error> {
    let node = client.chain().ipfs_node()?;
    let call = Call::new(Method::POST, Api::IpfsNode, node, "/api/v0/add")
        .query("stream-channels", true)
        .query("progress", false)
        .body(Body::File(content));
    let answer = client.http().send(&call, "application/json").await?;
    let answer = body(&call, success(&call, answer).await?).await?;
    let added: Result<Added, _> = serde_json::from_slice(&answer);
    let other = |error| Error::Api {
        api: Api::IpfsNode,
        message: format!("the answer is not what it should be: {error}"),
    };
    let cid = added.map_err(other)?.hash;
    let gateway = &client.chain().ipfs_gateway;
    let look = Call::new(
        Method::HEAD,
        Api::IpfsGateway,
        gateway,
        format!("/ipfs/{cid}"),
    );
    success(&look, client.http().send(&look, "*/*").await?).await?;
    Ok(cid)
}
