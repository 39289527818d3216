//! One real node among peers that are modelled: larger clusters than memory holds, as one of their
//! nodes sees them.
//!
//! A peer is a bit, whether it is up, and an incarnation. It answers pings, also on streams and for
//! others, answers and begins exchanges of views with the truth, and probes and gossips as often as
//! each node of such a cluster is probed and gossiped to. What is told is the queue of an average
//! peer: each suspicion, death and return is told as often as the retransmit limit says, the least
//! told first, in packets that are as full as real ones.

mod news;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mingle_proto::{
    Answer, Change, Config, Event, ExchangeEnd, ExchangeId, Input, Instant, Local, Member, Node,
    Output, Room,
};
use mingle_wire::memberlist::{self, PushPullWriter};
use mingle_wire::{
    Ack, Alive, Dead, Delegate, Incarnation, Mark, Message, Nack, NodeState, Ping, SeqNo, Source,
    State, StreamMessage, Suspect, Versions,
};

use crate::agreement::Disagreement;
use crate::measure::Measured;
use crate::network::{Link, Network};
use crate::outcome::{Came, Outcome};
use crate::repeat::Progress;
use crate::rng::{Chance, Rng};
use crate::scenario::{Crowd as Size, Scenario, ScenarioError};
use crate::watch::{Onlooker as _, Sent, Turn, Watch};
use crate::world::Transcript;
use news::News;

/// The world of one real node.
#[derive(Debug)]
struct Crowd<'s> {
    scenario: &'s Scenario,
    size: Size,
    config: Config,
    now: Instant,
    node: Node,
    peers: Vec<Peer>,
    news: News,
    coming: BTreeMap<(Instant, u64), Coming>,
    order: u64,
    network: Network,
    rng: Rng,
    watch: Watch,
    transcript: Transcript,
    inputs: u64,
    next_theirs: u64,
    buffer: Vec<u8>,
    false_failures: u64,
    churns: bool,
}

#[derive(Clone, Copy, Debug)]
struct Peer {
    up: bool,
    incarnation: Incarnation,
}

/// What comes, at its time.
#[derive(Debug)]
enum Coming {
    /// A packet for the node.
    Packet { from: u32, body: Vec<u8> },
    /// A message on an exchange that it dialled.
    Answer { exchange: ExchangeId, body: Vec<u8> },
    /// The end of one.
    End { exchange: ExchangeId, end: ExchangeEnd },
    /// Somebody probes it.
    Probe,
    /// Somebody gossips to it.
    Gossip,
    /// Somebody exchanges views with it.
    PushPull,
    /// Peers crash; once a second.
    Churn,
    /// A peer is suspected, if it is still down at this incarnation.
    Suspected { peer: u32, incarnation: Incarnation },
    /// It is declared dead.
    Declared { peer: u32, incarnation: Incarnation },
    /// It is back.
    Returned { peer: u32 },
}

/// The node's name; peers are called p0 and so on.
const NAME: &str = "n0";
const PORT: u16 = 7946;
/// How often the calm crowd is asked whether the node sees what is so.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Disagreements that are told.
const MOST: usize = 50;

/// Runs a scenario that has a crowd.
pub(crate) fn run(
    scenario: &Scenario,
    size: Size,
    (seed, watch): (u64, Watch),
    progress: &Progress,
) -> Result<Outcome, ScenarioError> {
    scenario.check()?;
    let mut crowd = Crowd::new(scenario, size, (seed, watch))?;
    let end = Instant::ORIGIN + scenario.duration;
    while crowd.now < end && !crowd.watch.wants_to_stop() {
        let before = crowd.now;
        crowd.run_until(end.min(before + Duration::from_secs(1)));
        progress.passed(crowd.now.since(before));
        if progress.is_stopped() {
            return Err(ScenarioError::Stopped);
        }
    }
    crowd.churns = false;
    crowd.watch.calm(crowd.now);
    let agreed = crowd.wait_for_agreement();
    Ok(crowd.outcome(seed, agreed))
}

