//! Categories.

use network::Role;
use serde_json::json;

use crate::row::{Story, row};

const FILE: &str = "iexec.json";

pub(crate) fn story() -> Story {
    let rows = vec![
        row("category count"),
        row("category show 0"),
        row("category show 4"),
        row("category show 99"),
        row("category show abc"),
        row("category show"),
        row("category init"),
        row("category init").write(FILE, "{}"),
        row("category create").set(FILE, "/category/name", json!("")),
        row("category create")
            .set(FILE, "/category/name", json!("XXL"))
            .set(FILE, "/category/workClockTimeRef", json!("abc")),
        row("category create").set(FILE, "/category/workClockTimeRef", json!("100")),
        row("category count"),
        row("category show 6"),
        row("category create").write(FILE, "{}"),
    ];
    Story::new("category", Role::HubOwner, rows)
}
