//! Requests that nobody well-meaning sends, to every route: each gets a documented status, none a
//! 500, and nothing changes.

use alloy::signers::local::PrivateKeySigner;
use protocol::{Address, TaskId, sms};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::{Value as Json, json};

use super::BODY_BYTES_MAX;
use crate::testing::{Answer, Asked, DATASET, Scene, sign};

const SEEDS: u64 = 4;
const REQUESTS: usize = 400;
const METHODS: [&str; 5] = ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"];
/// What a route may say to nonsense (spec/secrets-tee.md §1): malformed, unauthorised, absent,
/// wrong method, too large, and our own word for a release.
const DOCUMENTED: [u16; 6] = [400, 401, 404, 405, 413, 501];

/// A scene in good order, and one good request of each kind to spoil.
struct World {
    scene: Scene,
    worker: PrivateKeySigner,
    session: Asked,
    task: TaskId,
    rng: StdRng,
}

struct Wild {
    method: &'static str,
    uri: String,
    sign: Option<String>,
    body: Vec<u8>,
}

impl World {
    async fn new(seed: u64) -> Self {
        let (scene, deal) = Scene::tdx(&json!({})).await;
        let (worker, task) = (PrivateKeySigner::random(), deal.task(0));
        let challenge: Address = scene.challenge(task).await.text.parse().unwrap();
        let session = scene.session(&worker, task, challenge);
        Self {
            scene,
            worker,
            session,
            task,
            rng: StdRng::seed_from_u64(seed),
        }
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        from.choose(&mut self.rng).unwrap()
    }

    fn junk(&mut self, max: usize) -> String {
        let length = self.rng.gen_range(0..=max);
        let chars = [
            '0', 'x', 'f', '"', '{', '}', ' ', '\\', 'é', '%', '/', '-', '\u{0}',
        ];
        (0..length).map(|_| *self.pick(&chars)).collect()
    }

    /// A hexadecimal text of any length, rarely the right one.
    fn hex(&mut self) -> String {
        let digits = *self.pick(&[0, 1, 39, 40, 41, 63, 64, 65, 128, 130, 132, 4_000]);
        let digit = *self.pick(&['0', 'a', 'F', 'g']);
        format!("0x{}", digit.to_string().repeat(digits))
    }

