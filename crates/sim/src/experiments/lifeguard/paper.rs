//! What the paper's tables say.

use super::System;

/// The figures of one system; times in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    /// First detection: median, 99th and 99.9th percentile (table V).
    pub(super) first: [f64; 3],
    /// Until all healthy nodes know (table V).
    pub(super) everywhere: [f64; 3],
    /// FP and FP- (table IV).
    pub(super) false_positives: [f64; 2],
    /// Messages and bytes sent, as a share of SWIM's (table VI).
    pub(super) load: Option<[f64; 2]>,
}

/// What the paper says of a system; of ours, and of memberlist as it comes, it says nothing.
///
/// Table VII has shares of the baseline alone; they are turned into figures here.
pub(super) fn figures(system: System) -> Option<Figures> {
    let (first, everywhere, false_positives, load) = match system {
        System::Swim => {
            ([12.44, 16.96, 19.40], [12.90, 16.93, 20.17], [339_002.0, 1326.0], [1.0, 1.0])
        }
        System::LhaProbe => {
            ([12.42, 17.75, 20.10], [12.90, 17.98, 20.56], [229_574.0, 436.0], [0.9846, 0.9003])
        }
        System::LhaSuspicion => {
            ([12.42, 17.47, 25.41], [12.89, 17.33, 23.80], [10_174.0, 89.0], [1.1131, 1.0652])
        }
        System::Buddy => {
            ([12.45, 17.12, 19.16], [12.92, 17.18, 19.81], [318_935.0, 591.0], [1.0007, 0.9901])
        }
        System::LIFEGUARD => {
            ([12.45, 17.90, 21.20], [12.91, 18.05, 21.68], [5193.0, 25.0], [1.1059, 0.9797])
        }
        System::Lifeguard { alpha, beta } => return swept(alpha, beta),
        System::Memberlist | System::Mingle => return None,
    };
    Some(Figures { first, everywhere, false_positives, load: Some(load) })
}

/// FP for each hour of each node, by the number of anomalous nodes (figures 2 and 3, read off their vectors): each
/// of these is of 480 runs, in which 128 nodes went on for 127 s.
pub(super) fn by_concurrency(system: System) -> Option<Vec<(f64, f64)>> {
    let events: [u32; 9] = match system {
        System::Swim => [906, 5975, 11_283, 23_157, 34_511, 45_492, 58_998, 77_107, 81_670],
        System::LhaProbe => [512, 3208, 7228, 15_196, 21_920, 36_490, 41_823, 50_296, 52_953],
        System::LhaSuspicion => [49, 311, 142, 581, 1340, 1118, 1762, 2891, 1977],
        System::Buddy => [950, 6388, 8479, 20_187, 34_748, 46_438, 58_444, 71_746, 71_561],
        System::LIFEGUARD => [18, 143, 110, 224, 573, 751, 842, 1335, 1197],
        System::Lifeguard { .. } | System::Memberlist | System::Mingle => return None,
    };
    let hours = 480.0 * 128.0 * 127.0 / 3600.0;
    let points = super::CONCURRENT.into_iter().zip(events);
    Some(points.map(|(many, events)| (f64::from(many), f64::from(events) / hours)).collect())
}

/// Table VII: percents of SWIM's first detection and dissemination (median, 99, 99.9) and of its FP and FP-.
fn swept(alpha: u32, beta: u32) -> Option<Figures> {
    let percents = match (alpha, beta) {
        (2, 2) => [53.14, 69.81, 76.08, 55.12, 73.07, 76.20, 98.37, 31.15],
        (2, 4) => [54.10, 72.88, 75.41, 56.28, 76.96, 75.11, 43.64, 22.47],
        (2, 6) => [54.34, 75.53, 80.36, 56.74, 79.15, 78.58, 24.16, 13.65],
        (4, 2) => [82.96, 94.28, 99.07, 84.42, 97.05, 92.17, 37.72, 20.29],
        (4, 4) => [83.04, 96.17, 93.71, 84.03, 96.69, 95.14, 8.04, 9.50],
        (4, 6) => [83.12, 96.82, 94.69, 84.42, 96.52, 92.71, 3.18, 4.83],
        (5, 2) => [99.76, 104.95, 112.32, 99.92, 105.73, 107.64, 26.61, 15.38],
        (5, 4) => [99.52, 102.71, 111.44, 99.61, 105.08, 107.93, 5.43, 5.05],
        _ => return None,
    };
    let swim = figures(System::Swim)?;
    let of = |percent: f64, figure: f64| percent * figure / 100.0;
    let [a, b, c, d, e, f, g, h] = percents;
    let [first, everywhere] = [swim.first, swim.everywhere];
    Some(Figures {
        first: [of(a, first[0]), of(b, first[1]), of(c, first[2])],
        everywhere: [of(d, everywhere[0]), of(e, everywhere[1]), of(f, everywhere[2])],
        false_positives: [of(g, swim.false_positives[0]), of(h, swim.false_positives[1])],
        load: None,
    })
}
