//! A few nodes on a perfect network in virtual time, with a rule for what gets through.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use mingle_proto::{
    Answer, Change, Command, Config, Content, Counter, Done, Event, ExchangeEnd, ExchangeId, Input,
    Instant, Local, Node, Output, RequestError, RequestId, Room,
};
use mingle_wire::{State, memberlist};

const LATENCY: Duration = Duration::from_millis(1);

/// Whether something from one node gets to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    Packet,
    Stream,
}

type Rule = Box<dyn Fn(usize, usize, Carrier) -> bool>;

enum Delivery {
    Packet { from: SocketAddr, body: Vec<u8> },
    Dialled { by: usize, exchange: ExchangeId, body: Vec<u8> },
    Answer { exchange: ExchangeId, body: Vec<u8> },
    Ended { exchange: ExchangeId, end: ExchangeEnd },
}

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) nodes: Vec<Node>,
    pub(crate) up: Vec<bool>,
    pub(crate) events: Vec<(Instant, usize, Event)>,
    /// Every packet that was sent: when, from whom, to where, and its body.
    pub(crate) packets: Vec<(Instant, usize, SocketAddr, Vec<u8>)>,
    /// How often each was woken.
    pub(crate) wakes: Vec<u32>,
    pub(crate) user_states: Vec<Vec<u8>>,
    /// How much longer it takes to get to a node and from it.
    pub(crate) far: BTreeMap<usize, Duration>,
    rule: Rule,
    queue: BTreeMap<(Instant, u64), (usize, Delivery)>,
    dialled: BTreeMap<u64, (usize, ExchangeId)>,
    next: u64,
}

pub(crate) fn address(node: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, u8::try_from(node + 1).unwrap()], 7946))
}

pub(crate) fn name(node: usize) -> String {
    format!("n{node}")
}

/// What a node has counted.
pub(crate) fn count(world: &World, node: usize, counter: Counter) -> u64 {
    world.nodes[node].counters().get(counter)
}

/// What became of the commands of a node, in their order.
pub(crate) fn results(world: &World, node: usize) -> Vec<Result<Done, RequestError>> {
    let results = world.events.iter().filter_map(|(_, at, event)| match event {
        Event::Completed { result, .. } if *at == node => Some(result.clone()),
        _ => None,
    });
    results.collect()
}

impl World {
    /// Nodes that do not know each other yet.
    pub(crate) fn new(count: usize, config: &Config) -> Self {
        let mut world = Self {
            now: Instant::ORIGIN,
            nodes: Vec::new(),
            up: Vec::new(),
            events: Vec::new(),
            packets: Vec::new(),
            wakes: Vec::new(),
            user_states: Vec::new(),
            far: BTreeMap::new(),
            rule: Box::new(|_, _, _| true),
            queue: BTreeMap::new(),
            dialled: BTreeMap::new(),
            next: 0,
        };
        for i in 0..count {
            world.add(config, Local::new(name(i), address(i).into()));
        }
        world
    }

    /// Nodes that all know each other.
    pub(crate) fn joined(count: usize, config: &Config) -> Self {
        let mut world = Self::new(count, config);
        for i in 1..count {
            world.join(i, 0);
        }
        world.run(Duration::from_secs(40));
        assert!(world.all_see_all(), "the cluster forms");
        world.events.clear();
        world.packets.clear();
        world
    }

    pub(crate) fn add(&mut self, config: &Config, local: Local) -> usize {
        let seed = self.nodes.len() as u64 + 100;
        self.nodes.push(Node::new(config.clone(), local, seed, self.now).unwrap());
        self.up.push(true);
        self.wakes.push(0);
        self.user_states.push(Vec::new());
        self.nodes.len() - 1
    }

    /// Only what the rule lets through arrives.
    pub(crate) fn set_rule(&mut self, rule: impl Fn(usize, usize, Carrier) -> bool + 'static) {
        self.rule = Box::new(rule);
    }

    pub(crate) fn heal(&mut self) {
        self.set_rule(|_, _, _| true);
    }

    pub(crate) fn join(&mut self, node: usize, with: usize) {
        let (request, to) = (RequestId(node as u64), address(with));
        self.command(node, Command::Join { request, to });
    }

    pub(crate) fn command(&mut self, node: usize, command: Command<'_>) {
        self.input(node, Input::Command(command));
    }

    /// A packet out of nowhere.
    pub(crate) fn inject(&mut self, node: usize, from: SocketAddr, body: &[u8]) {
        self.input(node, Input::Packet { from, received: self.now, body });
    }

    pub(crate) fn input(&mut self, node: usize, input: Input<'_>) {
        self.nodes[node].handle(self.now, input);
        self.drain(node);
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    /// Lets one node sleep, with everything that is sent to it waiting.
    pub(crate) fn run_without(&mut self, node: usize, time: Duration) {
        let end = self.now + time;
        let mut held = Vec::new();
        loop {
            let next = self.next_instant(Some(node)).filter(|&at| at <= end);
            let Some(at) = next else { break };
            self.now = at;
            let due: Vec<_> = self.queue.range(..=(at, u64::MAX)).map(|(&key, _)| key).collect();
            for key in due {
                let (to, delivery) = self.queue.remove(&key).unwrap();
                if to == node { held.push(delivery) } else { self.deliver(to, delivery) }
            }
            self.fire(Some(node));
        }
        self.now = end;
        for delivery in held {
            self.push(self.now, node, delivery);
        }
    }

    fn step(&mut self, end: Instant) -> bool {
        let Some(at) = self.next_instant(None).filter(|&at| at <= end) else { return false };
        self.now = self.now.max(at);
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let (to, delivery) = entry.remove();
            self.deliver(to, delivery);
        }
        self.fire(None);
        true
    }

