//! Positional parameters of a request.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::RpcError;

/// The `params` of one request, read by position.
#[derive(Debug)]
pub(crate) struct Params(Vec<Value>);

impl Params {
    pub(crate) fn new(params: Value) -> Result<Self, RpcError> {
        match params {
            Value::Null => Ok(Self(Vec::new())),
            Value::Array(values) => Ok(Self(values)),
            _ => Err(RpcError::params("params must be an array")),
        }
    }

    /// The parameter at `index`, which must be there.
    pub(crate) fn get<T: DeserializeOwned>(&mut self, index: usize) -> Result<T, RpcError> {
        let missing = || RpcError::params(format!("missing value for required argument {index}"));
        self.opt(index)?.ok_or_else(missing)
    }

    /// The parameter at `index`; `null` counts as absent.
    pub(crate) fn opt<T: DeserializeOwned>(&mut self, index: usize) -> Result<Option<T>, RpcError> {
        let invalid = |error| RpcError::params(format!("invalid argument {index}: {error}"));
        match self.0.get_mut(index).map(Value::take) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => serde_json::from_value(value).map(Some).map_err(invalid),
        }
    }

    /// A number of seconds, blocks or the like, written as a number, decimal or `0x` string.
    pub(crate) fn number(&mut self, index: usize) -> Result<Option<u64>, RpcError> {
        let invalid = || RpcError::params(format!("invalid argument {index}: not a number"));
        match self.opt::<Value>(index)? {
            None => Ok(None),
            Some(Value::Number(number)) => number.as_u64().map(Some).ok_or_else(invalid),
            Some(Value::String(text)) => match text.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16),
                None => text.parse(),
            }
            .map(Some)
            .map_err(|_| invalid()),
            Some(_) => Err(invalid()),
        }
    }
}
