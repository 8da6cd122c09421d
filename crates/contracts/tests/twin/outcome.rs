//! What a transaction or a call did, as far as anybody outside can see.
use std::collections::HashMap;
use std::fmt;

use alloy::primitives::{Address, B256, Bytes, Log, LogData, U256};
use alloy::sol_types::SolEventInterface;
use contracts::Hub;
use revm::context::result::ExecutionResult;

use crate::chain::reason_of;

#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) success: bool,
    /// What was returned or why it was refused; nothing also when gas ran out.
    pub(crate) data: Bytes,
    pub(crate) logs: Vec<Log>,
    pub(crate) gas: u64,
}

/// What a caller sees.
impl PartialEq for Outcome {
    fn eq(&self, other: &Self) -> bool {
        (self.success, &self.data, &self.logs) == (other.success, &other.data, &other.logs)
    }
}

impl From<ExecutionResult> for Outcome {
    fn from(result: ExecutionResult) -> Self {
        let success = result.is_success();
        let data = result.output().cloned().unwrap_or_default();
        let gas = result.gas().tx_gas_used();
        Self {
            success,
            data,
            gas,
            logs: result.into_logs(),
        }
    }
}

impl Outcome {
    pub(crate) fn refused(data: Bytes) -> Self {
        Self {
            success: false,
            data,
            logs: Vec::new(),
            gas: 0,
        }
    }

    /// Why it was refused: the message, `panic 0x…`, nothing, or raw data.
    pub(crate) fn reason(&self) -> String {
        match self.success {
            true => "success".to_owned(),
            false => reason_of(&self.data),
        }
    }

    pub(crate) fn refused_with(&self, reason: &str) -> bool {
        !self.success && self.reason() == reason
    }

    /// Refused without a word.
    pub(crate) fn is_silent(&self) -> bool {
        !self.success && self.data.is_empty()
    }

    pub(crate) fn word(&self) -> B256 {
        B256::from_slice(&self.data[..32])
    }

    /// The same with other names.
    pub(crate) fn renamed(&self, names: &Names) -> Self {
        Self {
            success: self.success,
            data: names.rename(&self.data),
            logs: self.logs.iter().map(|log| names.rename_log(log)).collect(),
            gas: self.gas,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  `{}`, gas {}, data {}",
            self.reason(),
            self.gas,
            self.data
        )?;
        for log in &self.logs {
            match Hub::HubEvents::decode_log(log) {
                Ok(event) => writeln!(f, "  {} {:?}", log.address, event.data)?,
                Err(_) => writeln!(f, "  {} {:?}", log.address, log.data)?,
            }
        }
        Ok(())
    }
}

/// What has an address of its own in each world: theirs and ours.
#[derive(Debug, Default)]
pub(crate) struct Names {
    ours: HashMap<Address, Address>,
    theirs: HashMap<Address, Address>,
}

impl Names {
    pub(crate) fn pair(&mut self, ours: Address, theirs: Address) {
        if ours != theirs {
            self.ours.insert(theirs, ours);
            self.theirs.insert(ours, theirs);
        }
    }

    /// Our name for what they call so.
    pub(crate) fn rename(&self, data: &Bytes) -> Bytes {
        replace(&self.ours, data)
    }

    /// Their name for what we call so.
    pub(crate) fn theirs(&self, data: &Bytes) -> Bytes {
        replace(&self.theirs, data)
    }

    pub(crate) fn theirs_of(&self, ours: Address) -> Address {
        self.theirs.get(&ours).copied().unwrap_or(ours)
    }

    /// The same in the decimal form of the end of a `tokenURI`.
    pub(crate) fn rename_uri(&self, uri: &str) -> String {
        let end = uri
            .trim_end_matches(|letter: char| letter.is_ascii_digit())
            .len();
        let Some(id) = uri[end..].parse::<U256>().ok().filter(|_| end < uri.len()) else {
            return uri.to_owned();
        };
        let theirs = Address::from_word(id.into());
        let ours = self.ours.get(&theirs).copied().unwrap_or(theirs);
        format!("{}{}", &uri[..end], U256::from_be_slice(ours.as_slice()))
    }

    fn rename_log(&self, log: &Log) -> Log {
        let address = self.ours.get(&log.address).copied().unwrap_or(log.address);
        let topics = log.data.topics().iter();
        let topics = topics.map(|topic| B256::from_slice(&self.rename(&Bytes::from(topic.0))));
        let data = LogData::new_unchecked(topics.collect(), self.rename(&log.data.data));
        Log { address, data }
    }
}

/// Replaces every address wherever it stands.
fn replace(names: &HashMap<Address, Address>, data: &Bytes) -> Bytes {
    let mut renamed = data.to_vec();
    if names.is_empty() {
        return data.clone();
    }
    let mut position = 0;
    while position + 20 <= data.len() {
        match names.get(&Address::from_slice(&data[position..position + 20])) {
            Some(name) => {
                renamed[position..position + 20].copy_from_slice(name.as_slice());
                position += 20;
            }
            None => position += 1,
        }
    }
    renamed.into()
}
