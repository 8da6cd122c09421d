//! What a confidential task is given: secrets at the secret manager, an encrypted dataset.
//!
//! Each function goes to the origin of its cast: of the local network, or of the service that it is
//! about where services are apart.

use alloy::primitives::{Address, B256, U256};
use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chain::{NewAsset, Wallet};
use protocol::{
    Tag, TaskId, multiaddr,
    order::{DatasetOrder, RequestOrder, Signed},
    sms,
};
use sdk::dataset::{
    Key,
    cipher::{encrypt, random_iv},
};
use serde_json::Value;

use crate::cast::{Ask, Cast, Deal};

/// Bits of a beneficiary's key: the least that is taken, as making one takes time.
const KEY_BITS: usize = 2_048;
/// How often a dataset's order can be used.
const VOLUME: u64 = 2;

/// An app of a bulk: puts the datasets of its slice one after the other.
pub const SHOWS_SLICE: &str = r#"
result="$IEXEC_OUT/result.txt"
number=1
while [ "$number" -le "$IEXEC_BULK_SLICE_SIZE" ]; do
    eval "name=\$IEXEC_DATASET_${number}_FILENAME"
    cat "$IEXEC_IN/$name" >> "$result"
    number=$((number+1))
done
declare_result "$result"
"#;

/// Gives the secret manager a secret of `owner`'s.
async fn push(cast: &Cast, owner: &Wallet, path: &str, hash: B256, value: &str) -> Result<()> {
    let sign = owner.sign_message_hash(hash)?;
    let url = format!("{}/{path}", cast.origin);
    let request = cast
        .http
        .post(url)
        .header("authorization", sign.to_string());
    let answer = request.body(value.to_owned()).send().await?;
    answer.error_for_status()?;
    Ok(())
}

/// The key of a dataset of the developer's.
pub async fn push_dataset_key(cast: &Cast, dataset: Address, value: &str) -> Result<()> {
    let path = format!("secrets/web3?secretAddress={dataset}");
    let hash = sms::dataset(dataset, value);
    push(cast, cast.developer.wallet(), &path, hash, value).await
}

/// The developer's secret of an app.
pub async fn push_app_secret(cast: &Cast, app: Address, value: &str) -> Result<()> {
    let path = format!("apps/{app}/secrets");
    let hash = sms::app(app, value);
    push(cast, cast.developer.wallet(), &path, hash, value).await
}

/// A secret of the requester's.
pub async fn push_requester_secret(cast: &Cast, name: &str, value: &str) -> Result<()> {
    let owner = cast.requester.address();
    let path = format!("requesters/{owner}/secrets/{name}");
    let hash = sms::named(owner, name, value);
    push(cast, cast.requester.wallet(), &path, hash, value).await
}

/// A new key of the requester's, who is the beneficiary: the private half.
pub async fn push_result_key(cast: &Cast) -> Result<String> {
    let pair = sdk::result::keypair::generate(&mut rand::rngs::OsRng, KEY_BITS)?;
    let requester = cast.requester.wallet();
    let (owner, value) = (requester.address(), STANDARD.encode(&pair.public));
    let name = sms::RESULT_KEY;
    let path = format!("secrets/web2?ownerAddress={owner}&secretName={name}");
    let hash = sms::named(owner, name, &value);
    push(cast, requester, &path, hash, &value).await?;
    Ok(pair.private)
}

/// Puts bytes on the IPFS node; returns their path.
pub async fn add(cast: &Cast, bytes: Vec<u8>) -> Result<String> {
    let part = reqwest::multipart::Part::bytes(bytes).file_name("data");
    let form = reqwest::multipart::Form::new().part("file", part);
    let url = format!("{}/api/v0/add?cid-version=0", cast.origin);
    let answer = cast.http.post(url).multipart(form).send().await?;
    let answer: Value = answer.error_for_status()?.json().await?;
    let cid = answer["Hash"].as_str().context("no CID")?;
    Ok(format!("/ipfs/{cid}"))
}

/// A dataset of `content` on the IPFS node, encrypted with `key`, and an order that sells it twice.
pub async fn dataset(
    cast: &Cast,
    key: &Key,
    content: &str,
) -> Result<(Address, Signed<DatasetOrder>)> {
    let mut encrypted = Vec::new();
    let (iv, content) = (random_iv(), &mut content.as_bytes());
    let checksum = encrypt(key, iv, content, &mut encrypted, |_| {})?;
    let asset = NewAsset::Dataset {
        owner: cast.developer.address(),
        name: "suite".to_owned(),
        multiaddr: multiaddr::encode(&add(cast, encrypted).await?).into(),
        checksum,
    };
    let dataset = cast.developer.create(&asset).await?.0;
    let order = DatasetOrder {
        dataset,
        datasetprice: U256::ZERO,
        volume: U256::from(VOLUME),
        tag: Tag::TEE_TDX,
        apprestrict: Address::ZERO,
        workerpoolrestrict: Address::ZERO,
        requesterrestrict: Address::ZERO,
        salt: B256::ZERO,
    };
    let domain = cast.hub.domain();
    Ok((dataset, cast.developer.wallet().sign_order(order, domain)?))
}

/// A deal with that dataset, whose request is changed before it is signed.
pub async fn deal_with(
    cast: &Cast,
    app: Address,
    order: &Signed<DatasetOrder>,
    ask: &Ask,
    change: impl FnOnce(&mut RequestOrder),
) -> Result<Deal> {
    let mut request = cast.request_order(app, ask)?.order;
    request.dataset = order.order.dataset;
    change(&mut request);
    let wallet = cast.requester.wallet();
    let request = wallet.sign_order(request, cast.hub.domain())?;
    let app_order = cast.app_order(app, ask)?;
    cast.match_with(&app_order, order, &request, ask).await
}

/// The archive of a completed task as it was uploaded.
pub async fn stored(cast: &Cast, id: TaskId) -> Result<Vec<u8>> {
    let task = cast.on_chain(id).await?;
    let link: Value = serde_json::from_slice(&task.results)?;
    let path = link["location"].as_str().context("no link")?;
    let answer = cast.http.get(format!("{}{path}", cast.origin)).send();
    Ok(answer.await?.error_for_status()?.bytes().await?.to_vec())
}
