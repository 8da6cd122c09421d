//! Secrets: whether they are there, and pushing them (spec/client.md §3.3).

use protocol::{Address, B256};
use reqwest::{Method, Response, StatusCode};

use chain::Wallet;

use crate::{
    Client, Error,
    error::Api,
    http::{Body, Call, success},
    requester,
};

pub use protocol::sms::{DROPBOX_TOKEN, RESULT_KEY as RESULT_ENCRYPTION_KEY};

/// Whether `owner` has a `web2` secret called `name`.
///
/// # Errors
/// [`Error::Api`].
pub async fn has_web2(client: &Client, owner: Address, name: &str) -> Result<bool, Error> {
    exists(
        client,
        &web2(client.chain().sms()?, Method::HEAD, owner, name),
    )
    .await
}

/// Stores a `web2` secret of the wallet; `update` overwrites the one that is there, also with one
/// that was there before.
///
/// # Errors
/// [`Error::Api`].
pub async fn push_web2(
    client: &Client,
    wallet: &Wallet,
    name: &str,
    value: &str,
    update: bool,
) -> Result<(), Error> {
    let method = if update { Method::PUT } else { Method::POST };
    let call = push_call(client, wallet, &method, name, value)?;
    let response = client.http().send(&call, "*/*").await?;
    if !update || response.status() != StatusCode::CONFLICT {
        return pushed(&call, response).await;
    }
    let respelt = protocol::sms::respelt(name, rand::random());
    let call = push_call(client, wallet, &method, &respelt, value)?;
    let response = client.http().send(&call, "*/*").await?;
    pushed(&call, response).await
}

fn push_call<'a>(
    client: &'a Client,
    wallet: &Wallet,
    method: &Method,
    name: &str,
    value: &str,
) -> Result<Call<'a>, Error> {
    let owner = wallet.address();
    let token = sign(wallet, protocol::sms::named(owner, name, value))?;
    let call = web2(client.chain().sms()?, method.clone(), owner, name);
    Ok(call.token(token).body(Body::Text(value.to_owned())))
}

/// Whether the dataset's key is in the SMS.
///
/// # Errors
/// [`Error::Api`].
pub async fn has_dataset_key(client: &Client, dataset: Address) -> Result<bool, Error> {
    let call = Call::new(
        Method::HEAD,
        Api::Sms,
        client.chain().sms()?,
        "/secrets/web3",
    )
    .query("secretAddress", dataset.to_checksum(None));
    exists(client, &call).await
}

/// Stores the key of a dataset, once and for all. The wallet must be the owner's.
///
/// # Errors
/// [`Error::SecretExists`], [`Error::SecretForbidden`], [`Error::Api`].
pub async fn push_dataset_key(
    client: &Client,
    wallet: &Wallet,
    dataset: Address,
    key: &str,
) -> Result<(), Error> {
    let call = Call::new(
        Method::POST,
        Api::Sms,
        client.chain().sms()?,
        "/secrets/web3",
    )
    .query("secretAddress", dataset.to_checksum(None))
    .token(sign(wallet, protocol::sms::dataset(dataset, key))?)
    .body(Body::Text(key.to_owned()));
    push_once(client, &call, wallet, dataset).await
}

/// Whether the app has a secret of its developer.
///
/// # Errors
/// [`Error::Api`].
pub async fn has_app_secret(client: &Client, app: Address) -> Result<bool, Error> {
    exists(
        client,
        &app_secret(client.chain().sms()?, Method::HEAD, app),
    )
    .await
}

/// Stores the secret of an app's developer, once and for all. The wallet must be the owner's.
///
/// # Errors
/// [`Error::SecretExists`], [`Error::SecretForbidden`], [`Error::Api`].
pub async fn push_app_secret(
    client: &Client,
    wallet: &Wallet,
    app: Address,
    value: &str,
) -> Result<(), Error> {
    let call = app_secret(client.chain().sms()?, Method::POST, app)
        .token(sign(wallet, protocol::sms::app(app, value))?)
        .body(Body::Text(value.to_owned()));
    push_once(client, &call, wallet, app).await
}

/// Whether `requester` has a secret called `name`.
///
/// # Errors
/// [`Error::Api`].
pub async fn has_requester_secret(
    client: &Client,
    requester: Address,
    name: &str,
) -> Result<bool, Error> {
    requester::check_name(name)?;
    let sms = client.chain().sms()?;
    exists(
        client,
        &requester_secret(sms, Method::HEAD, requester, name),
    )
    .await
}

/// Stores a secret of the wallet under `name`, once and for all.
///
/// # Errors
/// [`Error::Api`].
pub async fn push_requester_secret(
    client: &Client,
    wallet: &Wallet,
    name: &str,
    value: &str,
) -> Result<(), Error> {
    let (sms, owner) = (client.chain().sms()?, wallet.address());
    let call = requester_secret(sms, Method::POST, owner, name)
        .token(sign(wallet, protocol::sms::named(owner, name, value))?)
        .body(Body::Text(value.to_owned()));
    let response = client.http().send(&call, "*/*").await?;
    pushed(&call, response).await
}

fn requester_secret<'a>(base: &'a str, method: Method, owner: Address, name: &str) -> Call<'a> {
    let path = format!("/requesters/{}/secrets/{name}", owner.to_checksum(None));
    Call::new(method, Api::Sms, base, path)
}

fn web2<'a>(base: &'a str, method: Method, owner: Address, name: &str) -> Call<'a> {
    Call::new(method, Api::Sms, base, "/secrets/web2")
        .query("ownerAddress", owner.to_checksum(None))
        .query("secretName", name)
}

fn app_secret(base: &str, method: Method, app: Address) -> Call<'_> {
    let path = format!("/apps/{}/secrets", app.to_checksum(None));
    Call::new(method, Api::Sms, base, path)
}

fn sign(wallet: &Wallet, digest: B256) -> Result<String, Error> {
    let signature = wallet
        .sign_message_hash(digest)
        .map_err(Error::chain("sign the request to the SMS"))?;
    Ok(format!("0x{}", hex::encode(signature.as_bytes())))
}

async fn exists(client: &Client, call: &Call<'_>) -> Result<bool, Error> {
    let response = client.http().send(call, "*/*").await?;
    match response.status() {
        status if status.is_success() => Ok(true),
        StatusCode::NOT_FOUND => Ok(false),
        status => Err(Error::Api {
            api: Api::Sms,
            message: format!("unexpected status {status}"),
        }),
    }
}

async fn pushed(call: &Call<'_>, response: Response) -> Result<(), Error> {
    let message = match response.status() {
        StatusCode::CONFLICT => "the secret exists already and can't be updated",
        StatusCode::UNAUTHORIZED => "the wallet is not allowed to set this secret",
        _ => return success(call, response).await.map(|_| ()),
    };
    Err(Error::Api {
        api: Api::Sms,
        message: message.to_owned(),
    })
}

/// Pushes what can be set once; the refusals name whose secret it is.
async fn push_once(
    client: &Client,
    call: &Call<'_>,
    wallet: &Wallet,
    target: Address,
) -> Result<(), Error> {
    let response = client.http().send(call, "*/*").await?;
    match response.status() {
        StatusCode::CONFLICT => Err(Error::SecretExists { target }),
        StatusCode::UNAUTHORIZED => Err(Error::SecretForbidden {
            wallet: wallet.address(),
            target,
        }),
        _ => success(call, response).await.map(|_| ()),
    }
}
