//! Goes on with the differential test of the contracts, with fresh seeds or with a given one.
use std::process::Command;

use anyhow::{Context, ensure};

use super::succeed;

/// Token mode has most of what can go wrong and gets half of the time.
const MODES: [(&str, u64); 3] = [("token_mode", 2), ("native_mode", 4), ("boost_mode", 4)];

/// What was typed: `--minutes N` for all modes together, `--seed S` for one life of each mode.
#[derive(Debug, PartialEq, Eq)]
struct Wish<'a> {
    minutes: u64,
    seed: Option<&'a str>,
}

/// Runs it. A failure prints its seed and the command that plays it again.
pub(super) fn run(arguments: &[&str]) -> anyhow::Result<()> {
    let wish = parse(arguments)?;
    for (mode, share) in MODES {
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["test", "--locked", "--package", "iexec-contracts"])
            .args(["--test", "twin", mode, "--", "--nocapture"])
            .env("FUZZ_SECONDS", (wish.minutes * 60 / share).to_string());
        if let Some(seed) = wish.seed {
            cargo.env("FUZZ_SEED", seed);
        }
        succeed(&mut cargo)?;
    }
    Ok(())
}

fn parse<'a>(arguments: &[&'a str]) -> anyhow::Result<Wish<'a>> {
    let mut wish = Wish {
        minutes: 1,
        seed: None,
    };
    for pair in arguments.chunks(2) {
        match *pair {
            ["--minutes", minutes] => {
                wish.minutes = minutes.parse().context("--minutes takes a whole number")?;
            }
            ["--seed", seed] => {
                let is_number = seed.parse::<u64>().is_ok();
                ensure!(is_number, "--seed takes the number that a failure printed");
                wish.seed = Some(seed);
            }
            _ => anyhow::bail!("usage: cargo xtask contracts fuzz [--minutes N] [--seed S]"),
        }
    }
    Ok(wish)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_in_any_order() {
        let expected = Wish {
            minutes: 5,
            seed: Some("7"),
        };
        let typed = ["--seed", "7", "--minutes", "5"];
        assert_eq!(parse(&typed).unwrap(), expected);
        assert_eq!(parse(&[]).unwrap().minutes, 1);
    }

    #[test]
    fn nonsense_is_refused() {
        for typed in [&["--minutes"][..], &["--minutes", "x"], &["--seed", "-1"]] {
            assert!(parse(typed).is_err(), "{typed:?}");
        }
    }
}
