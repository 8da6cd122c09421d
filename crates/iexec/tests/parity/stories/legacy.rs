//! What 8.24 did and 9.0.1 does no more: orders without a tag, and a gas price.

use network::Role;

use crate::row::{Story, row};

pub(crate) fn story() -> Story {
    let rows = vec![
        row("app init").write("iexec.json", "{}"),
        row("app deploy --gas-price 0").keep("app", "/address"),
        row("app show"),
        row("app count"),
        row("app publish --force"),
        row("app publish --price 5 --volume 2 --force"),
        row("orderbook app {app}"),
        row("app unpublish --all --force"),
        row("order init --app"),
        row("order sign --app"),
        row("order publish --app --force"),
        row("order show --app"),
        row("order unpublish --app --force"),
        row("order cancel --app --force"),
        row("wallet show"),
    ];
    Story {
        official: "8.24.0",
        ..Story::new("legacy", Role::Developer, rows)
    }
}
