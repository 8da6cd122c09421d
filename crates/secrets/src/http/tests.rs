use alloy::signers::local::PrivateKeySigner;
use axum::http::StatusCode;
use protocol::{Address, B256, sms};
use serde_json::json;

use crate::{
    Framework, SECRET_BYTES_MAX, Slot, Unavailable,
    testing::{Scene, Script},
};

const TEXT: &str = "foo";

/// spec/client.md Appendix A: made by the SDK with the key of 0xf39F…2266.
mod golden {
    use super::*;

    const OWNER: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
    const DATASET: &str = "0x3a21b82fa6550a20e46f455c1067a4bcdbfbec68620de92a081160b3744e5ea648804\
                           ea8c65964f39391e4ab2667620df5ed469c420ad9b712a2025bc5f2e00f1c";
    const REQUESTER: &str = "0xccd88ee7f0c4e8578f1ffb07b5153b14d71b05de1190d84e6db2563bc3e7a9aa214\
                             5b5cadc273ef1b42610c255bd7b0fcc72bca6374eb5061c7e914a11e25d851b";
    const APP: &str = "0xe292fb3e8dfaf609ec932e37d0835b1b3e02be2be352f6c2c81f88f3407aad0e542b8900b8\
                       ec0c9da3425bd22a1ec07bac266d8316f6b158a0684f2079b8ae261b";

    #[tokio::test]
    async fn the_sdks_signatures_are_accepted_once() {
        let owner = Some(OWNER.parse().unwrap());
        let scene = Scene::with(PrivateKeySigner::random(), Script::owned(owner), None).await;
        let requester = format!("/requesters/{OWNER}/secrets/s1");
        for (uri, sign) in [
            (
                "/secrets/web3?secretAddress=0x0159fd095373d9af76b860eC545e10b556Bb003a",
                DATASET,
            ),
            (requester.as_str(), REQUESTER),
            (
                "/apps/0xf6BC713064256BE134A3f69445843828bfdc7D9F/secrets",
                APP,
            ),
        ] {
            assert_eq!(scene.head(uri).await, 404, "{uri}");
            let wrong = scene.call("POST", uri, Some(sign), "bar").await;
            assert_eq!(wrong.status, 401, "{uri}");
            let first = scene.call("POST", uri, Some(sign), TEXT).await;
            assert_eq!(
                (first.status, first.text.as_str()),
                (StatusCode::NO_CONTENT, "")
            );
            assert_eq!(scene.head(uri).await, 204, "{uri}");
            let second = scene.call("POST", uri, Some(sign), TEXT).await;
            assert_eq!(second.status, 409, "{uri}");
        }
    }
}

mod web3 {
    use super::*;

    const DATASET: Address = Address::repeat_byte(0xda);

    fn uri() -> String {
        format!("/secrets/web3?secretAddress={DATASET}")
    }

    #[tokio::test]
    async fn the_key_is_sealed_and_readable_inside_only() {
        let scene = Scene::new().await;
        let digest = sms::dataset(DATASET, TEXT);
        let answer = scene.push("POST", &uri(), digest, TEXT).await;
        assert_eq!(answer.status, 204);
        let handle = scene.service.handle();
        let value = handle.get(&Slot::dataset(DATASET)).await.unwrap().unwrap();
        assert_eq!(value.expose(), TEXT);
        assert!(!format!("{value:?}").contains(TEXT));
        assert_eq!(scene.call("GET", &uri(), None, "").await.status, 405);
    }

    #[tokio::test]
    async fn only_the_owner_may_push() {
        let stranger = PrivateKeySigner::random();
        for owner in [Some(Address::repeat_byte(1)), None] {
            let scene = Scene::with(stranger.clone(), Script::owned(owner), None).await;
            let digest = sms::dataset(DATASET, TEXT);
            let answer = scene.push("POST", &uri(), digest, TEXT).await;
            assert_eq!(
                (answer.status, answer.text.as_str()),
                (StatusCode::UNAUTHORIZED, "")
            );
            assert_eq!(scene.head(&uri()).await, 404);
        }
    }

    #[tokio::test]
    async fn of_many_who_push_at_once_exactly_one_wins() {
        let scene = Scene::new().await;
        let values: Vec<String> = (0..64).map(|n| format!("key {n}")).collect();
        let uri = uri();
        let push = |value| {
            let digest = sms::dataset(DATASET, value);
            scene.push("POST", &uri, digest, value)
        };
        let answers = futures_util::future::join_all(values.iter().map(|v| push(v))).await;
        let won = |status: u16| {
            let pairs = values.iter().zip(&answers);
            let those = pairs.filter(move |(_, answer)| answer.status == status);
            those.map(|(value, _)| value.clone()).collect::<Vec<_>>()
        };
        assert_eq!((won(204).len(), won(409).len()), (1, 63));
        let handle = scene.service.handle();
        let value = handle.get(&Slot::dataset(DATASET)).await.unwrap().unwrap();
        assert_eq!(value.expose(), won(204)[0]);
    }

