//! The document, made from one list of operations.

use axum::{body::Body, http::Request};
use protocol::order::Kind;
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;

use super::DOCUMENT;
use crate::testing::{Bench, CHAIN_ID};

/// One operation: verb, path, what it does, query parameters, members of the good answer beside
/// `ok`.
struct Operation {
    verb: &'static str,
    path: String,
    summary: String,
    query: Vec<&'static str>,
    answer: Vec<String>,
}

const PAGING: [&str; 3] = ["pageIndex", "pageSize", "page"];
const TAGS: [&str; 3] = ["minTag", "maxTag", "minVolume"];
const DEALS: [&str; 13] = [
    "category",
    "requester",
    "beneficiary",
    "app",
    "dataset",
    "workerpool",
    "appOwner",
    "datasetOwner",
    "workerpoolOwner",
    "apporderHash",
    "datasetorderHash",
    "workerpoolorderHash",
    "requestorderHash",
];

/// What of a book's list is asked for by its own parameters.
const fn filters(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::App => &[
            "app",
            "appOwner",
            "dataset",
            "isDatasetStrict",
            "workerpool",
            "isWorkerpoolStrict",
            "requester",
            "isRequesterStrict",
        ],
        Kind::Dataset => &[
            "dataset",
            "datasetOwner",
            "app",
            "isAppStrict",
            "workerpool",
            "isWorkerpoolStrict",
            "requester",
            "isRequesterStrict",
            "bulkOnly",
        ],
        Kind::Workerpool => &[
            "workerpool",
            "workerpoolOwner",
            "app",
            "isAppStrict",
            "dataset",
            "isDatasetStrict",
            "requester",
            "isRequesterStrict",
            "category",
            "minTrust",
        ],
        Kind::Request => &[
            "app",
            "dataset",
            "requester",
            "beneficiary",
            "workerpool",
            "isWorkerpoolStrict",
            "category",
            "maxTrust",
        ],
    }
}

fn get(path: &str, summary: &str, query: &[&'static str], answer: &[&str]) -> Operation {
    Operation {
        verb: "get",
        path: path.to_owned(),
        summary: summary.to_owned(),
        query: query.to_vec(),
        answer: answer.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn operations() -> Vec<Operation> {
    let deals = [&DEALS[..], &PAGING].concat();
    let times = [&["minWorkClockTimeRef", "maxWorkClockTimeRef"][..], &PAGING].concat();
    let list = |name| [name, "count", "nextPage"];
    let mut all = vec![
        get("/version", "The version of this market", &[], &["version"]),
        get(
            "/metrics",
            "Open orders, and how far the chain was read",
            &["chainId"],
            &[
                "lastBlock",
                "checkpointBlock",
                "apporders",
                "datasetorders",
                "workerpoolorders",
                "requestorders",
            ],
        ),
        get(
            "/challenge",
            "Words for a wallet to sign (EIP-712)",
            &["chainId", "address"],
            &["data"],
        ),
        get(
            "/events",
            "Live events (text/event-stream), after `since`",
            &["chainId", "since"],
            &[],
        ),
        get("/deals", "Deals, the newest first", &deals, &list("deals")),
        get("/deals/{id}", "A deal", &["chainId"], &["dealid"]),
        get(
            "/ohlc",
            "Prices of a category's newest deals",
            &["chainId", "category"],
            &["ohlc"],
        ),
        get(
            "/categories",
            "Categories, the shortest first",
            &times,
            &list("categories"),
        ),
        get("/categories/{id}", "A category", &["chainId"], &["catid"]),
    ];
    all.extend(Kind::ALL.into_iter().flat_map(of_book));
    all
}

fn of_book(kind: Kind) -> [Operation; 4] {
    let name = kind.name();
    let path = format!("/{name}orders");
    let query = [&["chainId"][..], filters(kind), &TAGS, &PAGING].concat();
    let change = |verb, summary: String, answer: &str| Operation {
        verb,
        path: path.clone(),
        summary,
        query: vec!["chainId"],
        answer: vec![answer.to_owned()],
    };
    [
        get(
            &path,
            &format!("Open {name}orders that match"),
            &query,
            &["orders", "count", "nextPage"],
        ),
        get(
            &format!("{path}/{{hash}}"),
            &format!("A {name}order of any status"),
            &["chainId"],
            &[
                "orderHash",
                "order",
                "remaining",
                "status",
                "publicationTimestamp",
                "signer",
            ],
        ),
        change("post", format!("Publish a {name}order"), "published"),
        change("put", format!("Take {name}orders back"), "unpublished"),
    ]
}

/// The whole document.
fn openapi() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations() {
        let path = paths
            .entry(operation.path.clone())
            .or_insert_with(|| json!({}));
        path[operation.verb] = operation.shown();
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "iExec market",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The order book: signed orders, deals and categories of one chain. \
                Good answers have `ok: true`; failures are `{\"ok\": false, \"error\": \"…\"}`.",
        },
        "paths": paths,
        "components": { "securitySchemes": { "challenge": {
            "type": "apiKey", "in": "header", "name": "authorization",
            "description": "`<hash>_<signature>_<address>` of a challenge, good for one request",
        } } },
    })
}

