//! Reading orders.

use protocol::{
    OrderHash, U256,
    order::{Kind, Order, Signed},
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Filter, route};
use crate::{Client, Error, error::Api, http::Call};

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
struct Answer<O: Order> {
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
    /// Cheapest first; of requests, those that pay most first.
    pub orders: Vec<Published<O>>,
    /// Whether the market says that there is another page.
    pub has_more: bool,
}

/// One page of a book; `index` counts from 0, `size` is 10 to 1000.
///
/// # Errors
/// [`Error::Api`].
pub async fn page<O: Order>(
    client: &Client,
    filter: &Filter,
    index: usize,
    size: usize,
) -> Result<Book<O>, Error> {
    let mut call = Call::get(Api::Market, client.chain().market()?, route(O::KIND));
    call.query = filter.query(O::KIND);
    let call = call
        .query("chainId", client.hub().chain_id())
        .query("pageIndex", index)
        .query("pageSize", size);
    let answer: Option<Answer<O>> = client.http().json(&call).await?;
    let answer = answer.unwrap_or(Answer {
        count: 0,
        orders: Vec::new(),
        next_page: None,
    });
    let is_last = answer.orders.is_empty() || answer.next_page.is_none_or(|next| next.is_null());
    Ok(Book {
        count: answer.count,
        orders: answer.orders,
        has_more: !is_last,
    })
}

/// The book, as far as anybody needs it.
///
/// # Errors
/// [`Error::Api`].
pub async fn book<O: Order>(client: &Client, filter: &Filter) -> Result<Book<O>, Error> {
    let mut book = page(client, filter, 0, PAGE_ORDERS).await?;
    for index in 1..PAGES_MAX {
        if !book.has_more {
            break;
        }
        let next = page(client, filter, index, PAGE_ORDERS).await?;
        book.orders.extend(next.orders);
        book.has_more = next.has_more;
    }
    Ok(book)
}

/// The market's record of one order, whatever its status: the keys of `order show`. None when the
/// market does not know it.
///
/// # Errors
/// [`Error::Api`].
pub async fn record(
    client: &Client,
    kind: Kind,
    hash: OrderHash,
) -> Result<Option<Map<String, Value>>, Error> {
    let path = format!("{}/{hash}", route(kind));
    let call = Call::get(Api::Market, client.chain().market()?, path)
        .query("chainId", client.hub().chain_id());
    let record: Option<Map<String, Value>> = client.http().json(&call).await?;
    Ok(record.map(|mut record| {
        record.shift_remove("ok");
        record
    }))
}

#[cfg(test)]
mod tests {
    use protocol::{Address, order::AppOrder};
    use serde_json::json;

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
        let page: Answer<AppOrder> = serde_json::from_value(page).unwrap();
        assert_eq!(page.orders[0].remaining, U256::from(5));
        assert_eq!(page.orders[0].order.order.volume, U256::from(10));
        assert!(page.next_page.is_none());
    }
}