    #[tokio::test]
    async fn a_chain_that_is_away_is_not_the_owners_fault() {
        let away = Script::away(Unavailable("no route".into()));
        let scene = Scene::with(PrivateKeySigner::random(), away, None).await;
        let digest = sms::dataset(DATASET, TEXT);
        let answer = scene.push("POST", &uri(), digest, TEXT).await;
        assert_eq!(answer.status, 503);
    }

    #[tokio::test]
    async fn malformed_requests_are_400_and_malformed_signatures_401() {
        let scene = Scene::new().await;
        let unsigned = scene.call("POST", &uri(), None, TEXT).await;
        assert_eq!(unsigned.status, 400);
        for sign in ["", "0x", "0x1234", "junk"] {
            let answer = scene.call("POST", &uri(), Some(sign), TEXT).await;
            assert_eq!(answer.status, 401, "{sign}");
        }
        let digest = sms::dataset(DATASET, "");
        let empty = scene.push("POST", &uri(), digest, "").await;
        assert_eq!(empty.status, 400);
        assert_eq!(scene.head("/secrets/web3").await, 400);
        assert_eq!(scene.head("/secrets/web3?secretAddress=0x12").await, 400);
    }
}

mod web2 {
    use super::*;

    #[tokio::test]
    async fn a_secret_is_pushed_then_replaced() {
        let scene = Scene::new().await;
        let uri = scene.web2("Name");
        let digest = scene.named("Name", TEXT);
        let early = scene.push("PUT", &uri, digest, TEXT).await;
        assert_eq!(early.status, 404);
        let first = scene.push("POST", &uri, digest, TEXT).await;
        assert_eq!(first.status, 204);
        let again = scene.push("POST", &uri, digest, TEXT).await;
        assert_eq!(again.status, 409);
        let digest = scene.named("Name", "bar");
        let update = scene.push("PUT", &uri, digest, "bar").await;
        assert_eq!(update.status, 204);
        let slot = Slot::web2(scene.wallet.address(), "name").unwrap();
        let value = scene.service.handle().get(&slot).await.unwrap();
        assert_eq!(value.unwrap().expose(), "bar");
    }

    /// What was recorded of an old push does not bring back its value; the current one may come
    /// again, as official clients do.
    #[tokio::test]
    async fn an_old_push_is_not_taken_again() {
        let mut scene = Scene::new().await;
        let uri = scene.web2("n");
        let sign = |scene: &Scene, value: &str| scene.sign(scene.named("n", value));
        let signs = ["a", "b", "c"].map(|value| (value, sign(&scene, value)));
        for (method, (value, sign), status) in [
            ("POST", &signs[0], 204),
            ("PUT", &signs[0], 204),
            ("PUT", &signs[1], 204),
            ("PUT", &signs[1], 204),
            ("PUT", &signs[0], 409),
            ("PUT", &signs[2], 204),
            ("PUT", &signs[1], 409),
            ("PUT", &signs[0], 409),
        ] {
            let answer = scene.call(method, &uri, Some(sign), *value).await;
            assert_eq!(answer.status, status, "{method} {value}");
            scene.restart().await;
        }
        let slot = Slot::web2(scene.wallet.address(), "n").unwrap();
        let value = scene.service.handle().get(&slot).await.unwrap();
        assert_eq!(value.unwrap().expose(), "c");
        // Its owner can say it anew: the spelling of a name is signed, and does not matter.
        let (uri, digest) = (scene.web2("N"), scene.named("N", "a"));
        assert_eq!(scene.push("PUT", &uri, digest, "a").await.status, 204);
    }

    /// The case of a name is signed as sent, but does not matter afterwards.
    #[tokio::test]
    async fn names_are_one_in_any_case() {
        let scene = Scene::new().await;
        let digest = scene.named("Name", TEXT);
        scene.push("POST", &scene.web2("Name"), digest, TEXT).await;
        assert_eq!(scene.head(&scene.web2("nAME")).await, 204);
        assert_eq!(scene.head(&scene.web2("other")).await, 404);
    }

    #[tokio::test]
    async fn nobody_pushes_for_another() {
        let scene = Scene::new().await;
        let other = Address::repeat_byte(5);
        let uri = format!("/secrets/web2?ownerAddress={other}&secretName=n");
        let digest = sms::named(other, "n", TEXT);
        for method in ["POST", "PUT"] {
            let answer = scene.push(method, &uri, digest, TEXT).await;
            assert_eq!(answer.status, 401);
        }
    }

