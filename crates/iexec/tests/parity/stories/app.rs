//! Apps.

use network::Role;
use serde_json::json;

use crate::row::{Row, Story, row};

const FILE: &str = "iexec.json";

pub(crate) fn story() -> Story {
    let mut rows = deploying();
    rows.extend(showing());
    rows.extend(publishing());
    rows.extend(giving());
    Story::new("app", Role::Developer, rows)
}

fn deploying() -> Vec<Row> {
    vec![
        row("app init"),
        row("app deploy"),
        row("app deploy").write(FILE, "{}"),
        row("app init"),
        row("app init --wallet-address {me}"),
        row("app deploy --chain nope"),
        row("app show"),
        row("app deploy").set(FILE, "/app/name", json!("")),
        row("app deploy")
            .set(FILE, "/app/name", json!("mine"))
            .set(FILE, "/app/type", json!("X")),
        row("app deploy").set(FILE, "/app/type", json!(null)),
        row("app deploy")
            .set(FILE, "/app/type", json!("DOCKER"))
            .set(FILE, "/app/checksum", json!("0x12")),
        row("app deploy")
            .set(
                FILE,
                "/app/checksum",
                json!(format!("0x{}", "ab".repeat(32))),
            )
            .set(FILE, "/app/owner", json!("nope")),
        row("app deploy")
            .set(FILE, "/app/owner", json!("{me}"))
            .keep("app", "/address"),
        row("app deploy"),
    ]
}

fn showing() -> Vec<Row> {
    vec![
        row("app show"),
        row("app show {app}"),
        row("app show 0"),
        row("app show 99"),
        row("app show -- -1"),
        row("app show nope"),
        row("app show {me}"),
        row("app show 0 --user {requester}"),
        row("app show --user nope"),
        row("app count"),
        row("app count --user {requester}"),
        row("app count --user nope"),
        row("app deploy")
            .set(FILE, "/app/name", json!("second"))
            .keep("second", "/address"),
        row("app count"),
        row("app show 1"),
    ]
}

fn publishing() -> Vec<Row> {
    vec![
        row("app publish --force --tag tee,tdx"),
        row("app publish --force"),
        row("app publish {app} --price 5 RLC --volume 3 --tag tee,tdx --force"),
        row("app publish --price 7 --tag tee,tdx --force"),
        row("app publish --price abc --force"),
        row("app publish --price 1 nope --force"),
        row("app publish --price 1 RLC {app} --force"),
        row("app publish --volume 0 --tag tee,tdx --force"),
        row("app publish --volume abc --force"),
        row("app publish --tag nope --force"),
        row("app publish --tag tee --force"),
        row("app publish --tag tdx --force"),
        row("app publish --tag scone,tee --force"),
        row("app publish --tag 0x9 --force"),
        row("app publish --workerpool-restrict nope --force"),
        row(
            "app publish --workerpool-restrict {pool} --requester-restrict {requester} \
            --dataset-restrict {hub} --tag tee,tdx --force",
        ),
        row("app publish --app-restrict {hub} --force"),
        row("app publish"),
        row("app publish nope --force"),
        row("app publish {hub} --force"),
        row("app publish --skip-preflight-check --tag tee,tdx --force"),
        row("app unpublish --force"),
        row("app unpublish --force --all"),
        row("app unpublish --force"),
        row("app unpublish --force --all"),
        row("app unpublish"),
        row("app unpublish nope --force"),
    ]
}

fn giving() -> Vec<Row> {
    vec![
        row("app transfer {app} --to nope --force"),
        row("app transfer nope --to {requester} --force"),
        row("app transfer {hub} --to {requester} --force"),
        row("app transfer {app} --to {requester}"),
        row("app transfer {app} --to {requester} --force"),
        row("app transfer {app} --to {requester} --force"),
        row("app show {app}"),
        row("app count"),
        row("app publish {app} --tag tee,tdx --force"),
        row("app show").remove("deployed.json"),
        row("app publish --force"),
        row("app unpublish --force"),
        row("app check-secret"),
        row("app show").write("deployed.json", "{"),
        row("app show").write("deployed.json", r#"{"nope":{}}"#),
        row("app deploy").write(FILE, "{"),
        row("app init"),
    ]
}
