//! The query of a URL.

use std::collections::HashMap;

use protocol::{Address, B256};
use serde_json::Value;

use super::{INTEGER_MAX, Invalid, number, required, value};

/// Query parameters; of a repeated one, the last counts.
#[derive(Debug, Default, Clone)]
pub(crate) struct Params(HashMap<String, String>);

/// Whom a filter wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The parameter is missing.
    Absent,
    /// The word `any`.
    Any,
    /// This one.
    One(Address),
}

impl Params {
    #[cfg(test)]
    pub(crate) fn of(pairs: &[(&str, &str)]) -> Self {
        let owned = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
        Self(pairs.iter().map(owned).collect())
    }

    fn value(&self, field: &str) -> Option<Value> {
        self.0.get(field).cloned().map(Value::String)
    }

    /// Checks that the query asks for the chain that is served.
    pub(crate) fn expect_chain(&self, served: u64) -> Result<(), Invalid> {
        let asked = self.0.get("chainId").ok_or_else(|| required("chainId"))?;
        if *asked == served.to_string() {
            return Ok(());
        }
        Err(Invalid(format!("chainId {asked} is not supported")))
    }

    pub(crate) fn address(&self, field: &str) -> Result<Option<Address>, Invalid> {
        let value = self.value(field);
        value.map(|v| value::address(field, &v)).transpose()
    }

    pub(crate) fn wanted(&self, field: &str) -> Result<Wanted, Invalid> {
        match self.value(field) {
            None => Ok(Wanted::Absent),
            Some(Value::String(text)) if text == "any" => Ok(Wanted::Any),
            Some(value) => value::address(field, &value)
                .map(Wanted::One)
                .map_err(|_| neither(field)),
        }
    }

    pub(crate) fn bytes32(&self, field: &str) -> Result<Option<B256>, Invalid> {
        let value = self.value(field);
        value.map(|v| value::bytes32(field, &v)).transpose()
    }

    pub(crate) fn boolean(&self, field: &str) -> Result<bool, Invalid> {
        let value = self.0.get(field);
        value.map_or(Ok(false), |text| value::boolean(field, text))
    }

    pub(crate) fn integer(&self, field: &str, min: u64) -> Result<Option<u64>, Invalid> {
        self.bounded(field, min, INTEGER_MAX)
    }

    pub(crate) fn bounded(&self, field: &str, min: u64, max: u64) -> Result<Option<u64>, Invalid> {
        let value = self.value(field);
        value
            .map(|v| number::integer(field, &v, min, max))
            .transpose()
    }
}

impl From<HashMap<String, String>> for Params {
    fn from(params: HashMap<String, String>) -> Self {
        Self(params)
    }
}

fn neither(field: &str) -> Invalid {
    Invalid(format!(
        "{field} is neither \"any\" nor a valid ethereum address"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_chain_is_served() {
        let answer = |pairs: &[(&str, &str)]| Params::of(pairs).expect_chain(65535);
        assert_eq!(answer(&[("chainId", "65535")]), Ok(()));
        for (pairs, message) in [
            (&[][..], "chainId is a required field"),
            (&[("chainId", "1")][..], "chainId 1 is not supported"),
            (&[("chainId", "")][..], "chainId  is not supported"),
        ] {
            assert_eq!(answer(pairs).unwrap_err().0, message);
        }
    }

    #[test]
    fn any_is_a_word() {
        let params = Params::of(&[("app", "any"), ("dataset", "0x12")]);
        assert_eq!(params.wanted("app"), Ok(Wanted::Any));
        assert_eq!(params.wanted("requester"), Ok(Wanted::Absent));
        assert_eq!(
            params.wanted("dataset").unwrap_err().0,
            "dataset is neither \"any\" nor a valid ethereum address"
        );
    }
}
