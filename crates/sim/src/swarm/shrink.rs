//! From a world that went wrong to a small one that goes wrong in the same way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Trouble;
use crate::nodes::Nodes;
use crate::scenario::{Fault, Overrides, Scenario, Start};

/// What was left of a scenario.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// It, with the seed that it goes wrong with.
    pub scenario: Scenario,
    /// How it goes wrong.
    pub trouble: Trouble,
    /// How many worlds were tried.
    pub tried: u32,
}

/// Makes `scenario` smaller, as long as it goes wrong by the same checker with its seed: fewer nodes,
/// fewer faults, shorter. Ends after `most` worlds, or when `stop` is raised.
#[must_use]
pub fn shrink(scenario: &Scenario, trouble: &Trouble, most: u32, stop: &AtomicBool) -> Shrunk {
    let mut best = Shrunk { scenario: scenario.clone(), trouble: trouble.clone(), tried: 0 };
    loop {
        let before = best.scenario.clone();
        for smaller in smaller(&before) {
            if best.tried >= most || stop.load(Ordering::Relaxed) {
                return best;
            }
            best.tried += 1;
            try_one(&mut best, &smaller);
            if best.scenario != before {
                break;
            }
        }
        if best.scenario == before {
            return best;
        }
    }
}

fn try_one(best: &mut Shrunk, scenario: &Scenario) {
    let Ok(outcome) = scenario.run(scenario.seed) else { return };
    let Some(trouble) = Trouble::of(&outcome) else { return };
    if trouble.checker == best.trouble.checker {
        best.scenario = scenario.clone();
        best.trouble = trouble;
    }
}

/// Smaller ones, the boldest first.
fn smaller(scenario: &Scenario) -> Vec<Scenario> {
    let mut found = Vec::new();
    let mut with = |change: &dyn Fn(&mut Scenario)| {
        let mut smaller = scenario.clone();
        change(&mut smaller);
        if smaller != *scenario && smaller.check().is_ok() {
            found.push(smaller);
        }
    };
    for nodes in [2, scenario.nodes / 4, scenario.nodes / 2, scenario.nodes * 3 / 4] {
        with(&|smaller| cut_nodes(smaller, nodes));
    }
    // What happens last, as the faults end, may be what agreement depends on.
    let faults = scenario.faults.iter().take_while(|timed| timed.at < scenario.duration).count();
    let half = faults / 2;
    with(&|smaller| drop(smaller.faults.drain(half..faults)));
    with(&|smaller| drop(smaller.faults.drain(..half)));
    for fault in 0..faults {
        with(&|smaller| drop(smaller.faults.remove(fault)));
    }
    with(&|smaller| smaller.nodes_less_one());
    with(&|smaller| smaller.network.disturbances.clear());
    with(&|smaller| smaller.config = Overrides::default());
    for name in scenario.config.0.keys() {
        with(&|smaller| drop(smaller.config.0.remove(name)));
    }
    with(&|smaller| smaller.network = crate::scenario::Standing::default());
    with(&|smaller| smaller.start = Start::Converged);
    with(&|smaller| shorten(smaller, 2));
    with(&|smaller| set_duration(smaller, smaller.duration * 9 / 10));
    for fault in 0..faults {
        with(&|smaller| smaller.faults[fault].lasts = None);
        with(&|smaller| {
            let lasts = &mut smaller.faults[fault].lasts;
            *lasts = lasts.map(|lasts| round(lasts / 2));
        });
        with(&|smaller| smaller.faults[fault].at = round(smaller.faults[fault].at));
        with(&|smaller| fewer(&mut smaller.faults[fault].fault));
    }
    found
}

impl Scenario {
    fn nodes_less_one(&mut self) {
        cut_nodes(self, self.nodes.saturating_sub(1));
    }
}

/// Leaves so many nodes; what concerned others concerns nobody.
fn cut_nodes(scenario: &mut Scenario, nodes: u32) {
    if nodes < 2 || nodes >= scenario.nodes {
        return;
    }
    scenario.nodes = nodes;
    scenario.faults.retain_mut(|timed| {
        let mut all_are_left = true;
        timed.fault.each_nodes(&mut |_, which| {
            all_are_left &= which.cut(nodes);
        });
        all_are_left
    });
}

/// Everything in a fraction of the time.
fn shorten(scenario: &mut Scenario, by: u32) {
    let end = scenario.duration;
    for timed in scenario.faults.iter_mut().filter(|timed| timed.at < end) {
        timed.at = round(timed.at / by);
        timed.lasts = timed.lasts.map(|lasts| round(lasts / by));
    }
    set_duration(scenario, round(end / by));
}

/// Another end, with what happens then.
fn set_duration(scenario: &mut Scenario, duration: Duration) {
    for timed in scenario.faults.iter_mut().filter(|timed| timed.at == scenario.duration) {
        timed.at = duration;
    }
    scenario.duration = duration;
}

/// To the next lower half second, where that is not none at all.
fn round(time: Duration) -> Duration {
    const HALF: u128 = 500;
    let millis = time.as_millis();
    let rounded = if millis > HALF { millis / HALF * HALF } else { millis };
    Duration::from_millis(u64::try_from(rounded).unwrap_or(u64::MAX))
}

fn fewer(fault: &mut Fault) {
    fault.each_nodes(&mut |_, nodes| {
        if let Nodes::Ranges(ranges) = nodes {
            let half = ranges.len().div_ceil(2);
            ranges.truncate(half);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Timed;

    #[test]
    fn what_goes_wrong_for_one_fault_is_shrunk_to_that_fault() {
        // A node that nobody hears never agrees: here that is what goes wrong.
        let mut scenario = crate::swarm::draw(7);
        scenario.nodes = 12;
        scenario.start = Start::Down;
        scenario.rejoin = false;
        scenario.faults = (0..6)
            .map(|i| {
                let fault =
                    Fault::Start { nodes: Nodes::one(2 * i), with: Some(Nodes::one(2 * i + 1)) };
                Timed { at: Duration::from_secs(u64::from(i) + 1), lasts: None, again: None, fault }
            })
            .collect();
        scenario.calm = Some(Duration::from_secs(5));
        let outcome = scenario.run(scenario.seed).unwrap();
        let trouble = Trouble::of(&outcome).expect("nobody has met anybody");
        let shrunk = shrink(&scenario, &trouble, 200, &AtomicBool::new(false));
        assert_eq!(shrunk.trouble.checker, "agreement");
        assert_eq!(shrunk.scenario.faults.len(), 2, "{}", shrunk.scenario.to_toml());
        assert!(shrunk.scenario.nodes <= 4);
    }
}