    #[tokio::test]
    async fn a_signature_is_good_for_its_value_and_name_only() {
        let scene = Scene::new().await;
        let digest = scene.named("n", TEXT);
        let value = scene.push("POST", &scene.web2("n"), digest, "bar").await;
        assert_eq!(value.status, 401);
        let name = scene.push("POST", &scene.web2("m"), digest, TEXT).await;
        assert_eq!(name.status, 401);
    }

    #[tokio::test]
    async fn the_size_limit_is_inclusive_and_comes_after_the_signature() {
        let scene = Scene::new().await;
        let fits = "x".repeat(SECRET_BYTES_MAX);
        let digest = scene.named("n", &fits);
        let answer = scene.push("POST", &scene.web2("n"), digest, &fits).await;
        assert_eq!(answer.status, 204);
        let longer = "é".repeat(SECRET_BYTES_MAX / 2 + 1);
        let digest = scene.named("m", &longer);
        let answer = scene.push("POST", &scene.web2("m"), digest, &longer).await;
        assert_eq!(answer.status, 413);
        let uri = scene.web2("m");
        let answer = scene.push("POST", &uri, B256::ZERO, &longer);
        assert_eq!(answer.await.status, 401);
        let huge = "x".repeat(crate::http::BODY_BYTES_MAX + 1);
        let answer = scene.push("POST", &uri, B256::ZERO, &huge);
        assert_eq!(answer.await.status, 413);
    }
}

mod requester {
    use super::*;

    #[tokio::test]
    async fn names_are_case_sensitive_and_checked_after_the_signature() {
        let scene = Scene::new().await;
        let uri = scene.requester("Key-1");
        let digest = scene.named("Key-1", TEXT);
        assert_eq!(scene.push("POST", &uri, digest, TEXT).await.status, 204);
        assert_eq!(scene.head(&uri).await, 204);
        assert_eq!(scene.head(&scene.requester("key-1")).await, 404);
        assert_eq!(scene.head(&scene.requester("a.b")).await, 400);
        let uri = scene.requester("a.b");
        let unsigned = scene.push("POST", &uri, B256::ZERO, TEXT).await;
        assert_eq!(unsigned.status, 401);
        assert_eq!(unsigned.error(), json!(["Invalid authorization"]));
        let digest = scene.named("a.b", TEXT);
        let signed = scene.push("POST", &uri, digest, TEXT).await;
        assert_eq!(signed.status, 400);
        let sentence = "Secret key should contain at most 64 characters from [0-9A-Za-z-_]";
        assert_eq!(signed.error(), json!([sentence]));
    }

    #[tokio::test]
    async fn too_long_is_400_here() {
        let scene = Scene::new().await;
        let long = "x".repeat(SECRET_BYTES_MAX + 1);
        let digest = scene.named("n", &long);
        let uri = scene.requester("n");
        let answer = scene.push("POST", &uri, digest, &long).await;
        assert_eq!(answer.status, 400);
        let sentence = "Secret size should not exceed 4 Kb";
        assert_eq!(answer.error(), json!([sentence]));
    }
}

mod app {
    use super::*;

    const APP: Address = Address::repeat_byte(0xaa);

    #[tokio::test]
    async fn there_is_one_slot_under_two_spellings() {
        let scene = Scene::new().await;
        let (bare, indexed) = (
            format!("/apps/{APP}/secrets"),
            format!("/apps/{APP}/secrets/1"),
        );
        let digest = sms::app(APP, TEXT);
        let answer = scene.push("POST", &indexed, digest, TEXT).await;
        assert_eq!(answer.status, 204);
        assert_eq!(scene.head(&bare).await, 204);
        let answer = scene.push("POST", &bare, digest, TEXT).await;
        assert_eq!(answer.status, 409);
        assert_eq!(answer.error(), json!(["Secret already exists"]));
        let other = format!("/apps/{APP}/secrets/2");
        assert_eq!(scene.head(&other).await, 404);
        let answer = scene.push("POST", &other, digest, TEXT).await;
        assert_eq!(answer.status, 400);
    }

    #[tokio::test]
    async fn only_the_owner_may_push() {
        let owner = Script::owned(Some(Address::repeat_byte(1)));
        let scene = Scene::with(PrivateKeySigner::random(), owner, None).await;
        let uri = format!("/apps/{APP}/secrets");
        let answer = scene.push("POST", &uri, sms::app(APP, TEXT), TEXT).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.error(), json!(["Invalid authorization"]));
        assert_eq!(scene.head("/apps/0x12/secrets").await, 400);
    }
}

mod tee {
    use super::*;

