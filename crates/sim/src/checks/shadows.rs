//! What small worlds are checked with: one way for all that happens, past every checker.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use mingle_proto::{Change, Config, Event, Evidence, Input, Instant, Lateness, Member, Node};
use mingle_wire::{Message, StreamMessage, memberlist};

use super::answers::Answers;
use super::corrections::Corrections;
use super::deadlines::Deadlines;
use super::desk::{Checker, Desk};
use super::fingerprints::Fingerprints;
use super::gossip::Gossip;
use super::inquiries::Inquiries;
use super::links::Links;
use super::names::{NameId, Names};
use super::pings::Pings;
use super::probing::Probing;
use super::refutations::{Myself, Refutations};
use super::resurrection::Resurrection;
use super::shown::Shown;
use super::transmits::{Occasion, Transmits};
use super::verdicts::{Case, Verdicts};
use super::views::View;
use super::{heard, order, packets};
use crate::watch::{Sent, Turn};

/// A shadow of every node, kept from what it is given, sends and tells.
#[derive(Debug, Default)]
pub(super) struct Shadows {
    names: Names,
    views: Vec<Option<View>>,
    /// When each wanted to be woken.
    due: Vec<Option<Instant>>,
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
    inquiries: Inquiries,
    corrections: Corrections,
    links: Links,
    shown: Shown,
    occasion: Occasion,
    /// Who has answered an inquiry on a stream in this step.
    answered_on_stream: Option<NameId>,
    /// Where processes were ever started. What comes from elsewhere is forged.
    addresses: BTreeSet<SocketAddr>,
    has_forgers: bool,
    /// Whether peers are modelled, whose claims nobody sees.
    has_crowd: bool,
}

/// A node after an input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handled<'a> {
    pub(super) host: u32,
    pub(super) shown: Instant,
    pub(super) is_woken: bool,
    /// How late it was woken.
    pub(super) lag: Duration,
    pub(super) node: &'a Node,
}

impl Handled<'_> {
    /// Whether it was so late that what it did not hear says nothing about others.
    pub(super) fn doubts_itself(&self) -> bool {
        let config = self.node.config();
        self.lag > config.probe_interval && config.rules.lateness == Lateness::DoubtsItself
    }
}

impl Shadows {
    pub(super) fn new(has_crowd: bool) -> Self {
        Self { has_crowd, ..Self::default() }
    }

    pub(super) fn has_crowd(&self) -> bool {
        self.has_crowd
    }

    /// Somebody who is no node sends packets from now on.
    pub(super) fn expect_forgers(&mut self) {
        self.has_forgers = true;
    }

    pub(super) fn started(&mut self, host: u32, shown: Instant, node: &Node) {
        let local = node.local();
        self.addresses.insert(local.address().socket_addr());
        self.transmits.started(&mut self.names, host, node);
        self.answers.started(host, node);
        self.deadlines.started(host);
        let view = View::of(node, &mut self.names);
        self.probing.started(host, &view);
        self.pings.started(host, node);
        self.corrections.started(host, shown);
        self.links.started(host);
        let host = host as usize;
        if self.views.len() <= host {
            self.views.resize_with(host + 1, || None);
            self.due.resize(host + 1, None);
        }
        self.views[host] = Some(view);
        self.due[host] = node.poll_timeout();
    }

    /// How late the wake-up of this step is.
    fn lag(&self, host: u32, shown: Instant) -> Duration {
        let due = self.due.get(host as usize).copied().flatten();
        due.filter(|_| self.occasion == Occasion::Woken)
            .map_or(Duration::ZERO, |due| shown.since(due))
    }

    pub(super) fn stopped(&mut self, host: u32) {
        if let Some(view) = self.views.get_mut(host as usize) {
            *view = None;
        }
        self.answers.stopped(host);
        self.inquiries.stopped(host);
        self.verdicts.stopped(host);
        self.resurrection.stopped(host);
    }

    pub(super) fn before(&mut self, host: u32, input: &Input<'_>) {
        self.deadlines.before();
        self.corrections.before();
        self.occasion = match input {
            Input::Timeout => Occasion::Woken,
            _ => Occasion::Answering,
        };
        self.answers.begins(self.occasion == Occasion::Woken);
        self.shown.before(&mut self.names, input);
        if let Input::Packet { from, received, body } = *input {
            return self.packet(host, (from, received), body);
        }
        self.answers.input(host, input);
        if let Input::ExchangeMessage { body, .. } = *input
            && let Ok(StreamMessage::Ack(ack)) = memberlist::decode_stream(body)
            && let Some(about) = self.inquiries.acked(host, &Message::Ack(ack))
        {
            self.answered_on_stream = Some(about);
        }
        let Self { names, views, refutations, resurrection, corrections, .. } = self;
        let Some(view) = views.get(host as usize).and_then(Option::as_ref) else { return };
        let Some(me) = Myself::of(view) else { return };
        heard::on_stream(me.name, input, |message| {
            refutations.heard(me, message);
            resurrection.heard(names, view, message);
            corrections.heard(names, None, message);
        });
    }

