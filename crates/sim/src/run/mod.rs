//! Carries out a scenario.

mod faults;

use std::collections::BTreeMap;
use std::time::Duration;

use mingle_proto::{Command, Instant};
use mingle_wire::Incarnation;

use crate::agreement::{Disagreement, all_agree, disagreements, finding_time, settling_time};
use crate::measure::Impairment;
use crate::network::RuleId;
use crate::nodes::Nodes;
use crate::outcome::{Came, Outcome};
use crate::repeat::Progress;
use crate::rng::Rng;
use crate::scenario::{Address, Memory, Rules, Scenario, ScenarioError, Start};
use crate::tape::{Tape, Topic};
use crate::watch::{Onlooker as _, Stop, Watch};
use crate::world::{Launch, World};

pub(crate) use faults::NOWHERE;

/// A scenario under way.
#[derive(Debug)]
pub(crate) struct Run<'s> {
    scenario: &'s Scenario,
    seed: u64,
    world: World,
    /// Chance of the faults alone, so that one fault less leaves the others what they are.
    rng: Rng,
    steps: BTreeMap<(Instant, u64), Step>,
    next: u64,
}

/// What a fault comes to, at its time.
#[derive(Clone, Debug)]
enum Step {
    Begin(usize),
    Down {
        host: u32,
        how: Stop,
    },
    Up {
        host: u32,
        comeback: Comeback,
    },
    Still(Vec<u32>, Still),
    /// These rules are no more, which concerned these hosts.
    Unlink(Vec<RuleId>, Vec<u32>),
}

/// How a process starts again.
#[derive(Clone, Copy, Debug)]
struct Comeback {
    address: Address,
    memory: Memory,
}

/// What stops being so.
#[derive(Clone, Copy, Debug)]
enum Still {
    Paused,
    Blocked,
    Slow,
    Drifting,
}

/// How often the calm world is asked whether all agree.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// What wall clocks show when a world begins, in seconds since 2020: years later, as with any cluster
/// of today.
const WALL_CLOCK: i64 = 200_000_000;
/// Whom everybody is told to join: the first few, as operators do it.
pub(crate) const SEEDS: u32 = 3;

impl Scenario {
    /// Runs the world of this seed to its end.
    ///
    /// # Errors
    ///
    /// When the scenario can't be run.
    pub fn run(&self, seed: u64) -> Result<Outcome, ScenarioError> {
        self.run_watched(seed, Watch::new(self), &Progress::default())
    }

    /// The same, with [`Outcome::events`]; writes down how far it is.
    ///
    /// # Errors
    ///
    /// As [`Scenario::run`].
    pub fn run_told(&self, seed: u64, progress: &Progress) -> Result<Outcome, ScenarioError> {
        let mut tape = Tape::new();
        tape.show(&[Topic::Faults]);
        self.run_watched(seed, Watch { tape: Some(tape), ..Watch::new(self) }, progress)
    }

    pub(crate) fn run_watched(
        &self,
        seed: u64,
        watch: Watch,
        progress: &Progress,
    ) -> Result<Outcome, ScenarioError> {
        match self.crowd {
            Some(crowd) => crate::crowd::run(self, crowd, (seed, watch), progress),
            None => Run::new(self, seed, watch)?.finish(progress),
        }
    }
}

impl<'s> Run<'s> {
    pub(crate) fn new(
        scenario: &'s Scenario,
        seed: u64,
        watch: Watch,
    ) -> Result<Self, ScenarioError> {
        scenario.check()?;
        let config = scenario.config.apply(scenario.profile, scenario.rules)?;
        let network = scenario.network.build(scenario.nodes);
        let room = scenario.network.packet_room as usize;
        let mut world = World::new(config, room, network, seed);
        world.watch = watch;
        world.add_hosts(scenario.nodes);
        let rng = Rng::new(seed.wrapping_add(0x5eed));
        let mut run = Self { scenario, seed, world, rng, steps: BTreeMap::new(), next: 0 };
        for (i, timed) in scenario.faults.iter().enumerate() {
            run.at(timed.at, Step::Begin(i));
        }
        match scenario.start {
            Start::Converged => run.world.start_converged(SEEDS).map_err(config_error)?,
            Start::Joining => {
                for host in run.world.all() {
                    run.start(host, Comeback { address: Address::Same, memory: Memory::Lost })?;
                }
            }
            Start::Down => {}
        }
        Ok(run)
    }

    fn at(&mut self, at: Duration, step: Step) {
        self.steps.insert((Instant::ORIGIN + at, self.next), step);
        self.next += 1;
    }

    fn after(&mut self, after: Duration, step: Step) {
        self.steps.insert((self.world.now + after, self.next), step);
        self.next += 1;
    }

    fn finish(mut self, progress: &Progress) -> Result<Outcome, ScenarioError> {
        let end = Instant::ORIGIN + self.scenario.duration;
        while let Some(entry) = self.steps.first_entry().filter(|entry| entry.key().0 <= end) {
            let ((at, _), step) = entry.remove_entry();
            self.run_until(at, progress);
            self.step(step)?;
        }
        self.run_until(end, progress);
        if progress.is_stopped() {
            return Err(ScenarioError::Stopped);
        }
        self.calm_down()?;
        let calm = self.scenario.calm.unwrap_or_else(|| {
            let alone =
                if self.scenario.rejoin { Duration::ZERO } else { finding_time(&self.world) };
            settling_time(&self.world) + alone
        });
        let agreed = self.wait_for_agreement(calm);
        Ok(Outcome::of(self.scenario, self.seed, Came::of(self.world), agreed))
    }

