//! What the measuring test says, one figure a line: `kind, side, name, figure` between tabs.
use std::collections::BTreeMap;

use anyhow::{Context, bail};

use super::baseline;

/// The transactions of a deployment; those of the same name are added up.
type Steps = Vec<(String, u64)>;

#[derive(Default)]
pub(super) struct Side {
    rows: BTreeMap<String, u64>,
    pub(super) deployment: Steps,
}

#[derive(Default)]
pub(super) struct Figures {
    pub(super) ours: Side,
    pub(super) official: Side,
}

impl Figures {
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let mut figures = Self::default();
        for line in text.lines() {
            if let [kind @ ("gas" | "deploy"), side, name, figure] =
                line.split('\t').collect::<Vec<_>>()[..]
            {
                let figure = figure.parse().with_context(|| format!("read `{line}`"))?;
                figures.side(side)?.add(kind, name, figure)?;
            }
        }
        Ok(figures)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ours.rows.is_empty() && self.official.rows.is_empty()
    }

    fn side(&mut self, name: &str) -> anyhow::Result<&mut Side> {
        match name {
            "ours" => Ok(&mut self.ours),
            "official" => Ok(&mut self.official),
            _ => bail!("{name} is nobody's"),
        }
    }

    /// Gas of a row, or of a transaction of our deployment.
    pub(super) fn ours(&self, name: &str) -> Option<u64> {
        let mut steps = self.ours.deployment.iter();
        let step = || steps.find(|(step, _)| step == name).map(|(_, gas)| *gas);
        self.ours.row(name).or_else(step)
    }
}

impl Side {
    pub(super) fn row(&self, name: &str) -> Option<u64> {
        self.rows.get(name).copied()
    }

    pub(super) fn total(&self) -> u64 {
        self.deployment.iter().map(|(_, gas)| gas).sum()
    }

    fn add(&mut self, kind: &str, name: &str, figure: u64) -> anyhow::Result<()> {
        if kind == "deploy" {
            match self.deployment.iter_mut().find(|(step, _)| step == name) {
                Some((_, gas)) => *gas += figure,
                None => self.deployment.push((name.to_owned(), figure)),
            }
            return Ok(());
        }
        if !baseline::rows().any(|row| row.name == name) {
            bail!("the table has no row `{name}`");
        }
        if self.rows.insert(name.to_owned(), figure).is_some() {
            bail!("`{name}` was measured twice");
        }
        Ok(())
    }
}
