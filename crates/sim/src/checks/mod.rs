//! What must hold at every step, whatever happens.
//!
//! [`Checker`] is the list. Up to [`SMALL`] nodes every checker is at work, and a shadow of every view
//! is kept from events alone. In larger worlds only those are that cost the same at each step however
//! large the world is. In a crowd, where one node is real, those are left out that need to see what
//! everybody claims. The tallies say which ones were.

mod answers;
mod bounds;
mod corrections;
mod deadlines;
mod desk;
mod evidence;
mod exchanges;
mod fingerprints;
mod formulas;
mod gossip;
mod health;
mod heard;
mod incarnations;
mod lags;
mod names;
mod order;
mod packets;
mod pings;
mod probing;
mod progress;
mod refutations;
mod requests;
mod resurrection;
mod shown;
#[cfg(test)]
pub(crate) mod tests;
mod transmits;
mod verdicts;
mod views;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use mingle_proto::{
    Change, Command, Config, Event, Evidence, ExchangeId, Input, Instant, Member, Node, RequestId,
};
use mingle_wire::{Message, memberlist};
use serde::Serialize;

pub use desk::Tally;

use crate::network::Traffic;
use crate::scenario::{Fault, Scenario};
use crate::watch::{Onlooker, Sent, Stop, Turn};
use answers::{Answers, Handled};
use corrections::Corrections;
use deadlines::Deadlines;
use desk::{Checker, Depth, Desk};
use exchanges::Exchanges;
use fingerprints::Fingerprints;
use gossip::Gossip;
use incarnations::Incarnations;
use names::{NameId, Names};
use pings::Pings;
use probing::Probing;
use progress::Progress;
use refutations::{Myself, Refutations};
use requests::Requests;
use resurrection::Resurrection;
use shown::Shown;
use transmits::{Occasion, Transmits};
use verdicts::{Case, Verdicts};
use views::View;

/// Something that must hold and does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which checker found it.
    pub checker: &'static str,
    /// When, in nanoseconds of the world's time.
    pub at: u64,
    /// Which node.
    pub host: u32,
    /// What does not hold.
    pub what: String,
}

/// Most nodes of a world in which everything is checked: a shadow of each view of each member takes
/// about 32 bytes, and a step about as long as the node itself.
const SMALL: u32 = 300;

/// All checkers.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    desk: Desk,
    is_large: bool,
    config: Option<Config>,
    incarnations: Incarnations,
    progress: Progress,
    requests: Requests,
    exchanges: Exchanges,
    shadows: Shadows,
    /// Whether the input under way is a wake-up.
    is_woken: bool,
    packets: u64,
}

/// What small worlds are checked with.
#[derive(Debug, Default)]
struct Shadows {
    names: Names,
    views: Vec<Option<View>>,
    verdicts: Verdicts,
    refutations: Refutations,
    resurrection: Resurrection,
    fingerprints: Fingerprints,
    transmits: Transmits,
    answers: Answers,
    probing: Probing,
    deadlines: Deadlines,
    pings: Pings,
    gossip: Gossip,
    corrections: Corrections,
    shown: Shown,
    occasion: Occasion,
    /// Where processes were ever started. What comes from elsewhere is forged.
    addresses: BTreeSet<SocketAddr>,
    has_forgers: bool,
    /// Whether peers are modelled, whose claims nobody sees.
    has_crowd: bool,
}

/// In large worlds one packet of so many is read.
const READ_ONE_OF: u64 = 64;

impl Checks {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let nodes = u64::from(scenario.nodes);
        let peers = scenario.crowd.map_or(0, |crowd| u64::from(crowd.peers));
        let is_large = nodes * (nodes + peers) > u64::from(SMALL).pow(2);
        let shadows = Shadows { has_crowd: scenario.crowd.is_some(), ..Shadows::default() };
        Self { is_large, shadows, ..Self::default() }
    }

    /// What was found.
    pub(crate) fn findings(&self) -> &[Finding] {
        self.desk.findings()
    }

    pub(crate) fn has_findings(&self) -> bool {
        !self.desk.findings().is_empty()
    }

    /// How often each checker had something to check.
    pub(crate) fn tallies(&self, traffic: &Traffic) -> Vec<Tally> {
        let tally = |&checker: &Checker| {
            let checked = match checker {
                Checker::Corruption => traffic.packets_corrupted + traffic.streams_corrupted,
                _ => self.desk.checked(checker),
            };
            let skipped = match checker.depth() {
                Depth::Any => false,
                Depth::Small => self.is_large,
                Depth::Real => self.is_large || self.shadows.has_crowd,
            };
            Tally { checker: checker.name(), checked, skipped }
        };
        Checker::ALL.iter().map(tally).collect()
    }

    fn told(
        &mut self,
        (host, shown): (u32, Instant),
        change: Change,
        member: &Member,
        evidence: &Evidence,
    ) {
        let Some(config) = &self.config else { return };
        evidence::told(&mut self.desk, config, change, member, evidence);
        if !self.is_large {
            self.shadows.told(&mut self.desk, config, (host, shown), change, member, evidence);
        }
    }
}

