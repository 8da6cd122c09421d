//! HTTP calls with limits and the official error texts (spec/client.md §3.1).

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::{
    Client, Method, RequestBuilder, Response, StatusCode, header,
    multipart::{Form, Part},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Error, error::Api};

/// Bytes of a JSON answer: a full page of orders is far smaller.
const JSON_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A service that does not accept a connection in this time is down.
const CONNECT_TIMEOUT_MS: u64 = 5_000;
/// Silence in the middle of an answer for longer than this is a lost connection; longer than the
/// keep-alive period of event streams.
const READ_TIMEOUT_MS: u64 = 60_000;
/// Answers of a secret manager are a few bytes: one that takes longer, in all, is not there.
const SMS_TIMEOUT_MS: u64 = 20_000;

/// A client for all services. Cheap clone.
#[derive(Clone, Debug)]
pub(crate) struct Http(Client);

/// What to ask.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) api: Api,
    pub(crate) method: Method,
    /// Configured URL; unlike upstream, a path in it is kept.
    pub(crate) base: &'a str,
    pub(crate) path: String,
    pub(crate) query: Vec<(&'static str, String)>,
    /// The `Authorization` header.
    pub(crate) token: Option<String>,
    pub(crate) body: Body,
}

/// What to send.
#[derive(Debug)]
pub(crate) enum Body {
    Empty,
    Json(Value),
    Text(String),
    /// The field `file` of a form.
    File(Vec<u8>),
}

impl<'a> Call<'a> {
    pub(crate) fn get(api: Api, base: &'a str, path: impl Into<String>) -> Self {
        Self::new(Method::GET, api, base, path)
    }

    pub(crate) fn new(method: Method, api: Api, base: &'a str, path: impl Into<String>) -> Self {
        let (path, query) = (path.into(), Vec::new());
        Self {
            api,
            method,
            base,
            path,
            query,
            token: None,
            body: Body::Empty,
        }
    }

    pub(crate) fn query(mut self, key: &'static str, value: impl ToString) -> Self {
        self.query.push((key, value.to_string()));
        self
    }

    pub(crate) fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    pub(crate) fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    fn url(&self) -> Result<url::Url, Error> {
        let text = format!("{}{}", self.base.trim_end_matches('/'), self.path);
        let mut url = url::Url::parse(&text)
            .map_err(|error| self.error(format!("`{text}` is not a URL: {error}")))?;
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Ok(url)
    }

    fn error(&self, message: String) -> Error {
        Error::Api {
            api: self.api,
            message,
        }
    }
}

impl Http {
    pub(crate) fn new() -> Result<Self, Error> {
        Client::builder()
            .connect_timeout(Duration::from_millis(CONNECT_TIMEOUT_MS))
            .read_timeout(Duration::from_millis(READ_TIMEOUT_MS))
            .build()
            .map(Self)
            .map_err(|error| Error::Configuration {
                reason: error.to_string(),
                hint: None,
            })
    }

    fn request(&self, call: &Call<'_>, accept: &str) -> Result<RequestBuilder, Error> {
        let mut request = self
            .0
            .request(call.method.clone(), call.url()?)
            .header(header::ACCEPT, accept);
        if call.api == Api::Sms {
            request = request.timeout(Duration::from_millis(SMS_TIMEOUT_MS));
        }
        if let Some(token) = &call.token {
            request = request.header(header::AUTHORIZATION, token);
        }
        Ok(match &call.body {
            Body::Empty => request,
            Body::Json(value) => request.json(value),
            Body::Text(text) => request
                .header(header::CONTENT_TYPE, "text/plain")
                .body(text.clone()),
            Body::File(bytes) => {
                let part = Part::bytes(bytes.clone()).file_name("file");
                request.multipart(Form::new().part("file", part))
            }
        })
    }

    /// Sends the call; any status is an answer.
    pub(crate) async fn send(&self, call: &Call<'_>, accept: &str) -> Result<Response, Error> {
        let request = self.request(call, accept)?;
        let failed = |error: reqwest::Error| {
            let base = call.base;
            call.error(format!(
                "Connection to {base} failed: {}",
                innermost(&error)
            ))
        };
        request.send().await.map_err(failed)
    }

