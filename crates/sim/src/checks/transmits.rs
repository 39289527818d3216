use mingle_proto::{Beliefs, Cause, Change, Config, Evidence, Member, Node};
use mingle_wire::{Incarnation, Message, State};

use super::desk::{Checker, Desk};
use super::formulas;
use super::inquiries::is_inquiry;
use super::names::{NameId, Names};

/// How often each node has sent what it last claimed of each member (spec 9.1).
#[derive(Debug, Default)]
pub(super) struct Transmits {
    hosts: Vec<Host>,
    /// What was written in this step, and the places of packets in it.
    written: Vec<Written>,
    /// About whom there is something new to say in this step, or nothing any more.
    news: Vec<(NameId, Option<Claim>)>,
    packets: u32,
    /// Whether the node was under load when it wrote the last one.
    is_busy: bool,
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
    /// Whether it went out as often as it must, which is half as often while the node is under load.
    is_enough: bool,
    /// Whether it went out as often as it may.
    is_done: bool,
}

#[derive(Clone, Copy, Debug)]
struct Written {
    packet: u32,
    is_busy: bool,
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
    pub(super) fn started(&mut self, names: &mut Names, host: u32, node: &Node) {
        let host = host as usize;
        if self.hosts.len() <= host {
            self.hosts.resize(host + 1, Host::default());
        }
        self.hosts[host] = Host::default();
        // Who does not begin in the midst of others announces itself.
        if node.queued() > 0 {
            let local = node.local();
            let claim = Claim::Alive(local.incarnation);
            self.hosts[host].set(names.id(local.name()), claim);
        }
    }

    /// A packet is written; its messages follow.
    pub(super) fn packet(&mut self, is_busy: bool) {
        self.packets += 1;
        self.is_busy = is_busy;
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
        let (packet, is_busy) = (self.packets, self.is_busy);
        self.written.push(Written { packet, is_busy, about, claim });
    }

    /// Whatever changes is passed on, but for what the gone and the suspect say of themselves late.
    pub(super) fn told(
        &mut self,
        names: &mut Names,
        (me, about): (NameId, NameId),
        change: Change,
        member: &Member,
        evidence: &Evidence,
    ) {
        let at = member.incarnation;
        let by = match &evidence.cause {
            Cause::Accused { by } | Cause::Declared { by } => names.id(by),
            _ => me,
        };
        let claim = match (change, member.state) {
            (Change::Reaped, _) => None,
            (_, State::Alive) => Some(Claim::Alive(at)),
            (Change::Updated, State::Suspect | State::Dead | State::Left) => return,
            (_, State::Suspect) => Some(Claim::Suspect(at, by)),
            (_, State::Dead) => Some(Claim::Dead(at, by)),
            (_, State::Left) => Some(Claim::Dead(at, about)),
        };
        self.news.push((about, claim));
    }

    /// A suspicion of its own is told once more.
    pub(super) fn retold(&mut self, me: NameId, about: NameId, incarnation: Incarnation) {
        self.news.push((about, Some(Claim::Suspect(incarnation, me))));
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
        for (about, claim) in self.news.drain(..) {
            host.forget(about);
            if let Some(claim) = claim {
                host.set(about, claim);
            }
        }
        if !self.written.is_empty() {
            let limit = formulas::transmits(config, node.member_count());
            leave_out_falls(&mut self.written);
            for (i, written) in self.written.iter().enumerate() {
                host.count(desk, names, *written, limit, config.rules.beliefs);
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
            let open = |(at, sending): (usize, &Option<Sending>)| {
                let sending = sending.filter(|sending| !sending.is_enough)?;
                Some(format!("{sending:?} about {}", names.name(NameId::at(at))))
            };
            let open: Vec<String> = host.sent.iter().enumerate().filter_map(open).collect();
            format!("{queued} claims wait, and {unfinished} were not sent as often as they must be: {open:?}")
        });
    }
}