impl<'s> Crowd<'s> {
    fn new(
        scenario: &'s Scenario,
        size: Size,
        (seed, watch): (u64, Watch),
    ) -> Result<Self, ScenarioError> {
        let config = scenario.config.apply(scenario.profile, scenario.rules)?;
        let mut rng = Rng::new(seed);
        let node_seed = rng.next();
        let peers = vec![Peer { up: true, incarnation: Incarnation::FIRST }; size.peers as usize];
        let members: Vec<Member> =
            (0..size.peers).map(|peer| member(&config, peer)).collect::<Result<_, _>>()?;
        let local = Local::new(NAME, address_of_node().into());
        let node = Node::among(config.clone(), local, node_seed, Instant::ORIGIN, &members)
            .map_err(|error| ScenarioError::Config { what: error.to_string() })?;
        let count = f64::from(size.peers) + 2.0;
        let digits = rounded_up(libm::log10(count));
        let mut crowd = Self {
            scenario,
            size,
            now: Instant::ORIGIN,
            node,
            peers,
            news: News::new(config.retransmit_mult.saturating_mul(digits)),
            coming: BTreeMap::new(),
            order: 0,
            network: scenario.network.build(1),
            rng,
            watch,
            transcript: Transcript::default(),
            inputs: 0,
            next_theirs: 0,
            buffer: Vec::new(),
            false_failures: 0,
            churns: true,
            config,
        };
        crowd.watch.started(Instant::ORIGIN, 0, Instant::ORIGIN, &crowd.node);
        crowd.drain();
        for periodic in [Coming::Probe, Coming::Gossip, Coming::PushPull, Coming::Churn] {
            crowd.again(periodic);
        }
        Ok(crowd)
    }

    /// Plans the next time of something that comes over and over: at random times, as from many
    /// peers with periods of their own.
    fn again(&mut self, what: Coming) {
        let config = &self.config;
        let mean = match what {
            Coming::Probe => config.probe_interval,
            Coming::Gossip => config.gossip_interval / config.gossip_nodes.max(1),
            Coming::PushPull => {
                let doublings = libm::log2(f64::from(self.size.peers.max(32)) / 32.0);
                config.push_pull_interval.saturating_mul(1 + rounded_up(doublings))
            }
            Coming::Churn => return self.plan(Duration::from_secs(1), what),
            Coming::Packet { .. }
            | Coming::Answer { .. }
            | Coming::End { .. }
            | Coming::Suspected { .. }
            | Coming::Declared { .. }
            | Coming::Returned { .. } => unreachable!("it comes once"),
        };
        if !mean.is_zero() {
            let after = self.rng.time_within(Duration::ZERO, mean * 2);
            self.plan(after, what);
        }
    }

    fn plan(&mut self, after: Duration, what: Coming) {
        self.order += 1;
        self.coming.insert((self.now + after, self.order), what);
    }

    fn run_until(&mut self, end: Instant) {
        while !self.watch.wants_to_stop() {
            let next = self.coming.first_key_value().map(|(&(at, _), _)| at);
            let due = self.node.poll_timeout();
            let Some(at) = next.into_iter().chain(due).min().filter(|&at| at <= end) else { break };
            self.now = self.now.max(at);
            // What has arrived comes before deadlines, as in the driver.
            if next == Some(at) {
                let (_, what) = self.coming.pop_first().expect("it has just been seen");
                self.come(what);
            } else {
                self.input(Input::Timeout);
            }
        }
        self.now = self.now.max(end);
    }

    fn come(&mut self, what: Coming) {
        match what {
            Coming::Packet { from, body } => {
                let from = address(from);
                self.input(Input::Packet { from, received: self.now, body: &body });
            }
            Coming::Answer { exchange, body } => {
                self.input(Input::ExchangeMessage { exchange, body: &body });
            }
            Coming::End { exchange, end } => self.input(Input::ExchangeEnded { exchange, end }),
            Coming::Probe => self.probe(),
            Coming::Gossip => self.gossip(),
            Coming::PushPull => self.push_pull(),
            Coming::Churn => self.churn(),
            Coming::Suspected { peer, incarnation } => {
                if self.is_down_at(peer, incarnation) {
                    let (node, from) = (name(peer), name(self.somebody()));
                    let message =
                        Message::Suspect(Suspect { incarnation, node: &node, from: &from });
                    self.tell(peer, &message);
                }
            }
            Coming::Declared { peer, incarnation } => {
                if self.is_down_at(peer, incarnation) {
                    let (node, from) = (name(peer), name(self.somebody()));
                    self.tell(peer, &Message::Dead(Dead { incarnation, node: &node, from: &from }));
                }
            }
            Coming::Returned { peer } => self.rise(peer),
        }
    }

    fn is_down_at(&self, peer: u32, incarnation: Incarnation) -> bool {
        let is = self.peers[peer as usize];
        !is.up && is.incarnation == incarnation
    }

    /// A peer is up, at a higher incarnation than before.
    fn rise(&mut self, peer: u32) {
        let is = &mut self.peers[peer as usize];
        is.up = true;
        is.incarnation = is.incarnation.next();
        let (incarnation, node) = (is.incarnation, name(peer));
        self.tell(peer, &Message::Alive(alive(&node, peer, incarnation)));
    }

