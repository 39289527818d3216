//! Carries out commands, one after the other.

use std::time::Duration;

use mingle_proto::{Command as Request, Instant};
use mingle_wire::{Incarnation, State};
use serde_json::Value;

use super::command::{Command, Condition, Cut, Hosts, Setup};
use super::forgery::Forgery;
use super::table;
use crate::agreement::disagreements;
use crate::network::{Effect, Latency, Rule, RuleId};
use crate::nodes::{NodeSet, Nodes};
use crate::scenario::{Address as Place, Fault, Memory, Overrides, Scenario, Standing};
use crate::tape::{self, Tape};
use crate::watch::{Onlooker as _, Watch};
use crate::world::{Condition as Health, Launch, World};

/// A script under way.
#[derive(Debug)]
pub(super) struct Runner {
    config: Overrides,
    world: Option<World>,
    cuts: Vec<RuleId>,
}

/// How often it is looked whether a condition is met.
const STEP: Duration = Duration::from_millis(1);

type Lines = Vec<String>;

/// Why a command does not come to its end.
#[derive(Debug)]
pub(super) enum Problem {
    /// It can't be done.
    Wrong(String),
    /// Something is not as it must be.
    Unmet(String),
}

impl From<String> for Problem {
    fn from(what: String) -> Self {
        Self::Wrong(what)
    }
}

impl Runner {
    pub(super) fn new() -> Self {
        Self { config: Overrides::default(), world: None, cuts: Vec::new() }
    }

    /// Does what the command says, and gives back what came of it, line by line.
    pub(super) fn carry_out(&mut self, command: Command) -> Result<Lines, Problem> {
        match command {
            Command::Config { name, value } if self.world.is_none() => {
                let value = value.parse().unwrap_or(Value::String(value));
                self.config.0.insert(name, value);
                Ok(Vec::new())
            }
            Command::Nodes(setup) if self.world.is_none() => {
                self.world = Some(self.build(&setup)?);
                Ok(Vec::new())
            }
            Command::Config { .. } => {
                Err("the nodes are there; put config above them".to_owned().into())
            }
            Command::Nodes(_) => {
                Err("there are nodes already; write one file for each world".to_owned().into())
            }
            command => {
                let told = self.act(command)?;
                let mut lines = self.tape()?.take();
                lines.extend(told);
                Ok(lines)
            }
        }
    }

    fn build(&self, setup: &Setup) -> Result<World, String> {
        let text = format!("nodes = {}\nduration = \"1s\"", setup.count);
        let mut scenario = Scenario::from_toml(&text).map_err(|error| error.sentence())?;
        scenario.config = self.config.clone();
        scenario.profile = setup.profile;
        scenario.rules = setup.rules;
        scenario.network =
            Standing { latency: Latency::Fixed { time: setup.latency }, ..Standing::default() };
        let config = scenario.config.apply(scenario.profile, scenario.rules);
        let config = config.map_err(|error| error.to_string())?;
        let room = scenario.network.packet_room as usize;
        let network = scenario.network.build(scenario.nodes);
        let mut world = World::new(config, room, network, setup.seed);
        world.watch = Watch { tape: Some(Tape::new()), ..Watch::new(&scenario) };
        world.add_hosts(setup.count);
        if setup.converged {
            world.start_converged(0).map_err(|error| error.to_string())?;
            // Nobody has to read of each that it starts.
            world.watch.tape.as_mut().map(Tape::take);
        }
        Ok(world)
    }

