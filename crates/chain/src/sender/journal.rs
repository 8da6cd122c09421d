//! What a restart needs to know of the transactions in flight, written before they go.
//!
//! One line of JSON for each thing that happens; whoever reads them in order knows what is in
//! flight. A line that was cut off by a crash is of a transaction that was never sent.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use alloy::{
    consensus::TxEnvelope,
    eips::Decodable2718 as _,
    primitives::{Address, B256, Bytes, U256},
};
use serde::{Deserialize, Serialize};

use super::queue::{Entry, Offer, Queue};
use crate::fees::Fees;

/// Only the owner reads it: whoever has the bytes can send them at a time of his choosing.
const MODE: u32 = 0o600;
/// Lines beyond those that still count, before the file is written anew: some hundred kilobytes.
const STALE_LINES_MAX: usize = 1_024;

/// Whose transactions a journal holds. Another wallet's, or another chain's, are never sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Purpose {
    pub(super) chain_id: u64,
    /// Hash of block 0: it tells chains with the same id apart.
    pub(super) genesis: B256,
    pub(super) wallet: Address,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Line {
    /// The first one.
    Of(Purpose),
    /// About to be sent; a second one with the same nonce and intent is a dearer form.
    Sent {
        nonce: u64,
        intent: B256,
        raw: Bytes,
        cap: U256,
    },
    /// Whoever wanted it knows how it ended.
    Done { nonce: u64 },
    /// It was never accepted, or is deep enough in the chain.
    Over { nonce: u64 },
}

impl Line {
    pub(super) fn sent(nonce: u64, intent: B256, raw: Bytes, cap: u128) -> Self {
        let cap = U256::from(cap);
        Self::Sent {
            nonce,
            intent,
            raw,
            cap,
        }
    }
}

/// The journal's file.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    purpose: Purpose,
    file: Arc<File>,
    lines: usize,
    /// The last line may lack its end, as on a full disk; the next must not be joined to it.
    is_torn: bool,
}

impl Journal {
    /// Reads the journal in `folder`, or begins it. A journal of a chain that is no more is begun
    /// anew.
    pub(super) fn open(folder: &Path, purpose: Purpose) -> io::Result<(Self, Queue)> {
        let name = format!("transactions-{}-{}", purpose.chain_id, purpose.wallet);
        let path = folder.join(name).with_extension("jsonl");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut queue = Queue::default();
        for (nonce, entry) in read(&text, &purpose) {
            queue.restore(nonce, entry);
        }
        let (file, lines) = replace(&path, &purpose, &queue)?;
        let journal = Self {
            path,
            purpose,
            file: Arc::new(file),
            lines,
            is_torn: false,
        };
        Ok((journal, queue))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds lines at once; when this returns they are on the disk if `is_lasting`, else they
    /// outlive this process.
    pub(super) async fn append(&mut self, lines: &[Line], is_lasting: bool) -> io::Result<()> {
        let (mut text, file) = (text(lines)?, self.file.clone());
        if std::mem::replace(&mut self.is_torn, true) {
            text.insert(0, b'\n');
        }
        self.lines += lines.len();
        let written = blocking(move || {
            (&*file).write_all(&text)?;
            match is_lasting {
                true => file.sync_data(),
                false => Ok(()),
            }
        });
        written.await?;
        self.is_torn = false;
        Ok(())
    }

    /// Drops lines that do not count any more, when they are many.
    pub(super) async fn compact(&mut self, queue: &Queue) -> io::Result<()> {
        let live: usize = queue.entries().values().map(|e| e.offers.len()).sum();
        if self.lines < live * 2 + STALE_LINES_MAX {
            return Ok(());
        }
        // written by the loop itself: nothing else may be appended meanwhile, and it is rare
        let (file, lines) = replace(&self.path, &self.purpose, queue)?;
        (self.file, self.lines, self.is_torn) = (Arc::new(file), lines, false);
        Ok(())
    }
}

async fn blocking(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> Result<(), io::Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other)?
}

fn text(lines: &[Line]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, line)?;
        text.push(b'\n');
    }
    Ok(text)
}

/// Writes what counts; whoever reads sees the old file or the new one, also after a loss of power.
fn replace(path: &Path, purpose: &Purpose, queue: &Queue) -> io::Result<(File, usize)> {
    let lines = lines(purpose, queue);
    let draft = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.create(true).write(true).truncate(true).mode(MODE);
    let mut file = options.open(&draft)?;
    file.write_all(&text(&lines)?)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    let file = OpenOptions::new().append(true).open(path)?;
    Ok((file, lines.len()))
}

fn lines(purpose: &Purpose, queue: &Queue) -> Vec<Line> {
    let mut lines = vec![Line::Of(purpose.clone())];
    for (nonce, entry) in queue.entries() {
        let sent = entry.offers.iter();
        lines.extend(
            sent.map(|offer| Line::sent(*nonce, entry.intent, offer.raw.clone(), entry.cap)),
        );
        if entry.is_done {
            lines.push(Line::Done { nonce: *nonce });
        }
    }
    lines
}

fn read(text: &[u8], purpose: &Purpose) -> BTreeMap<u64, Entry> {
    let mut entries = BTreeMap::new();
    let lines = text.split(|byte| *byte == b'\n');
    for line in lines.filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line) {
            Ok(Line::Of(theirs)) if theirs != *purpose => {
                tracing::warn!("the transactions of another chain are forgotten");
                return BTreeMap::new();
            }
            Ok(line) => take(&mut entries, line),
            Err(error) => tracing::warn!(%error, "a line of the transactions' journal is cut off"),
        }
    }
    entries
}

