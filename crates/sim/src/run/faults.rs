//! What happens when a fault begins, and what is to happen later because of it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use mingle_wire::{Alive, Dead, Delegate, Incarnation, Mark, Message, Suspect, Versions};

use super::{Comeback, Run, Step, Still};
use crate::hostile;
use crate::measure::Impairment;
use crate::network::{Carrier, Effect, Rule, RuleId};
use crate::nodes::{NodeSet, Nodes};
use crate::rng::Chance;
use crate::scenario::{Address, Claim, Disturbance, Fault, Hostile, Memory, ScenarioError, Timed};
use crate::watch::{Onlooker as _, Stop};
use crate::world::Condition;

/// Where nobody is, and where forged packets come from.
pub(crate) const NOWHERE: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 255, 255, 1)), 7946);

impl Run<'_> {
    pub(super) fn begin(&mut self, timed: &Timed) -> Result<(), ScenarioError> {
        self.world.watch.fault(self.world.now, &timed.fault);
        let lasts = timed.lasts;
        match &timed.fault {
            Fault::Start { nodes, with } => return self.start_all(nodes, with.as_ref()),
            Fault::Crash { nodes, machine, address, memory } => {
                let how = if *machine { Stop::MachineCrashed } else { Stop::ProcessCrashed };
                let comeback = Comeback { address: *address, memory: *memory };
                return self.take_down(nodes, how, lasts, comeback);
            }
            Fault::Leave { nodes, address, memory } => {
                let comeback = Comeback { address: *address, memory: *memory };
                return self.take_down(nodes, Stop::Left, lasts, comeback);
            }
            Fault::RollingRestart { nodes, every, down, address, memory, goodbye } => {
                let how = if *goodbye { Stop::Left } else { Stop::ProcessCrashed };
                let comeback = Comeback { address: *address, memory: *memory };
                for (turn, host) in (0..).zip(self.pick(nodes)) {
                    self.restart(host, every.saturating_mul(turn), how, *down, comeback);
                }
            }
            Fault::Churn { nodes, percent_per_minute, down, address, memory } => {
                let until = lasts.unwrap_or(self.scenario.duration.saturating_sub(timed.at));
                let comeback = Comeback { address: *address, memory: *memory };
                self.churn(nodes, *percent_per_minute, until, *down, comeback);
            }
            Fault::Pause { nodes } => self.sicken(nodes, lasts, Still::Paused, |c| c.frozen = true),
            Fault::Block { nodes } => {
                self.sicken(nodes, lasts, Still::Blocked, |c| c.blocked = true);
            }
            Fault::Slow { nodes, timers, per_packet } => {
                let slow = |c: &mut Condition| (c.late, c.cost) = (*timers, *per_packet);
                self.sicken(nodes, lasts, Still::Slow, slow);
            }
            Fault::Drift { nodes, millionths } => self.drift(nodes, *millionths, lasts),
            Fault::Leap { nodes, by } => self.leap(nodes, *by),
            // Nothing that a running node does depends on it.
            Fault::WallClock { nodes, seconds } => {
                for host in self.pick(nodes) {
                    self.world.hosts[host as usize].wall_ahead += seconds;
                }
            }
            Fault::Partition { sides, carrier } => self.partition(sides, *carrier, lasts),
            Fault::Link { from, to, carrier, both_ways, disturbance } => {
                self.disturb([from, to], *carrier, *both_ways, disturbance, lasts);
            }
            Fault::Join { nodes, with } => {
                for host in self.pick(nodes) {
                    for with in self.pick(with) {
                        self.world.join(host, with);
                    }
                }
            }
            Fault::Seeds { nodes, seeds } => self.set_seeds(nodes, seeds),
            Fault::Meta { nodes, bytes } => self.set_meta(nodes, *bytes),
            Fault::Send { nodes, to, bytes, stream } => {
                for host in self.pick(nodes) {
                    for to in self.pick(to) {
                        self.world.send(host, to, *bytes as usize, *stream);
                    }
                }
            }
            Fault::Hostile { to, packet } => self.send_hostile(to, *packet),
            Fault::Forge { to, claim, about, ahead } => {
                for host in self.pick(to) {
                    self.forge(host, *claim, *about, *ahead);
                }
            }
        }
        Ok(())
    }

    fn start_all(&mut self, nodes: &Nodes, with: Option<&Nodes>) -> Result<(), ScenarioError> {
        let comeback = Comeback { address: Address::Same, memory: Memory::Kept };
        for host in self.pick(nodes) {
            match with {
                Some(with) => {
                    let seeds = self.pick(with);
                    self.start_with(host, comeback, seeds)?;
                }
                None => self.start(host, comeback)?,
            }
        }
        Ok(())
    }

    fn take_down(
        &mut self,
        nodes: &Nodes,
        how: Stop,
        lasts: Option<Duration>,
        comeback: Comeback,
    ) -> Result<(), ScenarioError> {
        for host in self.pick(nodes) {
            self.step(Step::Down { host, how })?;
            if let Some(lasts) = lasts {
                self.after(lasts, Step::Up { host, comeback });
            }
        }
        Ok(())
    }

    fn restart(
        &mut self,
        host: u32,
        after: Duration,
        how: Stop,
        down: Duration,
        comeback: Comeback,
    ) {
        self.after(after, Step::Down { host, how });
        self.after(after + down, Step::Up { host, comeback });
    }

    fn churn(
        &mut self,
        nodes: &Nodes,
        percent_per_minute: f64,
        until: Duration,
        down: Duration,
        comeback: Comeback,
    ) {
        let seconds = until.as_secs();
        let each_second = Chance::of(percent_per_minute / 100.0 / 60.0);
        for host in self.pick(nodes) {
            let mut second = 0;
            while second < seconds {
                if self.rng.chance(each_second) {
                    let at = Duration::from_secs(second)
                        + Duration::from_nanos(self.rng.below(1_000_000_000));
                    self.restart(host, at, Stop::ProcessCrashed, down, comeback);
                    second += down.as_secs();
                }
                second += 1;
            }
        }
    }

    /// Processes run, and not as they should.
    fn sicken(
        &mut self,
        nodes: &Nodes,
        lasts: Option<Duration>,
        until: Still,
        change: impl Fn(&mut Condition),
    ) {
        let hosts = self.pick(nodes);
        for &host in &hosts {
            self.world.set_condition(host, &change);
        }
        self.world.watch.measures.impair(&hosts, Impairment::Ill);
        self.ends(lasts, Step::Still(hosts, until));
    }

    fn drift(&mut self, nodes: &Nodes, millionths: i32, lasts: Option<Duration>) {
        let hosts = self.pick(nodes);
        for &host in &hosts {
            self.world.set_clock(host, |clock, now| clock.set_drift(now, millionths));
        }
        self.world.watch.measures.impair(&hosts, Impairment::Ill);
        self.ends(lasts, Step::Still(hosts, Still::Drifting));
    }

    fn leap(&mut self, nodes: &Nodes, by: Duration) {
        let hosts = self.pick(nodes);
        self.world.watch.measures.impair(&hosts, Impairment::Ill);
        for &host in &hosts {
            self.world.set_clock(host, |clock, now| clock.leap(now, by));
        }
        self.world.watch.measures.relieve(self.world.now, &hosts, Impairment::Ill);
    }

    fn partition(&mut self, sides: &[Nodes], carrier: Carrier, lasts: Option<Duration>) {
        let sides: Vec<Vec<u32>> = sides.iter().map(|side| self.pick(side)).collect();
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
        self.unlink_after(lasts, rules, concerned(&sides));
    }

    fn disturb(
        &mut self,
        [from, to]: [&Nodes; 2],
        carrier: Carrier,
        both_ways: bool,
        disturbance: &Disturbance,
        lasts: Option<Duration>,
    ) {
        let sides = [self.pick(from), self.pick(to)];
        let (from, to) = (NodeSet::of(&sides[0]), NodeSet::of(&sides[1]));
        let there = Rule { from, to, carrier, effect: disturbance.effect() };
        let back = Rule { from: there.to.clone(), to: there.from.clone(), ..there.clone() };
        let mut rules = vec![self.world.network.add(there)];
        if both_ways {
            rules.push(self.world.network.add(back));
        }
        self.unlink_after(lasts, rules, concerned(&sides));
    }

    fn unlink_after(&mut self, lasts: Option<Duration>, rules: Vec<RuleId>, hosts: Vec<u32>) {
        self.world.watch.measures.impair(&hosts, Impairment::Cut);
        self.ends(lasts, Step::Unlink(rules, hosts));
    }

    fn ends(&mut self, lasts: Option<Duration>, step: Step) {
        // What has no end of its own ends when the world calms down.
        let after = lasts.unwrap_or(self.scenario.duration + Duration::from_nanos(1));
        self.after(after, step);
    }

    fn set_seeds(&mut self, nodes: &Nodes, seeds: &Nodes) {
        for host in self.pick(nodes) {
            let seeds = self.pick(seeds);
            self.world.set_seeds(host, seeds);
        }
    }

    fn set_meta(&mut self, nodes: &Nodes, bytes: u32) {
        for host in self.pick(nodes) {
            let meta: Vec<u8> = (0..bytes).map(|_| self.rng.next().to_le_bytes()[0]).collect();
            self.world.set_meta(host, &meta);
        }
    }

    /// Datagrams go through an envelope first, as on a socket: what that refuses reaches no node.
    fn send_hostile(&mut self, to: &Nodes, packet: Hostile) {
        for host in self.pick(to) {
            let datagram = hostile::datagram(packet, &self.world.host(host).name, &mut self.rng);
            match hostile::open(&datagram) {
                Some(bodies) => {
                    for body in bodies {
                        self.world.forge(host, NOWHERE, &body);
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
        let node = &subject.name.clone();
        let message = match claim {
            Claim::Left => Message::Dead(Dead { incarnation, node, from: node }),
            Claim::Dead => Message::Dead(Dead { incarnation, node, from: "nobody" }),
            Claim::Suspect => Message::Suspect(Suspect { incarnation, node, from: "nobody" }),
            Claim::Moved => Message::Alive(Alive {
                incarnation,
                node,
                address: elsewhere(about).into(),
                meta: &[],
                versions: Versions::ours(Delegate::SERF, Mark::Mingle),
            }),
        };
        let mut body = Vec::new();
        message.encode(&mut body);
        self.world.forge(host, NOWHERE, &body);
    }
}

/// Where a node is said to be that is not there; nobody is.
fn elsewhere(host: u32) -> SocketAddr {
    let port = u16::try_from(host % u32::from(u16::MAX)).expect("it is below u16::MAX") + 1;
    SocketAddr::new(NOWHERE.ip(), port)
}

/// Whom a cut between these concerns: all but the largest side, and where there is none, all.
fn concerned(sides: &[Vec<u32>]) -> Vec<u32> {
    let most = sides.iter().map(Vec::len).max().unwrap_or(0);
    let alone = sides.iter().filter(|side| side.len() == most).count() == 1;
    let spared = |side: &&Vec<u32>| !(alone && side.len() == most);
    let hosts: BTreeSet<u32> = sides.iter().filter(spared).flatten().copied().collect();
    hosts.into_iter().collect()
}
