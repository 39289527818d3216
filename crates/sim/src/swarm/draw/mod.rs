//! The worlds of seeds.

mod faults;
mod network;
mod rare;

use std::time::Duration;

use serde_json::Value;

use crate::nodes::Nodes;
use crate::rng::{Chance, Rng};
use crate::scenario::{Expect, Overrides, Profile, Rules, Scenario, Start};

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
        config: settings(&mut rng, profile),
        network: network::draw(&mut rng, profile),
        faults: Vec::new(),
        expect: Expect::default(),
    };
    scenario.faults = faults::draw(&mut rng, nodes, duration);
    rare::draw(&mut Rng::new(seed ^ 0x4a_4e5), &mut scenario);
    scenario
}

/// Small worlds go wrong as well as large ones, and faster: half have at most eight nodes.
fn size(rng: &mut Rng) -> u32 {
    let most = match rng.below(32) {
        0..=15 => 8,
        16..=26 => 24,
        27..=30 => 64,
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

fn settings(rng: &mut Rng, profile: Profile) -> Overrides {
    let mut overrides = Overrides::default();
    let mut set = |chance: f64, name: &str, value: &mut dyn FnMut(&mut Rng) -> Value| {
        if rng.chance(Chance::of(chance)) {
            overrides.0.insert(name.to_owned(), value(rng));
        }
    };
    set(0.2, "indirect_checks", &mut |rng| rng.below(6).into());
    set(0.2, "stream_pings", &mut |rng| rng.chance(Chance::of(0.5)).into());
    set(0.2, "gossip_nodes", &mut |rng| rng.within(1, 6).into());
    set(0.2, "retransmit_mult", &mut |rng| rng.within(2, 8).into());
    set(0.2, "suspicion_mult", &mut |rng| rng.within(2, 8).into());
    set(0.2, "suspicion_max_timeout_mult", &mut |rng| rng.within(1, 8).into());
    set(0.2, "awareness_max_multiplier", &mut |rng| rng.within(1, 10).into());
    let mut time = |chance, name: &str, low, high| {
        set(chance, name, &mut |rng| format!("{}ms", rng.within(low, high)).into());
    };
    let least = if profile == Profile::Wan { 5000 } else { 1000 };
    time(0.1, "probe_interval", least, least * 3);
    time(0.1, "gossip_interval", 20, 1000);
    time(0.1, "gossip_to_the_dead_time", 0, 60_000);
    time(0.1, "push_pull_interval", 5000, 60_000);
    time(0.1, "tcp_timeout", 1000, 20_000);
    time(0.1, "leave_timeout", 500, 10_000);
    time(0.1, "reap_time", 1000, 60_000);
    overrides
}

fn share(rng: &mut Rng, most: f64) -> f64 {
    let thousandths = u32::try_from(rng.below(1000)).expect("it is below 1000");
    (most * f64::from(thousandths)).round() / 1000.0
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
