//! To whom the SMS gives secrets: enclaves of real hardware, or simulated ones.

use std::time::Duration;

use serde::Deserialize;

use crate::{Client, error::Api, http::Call};

/// The header on all answers of an SMS that accepts simulated enclaves.
const MODE_HEADER: &str = "x-attestation-mode";
const SIMULATION: &str = "simulation";
/// It only adds a warning: an SMS that needs longer is asked for nothing more.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// What an SMS says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attestation {
    /// Nothing: the official service, whose enclaves are of real hardware.
    Unsaid,
    /// Enclaves prove themselves with evidence that Intel vouches for.
    Intel {
        /// The SMS's identity, `0x` and 64 hexadecimal digits.
        sms_id: Option<String>,
    },
    /// Enclaves are simulated: whoever runs a worker can read every secret.
    Simulation {
        /// The SMS's identity.
        sms_id: Option<String>,
    },
    /// It could not be asked.
    Unknown,
}

impl Attestation {
    /// Whether secrets go to enclaves that protect nothing.
    pub const fn is_simulated(&self) -> bool {
        matches!(self, Self::Simulation { .. })
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Info {
    mode: String,
    insecure: bool,
    sms_id: Option<String>,
}

/// Asks the chain's SMS. A service that does not know the question is an official one; no failure
/// of this question is a reason to fail.
pub async fn attestation(client: &Client) -> Attestation {
    let Ok(sms) = client.chain().sms() else {
        return Attestation::Unsaid;
    };
    let call = Call::get(Api::Sms, sms, "/attest/v1/info");
    let asked = tokio::time::timeout(ANSWER_MAX, ask(client, &call)).await;
    asked.ok().flatten().unwrap_or(Attestation::Unknown)
}

async fn ask(client: &Client, call: &Call<'_>) -> Option<Attestation> {
    let response = client.http().send(call, "application/json").await.ok()?;
    let header = response.headers().get(MODE_HEADER);
    let is_marked = header.is_some_and(|mode| mode.as_bytes().eq_ignore_ascii_case(b"simulation"));
    let status = response.status();
    let info = match status.is_success() {
        true => crate::http::body(call, response).await.ok()?,
        false => Vec::new(),
    };
    match status.is_server_error() && !is_marked {
        true => None,
        false => Some(judge(is_marked, &info)),
    }
}

/// The worse of what header and body say.
fn judge(is_marked: bool, body: &[u8]) -> Attestation {
    let info = serde_json::from_slice::<Info>(body).ok();
    let is_said = info
        .as_ref()
        .is_some_and(|it| it.insecure || it.mode == SIMULATION);
    let is_intel = info.as_ref().is_some_and(|it| it.mode == "intel");
    let sms_id = info.and_then(|it| it.sms_id);
    match (is_marked || is_said, is_intel) {
        (true, _) => Attestation::Simulation { sms_id },
        (false, true) => Attestation::Intel { sms_id },
        (false, false) => Attestation::Unsaid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_sign_of_simulation_counts() {
        for (is_marked, body) in [
            (true, ""),
            (true, r#"{"mode":"intel"}"#),
            (
                false,
                r#"{"mode":"simulation","insecure":true,"sms_id":"0x1"}"#,
            ),
            (false, r#"{"mode":"intel","insecure":true}"#),
            (false, r#"{"mode":"simulation"}"#),
        ] {
            assert!(judge(is_marked, body.as_bytes()).is_simulated(), "{body}");
        }
        let intel = judge(
            false,
            br#"{"mode":"intel","insecure":false,"sms_id":"0x2"}"#,
        );
        let sms_id = Some("0x2".to_owned());
        assert_eq!(intel, Attestation::Intel { sms_id });
        for silent in [
            "",
            "<html>",
            "{}",
            "[]",
            r#"{"mode":7}"#,
            r#"{"mode":"else"}"#,
        ] {
            assert_eq!(
                judge(false, silent.as_bytes()),
                Attestation::Unsaid,
                "{silent}"
            );
        }
    }
}
