//! What a group costs and how fast news goes through it, from a hundred members to ten thousand.

use std::time::Duration;

use mingle_proto::{ConfigError, Instant};
use mingle_wire::Incarnation;
use serde::Serialize;

use super::lifeguard::System;
use super::page::{Chart, Line, Page, Scale};
use super::text::{aligned, row};
use super::{converged, mean_with_interval, to_f64};
use crate::network::Traffic;
use crate::repeat::{Progress, side_by_side};
use crate::rng::Rng;
use crate::scenario::Standing;
use crate::watch::Stop;
use crate::world::{Launch, World};

/// What is run.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// By whose rules.
    pub systems: Vec<System>,
    /// How many members there are.
    pub nodes: Vec<u32>,
    /// How many of them crash, one after another, in each world.
    pub crashes: u32,
    /// Worlds of each size.
    pub repetitions: u32,
    /// How many worlds run at a time; one of 10,000 takes 5 GiB.
    pub at_a_time: usize,
    /// Where chance comes from; the next worlds have the next seeds.
    pub seed: u64,
}

impl Default for Experiment {
    fn default() -> Self {
        Self {
            systems: vec![System::Memberlist, System::Mingle],
            nodes: vec![100, 300, 1000, 3000, 10_000],
            crashes: 5,
            repetitions: 3,
            at_a_time: crate::cores(),
            seed: 1,
        }
    }
}

/// What came of one size by one set of rules.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// By whose rules.
    pub system: String,
    /// How many members.
    pub nodes: u32,
    /// What came of each world.
    pub worlds: Vec<Life>,
}

/// What came of one world. Times are in seconds; bytes are of packets and streams without headers.
#[derive(Clone, Debug, Serialize)]
pub struct Life {
    /// Packets that each member sends in a second while nothing happens.
    pub packets: f64,
    /// Bytes that each sends in a second meanwhile.
    pub bytes: f64,
    /// From the start of one more member until it sees all others; none if that took more than two minutes.
    pub joined: Option<f64>,
    /// Until all others see it.
    pub announced: Option<f64>,
    /// Bytes that the join took in all, for each member, beyond what they send anyway.
    pub join_bytes: f64,
    /// For each crash, until somebody declared it dead.
    pub detected: Vec<f64>,
    /// From then until everybody had.
    pub spread: Vec<f64>,
    /// Bytes that a crash took in all, for each member, beyond what they send anyway.
    pub crash_bytes: f64,
    /// How often a member was told of one that came or went, for each of those.
    pub changes: f64,
    /// How often somebody was declared dead that was not.
    pub false_failures: u64,
    /// How many hours all members together have lived in it.
    pub node_hours: f64,
}

/// Where what has not happened does not happen any more.
const GIVE_UP: Duration = Duration::from_secs(120);
/// Before anything is counted: what it is to know each other from the start wears off.
const SETTLE: Duration = Duration::from_secs(10);
/// While nothing happens.
const REST: Duration = Duration::from_secs(30);
/// How often it is looked whether something is done.
const LOOK: Duration = Duration::from_millis(10);

impl Experiment {
    /// How many worlds it takes.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.systems.len() * self.nodes.len() * self.repetitions as usize
    }

    /// Runs all of it. What `progress` stops is left out.
    ///
    /// # Errors
    ///
    /// A configuration that no node can run with.
    pub fn run(&self, progress: &Progress) -> Result<Vec<Row>, ConfigError> {
        for system in &self.systems {
            system.config().check()?;
        }
        let seeds: Vec<u64> =
            (0..u64::from(self.repetitions)).map(|number| self.seed.wrapping_add(number)).collect();
        let mut rows = Vec::new();
        for &nodes in &self.nodes {
            for &system in &self.systems {
                let live = |&seed: &u64| self.live(system, nodes, seed, progress);
                let worlds = side_by_side(&seeds, self.at_a_time, progress, live);
                rows.push(Row { system: system.to_string(), nodes, worlds });
            }
        }
        Ok(rows)
    }

    fn live(&self, system: System, nodes: u32, seed: u64, progress: &Progress) -> Option<Life> {
        let mut rng = Rng::new(seed);
        let mut world = converged(&system.config(), nodes, &Standing::default(), rng.next());
        world.run_until(Instant::ORIGIN + SETTLE);
        let idle = Rate::of(&mut world, REST);
        let join = join(&mut world, idle)?;
        let (mut detected, mut spread, mut crash_bytes) = (Vec::new(), Vec::new(), Vec::new());
        let mut crashed = Vec::new();
        while crashed.len() < self.crashes as usize && !progress.is_stopped() {
            let host = u32::try_from(rng.index(nodes as usize)).ok()?;
            if crashed.contains(&host) {
                continue;
            }
            crashed.push(host);
            let crash = crash(&mut world, host, idle);
            detected.extend(crash.detected);
            spread.extend(crash.spread);
            crash_bytes.push(crash.bytes);
        }
        let ledger = world.watch.ledger.as_ref()?;
        let failures = ledger.verdicts.iter().filter(|verdict| !crashed.contains(&verdict.subject));
        let changes = to_f64(ledger.changes.iter().sum());
        let outcome = Life {
            packets: idle.packets,
            bytes: idle.bytes,
            joined: join.joined,
            announced: join.announced,
            join_bytes: join.bytes,
            detected,
            spread,
            crash_bytes: mean_with_interval(&crash_bytes).value,
            // The newcomer hears of everybody, which is no change to the others.
            changes: (changes - f64::from(nodes)) / f64::from(nodes) / f64::from(1 + self.crashes),
            false_failures: failures.count() as u64,
            node_hours: world.now.since(Instant::ORIGIN).as_secs_f64() * f64::from(nodes) / 3600.0,
        };
        (!progress.is_stopped()).then_some(outcome)
    }
}

