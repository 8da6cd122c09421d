//! A value on its way in, and the signature that comes with it.

use axum::{
    extract::{FromRequest, Request, rejection::BytesRejection},
    http::{StatusCode, header::AUTHORIZATION},
};
use bytes::Bytes;
use protocol::{Address, B256, Signature};

use super::refusal::Refusal;
use crate::{SECRET_BYTES_MAX, Value};

/// Body and `Authorization` of a push. The content type does not matter: Java clients send JSON
/// with the bare value, the SDK text.
pub(super) struct Submission {
    value: Value,
    authorization: String,
}

impl Submission {
    /// Takes both out of a request.
    pub(super) async fn of(request: Request) -> Result<Self, Refusal> {
        let authorization = request.headers().get(AUTHORIZATION);
        let authorization = authorization.ok_or(Refusal::Malformed("Missing authorization"))?;
        let authorization = authorization.to_str().unwrap_or_default().to_owned();
        let body = Bytes::from_request(request, &()).await.map_err(unread)?;
        if body.is_empty() {
            return Err(Refusal::Malformed("Missing secret"));
        }
        let text = String::from_utf8(body.into());
        let text = text.map_err(|_| Refusal::Malformed("Secret is not UTF-8 text"))?;
        Ok(Self {
            value: Value::new(text),
            authorization,
        })
    }

    /// Who signed (EIP-191) the digest that `digest` makes of the value.
    pub(super) fn signer(&self, digest: impl FnOnce(&str) -> B256) -> Result<Address, Refusal> {
        let signature: Signature = self
            .authorization
            .parse()
            .map_err(|_| Refusal::Unauthorized)?;
        let digest = digest(self.value.expose());
        signature
            .recover_address_from_msg(digest)
            .map_err(|_| Refusal::Unauthorized)
    }

    /// The value, if it is not too long; else `status` is the answer.
    pub(super) fn fitting(self, status: StatusCode) -> Result<Value, Refusal> {
        match self.value.expose().len() {
            0..=SECRET_BYTES_MAX => Ok(self.value),
            _ => Err(Refusal::TooLarge(status)),
        }
    }
}

fn unread(rejection: BytesRejection) -> Refusal {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::TooLarge(StatusCode::PAYLOAD_TOO_LARGE),
        _ => Refusal::Malformed("Missing secret"),
    }
}
