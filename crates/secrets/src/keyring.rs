//! The keyring in the database: its keys, each sealed under the root key, and a header in clear
//! that says where the root key comes from and which enclaves the store is for.

use std::{collections::BTreeMap, sync::Arc};

use sqlx::{AnyConnection, AnyPool, Row as _};

use crate::{
    Error, Mode,
    seal::{Key, KeyFile, KeyProvider, LEGACY, Phrase, Ring, Root, close, open},
    slot::bind,
};

/// What the probe of earlier versions was bound to.
const PROBE: &[u8] = b"probe";
/// First byte of what earlier versions sealed.
const METHOD_LEGACY: u8 = 1;
/// The first key that is made.
const FIRST: u32 = 1;

/// Where a key is in its life.
const ACTIVE: &str = "active";
const RETIRING: &str = "retiring";
const RETIRED: &str = "retired";

/// The header of a keyring.
pub(crate) struct Header {
    mode: String,
    provider: String,
    parameters: String,
}

impl Header {
    /// None while there is no keyring.
    pub(crate) async fn read(pool: &AnyPool) -> Result<Option<Self>, Error> {
        let failed = || Error::database("read the keyring");
        let sql = "select mode, provider, parameters from keyring_header where id = 1";
        let row = sqlx::query(sql).fetch_optional(pool).await;
        let Some(row) = row.map_err(failed())? else {
            return Ok(None);
        };
        Ok(Some(Self {
            mode: row.try_get(0).map_err(failed())?,
            provider: row.try_get(1).map_err(failed())?,
            parameters: row.try_get(2).map_err(failed())?,
        }))
    }

    /// Refuses a store of another mode, or one whose keys come from elsewhere.
    pub(crate) fn check(&self, mode: Mode, provider: &dyn KeyProvider) -> Result<(), Error> {
        if self.mode != mode.word() {
            return Err(Error::OtherMode {
                stored: self.mode.clone(),
                wanted: mode.word(),
            });
        }
        if self.provider != provider.name() {
            return Err(Error::OtherProvider {
                stored: self.provider.clone(),
                wanted: provider.name(),
            });
        }
        Ok(())
    }

    async fn write(&self, connection: &mut AnyConnection) -> Result<(), Error> {
        let sql = "insert into keyring_header (id, mode, provider, parameters) \
                   values (1, $1, $2, $3)";
        let done = sqlx::query(sql)
            .bind(self.mode.clone())
            .bind(self.provider.clone())
            .bind(self.parameters.clone())
            .execute(connection)
            .await;
        done.map(drop).map_err(Error::database("store the keyring"))
    }

    fn aad(&self, id: u32) -> Vec<u8> {
        bind([
            b"iexec/sms/keyring/1".as_slice(),
            &id.to_be_bytes(),
            self.mode.as_bytes(),
            self.provider.as_bytes(),
            self.parameters.as_bytes(),
        ])
    }
}

/// The root key of a keyring, see [`KeyProvider::find`].
async fn find(
    provider: &Arc<dyn KeyProvider>,
    header: &Header,
    given: Option<&Phrase>,
) -> Result<Option<Root>, Error> {
    let (provider, given) = (Arc::clone(provider), given.cloned());
    let parameters = header.parameters.clone();
    apart(move || provider.find(&parameters, given.as_ref())).await
}

/// A new root key, see [`KeyProvider::create`].
async fn make(
    provider: &Arc<dyn KeyProvider>,
    given: Option<&Phrase>,
) -> Result<Option<(Root, String)>, Error> {
    let (provider, given) = (Arc::clone(provider), given.cloned());
    apart(move || provider.create(given.as_ref())).await
}

/// To stretch a passphrase takes a core for a good while: not on a thread that answers requests.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Error::Seal)?
}

/// The keyring of a store. None while the provider lacks what it needs.
pub(crate) async fn unlock(
    pool: &AnyPool,
    mode: Mode,
    provider: &Arc<dyn KeyProvider>,
    given: Option<&Phrase>,
    legacy: &KeyFile,
) -> Result<Option<Ring>, Error> {
    if let Some(header) = Header::read(pool).await? {
        header.check(mode, provider.as_ref())?;
        let Some(root) = find(provider, &header, given).await? else {
            return Ok(None);
        };
        return read(pool, mode, &header, &root).await.map(Some);
    }
    let legacy = legacy_key(pool, legacy).await?;
    let Some((root, parameters)) = make(provider, given).await? else {
        return Ok(None);
    };
    let header = Header {
        mode: mode.word().to_owned(),
        provider: provider.name().to_owned(),
        parameters,
    };
    let keys = legacy.map(|key| (LEGACY, key)).into_iter();
    let ring = Ring {
        mode,
        active: FIRST,
        keys: keys.chain([(FIRST, Key::random())]).collect(),
    };
    let mut change = pool
        .begin()
        .await
        .map_err(Error::database("make the keyring"))?;
    create(&mut change, &header, &root, &ring).await?;
    change
        .commit()
        .await
        .map_err(Error::database("make the keyring"))?;
    Ok(Some(ring))
}

/// Puts a whole keyring into a store that has none.
async fn create(
    connection: &mut AnyConnection,
    header: &Header,
    root: &Root,
    ring: &Ring,
) -> Result<(), Error> {
    header.write(connection).await?;
    for (id, key) in &ring.keys {
        let state = if *id == ring.active { ACTIVE } else { RETIRED };
        insert(connection, header, root, (*id, key), state).await?;
    }
    Ok(())
}

