//! What a resumable deployment remembers: where its transactions went, written before they go.
//!
//! The chain decides what is done; the journal only says which of the deployer's nonces are ours.
//! It holds no key.
use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use alloy::primitives::{Address, B256, TxHash};
use serde::{Deserialize, Serialize};

use crate::{Contract, Deployment, Error, Options, Plan, StepName};

/// What a journal is of: two journals with equal purposes may replace each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Purpose {
    pub(crate) chain_id: u64,
    /// Hash of block 0: it tells chains with the same id apart.
    pub(crate) genesis: B256,
    pub(crate) deployer: Address,
    pub(crate) native: bool,
    pub(crate) token: Option<Address>,
    /// Digest of everything that is to be sent: another version may have other contracts.
    pub(crate) plan: B256,
}

impl Purpose {
    pub(crate) fn new(chain_id: u64, genesis: B256, deployer: Address, options: &Options) -> Self {
        Self {
            chain_id,
            genesis,
            deployer,
            native: options.native,
            token: options.token,
            plan: Plan::digest(options),
        }
    }

    /// The first difference to `ours`, in words: theirs and ours.
    fn difference(&self, ours: &Self) -> Option<(String, String)> {
        let mode = |native: bool| if native { "native mode" } else { "token mode" };
        let token = |token: &Option<Address>| match token {
            Some(token) => format!("the token {token}"),
            None => "a token of its own".to_owned(),
        };
        let chain = |purpose: &Self| format!("chain {}", purpose.chain_id);
        let genesis = |purpose: &Self| format!("the chain that began with {}", purpose.genesis);
        let deployer = |purpose: &Self| format!("the deployer {}", purpose.deployer);
        let facts = [
            (chain(self), chain(ours)),
            (genesis(self), genesis(ours)),
            (deployer(self), deployer(ours)),
            (mode(self.native).to_owned(), mode(ours.native).to_owned()),
            (token(&self.token), token(&ours.token)),
            (format!("plan {}", self.plan), format!("plan {}", ours.plan)),
        ];
        facts.into_iter().find(|(theirs, ours)| theirs != ours)
    }
}

/// A step that was sent, or was about to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Sent {
    pub(crate) step: StepName,
    /// Decides the address of what the step creates, and that it is mined once at most.
    pub(crate) nonce: u64,
    /// Of all transactions signed for the step with this nonce, the newest last. Empty for a step
    /// that was found on the chain.
    pub(crate) hashes: Vec<TxHash>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Content {
    version: u32,
    purpose: Purpose,
    sent: Vec<Sent>,
}

/// Of the file's format.
const VERSION: u32 = 1;

/// The journal and its file.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    content: Content,
}

