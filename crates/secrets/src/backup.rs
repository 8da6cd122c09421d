//! Backups: all secrets and the keys that open them, as they were at one moment, encrypted to an
//! operator's public key (HPKE, RFC 9180: X25519, HKDF-SHA256, AES-256-GCM). Who has the private
//! half, which is nowhere near the service, can restore it with no other file.
//!
//! Anybody can encrypt to a public key: the manifest shows that a backup is whole, not who made it.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use attest::{Recipient, Sealed};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::AnyConnection;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    Error, Mode,
    audit::{Decision, Entry},
    keyring,
    seal::{Key, Phrase, Ring, Seal},
    slot::bind,
    tables::{Row, TABLES, Table},
    vault::{Setup, Vault},
};

#[cfg(test)]
mod tests;

/// Starts each backup, and is bound to its content.
const MAGIC: &[u8] = b"iexec-sms-backup/1\n";
const PUBLIC_BYTES: usize = 32;

/// The half of a pair that a service encrypts its backups to: 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupPublic([u8; PUBLIC_BYTES]);

/// The half that opens backups: 64 hexadecimal digits. It cannot be printed by accident.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct BackupSecret([u8; PUBLIC_BYTES]);

impl BackupSecret {
    /// A new pair's private half.
    #[must_use]
    pub fn random() -> Self {
        Self(*Recipient::new().secret())
    }

    /// None unless it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        digits(text).map(Self)
    }

    /// For the file that it is kept in.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0))
    }

    /// The other half.
    ///
    /// # Errors
    /// [`Error::Backup`] when it is no key.
    pub fn public(&self) -> Result<BackupPublic, Error> {
        Ok(BackupPublic(self.recipient()?.public()))
    }

    fn recipient(&self) -> Result<Recipient, Error> {
        Recipient::from_secret(&self.0).ok_or(Error::Backup("the private key is none"))
    }
}

impl BackupPublic {
    /// None unless it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        digits(text).map(Self)
    }
}

impl std::fmt::Display for BackupPublic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

fn digits(text: &str) -> Option<[u8; PUBLIC_BYTES]> {
    let mut bytes = [0; PUBLIC_BYTES];
    hex::decode_to_slice(text.trim(), &mut bytes).ok()?;
    Some(bytes)
}

/// What a backup has to have, checked before anything of it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Seconds since 1970.
    pub created_at: u64,
    /// Which enclaves the store is for.
    pub mode: Mode,
    /// The end of the service's audit log at that time: it is not a part of the backup.
    pub audit_head: String,
    /// How many rows each table has, and their SHA-256.
    pub tables: BTreeMap<String, Summary>,
}

/// What a manifest tells of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Rows.
    pub rows: u64,
    /// Of all fields of all rows; hexadecimal.
    pub sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    manifest: Manifest,
    active: u32,
    keys: BTreeMap<u32, String>,
    tables: BTreeMap<String, Vec<Row>>,
}

/// The keys are in clear here.
impl Drop for Content {
    fn drop(&mut self) {
        self.keys.values_mut().for_each(Zeroize::zeroize);
    }
}

impl Vault {
    /// A backup of now.
    pub(crate) async fn backup(&self, to: &BackupPublic) -> Result<Vec<u8>, Error> {
        let _turn = self.turn.lock().await;
        let tables = self.snapshot().await?;
        let summaries = tables
            .iter()
            .map(|(name, rows)| (name.clone(), summary(rows)));
        let summaries: BTreeMap<_, _> = summaries.collect();
        let content = self.seal.with(|ring| {
            Ok(Content {
                manifest: Manifest {
                    created_at: now_s(),
                    mode: self.mode,
                    audit_head: self.audit_head().to_string(),
                    tables: summaries,
                },
                active: ring.active,
                keys: keyring::export(ring),
                tables,
            })
        })?;
        let entry = Entry::new("operator", "backup.make", Decision::Allowed);
        self.audit(entry.id("public-key", to.to_string())).await?;
        encrypt(to, &content)
    }

    /// All rows as of one moment.
    async fn snapshot(&self) -> Result<BTreeMap<String, Vec<Row>>, Error> {
        let failed = || Error::database("take a snapshot");
        let mut transaction = self.pool.begin().await.map_err(failed())?;
        if !self.is_sqlite {
            sqlx::query("set transaction isolation level repeatable read")
                .execute(&mut *transaction)
                .await
                .map_err(failed())?;
        }
        let mut tables = BTreeMap::new();
        for table in TABLES {
            let rows = rows(table, &mut transaction).await?;
            tables.insert(table.name.to_owned(), rows);
        }
        transaction.rollback().await.map_err(failed())?;
        Ok(tables)
    }
}

