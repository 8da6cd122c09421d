//! spec/secrets-tee.md §6.3, G12.

use protocol::{Address, TaskId};

use super::*;
use crate::{
    Slot,
    vault::tests::{Scene, update, value},
};

fn slots() -> Vec<Slot> {
    (0..5)
        .map(|n| Slot::dataset(Address::repeat_byte(n)))
        .collect()
}

async fn fill(vault: &Vault) {
    for slot in slots() {
        assert!(vault.insert(&slot, &value(&slot.owner())).await.unwrap());
    }
    let changed = Slot::web2(Address::ZERO, "a").unwrap();
    vault.insert(&changed, &value("old")).await.unwrap();
    assert!(update(vault, &changed, "new").await);
    vault
        .challenge_or_create(TaskId::default(), 1)
        .await
        .unwrap();
}

async fn assert_filled(vault: &Vault) {
    for slot in slots() {
        assert_eq!(vault.get(&slot).await.unwrap(), Some(value(&slot.owner())));
    }
    let changed = Slot::web2(Address::ZERO, "a").unwrap();
    assert_eq!(vault.get(&changed).await.unwrap(), Some(value("new")));
    assert!(vault.challenge(TaskId::default()).await.unwrap().is_some());
    assert_eq!(vault.check().await.unwrap().damaged, 0);
}

/// A backup after a rotation, so that it has several keys, and its pair.
async fn backup(setup: Setup) -> (BackupSecret, Vec<u8>) {
    let vault = Vault::open(setup).await.unwrap();
    fill(&vault).await;
    vault.rotate(None).await.unwrap();
    let secret = BackupSecret::random();
    let backup = vault.backup(&secret.public().unwrap()).await.unwrap();
    (secret, backup)
}

#[tokio::test]
async fn a_store_comes_back_from_nothing_but_backup_and_private_key() {
    let (secret, bytes) = backup(Scene::new().setup()).await;
    let scene = Scene::new();
    let manifest = restore(scene.setup(), &secret, None, &bytes).await.unwrap();
    assert_eq!(manifest.tables["secret"].rows, 6);
    let vault = scene.open().await.unwrap();
    assert_filled(&vault).await;
    vault.rotate(None).await.unwrap();
    assert_filled(&vault).await;
}

#[tokio::test]
async fn what_was_accepted_comes_back_too() {
    let scene = Scene::new();
    let vault = scene.open().await.unwrap();
    let slot = Slot::web2(Address::ZERO, "a").unwrap();
    let stored = vault.insert_signed(&slot, &value("a"), "00ff").await;
    assert!(stored.unwrap() && update(&vault, &slot, "b").await);
    let known = async |vault: &Vault| {
        let row = sqlx::query("select accepted from secret");
        let row = row.fetch_one(&vault.pool).await.unwrap();
        sqlx::Row::get::<String, _>(&row, 0)
    };
    let before = known(&vault).await;
    assert!(before.starts_with("00ff "), "{before}");
    let secret = BackupSecret::random();
    let backup = vault.backup(&secret.public().unwrap()).await.unwrap();
    let scene = Scene::new();
    restore(scene.setup(), &secret, None, &backup)
        .await
        .unwrap();
    assert_eq!(known(&scene.open().await.unwrap()).await, before);
}

#[tokio::test]
async fn a_store_moves_to_postgres_and_a_passphrase() {
    let url = tools::need!(tools::postgres_database());
    let (secret, bytes) = backup(Scene::new().setup()).await;
    let scene = Scene::new();
    let setup = || Setup {
        url: url.clone(),
        ..scene.setup_with_passphrase()
    };
    let without = restore(setup(), &secret, None, &bytes).await;
    assert!(matches!(without, Err(Error::Sealed)));
    let phrase = Phrase::new("correct horse battery".into()).unwrap();
    restore(setup(), &secret, Some(&phrase), &bytes)
        .await
        .unwrap();
    let vault = Vault::open(setup()).await.unwrap();
    assert!(vault.unseal(Some(&phrase)).await.unwrap());
    assert_filled(&vault).await;
    let again = vault.backup(&secret.public().unwrap()).await.unwrap();
    let scene = Scene::new();
    restore(scene.setup(), &secret, None, &again).await.unwrap();
    assert_filled(&scene.open().await.unwrap()).await;
}

#[tokio::test]
async fn nothing_is_written_over() {
    let scene = Scene::new();
    let (secret, bytes) = backup(scene.setup()).await;
    let refused = restore(scene.setup(), &secret, None, &bytes).await;
    assert!(matches!(
        refused,
        Err(Error::Backup("the store is not empty"))
    ));
}

#[tokio::test]
async fn only_the_right_key_opens_it_and_no_byte_may_differ() {
    let (secret, bytes) = backup(Scene::new().setup()).await;
    assert!(decrypt(&BackupSecret::random(), &bytes).is_err());
    for at in (0..bytes.len()).step_by(97).chain([0, 20, bytes.len() - 1]) {
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        assert!(decrypt(&secret, &bad).is_err(), "byte {at}");
    }
    assert!(decrypt(&secret, &bytes[..bytes.len() - 1]).is_err());
    assert!(decrypt(&secret, &bytes[..30]).is_err());
}

#[tokio::test]
async fn one_that_is_not_what_its_manifest_says_is_refused_before_anything_is_written() {
    let (secret, bytes) = backup(Scene::new().setup()).await;
    type Spoil = fn(&mut Content);
    let spoils: [Spoil; 5] = [
        |content| drop(content.tables.get_mut("secret").unwrap().pop()),
        |content| drop(content.tables.remove("tee_challenge")),
        |content| content.tables.get_mut("secret").unwrap()[0].numbers[0] = 9,
        |content| drop(content.keys.remove(&content.active)),
        |content| {
            let rows = content.tables.get_mut("secret").unwrap();
            rows[0].sealed = rows[1].sealed.clone();
            let told = summary(rows);
            content.manifest.tables.insert("secret".into(), told);
        },
    ];
    for spoil in spoils {
        let mut content = decrypt(&secret, &bytes).unwrap();
        spoil(&mut content);
        let bad = encrypt(&secret.public().unwrap(), &content).unwrap();
        let scene = Scene::new();
        assert!(restore(scene.setup(), &secret, None, &bad).await.is_err());
        assert!(!scene.file().exists());
    }
}

#[tokio::test]
async fn a_backup_stays_in_its_mode() {
    let (secret, bytes) = backup(Scene::new().setup()).await;
    let scene = Scene::new();
    let setup = Setup {
        mode: Mode::Simulation,
        ..scene.setup()
    };
    let refused = restore(setup, &secret, None, &bytes).await;
    assert!(matches!(refused, Err(Error::OtherMode { .. })));
}
