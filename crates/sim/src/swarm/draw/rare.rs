//! What only a few worlds have: small tables, the rules of memberlist, seeds that change, and nobody
//! who joins again in the end. What that takes away from agreement is not expected.

use std::time::Duration;

use super::list;
use crate::nodes::Nodes;
use crate::rng::{Chance, Rng};
use crate::scenario::{Fault, Rules, Scenario, Timed};

/// A world in which agreement is not expected need not wait long for it.
const CALM: Duration = Duration::from_secs(60);

/// Chance of its own, so that the other worlds of the swarm stay what they are.
pub(super) fn draw(rng: &mut Rng, scenario: &mut Scenario) {
    let memberlist = rng.chance(Chance::of(0.1));
    let alone = rng.chance(Chance::of(0.15));
    let gone = rng.chance(Chance::of(0.1)).then(|| rng.within(1, 4));
    if let Some(most) = gone {
        set(scenario, "max_gone", most);
    }
    let tombstones = rng.chance(Chance::of(0.1)).then(|| rng.below(4));
    if let Some(most) = tombstones {
        set(scenario, "max_tombstones", most);
    }
    if let (Some(gone), Some(tombstones)) = (gone, tombstones) {
        // Those whom nobody can remember to be gone are brought back by old news, over and over.
        scenario.expect.agreement &= gone + tombstones >= scenario.nodes.into();
    }
    if rng.chance(Chance::of(0.05)) {
        let nodes = u64::from(scenario.nodes);
        let most = rng.within(2, nodes + 1);
        set(scenario, "max_members", most);
        // Whoever does not fit in is not seen.
        scenario.expect.agreement &= most >= nodes;
    }
    if rng.chance(Chance::of(0.15)) {
        for _ in 0..rng.within(1, 4) {
            scenario.faults.push(other_seeds(rng, scenario));
        }
    }
    if memberlist {
        scenario.rules = Rules::Memberlist;
        if rng.chance(Chance::of(0.3)) {
            scenario.faults.retain(|timed| is_work(&timed.fault));
        }
        // Two that hold each other for dead do not talk, and forget each other.
        scenario.expect.agreement &= scenario.faults.iter().all(|timed| is_work(&timed.fault));
    } else if alone {
        scenario.rejoin = false;
        scenario.faults.push(first_is_up(scenario));
    }
    scenario.faults.sort_by_key(|timed| timed.at);
    if !scenario.expect.agreement {
        scenario.calm = Some(CALM);
    }
}

/// Whether it is something that nodes are asked to do, of which nobody should die.
fn is_work(fault: &Fault) -> bool {
    match fault {
        Fault::Join { .. } | Fault::Seeds { .. } | Fault::Meta { .. } | Fault::Send { .. } => true,
        Fault::Start { .. }
        | Fault::Crash { .. }
        | Fault::Leave { .. }
        | Fault::RollingRestart { .. }
        | Fault::Churn { .. }
        | Fault::Pause { .. }
        | Fault::Block { .. }
        | Fault::Slow { .. }
        | Fault::Drift { .. }
        | Fault::Leap { .. }
        | Fault::WallClock { .. }
        | Fault::Partition { .. }
        | Fault::Link { .. }
        | Fault::Forge { .. }
        | Fault::Hostile { .. } => false,
    }
}

fn set(scenario: &mut Scenario, name: &str, value: u64) {
    scenario.config.0.insert(name.to_owned(), value.into());
}

/// The first node is always among them: where nobody joins again, it is by whom all find each other.
fn other_seeds(rng: &mut Rng, scenario: &Scenario) -> Timed {
    let nodes = scenario.nodes;
    let at = Duration::from_millis(rng.below(scenario.duration.as_secs() * 1000));
    let mut seeds: Vec<u32> = (1..nodes).collect();
    rng.shuffle(&mut seeds);
    seeds.truncate(rng.index(4));
    seeds.push(0);
    let fault = Fault::Seeds { nodes: super::some(rng, nodes), seeds: list(&seeds) };
    Timed { at, lasts: None, again: None, fault }
}

/// When the faults end the first node runs, which is a seed of everybody: without any seed, whoever
/// has left and begins anew finds nobody.
fn first_is_up(scenario: &Scenario) -> Timed {
    let fault = Fault::Start { nodes: Nodes::one(0), with: None };
    Timed { at: scenario.duration, lasts: None, again: None, fault }
}
