//! `order.*` of `iexec.json`: orders as people write them (spec/client.md §2.1). Pure.
//!
//! Prices are `5`, `"5"`, `"5 nRLC"` or `"1.5 RLC"`, tags a hexstring, names between commas or a
//! list of names, and what is left out has its default.

use protocol::{Address, B256, Tag, order::Kind, rlc};
use serde_json::{Map, Value, json};

use super::iexec_json::{FILE_NAME, ProjectFile};
use crate::{
    Error,
    order::{AnyOrder, name, tags},
    parse,
    run::request::params_text,
};

/// How a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// An address; null is nobody.
    Address,
    /// An amount of RLC; nRLC without a unit.
    Price,
    /// A non-negative integer and what it is when left out.
    Number(&'static str),
    /// A tag.
    Tag,
    /// `params` of a request.
    Params,
}

use Form::{Address as Who, Number, Params, Price, Tag as Bits};

/// The fields of a kind in the official order; the first is its subject, but for requests.
const fn fields(kind: Kind) -> &'static [(&'static str, Form)] {
    match kind {
        Kind::App => &[
            ("app", Who),
            ("appprice", Price),
            ("volume", Number("1000000")),
            ("tag", Bits),
            ("datasetrestrict", Who),
            ("workerpoolrestrict", Who),
            ("requesterrestrict", Who),
        ],
        Kind::Dataset => &[
            ("dataset", Who),
            ("datasetprice", Price),
            ("volume", Number("1000000")),
            ("tag", Bits),
            ("apprestrict", Who),
            ("workerpoolrestrict", Who),
            ("requesterrestrict", Who),
        ],
        Kind::Workerpool => &[
            ("workerpool", Who),
            ("workerpoolprice", Price),
            ("volume", Number("1")),
            ("category", Number("0")),
            ("trust", Number("0")),
            ("tag", Bits),
            ("apprestrict", Who),
            ("datasetrestrict", Who),
            ("requesterrestrict", Who),
        ],
        Kind::Request => &[
            ("app", Who),
            ("appmaxprice", Price),
            ("dataset", Who),
            ("datasetmaxprice", Price),
            ("workerpool", Who),
            ("workerpoolmaxprice", Price),
            ("volume", Number("1")),
            ("category", Number("0")),
            ("trust", Number("0")),
            ("tag", Bits),
            ("beneficiary", Who),
            ("callback", Who),
            ("params", Params),
            ("requester", Who),
        ],
    }
}

/// What the wallet and `deployed.json` know when a template is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The subject deployed last, of app, dataset and workerpool orders.
    pub subject: Option<Address>,
    /// The wallet; zero without.
    pub wallet: Address,
}

/// The template of a kind, editable by people.
pub fn template(kind: Kind, known: &Known) -> Value {
    let nobody = Address::ZERO.to_checksum(None);
    let wallet = known.wallet.to_checksum(None);
    let mut section = Map::new();
    for (field, form) in fields(kind) {
        let value = match form {
            Who if Some(*field) == subject(kind) => {
                json!(known.subject.map_or_else(|| nobody.clone(), checksum))
            }
            Who if matches!(*field, "requester" | "beneficiary") => json!(wallet),
            Who => json!(nobody),
            Price => json!("0"),
            Number(default) => json!(default),
            Bits => json!([]),
            Params => json!({
                "iexec_args": "",
                "iexec_input_files": [],
                "iexec_result_encryption": false,
            }),
        };
        section.insert((*field).to_owned(), value);
    }
    Value::Object(section)
}

fn checksum(address: Address) -> String {
    address.to_checksum(None)
}

const fn subject(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::App => Some("app"),
        Kind::Dataset => Some("dataset"),
        Kind::Workerpool => Some("workerpool"),
        Kind::Request => None,
    }
}

impl ProjectFile {
    /// Writes the template of a kind, replacing what was there; it comes back.
    pub fn init_order(&mut self, kind: Kind, known: &Known) -> Value {
        let template = template(kind, known);
        let orders = self.0.entry("order").or_insert_with(|| json!({}));
        if !orders.is_object() {
            *orders = json!({});
        }
        orders[name(kind)] = template.clone();
        template
    }

