use std::time::Duration;

use serde_json::Value;

use crate::network::{Carrier, Latency, Region};
use crate::nodes::Nodes;
use crate::rng::{Chance, Rng};
use crate::scenario::{
    Address, Claim, Disturbance, Everywhere, Fault, Memory, Overrides, Profile, Rules, Scenario,
    Standing, Start, Timed,
};

/// The world of a seed: its size, settings, faults and work.
#[must_use]
pub fn draw(seed: u64) -> Scenario {
    let mut rng = Rng::new(seed ^ 0x5_a1d);
    let nodes = size(&mut rng);
    let profile = profile(&mut rng);
    let duration = Duration::from_secs(rng.within(20, 120));
    let mut scenario = Scenario {
        name: format!("swarm {seed}"),
        about: String::new(),
        seed,
        repetitions: 1,
        nodes,
        start: if rng.chance(Chance::of(0.3)) { Start::Joining } else { Start::Converged },
        duration,
        calm: None,
        rejoin: true,
        full: None,
        crowd: None,
        profile,
        rules: Rules::Mingle,
        config: settings(&mut rng),
        network: network(&mut rng, profile),
        faults: Vec::new(),
        expect: crate::scenario::Expect::default(),
    };
    scenario.faults = faults(&mut rng, nodes, duration);
    // By chance of their own, so that all else of a seed does not depend on them.
    scenario.faults.extend(rumours(&mut Rng::new(seed ^ 0x7e11), nodes, duration));
    scenario.faults.sort_by_key(|timed| timed.at);
    scenario
}

/// Small worlds go wrong as well as large ones, and faster: half have at most eight nodes.
fn size(rng: &mut Rng) -> u32 {
    let most = match rng.below(8) {
        0..=3 => 8,
        4..=5 => 24,
        6 => 64,
        _ => 200,
    };
    u32::try_from(rng.within(2, most)).expect("it is at most 200")
}

fn profile(rng: &mut Rng) -> Profile {
    match rng.below(4) {
        0 => Profile::Local,
        1 => Profile::Wan,
        _ => Profile::Lan,
    }
}

fn settings(rng: &mut Rng) -> Overrides {
    let mut overrides = Overrides::default();
    let mut set = |name: &str, value: Value| {
        overrides.0.insert(name.to_owned(), value);
    };
    if rng.chance(Chance::of(0.2)) {
        set("indirect_checks", rng.below(6).into());
    }
    if rng.chance(Chance::of(0.2)) {
        set("stream_pings", rng.chance(Chance::of(0.5)).into());
    }
    if rng.chance(Chance::of(0.2)) {
        set("gossip_nodes", rng.within(1, 6).into());
    }
    if rng.chance(Chance::of(0.2)) {
        set("retransmit_mult", rng.within(2, 8).into());
    }
    if rng.chance(Chance::of(0.2)) {
        set("suspicion_mult", rng.within(2, 8).into());
    }
    if rng.chance(Chance::of(0.2)) {
        set("suspicion_max_timeout_mult", rng.within(1, 8).into());
    }
    if rng.chance(Chance::of(0.2)) {
        set("awareness_max_multiplier", rng.within(1, 10).into());
    }
    if rng.chance(Chance::of(0.1)) {
        set("push_pull_interval", format!("{}s", rng.within(5, 60)).into());
    }
    if rng.chance(Chance::of(0.1)) {
        set("reap_time", format!("{}s", rng.within(1, 60)).into());
    }
    overrides
}

fn share(rng: &mut Rng, most: f64) -> f64 {
    let thousandths = u32::try_from(rng.below(1000)).expect("it is below 1000");
    (most * f64::from(thousandths)).round() / 1000.0
}

fn network(rng: &mut Rng, profile: Profile) -> Standing {
    let millis = |low, high, rng: &mut Rng| Duration::from_millis(rng.within(low, high));
    let mut network = Standing::default();
    match (profile, rng.below(3)) {
        (Profile::Wan, _) => {
            use Region::{ApNortheast, EuCentral, SaEast, UsEast};
            network.regions = vec![UsEast, EuCentral, ApNortheast, SaEast];
        }
        (_, 0) => {
            let (low, high) = (Duration::from_micros(50), millis(1, 20, rng));
            network.latency = Latency::Uniform { low, high };
        }
        _ => {}
    }
    let mut stands = |disturbance| {
        network.disturbances.push(Everywhere { carrier: Carrier::Both, disturbance });
    };
    if rng.chance(Chance::of(0.3)) {
        stands(Disturbance::Loss { share: share(rng, 0.1) });
    }
    if rng.chance(Chance::of(0.1)) {
        let by = Latency::Uniform { low: Duration::ZERO, high: millis(1, 2000, rng) };
        stands(Disturbance::Duplicate { share: share(rng, 0.2), by });
    }
    if rng.chance(Chance::of(0.1)) {
        let by = Latency::Uniform { low: Duration::ZERO, high: millis(1, 300, rng) };
        stands(Disturbance::Reorder { share: share(rng, 0.2), by });
    }
    if rng.chance(Chance::of(0.1)) {
        stands(Disturbance::Corrupt { share: share(rng, 0.05) });
    }
    network
}

