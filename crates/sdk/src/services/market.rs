//! The order book (spec/client.md §3.2).

use protocol::{
    Address, OrderHash, Tag, U256,
    challenge::{Audience, Token},
    order::{AppOrder, DatasetOrder, Kind, Order, Signed, WorkerpoolOrder},
};
use reqwest::Method;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use chain::Wallet;

use crate::{
    Client, Error,
    error::Api,
    http::{Body, Call},
};

/// Orders a page.
const PAGE_ORDERS: usize = 100;
/// Pages read of one book: a better offer further down does not exist, books are sorted by price.
const PAGES_MAX: usize = 10;

/// An order as the market keeps it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Published<O: Order> {
    /// Its id.
    pub order_hash: OrderHash,
    /// What is left of its volume.
    #[serde(with = "protocol::json::decimal")]
    pub remaining: U256,
    /// The order.
    #[serde(bound = "O: Order")]
    pub order: Signed<O>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<O: Order> {
    #[serde(default)]
    count: u64,
    #[serde(bound = "O: Order", default = "Vec::new")]
    orders: Vec<Published<O>>,
    next_page: Option<Value>,
}

/// A part of a book.
#[derive(Clone, Debug)]
pub struct Book<O: Order> {
    /// All orders that match, also those not read.
    pub count: u64,
    /// Cheapest first.
    pub orders: Vec<Published<O>>,
}

/// Which orders of a book are wanted. Absent actors mean orders restricted to nobody.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The app, dataset or workerpool whose orders are wanted; none for all.
    pub subject: Option<Address>,
    /// The app they may be restricted to.
    pub app: Option<Address>,
    /// The dataset they may be restricted to.
    pub dataset: Option<Address>,
    /// The workerpool they may be restricted to.
    pub workerpool: Option<Address>,
    /// The requester they may be restricted to.
    pub requester: Option<Address>,
    /// Bits that must be there.
    pub min_tag: Option<Tag>,
    /// Bits that may be there.
    pub max_tag: Option<Tag>,
    /// Tasks that must be left.
    pub min_volume: Option<U256>,
    /// Trust that must be offered.
    pub min_trust: Option<U256>,
    /// The category.
    pub category: Option<u64>,
}

/// The route of a kind's book.
const fn route(kind: Kind) -> &'static str {
    match kind {
        Kind::App => "/apporders",
        Kind::Dataset => "/datasetorders",
        Kind::Workerpool => "/workerpoolorders",
        Kind::Request => "/requestorders",
    }
}

/// Orders for running an app, cheapest first.
///
/// # Errors
/// [`Error::Api`].
pub async fn app_orders(client: &Client, filter: &Filter) -> Result<Book<AppOrder>, Error> {
    let base = client.chain().market()?;
    let call = Call::get(Api::Market, base, route(Kind::App));
    let call = subject(call, "app", filter.subject);
    let call = address(call, "dataset", filter.dataset);
    let call = address(call, "workerpool", filter.workerpool);
    read_all(client, common(call, filter)).await
}

/// Orders for using a dataset, cheapest first.
///
/// # Errors
/// [`Error::Api`].
pub async fn dataset_orders(client: &Client, filter: &Filter) -> Result<Book<DatasetOrder>, Error> {
    let base = client.chain().market()?;
    let call = Call::get(Api::Market, base, route(Kind::Dataset));
    let call = subject(call, "dataset", filter.subject);
    let call = address(call, "app", filter.app);
    let call = address(call, "workerpool", filter.workerpool);
    read_all(client, common(call, filter)).await
}

/// Orders for computing, cheapest first.
///
/// # Errors
/// [`Error::Api`].
pub async fn workerpool_orders(
    client: &Client,
    filter: &Filter,
) -> Result<Book<WorkerpoolOrder>, Error> {
    let base = client.chain().market()?;
    let call = Call::get(Api::Market, base, route(Kind::Workerpool));
    let call = address(call, "workerpool", filter.subject);
    let call = address(call, "app", filter.app);
    let call = address(call, "dataset", filter.dataset);
    let call = match filter.category {
        Some(category) => call.query("category", category),
        None => call,
    };
    let call = match filter.min_trust {
        Some(trust) if !trust.is_zero() => call.query("minTrust", trust),
        _ => call,
    };
    read_all(client, common(call, filter)).await
}

fn common<'a>(call: Call<'a>, filter: &Filter) -> Call<'a> {
    let mut call = address(call, "requester", filter.requester);
    if let Some(tag) = filter.min_tag {
        call = call.query("minTag", tag);
    }
    if let Some(tag) = filter.max_tag {
        call = call.query("maxTag", tag);
    }
    match filter.min_volume {
        Some(volume) => call.query("minVolume", volume),
        None => call,
    }
}