    #[tokio::test]
    async fn the_framework_is_told_when_there_is_one() {
        let scene = Scene::new().await;
        assert_eq!(
            scene.call("GET", "/tee/framework", None, "").await.status,
            404
        );
        let wallet = PrivateKeySigner::random();
        let scene = Scene::with(wallet, Script::owned(None), Some(Framework::Tdx)).await;
        let answer = scene.call("GET", "/tee/framework", None, "").await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (StatusCode::OK, "\"TDX\"")
        );
    }
}

mod audit {
    use super::*;
    use crate::{audit, vault::AUDIT_FILE};

    /// What the log tells of each push, without what differs from run to run.
    fn told(scene: &Scene) -> Vec<String> {
        let text = std::fs::read_to_string(scene.data_dir().join(AUDIT_FILE)).unwrap();
        let told = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let entry = &line["entry"];
            let word = |key: &str| entry[key].as_str().unwrap().to_owned();
            assert_eq!(word("actor"), format!("{:#x}", scene.wallet.address()));
            assert_eq!(entry["ids"]["name"], "a");
            [word("action"), word("decision"), word("reason")].join(" ")
        };
        text.lines().map(told).collect()
    }

    #[tokio::test]
    async fn every_push_is_written_down_without_its_value() {
        let scene = Scene::new().await;
        let (uri, digest) = (scene.web2("a"), scene.named("a", "a value"));
        for method in ["PUT", "POST", "POST", "PUT"] {
            scene.push(method, &uri, digest, "a value").await;
        }
        let forged = scene.push("PUT", &uri, digest, "another value").await;
        assert_eq!(forged.status, 401);
        let expected = [
            "secret.update refused absent",
            "secret.push allowed stored",
            "secret.push refused exists",
            "secret.update allowed replaced",
        ];
        assert_eq!(told(&scene), expected);
        assert!(!scene.is_in_files(b"a value"));
    }

    /// However far its request had come.
    #[tokio::test]
    async fn a_client_that_hangs_up_leaves_no_push_unwritten() {
        let scene = Scene::new().await;
        for polls in 0..20 {
            let name = format!("n{polls}");
            let (uri, digest) = (scene.web2(&name), scene.named(&name, TEXT));
            let mut push = Box::pin(scene.push("POST", &uri, digest, TEXT));
            for _ in 0..polls {
                if futures_util::poll!(&mut push).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        // Changes have one queue: nothing is stored later than this.
        let (uri, digest) = (scene.web2("last"), scene.named("last", TEXT));
        assert_eq!(scene.push("POST", &uri, digest, TEXT).await.status, 204);
        let stored = async || {
            let metrics = scene.service.vault().metrics().await.unwrap();
            metrics["secretsMetrics"]["web2"]["storedCount"].clone()
        };
        let log = scene.data_dir().join(AUDIT_FILE);
        let written = || audit::verify(&log, None).unwrap().entries;
        for _ in 0..500 {
            if stored().await == written() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{} are stored, {} written down", stored().await, written());
    }

    #[tokio::test]
    async fn the_head_is_told_for_a_witness() {
        let scene = Scene::new().await;
        let (uri, digest) = (scene.web2("a"), scene.named("a", TEXT));
        scene.push("POST", &uri, digest, TEXT).await;
        let metrics = scene.service.vault().metrics().await.unwrap();
        let head = metrics["audit"]["head"].as_str().unwrap().parse().unwrap();
        let path = scene.data_dir().join(AUDIT_FILE);
        assert_eq!(audit::verify(&path, Some(head)).unwrap(), head);
        assert_eq!(metrics["audit"]["entries"], 1);
    }
}

mod sealed {
    use super::*;
    use crate::{Keys, Phrase};

    #[tokio::test]
    async fn nothing_is_told_until_the_passphrase_is_given() {
        let keys = Keys::Passphrase { file: None };
        let scene = Scene::with_keys(keys).await;
        let (uri, digest) = (scene.web2("a"), scene.named("a", TEXT));
        assert!(scene.service.is_sealed());
        assert_eq!(scene.head(&uri).await, 503);
        assert_eq!(scene.push("POST", &uri, digest, TEXT).await.status, 503);
        assert_eq!(
            scene.call("GET", "/tee/framework", None, "").await.status,
            503
        );
        let told = scene.operator("/version").await;
        assert_eq!(told.status, 200);
        let told = scene.operator("/actuator/health").await;
        assert_eq!(
            (told.status.as_u16(), told.json()),
            (200, json!({ "status": "SEALED" }))
        );
        assert_eq!(scene.operator("/metrics").await.status, 503);
        let phrase = Phrase::new("correct horse battery".into()).unwrap();
        scene.service.unseal(&phrase).await.unwrap();
        assert_eq!(scene.push("POST", &uri, digest, TEXT).await.status, 204);
        assert_eq!(scene.head(&uri).await, 204);
        assert_eq!(scene.operator("/metrics").await.status, 200);
    }
}
