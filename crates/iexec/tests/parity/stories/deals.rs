//! Runs, deals and tasks. The network has no worker: its tasks stay where they are.

use network::Role;

use crate::row::{Row, Story, row};

pub(crate) fn story() -> Story {
    let mut rows = vec![
        row("app init").write("iexec.json", "{}"),
        row("app run --force"),
        row("app deploy").keep("app", "/address"),
        row("app run --workerpool nope --force"),
        row("app run --workerpool {hub} --force"),
        row("app run --dataset {hub} --force"),
        row("app run --tag nope --force"),
        row("app run --tag tee --force"),
        row("app run --category 99 --tag tee,tdx --force"),
        row("app run --category abc --force"),
        row("app run --params nope --tag tee,tdx --workerpool {pool} --force"),
        row("app run --params {\"iexec_args\" --force"),
        row("app run --secret nope --force"),
        row("app run --secret 1=nothing --tag tee,tdx --workerpool {pool} --force"),
        row("app run --storage-provider nope --tag tee,tdx --workerpool {pool} --force"),
        row("app run --storage-provider dropbox --tag tee,tdx --workerpool {pool} --force"),
        row("app run --encrypt-result --tag tee,tdx --workerpool {pool} --force"),
        row("app run --input-files nope --tag tee,tdx --workerpool {pool} --force"),
        row("app run --beneficiary nope --force"),
        row("app run --callback nope --force"),
        row("app run --trust 9 --tag tee,tdx --force"),
        row("app run --dataset deployed --tag tee,tdx --force"),
        row("app run --tag tee,tdx --workerpool {pool}"),
        row("app run nope --force"),
        row("app run {hub} --force"),
    ];
    rows.extend(running());
    rows.extend(unknown());
    Story::new("deals", Role::Requester, rows)
}

fn running() -> Vec<Row> {
    vec![
        row("app run --tag tee,tdx --args 'a b' --workerpool {pool} --force")
            .keep("deal", "/deals/0/dealid"),
        row("deal show {deal}").keep("task", "/deal/tasks/0"),
        row("deal claim {deal}"),
        row("task show {task}"),
        row("task show {task} --download"),
        row("task claim {task}"),
        row("task debug {task}"),
        row("task debug {task} --logs"),
        row(
            "app request-execution {app} --workerpool-price 1 RLC --volume 2 --tag tee,tdx --force",
        ),
        row("app request-execution {app} --workerpool-price 100000 RLC --tag tee,tdx --force"),
        row("app request-execution nope --force"),
        row("app request-execution"),
    ]
}

fn unknown() -> Vec<Row> {
    vec![
        row("deal show nope"),
        row("deal show 0x1234567890123456789012345678901234567890123456789012345678901234"),
        row("deal show"),
        row("deal claim nope"),
        row("deal claim 0x1234567890123456789012345678901234567890123456789012345678901234"),
        row("task show nope"),
        row("task show 0x1234567890123456789012345678901234567890123456789012345678901234"),
        row("task show"),
        row("task debug 0x1234567890123456789012345678901234567890123456789012345678901234"),
        row("task debug nope"),
        row("task claim 0x1234567890123456789012345678901234567890123456789012345678901234"),
        row("task claim nope"),
        row("task show {deal} --chain nope"),
        row("app run --force --tag tee,tdx --workerpool {pool}").remove("wallet.json"),
        row("task debug {task} --logs"),
    ]
}
