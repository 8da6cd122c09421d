//! chain.json, right and wrong.

use network::Role;
use serde_json::json;

use crate::row::{Story, row};

const DEV: &str = r#"{"default":"dev","chains":{"dev":{chain}}}"#;

pub(crate) fn story() -> Story {
    let file = "chain.json";
    let rows = vec![
        row("info"),
        row("info --chain dev"),
        row("info --chain nope"),
        row("info --chain 65535"),
        row("info extra"),
        row("info").set(file, "/default", json!("nope")),
        row("info").set(file, "/default", json!(null)),
        row("info --chain dev"),
        row("info").set(file, "/default", json!(7)),
        row("info").write(file, r#"{"default":"dev"}"#),
        row("info").write(file, r#"{"default":"dev","chains":[]}"#),
        row("info").write(file, r#"{"default":"dev","chains":{"dev":{}}}"#),
        row("info").write(file, "{"),
        row("info").write(file, ""),
        row("info").write(file, r#"["dev"]"#),
        row("info")
            .write(file, DEV)
            .set(file, "/chains/dev/id", json!(65535)),
        row("info")
            .write(file, DEV)
            .set(file, "/chains/dev/id", json!("x")),
        row("info")
            .write(file, DEV)
            .set(file, "/chains/dev/hub", json!(null)),
        row("info")
            .write(file, DEV)
            .set(file, "/chains/dev/hub", json!("0x12")),
        row("info")
            .write(file, DEV)
            .set(file, "/chains/dev/host", json!(null)),
        row("info")
            .write(file, DEV)
            .set(file, "/chains/dev/host", json!("ws://127.0.0.1:1")),
        row("info")
            .write(file, DEV)
            .set(file, "/chains/dev/nope", json!("x")),
        row("info").write(file, DEV).set(file, "/nope", json!("x")),
        row("info")
            .write(file, DEV)
            .set(file, "/chains/dev/sms", json!(7)),
        row("info")
            .write(file, DEV)
            .set(file, "/chains/dev/sms", json!("nope")),
        row("app check-secret {hub}")
            .write(file, DEV)
            .set(file, "/chains/dev/sms", json!(null)),
        row("orderbook workerpool any").write(file, DEV).set(
            file,
            "/chains/dev/iexecGateway",
            json!(null),
        ),
        row("info").remove(file),
        row("wallet show"),
        row("app show {hub}"),
        row("order show --app"),
    ];
    Story::new("chains", Role::Developer, rows)
}
