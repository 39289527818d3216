use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use mingle_proto::{Config, Instant, Nacks, Node};
use mingle_wire::{IndirectPing, Message, SeqNo, Source};

use super::desk::{Checker, Desk};
use super::inquiries::is_inquiry;
use super::names::{NameId, Names};
use super::shadows::Handled;
use super::transmits::Occasion;
use crate::watch::Sent;

/// What nodes owe whom for pings, their own and those of others (spec 8.1 to 8.3). What a packet asks
/// is what it begins with.
#[derive(Debug, Default)]
pub(super) struct Pings {
    hosts: Vec<Host>,
    /// What is to be sent in this step.
    owed: Option<Owed>,
    /// The ping for somebody else that this step sent, and for whom.
    relayed: Option<(SeqNo, Question)>,
    /// The nacks of this step.
    nacks: Vec<(SocketAddr, SeqNo)>,
}

#[derive(Debug, Default)]
struct Host {
    name: Box<str>,
    /// Most members that may be asked to help with one probe.
    most_helpers: usize,
    /// By the number of its own ping.
    promises: BTreeMap<SeqNo, Promise>,
    probe: Option<Probe>,
}

/// Who wants an answer, and with what number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Question {
    from: SocketAddr,
    seq: SeqNo,
    /// Whether "no" is an answer.
    nack: bool,
}

/// An answer that depends on somebody else's.
#[derive(Clone, Copy, Debug)]
struct Promise {
    question: Question,
    due: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owed {
    /// To a ping of ours.
    Ack(Question),
    /// To an indirect ping, since its target has answered.
    RelayAck(Question),
    /// A ping of whom an indirect ping names.
    Ping { to: SocketAddr, whom: NameId, question: Question },
}

/// A ping of its own, and who was asked to help.
#[derive(Debug)]
struct Probe {
    seq: SeqNo,
    whom: NameId,
    helpers: Vec<SocketAddr>,
}

/// Pings for others that a node may have under way; more are refused.
const MOST_PROMISES: usize = 1024;

impl Pings {
    pub(super) fn started(&mut self, host: u32, node: &Node) {
        let host = host as usize;
        if self.hosts.len() <= host {
            self.hosts.resize_with(host + 1, Host::default);
        }
        let name = node.local().name().into();
        let most_helpers = node.config().indirect_checks as usize;
        self.hosts[host] = Host { name, most_helpers, ..Host::default() };
    }

    /// A packet came that begins with this.
    pub(super) fn packet(
        &mut self,
        names: &mut Names,
        host: u32,
        from: SocketAddr,
        first: &Message<'_>,
    ) {
        let Some(here) = self.hosts.get_mut(host as usize) else { return };
        self.owed = match first {
            Message::Ping(ping) if ping.node.is_empty() || ping.node == &*here.name => {
                let from = answer_address(&ping.source, from);
                Some(Owed::Ack(Question { from, seq: ping.seq, nack: false }))
            }
            Message::IndirectPing(ping) if here.promises.len() < MOST_PROMISES => {
                let from = answer_address(&ping.source, from);
                let question = Question { from, seq: ping.seq, nack: ping.nack };
                let (to, whom) = (ping.target.socket_addr(), names.id(ping.node));
                Some(Owed::Ping { to, whom, question })
            }
            Message::Ack(ack) => {
                here.promises.remove(&ack.seq).map(|promise| Owed::RelayAck(promise.question))
            }
            _ => None,
        };
    }

    /// A packet is written that begins with this.
    pub(super) fn sent(
        &mut self,
        desk: &mut Desk,
        names: &mut Names,
        packet: &Sent<'_>,
        first: &Message<'_>,
        occasion: Occasion,
    ) {
        match first {
            Message::Ack(ack) => self.acked(desk, packet.to, ack.seq),
            Message::Nack(nack) => self.nacks.push((packet.to, nack.seq)),
            Message::Ping(ping) if is_inquiry(ping.seq) => {}
            Message::Ping(ping) if occasion == Occasion::Relaying => {
                self.pinged(desk, packet.to, ping.seq, names.id(ping.node));
            }
            Message::Ping(ping) => {
                if let Some(here) = self.hosts.get_mut(packet.host as usize) {
                    let (seq, whom) = (ping.seq, names.id(ping.node));
                    here.probe = Some(Probe { seq, whom, helpers: Vec::new() });
                }
            }
            Message::IndirectPing(ping) => self.asked(desk, names, packet, ping),
            Message::Alive(_) | Message::Suspect(_) | Message::Dead(_) | Message::User(_) => {}
        }
    }

