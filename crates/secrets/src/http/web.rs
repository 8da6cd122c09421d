//! `/secrets/web3` (dataset keys) and `/secrets/web2` (named secrets of a wallet).

use std::sync::Arc;

use axum::{
    extract::{Query, Request, State},
    http::StatusCode,
};
use protocol::{Address, sms};
use serde::Deserialize;

use super::{
    insert, present,
    refusal::{Bare, Refusal},
    submission::{Accepted, Submission},
    update,
};
use crate::{Slot, service::Shared};

type Answer = Result<StatusCode, Bare>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Web3 {
    secret_address: Address,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Web2 {
    owner_address: Address,
    secret_name: String,
}

impl Web2 {
    fn slot(&self) -> Result<Slot, Refusal> {
        let slot = Slot::web2(self.owner_address, &self.secret_name);
        slot.ok_or(Refusal::Malformed("Invalid secret name"))
    }
}

pub(super) async fn web3_exists(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<Web3>,
) -> Answer {
    Ok(present(&shared, &Slot::dataset(query.secret_address)).await?)
}

/// Only the dataset's owner of today may set the key, once.
pub(super) async fn push_web3(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<Web3>,
    request: Request,
) -> Answer {
    let dataset = query.secret_address;
    let submission = Submission::of(request).await?;
    let signer = submission.signer(|value| sms::dataset(dataset, value))?;
    if shared.ledger.owner_of(dataset).await? != Some(signer) {
        return Err(Refusal::Unauthorized.into());
    }
    let push = submission.fitting(signer, StatusCode::PAYLOAD_TOO_LARGE)?;
    Ok(insert(&shared, Slot::dataset(dataset), push).await?)
}

pub(super) async fn web2_exists(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<Web2>,
) -> Answer {
    Ok(present(&shared, &query.slot()?).await?)
}

pub(super) async fn push_web2(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<Web2>,
    request: Request,
) -> Answer {
    let push = web2_value(&query, request).await?;
    Ok(insert(&shared, query.slot()?, push).await?)
}

/// The only kind of secret that can be replaced.
pub(super) async fn update_web2(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<Web2>,
    request: Request,
) -> Answer {
    let push = web2_value(&query, request).await?;
    Ok(update(&shared, query.slot()?, push).await?)
}

/// The name is signed as sent, although its case does not matter afterwards.
async fn web2_value(query: &Web2, request: Request) -> Result<Accepted, Refusal> {
    let owner = query.owner_address;
    let submission = Submission::of(request).await?;
    let signer = submission.signer(|value| sms::named(owner, &query.secret_name, value))?;
    if signer != owner {
        return Err(Refusal::Unauthorized);
    }
    submission.fitting(signer, StatusCode::PAYLOAD_TOO_LARGE)
}