/// What kinds of faults there are; each seed has some of them.
const KINDS: [fn(&mut Rng, u32) -> Fault; 12] = [
    |rng, nodes| Fault::Crash {
        nodes: some(rng, nodes),
        machine: rng.chance(Chance::of(0.5)),
        // Elsewhere, a name whose old process is not known to be dead is a conflict: it is refused.
        address: Address::Same,
        memory: memory(rng),
    },
    |rng, nodes| Fault::Leave {
        nodes: some(rng, nodes),
        address: Address::Same,
        memory: memory(rng),
    },
    |rng, nodes| Fault::Pause { nodes: some(rng, nodes) },
    |rng, nodes| Fault::Block { nodes: some(rng, nodes) },
    |rng, nodes| Fault::Slow {
        nodes: some(rng, nodes),
        timers: Duration::from_millis(rng.below(1500)),
        per_packet: Duration::from_millis(rng.below(30)),
    },
    |rng, nodes| Fault::Drift {
        nodes: some(rng, nodes),
        millionths: i32::try_from(rng.below(200_000)).expect("it is small") - 100_000,
    },
    |rng, nodes| Fault::Leap {
        nodes: some(rng, nodes),
        by: Duration::from_millis(rng.below(60_000)),
    },
    |rng, nodes| {
        let mut all: Vec<u32> = (0..nodes).collect();
        rng.shuffle(&mut all);
        let cut = 1 + rng.index(all.len() - 1);
        let (one, other) = all.split_at(cut);
        Fault::Partition { sides: vec![list(one), list(other)], carrier: carrier(rng) }
    },
    |rng, nodes| Fault::Link {
        from: some(rng, nodes),
        to: if rng.chance(Chance::of(0.5)) { Nodes::All } else { some(rng, nodes) },
        carrier: carrier(rng),
        both_ways: rng.chance(Chance::of(0.5)),
        disturbance: disturbance(rng),
    },
    |rng, nodes| Fault::Meta {
        nodes: some(rng, nodes),
        bytes: u32::try_from(rng.below(513)).expect("it is at most 512"),
    },
    |rng, nodes| Fault::Join { nodes: one(rng, nodes), with: one(rng, nodes) },
    |rng, nodes| Fault::Send {
        nodes: one(rng, nodes),
        to: some(rng, nodes),
        bytes: u32::try_from(rng.below(1200)).expect("it is small"),
        stream: rng.chance(Chance::of(0.5)),
    },
];

fn faults(rng: &mut Rng, nodes: u32, duration: Duration) -> Vec<Timed> {
    let kinds: Vec<_> = KINDS.iter().filter(|_| rng.chance(Chance::of(0.4))).collect();
    if kinds.is_empty() {
        return Vec::new();
    }
    let seconds = duration.as_secs();
    let count = rng.within(1, 8);
    let mut faults: Vec<Timed> = (0..count)
        .map(|_| {
            let at = Duration::from_millis(rng.below(seconds * 1000));
            let lasts = Duration::from_millis(rng.within(100, seconds * 600));
            let fault = kinds[rng.index(kinds.len())](rng, nodes);
            let ends = rng.chance(Chance::of(0.8));
            Timed { at, lasts: ends.then_some(lasts), fault }
        })
        .collect();
    faults.sort_by_key(|timed| timed.at);
    faults
}

/// What is said of nodes and is not so, be it forged or of a life that they have forgotten.
fn rumours(rng: &mut Rng, nodes: u32, duration: Duration) -> Vec<Timed> {
    let millis = duration.as_secs() * 1000 - MOST_BEHIND;
    let mut faults = Vec::new();
    if rng.chance(Chance::of(0.2)) {
        for _ in 0..rng.within(1, 4) {
            let at = Duration::from_millis(rng.below(millis));
            faults.push(Timed { at, lasts: None, fault: forgery(rng, nodes) });
        }
    }
    if rng.chance(Chance::of(0.15)) {
        let at = Duration::from_millis(rng.below(millis));
        faults.extend(accused_of_the_next(rng, nodes, at));
    }
    if rng.chance(Chance::of(0.15)) {
        faults.extend(begun_below(rng, nodes, millis));
    }
    faults
}

