//! One stage of a session: what an enclave is given never has the secrets of another stage.

use std::collections::BTreeMap;

use attest::Stage;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::{Error, Value};

/// Behind the version of a session that was released to a simulated platform.
const SIMULATED: &str = "+sim";

/// A session in clear. Secret as a whole: no `Debug`.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Session {
    name: String,
    version: String,
    services: Vec<Service>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Service {
    name: String,
    image_name: String,
    fingerprint: String,
    environment: BTreeMap<String, Wiped>,
}

/// A value that is wiped when it goes.
#[derive(Deserialize, Serialize)]
#[serde(transparent)]
struct Wiped(String);

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

fn read(session: &Value) -> Result<Session, Error> {
    serde_json::from_str(session.expose()).map_err(|_| Error::Damaged)
}

/// Whether a session has this stage.
pub(super) fn is_there(session: &Value, stage: Stage) -> Result<bool, Error> {
    let services = read(session)?.services;
    Ok(services.iter().any(|one| one.name == stage.name()))
}

/// The session with this stage only, as JSON; none when it has no such stage.
pub(super) fn only(
    session: &Value,
    stage: Stage,
    is_simulated: bool,
) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let mut session = read(session)?;
    session.services.retain(|one| one.name == stage.name());
    if session.services.len() != 1 {
        return Ok(None);
    }
    if is_simulated {
        session.version.push_str(SIMULATED);
    }
    let mut text = Zeroizing::new(Vec::with_capacity(capacity(&session)));
    serde_json::to_writer(&mut *text, &session).map_err(|_| Error::Damaged)?;
    Ok(Some(text))
}

/// Enough to write it without growing, which would leave a copy behind.
fn capacity(session: &Session) -> usize {
    let of = |service: &Service| {
        let variables = service.environment.iter();
        let variables = variables.map(|(name, value)| name.len() + value.0.len() + 8);
        variables.sum::<usize>() + service.image_name.len() + service.fingerprint.len()
    };
    // Escapes double a text at most, in practice; a control character takes six.
    2 * session.services.iter().map(of).sum::<usize>() + 1_024
}
