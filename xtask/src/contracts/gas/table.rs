//! The table as text, and the promises a committed one makes.
use std::fmt::{self, Write as _};

use super::baseline::{self, Row};
use super::figures::{Figures, Side};

/// EIP-170.
const CODE_BYTES_MAX: u64 = 24_576;

const INTRODUCTION: &str = "\
# Gas

Written by `cargo xtask contracts gas`, which measures all of it in one EVM; `--check`, a step of
`cargo xtask ci`, fails when a row of ours costs over 1 % more than it says here. Gas is what a
receipt shows, after refunds.

*6.1.0* is the official bytecode of npm, measured beside ours. *6.2.0*, which is not published, is
taken from spec/contracts.md §21. The ratio is ours to 6.2.0, or to 6.1.0 where the spec has no row;
✗ marks a missed target.

Inputs are those of the spec: a busy market, in which everyone has balances, locked funds and a
score; no price is zero; params have 139 bytes and results 84. Each side moves its own test token.
";

const LEGEND: &str = "\
| action | ours | 6.1.0 | 6.2.0 | ratio | target | |
|---|---:|---:|---:|---:|---:|---|
";

/// A row above its target, or one with a target that nobody can measure yet.
#[derive(Debug)]
pub(super) struct Miss {
    pub(super) row: &'static str,
    ours: Option<u64>,
    official: u64,
    target: u64,
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (row, target) = (self.row, hundredths(self.target));
        let Some(gas) = self.ours else {
            return write!(f, "{row}: not measured, the target is {target}");
        };
        let ratio = ratio(gas, self.official);
        write!(
            f,
            "{row}: {gas} gas is {ratio} of {}, the target is {target}",
            self.official
        )
    }
}

/// All rows that do not meet their target.
pub(super) fn misses(figures: &Figures) -> Vec<Miss> {
    baseline::rows()
        .filter_map(|row| miss(row, figures))
        .collect()
}

fn miss(row: &'static Row, figures: &Figures) -> Option<Miss> {
    let miss = Miss {
        row: row.name,
        ours: figures.ours.row(row.name),
        official: official(row, figures)?,
        target: row.target?,
    };
    let is_met = |gas| gas * 100 <= miss.official * miss.target;
    (!miss.ours.is_some_and(is_met)).then_some(miss)
}

/// What a row of ours is compared with.
fn official(row: &Row, figures: &Figures) -> Option<u64> {
    row.spec.or_else(|| figures.official.row(row.name))
}

/// The whole file.
pub(super) fn render(figures: &Figures, sizes: &[(String, u64)]) -> Result<String, fmt::Error> {
    let mut text = INTRODUCTION.to_owned();
    for (title, rows) in baseline::SECTIONS {
        write!(text, "\n## {title}\n\n{LEGEND}")?;
        for row in *rows {
            render_row(&mut text, row, figures)?;
        }
    }
    render_deployment(&mut text, "our contracts", &figures.ours)?;
    render_deployment(&mut text, "official 6.1.0, with Boost", &figures.official)?;
    writeln!(
        text,
        "\n## Size\n\n| contract | bytes | of {} |",
        grouped(CODE_BYTES_MAX)
    )?;
    writeln!(text, "|---|---:|---:|")?;
    for (name, bytes) in sizes {
        let share = ratio(*bytes, CODE_BYTES_MAX);
        writeln!(text, "| {name} | {} | {share} |", grouped(*bytes))?;
    }
    Ok(text)
}

fn render_row(text: &mut String, row: &'static Row, figures: &Figures) -> fmt::Result {
    let cell = |gas: Option<u64>| gas.map_or_else(|| "–".to_owned(), grouped);
    let ours = figures.ours.row(row.name);
    let compared = ours.zip(official(row, figures));
    let mark = match miss(row, figures) {
        Some(_) => "✗",
        None => "",
    };
    writeln!(
        text,
        "| {} | {} | {} | {} | {} | {} | {mark} |",
        row.name,
        cell(ours),
        cell(figures.official.row(row.name)),
        cell(row.spec),
        compared.map_or_else(String::new, |(ours, official)| ratio(ours, official)),
        row.target
            .map_or_else(String::new, |target| format!("≤ {}", hundredths(target))),
    )
}

fn render_deployment(text: &mut String, title: &str, side: &Side) -> fmt::Result {
    writeln!(
        text,
        "\n## Deployment, {title}\n\n| transaction | gas |\n|---|---:|"
    )?;
    for (name, gas) in &side.deployment {
        writeln!(text, "| {name} | {} |", grouped(*gas))?;
    }
    writeln!(text, "| **total** | **{}** |", grouped(side.total()))
}

/// The rows of a committed table with their figures of ours.
pub(super) fn promises(committed: &str) -> impl Iterator<Item = (String, u64)> {
    let ours = committed.split("\n## Deployment, official").next();
    ours.unwrap_or_default().lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let (name, gas) = (cells.next()?, cells.next()?);
        let gas = gas.trim_end_matches(" |").replace(',', "").parse().ok()?;
        Some((name.to_owned(), gas))
    })
}

/// In thousandths, rounded up: what is above a target never looks equal to it.
fn ratio(part: u64, whole: u64) -> String {
    let thousandths = (part * 1000).div_ceil(whole);
    format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
}

fn hundredths(value: u64) -> String {
    format!("{}.{:02}", value / 100, value % 100)
}

/// With a comma after every three digits.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(
            ["1", "1,234", "1,234,567"],
            [1, 1234, 1_234_567].map(grouped)
        );
        assert_eq!(["0.501", "1.000"], [ratio(5001, 10_000), ratio(7, 7)]);
    }

    #[test]
    fn a_table_promises_what_it_was_rendered_from() {
        let text = "gas\tours\twithdraw\t51382\ndeploy\tours\tcreate the hub\t4461166\n\
                    deploy\tofficial\tDiamond\t5\ngas\tofficial\tSRLC transfer\t1\n";
        let figures = Figures::parse(text).unwrap();
        let table = render(&figures, &[("Hub".to_owned(), 20_273)]).unwrap();
        let promised: Vec<_> = promises(&table).collect();
        let expected = [("withdraw", 51_382), ("create the hub", 4_461_166)];
        assert_eq!(promised, expected.map(|(name, gas)| (name.to_owned(), gas)));
    }
}
