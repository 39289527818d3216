use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::rng::Rng;
use crate::units::{self, duration};

/// How long something takes on its way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "shape")]
pub enum Latency {
    /// Always as long.
    Fixed {
        /// How long.
        #[serde(with = "duration")]
        time: Duration,
    },
    /// Each length between two is as likely.
    Uniform {
        /// The shortest.
        #[serde(with = "duration")]
        low: Duration,
        /// The longest.
        #[serde(with = "duration")]
        high: Duration,
    },
    /// Half of all are shorter than the median, and few are much longer, as in real networks.
    LogNormal {
        /// The median.
        #[serde(with = "duration")]
        median: Duration,
        /// The standard deviation of the logarithm: 0.3 is calm, 1 is wild.
        sigma: f64,
    },
}

/// A latency that is quick to draw from.
#[derive(Clone, Debug)]
pub(crate) enum Sampler {
    Fixed(Duration),
    Uniform(Duration, Duration),
    Scaled { median: Duration, factors: Factors },
}

/// What a median is multiplied with: the quantiles of a log-normal distribution in equal steps.
#[derive(Clone, Debug)]
pub(crate) struct Factors(Arc<[f64]>);

/// The rarest of so many is one in a thousand.
const STEPS: usize = 1024;

impl Factors {
    pub(crate) fn of(sigma: f64) -> Self {
        static NORMAL: OnceLock<Vec<f64>> = OnceLock::new();
        let normal = NORMAL.get_or_init(|| {
            let share = |step: usize| (to_f64(step) + 0.5) / to_f64(STEPS);
            (0..STEPS).map(|step| normal_quantile(share(step))).collect()
        });
        Self(normal.iter().map(|quantile| libm::exp(sigma * quantile)).collect())
    }
}

impl Sampler {
    pub(crate) fn of(latency: Latency) -> Self {
        match latency {
            Latency::Fixed { time } => Self::Fixed(time),
            Latency::Uniform { low, high } => Self::Uniform(low, high),
            Latency::LogNormal { median, sigma } => {
                Self::Scaled { median, factors: Factors::of(sigma) }
            }
        }
    }

    pub(crate) fn draw(&self, rng: &mut Rng) -> Duration {
        match self {
            Self::Fixed(time) => *time,
            Self::Uniform(low, high) => rng.time_within(*low, *high),
            Self::Scaled { median, factors } => {
                let factor = factors.0[rng.index(STEPS)];
                units::from_nanos(median.as_secs_f64() * 1e9 * factor)
            }
        }
    }
}

fn to_f64(step: usize) -> f64 {
    f64::from(u32::try_from(step).expect("there are few steps"))
}

/// The normal distribution's quantile function, by bisection of its distribution function: slow,
/// exact to what a double holds, and used a thousand times per process.
fn normal_quantile(share: f64) -> f64 {
    let below = |x: f64| 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
    let (mut low, mut high) = (-10.0, 10.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if below(middle) < share { low = middle } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_published_ones() {
        for (share, expected) in [(0.5, 0.0), (0.975, 1.959_963_985), (0.001, -3.090_232_306)] {
            assert!((normal_quantile(share) - expected).abs() < 1e-8, "{share}");
        }
    }

    #[test]
    fn half_of_a_log_normal_latency_is_below_its_median() {
        let median = Duration::from_millis(1);
        let sampler = Sampler::of(Latency::LogNormal { median, sigma: 0.5 });
        let mut rng = Rng::new(3);
        let times: Vec<Duration> = (0..10_000).map(|_| sampler.draw(&mut rng)).collect();
        let below = times.iter().filter(|&&time| time < median).count();
        assert!((4_800..5_200).contains(&below), "{below}");
        assert!(times.iter().max().unwrap() < &Duration::from_millis(7));
    }
}
