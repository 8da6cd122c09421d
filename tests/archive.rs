//! Result archives, read and judged without the code that made them.

use std::{
    collections::BTreeMap,
    io::{Cursor, Read as _},
};

use alloy::primitives::{B256, keccak256};
use anyhow::{Context as _, Result, ensure};
use protocol::{TaskId, deal::Task};
use sha2::{Digest as _, Sha256};

/// The files of a result by name.
#[derive(Clone, Debug)]
pub struct Archive(BTreeMap<String, Vec<u8>>);

impl Archive {
    /// Unpacks a zip.
    pub fn unzip(bytes: &[u8]) -> Result<Self> {
        let mut zip = zip::ZipArchive::new(Cursor::new(bytes))?;
        let mut files = BTreeMap::new();
        for index in 0..zip.len() {
            let mut file = zip.by_index(index)?;
            let mut content = Vec::new();
            file.read_to_end(&mut content)?;
            let name = file.name()?.into_owned();
            files.insert(name, content);
        }
        Ok(Self(files))
    }

    /// The names of all files, sorted.
    pub fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// A file's text.
    pub fn text(&self, name: &str) -> Result<&str> {
        let names = self.names();
        let bytes = self.0.get(name);
        let bytes = bytes.with_context(|| format!("no `{name}` among {names:?}"))?;
        Ok(std::str::from_utf8(bytes)?)
    }

    /// The digest that `computed.json` promises (spec/pool-worker.md §2.12).
    pub fn digest(&self) -> Result<B256> {
        let computed: serde_json::Value = serde_json::from_str(self.text("computed.json")?)?;
        let path = computed["deterministic-output-path"].as_str();
        let path = path.and_then(|path| path.strip_prefix("/iexec_out"));
        let path = path.context("no path below /iexec_out")?.trim_matches('/');
        if let Some(content) = self.0.get(path) {
            return Ok(sha256(content));
        }
        let prefix = if path.is_empty() {
            String::new()
        } else {
            format!("{path}/")
        };
        let inside = self.0.iter().filter_map(|(name, content)| {
            let rest = name.strip_prefix(&prefix)?;
            let is_counted = !rest.contains('/') && !is_empty_log(name, content);
            is_counted.then(|| sha256(content).0)
        });
        let hashes: Vec<_> = inside.collect();
        ensure!(!hashes.is_empty(), "nothing at `{path}`");
        Ok(keccak256(hashes.concat()))
    }

    /// Fails unless the chain agreed on exactly this result.
    pub fn verify(&self, task: &Task) -> Result<()> {
        let digest = self.digest()?;
        ensure!(
            task.result_digest == digest,
            "the chain says {}",
            task.result_digest
        );
        let TaskId(id) = task.id;
        let hash = keccak256([id.0, digest.0].concat());
        ensure!(
            task.consensus_value == hash,
            "consensus on {}",
            task.consensus_value
        );
        Ok(())
    }
}

/// The archive has them always, the digest only when the app said something.
fn is_empty_log(name: &str, content: &[u8]) -> bool {
    matches!(name, "stdout.txt" | "stderr.txt") && content.is_empty()
}

fn sha256(content: &[u8]) -> B256 {
    B256::from_slice(&Sha256::digest(content))
}
