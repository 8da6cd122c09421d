//! Beginning a project, and command lines that mean nothing.

use network::Role;

use crate::row::{Story, row};

pub(crate) fn story() -> Story {
    let rows = vec![
        row("init --skip-wallet").remove("chain.json"),
        row("init --skip-wallet --force"),
        row("init --unencrypted").remove("wallet.json"),
        row("init --unencrypted --force"),
        row("init --password secret --keystoredir keys"),
        row("init").remove("wallet.json"),
        row("init extra"),
        row("init --nope"),
        row("init --keystoredir"),
        row("nope"),
        row("wallet"),
        row("wallet nope"),
        row("wallet show --nope"),
        row("wallet import"),
        row("account deposit"),
        row("app transfer"),
        row("order nope"),
        row("app run --download"),
    ];
    Story::new("start", Role::Developer, rows)
}