    fn packet(&mut self, host: u32, (from, received): (SocketAddr, Instant), body: &[u8]) {
        let Self { names, views, answers, pings, deadlines, verdicts, inquiries, .. } = self;
        let Self { refutations, resurrection, corrections, .. } = self;
        let view = views.get(host as usize).and_then(Option::as_ref);
        let me = view.and_then(Myself::of);
        let is_forged = self.has_forgers && !self.addresses.contains(&from);
        for (i, message) in memberlist::messages(body).enumerate() {
            let Ok(message) = message else { continue };
            if i == 0 {
                if let Some(about) = inquiries.acked(host, &message) {
                    answers.aside((host, about), received);
                    deadlines.answered(host, about, received);
                }
                answers.packet(host, received, &message);
                pings.packet(names, host, from, &message);
                if let Message::IndirectPing(_) = message {
                    self.occasion = Occasion::Relaying;
                }
            }
            deadlines.heard(names, host, &message);
            corrections.heard(names, Some(from), &message);
            if let (Some(view), Some(me)) = (view, me) {
                refutations.heard(me, &message);
                resurrection.heard(names, view, &message);
            }
            if is_forged {
                verdicts.forged(names, &message);
            }
        }
    }

    pub(super) fn sent(&mut self, desk: &mut Desk, packet: &Sent<'_>) {
        let Self { names, views, verdicts, transmits, answers, probing, .. } = self;
        let Self { pings, gossip, corrections, inquiries, .. } = self;
        let view = views.get(packet.host as usize).and_then(Option::as_ref);
        let occasion = self.occasion;
        let messages = memberlist::part_count(packet.body);
        let mut first = None;
        transmits.packet(packet.is_busy);
        for message in memberlist::messages(packet.body) {
            let message = match message {
                Ok(message) => message,
                Err(why) => return packets::unreadable(desk, packet, why),
            };
            if first.is_none() {
                pings.sent(desk, names, packet, &message, occasion);
                gossip.sent(packet.to, &message, occasion);
                corrections.sent(names, packet.to, &message, messages, occasion);
            }
            let first = first.get_or_insert(message);
            verdicts.sent(names, &message);
            inquiries.sent(names, &message);
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

    pub(super) fn told(
        &mut self,
        desk: &mut Desk,
        config: &Config,
        (host, shown): (u32, Instant),
        change: Change,
        member: &Member,
        evidence: &Evidence,
    ) {
        let lag = self.lag(host, shown);
        if let Some(about) = self.answered_on_stream.take() {
            self.answers.aside((host, about), shown);
        }
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
        self.links.told((host, id), change);
        self.answers.late(host, lag, shown);
        self.answers.told(desk, (host, id), change, member, evidence, shown);
        let names = self.names.len();
        let case = Case { host, me, about: id, change, member, evidence, shown, count };
        self.resurrection.told(desk, config, names, case);
        self.deadlines.told(desk, &mut self.names, config, case);
        self.inquiries.told(desk, config, case);
        if !self.has_crowd {
            self.verdicts.told(desk, &mut self.names, config, case);
        }
    }

    pub(super) fn handled(&mut self, desk: &mut Desk, host: u32, shown: Instant, node: &Node) {
        let (lag, is_woken) = (self.lag(host, shown), self.occasion == Occasion::Woken);
        let step = Handled { host, shown, is_woken, lag, node };
        if let Some(about) = self.answered_on_stream.take() {
            self.answers.aside((host, about), shown);
        }
        let Some(view) = self.views.get_mut(host as usize).and_then(Option::as_mut) else { return };
        let config = node.config();
        self.refutations.handled(desk, node.local_incarnation());
        self.resurrection.handled(config, self.names.len(), view, (host, shown));
        for (about, incarnation) in self.deadlines.retold(&step) {
            self.transmits.retold(view.me(), about, incarnation);
        }
        self.transmits.handled(desk, &self.names, config, host, node);
        self.answers.handled(desk, config, step);
        for about in self.inquiries.handled(host, shown) {
            self.deadlines.asked(host, about, shown);
        }
        self.deadlines.handled(desk, &self.names, step);
        self.pings.handled(desk, step);
        self.gossip.handled(desk, node);
        self.corrections.handled(desk, &self.names, host, shown);
        self.shown.handled(desk, &mut self.names, config, view, shown);
        order::handled(desk, view);
        view.handled(desk, &mut self.names, node);
        self.fingerprints.handled(desk, host, view.digest(), node);
        let due = node.poll_timeout();
        let before = std::mem::replace(&mut self.due[host as usize], due);
        let is_late =
            due.is_some_and(|due| due < shown && before.is_none_or(|before| due < before));
        desk.check(Checker::Progress, !is_late, || {
            format!("at {shown:?} it wants to be woken at {due:?}, and before it was {before:?}")
        });
    }

    /// A node has written this message for a stream.
    pub(super) fn sent_message(&mut self, message: &StreamMessage<'_>, body: &[u8]) {
        self.shown.sent_message(message, body);
    }

    pub(super) fn turn(&mut self, turn: Turn) {
        self.shown.turn(turn);
    }

    /// A node tells something, after [`told`](Self::told) where it is about a member.
    pub(super) fn event(&mut self, desk: &mut Desk, host: u32, event: &Event) {
        if let Event::Refuted { evidence, .. } = event {
            self.answers.refuted(host, &evidence.cause);
        }
        if let Some(view) = self.views.get_mut(host as usize).and_then(Option::as_mut) {
            view.event(desk, &mut self.names, event);
            self.links.event(desk, &mut self.names, view, host, event);
        }
    }
}
