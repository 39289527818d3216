//! The two experiments of "Lifeguard: Local Health Awareness for More Accurate Failure Detection" (Dadgar,
//! Phillips and Currey, 2018, sections V and VI): some of 128 nodes become anomalous in lock-step, once
//! (Threshold) or again and again (Interval), and it is counted who is declared dead.

mod page;
mod paper;
mod raw;
mod tables;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use mingle_proto::{Buddies, Config, ConfigError, Confirmations, Instant, Nacks, Rules, Timeouts};
use serde::{Deserialize, Serialize};

use super::{Verdict, converged};
use crate::agreement::all_agree;
use crate::repeat::{Progress, side_by_side};
use crate::rng::Rng;
use crate::scenario::Standing;
use crate::units::{all_seconds, seconds};
use crate::world::{Condition, World};

pub use page::page;
pub use raw::{RawError, Results, read, write};
pub use tables::tables;

/// By which rules all nodes play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// The paper's baseline.
    Swim,
    /// With local health for probes alone.
    LhaProbe,
    /// With suspicions that shrink alone.
    LhaSuspicion,
    /// With the buddy system alone.
    Buddy,
    /// With all three.
    Lifeguard {
        /// `suspicion_mult`.
        alpha: u32,
        /// `suspicion_max_timeout_mult`.
        beta: u32,
    },
    /// As Go memberlist comes, with the settings of `Config::lan`.
    Memberlist,
    /// As mingle comes.
    Mingle,
}

impl System {
    /// The five of the paper, at alpha 5 and beta 6, and the two that can be had.
    pub const ALL: [Self; 7] = [
        Self::Swim,
        Self::LhaProbe,
        Self::LhaSuspicion,
        Self::Buddy,
        Self::LIFEGUARD,
        Self::Memberlist,
        Self::Mingle,
    ];

    /// At alpha 5 and beta 6, as in most of the paper's tables.
    pub const LIFEGUARD: Self = Self::Lifeguard { alpha: 5, beta: 6 };

    /// Lifeguard at each alpha and beta of the paper's table VII.
    #[must_use]
    pub fn sweep() -> Vec<Self> {
        let betas = |alpha| [2, 4, 6].map(|beta| Self::Lifeguard { alpha, beta });
        [2, 4, 5].into_iter().flat_map(betas).collect()
    }

    pub(crate) fn config(self) -> Config {
        let (lan, swim) = (Config::lan(), Config::lan().with_swim_rules());
        let full = Config::lan().with_lifeguard_rules();
        match self {
            Self::Swim => swim,
            Self::LhaProbe => Config {
                awareness_max_multiplier: full.awareness_max_multiplier,
                rules: Rules { nacks: Nacks::InTime, timeouts: Timeouts::Scaled, ..Rules::SWIM },
                ..swim
            },
            Self::LhaSuspicion => Config {
                suspicion_max_timeout_mult: full.suspicion_max_timeout_mult,
                rules: Rules { confirmations: Confirmations::Three, ..Rules::SWIM },
                ..swim
            },
            Self::Buddy => {
                Config { rules: Rules { buddies: Buddies::Told, ..Rules::SWIM }, ..swim }
            }
            Self::Lifeguard { alpha, beta } => {
                Config { suspicion_mult: alpha, suspicion_max_timeout_mult: beta, ..full }
            }
            Self::Memberlist => lan.with_memberlist_rules(),
            Self::Mingle => lan,
        }
    }
}

/// As it is shown.
impl FromStr for System {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let all = Self::ALL.into_iter().chain(Self::sweep());
        all.into_iter().find(|system| system.to_string() == name).ok_or(())
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Swim => "SWIM",
            Self::LhaProbe => "LHA-Probe",
            Self::LhaSuspicion => "LHA-Suspicion",
            Self::Buddy => "Buddy System",
            &Self::Lifeguard { alpha: 5, beta: 6 } => "Lifeguard",
            Self::Lifeguard { alpha, beta } => {
                return f.pad(&format!("Lifeguard \u{3b1}{alpha} \u{3b2}{beta}"));
            }
            Self::Memberlist => "memberlist",
            Self::Mingle => "mingle",
        })
    }
}

/// Which of the two it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// One anomaly; how fast it is seen.
    Threshold,
    /// One after another for two minutes; who is accused beside, and what it costs.
    Interval,
}

