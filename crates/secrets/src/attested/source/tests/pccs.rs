//! A service that publishes collateral, in the form of Intel's.

use std::sync::{Arc, Mutex};

use attest::Collateral;
use axum::{
    Router,
    extract::State,
    http::{HeaderName, Response, StatusCode, Uri},
    response::IntoResponse,
};
use serde_json::Value as Json;

/// What one fetch asks for.
pub(super) const REQUESTS: usize = 4;

pub(super) type Spoil = fn(&str, &mut Reply);

/// A running one.
pub(super) struct Pccs {
    pub(super) url: String,
    shown: Arc<Mutex<Shown>>,
}

#[derive(Default)]
struct Shown {
    collateral: Option<Collateral>,
    asked: Vec<String>,
    spoil: Option<Spoil>,
}

/// An answer before it is sent.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    pub(super) issuers: Option<String>,
    header: &'static str,
}

impl Reply {
    /// Where the path has `place`, puts `new` for `old`, which must be there.
    pub(super) fn replace(&mut self, path: &str, place: &str, old: &str, new: &str) {
        if path.contains(place) {
            let text = std::str::from_utf8(&self.body).unwrap();
            assert!(text.contains(old), "{text}");
            self.body = text.replace(old, new).into_bytes();
        }
    }

    fn of(path: &str, collateral: &Collateral) -> Self {
        let json = serde_json::to_value(collateral).unwrap();
        let (header, body, issuers) = match path {
            _ if path.contains("/tcb?") => {
                let body = signed("tcbInfo", &json, "tcb_info");
                ("TCB-Info-Issuer-Chain", body, "tcb_info_issuer_chain")
            }
            _ if path.ends_with("/identity") => {
                let body = signed("enclaveIdentity", &json, "qe_identity");
                let header = "SGX-Enclave-Identity-Issuer-Chain";
                (header, body, "qe_identity_issuer_chain")
            }
            _ if path.contains("/pckcrl?") => {
                let body = hex::decode(text(&json, "pck_crl")).unwrap();
                ("SGX-PCK-CRL-Issuer-Chain", body, "pck_crl_issuer_chain")
            }
            // Caches say this one in hexadecimal.
            _ => ("X-None", text(&json, "root_ca_crl").into(), "pck_crl"),
        };
        Self {
            status: 200,
            body,
            issuers: Some(escaped(text(&json, issuers))),
            header,
        }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> axum::response::Response {
        let mut response = Response::new(self.body.into());
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap();
        if let Some(issuers) = self.issuers {
            let header = HeaderName::try_from(self.header).unwrap();
            response
                .headers_mut()
                .insert(header, issuers.try_into().unwrap());
        }
        response
    }
}

fn text<'a>(json: &'a Json, field: &str) -> &'a str {
    json[field].as_str().unwrap()
}

fn signed(name: &str, json: &Json, field: &str) -> Vec<u8> {
    let (document, signature) = (text(json, field), format!("{field}_signature"));
    let signature = text(json, &signature);
    format!(r#"{{"{name}":{document},"signature":"{signature}"}}"#).into_bytes()
}

fn escaped(text: &str) -> String {
    let pairs = [("+", "%2B"), (" ", "%20"), ("\n", "%0A"), ("\r", "%0D")];
    let escape = |text: String, (from, to): (&str, &str)| text.replace(from, to);
    pairs.into_iter().fold(text.replace('%', "%25"), escape)
}

async fn answer(State(shown): State<Arc<Mutex<Shown>>>, uri: Uri) -> axum::response::Response {
    let mut shown = shown.lock().unwrap();
    let path = uri.to_string();
    shown.asked.push(path.clone());
    let Some(collateral) = &shown.collateral else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let mut reply = Reply::of(&path, collateral);
    if let Some(spoil) = shown.spoil {
        spoil(&path, &mut reply);
    }
    reply.into_response()
}

impl Pccs {
    /// One that has nothing yet.
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shown: Arc<Mutex<Shown>> = Arc::default();
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&shown));
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { url, shown }
    }

    /// From now on it publishes this; without it, it is down.
    pub(super) fn show(&self, collateral: Option<Collateral>) {
        self.shown.lock().unwrap().collateral = collateral;
    }

    pub(super) fn spoil(&self, spoil: Option<Spoil>) {
        self.shown.lock().unwrap().spoil = spoil;
    }

    /// Paths in the order in which they were asked for.
    pub(super) fn asked(&self) -> Vec<String> {
        self.shown.lock().unwrap().asked.clone()
    }
}