impl Host {
    fn forget(&mut self, about: NameId) {
        if let Some(sending) = self.sent.get_mut(about.index()).and_then(Option::take) {
            self.unfinished -= usize::from(!sending.is_enough);
        }
    }

    /// Begins with something new to say.
    fn set(&mut self, about: NameId, claim: Claim) {
        if self.sent.len() <= about.index() {
            self.sent.resize(about.index() + 1, None);
        }
        self.sent[about.index()] =
            Some(Sending { claim, times: 0, is_enough: false, is_done: false });
        self.unfinished += 1;
    }

    fn count(
        &mut self,
        desk: &mut Desk,
        names: &Names,
        written: Written,
        limit: u32,
        beliefs: Beliefs,
    ) {
        let Written { about, claim, is_busy, .. } = written;
        let newest = self.sent.get(about.index()).copied().flatten();
        let fits = newest.is_some_and(|newest| newest.claim.may_become(claim, beliefs));
        desk.check(Checker::Transmits, fits, || {
            let newest = newest.map(|newest| newest.claim);
            format!("{claim:?} about {} goes out; it is {newest:?}", names.name(about))
        });
        let before = newest.filter(|sending| sending.claim == claim);
        let is_done = before.is_some_and(|sending| sending.is_done);
        let times = before.map_or(0, |sending| sending.times) + 1;
        desk.check(Checker::Transmits, !is_done, || {
            format!("{claim:?} about {} goes out {times} times, {limit} it may", names.name(about))
        });
        self.forget(about);
        self.set(about, claim);
        let is_done = times >= limit;
        let is_enough = times >= if is_busy { limit.div_ceil(2) } else { limit };
        self.unfinished -= usize::from(is_enough);
        self.sent[about.index()] = Some(Sending { claim, times, is_enough, is_done });
    }
}

impl Claim {
    /// Whether this may go out where the other one was the newest to tell: itself, or the word of
    /// somebody else who confirms it. By the rules of memberlist whoever accuses at any incarnation that
    /// is not below the suspicion's confirms it (spec 7.2).
    fn may_become(self, claim: Self, beliefs: Beliefs) -> bool {
        match (self, claim) {
            (Self::Suspect(at, _), Self::Suspect(confirmed, _)) => match beliefs {
                Beliefs::Law => at == confirmed,
                Beliefs::Memberlist => true,
            },
            _ => self == claim,
        }
    }
}

/// A member that is announced at another address falls before, in the same claim.
fn leave_out_falls(written: &mut Vec<Written>) {
    let is_fall = |pair: &[Written]| match (pair[0].claim, pair[1].claim) {
        (Claim::Dead(fell, _), Claim::Alive(rose)) => {
            pair[0].packet == pair[1].packet && pair[0].about == pair[1].about && rose > fell
        }
        _ => false,
    };
    let falls: Vec<bool> = written.windows(2).map(is_fall).collect();
    let mut falls = falls.into_iter();
    written.retain(|_| !falls.next().unwrap_or(false));
}

/// What is said to one member only, and does not count: an accusation beside a ping of the accused
/// (spec 8.2), a goodbye beside a ping, and what its subject is told in answer to old news.
fn is_beside_the_queue(
    message: &Message<'_>,
    first: &Message<'_>,
    messages: usize,
    occasion: Occasion,
) -> bool {
    match (first, message) {
        (Message::Ping(ping), Message::Suspect(claim)) => {
            let own = is_inquiry(ping.seq) || occasion != Occasion::Relaying;
            messages == 2 && claim.node == ping.node && claim.from == ping.source.node && own
        }
        (Message::Ping(ping), Message::Dead(claim)) => {
            messages == 2 && is_inquiry(ping.seq) && claim.node == ping.source.node
        }
        (Message::Dead(_) | Message::Suspect(_) | Message::Alive(_), _) => {
            messages == 1 && occasion != Occasion::Woken
        }
        _ => false,
    }
}