async fn insert(
    connection: &mut AnyConnection,
    header: &Header,
    root: &Root,
    (id, key): (u32, &Key),
    state: &str,
) -> Result<(), Error> {
    let wrapped = close(&root.0, &header.aad(id), key.expose())?;
    let done = sqlx::query("insert into keyring (id, state, wrapped) values ($1, $2, $3)")
        .bind(i64::from(id))
        .bind(state.to_owned())
        .bind(wrapped)
        .execute(connection)
        .await;
    done.map(drop).map_err(Error::database("store a key"))
}

async fn read(pool: &AnyPool, mode: Mode, header: &Header, root: &Root) -> Result<Ring, Error> {
    let failed = || Error::database("read the keyring");
    let rows = sqlx::query("select id, state, wrapped from keyring order by id");
    let rows = rows.fetch_all(pool).await.map_err(failed())?;
    let (mut active, mut keys) = (None, BTreeMap::new());
    for row in &rows {
        let id: i64 = row.try_get(0).map_err(failed())?;
        let state: String = row.try_get(1).map_err(failed())?;
        let wrapped: Vec<u8> = row.try_get(2).map_err(failed())?;
        let id = u32::try_from(id).map_err(|_| Error::Damaged)?;
        let key = open(&root.0, &header.aad(id), &wrapped).map_err(|_| Error::WrongRoot)?;
        keys.insert(id, Key::from_slice(&key).ok_or(Error::Damaged)?);
        active = if state == ACTIVE { Some(id) } else { active };
    }
    let active = active.ok_or(Error::Damaged)?;
    Ok(Ring { mode, active, keys })
}

/// The key of a database of an earlier version, which has a probe of it.
async fn legacy_key(pool: &AnyPool, file: &KeyFile) -> Result<Option<Key>, Error> {
    let row = sqlx::query("select probe from seal where id = 1")
        .fetch_optional(pool)
        .await;
    let Some(row) = row.map_err(Error::database("look up the key probe"))? else {
        return Ok(None);
    };
    let probe: Vec<u8> = row
        .try_get(0)
        .map_err(Error::database("read the key probe"))?;
    let key = file.read()?.ok_or_else(|| file.wrong())?;
    let probe = probe.strip_prefix(&[METHOD_LEGACY]).ok_or(Error::Damaged)?;
    open(&key, PROBE, probe).map_err(|_| file.wrong())?;
    Ok(Some(key))
}

/// Gives the keyring another active key, unless a rotation was begun and not ended.
pub(crate) async fn renew(
    pool: &AnyPool,
    mode: Mode,
    provider: &Arc<dyn KeyProvider>,
    given: Option<&Phrase>,
) -> Result<Ring, Error> {
    let header = Header::read(pool).await?.ok_or(Error::Sealed)?;
    header.check(mode, provider.as_ref())?;
    let root = find(provider, &header, given).await?;
    let root = root.ok_or(Error::Sealed)?;
    let mut ring = read(pool, mode, &header, &root).await?;
    if is_rotating(pool).await? {
        return Ok(ring);
    }
    let key = Key::random();
    let id = ring.keys.keys().max().map_or(FIRST, |last| last + 1);
    let failed = || Error::database("renew the keyring");
    let mut change = pool.begin().await.map_err(failed())?;
    sqlx::query("update keyring set state = $1 where state = $2")
        .bind(RETIRING)
        .bind(ACTIVE)
        .execute(&mut *change)
        .await
        .map_err(failed())?;
    insert(&mut change, &header, &root, (id, &key), ACTIVE).await?;
    change.commit().await.map_err(failed())?;
    ring.keys.insert(id, key);
    ring.active = id;
    Ok(ring)
}

async fn is_rotating(pool: &AnyPool) -> Result<bool, Error> {
    let row = sqlx::query("select id from keyring where state = $1").bind(RETIRING);
    let row = row.fetch_optional(pool).await;
    Ok(row.map_err(Error::database("read the keyring"))?.is_some())
}

/// Nothing that opens is wrapped in the former keys any more. They stay, for backups that are.
pub(crate) async fn retire(pool: &AnyPool) -> Result<(), Error> {
    let done = sqlx::query("update keyring set state = $1 where state = $2")
        .bind(RETIRED)
        .bind(RETIRING)
        .execute(pool)
        .await;
    done.map(drop).map_err(Error::database("retire a key"))
}

/// The keys in clear, for a backup that is encrypted as a whole.
pub(crate) fn export(ring: &Ring) -> BTreeMap<u32, String> {
    let keys = ring.keys.iter();
    keys.map(|(id, key)| (*id, hex::encode(key.expose())))
        .collect()
}

/// Makes the keyring of an empty store out of the keys of a backup.
pub(crate) async fn import(
    connection: &mut AnyConnection,
    provider: &Arc<dyn KeyProvider>,
    given: Option<&Phrase>,
    ring: &Ring,
) -> Result<(), Error> {
    let made = make(provider, given).await?;
    let (root, parameters) = made.ok_or(Error::Sealed)?;
    let header = Header {
        mode: ring.mode.word().to_owned(),
        provider: provider.name().to_owned(),
        parameters,
    };
    create(connection, &header, &root, ring).await
}