fn take(entries: &mut BTreeMap<u64, Entry>, line: Line) {
    match line {
        Line::Of(_) => {}
        Line::Sent {
            nonce,
            intent,
            raw,
            cap,
        } => {
            let Some(offer) = offer(raw) else {
                return;
            };
            match entries.get_mut(&nonce) {
                Some(entry) if entry.intent == intent => entry.offers.push(offer),
                _ => drop(entries.insert(nonce, Entry::new(intent, offer, cap.saturating_to()))),
            }
        }
        Line::Done { nonce } => {
            if let Some(entry) = entries.get_mut(&nonce) {
                entry.is_done = true;
            }
        }
        Line::Over { nonce } => drop(entries.remove(&nonce)),
    }
}

fn offer(raw: Bytes) -> Option<Offer> {
    let tx = TxEnvelope::decode_2718(&mut raw.as_ref());
    let tx = tx
        .inspect_err(|error| tracing::warn!(%error, "a transaction of the journal is unreadable"))
        .ok()?;
    Some(Offer {
        hash: *tx.tx_hash(),
        fees: Fees::of(&tx),
        raw,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use alloy::{
        consensus::{SignableTransaction as _, TxEip1559, TxLegacy},
        eips::Encodable2718 as _,
        primitives::Signature,
    };

    use super::*;

    fn purpose(byte: u8) -> Purpose {
        Purpose {
            chain_id: 7,
            genesis: B256::repeat_byte(byte),
            wallet: Address::repeat_byte(9),
        }
    }

    fn raw(nonce: u64, price: u128) -> Bytes {
        let tx = TxEip1559 {
            nonce,
            max_fee_per_gas: price,
            max_priority_fee_per_gas: price / 2,
            ..TxEip1559::default()
        };
        let tx = TxEnvelope::from(tx.into_signed(Signature::test_signature()));
        tx.encoded_2718().into()
    }

    fn sent(nonce: u64, price: u128) -> Line {
        Line::sent(nonce, B256::repeat_byte(1), raw(nonce, price), u128::MAX)
    }

    #[tokio::test]
    async fn what_was_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, queue) = Journal::open(folder.path(), purpose(1)).unwrap();
        assert!(queue.is_empty());
        let lines = [sent(4, 100), sent(5, 100), sent(4, 200), sent(6, 100)];
        journal.append(&lines, true).await.unwrap();
        let lines = [Line::Done { nonce: 4 }, Line::Over { nonce: 6 }];
        journal.append(&lines, false).await.unwrap();
        let (journal, queue) = Journal::open(folder.path(), purpose(1)).unwrap();
        let entries = queue.entries();
        assert_eq!(entries.keys().copied().collect::<Vec<_>>(), [4, 5]);
        assert!(entries[&4].is_done && !entries[&5].is_done);
        assert_eq!(entries[&4].cap, u128::MAX);
        let (most, tip) = (200, 100);
        assert_eq!(entries[&4].offers[1].fees, Fees::Dynamic { most, tip });
        assert_eq!(entries[&4].offers[1].raw, raw(4, 200));
        assert_eq!(journal.lines, 5);
        let mode = fs::metadata(journal.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
    }

    #[tokio::test]
    async fn another_chain_begins_anew_and_a_torn_line_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(folder.path(), purpose(1)).unwrap();
        journal.append(&[sent(4, 100)], true).await.unwrap();
        (&*journal.file)
            .write_all(br#"{"sent":{"nonce":5,"#)
            .unwrap();
        let (_, queue) = Journal::open(folder.path(), purpose(1)).unwrap();
        assert_eq!(queue.entries().len(), 1);
        let (_, queue) = Journal::open(folder.path(), purpose(2)).unwrap();
        assert!(queue.is_empty());
    }

    /// A full disk once cost the line that came after it.
    #[tokio::test]
    async fn a_line_after_a_torn_one_counts() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(folder.path(), purpose(1)).unwrap();
        let file = journal.file.clone();
        (&*file).write_all(br#"{"sent":{"nonce":5,"#).unwrap();
        journal.file = Arc::new(File::open(journal.path()).unwrap());
        journal.append(&[sent(5, 1)], true).await.unwrap_err();
        journal.file = file;
        journal.append(&[sent(6, 1)], true).await.unwrap();
        let (_, queue) = Journal::open(folder.path(), purpose(1)).unwrap();
        assert_eq!(queue.entries().keys().copied().collect::<Vec<_>>(), [6]);
    }

    #[tokio::test]
    async fn the_file_stays_small() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, mut queue) = Journal::open(folder.path(), purpose(1)).unwrap();
        queue.restore(9, take_one(sent(9, 5)));
        for nonce in 0..3_000 {
            let lines = [sent(nonce, 1), Line::Over { nonce }];
            journal.append(&lines, false).await.unwrap();
            journal.compact(&queue).await.unwrap();
        }
        assert!(journal.lines <= STALE_LINES_MAX + 4, "{}", journal.lines);
        let (_, again) = Journal::open(folder.path(), purpose(1)).unwrap();
        assert_eq!(again.entries(), queue.entries());
    }

    fn take_one(line: Line) -> Entry {
        let mut entries = BTreeMap::new();
        take(&mut entries, line);
        entries.into_values().next().unwrap()
    }

    #[test]
    fn a_price_of_the_old_kind_is_read() {
        let tx = TxLegacy {
            gas_price: 7,
            ..TxLegacy::default()
        };
        let tx = TxEnvelope::from(tx.into_signed(Signature::test_signature()));
        let offer = offer(tx.encoded_2718().into()).unwrap();
        assert_eq!(offer.fees, Fees::Legacy { price: 7 });
    }
}
