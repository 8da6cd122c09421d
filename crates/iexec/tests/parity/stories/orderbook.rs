//! Order books with filters.

use network::Role;

use crate::row::{Row, Story, row};

pub(crate) fn story() -> Story {
    let mut rows = vec![
        row("app init").write("iexec.json", "{}"),
        row("app deploy").keep("app", "/address"),
        row("dataset init"),
        row("dataset deploy").keep("dataset", "/address"),
        row("workerpool init"),
        row("workerpool deploy").keep("workerpool", "/address"),
        row("app publish --tag tee,tdx --price 5 --volume 10 --force"),
        row(
            "app publish --tag tee,tdx --price 2 --volume 3 --workerpool-restrict {workerpool} \
            --force",
        ),
        row("dataset publish --tag tee,tdx --force --skip-preflight-check"),
        row("workerpool publish --tag tee,tdx --trust 3 --price 1 --force"),
        row("request-execution {app}"),
        row("app request-execution {app} --workerpool-price 1 --app-price 5 --tag tee,tdx --force"),
    ];
    rows.extend(apps());
    rows.extend(others());
    Story::new("orderbook", Role::Requester, rows)
}

fn apps() -> Vec<Row> {
    vec![
        row("orderbook app {app}"),
        row("orderbook app {app} --min-volume 5"),
        row("orderbook app {app} --min-volume abc"),
        row("orderbook app {app} --tag tee,tdx"),
        row("orderbook app {app} --require-tag tee,tdx,gpu"),
        row("orderbook app {app} --max-tag tee"),
        row("orderbook app {app} --tag nope"),
        row("orderbook app {app} --workerpool {workerpool}"),
        row("orderbook app {app} --workerpool {pool} --workerpool-strict"),
        row("orderbook app {app} --requester {me} --dataset {dataset}"),
        row("orderbook app {app} --workerpool nope"),
        row("orderbook app {hub}"),
        row("orderbook app nope"),
        row("orderbook app"),
        row("orderbook app {app} --nope"),
        row("orderbook app any --tag tee,tdx"),
    ]
}

fn others() -> Vec<Row> {
    vec![
        row("orderbook dataset {dataset}"),
        row("orderbook dataset {dataset} --app {app}"),
        row("orderbook dataset nope"),
        row("orderbook dataset"),
        row("orderbook dataset {hub}"),
        row("orderbook workerpool {workerpool}"),
        row("orderbook workerpool {workerpool} --category 0 --min-trust 2"),
        row("orderbook workerpool {workerpool} --min-trust 4"),
        row("orderbook workerpool {workerpool} --category 1"),
        row("orderbook workerpool {workerpool} --category abc"),
        row("orderbook workerpool {workerpool} --tag tee,tdx --app {app} --requester {me}"),
        row("orderbook workerpool {hub}"),
        row("orderbook workerpool nope"),
        row("orderbook requester {me}"),
        row("orderbook requester {me} --category 0 --app {app}"),
        row("orderbook requester {faucet}"),
        row("orderbook requester any --workerpool {workerpool} --max-trust 1"),
        row("orderbook requester {me} --beneficiary {faucet}"),
        row("orderbook requester nope"),
        row("orderbook nope"),
    ]
}