    /// The order of a kind, to be signed; `wallet` asks when no requester is written.
    ///
    /// # Errors
    /// [`Error::Configuration`] without the section, [`Error::Invalid`] naming the field.
    pub fn order(&self, kind: Kind, wallet: Address, salt: B256) -> Result<AnyOrder, Error> {
        let section = self
            .0
            .get("order")
            .and_then(|orders| orders.get(name(kind)));
        match section {
            Some(Value::Object(section)) => read(kind, section, wallet, salt),
            _ => Err(Error::Configuration {
                reason: format!(
                    "Missing {}. You probably forgot to run \"iexec order init --{}\"",
                    name(kind),
                    kind.name()
                ),
                hint: Some(format!("run `iexec order init --{}` first", kind.name())),
            }),
        }
    }
}

/// Reads a section.
///
/// # Errors
/// [`Error::Invalid`] naming the field.
pub fn read(
    kind: Kind,
    section: &Map<String, Value>,
    wallet: Address,
    salt: B256,
) -> Result<AnyOrder, Error> {
    let known = fields(kind);
    let stranger = section
        .keys()
        .find(|key| !known.iter().any(|(field, _)| field == key));
    if let Some(key) = stranger {
        return Err(Error::UnknownKey {
            file: FILE_NAME,
            key: format!("order.{}.{key}", name(kind)),
        });
    }
    let mut order = Map::new();
    for (field, form) in known.iter().filter(|(_, form)| *form != Params) {
        let path = format!("order.{}.{field}", name(kind));
        let written = section.get(*field).unwrap_or(&Value::Null);
        let value = read_field(&path, kind, *form, written)?;
        order.insert((*field).to_owned(), json!(value));
    }
    require_subject(kind, &order)?;
    if kind == Kind::Request {
        complete_request(section, &mut order, wallet)?;
    }
    order.insert("salt".to_owned(), json!(salt));
    order.insert("sign".to_owned(), json!("0x"));
    AnyOrder::read(kind, Value::Object(order)).map_err(|source| Error::Format {
        file: FILE_NAME,
        source,
    })
}

fn read_field(path: &str, kind: Kind, form: Form, written: &Value) -> Result<String, Error> {
    let text = match written {
        Value::Null => String::new(),
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Array(names) => names
            .iter()
            .map(|name| name.as_str().unwrap_or("?"))
            .collect::<Vec<_>>()
            .join(","),
        other => return Err(Error::invalid(path, format!("{other} is not a value"))),
    };
    Ok(match form {
        Who if text.is_empty() => Address::ZERO.to_checksum(None),
        Who => parse::address(path, &text)?.to_checksum(None),
        Price => rlc::parse(&text, "nRLC")
            .map_err(|error| Error::malformed(path, error.to_string()))?
            .to_string(),
        Number(default) if text.is_empty() => default.to_owned(),
        Number(_) => parse::integer(path, &text)?.to_string(),
        Bits => tags::read(path, kind, &text)?.to_string(),
        Params => text,
    })
}

fn require_subject(kind: Kind, order: &Map<String, Value>) -> Result<(), Error> {
    let field = subject(kind).unwrap_or("app");
    let nobody = Address::ZERO.to_checksum(None);
    match order.get(field).and_then(Value::as_str) {
        Some(address) if address != nobody => Ok(()),
        _ => Err(Error::invalid(
            format!("order.{}.{field}", name(kind)),
            "it is missing",
        )),
    }
}

/// The wallet asks unless somebody else is written, and whoever asks gets the result.
fn complete_request(
    section: &Map<String, Value>,
    order: &mut Map<String, Value>,
    wallet: Address,
) -> Result<(), Error> {
    let nobody = Address::ZERO.to_checksum(None);
    let is_left_out = |order: &Map<String, Value>, field: &str| order[field] == json!(nobody);
    if is_left_out(order, "requester") {
        order.insert("requester".to_owned(), json!(wallet.to_checksum(None)));
    }
    if is_left_out(order, "beneficiary") {
        order.insert("beneficiary".to_owned(), order["requester"].clone());
    }
    let params = match section.get("params") {
        None | Some(Value::Null) => "{}".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    let tag = Tag::parse(order["tag"].as_str().unwrap_or_default())?;
    let has_callback = !is_left_out(order, "callback");
    let params = params_text(&params, tag, has_callback)?;
    order.insert("params".to_owned(), json!(params));
    Ok(())
}

#[cfg(test)]
mod tests;
