//! What people and programs are told of a network whose enclaves are simulated.

use protocol::Tag;
use sdk::{
    Client,
    services::attestation::{Attestation, attestation},
};

use crate::context::Context;

/// How such a network is called everywhere.
pub(crate) const SIMULATED: &str = "SIMULATED TEE";
/// Said whenever a secret is about to be given away.
const AT_PUSH: &str = "SIMULATED TEE: this secret manager releases secrets to simulated enclaves: \
                       do not push real secrets";
/// Said whenever a confidential task is made or shown.
const AT_RUN: &str = "SIMULATED TEE: the enclaves of this network are simulated: whoever runs a \
                      worker can read the secrets of its tasks";

/// Warns who is about to push a secret.
pub(crate) async fn at_push(context: &Context, client: &Client) {
    warn(context, client, AT_PUSH).await;
}

/// Warns who runs a task with this tag or looks at one, if it is confidential, before anything can
/// go wrong with it; says whether its enclave is simulated.
pub(crate) async fn at_run(context: &Context, client: &Client, tag: Tag) -> bool {
    tag.is_tee() && warn(context, client, AT_RUN).await
}

async fn warn(context: &Context, client: &Client, text: &'static str) -> bool {
    let is_simulated = attestation(client).await.is_simulated();
    if is_simulated {
        context.warn(text);
    }
    is_simulated
}

/// What `info` shows of the chain's secret manager; nothing of an official one, which says nothing
/// of itself.
pub(crate) fn describe(attestation: &Attestation) -> Option<String> {
    let with_id = |text: &str, sms_id: &Option<String>| match sms_id {
        Some(id) => format!("{text}, secret manager {id}"),
        None => text.to_owned(),
    };
    match attestation {
        Attestation::Simulation { sms_id } => Some(with_id(SIMULATED, sms_id)),
        Attestation::Intel { sms_id } => Some(with_id("Intel", sms_id)),
        Attestation::Unsaid | Attestation::Unknown => None,
    }
}