    fn acked(&mut self, desk: &mut Desk, to: SocketAddr, seq: SeqNo) {
        let owed = self.owed.take();
        let (checker, question) = match owed {
            Some(Owed::RelayAck(question)) => (Checker::Relays, Some(question)),
            Some(Owed::Ack(question)) => (Checker::Pings, Some(question)),
            Some(Owed::Ping { .. }) | None => (Checker::Pings, None),
        };
        let fits = question.is_some_and(|asked| (asked.from, asked.seq) == (to, seq));
        desk.check(checker, fits, || format!("{to} gets an ack of {seq:?}; owed is {owed:?}"));
    }

    fn pinged(&mut self, desk: &mut Desk, to: SocketAddr, seq: SeqNo, whom: NameId) {
        let owed = self.owed.take();
        let question = match owed {
            Some(Owed::Ping { to: target, whom: named, question }) => {
                (target.ip() == to.ip() && [0, to.port()].contains(&target.port()) && named == whom)
                    .then_some(question)
            }
            Some(Owed::Ack(_) | Owed::RelayAck(_)) | None => None,
        };
        desk.check(Checker::Relays, question.is_some(), || {
            format!("{whom:?} at {to} is pinged for somebody; owed is {owed:?}")
        });
        self.relayed = question.map(|question| (seq, question));
    }

    /// Helpers are other members than the one that is probed, and each is asked once.
    fn asked(
        &mut self,
        desk: &mut Desk,
        names: &mut Names,
        packet: &Sent<'_>,
        ping: &IndirectPing<'_>,
    ) {
        let Some(here) = self.hosts.get_mut(packet.host as usize) else { return };
        let whom = names.id(ping.node);
        let probe = here.probe.as_mut().filter(|probe| (probe.seq, probe.whom) == (ping.seq, whom));
        let own = ping.source.address.map(|address| address.socket_addr());
        let others = ![Some(ping.target.socket_addr()), own].contains(&Some(packet.to));
        if is_inquiry(ping.seq) {
            return desk.check(Checker::Helpers, others, || {
                format!("{} is asked to ping {ping:?}", packet.to)
            });
        }
        let once = probe.as_ref().is_some_and(|it| !it.helpers.contains(&packet.to));
        let few = probe.as_ref().is_some_and(|it| it.helpers.len() < here.most_helpers);
        desk.check(Checker::Helpers, others && once && few, || {
            format!("{} is asked to ping {ping:?}; the probe is {probe:?}", packet.to)
        });
        if let Some(probe) = probe {
            probe.helpers.push(packet.to);
        }
    }

    pub(super) fn handled(&mut self, desk: &mut Desk, step: Handled<'_>) {
        let Some(here) = self.hosts.get_mut(step.host as usize) else { return };
        if let Some(owed) = self.owed.take() {
            let checker = match owed {
                Owed::Ack(_) => Checker::Pings,
                Owed::RelayAck(_) | Owed::Ping { .. } => Checker::Relays,
            };
            desk.check(checker, false, || format!("{owed:?} is owed, and not sent"));
        }
        if let Some((seq, question)) = self.relayed.take() {
            let due = step.shown + patience(step.node.config());
            here.promises.insert(seq, Promise { question, due });
        }
        for (to, seq) in self.nacks.drain(..) {
            here.nacked(desk, to, seq, step.shown);
        }
        if step.is_woken && !here.promises.is_empty() {
            here.woken(desk, step.shown);
        }
    }
}

impl Host {
    /// A nack is promised, and comes when its time is over.
    fn nacked(&mut self, desk: &mut Desk, to: SocketAddr, seq: SeqNo, shown: Instant) {
        let fits = |promise: &Promise| {
            let Question { from, seq: asked, nack } = promise.question;
            nack && (from, asked) == (to, seq) && promise.due <= shown
        };
        let own = self.promises.iter().find(|(_, promise)| fits(promise)).map(|(&own, _)| own);
        desk.check(Checker::Relays, own.is_some(), || {
            format!("{to} gets a nack of {seq:?} at {shown:?}; promised are {:?}", self.promises)
        });
        if let Some(own) = own {
            self.promises.remove(&own);
        }
    }

    /// Nothing that is promised is overdue when the node has been woken.
    fn woken(&mut self, desk: &mut Desk, shown: Instant) {
        self.promises.retain(|own, promise| {
            let is_over = promise.due <= shown;
            if is_over {
                desk.check(Checker::Relays, !promise.question.nack, || {
                    format!("there is no nack at {shown:?} for {own:?}, which is {promise:?}")
                });
            }
            !is_over
        });
    }
}

/// How long a helper waits for the target, as [`Nacks`] says.
fn patience(config: &Config) -> Duration {
    match config.rules.nacks {
        Nacks::AtTimeout => config.probe_timeout,
        Nacks::InTime | Nacks::Never => config.probe_timeout * 4 / 5,
    }
}

/// Answers go to where the question says, else to where it came from (spec 2.7).
fn answer_address(source: &Source<'_>, from: SocketAddr) -> SocketAddr {
    source.address.map_or(from, |address| address.socket_addr())
}
