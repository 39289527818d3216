use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Link;
use super::latency::{Factors, Latency, Sampler};
use crate::rng::Rng;

/// A place with data centres.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Region {
    /// North Virginia.
    UsEast,
    /// Oregon.
    UsWest,
    /// Ireland.
    EuWest,
    /// Frankfurt.
    EuCentral,
    /// Tokyo.
    ApNortheast,
    /// Singapore.
    ApSoutheast,
    /// Sydney.
    Australia,
    /// Sao Paulo.
    SaEast,
}

/// Median round trips between regions in milliseconds, rounded, in the order of [`Region`]: what
/// providers publish of their backbones. Half of it is one way.
const ROUND_TRIPS: [[u16; 8]; 8] = [
    [1, 68, 68, 92, 148, 216, 198, 114],
    [68, 1, 124, 140, 98, 162, 140, 176],
    [68, 124, 1, 26, 200, 176, 256, 178],
    [92, 140, 26, 1, 224, 160, 250, 204],
    [148, 98, 200, 224, 1, 70, 104, 256],
    [216, 162, 176, 160, 70, 1, 92, 324],
    [198, 140, 256, 250, 104, 92, 1, 310],
    [114, 176, 178, 204, 256, 324, 310, 1],
];

/// Who lives where, and how long the ways between them are.
#[derive(Clone, Debug)]
pub(crate) struct Geography {
    /// Of each node, where there are several regions.
    regions: Vec<u8>,
    /// One, or one for each pair of regions.
    samplers: Vec<Sampler>,
}

const COUNT: usize = ROUND_TRIPS.len();
/// How much the latency between regions varies: the standard deviation of its logarithm.
const WAN_SIGMA: f64 = 0.05;

impl Geography {
    /// One latency between all.
    pub(crate) fn uniform(latency: Latency) -> Self {
        Self { regions: Vec::new(), samplers: vec![Sampler::of(latency)] }
    }

    /// Nodes dealt out over regions in turn.
    pub(crate) fn regions(regions: &[Region], count: u32) -> Self {
        let dealt = regions.iter().map(|&region| region as u8).cycle();
        let factors = Factors::of(WAN_SIGMA);
        let one_way = |round_trip: u16| {
            let median = Duration::from_micros(u64::from(round_trip) * 500);
            Sampler::Scaled { median, factors: factors.clone() }
        };
        Self {
            regions: dealt.take(count as usize).collect(),
            samplers: ROUND_TRIPS.iter().flatten().map(|&time| one_way(time)).collect(),
        }
    }

    pub(super) fn latency(&self, link: Link, rng: &mut Rng) -> Duration {
        let region = |node: u32| {
            let count = self.regions.len().max(1);
            self.regions.get(node as usize % count).copied().map_or(0, usize::from)
        };
        let pair = region(link.from) * COUNT + region(link.to);
        self.samplers[if self.samplers.len() == 1 { 0 } else { pair }].draw(rng)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_are_the_same_in_both_directions() {
        for (from, row) in ROUND_TRIPS.iter().enumerate() {
            for (to, &time) in row.iter().enumerate() {
                assert_eq!(time, ROUND_TRIPS[to][from], "{from} {to}");
            }
        }
    }

    #[test]
    fn neighbours_are_nearer_than_other_continents() {
        let geography = Geography::regions(&[Region::UsEast, Region::Australia], 4);
        let mut rng = Rng::new(1);
        let near = geography.latency(Link { from: 0, to: 2 }, &mut rng);
        let far = geography.latency(Link { from: 0, to: 1 }, &mut rng);
        assert!(near < Duration::from_millis(1), "{near:?}");
        assert!(far > Duration::from_millis(80), "{far:?}");
    }
}
