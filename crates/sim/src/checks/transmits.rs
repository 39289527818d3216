use mingle_proto::{Change, Config, Node};
use mingle_wire::{Incarnation, Message};

use super::desk::{Checker, Desk};
use super::formulas;
use super::names::{NameId, Names};

/// How often each node has sent what it last claimed of each member (spec 9.1).
#[derive(Debug, Default)]
pub(super) struct Transmits {
    hosts: Vec<Host>,
    /// What was written in this step, and the places of packets in it.
    written: Vec<Written>,
    /// About whom this step forgets what was said before.
    anew: Vec<NameId>,
    packets: u32,
}

#[derive(Clone, Debug, Default)]
struct Host {
    sent: Vec<Option<Sending>>,
    /// How many of these have not been sent often enough.
    unfinished: usize,
}

#[derive(Clone, Copy, Debug)]
struct Sending {
    claim: Claim,
    times: u32,
    is_done: bool,
}

#[derive(Clone, Copy, Debug)]
struct Written {
    packet: u32,
    about: NameId,
    claim: Claim,
}

/// A claim but for its subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    Alive(Incarnation),
    Suspect(Incarnation, NameId),
    Dead(Incarnation, NameId),
}

/// In what step a packet is written. Only gossip and claims beside other messages come from the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Occasion {
    /// A deadline has passed.
    Woken,
    /// Somebody wants another one pinged.
    Relaying,
    /// Anything else.
    #[default]
    Answering,
}

impl Transmits {
    pub(super) fn started(&mut self, host: u32) {
        let host = host as usize;
        if self.hosts.len() <= host {
            self.hosts.resize(host + 1, Host::default());
        }
        self.hosts[host] = Host::default();
    }

    /// A packet is written; its messages follow.
    pub(super) fn packet(&mut self) {
        self.packets += 1;
    }

    /// A claim of the packet. `first` is what the packet begins with, `messages` how many it has.
    pub(super) fn claim(
        &mut self,
        names: &mut Names,
        message: &Message<'_>,
        first: &Message<'_>,
        messages: usize,
        occasion: Occasion,
    ) {
        if is_beside_the_queue(message, first, messages, occasion) {
            return;
        }
        let (about, claim) = match message {
            Message::Alive(it) => (it.node, Claim::Alive(it.incarnation)),
            Message::Suspect(it) => (it.node, Claim::Suspect(it.incarnation, names.id(it.from))),
            Message::Dead(it) => (it.node, Claim::Dead(it.incarnation, names.id(it.from))),
            Message::Ping(_)
            | Message::IndirectPing(_)
            | Message::Ack(_)
            | Message::Nack(_)
            | Message::User(_) => return,
        };
        let about = names.id(about);
        self.written.push(Written { packet: self.packets, about, claim });
    }

    /// Who is new or forgotten may be told of again in the same words.
    pub(super) fn told(&mut self, about: NameId, change: Change) {
        if matches!(change, Change::Joined | Change::Reaped) {
            self.anew.push(about);
        }
    }

    pub(super) fn handled(
        &mut self,
        desk: &mut Desk,
        names: &Names,
        config: &Config,
        host: u32,
        node: &Node,
    ) {
        let Some(host) = self.hosts.get_mut(host as usize) else { return };
        for about in self.anew.drain(..) {
            host.forget(about);
        }
        if !self.written.is_empty() {
            let limit = formulas::transmits(config, node.member_count());
            for (i, written) in self.written.iter().enumerate() {
                host.count(desk, names, *written, limit);
                let same = |other: &&Written| other.packet == written.packet;
                let mut before = self.written[..i].iter().rev().take_while(same);
                desk.check(Checker::Transmits, before.all(|b| b.about != written.about), || {
                    format!("one packet has two claims about {}", names.name(written.about))
                });
            }
            self.written.clear();
        }
        let (queued, unfinished) = (node.queued(), host.unfinished);
        desk.check(Checker::Transmits, unfinished <= queued, || {
            format!("{queued} claims wait, and {unfinished} were not sent as often as they must be")
        });
    }
}

impl Host {
    fn forget(&mut self, about: NameId) {
        if let Some(sending) = self.sent.get_mut(about.index()).and_then(Option::take) {
            self.unfinished -= usize::from(!sending.is_done);
        }
    }

    fn count(&mut self, desk: &mut Desk, names: &Names, written: Written, limit: u32) {
        let Written { about, claim, .. } = written;
        if self.sent.len() <= about.index() {
            self.sent.resize(about.index() + 1, None);
        }
        let before = self.sent[about.index()].filter(|sending| sending.claim == claim);
        let is_done = before.is_some_and(|sending| sending.is_done);
        let times = before.map_or(0, |sending| sending.times) + 1;
        desk.check(Checker::Transmits, !is_done, || {
            format!("{claim:?} about {} goes out {times} times, {limit} it may", names.name(about))
        });
        self.forget(about);
        let is_done = times >= limit;
        self.unfinished += usize::from(!is_done);
        self.sent[about.index()] = Some(Sending { claim, times, is_done });
    }
}

/// What is said to one member only, and does not count: an accusation beside a ping of the accused
/// (spec 8.2), and a verdict told to its subject in answer to old news.
fn is_beside_the_queue(
    message: &Message<'_>,
    first: &Message<'_>,
    messages: usize,
    occasion: Occasion,
) -> bool {
    match (first, message) {
        (Message::Ping(ping), Message::Suspect(claim)) => {
            messages == 2 && claim.node == ping.node && occasion != Occasion::Relaying
        }
        (Message::Dead(_), Message::Dead(_)) => messages == 1 && occasion != Occasion::Woken,
        _ => false,
    }
}
