use std::time::Duration;

use super::share;
use crate::network::{Carrier, Latency, Region};
use crate::rng::{Chance, Rng};
use crate::scenario::{Disturbance, Everywhere, Profile, Standing};

/// What is between the nodes all the time.
pub(super) fn draw(rng: &mut Rng, profile: Profile) -> Standing {
    let mut network = Standing::default();
    if profile == Profile::Wan {
        network.regions = regions(rng);
    } else if rng.chance(Chance::of(0.5)) {
        network.latency = latency(rng, 20);
    }
    if rng.chance(Chance::of(0.2)) {
        network.packet_room = u32::try_from(rng.within(1024, 1395)).expect("it is small");
    }
    let mut stands = |chance, disturbance: fn(&mut Rng) -> Disturbance| {
        if rng.chance(Chance::of(chance)) {
            let (carrier, disturbance) = (carrier(rng), disturbance(rng));
            network.disturbances.push(Everywhere { carrier, disturbance });
        }
    };
    stands(0.3, |rng| Disturbance::Loss { share: share(rng, 0.1) });
    stands(0.1, |rng| Disturbance::Duplicate { share: share(rng, 0.2), by: latency(rng, 2000) });
    stands(0.1, |rng| Disturbance::Reorder { share: share(rng, 0.2), by: latency(rng, 300) });
    stands(0.1, |rng| Disturbance::Corrupt { share: share(rng, 0.05) });
    stands(0.1, bursts);
    stands(0.1, |rng| Disturbance::Delay { by: latency(rng, 200) });
    stands(0.1, bandwidth);
    stands(0.05, |rng| Disturbance::Mtu {
        bytes: u32::try_from(rng.within(600, 1400)).expect("small"),
    });
    network
}

fn regions(rng: &mut Rng) -> Vec<Region> {
    use Region::{ApNortheast, ApSoutheast, Australia, EuCentral, EuWest, SaEast, UsEast, UsWest};
    let mut all = [UsEast, UsWest, EuWest, EuCentral, ApNortheast, ApSoutheast, Australia, SaEast];
    rng.shuffle(&mut all);
    all[..1 + rng.index(all.len())].to_vec()
}

/// Up to about so many milliseconds.
fn latency(rng: &mut Rng, most: u64) -> Latency {
    let time = Duration::from_micros(rng.within(50, most * 1000));
    match rng.below(3) {
        0 => Latency::Fixed { time },
        1 => Latency::Uniform { low: Duration::ZERO, high: time },
        _ => Latency::LogNormal { median: time / 4, sigma: 0.1 + share(rng, 1.0) },
    }
}

/// What may come between nodes for a while.
pub(super) fn disturbance(rng: &mut Rng) -> Disturbance {
    match rng.below(9) {
        0 => Disturbance::Cut,
        1 => Disturbance::Loss { share: share(rng, 1.0) },
        2 => bursts(rng),
        3 => Disturbance::Delay { by: latency(rng, 3000) },
        4 => Disturbance::Mtu { bytes: u32::try_from(rng.within(100, 1400)).expect("small") },
        5 => Disturbance::Duplicate { share: share(rng, 1.0), by: latency(rng, 3000) },
        6 => Disturbance::Reorder { share: share(rng, 1.0), by: latency(rng, 3000) },
        7 => Disturbance::Corrupt { share: share(rng, 1.0) },
        _ => bandwidth(rng),
    }
}

fn bursts(rng: &mut Rng) -> Disturbance {
    Disturbance::Bursts {
        begin: share(rng, 0.2),
        end: share(rng, 0.5),
        lost_within: share(rng, 1.0),
        lost_outside: share(rng, 0.05),
    }
}

fn bandwidth(rng: &mut Rng) -> Disturbance {
    Disturbance::Bandwidth {
        bytes_per_second: rng.within(500, 100_000),
        queue: rng.within(1000, 50_000),
    }
}

pub(super) fn carrier(rng: &mut Rng) -> Carrier {
    match rng.below(4) {
        0 => Carrier::Packets,
        1 => Carrier::Streams,
        _ => Carrier::Both,
    }
}
