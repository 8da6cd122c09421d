//! spec/secrets-tee.md §6.3, G12: the ECB vector, in the dumps that H2 writes.

use serde_json::Value as Json;

use super::*;
use crate::vault::tests::Scene;

const OWNER: &str = "0x00000000000000000000000000000000000000AA";

fn vector() -> (String, Vec<(String, String)>) {
    let json: Json = serde_json::from_str(include_str!("vectors/legacy_aes128_ecb.json")).unwrap();
    let text = |json: &Json| json.as_str().unwrap().to_owned();
    let pairs = json["vectors"].as_array().unwrap().iter();
    let pairs = pairs.map(|pair| (text(&pair["plaintext"]), text(&pair["stored_base64"])));
    (text(&json["key_file_content"]), pairs.collect())
}

fn dump(values: [&str; 3]) -> String {
    let [a, b, c] = values;
    format!(
        r#"
;
CREATE USER IF NOT EXISTS "SA" SALT 'ab' HASH 'cd' ADMIN;
CREATE CACHED TABLE "PUBLIC"."WEB2SECRET"(
    "ADDRESS" CHARACTER VARYING(255) NOT NULL,
    "OWNER_ADDRESS" CHARACTER VARYING(255) NOT NULL,
    "VALUE" CHARACTER LARGE OBJECT
);
ALTER TABLE "PUBLIC"."WEB2SECRET" ADD CONSTRAINT "PUBLIC"."C" PRIMARY KEY("ADDRESS");
-- 2 +/- SELECT COUNT(*) FROM PUBLIC.WEB2SECRET;
INSERT INTO "PUBLIC"."WEB2SECRET" VALUES
('it''s; a (name)', '{OWNER}', '{a}'),
(U&'\00e9t\00e9 \\', '{OWNER}', '');
CREATE CACHED TABLE "PUBLIC"."WEB3SECRET"("ADDRESS" VARCHAR(255), "VALUE" CLOB);
INSERT INTO "PUBLIC"."WEB3SECRET" VALUES('{OWNER}', '{b}');
CREATE CACHED TABLE "PUBLIC"."TEE_TASK_COMPUTE_SECRET"("ID" VARCHAR(255) NOT NULL,
    "ON_CHAIN_OBJECT_TYPE" ENUM('APPLICATION'), "ON_CHAIN_OBJECT_ADDRESS" VARCHAR,
    "SECRET_OWNER_ROLE" TINYINT, "FIXED_SECRET_OWNER" VARCHAR, "KEY" VARCHAR, "VALUE" CLOB);
INSERT INTO "PUBLIC"."TEE_TASK_COMPUTE_SECRET"("ID", "ON_CHAIN_OBJECT_TYPE", "KEY", "VALUE",
    "ON_CHAIN_OBJECT_ADDRESS", "SECRET_OWNER_ROLE", "FIXED_SECRET_OWNER")
VALUES ('i', 'APPLICATION', '1', '{c}', '{OWNER}', 0, ''),
('j', 'APPLICATION', 'mine', '{c}', '', 1, '{OWNER}');
CREATE CACHED TABLE "PUBLIC"."TEE_CHALLENGE"("ID" VARCHAR, "TASK" VARCHAR, "N" BIGINT);
INSERT INTO "PUBLIC"."TEE_CHALLENGE" VALUES ('k', NULL, 5);
"#
    )
}

#[test]
fn the_vector_decrypts_and_a_wrong_key_is_noticed() {
    let (key, pairs) = vector();
    let right = cipher(&key).unwrap();
    let other = cipher("AAAAAAAAAAAAAAAAAAAAAA==").unwrap();
    for (plain, stored) in &pairs {
        assert_eq!(decrypt(&right, stored).as_deref(), Some(plain.as_str()));
        assert_eq!(decrypt(&other, stored), None);
    }
    assert!(cipher("AAAA").is_err() && cipher("!").is_err());
    for junk in ["", "AAAA", "!"] {
        assert_eq!(decrypt(&right, junk), None);
    }
}

#[tokio::test]
async fn a_dump_is_taken_over_once() {
    let scene = Scene::new();
    let vault = scene.open().await.unwrap();
    let (key, pairs) = vector();
    let dump = dump([&pairs[0].1, &pairs[1].1, &pairs[2].1]);
    let done = vault.import(&dump, &key).await.unwrap();
    assert_eq!(
        done,
        Imported {
            stored: 5,
            kept: 0,
            skipped: 1
        }
    );
    let owner: Address = OWNER.parse().unwrap();
    for (slot, expected) in [
        (
            Slot::web2(owner, "it's; a (name)").unwrap(),
            pairs[0].0.as_str(),
        ),
        (Slot::web2(owner, "été \\").unwrap(), ""),
        (Slot::dataset(owner), &pairs[1].0),
        (Slot::app(owner), &pairs[2].0),
        (Slot::requester(owner, "mine").unwrap(), &pairs[2].0),
    ] {
        let value = vault.get(&slot).await.unwrap().unwrap();
        assert_eq!(value.expose(), expected);
    }
    let again = vault.import(&dump, &key).await.unwrap();
    assert_eq!(
        again,
        Imported {
            stored: 0,
            kept: 5,
            skipped: 1
        }
    );
}

#[tokio::test]
async fn of_a_dump_that_is_not_understood_nothing_is_taken() {
    let scene = Scene::new();
    let vault = scene.open().await.unwrap();
    let (key, pairs) = vector();
    let good = dump([&pairs[0].1, &pairs[1].1, &pairs[2].1]);
    for bad in [
        dump([&pairs[0].1, &pairs[1].1, "AAAA"]),
        good.replace(OWNER, "0x"),
        good.replace("'k', NULL", "'k"),
        good.replace("'k', NULL", "'k'"),
    ] {
        let refused = vault.import(&bad, &key).await;
        assert!(matches!(refused, Err(Error::Import(_))));
    }
    let other = vault.import(&good, "AAAAAAAAAAAAAAAAAAAAAA==").await;
    assert!(matches!(other, Err(Error::Import(_))));
    assert_eq!(vault.check().await.unwrap().sound, 0);
}
