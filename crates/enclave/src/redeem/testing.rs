//! A job for tests.

use protocol::{Address, B256, TaskId};
use worker::{
    agent::{App, Attestation, EngineJob, Job, Reach},
    inputs::Policy,
};

/// The session's id.
pub(crate) const ID: &str = "session";

/// A task whose session is at `url`.
pub(crate) fn job(url: &str, attestation: Attestation) -> Job {
    let engine = engine::Config::new(engine::Choice::Builtin, "/nowhere".into());
    Job {
        task: TaskId::repeat(1),
        worker: Address::repeat_byte(2),
        challenge: Address::repeat_byte(3),
        session: ID.into(),
        url: url.into(),
        attestation,
        has_inputs: true,
        policy: Policy::default(),
        inputs_s: 1,
        app: App {
            container: "enclave-test".into(),
            image: "u/app:1".into(),
            checksum: B256::repeat_byte(4),
            is_local: true,
            args: Vec::new(),
            limits: engine::Limits::default(),
            seconds: 60,
            reach: Reach::Nothing,
            gpus: false,
        },
        engine: EngineJob::of(&engine, "builtin"),
        private: "/nowhere".into(),
        scratch: "/nowhere".into(),
        archive: "/nowhere".into(),
    }
}