/// What an anomalous node does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Anomaly {
    /// Each of its threads blocks when it is about to send or has just received, as the paper has it.
    /// Suspicions go on to run out.
    Stalled,
    /// It neither sends nor receives, and every timer goes on: it probes, and what it sends goes out
    /// afterwards, all of it.
    Muted,
    /// It does not run at all.
    Frozen,
}

impl Anomaly {
    fn name(self) -> &'static str {
        match self {
            Self::Stalled => "stalled",
            Self::Muted => "muted",
            Self::Frozen => "frozen",
        }
    }
}

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Experiment {
    /// Which of the two.
    pub kind: Kind,
    /// How many nodes.
    pub nodes: u32,
    /// How many of them are anomalous: the paper's C.
    pub concurrent: Vec<u32>,
    /// For how long: the paper's D. In seconds, as all times are written.
    #[serde(with = "all_seconds")]
    pub durations: Vec<Duration>,
    /// How long they are well in between: the paper's I.
    #[serde(with = "all_seconds")]
    pub gaps: Vec<Duration>,
    /// How often each combination is run.
    pub repetitions: u32,
    /// What they do not do.
    pub anomaly: Anomaly,
    /// How long a node works on each packet that it receives.
    #[serde(with = "seconds")]
    pub cost: Duration,
    /// Where chance comes from: the same for each system.
    pub seed: u64,
}

/// The paper's C.
const CONCURRENT: [u32; 9] = [1, 4, 8, 12, 16, 20, 24, 28, 32];
/// The paper's D, in milliseconds.
const DURATIONS: [u64; 6] = [128, 512, 2048, 8192, 16_384, 32_768];
/// The paper's I, in milliseconds.
const GAPS: [u64; 8] = [1, 4, 16, 64, 256, 1024, 4096, 16_384];
/// Before it begins.
const QUIET: Duration = Duration::from_secs(15);
/// How long it lasts at least (Interval) or at most (Threshold).
const LASTS: Duration = Duration::from_secs(120);
/// How often it is looked whether all are well again.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

impl Experiment {
    /// As the paper has it.
    #[must_use]
    pub fn of_the_paper(kind: Kind) -> Self {
        Self {
            kind,
            nodes: 128,
            concurrent: CONCURRENT.to_vec(),
            durations: DURATIONS.map(Duration::from_millis).to_vec(),
            gaps: match kind {
                Kind::Threshold => vec![Duration::ZERO],
                Kind::Interval => GAPS.map(Duration::from_millis).to_vec(),
            },
            repetitions: 10,
            anomaly: Anomaly::Stalled,
            cost: Duration::ZERO,
            seed: 1,
        }
    }

    /// Whether it has all runs of the paper, so that its counts can stand beside the paper's.
    fn is_whole(&self) -> bool {
        let Self { anomaly, cost, seed, .. } = *self;
        *self == Self { anomaly, cost, seed, ..Self::of_the_paper(self.kind) }
    }

    /// How many worlds it takes for one system.
    #[must_use]
    pub fn runs(&self) -> usize {
        let combinations = self.concurrent.len() * self.durations.len() * self.gaps.len();
        combinations * self.repetitions as usize
    }

    /// Runs all combinations with one system, on all cores. Those that `progress` stops are left out.
    ///
    /// # Errors
    ///
    /// A configuration that no node can run with.
    pub fn run(&self, system: System, progress: &Progress) -> Result<Vec<Trial>, ConfigError> {
        let config = system.config();
        config.check()?;
        let mut plans = Vec::with_capacity(self.runs());
        for repetition in 0..self.repetitions {
            for &concurrent in &self.concurrent {
                for &duration in &self.durations {
                    for &gap in &self.gaps {
                        plans.push(Plan { concurrent, duration, gap, repetition });
                    }
                }
            }
        }
        let seeds = (0..).map(|number| self.seed.wrapping_add(number));
        let numbered: Vec<_> = seeds.zip(plans).collect();
        let run = |(seed, plan): &(u64, Plan)| self.carry_out(&config, *plan, *seed, progress);
        Ok(side_by_side(&numbered, crate::cores(), progress, run))
    }