    fn act(&mut self, command: Command) -> Result<Lines, Problem> {
        match command {
            Command::Name { host, name } => self.name(&host, &name)?,
            Command::Start { hosts, incarnation } => {
                for host in self.down(&hosts)? {
                    self.start(host, incarnation, Place::Same)?;
                }
            }
            Command::Restart { hosts, place, memory } => self.restart(&hosts, place, memory)?,
            Command::Join { hosts, with } => {
                for with in self.pick(&with)? {
                    self.each_up(&hosts, |world, host| world.join(host, with))?;
                }
            }
            Command::Leave(hosts) => self.each_up(&hosts, |world, host| {
                world.command(host, |request| Request::Leave { request });
            })?,
            Command::Crash { hosts, how } => {
                self.each_up(&hosts, |world, host| world.stop(host, how))?;
            }
            Command::Freeze(hosts) => {
                self.tell(|nodes| Fault::Pause { nodes }, &hosts)?;
                self.change(&hosts, |health| health.frozen = true)?;
            }
            Command::Block(hosts) => {
                self.tell(|nodes| Fault::Block { nodes }, &hosts)?;
                self.change(&hosts, |health| health.blocked = true)?;
            }
            Command::Slow { hosts, late: timers, cost: per_packet } => {
                self.tell(|nodes| Fault::Slow { nodes, timers, per_packet }, &hosts)?;
                self.change(&hosts, |health| {
                    health.late = timers;
                    health.cost = per_packet;
                })?;
            }
            Command::Go(hosts) => self.change(&hosts, |health| *health = Health::default())?,
            Command::Leap { hosts, by } => self.each_up(&hosts, |world, host| {
                world.set_clock(host, |clock, now| clock.leap(now, by));
            })?,
            Command::Cut(cut) => self.cut(&cut)?,
            Command::Heal => self.heal()?,
            Command::Forge(forgery) => self.forge(&forgery)?,
            Command::Meta { hosts, meta } => {
                self.each_up(&hosts, |world, host| world.set_meta(host, meta.as_ref()))?;
            }
            Command::Run(time) => self.run(time)?,
            Command::Until { condition, within } => return self.until(&condition, within),
            Command::View { hosts, full } => return Ok(self.view(&hosts, full)?),
            Command::Count { hosts, counters } => {
                let hosts = self.up(&hosts)?;
                return Ok(table::counts(self.world()?, &hosts, &counters));
            }
            Command::Show(topics) => self.tape()?.show(&topics),
            Command::Hide(topics) => self.tape()?.hide(&topics),
            Command::About(hosts) => {
                let hosts = if hosts == Hosts::All { Vec::new() } else { self.pick(&hosts)? };
                self.tape()?.keep_to(&hosts);
            }
            Command::Config { .. } | Command::Nodes(_) => {
                unreachable!("they come before the world")
            }
        }
        Ok(Vec::new())
    }

    fn world(&mut self) -> Result<&mut World, String> {
        self.world.as_mut().ok_or_else(|| "nothing is there yet; begin with nodes COUNT".to_owned())
    }

    fn tape(&mut self) -> Result<&mut Tape, String> {
        Ok(self.world()?.watch.tape.as_mut().expect("it was put in when the world was built"))
    }

    /// The hosts that are meant; each exists.
    fn pick(&mut self, hosts: &Hosts) -> Result<Vec<u32>, String> {
        let all = self.world()?.all();
        match hosts {
            Hosts::All => Ok(all.collect()),
            Hosts::List(list) => match list.iter().find(|host| !all.contains(host)) {
                Some(host) => Err(format!("there is no n{host}; the last one is n{}", all.end - 1)),
                None => Ok(list.clone()),
            },
        }
    }

    /// Those that run: of all, or each that is named, which then must.
    fn up(&mut self, hosts: &Hosts) -> Result<Vec<u32>, String> {
        let mut picked = self.pick(hosts)?;
        let world = self.world()?;
        if *hosts == Hosts::All {
            picked.retain(|&host| world.host(host).is_up());
        }
        match picked.iter().find(|&&host| !world.host(host).is_up()) {
            Some(host) => Err(format!("n{host} does not run; start it first")),
            None => Ok(picked),
        }
    }

    /// Those that do not run.
    fn down(&mut self, hosts: &Hosts) -> Result<Vec<u32>, String> {
        let mut picked = self.pick(hosts)?;
        let world = self.world()?;
        if *hosts == Hosts::All {
            picked.retain(|&host| !world.host(host).is_up());
        }
        match picked.iter().find(|&&host| world.host(host).is_up()) {
            Some(host) => Err(format!("n{host} runs already; crash it or let it leave first")),
            None => Ok(picked),
        }
    }

    fn each_up(
        &mut self,
        hosts: &Hosts,
        mut act: impl FnMut(&mut World, u32),
    ) -> Result<(), String> {
        for host in self.up(hosts)? {
            act(self.world()?, host);
        }
        Ok(())
    }

    /// Lets the checkers know what is done to the nodes.
    fn tell(&mut self, fault: impl FnOnce(Nodes) -> Fault, hosts: &Hosts) -> Result<(), String> {
        let nodes = Nodes::list(&self.pick(hosts)?);
        let world = self.world()?;
        world.watch.fault(world.now, &fault(nodes));
        Ok(())
    }

    fn change(&mut self, hosts: &Hosts, change: impl Fn(&mut Health)) -> Result<(), String> {
        self.each_up(hosts, |world, host| world.set_condition(host, &change))
    }

    fn name(&mut self, host: &Hosts, name: &str) -> Result<(), String> {
        for host in self.down(host)? {
            name.clone_into(&mut self.world()?.hosts[host as usize].name);
        }
        Ok(())
    }

    fn start(&mut self, host: u32, incarnation: Incarnation, place: Place) -> Result<(), String> {
        let elsewhere = place == Place::New;
        let launch = Launch { incarnation, elsewhere, seeds: Vec::new() };
        self.world()?.start(host, launch).map_err(|error| error.to_string())
    }

