//! What "Stable and Consistent Membership at Scale with Rapid" (Suresh, Malkhi, Gopalan, Porto Carreiro and
//! Lokhandwala, 2018, section 7) does to memberlist and others: many processes that start at once, crashes, and
//! nodes whose network works for a part of what they send or receive.

use std::collections::BTreeSet;
use std::time::Duration;

use mingle_proto::{ConfigError, Instant, Node};
use mingle_wire::Incarnation;
use serde::Serialize;

use super::lifeguard::System;
use super::page::{Chart, Line, Page, Scale};
use super::text::{aligned, row, shown};
use super::{Interval, converged, mean_with_interval, to_f64};
use crate::network::{Carrier, Effect, Rule, RuleId, Traffic};
use crate::nodes::NodeSet;
use crate::repeat::{Progress, side_by_side};
use crate::rng::{Chance, Rng};
use crate::scenario::Standing;
use crate::watch::Stop;
use crate::world::{Launch, World};

/// What is run.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// By whose rules.
    pub systems: Vec<System>,
    /// How many processes start, one experiment for each.
    pub bootstrap: Vec<u32>,
    /// Within how long they start, once the seed has run for ten seconds.
    pub within: Duration,
    /// How many nodes know each other when something happens to some of them; none, and nothing does.
    pub nodes: u32,
    /// To how many.
    pub faulty: u32,
    /// For how long.
    pub lasts: Duration,
    /// How often each is run.
    pub repetitions: u32,
    /// Where chance comes from; the next worlds have the next seeds.
    pub seed: u64,
}

/// The paper's sizes and repetitions.
impl Default for Experiment {
    fn default() -> Self {
        Self {
            systems: vec![System::Memberlist, System::Mingle],
            bootstrap: vec![1000, 2000],
            within: Duration::from_secs(1),
            nodes: 1000,
            faulty: 10,
            lasts: Duration::from_secs(810),
            repetitions: 5,
            seed: 1,
        }
    }
}

/// What happens to some of the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// Their machines are gone.
    Crashes,
    /// Four fifths of all that they send are lost.
    Loss,
    /// Nothing reaches them for 20 s, everything for the next 20 s, and so on.
    OneWay,
}

impl Trouble {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Crashes, Self::Loss, Self::OneWay];

    fn words(self) -> &'static str {
        match self {
            Self::Crashes => "crashes",
            Self::Loss => "80 % loss of what they send",
            Self::OneWay => "nothing reaches them, 20 s on and 20 s off",
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// By size and rules.
    pub bootstraps: Vec<Bootstrap>,
    /// By trouble and rules.
    pub troubles: Vec<Troubles>,
}

/// So many processes started at once.
#[derive(Clone, Debug, Serialize)]
pub struct Bootstrap {
    /// By whose rules.
    pub system: String,
    /// How many processes.
    pub nodes: u32,
    /// What came of each world.
    pub worlds: Vec<Birth>,
}

/// One world of a bootstrap.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Birth {
    /// From the first start after the seed's until all see all, in seconds; none when that was not so after ten minutes.
    pub seconds: Option<f64>,
    /// How many sizes of the group processes wrote down, each once a second.
    pub sizes: usize,
    /// Bytes that each process has sent by then, in packets and on streams, without headers.
    pub bytes_per_node: f64,
}

/// Something happened to some nodes.
#[derive(Clone, Debug, Serialize)]
pub struct Troubles {
    /// By whose rules.
    pub system: String,
    /// What happened.
    pub trouble: Trouble,
    /// What came of each world.
    pub worlds: Vec<Course>,
}

/// One world in which something happens to some nodes, as those see it to whom nothing happens.
#[derive(Clone, Debug, Serialize)]
pub struct Course {
    /// From the trouble until somebody declares one of them dead, in seconds.
    pub first: Option<f64>,
    /// Until first all of them are gone for everybody, and nobody else is; looked at once a second.
    pub exact: Option<f64>,
    /// How many of the seconds it was so.
    pub exact_for: u32,
    /// How many of the seconds not all saw groups of one size.
    pub differing_for: u32,
    /// How often somebody declared dead to whom nothing had happened.
    pub benign: u64,
    /// How often each was told of a member that came or went, the mean.
    pub changes: f64,
    /// How many sizes of the group were seen.
    pub sizes: usize,
    /// The smallest size that was seen in each second.
    pub least: Vec<u32>,
    /// The largest.
    pub most: Vec<u32>,
}