impl Journal {
    /// Reads the journal at `path`; without one, begins it. Nothing is written yet.
    ///
    /// # Errors
    /// [`Error::JournalMismatch`] when it was begun for something else; [`Error::JournalFile`],
    /// [`Error::JournalFormat`].
    pub(crate) fn open(path: &Path, purpose: Purpose) -> Result<Self, Error> {
        let path = path.to_owned();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let content = Content {
                    version: VERSION,
                    purpose,
                    sent: Vec::new(),
                };
                return Ok(Self { path, content });
            }
            Err(source) => return Err(Error::JournalFile { path, source }),
        };
        let content: Content = match serde_json::from_slice(&text) {
            Ok(content) => content,
            Err(source) => return Err(Error::JournalFormat { path, source }),
        };
        match content.purpose.difference(&purpose) {
            Some((theirs, ours)) => Err(Error::JournalMismatch { path, theirs, ours }),
            None => Ok(Self { path, content }),
        }
    }

    /// The newest attempt of `step`.
    pub(crate) fn sent(&self, step: StepName) -> Option<&Sent> {
        self.content.sent.iter().find(|sent| sent.step == step)
    }

    /// The highest nonce that is ours.
    pub(crate) fn last_nonce(&self) -> Option<u64> {
        self.content.sent.iter().map(|sent| sent.nonce).max()
    }

    /// Where the contracts are that were sent so far, or will be.
    pub(crate) fn deployment(&self, options: &Options) -> Deployment {
        let mut deployment = Deployment::before(options);
        for sent in &self.content.sent {
            if let StepName::Create(contract) = sent.step {
                deployment.set(contract, self.content.purpose.deployer.create(sent.nonce));
            }
        }
        deployment
    }

    /// Remembers, in memory, that a contract of this deployment was found on the chain.
    pub(crate) fn recall(&mut self, contract: Contract, nonce: u64) {
        self.put(Sent {
            step: StepName::Create(contract),
            nonce,
            hashes: Vec::new(),
        });
    }

    /// Writes down that `step` is about to be sent.
    ///
    /// # Errors
    /// [`Error::JournalFile`]; then nothing may be sent.
    pub(crate) fn note(&mut self, step: StepName, nonce: u64, hash: TxHash) -> Result<(), Error> {
        let mut hashes = match self.sent(step) {
            Some(sent) if sent.nonce == nonce => sent.hashes.clone(),
            _ => Vec::new(),
        };
        hashes.retain(|known| *known != hash);
        hashes.push(hash);
        self.put(Sent {
            step,
            nonce,
            hashes,
        });
        self.save()
    }

    fn put(&mut self, sent: Sent) {
        self.content.sent.retain(|known| known.step != sent.step);
        self.content.sent.push(sent);
    }

    /// Whoever reads sees the old file or the new one, also after a loss of power.
    ///
    /// # Errors
    /// [`Error::JournalFile`].
    pub(crate) fn save(&self) -> Result<(), Error> {
        self.replace().map_err(|source| Error::JournalFile {
            path: self.path.clone(),
            source,
        })
    }

    fn replace(&self) -> io::Result<()> {
        let dir = match self.path.parent() {
            Some(dir) if dir != Path::new("") => dir,
            _ => Path::new("."),
        };
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        serde_json::to_writer_pretty(&mut file, &self.content)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        File::open(dir)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUB: StepName = StepName::Create(Contract::Hub);

    fn purpose() -> Purpose {
        Purpose::new(
            5,
            B256::repeat_byte(1),
            Address::repeat_byte(2),
            &Options::default(),
        )
    }

    fn hash(byte: u8) -> TxHash {
        TxHash::repeat_byte(byte)
    }

    #[test]
    fn what_was_noted_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.json");
        let mut journal = Journal::open(&path, purpose()).unwrap();
        assert!(!path.exists());
        journal.note(HUB, 7, hash(1)).unwrap();
        journal
            .note(StepName::CreateCategory(3), 8, hash(2))
            .unwrap();
        let again = Journal::open(&path, purpose()).unwrap();
        assert_eq!(again.content, journal.content);
        assert_eq!(again.last_nonce(), Some(8));
        let at = again.deployment(&Options::default());
        assert_eq!(at.hub, Address::repeat_byte(2).create(7));
        assert_eq!(at.extension, Address::ZERO);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn attempts_with_one_nonce_are_kept_and_older_nonces_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(&dir.path().join("j"), purpose()).unwrap();
        journal.note(HUB, 7, hash(1)).unwrap();
        journal.note(HUB, 7, hash(2)).unwrap();
        journal.note(HUB, 7, hash(1)).unwrap();
        assert_eq!(journal.sent(HUB).unwrap().hashes, [hash(2), hash(1)]);
        journal.note(HUB, 9, hash(3)).unwrap();
        assert_eq!(journal.sent(HUB).unwrap().hashes, [hash(3)]);
    }

    #[test]
    fn a_journal_of_something_else_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j");
        let mut journal = Journal::open(&path, purpose()).unwrap();
        journal.note(HUB, 7, hash(1)).unwrap();
        let token = Options {
            token: Some(Address::repeat_byte(9)),
            ..Options::default()
        };
        let others = [
            (
                "chain 6",
                Purpose {
                    chain_id: 6,
                    ..purpose()
                },
            ),
            (
                "began with 0x02",
                Purpose {
                    genesis: hash(2),
                    ..purpose()
                },
            ),
            (
                "deployer 0x03",
                Purpose {
                    deployer: Address::repeat_byte(3),
                    ..purpose()
                },
            ),
            (
                "native mode",
                Purpose {
                    native: true,
                    ..purpose()
                },
            ),
            (
                "the token 0x09",
                Purpose {
                    token: token.token,
                    ..purpose()
                },
            ),
            (
                "plan 0x04",
                Purpose {
                    plan: hash(4),
                    ..purpose()
                },
            ),
        ];
        for (word, other) in others {
            let refused = Journal::open(&path, other).unwrap_err();
            let Error::JournalMismatch { ours, .. } = refused else {
                panic!("{refused}")
            };
            assert!(ours.contains(word), "{ours}");
        }
    }

    #[test]
    fn what_is_no_journal_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j");
        fs::write(&path, "{}").unwrap();
        let refused = Journal::open(&path, purpose()).unwrap_err();
        assert!(matches!(refused, Error::JournalFormat { .. }), "{refused}");
        let refused = Journal::open(dir.path(), purpose()).unwrap_err();
        assert!(matches!(refused, Error::JournalFile { .. }), "{refused}");
        let mut lost = Journal::open(&dir.path().join("no/such"), purpose()).unwrap();
        let refused = lost.note(HUB, 7, hash(1)).unwrap_err();
        assert!(matches!(refused, Error::JournalFile { .. }), "{refused}");
    }

    #[test]
    fn plans_differ_by_what_they_send() {
        let options = Options {
            metadata_chain_id: Some(1),
            ..Options::default()
        };
        assert_ne!(Plan::digest(&options), Plan::digest(&Options::default()));
    }
}
