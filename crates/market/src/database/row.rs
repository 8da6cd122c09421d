//! Rows as records.

use protocol::order::Kind;
use serde_json::{Map, Value};
use sqlx::{Row, any::AnyRow};

use crate::{Error, order::Terms, record::Record};

/// Why a row cannot be read.
pub(super) fn damaged<E>(what: &'static str) -> impl Fn(E) -> Error {
    move |_| Error::Damaged { what }
}

pub(super) fn text(row: &AnyRow, column: &str) -> Result<String, Error> {
    row.try_get(column).map_err(damaged("text column"))
}

pub(super) fn unsigned(row: &AnyRow, column: &str) -> Result<u64, Error> {
    let value: i64 = row.try_get(column).map_err(damaged("number column"))?;
    u64::try_from(value).map_err(damaged("number column"))
}

/// Numbers of the market are below 2^53, so they fit.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn parsed<T: std::str::FromStr>(row: &AnyRow, column: &str) -> Result<T, Error> {
    text(row, column)?.parse().map_err(damaged("text column"))
}

pub(super) fn kind(name: &str) -> Result<Kind, Error> {
    Kind::ALL
        .into_iter()
        .find(|kind| kind.name() == name)
        .ok_or(Error::Damaged { what: "kind" })
}

pub(super) fn record(row: &AnyRow) -> Result<Record, Error> {
    let kind = kind(&text(row, "kind")?)?;
    let body: Map<String, Value> =
        serde_json::from_str(&text(row, "body")?).map_err(damaged("body"))?;
    Ok(Record {
        kind,
        hash: parsed(row, "hash")?,
        terms: Terms::of(kind, &body),
        body,
        signer: parsed(row, "signer")?,
        remaining: unsigned(row, "remaining")?,
        status: parsed(row, "status")?,
        published_ms: row.try_get("published").map_err(damaged("time"))?,
        seen: unsigned(row, "seen")?,
    })
}