/// How long the seed runs alone.
const SEED_ALONE: Duration = Duration::from_secs(10);
/// Where a bootstrap is given up.
const BORN_WITHIN: Duration = Duration::from_secs(600);
/// How often views are looked at: as often as the paper's processes wrote them down.
const LOOK: Duration = Duration::from_secs(1);
/// Before anything happens.
const QUIET: Duration = Duration::from_secs(90);
/// How long a one-way partition is on, and then off.
const FLIP: Duration = Duration::from_secs(20);

impl Experiment {
    /// How many worlds it takes.
    #[must_use]
    pub fn runs(&self) -> usize {
        let troubles = if self.nodes > 0 { Trouble::ALL.len() } else { 0 };
        self.systems.len() * (self.bootstrap.len() + troubles) * self.repetitions as usize
    }

    /// Runs all of it, on all cores. What `progress` stops is left out.
    ///
    /// # Errors
    ///
    /// A configuration that no node can run with.
    pub fn run(&self, progress: &Progress) -> Result<Results, ConfigError> {
        for system in &self.systems {
            system.config().check()?;
        }
        let mut bootstraps = Vec::new();
        for &nodes in &self.bootstrap {
            for &system in &self.systems {
                let born = |seed| self.bear(system, nodes, seed, progress);
                let worlds = self.worlds(progress, born);
                bootstraps.push(Bootstrap { system: system.to_string(), nodes, worlds });
            }
        }
        let mut troubles = Vec::new();
        for trouble in Trouble::ALL.into_iter().filter(|_| self.nodes > 0) {
            for &system in &self.systems {
                let course = |seed| self.trouble(system, trouble, seed, progress);
                let worlds = self.worlds(progress, course);
                troubles.push(Troubles { system: system.to_string(), trouble, worlds });
            }
        }
        Ok(Results { bootstraps, troubles })
    }

    fn worlds<T: Send>(
        &self,
        progress: &Progress,
        world: impl Fn(u64) -> Option<T> + Sync,
    ) -> Vec<T> {
        let seeds: Vec<u64> =
            (0..u64::from(self.repetitions)).map(|number| self.seed.wrapping_add(number)).collect();
        side_by_side(&seeds, crate::cores(), progress, |&seed| world(seed))
    }

    fn bear(&self, system: System, nodes: u32, seed: u64, progress: &Progress) -> Option<Birth> {
        let mut rng = Rng::new(seed);
        let mut world = converged(&system.config(), 1, &Standing::default(), rng.next());
        world.add_hosts(nodes - 1);
        let begin = world.now + SEED_ALONE;
        let mut starts: Vec<(Duration, u32)> =
            (1..nodes).map(|host| (rng.time_within(Duration::ZERO, self.within), host)).collect();
        starts.sort_unstable();
        let mut starts = starts.into_iter().peekable();
        let (mut sizes, mut seconds, mut next) = (BTreeSet::<usize>::new(), None, begin);
        while seconds.is_none() && next < begin + BORN_WITHIN {
            while let Some((after, host)) = starts.next_if(|(after, _)| begin + *after <= next) {
                world.run_until(begin + after);
                let launch =
                    Launch { incarnation: Incarnation::FIRST, elsewhere: false, seeds: vec![0] };
                world.start(host, launch).ok()?;
            }
            world.run_until(next);
            let up = world.hosts.iter().filter_map(|host| host.node.as_ref());
            let seen: Vec<usize> = up.map(Node::live_count).collect();
            sizes.extend(&seen);
            let all = nodes as usize;
            if seen.len() == all && seen.iter().all(|&size| size == all) {
                seconds = Some(next.since(begin).as_secs_f64());
            }
            next = next + LOOK;
            if progress.is_stopped() {
                return None;
            }
        }
        let Traffic { packet_bytes, stream_bytes, .. } = world.network.traffic;
        let bytes_per_node = to_f64(packet_bytes + stream_bytes) / f64::from(nodes);
        Some(Birth { seconds, sizes: sizes.len(), bytes_per_node })
    }

