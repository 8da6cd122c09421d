//! The web pages. For now one: what this network is and where its services are. Deals, tasks and
//! live views follow with the explorer's own issue.

use axum::{Router, response::Html, routing::get};
use serde_json::Value;

/// Serves `GET /` with a table of `network` (the content of `network.json`). Private keys are
/// left out: the page may be seen by others than the file's owner.
pub fn router(network: &Value) -> Router {
    let page = page(network);
    Router::new().route("/", get(move || async move { Html(page) }))
}

fn page(network: &Value) -> String {
    let name = text(&network["name"]);
    let rows: String = network
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(row)
        .collect();
    let accounts: String = network["accounts"]
        .as_array()
        .into_iter()
        .flatten()
        .map(account)
        .collect();
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <title>iExec: {name}</title><style>{CSS}</style></head><body>\
         <h1>iExec network <em>{name}</em></h1><table>{rows}</table>\
         <h2>Accounts</h2><table>{accounts}</table></body></html>"
    )
}

const CSS: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;\
    padding:0 1rem}td{padding:.2rem 1rem .2rem 0;border-bottom:1px solid #ddd;\
    font-family:ui-monospace,monospace;word-break:break-all}";

fn row((key, value): (&String, &Value)) -> Option<String> {
    if value.is_array() {
        return None;
    }
    Some(format!(
        "<tr><td>{}</td><td>{}</td></tr>",
        escape(key),
        text(value)
    ))
}

fn account(account: &Value) -> String {
    format!(
        "<tr><td>{}</td><td>{}</td></tr>",
        text(&account["role"]),
        text(&account["address"])
    )
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => escape(text),
        other => escape(&other.to_string()),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_page_shows_the_endpoints_and_no_key() {
        let network = json!({
            "name": "<local>", "rpcUrl": "http://127.0.0.1:1",
            "accounts": [{ "role": "faucet", "address": "0x01", "privateKey": "0xsecret" }],
        });
        let page = page(&network);
        assert!(page.contains("http://127.0.0.1:1") && page.contains("faucet"));
        assert!(page.contains("&lt;local&gt;") && !page.contains("0xsecret"));
    }
}