    fn carry_out(
        &self,
        config: &Config,
        plan: Plan,
        seed: u64,
        progress: &Progress,
    ) -> Option<Trial> {
        let mut rng = Rng::new(seed);
        let mut world = converged(config, self.nodes, &Standing::default(), rng.next());
        for host in world.all() {
            world.set_condition(host, |condition| condition.cost = self.cost);
        }
        let mut hosts: Vec<u32> = world.all().collect();
        rng.shuffle(&mut hosts);
        hosts.truncate(plan.concurrent as usize);
        world.run_until(Instant::ORIGIN + QUIET);
        let (began, before) = (world.now, world.network.traffic);
        loop {
            self.impair(&mut world, &hosts, true);
            world.run_until(world.now + plan.duration);
            self.impair(&mut world, &hosts, false);
            let is_over = self.kind == Kind::Threshold || world.now.since(began) >= LASTS;
            if is_over || progress.is_stopped() {
                break;
            }
            world.run_until(world.now + plan.gap);
        }
        while self.kind == Kind::Threshold && world.now.since(began) < LASTS && !all_agree(&world) {
            world.run_until(world.now + LOOK_AGAIN);
        }
        if progress.is_stopped() {
            return None;
        }
        let lasted = world.now.since(began);
        progress.passed(lasted);
        let traffic = world.network.traffic;
        let ledger = world.watch.ledger.take().unwrap_or_default();
        let seen = Seen::of(&ledger.verdicts, &hosts, self.nodes, began);
        Some(Trial {
            nodes: self.nodes,
            concurrent: plan.concurrent,
            duration: plan.duration,
            gap: plan.gap,
            repetition: plan.repetition,
            seed,
            first: seen.first,
            everywhere: seen.everywhere,
            false_positives: seen.false_positives,
            at_healthy: seen.at_healthy,
            messages: traffic.packets - before.packets,
            bytes: traffic.packet_bytes - before.packet_bytes + traffic.stream_bytes
                - before.stream_bytes,
            lasted,
        })
    }

    fn impair(&self, world: &mut World, hosts: &[u32], is_anomalous: bool) {
        let impair = |condition: &mut Condition| match self.anomaly {
            Anomaly::Stalled => condition.stalled = is_anomalous,
            Anomaly::Muted => condition.blocked = is_anomalous,
            Anomaly::Frozen => condition.frozen = is_anomalous,
        };
        for &host in hosts {
            world.set_condition(host, impair);
        }
    }
}

/// One combination.
#[derive(Clone, Copy, Debug)]
struct Plan {
    concurrent: u32,
    duration: Duration,
    gap: Duration,
    repetition: u32,
}

/// What came of one world.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trial {
    /// How many nodes there were.
    pub nodes: u32,
    /// C.
    pub concurrent: u32,
    /// D; this and all times in seconds.
    #[serde(with = "seconds")]
    pub duration: Duration,
    /// I.
    #[serde(with = "seconds")]
    pub gap: Duration,
    /// Of this combination, from 0.
    pub repetition: u32,
    /// The world's.
    pub seed: u64,
    /// How long after it became anomalous a node was declared dead, of those that were.
    #[serde(with = "all_seconds")]
    pub first: Vec<Duration>,
    /// How long until all healthy nodes had it so, of those of which they all had.
    #[serde(with = "all_seconds")]
    pub everywhere: Vec<Duration>,
    /// How often somebody declared a healthy node dead (FP).
    pub false_positives: u64,
    /// How often of these a healthy one did (FP-).
    pub at_healthy: u64,
    /// Packets that were sent.
    pub messages: u64,
    /// Bytes of these and of streams, without headers.
    pub bytes: u64,
    /// How long it took from the first anomaly on, in the world's time.
    #[serde(with = "seconds")]
    pub lasted: Duration,
}

impl Trial {
    fn node_hours(&self) -> f64 {
        f64::from(self.nodes) * self.lasted.as_secs_f64() / 3600.0
    }
}

/// What a ledger says.
#[derive(Debug, Default)]
struct Seen {
    first: Vec<Duration>,
    everywhere: Vec<Duration>,
    false_positives: u64,
    at_healthy: u64,
}

