use std::time::Duration;

use serde::Serialize;

use crate::rng::Rng;

/// A figure, and between which two it lies with 95 % confidence, as far as chance between worlds goes:
/// by 1,000 bootstrap samples of the worlds (Efron, 1979), drawn from a fixed seed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The figure itself.
    pub value: f64,
    /// The 2.5th percentile of the samples.
    pub low: f64,
    /// The 97.5th.
    pub high: f64,
}

const SAMPLES: usize = 1000;

/// The sum of one count for each world.
#[must_use]
pub fn sum_with_interval(counts: &[u64]) -> Interval {
    let sum = |counts: &mut dyn Iterator<Item = u64>| to_f64(counts.sum());
    let value = sum(&mut counts.iter().copied());
    let mut rng = Rng::new(SEED);
    let sample = |_| sum(&mut (0..counts.len()).map(|_| counts[rng.index(counts.len())]));
    Interval::around(value, (0..SAMPLES).map(sample).collect())
}

/// The mean of one value for each world; 0 of none.
#[must_use]
pub fn mean_with_interval(values: &[f64]) -> Interval {
    let count = to_f64(values.len() as u64).max(1.0);
    let mut rng = Rng::new(SEED);
    let sample = |_| {
        let sum: f64 = (0..values.len()).map(|_| values[rng.index(values.len())]).sum();
        sum / count
    };
    let value = values.iter().sum::<f64>() / count;
    Interval::around(value, (0..SAMPLES).map(sample).collect())
}

/// The quantile `share` of all times; each entry has those of one world. `None` without any time.
#[must_use]
pub fn quantile(worlds: &[Vec<Duration>], share: f64) -> Option<Interval> {
    let mut rng = Rng::new(SEED);
    let mut pool: Vec<Duration> = worlds.iter().flatten().copied().collect();
    let value = nearest_rank(&mut pool, share)?;
    let sample = |_| {
        pool.clear();
        pool.extend((0..worlds.len()).flat_map(|_| &worlds[rng.index(worlds.len())]));
        nearest_rank(&mut pool, share)
    };
    let samples = (0..SAMPLES).filter_map(sample).collect();
    Some(Interval::around(value, samples))
}

/// Chance of the samples, the same in every run.
const SEED: u64 = 0xb007;

/// The smallest time that at least this share of them does not exceed, in seconds.
fn nearest_rank(times: &mut [Duration], share: f64) -> Option<f64> {
    let last = times.len().checked_sub(1)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a count is a count"
    )]
    let rank = ((times.len() as f64 * share).ceil() as usize).saturating_sub(1).min(last);
    let (_, time, _) = times.select_nth_unstable(rank);
    Some(time.as_secs_f64())
}

impl Interval {
    fn around(value: f64, mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        let at = |index: usize| samples.get(index).copied().unwrap_or(value);
        let tail = samples.len() / 40;
        let (low, high) = (at(tail), at(samples.len().saturating_sub(tail + 1)));
        Self { value, low, high }
    }
}

/// A count as a number to reckon with.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(crate) fn to_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_times_that_came_out() {
        let worlds: Vec<Vec<Duration>> =
            (1..=100).map(|seconds| vec![Duration::from_secs(seconds)]).collect();
        for (share, expected) in [(0.5, 50.0), (0.99, 99.0), (0.999, 100.0), (0.0, 1.0)] {
            let found = quantile(&worlds, share).unwrap();
            assert!((found.value - expected).abs() < 1e-9, "{share}: {found:?}");
            assert!(found.low <= found.value && found.value <= found.high, "{share}: {found:?}");
        }
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[Vec::new()], 0.5), None);
    }

    /// Of a sum of independent counts the interval is about two standard deviations to each side.
    #[test]
    fn the_interval_of_a_sum_is_as_wide_as_chance_makes_it() {
        let mut rng = Rng::new(7);
        let counts: Vec<u64> = (0..1000).map(|_| rng.below(2)).collect();
        let found = sum_with_interval(&counts);
        let sigma = (1000.0_f64 * 0.25).sqrt();
        assert!((found.value - found.low - 2.0 * sigma).abs() < 0.5 * sigma, "{found:?}");
        assert!((found.high - found.value - 2.0 * sigma).abs() < 0.5 * sigma, "{found:?}");
        assert_eq!(sum_with_interval(&[]), Interval { value: 0.0, low: 0.0, high: 0.0 });
    }
}