fn forgery(rng: &mut Rng, nodes: u32) -> Fault {
    let claims = [Claim::Left, Claim::Dead, Claim::Suspect, Claim::Moved];
    Fault::Forge {
        to: some(rng, nodes),
        claim: claims[rng.index(claims.len())],
        about: u32::try_from(rng.below(nodes.into())).expect("it is below a u32"),
        ahead: u32::try_from(rng.below(4)).expect("it is small"),
    }
}

/// How many milliseconds news may be behind the accusation that overtakes it.
const MOST_BEHIND: u64 = 20;

/// An accusation is faster than the incarnation that it is about, at which the accused has news.
fn accused_of_the_next(rng: &mut Rng, nodes: u32, at: Duration) -> [Timed; 2] {
    let about = u32::try_from(rng.below(nodes.into())).expect("it is below a u32");
    let (to, claim) = (some(rng, nodes), Claim::Suspect);
    let bytes = u32::try_from(rng.below(513)).expect("it is at most 512");
    let accused = Fault::Forge { to, claim, about, ahead: 1 };
    let news = Fault::Meta { nodes: Nodes::one(about), bytes };
    let later = at + Duration::from_millis(rng.below(MOST_BEHIND));
    [Timed { at, lasts: None, fault: accused }, Timed { at: later, lasts: None, fault: news }]
}

/// Processes begin by their wall clocks, and again when those were set back.
fn begun_below(rng: &mut Rng, nodes: u32, millis: u64) -> [Timed; 3] {
    let hosts = some(rng, nodes);
    let first = rng.below(millis / 2);
    let second = Duration::from_millis(rng.within(first + 3000, millis));
    let first = Duration::from_millis(first);
    let seconds = -i64::try_from(rng.within(100, 1000)).expect("it is small");
    let mut crash = |at, longest| {
        let (nodes, address, memory) = (hosts.clone(), Address::Same, Memory::Lost);
        let lasts = Some(Duration::from_millis(rng.within(100, longest)));
        Timed { at, lasts, fault: Fault::Crash { nodes, machine: false, address, memory } }
    };
    let (once, again) = (crash(first, 2000), crash(second, 10_000));
    let back = Fault::WallClock { nodes: hosts, seconds };
    [once, Timed { at: second, lasts: None, fault: back }, again]
}

fn disturbance(rng: &mut Rng) -> Disturbance {
    match rng.below(6) {
        0 => Disturbance::Cut,
        1 => Disturbance::Loss { share: share(rng, 1.0) },
        2 => Disturbance::Bursts {
            begin: share(rng, 0.2),
            end: share(rng, 0.5),
            lost_within: share(rng, 1.0),
            lost_outside: share(rng, 0.05),
        },
        3 => {
            let high = Duration::from_millis(rng.within(1, 3000));
            Disturbance::Delay { by: Latency::Uniform { low: Duration::ZERO, high } }
        }
        4 => Disturbance::Mtu { bytes: u32::try_from(rng.within(100, 1400)).expect("small") },
        _ => Disturbance::Bandwidth {
            bytes_per_second: rng.within(500, 100_000),
            queue: rng.within(1000, 50_000),
        },
    }
}

fn one(rng: &mut Rng, nodes: u32) -> Nodes {
    Nodes::one(u32::try_from(rng.below(nodes.into())).expect("it is below a u32"))
}

/// From one node to a third of them.
fn some(rng: &mut Rng, nodes: u32) -> Nodes {
    let mut all: Vec<u32> = (0..nodes).collect();
    rng.shuffle(&mut all);
    let most = if rng.chance(Chance::of(0.5)) { 1 } else { all.len() / 3 + 1 };
    all.truncate(1 + rng.index(most));
    list(&all)
}

fn list(nodes: &[u32]) -> Nodes {
    let mut sorted = nodes.to_vec();
    sorted.sort_unstable();
    Nodes::list(&sorted)
}

fn carrier(rng: &mut Rng) -> Carrier {
    match rng.below(4) {
        0 => Carrier::Packets,
        1 => Carrier::Streams,
        _ => Carrier::Both,
    }
}

fn memory(rng: &mut Rng) -> Memory {
    if rng.chance(Chance::of(0.5)) { Memory::Lost } else { Memory::Kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_drawn_can_be_run_and_written_down() {
        for seed in 0..2000 {
            let scenario = draw(seed);
            scenario.check().unwrap();
            let text = scenario.to_toml();
            assert_eq!(Scenario::from_toml(&text).unwrap(), scenario, "{text}");
        }
    }
}
