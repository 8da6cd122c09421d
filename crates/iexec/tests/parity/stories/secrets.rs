//! Secrets of apps and requesters, result keys and storage.

use network::Role;

use crate::row::{Row, Story, row};

pub(crate) fn story() -> Story {
    let mut rows = vec![
        row("app init").write("iexec.json", "{}"),
        row("app deploy").keep("app", "/address"),
        row("app check-secret"),
        row("app check-secret {app}"),
        row("app check-secret nope"),
        row("app push-secret --secret-value secret"),
        row("app push-secret --secret-value other"),
        row("app check-secret"),
        row("app push-secret"),
        row("app push-secret {hub} --secret-value secret"),
        row("requester check-secret name"),
        row("requester push-secret name --secret-value secret"),
        row("requester push-secret name --secret-value secret"),
        row("requester check-secret name"),
        row("requester check-secret name {faucet}"),
        row("requester check-secret name nope"),
        row("requester check-secret"),
        row("requester push-secret other"),
        row("requester push-secret"),
    ];
    rows.extend(storing());
    rows.extend(results());
    Story::new("secrets", Role::Requester, rows)
}

fn storing() -> Vec<Row> {
    vec![
        row("storage check dropbox"),
        row("storage init dropbox --token abc"),
        row("storage init dropbox --token abc"),
        row("storage init dropbox --token def --force-update"),
        row("storage check dropbox"),
        row("storage check dropbox --user {faucet}"),
        row("storage check ipfs"),
        row("storage check nope"),
        row("storage init ipfs"),
        row("storage init nope --token abc"),
        row("storage init"),
        row("storage init dropbox"),
    ]
}

fn results() -> Vec<Row> {
    vec![
        row("result check-encryption-key"),
        row("result push-encryption-key"),
        row("result generate-encryption-keypair"),
        row("result generate-encryption-keypair"),
        row("result generate-encryption-keypair --force"),
        row("result push-encryption-key"),
        row("result push-encryption-key"),
        row("result push-encryption-key --force-update"),
        row("result push-encryption-key --secret-path nowhere.pub --force-update"),
        row("result check-encryption-key"),
        row("result check-encryption-key {faucet}"),
        row("result check-encryption-key nope"),
        row("result decrypt nowhere.zip"),
        row("result decrypt result.zip").write("result.zip", "no archive"),
        row("result decrypt"),
        row("result push-encryption-key").remove("wallet.json"),
    ]
}
