//! The members of the four orders, and reading a body against them.

use protocol::order::Kind;
use serde_json::{Map, Value};

use super::{INTEGER_MAX, Invalid, number, required, value};

/// What a member must be.
#[derive(Clone, Copy)]
enum Rule {
    Address,
    /// A price, category or trust: 0 … 2^53 − 1.
    Natural,
    /// A volume: 1 … 2^53 − 1.
    Positive,
    Bytes32,
    Text,
    Signature,
}

use Rule::{Address, Bytes32, Natural, Positive, Signature, Text};

const APP: &[(&str, Rule)] = &[
    ("app", Address),
    ("appprice", Natural),
    ("volume", Positive),
    ("tag", Bytes32),
    ("datasetrestrict", Address),
    ("workerpoolrestrict", Address),
    ("requesterrestrict", Address),
    ("salt", Bytes32),
    ("sign", Signature),
];

const DATASET: &[(&str, Rule)] = &[
    ("dataset", Address),
    ("datasetprice", Natural),
    ("volume", Positive),
    ("tag", Bytes32),
    ("apprestrict", Address),
    ("workerpoolrestrict", Address),
    ("requesterrestrict", Address),
    ("salt", Bytes32),
    ("sign", Signature),
];

const WORKERPOOL: &[(&str, Rule)] = &[
    ("workerpool", Address),
    ("workerpoolprice", Natural),
    ("volume", Positive),
    ("tag", Bytes32),
    ("category", Natural),
    ("trust", Natural),
    ("apprestrict", Address),
    ("datasetrestrict", Address),
    ("requesterrestrict", Address),
    ("salt", Bytes32),
    ("sign", Signature),
];

const REQUEST: &[(&str, Rule)] = &[
    ("app", Address),
    ("appmaxprice", Natural),
    ("dataset", Address),
    ("datasetmaxprice", Natural),
    ("workerpool", Address),
    ("workerpoolmaxprice", Natural),
    ("requester", Address),
    ("volume", Positive),
    ("tag", Bytes32),
    ("category", Natural),
    ("trust", Natural),
    ("beneficiary", Address),
    ("callback", Address),
    ("params", Text),
    ("salt", Bytes32),
    ("sign", Signature),
];

const fn members(kind: Kind) -> &'static [(&'static str, Rule)] {
    match kind {
        Kind::App => APP,
        Kind::Dataset => DATASET,
        Kind::Workerpool => WORKERPOOL,
        Kind::Request => REQUEST,
    }
}

/// The `order` member of a publish body in its normal form: addresses checksummed, hashes in lower
/// case, numbers as numbers, unknown members dropped.
///
/// # Errors
/// [`Invalid`] for the last declared member that is wrong, as upstream reports it.
pub(crate) fn read_order(kind: Kind, body: &Value) -> Result<Map<String, Value>, Invalid> {
    let nothing = Map::new();
    let order = match body.get("order") {
        Some(Value::Object(order)) => order,
        None => &nothing,
        Some(Value::Null) => return Err(required("order")),
        Some(other) => return Err(not_an_object(other)),
    };
    let mut read = Map::new();
    for (name, rule) in members(kind).iter().rev() {
        let field = format!("order.{name}");
        let member = order.get(*name).ok_or_else(|| required(&field))?;
        read.insert((*name).to_owned(), rule.read(&field, member)?);
    }
    Ok(read.into_iter().rev().collect())
}

fn not_an_object(value: &Value) -> Invalid {
    Invalid(format!(
        "order must be a `object` type, but the final value was: `{value}`."
    ))
}

impl Rule {
    fn read(self, field: &str, member: &Value) -> Result<Value, Invalid> {
        Ok(match self {
            Address => value::address(field, member)?.to_string().into(),
            Natural => number::integer(field, member, 0, INTEGER_MAX)?.into(),
            Positive => number::integer(field, member, 1, INTEGER_MAX)?.into(),
            Bytes32 => value::bytes32(field, member)?.to_string().into(),
            Text => value::text(field, member)?.into(),
            Signature => value::signature(field, member)?.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::app_order;
    use serde_json::json;

    fn refused(order: Value) -> String {
        read_order(Kind::App, &json!({ "order": order }))
            .unwrap_err()
            .0
    }

    fn with(member: &str, value: Value) -> Value {
        let mut order = app_order();
        order[member] = value;
        order
    }

    #[test]
    fn an_order_gets_its_normal_form() {
        let mut order = app_order();
        order["appprice"] = json!("7");
        order["app"] = json!("0x0000000000000000000000000000000000ABCDEF");
        order["extra"] = json!(true);
        let read = read_order(Kind::App, &json!({ "order": order })).unwrap();
        assert_eq!(read["appprice"], json!(7));
        assert_eq!(
            read["app"],
            json!("0x0000000000000000000000000000000000abcDeF")
        );
        assert!(!read.contains_key("extra"));
        assert_eq!(read.keys().next().unwrap(), "app");
    }

    #[test]
    fn messages_are_the_official_ones() {
        let mut no_app = app_order();
        no_app.as_object_mut().unwrap().remove("app");
        for (order, message) in [
            (no_app, "order.app is a required field"),
            (
                with("volume", json!(0)),
                "order.volume must be greater than or equal to 1",
            ),
            (
                with("tag", json!("0x0")),
                "order.tag must be a bytes32 hexstring",
            ),
            (
                with("sign", json!("abc")),
                "order.sign must be a valid signature",
            ),
            (
                json!("abc"),
                "order must be a `object` type, but the final value was: `\"abc\"`.",
            ),
            (json!(null), "order is a required field"),
            (json!({}), "order.sign is a required field"),
        ] {
            assert_eq!(refused(order), message);
        }
        let nothing = read_order(Kind::Request, &json!({})).unwrap_err().0;
        assert_eq!(nothing, "order.sign is a required field");
    }
}