    /// A JSON answer; `None` for 404.
    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
    ) -> Result<Option<T>, Error> {
        let response = self.send(call, "application/json").await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let response = success(call, response).await?;
        let bytes = read(call, response, JSON_BYTES_MAX).await?;
        let value = serde_json::from_slice(&bytes)
            .map_err(|error| call.error(format!("the answer is not what it should be: {error}")))?;
        Ok(Some(value))
    }

    /// The bytes of an answer, at most `max`.
    pub(crate) async fn bytes(
        &self,
        call: &Call<'_>,
        accept: &str,
        max: usize,
    ) -> Result<Vec<u8>, Error> {
        let response = self.send(call, accept).await?;
        let response = success(call, response).await?;
        read(call, response, max).await
    }
}

/// The answer, or the error it stands for: the JSON field `error`, else the status line.
pub(crate) async fn success(call: &Call<'_>, response: Response) -> Result<Response, Error> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let base = call.base;
    if status.is_server_error() {
        return Err(call.error(format!("Server at {base} encountered an internal error")));
    }
    let bytes = read(call, response, JSON_BYTES_MAX)
        .await
        .unwrap_or_default();
    let stated = serde_json::from_slice::<Value>(&bytes).ok();
    let stated = stated
        .as_ref()
        .and_then(|value| value.get("error")?.as_str());
    if let (Api::Market, Some(stated)) = (call.api, stated) {
        return Err(Error::MarketRefused(stated.to_owned()));
    }
    Err(call.error(stated.map_or_else(|| format!("{base} answered {status}"), str::to_owned)))
}

/// The bytes of an answer that is small if it is what it should be.
pub(crate) async fn body(call: &Call<'_>, response: Response) -> Result<Vec<u8>, Error> {
    read(call, response, JSON_BYTES_MAX).await
}

/// The beginning of an answer, at most `max` bytes, and whether that is all of it.
pub(crate) async fn beginning(
    call: &Call<'_>,
    response: Response,
    max: usize,
) -> Result<(Vec<u8>, bool), Error> {
    let mut stream = response.bytes_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| broken_off(call, &error))?;
        let room = max - bytes.len();
        bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            return Ok((bytes, false));
        }
    }
    Ok((bytes, true))
}

fn broken_off(call: &Call<'_>, error: &reqwest::Error) -> Error {
    call.error(format!("the answer broke off: {}", innermost(error)))
}

async fn read(call: &Call<'_>, response: Response, max: usize) -> Result<Vec<u8>, Error> {
    let mut body = response.bytes_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| broken_off(call, &error))?;
        if bytes.len() + chunk.len() > max {
            return Err(call.error(format!("the answer is larger than {max} bytes")));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The last cause: "connection refused" says more than "error sending request".
pub(crate) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_configured_urls_are_kept() {
        let call = Call::get(Api::Market, "http://h/base/", "/apporders").query("app", "a b");
        assert_eq!(
            call.url().unwrap().as_str(),
            "http://h/base/apporders?app=a+b"
        );
        let call = Call::get(Api::Sms, "http://h/base", "/x");
        assert_eq!(call.url().unwrap().as_str(), "http://h/base/x");
        assert!(Call::get(Api::Sms, "nonsense", "/x").url().is_err());
    }

    /// Others send archives and event streams, which may take as long as they do.
    #[test]
    fn only_a_secret_manager_has_a_time_limit_for_all_of_its_answer() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Http::new().unwrap();
        let limit = |api| {
            let request = http.request(&Call::get(api, "http://h", "/x"), "*/*");
            let request = request.unwrap().build().unwrap();
            request.timeout().copied()
        };
        assert_eq!(limit(Api::Sms), Some(Duration::from_millis(SMS_TIMEOUT_MS)));
        assert_eq!(limit(Api::IpfsGateway), None);
    }
}
