//! Medians, and where they are printed.
#![expect(
    clippy::print_stdout,
    reason = "the measurements are what this program prints"
)]

use std::time::Duration;

/// The middle one; zero for none.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// The time that so many percent of the sorted `times` do not exceed; zero for none.
pub(crate) fn percentile(times: &[Duration], percent: usize) -> Duration {
    let place = (times.len() * percent).div_ceil(100).max(1) - 1;
    times.get(place).copied().unwrap_or_default()
}

/// One line of the report.
pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// A duration in milliseconds, and how it relates to a yardstick.
pub(crate) fn line(name: &str, time: Duration, yardstick: Option<Duration>) {
    let ratio = yardstick.map(|y| time.as_secs_f64() / y.as_secs_f64().max(1e-9));
    let ratio = ratio.map(|r| format!("  {r:.3} x")).unwrap_or_default();
    say(&format!(
        "{name:<58} {:>8.1} ms{ratio}",
        time.as_secs_f64() * 1e3
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_members() {
        let times: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 50), Duration::from_millis(100));
        assert_eq!(percentile(&times, 99), Duration::from_millis(198));
        assert_eq!(percentile(&[], 99), Duration::ZERO);
    }

    #[test]
    fn the_median_is_the_middle() {
        let times = [9, 1, 5].map(Duration::from_millis).to_vec();
        assert_eq!(median(times), Duration::from_millis(5));
        assert_eq!(median(Vec::new()), Duration::ZERO);
    }
}