impl Shadows {
    fn started(&mut self, host: u32, node: &Node) {
        let local = node.local();
        self.addresses.insert(local.address().socket_addr());
        self.transmits.started(&mut self.names, host, node);
        self.answers.started(host, node);
        self.deadlines.started(host, node);
        let view = View::of(node, &mut self.names);
        self.probing.started(host, &view);
        self.pings.started(host, node);
        self.corrections.started(host);
        let host = host as usize;
        if self.views.len() <= host {
            self.views.resize_with(host + 1, || None);
        }
        self.views[host] = Some(view);
    }

    fn stopped(&mut self, host: u32) {
        if let Some(view) = self.views.get_mut(host as usize) {
            *view = None;
        }
        self.answers.stopped(host);
        self.verdicts.stopped(host);
        self.resurrection.stopped(host);
    }

    fn before(&mut self, host: u32, input: &Input<'_>) {
        self.deadlines.before();
        self.occasion = match input {
            Input::Timeout => Occasion::Woken,
            _ => Occasion::Answering,
        };
        self.answers.begins(self.occasion == Occasion::Woken);
        if let Input::Packet { from, received, body } = *input {
            return self.packet(host, (from, received), body);
        }
        self.answers.input(host, input);
        let Self { names, views, refutations, resurrection, .. } = self;
        let Some(view) = views.get(host as usize).and_then(Option::as_ref) else { return };
        let Some(me) = Myself::of(view) else { return };
        heard::on_stream(me.name, input, |message| {
            refutations.heard(me, message);
            resurrection.heard(names, view, message);
        });
    }

    fn packet(&mut self, host: u32, (from, received): (SocketAddr, Instant), body: &[u8]) {
        let Self { names, views, answers, pings, deadlines, verdicts, .. } = self;
        let Self { refutations, resurrection, .. } = self;
        let view = views.get(host as usize).and_then(Option::as_ref);
        let me = view.and_then(Myself::of);
        let is_forged = self.has_forgers && !self.addresses.contains(&from);
        for (i, message) in memberlist::messages(body).enumerate() {
            let Ok(message) = message else { continue };
            if i == 0 {
                answers.packet(host, received, &message);
                pings.packet(names, host, from, &message);
                if let Message::IndirectPing(_) = message {
                    self.occasion = Occasion::Relaying;
                }
            }
            deadlines.heard(names, host, &message);
            if let (Some(view), Some(me)) = (view, me) {
                refutations.heard(me, &message);
                resurrection.heard(names, view, &message);
            }
            if is_forged {
                verdicts.forged(names, &message);
            }
        }
    }

    fn sent(&mut self, desk: &mut Desk, packet: &Sent<'_>) {
        let Self { names, views, verdicts, transmits, answers, probing, .. } = self;
        let Self { pings, gossip, corrections, .. } = self;
        let view = views.get(packet.host as usize).and_then(Option::as_ref);
        let occasion = self.occasion;
        let messages = memberlist::part_count(packet.body);
        let mut first = None;
        transmits.packet();
        for message in memberlist::messages(packet.body) {
            let message = match message {
                Ok(message) => message,
                Err(why) => return packets::unreadable(desk, packet, why),
            };
            if first.is_none() {
                pings.sent(desk, names, packet, &message, occasion);
                gossip.sent(packet.to, &message, occasion);
                corrections.sent(names, &message, messages, occasion);
            }
            let first = first.get_or_insert(message);
            verdicts.sent(names, &message);
            transmits.claim(names, &message, first, messages, occasion);
            if occasion != Occasion::Relaying {
                let known = |id| Some(view?.get(id)?.incarnation);
                answers.sent(names, packet.host, &message, known);
                if let Some(view) = view {
                    probing.sent(desk, names, view, packet.host, &message);
                }
            }
        }
    }

    fn told(
        &mut self,
        desk: &mut Desk,
        config: &Config,
        (host, shown): (u32, Instant),
        change: Change,
        member: &Member,
        evidence: &Evidence,
    ) {
        let id: NameId = self.names.id(member.name());
        let Some(view) = self.views.get_mut(host as usize).and_then(Option::as_mut) else { return };
        let (me, count) = (view.me(), view.count());
        let beliefs = config.rules.beliefs;
        let before = view.get(id);
        let step = order::Step { id, change, before, after: member, evidence, beliefs, shown };
        order::told(desk, view, step);
        let after = (change != Change::Reaped).then_some(member.state);
        self.probing.told(host, view, id, after);
        view.change(id, change, member, evidence);
        self.transmits.told(&mut self.names, (me, id), change, member, evidence);
        self.corrections.told((host, id), change);
        self.answers.told(desk, (host, id), change, member, evidence, shown);
        let names = self.names.len();
        let case = Case { host, me, about: id, change, member, evidence, shown, count };
        self.resurrection.told(desk, config, names, case);
        self.deadlines.told(desk, &mut self.names, config, case);
        if !self.has_crowd {
            self.verdicts.told(desk, &mut self.names, config, case);
        }
    }