    fn tell(&mut self, peer: u32, message: &Message<'_>) {
        let mut spelling = Vec::new();
        message.encode(&mut spelling);
        self.news.add(peer, spelling);
    }

    fn churn(&mut self) {
        self.again(Coming::Churn);
        if !self.churns {
            return;
        }
        let each = Chance::of(self.size.percent_per_minute / 100.0 / 60.0);
        for peer in 0..self.size.peers {
            if self.peers[peer as usize].up && self.rng.chance(each) {
                self.crash(peer);
            }
        }
    }

    /// Somebody probes it within about two probe intervals, and the suspicion runs its minimum: in a
    /// large cluster others confirm it at once.
    fn crash(&mut self, peer: u32) {
        let is = &mut self.peers[peer as usize];
        is.up = false;
        let incarnation = is.incarnation;
        let interval = self.config.probe_interval;
        let log = libm::log10(f64::from(self.size.peers)).max(1.0);
        let noticed = self.rng.time_within(interval, interval * 2);
        let runs = interval.mul_f64(f64::from(self.config.suspicion_mult) * log);
        self.plan(noticed, Coming::Suspected { peer, incarnation });
        self.plan(noticed + runs, Coming::Declared { peer, incarnation });
        self.plan(self.size.down, Coming::Returned { peer });
    }

    /// A peer that is up; the first one when that is hard to find.
    fn somebody(&mut self) -> u32 {
        for _ in 0..64 {
            let peer = u32::try_from(self.rng.below(u64::from(self.size.peers))).unwrap_or(0);
            if self.peers[peer as usize].up {
                return peer;
            }
        }
        0
    }

    fn probe(&mut self) {
        self.again(Coming::Probe);
        let from = self.somebody();
        let node = name(from);
        let source = Source { address: Some(address(from).into()), node: &node };
        let ping = Message::Ping(Ping { seq: SeqNo(1), node: NAME, source });
        self.send(from, &ping);
    }

    fn gossip(&mut self) {
        self.again(Coming::Gossip);
        if !self.news.is_empty() {
            let from = self.somebody();
            let mut body = Vec::new();
            self.news.tell(&mut body, self.scenario.network.packet_room as usize);
            self.send_body(from, body);
        }
    }

    /// Sends a message to the node, with news beside it.
    fn send(&mut self, from: u32, message: &Message<'_>) {
        let mut body = Vec::new();
        message.encode(&mut body);
        self.news.tell(&mut body, self.scenario.network.packet_room as usize);
        self.send_body(from, body);
    }

    fn send_body(&mut self, from: u32, body: Vec<u8>) {
        if let Some(after) = self.packet_takes(body.len()) {
            self.plan(after, Coming::Packet { from, body });
        }
    }

    fn packet_takes(&mut self, bytes: usize) -> Option<Duration> {
        let link = Link { from: 0, to: 0 };
        Some(self.network.packet(link, bytes, self.now, &mut self.rng)?.after)
    }

    fn message_takes(&mut self, bytes: usize) -> Option<Duration> {
        let link = Link { from: 0, to: 0 };
        Some(self.network.message(link, bytes, self.now, &mut self.rng)?.after)
    }

    fn push_pull(&mut self) {
        self.again(Coming::PushPull);
        let from = address(self.somebody());
        self.next_theirs += 1;
        let exchange = ExchangeId::Theirs(self.next_theirs);
        let body = self.view();
        self.input(Input::Exchange { exchange, from, body: &body });
    }

    /// The truth, as a peer's view.
    fn view(&self) -> Vec<u8> {
        let mut view = Vec::new();
        let mut writer = PushPullWriter::new(&mut view, false, self.size.peers + 1);
        let me = self.node.local();
        let alive_of_node = Alive {
            incarnation: me.incarnation,
            node: me.name(),
            address: me.address(),
            meta: me.meta(),
            versions: me.versions(),
        };
        writer.record(&NodeState { state: State::Alive, alive: alive_of_node });
        for (number, peer) in (0..).zip(&self.peers) {
            let node = name(number);
            let state = if peer.up { State::Alive } else { State::Dead };
            writer.record(&NodeState { state, alive: alive(&node, number, peer.incarnation) });
        }
        writer.finish();
        memberlist::append_user_state(&mut view, &[]);
        view
    }

