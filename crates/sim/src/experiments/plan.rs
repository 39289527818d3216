//! Which settings a group needs, so that crashes are known in time: found by trying them out.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use mingle_proto::{Config, Instant};
use serde::Serialize;

use super::text::{aligned, row};
use super::{Ledger, converged, quantile, to_f64};
use crate::network::{Carrier, Latency};
use crate::repeat::{Progress, side_by_side};
use crate::rng::Rng;
use crate::scenario::{Disturbance, Everywhere, Standing};
use crate::watch::Stop;
use crate::world::World;

/// What somebody wants to know.
#[derive(Clone, Debug)]
pub struct Question {
    /// How many members there are.
    pub nodes: u32,
    /// Which share of packets is lost, each way.
    pub loss: f64,
    /// How long a packet is under way there and back.
    pub rtt: Duration,
    /// Within what time all members must know of 99 in 100 crashes.
    pub detect: Duration,
    /// So many crashes decide, at the least.
    pub crashes: u32,
    /// How many worlds run at a time.
    pub at_a_time: usize,
    /// Where chance comes from.
    pub seed: u64,
}

/// What a plan sets; everything else is as in the profile for a LAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// As in [`Config`].
    #[serde(with = "crate::units::duration")]
    pub probe_interval: Duration,
    /// As in [`Config`].
    #[serde(with = "crate::units::duration")]
    pub probe_timeout: Duration,
    /// As in [`Config`].
    #[serde(with = "crate::units::duration")]
    pub gossip_interval: Duration,
}

/// What came of some settings. Times are in seconds.
#[derive(Clone, Debug, Serialize)]
pub struct Trial {
    /// Which ones.
    pub settings: Settings,
    /// From a crash until somebody declared the member dead: the median, and 99 % of all.
    pub first: Option<(f64, f64)>,
    /// Until everybody had.
    pub all: Option<(f64, f64)>,
    /// The shortest time after which anybody declared one dead: who stops for less has not been.
    pub shortest: Option<f64>,
    /// How many crashes there were.
    pub crashes: u64,
    /// How many of them not everybody knew when the world ended.
    pub unknown: u64,
    /// Packets that each member sends in a second while nothing happens.
    pub packets: f64,
    /// Bytes that each sends in a second meanwhile, with the headers of UDP and IPv4 of packets.
    pub bytes: f64,
    /// How often somebody declared a member dead that was not.
    pub false_failures: u64,
    /// How often somebody suspected one that was not.
    pub false_suspicions: u64,
    /// How many hours all members together have lived in it.
    pub node_hours: f64,
}

/// What is proposed, and what was tried for it.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Everything that was tried, from the slowest to the quickest.
    pub trials: Vec<Trial>,
    /// The place of what is proposed: the slowest that is quick enough. `None` when nothing is.
    pub proposed: Option<usize>,
}

/// The pauses between probes that are tried.
const LADDER: [u64; 20] = [
    8000, 6400, 5000, 4000, 3200, 2500, 2000, 1600, 1250, 1000, 800, 640, 500, 400, 320, 250, 200,
    160, 125, 100,
];
/// The place of the profile for a LAN.
const LAN: usize = 9;

/// Probes of each member before anything is counted: who agrees with whom is known by then.
const SETTLE: u32 = 12;
/// While nothing happens.
const REST: Duration = Duration::from_secs(10);
/// How often it is looked whether all know.
const LOOK: Duration = Duration::from_millis(200);
/// How many of the members crash at once, and how many at most.
const CRASHING: u32 = 20;
const MOST_CRASHES: u32 = 25;
/// UDP's header and IPv4's.
const HEADERS: f64 = 28.0;

impl Settings {
    /// Those at a place of the ladder. A ping waits for half an interval at most, and for three round trips at the least.
    fn at(place: usize, rtt: Duration) -> Self {
        let lan = Config::lan();
        let probe_interval = Duration::from_millis(LADDER[place]);
        let probe_timeout = lan.probe_timeout.min(probe_interval / 2).max(3 * rtt);
        let gossip_interval =
            (probe_interval / 5).clamp(Duration::from_millis(50), lan.gossip_interval);
        Self { probe_interval, probe_timeout, gossip_interval }
    }

    /// Whether probes with helpers fit into the interval.
    fn is_possible(&self) -> bool {
        self.probe_timeout * 2 <= self.probe_interval
    }

