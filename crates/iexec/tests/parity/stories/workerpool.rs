//! Workerpools.

use network::Role;
use serde_json::json;

use crate::row::{Story, row};

const FILE: &str = "iexec.json";

pub(crate) fn story() -> Story {
    let rows = vec![
        row("workerpool init"),
        row("workerpool init").write(FILE, "{}"),
        row("workerpool show"),
        row("workerpool deploy").set(FILE, "/workerpool/description", json!("")),
        row("workerpool deploy")
            .set(FILE, "/workerpool/description", json!("mine"))
            .keep("workerpool", "/address"),
        row("workerpool deploy"),
        row("workerpool show"),
        row("workerpool show {pool}"),
        row("workerpool show 0"),
        row("workerpool show 1"),
        row("workerpool show {me}"),
        row("workerpool count"),
        row("workerpool count --user {poolOwner}"),
        row("workerpool publish --tag tee,tdx --force"),
        row(
            "workerpool publish --price 1 RLC --category 1 --trust 2 --volume 3 --tag tee,tdx \
            --force",
        ),
        row("workerpool publish --category 99 --tag tee,tdx --force"),
        row("workerpool publish --category abc --force"),
        row("workerpool publish --trust abc --force"),
        row("workerpool publish --workerpool-restrict {pool} --force"),
        row("workerpool publish {pool} --tag tee,tdx --force"),
        row("workerpool unpublish --force"),
        row("workerpool unpublish --all --force"),
        row("workerpool unpublish --all --force"),
        row("workerpool unpublish {pool} --force"),
        row("workerpool transfer {workerpool} --to {requester} --force"),
        row("workerpool transfer {workerpool} --to {requester} --force"),
        row("workerpool show {workerpool}"),
        row("workerpool set-api-url https://example.com"),
    ];
    Story::new("workerpool", Role::Developer, rows)
}