    fn trouble(
        &self,
        system: System,
        trouble: Trouble,
        seed: u64,
        progress: &Progress,
    ) -> Option<Course> {
        let mut rng = Rng::new(seed);
        let mut world = converged(&system.config(), self.nodes, &Standing::default(), rng.next());
        world.run_until(Instant::ORIGIN + QUIET);
        let mut hosts: Vec<u32> = world.all().collect();
        rng.shuffle(&mut hosts);
        let (faulty, healthy) = hosts.split_at(self.faulty as usize);
        let begin = world.now;
        let mut standing = begin_trouble(&mut world, trouble, faulty);
        let mut look = Look::new(healthy, faulty);
        let (end, mut flip) = (begin + self.lasts, begin + FLIP);
        while world.now < end {
            let next = (world.now + LOOK).min(end);
            world.run_until(next);
            look.at(&world, begin);
            if trouble == Trouble::OneWay && world.now >= flip {
                flip = flip + FLIP;
                standing = match standing {
                    Some(rule) => {
                        world.network.remove(rule);
                        None
                    }
                    None => begin_trouble(&mut world, trouble, faulty),
                };
            }
            if progress.is_stopped() {
                return None;
            }
        }
        Some(look.course(&world, begin))
    }
}

/// Gives the rule that stands from now on, if it is one.
fn begin_trouble(world: &mut World, trouble: Trouble, faulty: &[u32]) -> Option<RuleId> {
    let (from, to, effect) = match trouble {
        Trouble::Crashes => {
            for &host in faulty {
                world.stop(host, Stop::MachineCrashed);
            }
            return None;
        }
        Trouble::Loss => (NodeSet::of(faulty), NodeSet::ALL, Effect::Loss(Chance::of(0.8))),
        Trouble::OneWay => (NodeSet::ALL, NodeSet::of(faulty), Effect::Cut),
    };
    Some(world.network.add(Rule { from, to, carrier: Carrier::Both, effect }))
}

/// What those see to whom nothing happens, second after second.
struct Look<'a> {
    healthy: &'a [u32],
    faulty: &'a [u32],
    sizes: BTreeSet<usize>,
    exact: Option<f64>,
    exact_for: u32,
    differing_for: u32,
    least: Vec<u32>,
    most: Vec<u32>,
}

impl<'a> Look<'a> {
    fn new(healthy: &'a [u32], faulty: &'a [u32]) -> Self {
        let (least, most) = (Vec::new(), Vec::new());
        Self {
            healthy,
            faulty,
            sizes: BTreeSet::new(),
            exact: None,
            exact_for: 0,
            differing_for: 0,
            least,
            most,
        }
    }

    fn at(&mut self, world: &World, begin: Instant) {
        let nodes = || self.healthy.iter().filter_map(|&host| world.host(host).node.as_ref());
        let sizes: BTreeSet<usize> = nodes().map(Node::live_count).collect();
        let (Some(&least), Some(&most)) = (sizes.first(), sizes.last()) else { return };
        self.differing_for += u32::from(least != most);
        let names = || self.faulty.iter().map(|&host| &world.host(host).name);
        let is_exact = least == self.healthy.len()
            && most == least
            && nodes().all(|node| {
                names().all(|name| node.member(name).is_none_or(|member| !member.state.is_live()))
            });
        if is_exact {
            self.exact_for += 1;
            self.exact.get_or_insert(world.now.since(begin).as_secs_f64());
        }
        self.least.push(u32::try_from(least).unwrap_or(u32::MAX));
        self.most.push(u32::try_from(most).unwrap_or(u32::MAX));
        self.sizes.extend(sizes);
    }

    fn course(self, world: &World, begin: Instant) -> Course {
        let ledger = world.watch.ledger.as_ref().expect("an experiment keeps a ledger");
        let (healthy, faulty) = (NodeSet::of(self.healthy), NodeSet::of(self.faulty));
        let seen = || {
            ledger
                .verdicts
                .iter()
                .filter(|verdict| healthy.holds(verdict.observer) && verdict.at >= begin)
        };
        let first = seen().find(|verdict| faulty.holds(verdict.subject));
        let changes: u64 =
            self.healthy.iter().filter_map(|&host| ledger.changes.get(host as usize)).sum();
        Course {
            first: first.map(|verdict| verdict.at.since(begin).as_secs_f64()),
            exact: self.exact,
            exact_for: self.exact_for,
            differing_for: self.differing_for,
            benign: seen().filter(|verdict| healthy.holds(verdict.subject)).count() as u64,
            changes: to_f64(changes) / to_f64(self.healthy.len() as u64),
            sizes: self.sizes.len(),
            least: self.least,
            most: self.most,
        }
    }
}