    fn config(&self) -> Config {
        let Self { probe_interval, probe_timeout, gossip_interval } = *self;
        Config { probe_interval, probe_timeout, gossip_interval, ..Config::lan() }
    }
}

impl Question {
    /// How many worlds each trial takes.
    #[must_use]
    pub fn worlds(&self) -> u32 {
        self.crashes.div_ceil(self.crashes_at_once())
    }

    fn crashes_at_once(&self) -> u32 {
        (self.nodes / CRASHING).clamp(1, MOST_CRASHES)
    }

    /// Tries settings until the slowest is found that is quick enough, and one that is not. `None` when `progress` was
    /// stopped.
    #[must_use]
    pub fn answer(&self, progress: &Progress) -> Option<Plan> {
        let last = (0..LADDER.len()).rev().find(|&place| self.settings(place).is_possible())?;
        let mut trials = BTreeMap::new();
        let mut next = Some(LAN.min(last));
        while let Some(place) = next {
            trials.insert(place, self.trial(place, progress)?);
            next = self.next(&trials).filter(|next| *next <= last && !trials.contains_key(next));
        }
        let places: Vec<usize> = trials.keys().copied().collect();
        let trials: Vec<Trial> = trials.into_values().collect();
        let quick = places.iter().zip(&trials).position(|(_, trial)| self.is_met(trial));
        Some(Plan { trials, proposed: quick })
    }

    /// What to try after these.
    fn next(&self, trials: &BTreeMap<usize, Trial>) -> Option<usize> {
        let (&quickest, trial) = trials.last_key_value()?;
        if trials.len() == 1 {
            return Some(self.guess(trial))
                .filter(|&guess| guess != quickest)
                .or(Some(quickest + 1));
        }
        match trials.iter().find(|(_, trial)| self.is_met(trial)) {
            Some((slowest, _)) => slowest.checked_sub(1),
            None => Some(quickest + 1),
        }
    }

    fn settings(&self, place: usize) -> Settings {
        Settings::at(place, self.rtt)
    }

    /// Everything that decides takes a number of intervals: where the target would be met.
    fn guess(&self, lan: &Trial) -> usize {
        let Some((_, all)) = lan.all else { return LADDER.len() - 1 };
        let target = self.detect.as_secs_f64() / all.max(f64::EPSILON);
        let interval = lan.settings.probe_interval.as_secs_f64() * target;
        let is_quick = |&&millis: &&u64| Duration::from_millis(millis).as_secs_f64() <= interval;
        let quick = LADDER.iter().filter(is_quick).count();
        (LADDER.len() - quick).min(LADDER.len() - 1)
    }

    fn is_met(&self, trial: &Trial) -> bool {
        let limit = self.detect.as_secs_f64();
        trial.unknown * 100 <= trial.crashes && trial.all.is_some_and(|(_, most)| most <= limit)
    }

    fn network(&self) -> Standing {
        let loss = Everywhere {
            carrier: Carrier::Packets,
            disturbance: Disturbance::Loss { share: self.loss },
        };
        Standing {
            latency: Latency::LogNormal { median: self.rtt / 2, sigma: 0.3 },
            disturbances: if self.loss > 0.0 { vec![loss] } else { Vec::new() },
            ..Standing::default()
        }
    }

    fn trial(&self, place: usize, progress: &Progress) -> Option<Trial> {
        let settings = self.settings(place);
        let seeds: Vec<u64> =
            (0..u64::from(self.worlds())).map(|number| self.seed.wrapping_add(number)).collect();
        let live = |&seed: &u64| self.live(&settings, seed, progress);
        let lives = side_by_side(&seeds, self.at_a_time, progress, live);
        if progress.is_stopped() {
            return None;
        }
        let sum = |of: fn(&Life) -> u64| lives.iter().map(of).sum::<u64>();
        let worlds = to_f64(lives.len() as u64).max(1.0);
        let mean = |of: fn(&Life) -> f64| lives.iter().map(of).sum::<f64>() / worlds;
        let times = |of: fn(&Life) -> &Vec<Duration>| -> Option<(f64, f64)> {
            let times: Vec<Vec<Duration>> = lives.iter().map(|life| of(life).clone()).collect();
            Some((quantile(&times, 0.5)?.value, quantile(&times, 0.99)?.value))
        };
        let packets = mean(|life| life.packets);
        Some(Trial {
            settings,
            first: times(|life| &life.first),
            all: times(|life| &life.all),
            shortest: lives.iter().flat_map(|life| &life.first).min().map(Duration::as_secs_f64),
            crashes: sum(|life| life.crashes),
            unknown: sum(|life| life.crashes - life.all.len() as u64),
            packets,
            bytes: mean(|life| life.bytes) + HEADERS * packets,
            false_failures: sum(|life| life.false_failures),
            false_suspicions: sum(|life| life.false_suspicions),
            node_hours: lives.iter().map(|life| life.node_hours).sum(),
        })
    }