    fn handled(&mut self, desk: &mut Desk, step: Handled<'_>) {
        let Handled { host, shown, node, .. } = step;
        let Some(view) = self.views.get_mut(host as usize).and_then(Option::as_mut) else { return };
        let config = node.config();
        self.refutations.handled(desk, node.local_incarnation());
        self.resurrection.handled(config, self.names.len(), view, (host, shown));
        self.transmits.handled(desk, &self.names, config, host, node);
        self.answers.handled(desk, config, step);
        self.deadlines.handled(desk, &self.names, config, step);
        self.pings.handled(desk, step);
        self.gossip.handled(desk, node);
        self.corrections.handled(desk, &self.names, host, step.shown);
        self.shown.handled(desk, &mut self.names, view);
        order::handled(desk, view);
        view.handled(desk, &mut self.names, node);
        self.fingerprints.handled(desk, host, view.digest(), node);
    }
}

impl Onlooker for Checks {
    fn started(&mut self, now: Instant, host: u32, _shown: Instant, node: &Node) {
        self.desk.at(now, host);
        self.config.get_or_insert_with(|| node.config().clone());
        self.incarnations.started(host, node);
        self.progress.started(host);
        if !self.is_large {
            self.shadows.started(host, node);
        }
    }

    fn stopped(&mut self, now: Instant, host: u32, _how: Stop) {
        self.desk.at(now, host);
        self.requests.stopped(host);
        self.exchanges.stopped(host);
        self.shadows.stopped(host);
    }

    fn fault(&mut self, _now: Instant, fault: &Fault) {
        self.requests.fault(fault);
        self.shadows.has_forgers |= matches!(fault, Fault::Forge { .. } | Fault::Hostile { .. });
    }

    fn calm(&mut self, now: Instant) {
        self.requests.calm(now);
    }

    fn asked(&mut self, now: Instant, host: u32, request: RequestId, what: &Command<'_>) {
        self.desk.at(now, host);
        self.requests.asked(&self.desk, host, request, what);
    }

    fn before(&mut self, now: Instant, host: u32, input: &Input<'_>) {
        self.desk.at(now, host);
        self.is_woken = matches!(input, Input::Timeout);
        self.exchanges.before(host, input);
        if !self.is_large {
            self.shadows.before(host, input);
        }
    }

    fn sent(&mut self, now: Instant, packet: Sent<'_>) {
        self.desk.at(now, packet.host);
        packets::sent(&mut self.desk, &packet);
        self.packets += 1;
        if !self.is_large {
            self.shadows.sent(&mut self.desk, &packet);
        } else if self.packets.is_multiple_of(READ_ONE_OF) {
            packets::read(&mut self.desk, &packet);
        }
    }

    fn sent_message(&mut self, now: Instant, host: u32, _to: SocketAddr, body: &[u8]) {
        self.desk.at(now, host);
        if !self.is_large {
            let message = packets::sent_message(&mut self.desk, body);
            if let Some(message) = message {
                self.shadows.shown.sent_message(&message, body);
            }
        }
    }

    fn exchange(&mut self, now: Instant, host: u32, exchange: ExchangeId, turn: Turn) {
        self.desk.at(now, host);
        self.exchanges.turn(&mut self.desk, host, exchange, turn);
        self.shadows.shown.turn(turn);
    }

    fn event(&mut self, now: Instant, host: u32, shown: Instant, event: &Event) {
        self.desk.at(now, host);
        match event {
            Event::Member { change, member, evidence } => {
                self.told((host, shown), *change, member, evidence);
            }
            Event::Refuted { incarnation, evidence } => {
                evidence::refuted(&mut self.desk, *incarnation, evidence);
                if !self.is_large {
                    self.shadows.answers.refuted();
                }
            }
            Event::Completed { request, .. } => {
                self.requests.completed(&mut self.desk, host, *request);
            }
            Event::Conflict { .. }
            | Event::Health { .. }
            | Event::UserMessage { .. }
            | Event::UserState { .. }
            | Event::Pong { .. } => {}
        }
        let Shadows { names, views, .. } = &mut self.shadows;
        if let Some(view) = views.get_mut(host as usize).and_then(Option::as_mut) {
            view.event(&mut self.desk, names, event);
        }
    }

    fn handled(&mut self, now: Instant, host: u32, shown: Instant, node: &Node) {
        self.desk.at(now, host);
        self.incarnations.handled(&mut self.desk, host, node);
        bounds::handled(&mut self.desk, node);
        self.requests.handled(&mut self.desk, host, node.config());
        Progress::handled(&mut self.desk, shown, node);
        if self.is_woken {
            self.progress.woken(&mut self.desk, host, shown, node);
        }
        self.exchanges.handled(&mut self.desk, host, node);
        let step = Handled { host, shown, is_woken: self.is_woken, node };
        self.shadows.handled(&mut self.desk, step);
    }

    fn corruption_accepted(&mut self, now: Instant, host: u32, to: SocketAddr) {
        self.desk.at(now, host);
        self.desk.check(Checker::Corruption, false, || {
            format!("what it sent to {to} was changed on its way and not refused")
        });
    }
}
