//! Carries out a scenario.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mingle_proto::{Command, Instant};
use mingle_wire::{Alive, Dead, Incarnation, Message, Suspect};

use crate::agreement::{Disagreement, agreement, settling_time};
use crate::hostile;
use crate::measure::Trouble;
use crate::network::{Carrier, Effect, Rule, RuleId};
use crate::nodes::{NodeSet, Nodes};
use crate::outcome::{Came, Outcome};
use crate::repeat::Progress;
use crate::rng::{Chance, Rng};
use crate::scenario::{
    Address, Claim, Fault, Hostile, Memory, Rules, Scenario, ScenarioError, Start, Timed,
};
use crate::watch::{Onlooker as _, Stop, Watch};
use crate::world::{Launch, World};

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
        address: Address,
        memory: Memory,
    },
    Still(Vec<u32>, Still),
    /// These rules are no more, which concerned these hosts.
    Unlink(Vec<RuleId>, Vec<u32>),
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
const SEEDS: u32 = 3;

impl Scenario {
    /// Runs the world of this seed to its end.
    ///
    /// # Errors
    ///
    /// When the scenario can't be run.
    pub fn run(&self, seed: u64) -> Result<Outcome, ScenarioError> {
        self.run_watched(seed, &Progress::default())
    }

    /// The same, and writes down how far it is.
    pub(crate) fn run_watched(
        &self,
        seed: u64,
        progress: &Progress,
    ) -> Result<Outcome, ScenarioError> {
        match self.crowd {
            Some(crowd) => crate::crowd::run(self, crowd, seed, progress),
            None => Run::new(self, seed, Watch::new(self))?.finish(progress),
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
            Start::Converged => run.world.start_converged().map_err(config_error)?,
            Start::Joining => {
                for host in run.world.all() {
                    run.start(host, Address::Same, Memory::Lost)?;
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
        self.calm_down()?;
        let calm = self.scenario.calm.unwrap_or_else(|| settling_time(&self.world));
        let agreed = self.wait_for_agreement(calm);
        Ok(Outcome::of(self.scenario, self.seed, Came::of(self.world), agreed))
    }

    /// Lets the world go on, a second at a time.
    fn run_until(&mut self, end: Instant, progress: &Progress) {
        loop {
            let before = self.world.now;
            self.world.run_until(end.min(before + Duration::from_secs(1)));
            progress.passed(self.world.now.since(before));
            if self.world.now >= end || self.world.watch.wants_to_stop() {
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
        loop {
            let found = match agreement(&self.world) {
                Ok(()) => return Ok(self.world.now.since(from)),
                Err(found) => found,
            };
            if self.world.now.since(from) >= at_most || self.world.watch.wants_to_stop() {
                return Err(found);
            }
            self.world.run_until(self.world.now + LOOK_AGAIN);
        }
    }

    fn up(&self) -> impl Iterator<Item = u32> + '_ {
        self.world.all().filter(|&host| self.world.host(host).is_up())
    }

    fn pick(&mut self, nodes: &Nodes) -> Vec<u32> {
        nodes.pick(self.scenario.nodes, &mut self.rng)
    }

    fn start(&mut self, host: u32, address: Address, memory: Memory) -> Result<(), ScenarioError> {
        let seeds = (0..SEEDS.min(self.scenario.nodes)).filter(|&seed| seed != host).collect();
        self.start_with(host, address, memory, seeds)
    }

    fn start_with(
        &mut self,
        host: u32,
        address: Address,
        memory: Memory,
        seeds: Vec<u32>,
    ) -> Result<(), ScenarioError> {
        if self.world.host(host).is_up() {
            return Ok(());
        }
        let incarnation = match memory {
            Memory::Kept if self.world.host(host).life > 0 => {
                let saved = self.world.host(host).saved;
                Incarnation::new(saved.get() + 1).unwrap_or(saved)
            }
            Memory::Kept | Memory::Lost => self.first_incarnation(host),
        };
        let elsewhere = address == Address::New;
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
            Step::Begin(fault) => return self.begin(fault),
            Step::Down { host, how: Stop::Left } => self.say_goodbye(host),
            Step::Down { host, how } => self.world.stop(host, how),
            Step::Up { host, address, memory } => return self.start(host, address, memory),
            Step::Still(hosts, what) => {
                for &host in &hosts {
                    self.end(host, what);
                }
                self.world.watch.measures.relief(self.world.now, &hosts, Trouble::Ill);
            }
            Step::Unlink(rules, hosts) => {
                for rule in rules {
                    self.world.network.remove(rule);
                }
                self.world.watch.measures.relief(self.world.now, &hosts, Trouble::Cut);
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

    fn begin(&mut self, fault: usize) -> Result<(), ScenarioError> {
        let timed = &self.scenario.faults[fault];
        self.world.watch.fault(self.world.now, &timed.fault);
        match &timed.fault {
            Fault::Start { .. }
            | Fault::Crash { .. }
            | Fault::Leave { .. }
            | Fault::RollingRestart { .. }
            | Fault::Churn { .. } => return self.begin_ends_and_starts(timed),
            Fault::Pause { .. }
            | Fault::Block { .. }
            | Fault::Slow { .. }
            | Fault::Drift { .. }
            | Fault::Leap { .. }
            | Fault::WallClock { .. } => self.begin_illness(timed),
            Fault::Partition { .. } | Fault::Link { .. } => self.begin_cut(timed),
            Fault::Join { .. }
            | Fault::Meta { .. }
            | Fault::Send { .. }
            | Fault::Forge { .. }
            | Fault::Hostile { .. } => self.begin_work(&timed.fault),
        }
        Ok(())
    }

    /// Processes end and start.
    fn begin_ends_and_starts(&mut self, timed: &Timed) -> Result<(), ScenarioError> {
        let lasts = timed.lasts;
        match &timed.fault {
            Fault::Start { nodes, with } => {
                for host in self.pick(nodes) {
                    match with {
                        Some(with) => {
                            let seeds = self.pick(with);
                            self.start_with(host, Address::Same, Memory::Kept, seeds)?;
                        }
                        None => self.start(host, Address::Same, Memory::Kept)?,
                    }
                }
            }
            Fault::Crash { nodes, machine, address, memory } => {
                let how = if *machine { Stop::MachineCrashed } else { Stop::ProcessCrashed };
                let hosts = self.pick(nodes);
                self.take_down(&hosts, how, lasts, *address, *memory)?;
            }
            Fault::Leave { nodes, address, memory } => {
                let hosts = self.pick(nodes);
                self.take_down(&hosts, Stop::Left, lasts, *address, *memory)?;
            }
            Fault::RollingRestart { nodes, every, down, address, memory, goodbye } => {
                let how = if *goodbye { Stop::Left } else { Stop::ProcessCrashed };
                for (turn, host) in (0..).zip(self.pick(nodes)) {
                    let at = every.saturating_mul(turn);
                    self.restart(host, at, *down, how, *address, *memory);
                }
            }
            Fault::Churn { nodes, percent_per_minute, down, address, memory } => {
                let hosts = self.pick(nodes);
                let until = lasts.unwrap_or(self.scenario.duration.saturating_sub(timed.at));
                self.churn(&hosts, *percent_per_minute, until, *down, *address, *memory);
            }
            other => unreachable!("{other:?} ends and starts nothing"),
        }
        Ok(())
    }

    /// Processes run, and not as they should.
    fn begin_illness(&mut self, timed: &Timed) {
        let lasts = timed.lasts;
        match &timed.fault {
            Fault::Pause { nodes } => {
                let hosts = self.pick(nodes);
                self.change(hosts, lasts, Still::Paused, |c| c.frozen = true);
            }
            Fault::Block { nodes } => {
                let hosts = self.pick(nodes);
                self.change(hosts, lasts, Still::Blocked, |c| c.blocked = true);
            }
            Fault::Slow { nodes, timers, per_packet } => {
                let hosts = self.pick(nodes);
                self.change(hosts, lasts, Still::Slow, |c| {
                    c.late = *timers;
                    c.cost = *per_packet;
                });
            }
            Fault::Drift { nodes, millionths } => {
                let hosts = self.pick(nodes);
                for &host in &hosts {
                    self.world.set_clock(host, |clock, now| clock.set_drift(now, *millionths));
                }
                self.world.watch.measures.trouble(&hosts, Trouble::Ill);
                self.ends(lasts, Step::Still(hosts, Still::Drifting));
            }
            Fault::Leap { nodes, by } => {
                let hosts = self.pick(nodes);
                self.world.watch.measures.trouble(&hosts, Trouble::Ill);
                for &host in &hosts {
                    self.world.set_clock(host, |clock, now| clock.leap(now, *by));
                }
                self.world.watch.measures.relief(self.world.now, &hosts, Trouble::Ill);
            }
            // Nothing that a running node does depends on it.
            Fault::WallClock { nodes, seconds } => {
                for host in self.pick(nodes) {
                    self.world.hosts[host as usize].wall_ahead += seconds;
                }
            }
            other => unreachable!("{other:?} is no illness"),
        }
    }

    /// Something stands between nodes.
    fn begin_cut(&mut self, timed: &Timed) {
        match &timed.fault {
            Fault::Partition { sides, carrier } => {
                let sides: Vec<Vec<u32>> = sides.iter().map(|side| self.pick(side)).collect();
                self.cut(&sides, *carrier, timed.lasts);
            }
            Fault::Link { from, to, carrier, both_ways, disturbance } => {
                let sides = [self.pick(from), self.pick(to)];
                let (from, to) = (NodeSet::of(&sides[0]), NodeSet::of(&sides[1]));
                let effect = disturbance.effect();
                let there = Rule { from, to, carrier: *carrier, effect };
                let back = Rule { from: there.to.clone(), to: there.from.clone(), ..there.clone() };
                let mut rules = vec![self.world.network.add(there)];
                if *both_ways {
                    rules.push(self.world.network.add(back));
                }
                self.unlink_after(timed.lasts, rules, concerned(&sides));
            }
            other => unreachable!("{other:?} is no cut"),
        }
    }

    /// Nodes, or somebody hostile, do something.
    fn begin_work(&mut self, fault: &Fault) {
        match fault {
            Fault::Join { nodes, with } => {
                for host in self.pick(nodes) {
                    for with in self.pick(with) {
                        self.world.join(host, with);
                    }
                }
            }
            Fault::Meta { nodes, bytes } => {
                for host in self.pick(nodes) {
                    let meta: Vec<u8> =
                        (0..*bytes).map(|_| self.rng.next().to_le_bytes()[0]).collect();
                    self.world.set_meta(host, &meta);
                }
            }
            Fault::Send { nodes, to, bytes, stream } => {
                for host in self.pick(nodes) {
                    for to in self.pick(to) {
                        self.world.send(host, to, *bytes as usize, *stream);
                    }
                }
            }
            Fault::Hostile { to, packet } => {
                let hosts = self.pick(to);
                self.send_hostile(&hosts, *packet);
            }
            Fault::Forge { to, claim, about, ahead } => {
                for host in self.pick(to) {
                    self.forge(host, *claim, *about, *ahead);
                }
            }
            other => unreachable!("{other:?} is no work"),
        }
    }

    fn unlink_after(&mut self, lasts: Option<Duration>, rules: Vec<RuleId>, hosts: Vec<u32>) {
        self.world.watch.measures.trouble(&hosts, Trouble::Cut);
        self.ends(lasts, Step::Unlink(rules, hosts));
    }

    fn ends(&mut self, lasts: Option<Duration>, step: Step) {
        // What has no end of its own ends when the world calms down.
        let after = lasts.unwrap_or(self.scenario.duration + Duration::from_nanos(1));
        self.after(after, step);
    }

    fn take_down(
        &mut self,
        hosts: &[u32],
        how: Stop,
        lasts: Option<Duration>,
        address: Address,
        memory: Memory,
    ) -> Result<(), ScenarioError> {
        for &host in hosts {
            self.step(Step::Down { host, how })?;
            if let Some(lasts) = lasts {
                self.after(lasts, Step::Up { host, address, memory });
            }
        }
        Ok(())
    }

    fn restart(
        &mut self,
        host: u32,
        after: Duration,
        down: Duration,
        how: Stop,
        address: Address,
        memory: Memory,
    ) {
        self.after(after, Step::Down { host, how });
        self.after(after + down, Step::Up { host, address, memory });
    }

    fn churn(
        &mut self,
        hosts: &[u32],
        percent_per_minute: f64,
        until: Duration,
        down: Duration,
        address: Address,
        memory: Memory,
    ) {
        let seconds = until.as_secs();
        let each_second = Chance::of(percent_per_minute / 100.0 / 60.0);
        for &host in hosts {
            let mut second = 0;
            while second < seconds {
                if self.rng.chance(each_second) {
                    let at = Duration::from_secs(second)
                        + Duration::from_nanos(self.rng.below(1_000_000_000));
                    self.restart(host, at, down, Stop::ProcessCrashed, address, memory);
                    second += down.as_secs();
                }
                second += 1;
            }
        }
    }

    fn change(
        &mut self,
        hosts: Vec<u32>,
        lasts: Option<Duration>,
        until: Still,
        change: impl Fn(&mut crate::world::Condition),
    ) {
        for &host in &hosts {
            self.world.set_condition(host, &change);
        }
        self.world.watch.measures.trouble(&hosts, Trouble::Ill);
        self.ends(lasts, Step::Still(hosts, until));
    }

    fn cut(&mut self, sides: &[Vec<u32>], carrier: Carrier, lasts: Option<Duration>) {
        let sets: Vec<NodeSet> = sides.iter().map(|side| NodeSet::of(side)).collect();
        let mut rules = Vec::new();
        for (i, from) in sets.iter().enumerate() {
            for (j, to) in sets.iter().enumerate() {
                if i != j {
                    let effect = Effect::Cut;
                    let rule = Rule { from: from.clone(), to: to.clone(), carrier, effect };
                    rules.push(self.world.network.add(rule));
                }
            }
        }
        self.unlink_after(lasts, rules, concerned(sides));
    }

    /// Datagrams go through an envelope first, as on a socket: what that refuses reaches no node.
    fn send_hostile(&mut self, hosts: &[u32], packet: Hostile) {
        let nobody = SocketAddr::new(Ipv4Addr::new(10, 255, 255, 1).into(), 7946);
        for &host in hosts {
            let datagram = hostile::datagram(packet, &self.world.host(host).name, &mut self.rng);
            match hostile::open(&datagram) {
                Some(bodies) => {
                    for body in bodies {
                        self.world.forge(host, nobody, &body);
                    }
                }
                None => self.world.watch.measures.datagram_refused(),
            }
        }
    }

    fn forge(&mut self, host: u32, claim: Claim, about: u32, ahead: u32) {
        let subject = self.world.host(about);
        let at = subject.node.as_ref().map_or(subject.saved, |node| node.local().incarnation);
        let Some(incarnation) = Incarnation::new(at.get().saturating_add(ahead)) else { return };
        let name = subject.name.clone();
        let nobody = SocketAddr::new(Ipv4Addr::new(10, 255, 255, 1).into(), 7946);
        let mut body = Vec::new();
        let message = match claim {
            Claim::Left => Message::Dead(Dead { incarnation, node: &name, from: &name }),
            Claim::Dead => Message::Dead(Dead { incarnation, node: &name, from: "nobody" }),
            Claim::Suspect => {
                Message::Suspect(Suspect { incarnation, node: &name, from: "nobody" })
            }
            Claim::Moved => Message::Alive(Alive {
                incarnation,
                node: &name,
                address: nobody.into(),
                meta: &[],
                versions: mingle_wire::Versions::ours(
                    mingle_wire::Delegate::SERF,
                    mingle_wire::Mark::Mingle,
                ),
            }),
        };
        message.encode(&mut body);
        self.world.forge(host, nobody, &body);
    }
}

/// Whom a cut between these concerns: all but the largest side, and where there is none, all.
fn concerned(sides: &[Vec<u32>]) -> Vec<u32> {
    let most = sides.iter().map(Vec::len).max().unwrap_or(0);
    let alone = sides.iter().filter(|side| side.len() == most).count() == 1;
    let spared = |side: &&Vec<u32>| !(alone && side.len() == most);
    let hosts: BTreeSet<u32> = sides.iter().filter(spared).flatten().copied().collect();
    hosts.into_iter().collect()
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` wants")]
fn config_error(error: mingle_proto::ConfigError) -> ScenarioError {
    ScenarioError::Config { what: error.to_string() }
}