    fn restart(&mut self, hosts: &Hosts, place: Place, memory: Memory) -> Result<(), String> {
        for host in self.down(hosts)? {
            let saved = self.world()?.host(host).saved;
            let incarnation = match memory {
                Memory::Kept => saved.next(),
                Memory::Lost => Incarnation::FIRST,
            };
            self.start(host, incarnation, place)?;
        }
        Ok(())
    }

    fn cut(&mut self, cut: &Cut) -> Result<(), String> {
        let (from, to) = (NodeSet::of(&self.pick(&cut.from)?), NodeSet::of(&self.pick(&cut.to)?));
        let rule = Rule { from, to, carrier: cut.carrier, effect: Effect::Cut };
        let back = Rule { from: rule.to.clone(), to: rule.from.clone(), ..rule.clone() };
        for rule in std::iter::once(rule).chain(cut.both_ways.then_some(back)) {
            let id = self.world()?.network.add(rule);
            self.cuts.push(id);
        }
        Ok(())
    }

    fn heal(&mut self) -> Result<(), String> {
        for rule in std::mem::take(&mut self.cuts) {
            self.world()?.network.remove(rule);
        }
        Ok(())
    }

    fn forge(&mut self, forgery: &Forgery) -> Result<(), Problem> {
        self.pick(&Hosts::List(vec![forgery.about]))?;
        self.tell(|to| forgery.fault(to), &forgery.to)?;
        self.each_up(&forgery.to, |world, host| forgery.send(world, host))?;
        self.run(Duration::ZERO)
    }

    fn view(&mut self, hosts: &Hosts, full: bool) -> Result<Lines, String> {
        let hosts = self.up(hosts)?;
        let world = self.world()?;
        Ok(if full { table::full(world, &hosts) } else { table::short(world, &hosts) })
    }

    fn run(&mut self, time: Duration) -> Result<(), Problem> {
        let end = self.world()?.now + time;
        self.run_until(end)
    }

    fn run_until(&mut self, end: Instant) -> Result<(), Problem> {
        let world = self.world()?;
        world.run_until(end);
        match world.watch.checks.findings().first() {
            Some(finding) => {
                let (checker, what) = (finding.checker, &finding.what);
                Err(Problem::Unmet(format!("the checker {checker} found: {what}")))
            }
            None => Ok(()),
        }
    }

    fn until(&mut self, condition: &Condition, within: Duration) -> Result<Lines, Problem> {
        let (began, text) = (self.world()?.now, self.describe(condition)?);
        let end = began + within;
        while let Err(instead) = self.holds(condition)? {
            let now = self.world()?.now;
            if now >= end {
                let within = humantime::format_duration(within);
                return Err(Problem::Unmet(format!("after {within} {text}; {instead}")));
            }
            self.run_until((now + STEP).min(end))?;
        }
        let now = self.world()?.now;
        let text = format!("so it is, after {:.3?}", now.since(began));
        Ok(vec![tape::line(now, "", "", "", &text)])
    }

    /// What is said when the condition is not met.
    fn describe(&mut self, condition: &Condition) -> Result<String, String> {
        Ok(match condition {
            Condition::Agree => "not all agree".to_owned(),
            Condition::Health { score, .. } => format!("the health score is not {score}"),
            Condition::Sees { viewers, about, state } => {
                self.pick(&Hosts::List(vec![*about]))?;
                let viewers: Vec<String> = self.up(viewers)?.into_iter().map(tape::label).collect();
                let state = state.map_or("unknown", State::as_str);
                format!("{} does not see n{about} {state}", viewers.join(" and "))
            }
        })
    }

    /// Whether the condition is met; else what is so instead.
    fn holds(&mut self, condition: &Condition) -> Result<Result<(), String>, String> {
        match condition {
            Condition::Agree => Ok(match disagreements(self.world()?).first() {
                None => Ok(()),
                Some(first) => Err(first.to_string()),
            }),
            Condition::Health { hosts, score } => {
                for host in self.up(hosts)? {
                    let node = self.world()?.host(host).node.as_ref().expect("it runs");
                    if node.health() != *score {
                        return Ok(Err(format!("n{host} has {}", node.health())));
                    }
                }
                Ok(Ok(()))
            }
            Condition::Sees { viewers, about, state } => {
                let name = self.world()?.host(*about).name.clone();
                for viewer in self.up(viewers)? {
                    let node = self.world()?.host(viewer).node.as_ref().expect("it runs");
                    let seen = node.member(&name).map(|member| member.state);
                    if seen != *state {
                        let seen = seen.map_or("nothing of it", State::as_str);
                        return Ok(Err(format!("it sees {seen}")));
                    }
                }
                Ok(Ok(()))
            }
        }
    }
}