/// What each member sends in a second.
#[derive(Clone, Copy)]
struct Rate {
    packets: f64,
    bytes: f64,
}

impl Rate {
    fn of(world: &mut World, time: Duration) -> Self {
        let before = world.network.traffic;
        world.run_until(world.now + time);
        let node_seconds = to_f64(world.hosts.len() as u64) * time.as_secs_f64();
        let after = world.network.traffic;
        let packets = to_f64(after.packets - before.packets) / node_seconds;
        Self { packets, bytes: to_f64(bytes(after) - bytes(before)) / node_seconds }
    }
}

fn bytes(traffic: Traffic) -> u64 {
    traffic.packet_bytes + traffic.stream_bytes
}

/// What something has cost each member since it began, beyond what it sends anyway.
fn beyond(world: &World, before: u64, since: Instant, idle: Rate) -> f64 {
    let each = to_f64(bytes(world.network.traffic) - before) / to_f64(world.hosts.len() as u64);
    each - idle.bytes * world.now.since(since).as_secs_f64()
}

struct Join {
    joined: Option<f64>,
    announced: Option<f64>,
    bytes: f64,
}

/// One more member starts, and knows three of the others.
fn join(world: &mut World, idle: Rate) -> Option<Join> {
    let others = world.hosts.len();
    let newcomer = u32::try_from(others).ok()?;
    world.add_hosts(1);
    world.watch.ledger.as_mut()?.newcomer = Some(newcomer);
    let (begin, before) = (world.now, bytes(world.network.traffic));
    let launch = Launch {
        incarnation: Incarnation::FIRST,
        elsewhere: false,
        seeds: (0..3.min(newcomer)).collect(),
    };
    world.start(newcomer, launch).ok()?;
    let mut joined = None;
    let announced = loop {
        world.run_until(world.now + LOOK);
        let passed = world.now.since(begin);
        let sees = world.host(newcomer).node.as_ref().map_or(0, |node| node.live_count());
        if joined.is_none() && sees == others + 1 {
            joined = Some(passed.as_secs_f64());
        }
        let arrivals = &world.watch.ledger.as_ref()?.arrivals;
        if joined.is_some() && arrivals.len() >= others {
            break arrivals.last().map(|last| last.since(begin).as_secs_f64());
        }
        if passed >= GIVE_UP {
            break None;
        }
    };
    world.run_until(world.now + SETTLE);
    Some(Join { joined, announced, bytes: beyond(world, before, begin, idle) })
}

struct Crash {
    detected: Option<f64>,
    spread: Option<f64>,
    bytes: f64,
}

/// A machine is gone.
fn crash(world: &mut World, host: u32, idle: Rate) -> Crash {
    let (begin, before) = (world.now, bytes(world.network.traffic));
    world.stop(host, Stop::MachineCrashed);
    let others = world.hosts.iter().filter(|host| host.node.is_some()).count();
    let verdicts = |world: &World| -> Vec<Instant> {
        let ledger = world.watch.ledger.as_ref();
        let all = ledger.into_iter().flat_map(|ledger| &ledger.verdicts);
        all.filter(|verdict| verdict.subject == host).map(|verdict| verdict.at).collect()
    };
    let found = loop {
        world.run_until(world.now + 10 * LOOK);
        let found = verdicts(world);
        if found.len() >= others || world.now.since(begin) >= GIVE_UP {
            break found;
        }
    };
    world.run_until(world.now + SETTLE);
    let first = found.first();
    let last = found.last().filter(|_| found.len() >= others);
    Crash {
        detected: first.map(|first| first.since(begin).as_secs_f64()),
        spread: first.zip(last).map(|(first, last)| last.since(*first).as_secs_f64()),
        bytes: beyond(world, before, begin, idle),
    }
}

/// What is told of each size: its name, its unit, and how it is worked out.
struct Measure {
    name: &'static str,
    unit: &'static str,
    says: &'static str,
    of: fn(&Life) -> Vec<f64>,
}

