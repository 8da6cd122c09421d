//! The four kinds of orders in a project.

use network::Role;
use serde_json::json;

use crate::row::{Row, Story, row};

const FILE: &str = "iexec.json";

pub(crate) fn story() -> Story {
    let mut rows = preparing();
    rows.extend(signing());
    rows.extend(publishing());
    rows.extend(filling());
    Story::new("orders", Role::Requester, rows)
}

fn preparing() -> Vec<Row> {
    vec![
        row("order init"),
        row("order init --app").write(FILE, "{}"),
        row("app init").write(FILE, "{}"),
        row("app deploy").keep("app", "/address"),
        row("dataset init"),
        row("dataset deploy").keep("dataset", "/address"),
        row("workerpool init"),
        row("workerpool deploy").keep("workerpool", "/address"),
        row("order sign"),
        row("order init"),
        row("order init --request"),
        row("order publish --app"),
        row("order show --app"),
        row("order cancel --app --force"),
        row("order unpublish --app --force"),
        row("order fill"),
    ]
}

fn signing() -> Vec<Row> {
    vec![
        row("order sign --app").set(FILE, "/order/apporder/tag", json!(["tee", "tdx"])),
        row("order sign --app").set(FILE, "/order/apporder/appprice", json!("1.5 RLC")),
        row("order sign --app").set(FILE, "/order/apporder/appprice", json!("-1")),
        row("order sign --app")
            .set(FILE, "/order/apporder/appprice", json!("0"))
            .set(FILE, "/order/apporder/app", json!("nope")),
        row("order sign --app").set(FILE, "/order/apporder/app", json!("{pool}")),
        row("order sign --app")
            .set(FILE, "/order/apporder/app", json!("{app}"))
            .set(FILE, "/order/apporder/tag", json!(["nope"])),
        row("order sign --app").set(FILE, "/order/apporder/tag", json!("tee,tdx")),
        row("order sign --app --dataset").set(
            FILE,
            "/order/datasetorder/tag",
            json!(["tee", "tdx"]),
        ),
        row("order sign --dataset --skip-preflight-check"),
        row("order sign --workerpool").set(
            FILE,
            "/order/workerpoolorder/tag",
            json!(["tee", "tdx"]),
        ),
        row("order sign --workerpool").set(
            FILE,
            "/order/workerpoolorder/workerpool",
            json!("{pool}"),
        ),
        row("order sign --workerpool")
            .set(
                FILE,
                "/order/workerpoolorder/workerpool",
                json!("{workerpool}"),
            )
            .set(FILE, "/order/workerpoolorder/category", json!("99")),
        row("order sign --workerpool").set(FILE, "/order/workerpoolorder/category", json!("5")),
        row("order sign --request").set(FILE, "/order/requestorder/tag", json!(["tee", "tdx"])),
        row("order sign --request")
            .set(FILE, "/order/requestorder/app", json!("{app}"))
            .set(
                FILE,
                "/order/requestorder/workerpool",
                json!("{workerpool}"),
            )
            .set(FILE, "/order/requestorder/category", json!("5"))
            .set(FILE, "/order/requestorder/volume", json!("2"))
            .set(
                FILE,
                "/order/requestorder/params",
                json!({ "iexec_args": "a b" }),
            ),
        row("order sign --request").set(FILE, "/order/requestorder/requester", json!("{faucet}")),
        row("order sign --request")
            .set(FILE, "/order/requestorder/requester", json!("{me}"))
            .set(
                FILE,
                "/order/requestorder/params",
                json!({ "iexec_input_files": ["nope"] }),
            ),
        row("order sign --nope"),
    ]
}

fn publishing() -> Vec<Row> {
    vec![
        row("order publish"),
        row("order publish --app --force").keep("apporder", "/apporder/orderHash"),
        row("order publish --app --force"),
        row("order publish --dataset --workerpool --force"),
        row("order publish --workerpool --request --force"),
        row("order show --app"),
        row("order show --app {apporder}"),
        row("order show --app nope"),
        row("order show --dataset {apporder}"),
        row("order show --workerpool --request --deals"),
        row("order show"),
        row("order unpublish --app --force"),
        row("order unpublish --app --force"),
        row("order unpublish --app {apporder} --force"),
        row("order unpublish --app nope --force"),
        row("order unpublish --force"),
        row("order unpublish --workerpool --request --force"),
        row("order show --app {apporder}"),
        row("order show --app --chain nope"),
    ]
}

fn filling() -> Vec<Row> {
    vec![
        row("order fill --app nope --force"),
        row("order fill --params nope --force"),
        row("order fill --request --force"),
        row("order fill --skip-preflight-check").keep("deal", "/dealid"),
        row("order fill --skip-preflight-check --force").keep("deal", "/dealid"),
        row("deal show {deal}"),
        row("order fill --force"),
        row("order cancel --app --force"),
        row("order cancel --app --force"),
        row("order cancel --app --workerpool --force"),
        row("order cancel --force"),
        row("order cancel --app {apporder} --force"),
        row("order publish --app --force"),
        row("order cancel --app"),
        row("order publish --app"),
        row("order unpublish --workerpool"),
        row("order sign --request").set(
            FILE,
            "/order/requestorder/params",
            json!({ "iexec_args": "x", "nope": 1, "iexec_result_storage_provider": "ipfs" }),
        ),
        row("order sign --app").write("orders.json", "{"),
        row("order publish --app --force"),
        row("order show --app").write("orders.json", "{}"),
        row("order cancel --app --force"),
        row("order fill --force"),
    ]
}