impl Seen {
    fn of(verdicts: &[Verdict], anomalous: &[u32], nodes: u32, began: Instant) -> Self {
        let is_healthy = |host: &u32| !anomalous.contains(host);
        let mut seen = Self::default();
        for verdict in verdicts.iter().filter(|verdict| is_healthy(&verdict.subject)) {
            seen.false_positives += 1;
            seen.at_healthy += u64::from(is_healthy(&verdict.observer));
        }
        for &host in anomalous {
            let about = verdicts.iter().filter(|verdict| verdict.subject == host);
            let mut observers: Vec<(u32, Instant)> =
                about.map(|verdict| (verdict.observer, verdict.at)).collect();
            // The first time of each observer.
            observers.sort_unstable();
            observers.dedup_by_key(|(observer, _)| *observer);
            seen.first.extend(observers.iter().map(|(_, at)| at.since(began)).min());
            observers.retain(|(observer, _)| is_healthy(observer));
            if observers.len() + anomalous.len() == nodes as usize {
                seen.everywhere.extend(observers.iter().map(|(_, at)| at.since(began)).max());
            }
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(kind: Kind) -> Experiment {
        Experiment {
            nodes: 32,
            concurrent: vec![4],
            durations: vec![Duration::from_millis(16_384)],
            gaps: vec![Duration::from_millis(16)],
            repetitions: 2,
            ..Experiment::of_the_paper(kind)
        }
    }

    #[test]
    fn the_paper_has_so_many_runs() {
        assert_eq!(Experiment::of_the_paper(Kind::Threshold).runs(), 540);
        let paper = Experiment::of_the_paper(Kind::Interval);
        assert_eq!(paper.runs(), 4320);
        assert!(paper.is_whole() && Experiment { seed: 7, ..paper.clone() }.is_whole());
        let other = Experiment { nodes: 64, ..paper };
        assert!(other.runs() == 4320 && !other.is_whole());
    }

    #[test]
    fn an_anomaly_that_lasts_is_seen_by_all_who_are_well() {
        let trials = small(Kind::Threshold).run(System::Swim, &Progress::default()).unwrap();
        for trial in &trials {
            assert_eq!((trial.first.len(), trial.everywhere.len()), (4, 4), "{trial:?}");
            assert!(trial.first.iter().min() >= Some(&Duration::from_secs(7)), "{trial:?}");
            assert!(trial.first.iter().zip(&trial.everywhere).all(|(one, all)| one <= all));
        }
    }

    /// Those that stall accuse whom they were about to ask, and find them dead while they can't hear the
    /// answer; those that do not run at all have no time to.
    #[test]
    fn who_stalls_accuses_the_healthy_and_who_is_frozen_does_not() {
        let sum = |anomaly, system| -> u64 {
            let experiment = Experiment { anomaly, ..small(Kind::Interval) };
            let trials = experiment.run(system, &Progress::default()).unwrap();
            trials.iter().map(|trial| trial.false_positives).sum()
        };
        assert!(sum(Anomaly::Stalled, System::Swim) > 0);
        assert_eq!(sum(Anomaly::Frozen, System::Swim), 0);
    }

    /// What a node accuses others of that was anomalous for ten periods.
    fn accusations(anomaly: Anomaly) -> usize {
        let experiment = Experiment { anomaly, ..small(Kind::Threshold) };
        let mut world = converged(&System::Swim.config(), 16, &Standing::default(), 7);
        world.run_until(world.now + QUIET);
        experiment.impair(&mut world, &[3], true);
        world.run_until(world.now + Duration::from_secs(10));
        experiment.impair(&mut world, &[3], false);
        world.run_until(world.now + Duration::from_millis(500));
        let ledger = world.watch.ledger.unwrap();
        ledger.accusations.iter().filter(|found| found.observer == 3).count()
    }

    /// A thread that is about to send gets no further: there is one probe that it could not finish, where a
    /// node whose timers go on begins one after another.
    #[test]
    fn who_stalls_has_one_probe_under_way() {
        assert_eq!(accusations(Anomaly::Stalled), 1);
        assert!(accusations(Anomaly::Muted) > 5);
        assert_eq!(accusations(Anomaly::Frozen), 0);
    }

    #[test]
    fn the_same_seed_gives_the_same_figures() {
        let figures = || {
            let trials = small(Kind::Interval).run(System::LIFEGUARD, &Progress::default());
            trials.unwrap().iter().map(|trial| (trial.messages, trial.bytes)).collect::<Vec<_>>()
        };
        assert_eq!(figures(), figures());
    }

    #[test]
    fn each_part_of_lifeguard_can_be_had_alone() {
        for system in System::ALL.into_iter().chain(System::sweep()) {
            system.config().check().unwrap();
        }
        assert_eq!(System::LhaProbe.config().awareness_max_multiplier, 9);
        assert_eq!(System::LhaSuspicion.config().awareness_max_multiplier, 1);
        assert_eq!(System::Swim.config().suspicion_max_timeout_mult, 1);
        assert_eq!(System::LIFEGUARD.config().rules.confirmations, Confirmations::Three);
    }
}
