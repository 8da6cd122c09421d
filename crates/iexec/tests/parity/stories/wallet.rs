//! Wallets, and what is in them.

use network::Role;

use crate::row::{Story, row};

pub(crate) fn story() -> Story {
    let mut rows = vec![
        row("wallet show"),
        row("wallet show {developer}"),
        row("wallet show 0x12"),
        row("wallet show --show-private-key"),
        row("wallet show --chain nope"),
    ];
    rows.extend(sending());
    rows.extend(keeping());
    Story::new("wallet", Role::Requester, rows)
}

fn sending() -> Vec<crate::row::Row> {
    vec![
        row("wallet send-ether 1 --to {developer} --force"),
        row("wallet send-ether 5 gwei --to {developer} --force"),
        row("wallet send-ether 1 nope --to {developer} --force"),
        row("wallet send-ether abc --to {developer} --force"),
        row("wallet send-ether 1 --force"),
        row("wallet send-ether 1 --to 0x12 --force"),
        row("wallet send-ether 1 --to {developer}"),
        row("wallet send-ether 1000000 --to {developer} --force"),
        row("wallet send-RLC 1 --to {developer} --force"),
        row("wallet send-RLC 5 nRLC --to {developer} --force"),
        row("wallet send-RLC 1.5 RLC --to {developer} --force"),
        row("wallet send-RLC 1.5 nRLC --to {developer} --force"),
        row("wallet send-RLC 0.0000000001 RLC --to {developer} --force"),
        row("wallet send-RLC 1 nope --to {developer} --force"),
        row("wallet send-RLC abc --to {developer} --force"),
        row("wallet send-RLC 1000000 --to {developer} --force"),
        row("wallet send-RLC 1 --to {developer}"),
        row("wallet show"),
    ]
}

fn keeping() -> Vec<crate::row::Row> {
    vec![
        row("wallet show --show-private-key").remove("wallet.json"),
        row("wallet show"),
        row("wallet show {developer}"),
        row("account show"),
        row("wallet show").write("wallet.json", "{"),
        row("wallet show").write("wallet.json", "{}"),
        row("wallet create --unencrypted").remove("wallet.json"),
        row("wallet create --unencrypted"),
        row("wallet create --unencrypted --force"),
        row("wallet create"),
        row("wallet create --password secret"),
        row("wallet import"),
        row("wallet import nope --unencrypted --force"),
        row("wallet import 0x12 --unencrypted --force"),
        row("wallet import {key} --unencrypted --force"),
        row("wallet import {key} --password secret --keystoredir keys"),
        row("wallet import {key} --password secret --keystoredir keys"),
        row("wallet show --keystoredir keys").remove("wallet.json"),
        row("wallet show --keystoredir keys --show-private-key --password secret"),
        row("wallet show --keystoredir keys --show-private-key --password wrong"),
        row("wallet show --keystoredir keys --show-private-key"),
        row("wallet show --keystoredir keys --wallet-address {me}"),
        row("wallet show --keystoredir keys --wallet-address {developer}"),
        row("wallet show --keystoredir keys --wallet-address 0x12"),
        row("wallet show --keystoredir keys --wallet-file nope"),
        row("wallet show --keystoredir nowhere"),
        row("wallet show --keystoredir keys --wallet-file nope --wallet-address {me}"),
        row("wallet sweep --to {developer} --force --keystoredir keys --password wrong"),
    ]
}
