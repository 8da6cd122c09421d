use protocol::Address;

use super::*;
use crate::seal::Passphrase;

const SLOT: Slot = Slot::dataset(Address::repeat_byte(1));

pub(crate) struct Scene(pub(crate) tempfile::TempDir);

impl Scene {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    pub(crate) fn file(&self) -> PathBuf {
        self.0.path().join("db")
    }
    pub(crate) fn key(&self) -> PathBuf {
        self.0.path().join(KEY_FILE)
    }
    fn url(&self) -> String {
        format!("sqlite://{}?mode=rwc", self.file().display())
    }
    pub(crate) fn setup(&self) -> Setup {
        Setup {
            url: self.url(),
            data_dir: self.0.path().to_owned(),
            provider: Arc::new(KeyFile::new(self.key())),
            mode: Mode::Real,
        }
    }
    pub(crate) fn setup_at(&self, url: String) -> Setup {
        Setup {
            url,
            ..self.setup()
        }
    }
    pub(crate) fn setup_with_passphrase(&self) -> Setup {
        Setup {
            provider: Arc::new(Passphrase::default()),
            ..self.setup()
        }
    }
    pub(crate) async fn open(&self) -> Result<Vault, Error> {
        Vault::open(self.setup()).await
    }
}

/// A push of an owner who signs each once.
pub(crate) async fn update(vault: &Vault, slot: &Slot, text: &str) -> bool {
    let wallet = alloy::signers::local::PrivateKeySigner::random();
    let signature = crate::testing::sign(&wallet, protocol::B256::ZERO);
    let mark = Mark::of(&signature.parse().unwrap());
    let done = vault.update(slot, &value(text), &mark).await.unwrap();
    done == Update::Done
}

pub(crate) fn value(text: &str) -> Value {
    Value::new(text.to_owned())
}

#[tokio::test]
async fn values_are_written_once_and_survive_a_restart() {
    let scene = Scene::new();
    let vault = scene.open().await.unwrap();
    assert!(!vault.holds(&SLOT).await.unwrap());
    assert!(!update(&vault, &SLOT, "no").await);
    assert!(vault.insert(&SLOT, &value("first")).await.unwrap());
    assert!(!vault.insert(&SLOT, &value("second")).await.unwrap());
    drop(vault);
    let vault = scene.open().await.unwrap();
    assert_eq!(vault.get(&SLOT).await.unwrap(), Some(value("first")));
    assert!(update(&vault, &SLOT, "third").await);
    assert_eq!(vault.get(&SLOT).await.unwrap(), Some(value("third")));
}

#[tokio::test]
async fn the_files_do_not_hold_the_value_in_clear() {
    let scene = Scene::new();
    let vault = scene.open().await.unwrap();
    let text = "a very recognisable secret";
    vault.insert(&SLOT, &value(text)).await.unwrap();
    vault.pool.close().await;
    for entry in std::fs::read_dir(scene.0.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let found = bytes.windows(text.len()).any(|w| w == text.as_bytes());
        assert!(!found);
    }
}

#[tokio::test]
async fn a_lost_or_foreign_key_is_noticed_and_not_replaced() {
    let scene = Scene::new();
    scene.open().await.unwrap();
    let kept = std::fs::read(scene.key()).unwrap();
    std::fs::remove_file(scene.key()).unwrap();
    assert!(matches!(scene.open().await, Err(Error::WrongKey { .. })));
    assert!(!scene.key().exists());
    std::fs::write(scene.key(), [1; 32]).unwrap();
    assert!(matches!(scene.open().await, Err(Error::WrongRoot)));
    std::fs::write(scene.key(), kept).unwrap();
    assert!(scene.open().await.is_ok());
}

#[tokio::test]
async fn a_value_moved_to_another_slot_is_damaged() {
    let scene = Scene::new();
    let vault = scene.open().await.unwrap();
    vault.insert(&SLOT, &value("mine")).await.unwrap();
    sqlx::query("update secret set owner = $1")
        .bind(Slot::dataset(Address::repeat_byte(2)).owner())
        .execute(&vault.writer)
        .await
        .unwrap();
    let other = Slot::dataset(Address::repeat_byte(2));
    assert!(matches!(vault.get(&other).await, Err(Error::Damaged)));
}