    fn next_instant(&self, without: Option<usize>) -> Option<Instant> {
        let timers = (0..self.nodes.len())
            .filter(|&i| self.up[i] && Some(i) != without)
            .filter_map(|i| self.nodes[i].poll_timeout());
        timers.chain(self.queue.keys().next().map(|&(at, _)| at)).min()
    }

    fn fire(&mut self, without: Option<usize>) {
        for i in (0..self.nodes.len()).filter(|&i| Some(i) != without) {
            if self.up[i] && self.nodes[i].poll_timeout().is_some_and(|at| at <= self.now) {
                self.wakes[i] += 1;
                self.input(i, Input::Timeout);
            }
        }
    }

    fn deliver(&mut self, to: usize, delivery: Delivery) {
        if !self.up[to] {
            return;
        }
        match delivery {
            Delivery::Packet { from, body } => {
                self.input(to, Input::Packet { from, received: self.now, body: &body });
            }
            Delivery::Dialled { by, exchange, body } => {
                self.next += 1;
                self.dialled.insert(self.next, (by, exchange));
                let exchange = ExchangeId::Theirs(self.next);
                self.input(to, Input::Exchange { exchange, from: address(by), body: &body });
            }
            Delivery::Answer { exchange, body } => {
                self.input(to, Input::ExchangeMessage { exchange, body: &body });
            }
            Delivery::Ended { exchange, end } => {
                self.input(to, Input::ExchangeEnded { exchange, end });
            }
        }
    }

    fn push(&mut self, at: Instant, to: usize, delivery: Delivery) {
        self.next += 1;
        self.queue.insert((at, self.next), (to, delivery));
    }

    fn drain(&mut self, node: usize) {
        let mut buffer = Vec::new();
        while let Some(output) = self.nodes[node].poll_output(Room::of_packet(1400), &mut buffer) {
            self.perform(node, output, &mut buffer);
        }
    }

    fn perform(&mut self, node: usize, output: Output, buffer: &mut Vec<u8>) {
        match output {
            Output::Packet { to, .. } => {
                assert!(buffer.len() <= 1400, "a packet keeps within its room");
                self.packets.push((self.now, node, to, buffer.clone()));
                if let Some(target) = self.reachable(node, to, Carrier::Packet) {
                    let at = self.now + self.latency(node, target);
                    let (from, body) = (address(node), buffer.clone());
                    self.push(at, target, Delivery::Packet { from, body });
                }
            }
            Output::Dial { exchange, to, deadline, answer, content } => {
                self.add_user_state(node, content, buffer);
                let body = buffer.clone();
                match self.reachable(node, to, Carrier::Stream) {
                    Some(target) if self.up[target] => {
                        let at = self.now + self.latency(node, target);
                        self.push(at, target, Delivery::Dialled { by: node, exchange, body });
                        if answer == Answer::None {
                            let end = ExchangeEnd::Closed;
                            self.push(at, node, Delivery::Ended { exchange, end });
                        }
                    }
                    Some(_) | None => {
                        let end = ExchangeEnd::TimedOut;
                        self.push(deadline, node, Delivery::Ended { exchange, end });
                    }
                }
            }
            Output::Reply { exchange: ExchangeId::Theirs(number), content } => {
                self.add_user_state(node, content, buffer);
                let (by, exchange) = self.dialled.remove(&number).unwrap();
                let at = self.now + self.latency(node, by);
                self.push(at, by, Delivery::Answer { exchange, body: buffer.clone() });
            }
            Output::Reply { exchange, .. } => panic!("nothing more is said on {exchange:?}"),
            Output::Close { exchange: ExchangeId::Theirs(number) } => {
                if let Some((by, exchange)) = self.dialled.remove(&number) {
                    let end = ExchangeEnd::Closed;
                    let at = self.now + self.latency(node, by);
                    self.push(at, by, Delivery::Ended { exchange, end });
                }
            }
            Output::Close { .. } => {}
            Output::Event(event) => self.events.push((self.now, node, event)),
        }
    }

    fn latency(&self, a: usize, b: usize) -> Duration {
        let farther = |node| self.far.get(&node).copied().unwrap_or_default();
        LATENCY + farther(a) + farther(b)
    }

    fn add_user_state(&self, node: usize, content: Content, buffer: &mut Vec<u8>) {
        if let Content::PushPull { .. } = content {
            memberlist::append_user_state(buffer, &self.user_states[node]);
        }
    }

    fn reachable(&self, from: usize, to: SocketAddr, carrier: Carrier) -> Option<usize> {
        let target =
            (0..self.nodes.len()).find(|&i| self.nodes[i].local().address() == to.into())?;
        (self.rule)(from, target, carrier).then_some(target)
    }

    pub(crate) fn state(&self, viewer: usize, of: usize) -> Option<State> {
        self.nodes[viewer].member(&name(of)).map(|member| member.state)
    }

    pub(crate) fn all_see_all(&self) -> bool {
        let up: Vec<usize> = (0..self.nodes.len()).filter(|&i| self.up[i]).collect();
        up.iter().all(|&a| up.iter().all(|&b| self.state(a, b) == Some(State::Alive)))
    }

    pub(crate) fn changes(&self, viewer: usize, of: usize) -> Vec<Change> {
        let of = name(of);
        let changes = self.events.iter().filter_map(|(_, at, event)| match event {
            Event::Member { change, member, .. } if *at == viewer && member.name() == of => {
                Some(*change)
            }
            _ => None,
        });
        changes.collect()
    }
}