    fn segment(&mut self) -> String {
        let text = if self.rng.gen_bool(0.5) {
            self.hex()
        } else {
            self.junk(12)
        };
        let escape = |byte: u8| match byte.is_ascii_alphanumeric() {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02x}"),
        };
        text.bytes().map(escape).collect()
    }

    fn uri(&mut self) -> String {
        let (a, b) = (self.segment(), self.segment());
        match self.rng.gen_range(0..15) {
            0 => format!("/secrets/web3?secretAddress={a}"),
            1 => format!("/secrets/web3?secretAddress={DATASET}"),
            2 => format!("/secrets/web2?ownerAddress={a}&secretName={b}"),
            3 => format!("/secrets/web2?ownerAddress={DATASET}&secretName={b}"),
            4 => format!("/secrets/web2?{a}"),
            5 => format!("/apps/{a}/secrets"),
            6 => format!("/apps/{DATASET}/secrets/{b}"),
            7 => format!("/requesters/{DATASET}/secrets/{b}"),
            8 => format!("/requesters/{a}/secrets/{b}"),
            9 => format!("/tee/challenges/{a}"),
            10 => format!("/tee/challenges/{}", self.task),
            11 => "/tee/sessions".to_owned(),
            12 => "/apps/%ff/secrets".to_owned(),
            13 => "/requesters/%00/secrets/%c3".to_owned(),
            _ => format!("/attest/v1/sessions/{a}/{b}"),
        }
    }

    /// No signature, a malformed one, or a good one over something else.
    fn signature(&mut self) -> Option<String> {
        match self.rng.gen_range(0..5) {
            0 => None,
            1 => Some(self.hex()),
            2 => Some(self.junk(40).replace('\u{0}', "")),
            3 => Some(self.session.authorization.clone()),
            _ => {
                let task = TaskId::repeat(self.rng.r#gen());
                Some(sign(&self.worker, sms::enclave_challenge(task)))
            }
        }
    }

    fn body(&mut self) -> Vec<u8> {
        match self.rng.gen_range(0..5) {
            0 => Vec::new(),
            1 => (0..self.rng.gen_range(0..200))
                .map(|_| self.rng.r#gen())
                .collect(),
            2 => vec![b'x'; self.rng.gen_range(4_000..5_000)],
            3 => vec![b'x'; BODY_BYTES_MAX + 1],
            _ => self.junk(300).into_bytes(),
        }
    }

    /// Some route with nothing right about it.
    fn wild(&mut self) -> Wild {
        Wild {
            method: METHODS[self.rng.gen_range(0..METHODS.len())],
            uri: self.uri(),
            sign: self.signature(),
            body: self.body(),
        }
    }

    /// A session's request with one field spoilt: it was good before.
    fn spoilt(&mut self) -> Wild {
        let mut session = self.session.clone();
        let field = *self.pick(&[
            "chainTaskId",
            "workerWallet",
            "enclaveChallenge",
            "signature",
        ]);
        let value = self.value();
        match session.body[field] == value {
            true => session.body[field] = Json::Null,
            false => session.body[field] = value,
        }
        Wild {
            method: "POST",
            uri: "/tee/sessions".into(),
            sign: Some(session.authorization),
            body: session.body.to_string().into_bytes(),
        }
    }

    fn value(&mut self) -> Json {
        match self.rng.gen_range(0..7) {
            0 => Json::Null,
            1 => json!(self.rng.r#gen::<i64>()),
            2 => json!([]),
            3 => json!({ "value": self.hex() }),
            4 => json!({ "value": 7 }),
            5 => json!(self.hex()),
            _ => json!(self.junk(80)),
        }
    }

    async fn send(&self, wild: &Wild) -> Answer {
        let body = wild.body.clone();
        self.scene
            .call(wild.method, &wild.uri, wild.sign.as_deref(), body)
            .await
    }

    /// How much is stored, of everything.
    async fn counts(&self) -> (Json, usize) {
        let metrics = self.scene.service.vault().metrics().await.unwrap();
        let sessions = self.scene.service.vault().session_count().await;
        (metrics, sessions)
    }
}

#[tokio::test]
async fn nonsense_changes_nothing_and_is_told_so() {
    for seed in 0..SEEDS {
        let mut world = World::new(seed).await;
        let before = world.counts().await;
        for number in 0..REQUESTS {
            let wild = if number % 2 == 0 {
                world.wild()
            } else {
                world.spoilt()
            };
            let answer = world.send(&wild).await;
            let status = answer.status.as_u16();
            let asked = format!(
                "seed {seed}, request {number}: {} {}",
                wild.method, wild.uri
            );
            assert!(
                DOCUMENTED.contains(&status),
                "{asked}: {status} {}",
                answer.text
            );
        }
        assert_eq!(world.counts().await, before, "seed {seed}");
    }
}

/// Good signatures carried to another place: to another route, task, worker or value.
#[tokio::test]
async fn a_good_signature_is_good_in_its_place_only() {
    let world = World::new(0).await;
    let before = world.counts().await;
    let owner = world.scene.wallet.address();
    let named = world.scene.sign(sms::named(owner, "a", "value"));
    let key = world.scene.sign(sms::enclave_challenge(world.task));
    let other_task = format!("/tee/challenges/{}", TaskId::repeat(8));
    for (uri, sign) in [
        (
            format!("/secrets/web2?ownerAddress={owner}&secretName=b"),
            &named,
        ),
        (
            format!("/secrets/web2?ownerAddress={DATASET}&secretName=a"),
            &named,
        ),
        (format!("/requesters/{owner}/secrets/b"), &named),
        (format!("/apps/{owner}/secrets"), &named),
        (format!("/secrets/web3?secretAddress={owner}"), &named),
        (other_task, &key),
        (format!("/secrets/web3?secretAddress={DATASET}"), &key),
    ] {
        let answer = world.scene.call("POST", &uri, Some(sign), "value").await;
        assert_eq!(answer.status, 401, "{uri}");
    }
    assert_eq!(world.counts().await, before);
}
