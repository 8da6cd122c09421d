//! Datasets.

use network::Role;
use serde_json::json;

use crate::row::{Row, Story, row};

const FILE: &str = "iexec.json";

pub(crate) fn story() -> Story {
    let mut rows = vec![
        row("dataset init"),
        row("dataset init --encrypted").write(FILE, "{}"),
        row("dataset init --tee"),
        row("dataset encrypt"),
        row("dataset encrypt --force").write("datasets/original/a.txt", "some data\n"),
        row("dataset encrypt"),
        row("dataset encrypt --force").write("datasets/original/b.bin", "more\n"),
        row("dataset encrypt --force --original-dataset-dir nowhere"),
        row("dataset push-secret"),
        row("dataset check-secret"),
        row("dataset show"),
        row("dataset deploy").set(FILE, "/dataset/checksum", json!("0x12")),
        row("dataset deploy")
            .set(
                FILE,
                "/dataset/checksum",
                json!(format!("0x{}", "cd".repeat(32))),
            )
            .set(
                FILE,
                "/dataset/multiaddr",
                json!("https://example.com/data"),
            )
            .keep("dataset", "/address"),
        row("dataset deploy"),
    ];
    rows.extend(using());
    Story::new("dataset", Role::Developer, rows)
}

fn using() -> Vec<Row> {
    vec![
        row("dataset show"),
        row("dataset show {dataset}"),
        row("dataset show 0"),
        row("dataset show 9"),
        row("dataset show {me}"),
        row("dataset count"),
        row("dataset publish --tag tee,tdx --force"),
        row("dataset check-secret"),
        row("dataset check-secret nope"),
        row("dataset push-secret {dataset} --secret-path nowhere.key"),
        row("dataset push-secret"),
        row("dataset push-secret"),
        row("dataset check-secret"),
        row("dataset check-secret {hub}"),
        row("dataset publish --tag tee,tdx --force"),
        row("dataset publish --price 3 nRLC --volume 5 --app-restrict {hub} --tag tee,tdx --force"),
        row("dataset publish --volume abc --force"),
        row("dataset publish --dataset-restrict {hub} --force"),
        row("dataset unpublish --force --all"),
        row("dataset unpublish --force"),
        row("dataset transfer {dataset} --to {requester} --force"),
        row("dataset transfer {dataset} --to {requester} --force"),
        row("dataset show {dataset}"),
        row("dataset push-secret").remove("deployed.json"),
    ]
}
