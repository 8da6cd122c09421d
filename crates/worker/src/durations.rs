//! The last durations of a kind, as the official worker counts them (spec/pool-worker.md §2.15).

use std::{collections::VecDeque, time::Duration};

/// Samples kept: the official worker's window.
const SAMPLES_MAX: usize = 1_000;

/// A window of durations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Durations(VecDeque<Duration>);

impl Extend<Duration> for Durations {
    fn extend<T: IntoIterator<Item = Duration>>(&mut self, more: T) {
        for duration in more {
            if self.0.len() == SAMPLES_MAX {
                self.0.pop_front();
            }
            self.0.push_back(duration);
        }
    }
}

impl Durations {
    /// Name and seconds of each statistic; the count is none of seconds. Without samples all
    /// are 0.
    pub(crate) fn statistics(&self) -> [(&'static str, f64); 4] {
        let seconds = || self.0.iter().map(Duration::as_secs_f64);
        let count = self.0.len() as f64;
        let average = match self.0.is_empty() {
            true => 0.0,
            false => seconds().sum::<f64>() / count,
        };
        let least = seconds().reduce(f64::min).unwrap_or_default();
        let most = seconds().reduce(f64::max).unwrap_or_default();
        [
            ("min", least),
            ("max", most),
            ("average", average),
            ("samples_count", count),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_moves() {
        let mut durations = Durations::default();
        assert_eq!(durations.statistics().map(|(_, value)| value), [0.0; 4]);
        durations.extend([Duration::from_secs(1_000)]);
        durations.extend((0..SAMPLES_MAX).map(|_| Duration::from_secs(2)));
        assert_eq!(
            durations.statistics().map(|(_, value)| value),
            [2.0, 2.0, 2.0, 1000.0]
        );
    }
}