#[tokio::test]
async fn the_same_sql_runs_on_postgres() {
    let url = tools::need!(tools::postgres_database());
    let scene = Scene::new();
    let postgres = |scene: &Scene| Setup {
        url: url.clone(),
        ..scene.setup()
    };
    let vault = Vault::open(postgres(&scene)).await.unwrap();
    assert!(vault.insert(&SLOT, &value("first")).await.unwrap());
    assert!(!vault.insert(&SLOT, &value("second")).await.unwrap());
    let vault = Vault::open(postgres(&scene)).await.unwrap();
    assert_eq!(vault.get(&SLOT).await.unwrap(), Some(value("first")));
    assert!(update(&vault, &SLOT, "third").await);
    assert_eq!(vault.get(&SLOT).await.unwrap(), Some(value("third")));
    let other = Vault::open(postgres(&Scene::new())).await;
    assert!(matches!(other, Err(Error::WrongKey { .. })));
}

#[tokio::test]
async fn two_values_that_change_places_are_damaged() {
    let scene = Scene::new();
    let vault = scene.open().await.unwrap();
    let other = Slot::dataset(Address::repeat_byte(2));
    vault.insert(&SLOT, &value("mine")).await.unwrap();
    vault.insert(&other, &value("yours")).await.unwrap();
    for (slot, sealed) in [
        (&SLOT, vault.sealed(&other).await.unwrap().unwrap().0),
        (&other, vault.sealed(&SLOT).await.unwrap().unwrap().0),
    ] {
        let swap = sqlx::query("update secret set sealed = $1 where owner = $2");
        let swap = swap.bind(sealed).bind(slot.owner());
        swap.execute(&vault.writer).await.unwrap();
    }
    assert!(matches!(vault.get(&SLOT).await, Err(Error::Damaged)));
    assert!(matches!(vault.get(&other).await, Err(Error::Damaged)));
    assert_eq!(vault.check().await.unwrap().damaged, 2);
}

#[tokio::test]
async fn an_older_value_in_the_place_of_a_newer_is_damaged() {
    let scene = Scene::new();
    let vault = scene.open().await.unwrap();
    let slot = Slot::web2(Address::ZERO, "a").unwrap();
    vault.insert(&slot, &value("old")).await.unwrap();
    let (old, _) = vault.sealed(&slot).await.unwrap().unwrap();
    assert!(update(&vault, &slot, "new").await);
    let put = sqlx::query("update secret set sealed = $1").bind(old);
    put.execute(&vault.writer).await.unwrap();
    assert!(matches!(vault.get(&slot).await, Err(Error::Damaged)));
}

#[tokio::test]
async fn a_store_belongs_to_one_mode() {
    let scene = Scene::new();
    drop(scene.open().await.unwrap());
    let simulation = || Setup {
        mode: Mode::Simulation,
        ..scene.setup()
    };
    let refused = Vault::open(simulation()).await;
    assert!(matches!(refused, Err(Error::OtherMode { .. })));
    let vault = Vault::open_sealed(scene.setup()).await.unwrap();
    let lie = sqlx::query("update keyring_header set mode = 'simulation'");
    lie.execute(&vault.writer).await.unwrap();
    let refused = Vault::open(simulation()).await;
    assert!(matches!(refused, Err(Error::WrongRoot)));
}

#[tokio::test]
async fn a_passphrase_is_asked_for_at_each_start() {
    let scene = Scene::new();
    let phrase = |text: &str| Phrase::new(text.into()).unwrap();
    let open = || Vault::open(scene.setup_with_passphrase());
    let vault = open().await.unwrap();
    assert!(matches!(
        vault.insert(&SLOT, &value("x")).await,
        Err(Error::Sealed)
    ));
    let short = vault.unseal(Some(&phrase("short"))).await;
    assert!(matches!(short, Err(Error::ShortPassphrase)));
    assert!(
        vault
            .unseal(Some(&phrase("correct horse battery")))
            .await
            .unwrap()
    );
    assert!(vault.insert(&SLOT, &value("x")).await.unwrap());
    assert!(!scene.key().exists());
    drop(vault);
    let vault = open().await.unwrap();
    assert!(vault.holds(&SLOT).await.unwrap());
    assert!(matches!(vault.get(&SLOT).await, Err(Error::Sealed)));
    let wrong = vault.unseal(Some(&phrase("correct horse batterz"))).await;
    assert!(matches!(wrong, Err(Error::WrongRoot)));
    assert!(
        vault
            .unseal(Some(&phrase("correct horse battery")))
            .await
            .unwrap()
    );
    assert_eq!(vault.get(&SLOT).await.unwrap(), Some(value("x")));
    drop(vault);
    assert!(matches!(
        scene.open().await,
        Err(Error::OtherProvider { .. })
    ));
}