const MEASURES: [Measure; 9] = [
    Measure {
        name: "first detection",
        unit: "s",
        says: "From a crash until somebody declares the member dead, the mean of all crashes.",
        of: |life| life.detected.clone(),
    },
    Measure {
        name: "dissemination",
        unit: "s",
        says: "From the first declaration until everybody has it, the mean of all crashes.",
        of: |life| life.spread.clone(),
    },
    Measure {
        name: "join",
        unit: "s",
        says: "From the start of one more member until it sees all others.",
        of: |life| life.joined.into_iter().collect(),
    },
    Measure {
        name: "all see it",
        unit: "s",
        says: "From the start of one more member until all others see it.",
        of: |life| life.announced.into_iter().collect(),
    },
    Measure {
        name: "packets at rest",
        unit: "/s",
        says: "What each member sends while nothing happens.",
        of: |life| vec![life.packets],
    },
    Measure {
        name: "bytes at rest",
        unit: "B/s",
        says: "What each member sends while nothing happens, in packets and on streams, without headers.",
        of: |life| vec![life.bytes],
    },
    Measure {
        name: "bytes of a join",
        unit: "B",
        says: "What one more member costs each of the others to send, beyond what they send anyway.",
        of: |life| vec![life.join_bytes],
    },
    Measure {
        name: "bytes of a crash",
        unit: "B",
        says: "What a crash costs each of the others to send, beyond what they send anyway.",
        of: |life| vec![life.crash_bytes],
    },
    Measure {
        name: "view events",
        unit: "",
        says: "How often each member is told of one that comes or goes, for each that does; 1 is best.",
        of: |life| vec![life.changes],
    },
];

impl Measure {
    fn mean(&self, row: &Row) -> Option<f64> {
        let values: Vec<f64> = row.worlds.iter().flat_map(self.of).collect();
        (!values.is_empty()).then(|| mean_with_interval(&values).value)
    }
}

/// What came of it, for people.
#[must_use]
pub fn tables(experiment: &Experiment, rows: &[Row]) -> String {
    let Experiment { crashes, repetitions, .. } = experiment;
    let mut text = format!(
        "means of {repetitions} worlds of each size with {crashes} crashes in each; bytes are those that each member sends, without headers\n\n"
    );
    let heads = MEASURES.iter().map(|measure| match measure.unit {
        "" => measure.name.to_owned(),
        unit => format!("{}, {unit}", measure.name),
    });
    let mut lines = vec![row(&["members, by whose rules"])];
    lines[0].extend(heads);
    lines[0].push("false failures".to_owned());
    for found in rows {
        let mut cells = vec![format!("{} {}", found.nodes, found.system)];
        cells.extend(MEASURES.iter().map(|measure| match measure.mean(found) {
            None => "never".to_owned(),
            Some(value) if value.abs() < 100.0 => format!("{value:.2}"),
            Some(value) => format!("{value:.0}"),
        }));
        let failures: u64 = found.worlds.iter().map(|life| life.false_failures).sum();
        let hours: f64 = found.worlds.iter().map(|life| life.node_hours).sum();
        cells.push(format!("{failures} in {hours:.0} h"));
        lines.push(cells);
    }
    text += &aligned(&lines);
    text
}

/// Tables and charts as one HTML file; `command` makes it again.
#[must_use]
pub fn page(experiment: &Experiment, rows: &[Row], command: &str) -> String {
    let mut page = Page::made_by("How it goes with the size of the group", command);
    page.lay_out(&tables(experiment, rows));
    for measure in &MEASURES {
        let line = |(colour, system): (usize, &System)| {
            let name = system.to_string();
            let of = rows.iter().filter(|row| row.system == name);
            let points = of.filter_map(|row| Some((f64::from(row.nodes), measure.mean(row)?)));
            Line { points: points.collect(), name, is_dashed: false, colour }
        };
        page.draw(&Chart {
            title: measure.name,
            says: measure.says,
            x: "members",
            y: measure.unit,
            x_scale: Scale::Logarithmic,
            y_scale: Scale::FromZero,
            lines: experiment.systems.iter().enumerate().map(line).collect(),
        });
    }
    page.html()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_size_tells_what_it_costs() {
        let experiment =
            Experiment { nodes: vec![20, 60], crashes: 2, repetitions: 1, ..Experiment::default() };
        let rows = experiment.run(&Progress::default()).unwrap();
        assert_eq!(rows.len(), experiment.runs());
        for row in &rows {
            let [life] = &row.worlds[..] else { panic!("one world of each: {row:?}") };
            assert!((life.packets - 2.0).abs() < 0.5, "a ping and an ack each second: {life:?}");
            assert!(life.joined.unwrap() < 1.0 && life.announced.unwrap() < 5.0, "{life:?}");
            assert!(life.detected.iter().all(|time| (1.0..20.0).contains(time)), "{life:?}");
            assert_eq!((life.detected.len(), life.spread.len()), (2, 2), "{life:?}");
            assert!(life.join_bytes > 0.0 && life.crash_bytes > 0.0, "{life:?}");
            assert_eq!(life.false_failures, 0, "{life:?}");
            assert!((0.9..1.1).contains(&life.changes), "each change is told once: {life:?}");
        }
        let text = tables(&experiment, &rows);
        assert!(text.contains("60 mingle") && text.contains("0 in "), "{text}");
        assert_eq!(page(&experiment, &rows, "again").matches("<figure>").count(), MEASURES.len());
    }
}