    fn input(&mut self, input: Input<'_>) {
        self.inputs += 1;
        self.transcript.add(self.now.as_nanos());
        match input {
            Input::Packet { body, .. }
            | Input::Exchange { body, .. }
            | Input::ExchangeMessage { body, .. } => self.transcript.add_bytes(body),
            Input::ExchangeEnded { .. }
            | Input::SendFailed { .. }
            | Input::Timeout
            | Input::Command(_) => {}
        }
        self.watch.before(self.now, 0, &input);
        self.node.handle(self.now, input);
        self.drain();
        self.watch.handled(self.now, 0, self.now, &self.node);
    }

    fn drain(&mut self) {
        let room = self.scenario.network.packet_room as usize;
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some(output) = self.node.poll_output(Room::of_packet(room), &mut buffer) {
            self.perform(output, &mut buffer);
        }
        self.buffer = buffer;
    }

    fn perform(&mut self, output: Output, buffer: &mut Vec<u8>) {
        match output {
            Output::Packet { to, .. } => {
                let room = self.scenario.network.packet_room as usize;
                let is_busy = self.node.is_busy();
                self.watch.sent(self.now, Sent { host: 0, to, room, is_busy, body: buffer });
                self.transcript.add_bytes(buffer);
                self.network.traffic.packets += 1;
                self.network.traffic.packet_bytes += buffer.len() as u64;
                if self.packet_takes(buffer.len()).is_some() {
                    self.receive(to, buffer);
                }
            }
            Output::Dial { exchange, to, answer, .. } => {
                self.watch.exchange(self.now, 0, exchange, Turn::Dial);
                self.stream(to, exchange, answer, buffer);
            }
            Output::Reply { exchange, .. } => {
                self.watch.exchange(self.now, 0, exchange, Turn::Reply);
                memberlist::append_user_state(buffer, &[]);
                self.transcript.add_bytes(buffer);
                self.network.traffic.stream_bytes += buffer.len() as u64;
                self.watch.sent_message(self.now, 0, address(0), buffer);
            }
            Output::Close { exchange } => {
                self.watch.exchange(self.now, 0, exchange, Turn::Close);
            }
            Output::Event(event) => self.told(&event),
        }
    }

    /// A peer takes in what the node has sent, and answers. Which way is longer makes no difference
    /// here, so all of it is on the way back.
    fn receive(&mut self, to: SocketAddr, body: &[u8]) {
        let Some(peer) = number(to, self.size.peers) else { return };
        if !self.peers[peer as usize].up {
            self.network.traffic.packets_undeliverable += 1;
            return;
        }
        for message in memberlist::messages(body).flatten() {
            match message {
                Message::Ping(ping) => {
                    self.send(peer, &Message::Ack(Ack { seq: ping.seq, payload: &[] }));
                }
                Message::IndirectPing(ping) => {
                    let target = number(ping.target.socket_addr(), self.size.peers);
                    let up = target.is_some_and(|target| self.peers[target as usize].up);
                    if up {
                        self.send(peer, &Message::Ack(Ack { seq: ping.seq, payload: &[] }));
                    } else if ping.nack {
                        let body = spelled(&Message::Nack(Nack { seq: ping.seq }));
                        self.plan(
                            self.config.probe_timeout.mul_f64(0.8),
                            Coming::Packet { from: peer, body },
                        );
                    }
                }
                Message::Suspect(Suspect { incarnation, node, .. })
                | Message::Dead(Dead { incarnation, node, .. }) => {
                    self.refute(node, incarnation);
                }
                Message::Ack(_) | Message::Nack(_) | Message::Alive(_) | Message::User(_) => {}
            }
        }
    }

    /// A peer that is up and hears that it is not says so.
    fn refute(&mut self, of: &str, at: Incarnation) {
        let Some(peer) = of.strip_prefix('p').and_then(|number| number.parse::<u32>().ok()) else {
            return;
        };
        let Some(is) = self.peers.get_mut(peer as usize).filter(|is| is.up) else { return };
        if at >= is.incarnation {
            is.incarnation = at;
            self.rise(peer);
        }
    }

