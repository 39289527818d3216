//! How often something took how long.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often something took at most how long, since the node started.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Histogram {
    /// Its name, in snake case; stable. It ends with the unit.
    pub name: &'static str,
    /// What it is, in one line.
    pub help: &'static str,
    /// The buckets, in the order of their bounds.
    pub buckets: Vec<Bucket>,
    /// How often it happened, longer than the last bound included.
    pub count: u64,
    /// How long it took in all.
    pub sum: Duration,
}

/// A part of a [`Histogram`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bucket {
    /// How long it took at most.
    pub bound: Duration,
    /// How often it took no longer than that; the buckets below are included.
    pub count: u64,
}

/// Powers of two from a quarter of a millisecond, which is a round trip in one rack, to about four
/// seconds, which is above the longest `probe_timeout` of a preset.
const BOUNDS: usize = 15;

const fn bound(index: u32) -> Duration {
    Duration::from_micros(250 << index)
}

/// A histogram that every task of the node may add to.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    /// By bucket, those below left out; the last one has no bound.
    counts: [AtomicU64; BOUNDS + 1],
    microseconds: AtomicU64,
}

impl Durations {
    pub(crate) fn add(&self, took: Duration) {
        let place = (0..).take(BOUNDS).take_while(|&index| bound(index) < took).count();
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, name: &'static str, help: &'static str) -> Histogram {
        let [bounded @ .., longer] = &self.counts;
        let mut count = 0;
        let buckets = (0..)
            .zip(bounded)
            .map(|(index, here)| {
                count += here.load(Ordering::Relaxed);
                Bucket { bound: bound(index), count }
            })
            .collect();
        count += longer.load(Ordering::Relaxed);
        let sum = Duration::from_micros(self.microseconds.load(Ordering::Relaxed));
        Histogram { name, help, buckets, count, sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bounds in microseconds and counts, of those that are not as the one before.
    fn steps(histogram: &Histogram) -> Vec<(u128, u64)> {
        let mut steps: Vec<_> =
            histogram.buckets.iter().map(|b| (b.bound.as_micros(), b.count)).collect();
        steps.dedup_by_key(|step| step.1);
        steps
    }

    #[test]
    fn each_is_counted_at_its_bound_and_at_all_above() {
        let durations = Durations::default();
        for micros in [0, 250, 251, 3_000, 4_096_000, 4_096_001] {
            durations.add(Duration::from_micros(micros));
        }
        let histogram = durations.read("name", "help");
        assert_eq!(steps(&histogram), [(250, 2), (500, 3), (4_000, 4), (4_096_000, 5)]);
        assert_eq!((histogram.count, histogram.sum), (6, Duration::from_micros(8_195_502)));
    }

    #[test]
    fn whoever_has_counted_nothing_has_every_bucket() {
        let histogram = Durations::default().read("name", "help");
        assert_eq!(histogram.buckets.len(), BOUNDS);
        assert_eq!((histogram.count, steps(&histogram)), (0, vec![(250, 0)]));
    }
}
