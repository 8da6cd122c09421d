//! Another key for everything, while the service goes on: the keys of values are wrapped again, a
//! page at a time. All former keys stay in the keyring, so that a rotation that was killed in the
//! middle leaves nothing that does not open; the next one goes on where it was.

use serde::Serialize;

use crate::{
    Error,
    audit::{Decision, Entry},
    keyring,
    seal::Phrase,
    tables::{Row, TABLES, Table},
    vault::Vault,
};

#[cfg(test)]
mod tests;

/// What a rotation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rotation {
    /// The id of the key that is used from now on.
    pub key: u32,
    /// Values whose keys were wrapped in it.
    pub rewrapped: u64,
    /// Values that do not open, left as they are. Their keys stay, like all former ones.
    pub damaged: u64,
}

/// What a check of all values found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checked {
    /// Values that open.
    pub(crate) sound: u64,
    /// Values that do not: their bytes were changed, or they are in another's place.
    pub(crate) damaged: u64,
}

impl Vault {
    /// Puts everything under a new key. A provider that asks for a passphrase needs it `given`
    /// again: only who knows it may change the keyring.
    pub(crate) async fn rotate(&self, given: Option<&Phrase>) -> Result<Rotation, Error> {
        let _turn = self.turn.lock().await;
        if self.seal.is_sealed() {
            return Err(Error::Sealed);
        }
        let ring = keyring::renew(&self.writer, self.mode, &self.provider, given).await?;
        let mut done = Rotation {
            key: ring.active,
            ..Rotation::default()
        };
        {
            // What was sealed under the former key is stored before anything is looked at.
            let _quiet = self.writing.write().await;
            self.seal.set(ring);
        }
        for table in TABLES {
            self.rewrap_table(table, &mut done).await?;
        }
        keyring::retire(&self.writer).await?;
        let entry = Entry::new("operator", "key.rotate", Decision::Allowed)
            .id("key", done.key.to_string())
            .reason(format!(
                "{} rewrapped, {} damaged",
                done.rewrapped, done.damaged
            ));
        self.audit(entry).await?;
        Ok(done)
    }

    async fn rewrap_table(&self, table: &Table, done: &mut Rotation) -> Result<(), Error> {
        let mut last: Option<Row> = None;
        loop {
            let page = self.page(table, last.as_ref()).await?;
            let Some(end) = page.last() else {
                return Ok(());
            };
            self.rewrap_page(table, &page, done).await?;
            last = Some(end.clone());
        }
    }

    /// A page is one commit. What somebody replaced meanwhile is under the new key already.
    async fn rewrap_page(
        &self,
        table: &Table,
        page: &[Row],
        done: &mut Rotation,
    ) -> Result<(), Error> {
        let failed = || Error::database("rewrap the secrets");
        let mut change = self.writer.begin().await.map_err(failed())?;
        for row in page {
            let wrapped = table.place(row).and_then(|(binding, version)| {
                self.seal
                    .with(|ring| ring.rewrap(&binding, version, &row.sealed))
            });
            match wrapped {
                Ok(None) => {}
                Ok(Some(sealed)) => {
                    let replaced = table.replace(&mut change, row, sealed).await?;
                    done.rewrapped += u64::from(replaced);
                }
                Err(_) => done.damaged += 1,
            }
        }
        change.commit().await.map_err(failed())
    }

    async fn page(&self, table: &Table, after: Option<&Row>) -> Result<Vec<Row>, Error> {
        let connection = self.pool.acquire().await;
        let mut connection = connection.map_err(Error::database("read the secrets"))?;
        table.page(&mut connection, after).await
    }

    /// Opens every value.
    pub(crate) async fn check(&self) -> Result<Checked, Error> {
        let mut checked = Checked::default();
        for table in TABLES {
            let mut last: Option<Row> = None;
            loop {
                let page = self.page(table, last.as_ref()).await?;
                let Some(end) = page.last() else {
                    break;
                };
                for row in &page {
                    match table.check(&self.seal, row) {
                        Ok(()) => checked.sound += 1,
                        Err(_) => checked.damaged += 1,
                    }
                }
                last = Some(end.clone());
            }
        }
        Ok(checked)
    }
}
