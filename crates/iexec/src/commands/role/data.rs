//! What roles keep in their data directories.

use chain::Hub;

use super::Host;
use crate::{context, outcome::Failure};

/// Remembers the block that a role began at: without it, a role that is killed before it has seen
/// anything would skip what happened while it was away.
const START_FILE: &str = "start-block";

/// The database given, else a SQLite file of that name.
pub(crate) fn database_url(given: Option<String>, host: &Host, name: &str) -> String {
    given.unwrap_or_else(|| {
        let path = host.data_dir.join(format!("{name}.sqlite"));
        format!("sqlite://{}", path.display())
    })
}

/// The block given, else the newest one when the role was started first.
pub(crate) fn start_block(given: Option<u64>, host: &Host, hub: &Hub) -> Result<u64, Failure> {
    if let Some(block) = given {
        return Ok(block);
    }
    let path = host.data_dir.join(START_FILE);
    let kept = context::read(&path)?.and_then(|text| text.trim().parse().ok());
    if let Some(block) = kept {
        return Ok(block);
    }
    let block = *hub.heads().borrow();
    context::write(&path, block.to_string())?;
    Ok(block)
}