fn address<'a>(call: Call<'a>, key: &'static str, value: Option<Address>) -> Call<'a> {
    match value {
        Some(value) => call.query(key, value.to_checksum(None)),
        None => call,
    }
}

/// Lists of apps and datasets want a subject; all of them are asked for by the word `any`.
fn subject<'a>(call: Call<'a>, key: &'static str, wanted: Option<Address>) -> Call<'a> {
    match wanted {
        Some(_) => address(call, key, wanted),
        None => call.query(key, "any"),
    }
}

async fn read_all<O: Order + DeserializeOwned>(
    client: &Client,
    call: Call<'_>,
) -> Result<Book<O>, Error> {
    let mut book = Book {
        count: 0,
        orders: Vec::new(),
    };
    let mut call = call
        .query("chainId", client.hub().chain_id())
        .query("pageSize", PAGE_ORDERS)
        .query("pageIndex", 0);
    for index in 0..PAGES_MAX {
        if let Some(last) = call.query.last_mut() {
            last.1 = index.to_string();
        }
        let Some(page) = client.http().json::<Page<O>>(&call).await? else {
            break;
        };
        book.count = page.count;
        let is_last = page.orders.is_empty() || page.next_page.is_none_or(|next| next.is_null());
        book.orders.extend(page.orders);
        if is_last {
            break;
        }
    }
    Ok(book)
}

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

async fn login(client: &Client, wallet: &Wallet) -> Result<String, Error> {
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

/// Publishes an order; its hash comes back.
///
/// # Errors
/// [`Error::Api`] with the market's reason.
pub async fn publish<O: Order>(
    client: &Client,
    wallet: &Wallet,
    order: &Signed<O>,
) -> Result<OrderHash, Error> {
    #[derive(Deserialize)]
    struct Answer {
        published: Hash,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Hash {
        order_hash: OrderHash,
    }
    let token = login(client, wallet).await?;
    let call = Call::new(
        Method::POST,
        Api::Market,
        client.chain().market()?,
        route(O::KIND),
    )
    .query("chainId", client.hub().chain_id())
    .token(token)
    .body(Body::Json(json!({ "order": order })));
    let answer: Answer = client.http().json(&call).await?.ok_or_else(no_such_route)?;
    Ok(answer.published.order_hash)
}

/// Takes orders of `subject` back: the last one, or all. The hashes come back, none when nothing
/// was published.
///
/// # Errors
/// [`Error::Api`] with the market's reason.
pub async fn unpublish(
    client: &Client,
    wallet: &Wallet,
    kind: Kind,
    subject: Address,
    all: bool,
) -> Result<Vec<OrderHash>, Error> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        unpublished: Vec<OrderHash>,
    }
    let token = login(client, wallet).await?;
    let target = if all {
        "unpublish_all"
    } else {
        "unpublish_last"
    };
    let subject_key = if kind == Kind::Request {
        "requester"
    } else {
        kind.name()
    };
    let body = json!({ "target": target, subject_key: subject.to_checksum(None) });
    let call = Call::new(
        Method::PUT,
        Api::Market,
        client.chain().market()?,
        route(kind),
    )
    .query("chainId", client.hub().chain_id())
    .token(token)
    .body(Body::Json(body));
    // 404: there was nothing to take back
    let answer: Option<Answer> = client.http().json(&call).await?;
    Ok(answer.map(|answer| answer.unpublished).unwrap_or_default())
}

fn no_such_route() -> Error {
    Error::Api {
        api: Api::Market,
        message: "not found".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The market answers numbers where the client writes strings.
    #[test]
    fn pages_are_read() {
        let address = Address::repeat_byte(1);
        let zero = Address::ZERO;
        let bytes32 = format!("0x{}", "0".repeat(64));
        let record = json!({
            "orderHash": format!("0x{}", "ab".repeat(32)), "chainId": 1, "remaining": 5,
            "status": "open", "publicationTimestamp": "2026-01-01T00:00:00.000Z",
            "signer": address,
            "order": { "app": address, "appprice": 0, "volume": 10, "tag": bytes32,
                "datasetrestrict": zero, "workerpoolrestrict": zero, "requesterrestrict": zero,
                "salt": bytes32, "sign": "0x1234" },
        });
        let page = json!({ "ok": true, "count": 1, "orders": [record] });
        let page: Page<AppOrder> = serde_json::from_value(page).unwrap();
        assert_eq!(page.orders[0].remaining, U256::from(5));
        assert_eq!(page.orders[0].order.order.volume, U256::from(10));
        assert!(page.next_page.is_none());
    }
}