    fn live(&self, settings: &Settings, seed: u64, progress: &Progress) -> Option<Life> {
        let mut rng = Rng::new(seed);
        let mut world = converged(&settings.config(), self.nodes, &self.network(), rng.next());
        world.run_until(Instant::ORIGIN + SETTLE * settings.probe_interval);
        let before = world.network.traffic;
        world.run_until(world.now + REST);
        let after = world.network.traffic;
        let node_seconds = f64::from(self.nodes) * REST.as_secs_f64();
        let bytes =
            (after.packet_bytes + after.stream_bytes) - (before.packet_bytes + before.stream_bytes);
        // Not all in the same phase of their probes.
        let moment = rng.time_within(Duration::ZERO, settings.probe_interval);
        world.run_until(world.now + moment);
        let mut hosts: Vec<u32> = world.all().collect();
        rng.shuffle(&mut hosts);
        let crashed = &hosts[..self.crashes_at_once() as usize];
        let begin = world.now;
        crashed.iter().for_each(|&host| world.stop(host, Stop::MachineCrashed));
        let others = hosts.len() - crashed.len();
        let give_up = (4 * self.detect).max(60 * settings.probe_interval);
        while world.now.since(begin) < give_up && !progress.is_stopped() {
            world.run_until(world.now + LOOK);
            if known(&world, crashed).values().all(|verdicts| verdicts.len() >= others) {
                break;
            }
        }
        let known = known(&world, crashed);
        let first = known.values().filter_map(|at| at.first().map(|at| at.since(begin)));
        let complete = known.values().filter(|at| at.len() >= others);
        let all = complete.filter_map(|at| at.last().map(|at| at.since(begin)));
        let ledger = world.watch.ledger.as_ref()?;
        let of_others = |list: &[super::Verdict]| {
            list.iter().filter(|verdict| !crashed.contains(&verdict.subject)).count() as u64
        };
        let life = Life {
            first: first.collect(),
            all: all.collect(),
            crashes: crashed.len() as u64,
            packets: to_f64(after.packets - before.packets) / node_seconds,
            bytes: to_f64(bytes) / node_seconds,
            false_failures: of_others(&ledger.verdicts),
            false_suspicions: of_others(&ledger.accusations),
            node_hours: world.now.since(Instant::ORIGIN).as_secs_f64() * f64::from(self.nodes)
                / 3600.0,
        };
        (!progress.is_stopped()).then_some(life)
    }
}

/// What came of one world.
struct Life {
    first: Vec<Duration>,
    all: Vec<Duration>,
    crashes: u64,
    packets: f64,
    bytes: f64,
    false_failures: u64,
    false_suspicions: u64,
    node_hours: f64,
}

/// When each of these was declared dead, by those who have.
fn known(world: &World, crashed: &[u32]) -> BTreeMap<u32, Vec<Instant>> {
    let mut known: BTreeMap<u32, Vec<Instant>> =
        crashed.iter().map(|&host| (host, Vec::new())).collect();
    let verdicts = world.watch.ledger.iter().flat_map(|Ledger { verdicts, .. }| verdicts);
    for verdict in verdicts.filter(|verdict| !crashed.contains(&verdict.observer)) {
        if let Some(times) = known.get_mut(&verdict.subject) {
            times.push(verdict.at);
        }
    }
    known
}

