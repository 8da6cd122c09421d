//! The login of the result proxy that the SDK before 9 makes for `storage init`
//! (spec/client.md Appendix B): the token proves a wallet and is kept with the secret manager.
//! Uploads need none of it here, as workers prove who they are themselves.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Query, State, rejection::BytesRejection},
};
use bytes::Bytes;
use protocol::{
    Address,
    challenge::{Audience, Token},
};
use serde::Deserialize;
use serde_json::Value;

use super::now_s;
use crate::{Error, service::Shared};

/// How long the challenge of a wallet stays the same; it is good for one more such period.
const CHALLENGE_PERIOD_S: u64 = 30 * 60;

/// Both are read as text, so that what is wrong with them can be told.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Login {
    chain_id: Option<String>,
    address: Option<String>,
}

impl Login {
    fn chain_id(&self) -> Result<u64, Error> {
        let text = self.chain_id.as_deref().unwrap_or_default();
        let id = text.parse();
        id.map_err(|_| Error::bad_request("chainId is not a number"))
    }

    fn address(&self) -> Result<Address, Error> {
        let text = self.address.as_deref().unwrap_or_default();
        let address = text.parse();
        address.map_err(|_| Error::bad_request("address is not a valid ethereum address"))
    }
}

/// `GET /results/challenge?chainId&address`: typed data to sign, not wrapped.
pub(super) async fn challenge(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<Login>,
) -> Result<Json<Value>, Error> {
    let (chain_id, address) = (query.chain_id()?, query.address()?);
    let text = shared.tokens.challenge(address, period());
    Ok(Json(Audience::ResultProxy.typed_data(chain_id, &text)))
}

/// `POST /results/login?chainId`: the token for whoever signed its challenge. The body is the
/// authorization itself.
pub(super) async fn login(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<Login>,
    body: Result<Bytes, BytesRejection>,
) -> Result<String, Error> {
    let chain_id = query.chain_id()?;
    let body = body.map_err(|error| Error::bad_request(error.body_text()))?;
    let text = std::str::from_utf8(&body).map_err(|_| Error::Token)?;
    let token = Token::parse(text).map_err(|_| Error::Token)?;
    let now = period();
    let is_proved = [now, now.saturating_sub(1)].into_iter().any(|period| {
        let text = shared.tokens.challenge(token.address, period);
        token.proves(Audience::ResultProxy.hash(chain_id, &text))
    });
    match is_proved {
        true => Ok(shared.tokens.login(token.address)),
        false => Err(Error::Token),
    }
}

fn period() -> u64 {
    now_s() / CHALLENGE_PERIOD_S
}
