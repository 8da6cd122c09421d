//! What has been tried, so that a generator that tries nothing is found out.
use std::collections::BTreeMap;
use std::fmt;

use alloy::sol_types::SolError;

use crate::differences::TABLE;
use crate::outcome::Outcome;

alloy::sol! {
    error IncompatibleDatasetOrder(string reason);
}

#[derive(Debug, Default)]
pub(crate) struct Coverage {
    pub(crate) steps: u64,
    /// How many tasks were completed and how many failed.
    pub(crate) settled: [u64; 2],
    /// How often each operation succeeded and was refused.
    operations: BTreeMap<&'static str, (u64, u64)>,
    pub(crate) reasons: BTreeMap<String, u64>,
    pub(crate) differences: BTreeMap<&'static str, u64>,
}

impl Coverage {
    pub(crate) fn count(&mut self, name: &'static str, outcome: &Outcome) {
        self.steps += 1;
        let counts = self.operations.entry(name).or_default();
        if outcome.success {
            counts.0 += 1;
        } else {
            counts.1 += 1;
            *self.reasons.entry(short(outcome)).or_default() += 1;
        }
    }

    pub(crate) fn count_difference(&mut self, name: &'static str) {
        *self.differences.entry(name).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.steps += other.steps;
        self.settled[0] += other.settled[0];
        self.settled[1] += other.settled[1];
        for (name, (good, bad)) in other.operations {
            let counts = self.operations.entry(name).or_default();
            counts.0 += good;
            counts.1 += bad;
        }
        for (reason, count) in other.reasons {
            *self.reasons.entry(reason).or_default() += count;
        }
        for (name, count) in other.differences {
            *self.differences.entry(name).or_default() += count;
        }
    }

    /// Operations of `names` that never succeeded.
    pub(crate) fn never(&self, names: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
        names
            .filter(|name| self.operations.get(name).is_none_or(|(good, _)| *good == 0))
            .collect()
    }

    /// Reasons that nothing was refused with.
    pub(crate) fn unseen(&self, reasons: Vec<String>) -> Vec<String> {
        reasons
            .into_iter()
            .filter(|reason| !self.reasons.contains_key(reason))
            .collect()
    }
}

/// Custom errors by their selector, everything else in full.
fn short(outcome: &Outcome) -> String {
    let reason = outcome.reason();
    match reason.strip_prefix("0x") {
        Some(data) if data.len() > 8 => {
            let string = IncompatibleDatasetOrder::abi_decode(&outcome.data);
            string.map_or_else(|_| format!("0x{}", &data[..8]), |error| error.reason)
        }
        _ => reason,
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [completed, failed] = self.settled;
        writeln!(f, "{completed} tasks were completed, {failed} failed")?;
        for (name, (good, bad)) in &self.operations {
            writeln!(f, "{good:7} {bad:7}  {name}")?;
        }
        for (reason, count) in &self.reasons {
            writeln!(f, "{count:15}  refused: `{reason}`")?;
        }
        for difference in TABLE {
            let count = self.differences.get(difference.name).unwrap_or(&0);
            let (name, why) = (difference.name, difference.why);
            writeln!(f, "{count:15}  difference: {name}: {why}")?;
        }
        Ok(())
    }
}