/// The plan, for people.
#[must_use]
pub fn tables(question: &Question, plan: &Plan) -> String {
    let Question { nodes, loss, rtt, detect, .. } = question;
    let mut text = format!(
        "{nodes} members, {} % of packets lost, round trips of {rtt:?}; all are to know 99 of 100 crashes within {detect:?}\n\n",
        loss * 100.0
    );
    let mut lines = vec![row(&[
        "probe interval",
        "first knows, s",
        "99 %",
        "all know, s",
        "99 %",
        "packets/s",
        "bytes/s",
        "false deaths",
        "suspected in vain",
    ])];
    for (place, trial) in plan.trials.iter().enumerate() {
        let mark = if plan.proposed == Some(place) { " <-" } else { "" };
        let mut cells = vec![format!("{:?}{mark}", trial.settings.probe_interval)];
        for times in [trial.first, trial.all] {
            let shown = |time: f64| format!("{time:.2}");
            let (median, most) = times.unzip();
            cells.extend([median, most].map(|time| time.map_or("never".to_owned(), shown)));
        }
        cells.push(format!("{:.1}", trial.packets));
        cells.push(format!("{:.0}", trial.bytes));
        cells.push(format!("{} in {:.0} node-hours", trial.false_failures, trial.node_hours));
        cells.push(trial.false_suspicions.to_string());
        lines.push(cells);
    }
    text += &aligned(&lines);
    text += "\nEach member sends so much while nothing happens, with the headers of packets. Simulated, with the rules of mingle.\n\n";
    match plan.proposed.and_then(|place| plan.trials.get(place)) {
        Some(trial) => propose(trial, &mut text),
        None => {
            let best = plan.trials.iter().filter_map(|trial| trial.all).map(|(_, most)| most);
            let best = best.min_by(f64::total_cmp);
            let best = best.map_or("never".to_owned(), |time| format!("{time:.2} s"));
            let _ = writeln!(
                text,
                "Nothing that was tried is quick enough: {best} is the best. Allow more time with --detect, or split the group."
            );
        }
    }
    text
}

fn propose(trial: &Trial, text: &mut String) {
    let Settings { probe_interval, probe_timeout, gossip_interval } = trial.settings;
    let _ = writeln!(text, "Proposed, for the settings of each agent:\n");
    for (name, value) in [
        ("probe_interval", probe_interval),
        ("probe_timeout", probe_timeout),
        ("gossip_interval", gossip_interval),
    ] {
        let _ = writeln!(text, "{name} = \"{}ms\"", value.as_millis());
    }
    let bound = 3.0 / trial.node_hours.max(f64::EPSILON);
    let _ = writeln!(
        text,
        "\nIt sends {:.1} kB/s in all from each member. A member that stops for less than {:.1} s was not declared dead in {} crashes.",
        trial.bytes / 1000.0,
        trial.shortest.unwrap_or_default(),
        trial.crashes
    );
    if trial.false_failures == 0 {
        let _ = writeln!(
            text,
            "No member was declared dead that was up, in {:.0} node-hours: with 95 % confidence that is below one in {:.0} node-hours. More --crashes bring the bound down.",
            trial.node_hours,
            1.0 / bound
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(detect: Duration) -> Question {
        Question {
            nodes: 20,
            loss: 0.01,
            rtt: Duration::from_millis(1),
            detect,
            crashes: 40,
            at_a_time: 2,
            seed: 1,
        }
    }

    #[test]
    fn the_slowest_that_is_quick_enough_is_proposed() {
        for detect in [Duration::from_secs(3), Duration::from_secs(30)] {
            let question = question(detect);
            let plan = question.answer(&Progress::default()).unwrap();
            let proposed = plan.proposed.unwrap();
            for (place, trial) in plan.trials.iter().enumerate() {
                assert_eq!(question.is_met(trial), place >= proposed, "{detect:?} {plan:?}");
            }
            assert!(proposed > 0, "one that is too slow stands before it: {plan:?}");
            let text = tables(&question, &plan);
            assert!(text.contains("probe_interval = \"") && text.contains(" <-"), "{text}");
        }
    }

    #[test]
    fn what_can_not_be_had_is_said() {
        let question = question(Duration::from_millis(200));
        let plan = question.answer(&Progress::default()).unwrap();
        assert_eq!(plan.proposed, None);
        assert!(tables(&question, &plan).contains("Nothing that was tried is quick enough"));
    }

    #[test]
    fn a_ping_never_waits_for_less_than_three_round_trips() {
        let rtt = Duration::from_millis(80);
        for place in 0..LADDER.len() {
            let settings = Settings::at(place, rtt);
            assert!(settings.probe_timeout >= 3 * rtt);
            assert!(!settings.is_possible() || settings.config().check().is_ok());
        }
    }
}