    fn stream(&mut self, to: SocketAddr, exchange: ExchangeId, answer: Answer, body: &mut Vec<u8>) {
        let answers = match memberlist::decode_stream(body) {
            Ok(StreamMessage::Ping(ping)) => {
                let mut spelling = Vec::new();
                StreamMessage::Ack(Ack { seq: ping.seq, payload: &[] }).encode(&mut spelling);
                Some(spelling)
            }
            _ if answer == Answer::Expected => {
                memberlist::append_user_state(body, &[]);
                Some(self.view())
            }
            _ => None,
        };
        self.network.traffic.streams += 1;
        self.network.traffic.stream_bytes += body.len() as u64;
        self.watch.sent_message(self.now, 0, to, body);
        self.transcript.add_bytes(body);
        let up = number(to, self.size.peers).is_some_and(|peer| self.peers[peer as usize].up);
        let bytes = answers.as_ref().map_or(0, Vec::len);
        let takes = self.message_takes(bytes.max(body.len())).filter(|_| up);
        match (takes, answers) {
            (Some(after), Some(body)) => self.plan(after, Coming::Answer { exchange, body }),
            (Some(after), None) => {
                self.plan(after, Coming::End { exchange, end: ExchangeEnd::Closed });
            }
            (None, _) => {
                self.network.traffic.streams_failed += 1;
                let after = Duration::from_millis(1);
                self.plan(after, Coming::End { exchange, end: ExchangeEnd::Unreachable });
            }
        }
    }

    fn told(&mut self, event: &Event) {
        self.watch.event(self.now, 0, self.now, event);
        let Event::Member { change: Change::Failed, member, .. } = event else { return };
        let peer = number(member.address().socket_addr(), self.size.peers);
        let is = peer.and_then(|peer| self.peers.get(peer as usize));
        if is.is_some_and(|is| is.up && is.incarnation <= member.incarnation) {
            self.false_failures += 1;
        }
    }

    fn wait_for_agreement(&mut self) -> Result<Duration, Vec<Disagreement>> {
        let from = self.now;
        let most = self.scenario.calm.unwrap_or(self.config.push_pull_interval * 40);
        loop {
            let found = self.disagreements();
            if found.is_empty() {
                return Ok(self.now.since(from));
            }
            if self.now.since(from) >= most || self.watch.wants_to_stop() {
                return Err(found);
            }
            self.run_until(self.now + LOOK_AGAIN);
        }
    }

    fn disagreements(&self) -> Vec<Disagreement> {
        let mut found = Vec::new();
        for (number, is) in (0..).zip(&self.peers) {
            let about = name(number);
            let seen = self.node.member(&about);
            let sees_live = seen.as_ref().is_some_and(|member| member.state == State::Alive);
            if sees_live != is.up && found.len() < MOST {
                let sees = seen.map_or("not at all".to_owned(), |seen| seen.state.to_string());
                let truth = if is.up { "up" } else { "down" }.to_owned();
                found.push(Disagreement { viewer: NAME.to_owned(), about, sees, truth });
            }
        }
        found
    }

    fn outcome(self, seed: u64, agreed: Result<Duration, Vec<Disagreement>>) -> Outcome {
        let refused = self.node.counters().refused_in_all();
        let traffic = self.network.traffic;
        let Watch { checks, measures, tape, .. } = self.watch;
        let measured =
            Measured { false_failures: self.false_failures, ..measures.finish(self.now, refused) };
        let events = tape.map(|mut tape| tape.take()).unwrap_or_default();
        let came = Came {
            events,
            transcript: self.transcript,
            inputs: self.inputs,
            end: self.now,
            traffic,
            measured,
            findings: checks.findings().to_vec(),
            checks: checks.tallies(&traffic),
        };
        Outcome::of(self.scenario, seed, came, agreed)
    }
}

fn spelled(message: &Message<'_>) -> Vec<u8> {
    let mut spelling = Vec::new();
    message.encode(&mut spelling);
    spelling
}

fn name(peer: u32) -> String {
    format!("p{peer}")
}

const fn address_of_node() -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), PORT)
}

/// Peers live in 11.0.0.0/8.
fn address(peer: u32) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::from(0x0b00_0000 + peer).into(), PORT)
}

fn number(address: SocketAddr, count: u32) -> Option<u32> {
    let std::net::IpAddr::V4(ip) = address.ip() else { return None };
    ip.to_bits().checked_sub(0x0b00_0000).filter(|&number| number < count)
}

fn alive(node: &str, peer: u32, incarnation: Incarnation) -> Alive<'_> {
    let versions = Versions::ours(Delegate::SERF, Mark::Mingle);
    Alive { incarnation, node, address: address(peer).into(), meta: &[], versions }
}

/// What a peer says of itself at first, spelled by a machine like its own.
fn member(config: &Config, peer: u32) -> Result<Member, ScenarioError> {
    let local = Local::new(name(peer), address(peer).into());
    Node::new(config.clone(), local, 0, Instant::ORIGIN)
        .map(|node| node.local())
        .map_err(|error| ScenarioError::Config { what: error.to_string() })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "logarithms of counts are small and not negative; the cast saturates"
)]
fn rounded_up(value: f64) -> u32 {
    libm::ceil(value) as u32
}