impl Operation {
    fn shown(&self) -> Value {
        let named = self
            .path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let in_path = named.map(|name| {
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
        });
        let in_query = self.query.iter().map(|name| parameter(name));
        let mut shown = json!({
            "summary": self.summary,
            "parameters": in_path.chain(in_query).collect::<Vec<_>>(),
            "responses": self.responses(),
        });
        if self.verb != "get" {
            shown["security"] = json!([{ "challenge": [] }]);
            let body = json!({ "type": "object" });
            shown["requestBody"] = json!({ "content": { "application/json": { "schema": body } } });
        }
        shown
    }

    fn responses(&self) -> Value {
        let member = |name: &String| (name.clone(), json!({}));
        let mut members: Map<String, Value> = self.answer.iter().map(member).collect();
        members.insert("ok".to_owned(), json!({ "const": true }));
        let schema = json!({ "type": "object", "properties": members });
        let good = match self.answer.is_empty() {
            true => json!({ "text/event-stream": {} }),
            false => json!({ "application/json": { "schema": schema } }),
        };
        let mut responses = json!({ "200": { "description": "good", "content": good } });
        let failures: &[(&str, &str)] = match self.verb {
            "get" => &[
                ("400", "a parameter is wrong"),
                ("404", "there is no such object"),
                ("429", "too many requests"),
            ],
            _ => &[
                ("400", "a parameter or the body is wrong"),
                (
                    "403",
                    "no valid authorization, or a rule of the book is broken",
                ),
                ("413", "the body is longer than 1,000,000 bytes"),
                ("429", "too many requests"),
            ],
        };
        for (status, why) in failures {
            responses[*status] = json!({ "description": why });
        }
        responses
    }
}

fn parameter(name: &str) -> Value {
    let schema = match name {
        "pageSize" => json!({ "type": "integer", "minimum": 10, "maximum": 1000, "default": 20 }),
        "pageIndex"
        | "page"
        | "category"
        | "minTrust"
        | "maxTrust"
        | "since"
        | "minWorkClockTimeRef"
        | "maxWorkClockTimeRef" => {
            json!({ "type": "integer", "minimum": 0 })
        }
        "minVolume" => json!({ "type": "integer", "minimum": 1 }),
        "bulkOnly" => json!({ "type": "boolean" }),
        name if name.starts_with("is") => json!({ "type": "boolean" }),
        _ => json!({ "type": "string" }),
    };
    let required = matches!(name, "chainId");
    json!({ "name": name, "in": "query", "required": required, "schema": schema })
}

/// `UPDATE_OPENAPI=1 cargo test -p iexec-market openapi` writes it anew.
#[test]
fn the_committed_document_is_the_present_one() {
    let present = format!("{}\n", serde_json::to_string_pretty(&openapi()).unwrap());
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        std::fs::write(path, &present).unwrap();
        return;
    }
    assert!(
        DOCUMENT == present,
        "openapi.json is not what the code says"
    );
}

#[tokio::test]
async fn what_is_documented_is_routed_and_what_is_routed_is_documented() {
    let bench = Bench::new().await;
    let routes = crate::http::paths();
    let documented: std::collections::BTreeSet<String> = operations()
        .into_iter()
        .map(|operation| operation.path)
        .collect();
    let routed: std::collections::BTreeSet<String> = routes
        .into_iter()
        .filter(|path| !["/docs", "/openapi.json"].contains(&path.as_str()))
        .collect();
    assert_eq!(documented, routed);
    for operation in operations() {
        let path = operation.path.replace("{hash}", "0").replace("{id}", "0");
        let request = Request::builder()
            .method(operation.verb.to_uppercase().as_str())
            .uri(format!("{path}?chainId={CHAIN_ID}"))
            .body(Body::empty())
            .unwrap();
        let router = crate::http::router(bench.market.clone());
        let status = router.oneshot(request).await.unwrap().status().as_u16();
        assert_ne!(status, 405, "{} {path}", operation.verb);
    }
}

/// A parameter that is documented is read: a wrong value is noticed, or it takes any text.
#[tokio::test]
async fn documented_parameters_are_read() {
    let bench = Bench::new().await;
    for operation in operations()
        .into_iter()
        .filter(|operation| operation.verb == "get")
    {
        if operation.path.contains('{') || operation.path == "/version" {
            continue;
        }
        for name in operation.query.iter().filter(|name| **name != "chainId") {
            // Lists of apps and datasets want one of these; the last of a name counts.
            let subject = "app=any&dataset=any";
            let path = &operation.path;
            let uri = format!("{path}?chainId={CHAIN_ID}&{subject}&{name}=%3F");
            let request = Request::get(uri).body(Body::empty()).unwrap();
            let router = crate::http::router(bench.market.clone());
            let response = router.oneshot(request).await.unwrap();
            let bytes = axum::body::to_bytes(response.into_body(), 1 << 20)
                .await
                .unwrap();
            let answer: Value = serde_json::from_slice(&bytes).unwrap();
            let error = answer["error"].as_str().unwrap();
            assert!(
                error.starts_with(*name),
                "{} {name}: {answer}",
                operation.path
            );
        }
    }
}

#[tokio::test]
async fn the_page_and_the_document_are_served() {
    let bench = Bench::new().await;
    for (path, kind) in [
        ("/docs", "text/html"),
        ("/openapi.json", "application/json"),
    ] {
        let router = crate::http::router(bench.market.clone());
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let found = response.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(found.starts_with(kind), "{found}");
    }
}
