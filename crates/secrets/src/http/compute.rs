//! Secrets that an app finds in its environment: the developer's and the requester's.

use std::sync::Arc;

use axum::{
    extract::{Path, Request, State},
    http::StatusCode,
};
use protocol::{Address, sms};

use super::{
    insert, present,
    refusal::{Refusal, Told},
    submission::Submission,
};
use crate::{Slot, service::Shared, slot::APP_INDEX};

const BAD_ADDRESS: Refusal = Refusal::Malformed("Invalid address");
const BAD_INDEX: Refusal = Refusal::Malformed("Secret index should be 1");
const BAD_NAME: Refusal =
    Refusal::Malformed("Secret key should contain at most 64 characters from [0-9A-Za-z-_]");

type Answer = Result<StatusCode, Told>;

pub(super) async fn app_exists(
    State(shared): State<Arc<Shared>>,
    Path(app): Path<String>,
) -> Answer {
    Ok(present(&shared, &Slot::app(address(&app)?)).await?)
}

/// Only the app's owner of today may set the secret, once.
pub(super) async fn push_app(
    State(shared): State<Arc<Shared>>,
    Path(app): Path<String>,
    request: Request,
) -> Answer {
    let app = address(&app)?;
    let submission = Submission::of(request).await?;
    let signer = submission.signer(|value| sms::app(app, value))?;
    if shared.ledger.owner_of(app).await? != Some(signer) {
        return Err(Refusal::Unauthorized.into());
    }
    let push = submission.fitting(signer, StatusCode::PAYLOAD_TOO_LARGE)?;
    Ok(insert(&shared, Slot::app(app), push).await?)
}

/// The older spelling, with the index of the only slot.
pub(super) async fn app_slot_exists(
    shared: State<Arc<Shared>>,
    Path((app, index)): Path<(String, String)>,
) -> Answer {
    if index != APP_INDEX {
        return Err(Refusal::NotFound.into());
    }
    app_exists(shared, Path(app)).await
}

pub(super) async fn push_app_slot(
    shared: State<Arc<Shared>>,
    Path((app, index)): Path<(String, String)>,
    request: Request,
) -> Answer {
    if index != APP_INDEX {
        return Err(BAD_INDEX.into());
    }
    push_app(shared, Path(app), request).await
}

pub(super) async fn requester_exists(
    State(shared): State<Arc<Shared>>,
    Path((requester, name)): Path<(String, String)>,
) -> Answer {
    let slot = Slot::requester(address(&requester)?, &name).ok_or(BAD_NAME)?;
    Ok(present(&shared, &slot).await?)
}

/// A value that is too long is 400 here and 413 everywhere else, as upstream.
pub(super) async fn push_requester(
    State(shared): State<Arc<Shared>>,
    Path((requester, name)): Path<(String, String)>,
    request: Request,
) -> Answer {
    let requester = address(&requester)?;
    let submission = Submission::of(request).await?;
    let signer = submission.signer(|value| sms::named(requester, &name, value))?;
    if signer != requester {
        return Err(Refusal::Unauthorized.into());
    }
    let slot = Slot::requester(requester, &name).ok_or(BAD_NAME)?;
    let push = submission.fitting(signer, StatusCode::BAD_REQUEST)?;
    Ok(insert(&shared, slot, push).await?)
}

fn address(text: &str) -> Result<Address, Refusal> {
    text.parse().map_err(|_| BAD_ADDRESS)
}
