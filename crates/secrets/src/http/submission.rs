//! A value on its way in, and the signature that comes with it.

use axum::{
    extract::{FromRequest, Request, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
};
use bytes::Bytes;
use protocol::{Address, B256, Signature};

use super::refusal::Refusal;
use crate::{SECRET_BYTES_MAX, Value, accepted::Mark};

/// Characters of a request's id that are taken from outside: more than any proxy makes.
const REQUEST_ID_CHARS_MAX: usize = 64;

/// Body and `Authorization` of a push. The content type does not matter: Java clients send JSON
/// with the bare value, the SDK text.
pub(super) struct Submission {
    value: Value,
    authorization: String,
    request: String,
}

/// A value that may be stored, and what the audit log tells of who sent it.
pub(super) struct Accepted {
    pub(super) value: Value,
    pub(super) signer: Address,
    pub(super) mark: Mark,
    pub(super) request: String,
}

impl Submission {
    /// Takes both out of a request.
    pub(super) async fn of(request: Request) -> Result<Self, Refusal> {
        let id = request_id(request.headers());
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
            request: id,
        })
    }

    /// Who signed (EIP-191) the digest that `digest` makes of the value.
    pub(super) fn signer(&self, digest: impl FnOnce(&str) -> B256) -> Result<Address, Refusal> {
        let digest = digest(self.value.expose());
        self.signature()?
            .recover_address_from_msg(digest)
            .map_err(|_| Refusal::Unauthorized)
    }

    fn signature(&self) -> Result<Signature, Refusal> {
        let signature = self.authorization.parse();
        signature.map_err(|_| Refusal::Unauthorized)
    }

    /// The value of `signer`, if it is not too long; else `status` is the answer.
    pub(super) fn fitting(self, signer: Address, status: StatusCode) -> Result<Accepted, Refusal> {
        let mark = Mark::of(&self.signature()?);
        match self.value.expose().len() {
            0..=SECRET_BYTES_MAX => Ok(Accepted {
                mark,
                value: self.value,
                signer,
                request: self.request,
            }),
            _ => Err(Refusal::TooLarge(status)),
        }
    }
}

/// The id that a proxy or a client gave the request, if it is a harmless one; else a random one.
pub(super) fn request_id(headers: &HeaderMap) -> String {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let given = headers.get("x-request-id").map(|id| id.as_bytes());
    let given = given.filter(|id| (1..=REQUEST_ID_CHARS_MAX).contains(&id.len()));
    match given.filter(|id| id.iter().copied().all(allowed)) {
        Some(id) => String::from_utf8_lossy(id).into_owned(),
        None => hex::encode(rand::random::<[u8; 8]>()),
    }
}

fn unread(rejection: BytesRejection) -> Refusal {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::TooLarge(StatusCode::PAYLOAD_TOO_LARGE),
        _ => Refusal::Malformed("Missing secret"),
    }
}