/// What the paper measured of memberlist and of Rapid: seconds of a bootstrap (figure 5, read from its bars, to
/// half a second), and the sizes that processes wrote down (table 1).
const PAPER_BOOTSTRAP: [(u32, [f64; 2], [u32; 2]); 3] = [
    (1000, [45.8, 29.6], [901, 4]),
    (1500, [68.6, 40.0], [1383, 8]),
    (2000, [97.6, 53.5], [1858, 4]),
];

/// What came of it beside what the paper says, for people.
#[must_use]
pub fn tables(experiment: &Experiment, results: &Results) -> String {
    let Experiment { faulty, nodes, lasts, within, repetitions, .. } = experiment;
    let mut text = String::new();
    if !results.bootstraps.is_empty() {
        text += &format!(
            "until all of so many processes that start within {} see all, looked at once a second; means of {repetitions}\n\
             worlds (in brackets: 95 % of what other worlds would give)\n\n",
            humantime::format_duration(*within)
        );
        text += &aligned(&bootstrap_rows(&results.bootstraps));
    }
    if !results.troubles.is_empty() {
        text += &format!(
            "\nsomething happens to {faulty} of {nodes} nodes, for {}; what the others see, seconds of it and events, means of\n\
             {repetitions} worlds; exact: all {faulty} are gone for everybody and nobody else is\n\n",
            humantime::format_duration(*lasts)
        );
        text += &aligned(&trouble_rows(&results.troubles));
        text += "\nthe paper, 10 of 1,000: memberlist removes crashed nodes one after another; by 80 % loss and one-way it never\n\
                 settles on the ten being out; Rapid removes exactly the ten, once, 40 to 60 s after the loss began\n";
    }
    text
}

fn bootstrap_rows(bootstraps: &[Bootstrap]) -> Vec<Vec<String>> {
    let mut rows = vec![row(&[
        "processes, by whose rules",
        "all see all, s",
        "sizes seen",
        "kB sent by each",
        "the paper, s",
        "sizes",
    ])];
    for found in bootstraps {
        let times: Vec<f64> = found.worlds.iter().filter_map(|world| world.seconds).collect();
        let never = found.worlds.len() - times.len();
        let time = match (times.is_empty(), never) {
            (true, _) => "never".to_owned(),
            (false, 0) => shown(mean_with_interval(&times), 1),
            (false, never) => format!("{}, never in {never}", shown(mean_with_interval(&times), 1)),
        };
        let paper = PAPER_BOOTSTRAP.iter().find(|(nodes, ..)| *nodes == found.nodes);
        let paper = paper.filter(|_| found.system == System::Memberlist.to_string());
        rows.push(vec![
            format!("{} {}", found.nodes, found.system),
            time,
            shown(mean_of(&found.worlds, |world| to_f64(world.sizes as u64)), 0),
            format!("{:.0}", mean_of(&found.worlds, |world| world.bytes_per_node / 1000.0).value),
            paper.map_or_else(String::new, |(_, [memberlist, rapid], _)| {
                format!("{memberlist}; Rapid {rapid}")
            }),
            paper.map_or_else(String::new, |(.., [memberlist, rapid])| {
                format!("{memberlist}; Rapid {rapid}")
            }),
        ]);
    }
    rows
}

fn trouble_rows(troubles: &[Troubles]) -> Vec<Vec<String>> {
    let mut rows = vec![row(&[
        "what, by whose rules",
        "first declared dead",
        "first exact",
        "exact for",
        "sizes differ for",
        "others declared dead",
        "changes told to each",
        "sizes seen",
    ])];
    for found in troubles {
        let some = |value: fn(&Course) -> Option<f64>| {
            let values: Vec<f64> = found.worlds.iter().filter_map(value).collect();
            match found.worlds.len() - values.len() {
                _ if values.is_empty() => "never".to_owned(),
                0 => format!("{:.1}", mean_with_interval(&values).value),
                never => format!("{:.1}, never in {never}", mean_with_interval(&values).value),
            }
        };
        let of = |value: fn(&Course) -> f64| mean_of(&found.worlds, value).value;
        rows.push(vec![
            format!("{}, {}", found.trouble.words(), found.system),
            some(|world| world.first),
            some(|world| world.exact),
            format!("{:.0}", of(|world| f64::from(world.exact_for))),
            format!("{:.0}", of(|world| f64::from(world.differing_for))),
            format!("{:.0}", of(|world| to_f64(world.benign))),
            format!("{:.1}", of(|world| world.changes)),
            format!("{:.0}", of(|world| to_f64(world.sizes as u64))),
        ]);
    }
    rows
}

