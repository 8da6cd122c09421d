//! spec/secrets-tee.md §5.5 and §6.3, G12: rotation, also of what earlier versions sealed.

use protocol::{Address, TaskId};

use super::*;
use crate::{
    Slot, Value,
    seal::{Key, Phrase, close},
    slot::bind,
    vault::tests::{Scene, update, value},
};

const COUNT: u8 = 40;

fn slots() -> impl Iterator<Item = (Slot, Value)> {
    (0..COUNT).map(|n| {
        (
            Slot::dataset(Address::repeat_byte(n)),
            value(&format!("value {n}")),
        )
    })
}

async fn fill(vault: &Vault) {
    for (slot, value) in slots() {
        assert!(vault.insert(&slot, &value).await.unwrap());
    }
    vault
        .challenge_or_create(TaskId::default(), 1)
        .await
        .unwrap();
}

async fn assert_all_open(vault: &Vault) {
    for (slot, value) in slots() {
        assert_eq!(vault.get(&slot).await.unwrap(), Some(value));
    }
    let sound = u64::from(COUNT) + 1;
    assert_eq!(vault.check().await.unwrap(), Checked { sound, damaged: 0 });
}

/// The ids of the keys that values are wrapped in.
async fn keys_in_use(vault: &Vault) -> Vec<u8> {
    let mut ids: Vec<u8> = Vec::new();
    for table in TABLES {
        let page = vault.page(table, None).await.unwrap();
        ids.extend(page.iter().map(|row| row.sealed[4]));
    }
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[tokio::test]
async fn everything_is_under_the_new_key_afterwards() {
    let scene = Scene::new();
    let vault = scene.open().await.unwrap();
    fill(&vault).await;
    assert_eq!(keys_in_use(&vault).await, [1]);
    let done = vault.rotate(None).await.unwrap();
    let rewrapped = u64::from(COUNT) + 1;
    assert_eq!(
        done,
        Rotation {
            key: 2,
            rewrapped,
            damaged: 0
        }
    );
    assert_eq!(keys_in_use(&vault).await, [2]);
    assert_all_open(&vault).await;
    drop(vault);
    let vault = scene.open().await.unwrap();
    assert_all_open(&vault).await;
    assert_eq!(vault.rotate(None).await.unwrap().key, 3);
}

#[tokio::test]
async fn one_that_was_killed_in_the_middle_goes_on_with_the_same_key() {
    let scene = Scene::new();
    let vault = scene.open().await.unwrap();
    fill(&vault).await;
    let ring = keyring::renew(&vault.writer, vault.mode, &vault.provider, None);
    vault.seal.set(ring.await.unwrap());
    let page = vault.page(TABLES[0], None).await.unwrap();
    let mut done = Rotation::default();
    vault
        .rewrap_page(TABLES[0], &page[..10], &mut done)
        .await
        .unwrap();
    assert_eq!(done.rewrapped, 10);
    drop(vault);
    let vault = scene.open().await.unwrap();
    assert_eq!(keys_in_use(&vault).await, [1, 2]);
    assert_all_open(&vault).await;
    let done = vault.rotate(None).await.unwrap();
    let rewrapped = u64::from(COUNT) + 1 - 10;
    assert_eq!(
        done,
        Rotation {
            key: 2,
            rewrapped,
            damaged: 0
        }
    );
    assert_all_open(&vault).await;
}

async fn rotate_under_load(vault: &Vault) {
    fill(vault).await;
    let changed = Slot::web2(Address::repeat_byte(1), "changed").unwrap();
    vault.insert(&changed, &value("0")).await.unwrap();
    let rotate = async {
        for _ in 0..5 {
            vault.rotate(None).await.unwrap();
        }
    };
    let load = async {
        for n in 1..=60 {
            let added = Slot::web2(Address::repeat_byte(2), &n.to_string()).unwrap();
            assert!(vault.insert(&added, &value("added")).await.unwrap());
            assert!(update(vault, &changed, &n.to_string()).await);
            let read = vault.get(&changed).await.unwrap();
            assert_eq!(read, Some(value(&n.to_string())));
        }
    };
    futures_util::future::join(rotate, load).await;
    let last = vault.rotate(None).await.unwrap();
    assert_eq!(keys_in_use(vault).await, [u8::try_from(last.key).unwrap()]);
    assert_eq!(vault.get(&changed).await.unwrap(), Some(value("60")));
    let sound = u64::from(COUNT) + 1 + 1 + 60;
    assert_eq!(vault.check().await.unwrap(), Checked { sound, damaged: 0 });
}

#[tokio::test]
async fn nobody_notices_a_rotation() {
    let scene = Scene::new();
    let vault = scene.open().await.unwrap();
    rotate_under_load(&vault).await;
}

#[tokio::test]
async fn nobody_notices_a_rotation_on_postgres() {
    let url = tools::need!(tools::postgres_database());
    let scene = Scene::new();
    let vault = Vault::open(scene.setup_at(url)).await.unwrap();
    rotate_under_load(&vault).await;
}

/// A database as the version before the keyring left it.
async fn legacy_store(scene: &Scene) {
    let vault = scene.open().await.unwrap();
    let bytes = [7; 32];
    let key = Key::from_slice(&bytes).unwrap();
    let seal = |binding: &[u8], text: &str| {
        [&[1], &close(&key, binding, text.as_bytes()).unwrap()[..]].concat()
    };
    for sql in ["delete from keyring", "delete from keyring_header"] {
        sqlx::query(sql).execute(&vault.writer).await.unwrap();
    }
    let probe = "insert into seal (id, probe) values (1, $1)";
    let probe = sqlx::query(probe).bind(seal(b"probe", "probe"));
    probe.execute(&vault.writer).await.unwrap();
    for (slot, value) in slots() {
        let row = "insert into secret (kind, owner, name, sealed) values ($1, $2, $3, $4)";
        sqlx::query(row)
            .bind(slot.kind())
            .bind(slot.owner())
            .bind(slot.name())
            .bind(seal(&slot.binding(), value.expose()))
            .execute(&vault.writer)
            .await
            .unwrap();
    }
    let (task, address) = (
        TaskId::default(),
        "0x0000000000000000000000000000000000000001",
    );
    let binding = bind([b"tee-challenge", task.0.as_slice(), address.as_bytes()]);
    let row = "insert into tee_challenge (task, address, sealed, purge_at) values ($1,$2,$3,1)";
    sqlx::query(row)
        .bind(task.to_string())
        .bind(address)
        .bind(seal(&binding, "0x01"))
        .execute(&vault.writer)
        .await
        .unwrap();
    drop(vault);
    std::fs::write(scene.key(), bytes).unwrap();
}

#[tokio::test]
async fn a_store_of_the_version_before_opens_and_is_rewrapped() {
    let scene = Scene::new();
    legacy_store(&scene).await;
    let vault = scene.open().await.unwrap();
    assert_all_open(&vault).await;
    assert_eq!(
        vault.rotate(None).await.unwrap().rewrapped,
        u64::from(COUNT) + 1
    );
    assert_eq!(keys_in_use(&vault).await, [2]);
    assert_all_open(&vault).await;
    drop(vault);
    assert_all_open(&scene.open().await.unwrap()).await;
}

#[tokio::test]
async fn a_store_of_the_version_before_can_go_on_with_a_passphrase() {
    let scene = Scene::new();
    legacy_store(&scene).await;
    let kept = std::fs::read(scene.key()).unwrap();
    std::fs::remove_file(scene.key()).unwrap();
    let vault = Vault::open(scene.setup_with_passphrase()).await;
    assert!(matches!(vault, Err(Error::WrongKey { .. })));
    std::fs::write(scene.key(), kept).unwrap();
    let vault = Vault::open(scene.setup_with_passphrase()).await.unwrap();
    let phrase = Phrase::new("correct horse battery".into()).unwrap();
    assert!(vault.unseal(Some(&phrase)).await.unwrap());
    vault.rotate(Some(&phrase)).await.unwrap();
    drop(vault);
    std::fs::remove_file(scene.key()).unwrap();
    let vault = Vault::open(scene.setup_with_passphrase()).await.unwrap();
    assert!(vault.unseal(Some(&phrase)).await.unwrap());
    assert_all_open(&vault).await;
}

#[tokio::test]
async fn a_damaged_value_is_counted_and_stops_nothing() {
    let scene = Scene::new();
    let vault = scene.open().await.unwrap();
    fill(&vault).await;
    let page = vault.page(TABLES[0], None).await.unwrap();
    let mut connection = vault.writer.acquire().await.unwrap();
    let mut sealed = page[0].sealed.clone();
    sealed[20] ^= 1;
    TABLES[0]
        .replace(&mut connection, &page[0], sealed)
        .await
        .unwrap();
    drop(connection);
    let done = vault.rotate(None).await.unwrap();
    assert_eq!((done.rewrapped, done.damaged), (u64::from(COUNT), 1));
    assert_eq!(vault.check().await.unwrap().damaged, 1);
    // Nor does it keep the key for ever.
    assert_eq!((done.key, vault.rotate(None).await.unwrap().key), (2, 3));
}

#[tokio::test]
async fn a_row_that_names_no_secret_is_counted_and_stops_nothing() {
    let scene = Scene::new();
    let vault = scene.open().await.unwrap();
    fill(&vault).await;
    let spoil = sqlx::query("update secret set kind = 'none' where owner = $1");
    let spoil = spoil.bind(Slot::dataset(Address::ZERO).owner());
    spoil.execute(&vault.writer).await.unwrap();
    let done = vault.rotate(None).await.unwrap();
    assert_eq!((done.rewrapped, done.damaged), (u64::from(COUNT), 1));
    assert_eq!(vault.check().await.unwrap().damaged, 1);
}

/// A value that was sealed when the rotation began, and is stored late.
#[tokio::test]
async fn a_rotation_waits_for_what_is_sealed_already() {
    let scene = Scene::new();
    let vault = scene.open().await.unwrap();
    let slot = Slot::dataset(Address::ZERO);
    let writing = vault.writing.read().await;
    let sealed = vault.seal.close(&slot.binding(), &value("late")).unwrap();
    let store = async {
        let keys = || async {
            let rows = sqlx::query("select id from keyring");
            rows.fetch_all(&vault.pool).await.unwrap().len()
        };
        while keys().await < 2 {}
        // Time enough for a rotation that does not wait.
        for _ in 0..50 {
            keys().await;
        }
        let row = "insert into secret (kind, owner, name, sealed) values ($1, $2, $3, $4)";
        let row = sqlx::query(row)
            .bind(slot.kind())
            .bind(slot.owner())
            .bind(slot.name())
            .bind(sealed);
        row.execute(&vault.writer).await.unwrap();
        drop(writing);
    };
    let (done, ()) = futures_util::future::join(vault.rotate(None), store).await;
    assert_eq!(done.unwrap().rewrapped, 1);
    assert_eq!(keys_in_use(&vault).await, [2]);
    assert_eq!(vault.get(&slot).await.unwrap(), Some(value("late")));
}

#[tokio::test]
async fn two_at_once_make_two_keys_and_lose_nothing() {
    let scene = Scene::new();
    let vault = scene.open().await.unwrap();
    fill(&vault).await;
    let (one, other) = futures_util::future::join(vault.rotate(None), vault.rotate(None)).await;
    assert_eq!((one.unwrap().key, other.unwrap().key), (2, 3));
    assert_eq!(keys_in_use(&vault).await, [3]);
    assert_all_open(&vault).await;
}