async fn rows(table: &Table, connection: &mut AnyConnection) -> Result<Vec<Row>, Error> {
    let mut all: Vec<Row> = Vec::new();
    loop {
        let page = table.page(connection, all.last()).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

fn summary(rows: &[Row]) -> Summary {
    let mut hash = Sha256::new();
    for row in rows {
        for text in &row.texts {
            hash.update(bind([text.as_bytes()]));
        }
        for number in &row.numbers {
            hash.update(number.to_be_bytes());
        }
        if !row.memory.is_empty() {
            hash.update(bind([row.memory.as_bytes()]));
        }
        hash.update(bind([row.sealed.as_slice()]));
    }
    Summary {
        rows: rows.len() as u64,
        sha256: hex::encode(hash.finalize()),
    }
}

fn encrypt(to: &BackupPublic, content: &Content) -> Result<Vec<u8>, Error> {
    let text = serde_json::to_vec(content).map(Zeroizing::new);
    let text = text.map_err(|_| Error::Seal)?;
    let sealed = attest::seal(&to.0, MAGIC, &text);
    let sealed = sealed.map_err(|_| Error::Backup("the public key is none"))?;
    Ok([MAGIC, &sealed.enc, &sealed.ct].concat())
}

fn decrypt(secret: &BackupSecret, backup: &[u8]) -> Result<Content, Error> {
    let wrong = || Error::Backup("it is not a backup of this service");
    let rest = backup.strip_prefix(MAGIC).ok_or_else(wrong)?;
    let (key, sealed) = rest.split_at_checked(PUBLIC_BYTES).ok_or_else(wrong)?;
    let sealed = Sealed {
        enc: key.to_vec(),
        ct: sealed.to_vec(),
    };
    let text = secret.recipient()?.open(MAGIC, &sealed);
    let text = text.map_err(|_| Error::Backup("it is damaged, or for another key"))?;
    serde_json::from_slice(&text).map_err(|_| wrong())
}

/// Fills an empty store with a backup, once all of it has been checked, and says what it was.
///
/// # Errors
/// [`Error::Backup`] for one that is not whole, for another key or another mode, or when the store
/// has something already; [`Error::Sealed`] when its provider needs a passphrase.
pub(crate) async fn restore(
    setup: Setup,
    secret: &BackupSecret,
    phrase: Option<&Phrase>,
    backup: &[u8],
) -> Result<Manifest, Error> {
    let content = decrypt(secret, backup)?;
    if content.manifest.mode != setup.mode {
        return Err(Error::OtherMode {
            stored: content.manifest.mode.word().to_owned(),
            wanted: setup.mode.word(),
        });
    }
    let ring = content.ring()?;
    let checker = Seal::default();
    checker.set(content.ring()?);
    content.check(&checker)?;
    let vault = Vault::open_sealed(setup).await?;
    let failed = || Error::database("restore a backup");
    let mut change = vault.writer.begin().await.map_err(failed())?;
    if !vault.is_blank(&mut change).await? {
        return Err(Error::Backup("the store is not empty"));
    }
    keyring::import(&mut change, &vault.provider, phrase, &ring).await?;
    for table in TABLES {
        for row in content.tables.get(table.name).into_iter().flatten() {
            table.insert(&mut change, row).await?;
        }
    }
    change.commit().await.map_err(failed())?;
    let entry = Entry::new("operator", "backup.restore", Decision::Allowed);
    let entry = entry.id("audit-head", content.manifest.audit_head.as_str());
    vault.audit(entry).await?;
    Ok(content.manifest.clone())
}

impl Content {
    fn ring(&self) -> Result<Ring, Error> {
        let key = |(id, text): (&u32, &String)| {
            let bytes = hex::decode(text).map(Zeroizing::new).ok()?;
            Some((*id, Key::from_slice(&bytes)?))
        };
        let keys = self
            .keys
            .iter()
            .map(key)
            .collect::<Option<BTreeMap<_, _>>>();
        let keys = keys.filter(|keys| keys.contains_key(&self.active));
        Ok(Ring {
            mode: self.manifest.mode,
            active: self.active,
            keys: keys.ok_or(Error::Backup("a key is missing"))?,
        })
    }

    fn check(&self, seal: &Seal) -> Result<(), Error> {
        let known = |name: &String| TABLES.iter().any(|table| table.name == *name);
        if !self.tables.keys().all(known) || !self.tables.keys().eq(self.manifest.tables.keys()) {
            return Err(Error::Backup("its tables are not those of its manifest"));
        }
        for table in TABLES {
            let Some(rows) = self.tables.get(table.name) else {
                continue;
            };
            if self.manifest.tables.get(table.name) != Some(&summary(rows)) {
                return Err(Error::Backup("its rows are not those of its manifest"));
            }
            if !rows.iter().all(|row| table.fits(row)) {
                return Err(Error::Backup("its rows are of another version"));
            }
            rows.iter().try_for_each(|row| table.check(seal, row))?;
        }
        Ok(())
    }
}

impl Vault {
    /// Whether nothing was ever kept here.
    async fn is_blank(&self, connection: &mut AnyConnection) -> Result<bool, Error> {
        for table in TABLES {
            if !table.page(connection, None).await?.is_empty() {
                return Ok(false);
            }
        }
        for sql in ["select id from keyring_header", "select id from seal"] {
            let row = sqlx::query(sql).fetch_optional(&mut *connection).await;
            if row
                .map_err(Error::database("look for a keyring"))?
                .is_some()
            {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn now_s() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}