fn mean_of<T>(worlds: &[T], value: impl Fn(&T) -> f64) -> Interval {
    mean_with_interval(&worlds.iter().map(value).collect::<Vec<_>>())
}

/// Tables and charts as one HTML file; `command` makes it again.
#[must_use]
pub fn page(experiment: &Experiment, results: &Results, command: &str) -> String {
    let mut page = Page::made_by("What Rapid's experiments do", command);
    for trouble in Trouble::ALL {
        let lines = sizes_over_time(results, trouble);
        if lines.is_empty() {
            continue;
        }
        page.draw(&Chart {
            title: &format!("{} of {} nodes: {}", experiment.faulty, experiment.nodes, trouble.words()),
            says: "The largest (solid) and the smallest (dashed) group that any of the other nodes saw in each second, in \
                   the world of the first seed. Best is one step down to those that are well, and no more.",
            x: "seconds since it began",
            y: "members",
            x_scale: Scale::Linear,
            y_scale: Scale::Linear,
            lines,
        });
    }
    page.lay_out(&tables(experiment, results));
    page.html()
}

fn sizes_over_time(results: &Results, trouble: Trouble) -> Vec<Line> {
    let mut lines = Vec::new();
    let of = results.troubles.iter().filter(|found| found.trouble == trouble);
    for (colour, found) in of.enumerate() {
        let Some(world) = found.worlds.first() else { continue };
        for (sizes, what, is_dashed) in
            [(&world.most, "largest", false), (&world.least, "smallest", true)]
        {
            let points =
                (1_u32..).zip(sizes).map(|(second, &size)| (f64::from(second), f64::from(size)));
            let name = format!("{}, {what}", found.system);
            lines.push(Line { name, points: points.collect(), is_dashed, colour });
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Forty nodes, of whom two are in trouble, once by each set of rules.
    fn small() -> Experiment {
        Experiment {
            bootstrap: vec![40],
            nodes: 40,
            faulty: 2,
            lasts: Duration::from_secs(100),
            repetitions: 1,
            ..Experiment::default()
        }
    }

    #[test]
    fn the_crashed_are_gone_for_everybody_and_nobody_else_is() {
        let experiment = small();
        let results = experiment.run(&Progress::default()).unwrap();
        assert_eq!(results.bootstraps.len() + results.troubles.len(), experiment.runs());
        for born in &results.bootstraps {
            assert!(born.worlds[0].seconds.unwrap() < 60.0, "{born:?}");
            assert!(born.worlds[0].sizes > 1, "{born:?}");
        }
        let crashes = results.troubles.iter().filter(|found| found.trouble == Trouble::Crashes);
        for found in crashes {
            let [course] = &found.worlds[..] else { panic!("one world") };
            let (first, exact) = (course.first.unwrap(), course.exact.unwrap());
            assert!(1.0 < first && first <= exact && exact < 60.0, "{course:?}");
            assert_eq!((course.benign, course.changes), (0, 2.0), "{course:?}");
            assert_eq!((course.most.first(), course.least.last()), (Some(&40), Some(&38)));
            assert_eq!(course.most.len(), 100);
            let before = course.most.iter().take_while(|&&size| size > 38);
            assert_eq!(course.exact_for, 100 - u32::try_from(before.count()).unwrap());
        }
        let text = tables(&experiment, &results);
        assert!(text.contains("40 mingle") && text.contains("crashes, memberlist"), "{text}");
        assert!(page(&experiment, &results, "again").matches("<figure>").count() == 3);
    }

    #[test]
    fn what_was_one_way_comes_back() {
        let experiment = Experiment { lasts: 4 * FLIP, ..small() };
        let course =
            experiment.trouble(System::Mingle, Trouble::OneWay, 3, &Progress::default()).unwrap();
        assert!(course.first.is_some(), "{course:?}");
        assert_eq!(course.most.last(), Some(&40), "the last twenty seconds are calm: {course:?}");
    }
}