    /// Lets the world go on, a second at a time.
    fn run_until(&mut self, end: Instant, progress: &Progress) {
        loop {
            let before = self.world.now;
            self.world.run_until(end.min(before + Duration::from_secs(1)));
            progress.passed(self.world.now.since(before));
            let is_over = self.world.watch.wants_to_stop() || progress.is_stopped();
            if self.world.now >= end || is_over {
                return;
            }
        }
    }

    /// Ends everything that disturbs.
    fn calm_down(&mut self) -> Result<(), ScenarioError> {
        for (_, step) in std::mem::take(&mut self.steps) {
            if matches!(step, Step::Still(..) | Step::Unlink(..)) {
                self.step(step)?;
            }
        }
        self.world.network.clear();
        self.world.watch.calm(self.world.now);
        if self.scenario.rejoin {
            let up: Vec<u32> = self.up().collect();
            for &host in up.iter().skip(1) {
                self.world.join(host, up[0]);
            }
        }
        Ok(())
    }

    fn wait_for_agreement(&mut self, at_most: Duration) -> Result<Duration, Vec<Disagreement>> {
        let from = self.world.now;
        while !all_agree(&self.world) {
            if self.world.now.since(from) >= at_most || self.world.watch.wants_to_stop() {
                return Err(disagreements(&self.world));
            }
            self.world.run_until(self.world.now + LOOK_AGAIN);
        }
        Ok(self.world.now.since(from))
    }

    fn up(&self) -> impl Iterator<Item = u32> + '_ {
        self.world.all().filter(|&host| self.world.host(host).is_up())
    }

    fn pick(&mut self, nodes: &Nodes) -> Vec<u32> {
        nodes.pick(self.scenario.nodes, &mut self.rng)
    }

    fn start(&mut self, host: u32, comeback: Comeback) -> Result<(), ScenarioError> {
        let seeds = (0..SEEDS.min(self.scenario.nodes)).filter(|&seed| seed != host).collect();
        self.start_with(host, comeback, seeds)
    }

    fn start_with(
        &mut self,
        host: u32,
        comeback: Comeback,
        seeds: Vec<u32>,
    ) -> Result<(), ScenarioError> {
        if self.world.host(host).is_up() {
            return Ok(());
        }
        let incarnation = match comeback.memory {
            Memory::Kept if self.world.host(host).life > 0 => {
                let saved = self.world.host(host).saved;
                Incarnation::new(saved.get() + 1).unwrap_or(saved)
            }
            Memory::Kept | Memory::Lost => self.first_incarnation(host),
        };
        let elsewhere = comeback.address == Address::New;
        let launch = Launch { incarnation, elsewhere, seeds };
        self.world.start(host, launch).map_err(config_error)
    }

    /// What a process that knows of no earlier one begins with: as the driver does it, the second of
    /// its wall clock, or with the rules of memberlist the first one.
    fn first_incarnation(&self, host: u32) -> Incarnation {
        if self.scenario.rules == Rules::Memberlist {
            return Incarnation::FIRST;
        }
        let today =
            WALL_CLOCK + i64::try_from(self.world.now.as_nanos() / 1_000_000_000).unwrap_or(0);
        let shown = today.saturating_add(self.world.host(host).wall_ahead).clamp(1, 1 << 31);
        u32::try_from(shown).ok().and_then(Incarnation::new).unwrap_or(Incarnation::FIRST)
    }

    fn step(&mut self, step: Step) -> Result<(), ScenarioError> {
        match step {
            Step::Begin(fault) => {
                let timed = &self.scenario.faults[fault];
                if let Some(again) = timed.again {
                    self.after(again, Step::Begin(fault));
                }
                return self.begin(timed);
            }
            Step::Down { host, how: Stop::Left } => self.say_goodbye(host),
            Step::Down { host, how } => self.world.stop(host, how),
            Step::Up { host, comeback } => return self.start(host, comeback),
            Step::Still(hosts, what) => {
                for &host in &hosts {
                    self.end(host, what);
                }
                self.world.watch.measures.relieve(self.world.now, &hosts, Impairment::Ill);
            }
            Step::Unlink(rules, hosts) => {
                for rule in rules {
                    self.world.network.remove(rule);
                }
                self.world.watch.measures.relieve(self.world.now, &hosts, Impairment::Cut);
            }
        }
        Ok(())
    }

    fn end(&mut self, host: u32, what: Still) {
        match what {
            Still::Drifting => self.world.set_clock(host, |clock, now| clock.set_drift(now, 0)),
            Still::Paused => self.world.set_condition(host, |condition| condition.frozen = false),
            Still::Blocked => self.world.set_condition(host, |condition| condition.blocked = false),
            Still::Slow => self.world.set_condition(host, |condition| {
                condition.late = Duration::ZERO;
                condition.cost = Duration::ZERO;
            }),
        }
    }

    fn say_goodbye(&mut self, host: u32) {
        self.world.command(host, |request| Command::Leave { request });
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` wants")]
fn config_error(error: mingle_proto::ConfigError) -> ScenarioError {
    ScenarioError::Config { what: error.to_string() }
}
