//! Taking over the secrets of an official service: its H2 dump (`backup.sql`) and its AES key
//! (`backup.sql.key`), see spec/secrets-tee.md §1.6. Keys of tasks are not taken: they belong to
//! tasks that the official service has to end.

use aes_gcm::aes::{
    Aes128,
    cipher::{BlockDecrypt, KeyInit, generic_array::GenericArray},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use protocol::Address;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::{
    Error, SECRET_BYTES_MAX, Slot, Value,
    audit::{Decision, Entry},
    vault::Vault,
};

mod sql;
#[cfg(test)]
mod tests;

use sql::Record;

/// Bytes of an AES block, and of the key.
const BLOCK_BYTES: usize = 16;

/// What became of a dump's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Imported {
    /// Secrets that are here now.
    pub stored: u64,
    /// Secrets whose place was taken already: what is there stays.
    pub kept: u64,
    /// Keys of tasks, and rows of other tables.
    pub skipped: u64,
}

impl Vault {
    /// Takes over all secrets of `dump`, or none when one of them cannot be understood.
    pub(crate) async fn import(&self, dump: &str, key: &str) -> Result<Imported, Error> {
        let cipher = cipher(key)?;
        let mut done = Imported::default();
        let mut secrets = Vec::new();
        for record in sql::records(dump).map_err(Error::Import)? {
            match slot(&record)? {
                Some(slot) => secrets.push((slot, value(&cipher, &record)?)),
                None => done.skipped += 1,
            }
        }
        for (slot, value) in secrets {
            match self.insert(&slot, &value).await? {
                true => done.stored += 1,
                false => done.kept += 1,
            }
        }
        let entry = Entry::new("operator", "store.import", Decision::Allowed)
            .reason(format!("{} stored, {} kept", done.stored, done.kept));
        self.audit(entry).await?;
        Ok(done)
    }
}

fn cipher(key: &str) -> Result<Aes128, Error> {
    let wrong = || Error::Import("the key is not base64 of 16 bytes".into());
    let key = BASE64
        .decode(key.trim())
        .map(Zeroizing::new)
        .map_err(|_| wrong())?;
    Aes128::new_from_slice(&key).map_err(|_| wrong())
}

/// Where a row's secret belongs; none when the row is of another table.
fn slot(record: &Record) -> Result<Option<Slot>, Error> {
    let wrong = || Error::Import(format!("a row of {} names no secret", record.table));
    let text = |column| record.text(column).ok_or_else(wrong);
    let address = |column| text(column)?.parse::<Address>().map_err(|_| wrong());
    let slot = match record.table.as_str() {
        "WEB3SECRET" => Some(Slot::dataset(address("ADDRESS")?)),
        "WEB2SECRET" => Slot::web2(address("OWNER_ADDRESS")?, text("ADDRESS")?),
        "TEE_TASK_COMPUTE_SECRET" if text("FIXED_SECRET_OWNER")?.trim().is_empty() => {
            Some(Slot::app(address("ON_CHAIN_OBJECT_ADDRESS")?))
        }
        "TEE_TASK_COMPUTE_SECRET" => Slot::requester(address("FIXED_SECRET_OWNER")?, text("KEY")?),
        _ => return Ok(None),
    };
    slot.map(Some).ok_or_else(wrong)
}

fn value(cipher: &Aes128, record: &Record) -> Result<Value, Error> {
    let wrong = || Error::Import(format!("a value of {} does not open", record.table));
    let stored = record.text("VALUE").ok_or_else(wrong)?;
    // The official service keeps a blank value as it is.
    if stored.is_empty() {
        return Ok(Value::new(String::new()));
    }
    let text = decrypt(cipher, stored).ok_or_else(wrong)?;
    match text.len() {
        0..=SECRET_BYTES_MAX => Ok(Value::new(text)),
        _ => Err(wrong()),
    }
}

/// AES-128-ECB with PKCS 7, which proves nothing: a wrong key shows by the padding and as text
/// that is none.
fn decrypt(cipher: &Aes128, stored: &str) -> Option<String> {
    let mut bytes = BASE64.decode(stored).map(Zeroizing::new).ok()?;
    if bytes.is_empty() || bytes.len() % BLOCK_BYTES != 0 {
        return None;
    }
    for block in bytes.chunks_exact_mut(BLOCK_BYTES) {
        cipher.decrypt_block(GenericArray::from_mut_slice(block));
    }
    let padding = *bytes.last()?;
    let length = bytes.len().checked_sub(usize::from(padding))?;
    let (text, tail) = bytes.split_at(length);
    let fits = (1..=BLOCK_BYTES).contains(&tail.len()) && tail.iter().all(|b| *b == padding);
    fits.then(|| String::from_utf8(text.to_vec()).ok())
        .flatten()
}
