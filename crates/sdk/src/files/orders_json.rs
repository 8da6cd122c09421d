//! `orders.json`: the orders signed last, per chain (spec/client.md §2.3). What we do not write is
//! kept as it is.

use protocol::order::Kind;
use serde_json::{Map, Value, json};

use crate::{
    Error,
    order::{AnyOrder, name},
};

/// The file's name.
pub const FILE_NAME: &str = "orders.json";

/// The whole file: chain id → kind → order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OrdersFile(Map<String, Value>);

impl OrdersFile {
    /// Reads the text.
    ///
    /// # Errors
    /// [`Error::Format`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map(Self).map_err(format)
    }

    /// The text to write.
    pub fn to_text(&self) -> String {
        crate::files::pretty(&self.0)
    }

    /// The order signed last.
    ///
    /// # Errors
    /// [`Error::Format`] when what is there is no order of that kind.
    pub fn get(&self, chain_id: u64, kind: Kind) -> Result<Option<AnyOrder>, Error> {
        let chain = self.0.get(&chain_id.to_string());
        let order = chain.and_then(|orders| orders.get(name(kind)));
        let order = order.filter(|order| !order.is_null()).cloned();
        order
            .map(|order| AnyOrder::read(kind, order).map_err(format))
            .transpose()
    }

    /// Remembers an order, forgetting the one of its kind before.
    pub fn set(&mut self, chain_id: u64, order: &AnyOrder) {
        let chain = self.0.entry(chain_id.to_string());
        let orders = chain.or_insert_with(|| json!({}));
        if let Value::Object(orders) = orders {
            orders.insert(name(order.kind()).to_owned(), order.to_json());
        }
    }
}

fn format(source: serde_json::Error) -> Error {
    Error::Format {
        file: FILE_NAME,
        source,
    }
}

#[cfg(test)]
mod tests;
