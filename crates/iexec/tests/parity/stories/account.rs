//! The account in the hub.

use network::Role;

use crate::row::{Story, row};

pub(crate) fn story() -> Story {
    let rows = vec![
        row("account show"),
        row("account show {developer}"),
        row("account show {hub}"),
        row("account show nope"),
        row("account deposit 1000"),
        row("account deposit 1 RLC"),
        row("account deposit 1.5 RLC"),
        row("account deposit 0"),
        row("account deposit 1.5"),
        row("account deposit abc"),
        row("account deposit 1 nope"),
        row("account deposit 100000000 RLC"),
        row("account deposit 1 --confirms 0"),
        row("account show"),
        row("account withdraw 500"),
        row("account withdraw 1 RLC"),
        row("account withdraw 0"),
        row("account withdraw abc"),
        row("account withdraw 100000000 RLC"),
        row("account show"),
        row("account approve 255 {developer}"),
        row("account allowance {developer}"),
        row("account approve 5 {developer}"),
        row("account allowance {developer}"),
        row("account allowance {developer} --user {requester}"),
        row("account allowance {developer} --user {faucet}"),
        row("account approve 1 {developer} RLC"),
        row("account allowance {developer}"),
        row("account approve abc {developer}"),
        row("account approve 1 nope"),
        row("account approve 1"),
        row("account allowance nope"),
        row("account revoke {developer}"),
        row("account allowance {developer}"),
        row("account revoke nope"),
        row("account show").remove("wallet.json"),
        row("account deposit 1"),
        row("account allowance {developer}"),
    ];
    Story::new("account", Role::Requester, rows)
}
