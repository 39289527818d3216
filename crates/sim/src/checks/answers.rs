use std::collections::BTreeMap;
use std::time::Duration;

use mingle_proto::{
    Cause, Change, Config, Evidence, ExchangeId, Input, Instant, Lateness, Member, Node,
    ProbeReport,
};
use mingle_wire::{Message, SeqNo, StreamMessage, memberlist};

use super::desk::{Checker, Desk};
use super::names::{NameId, Names};

/// Whom nodes ping, and who answered: what evidence says of it is held against this.
#[derive(Debug, Default)]
pub(super) struct Answers {
    hosts: Vec<Host>,
    /// By (observer, member).
    heard: BTreeMap<(u32, NameId), Heard>,
    /// The ping that is written in this step.
    next: Option<(SeqNo, NameId)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Host {
    probe: Option<Probe>,
    /// When it wanted to be woken.
    due: Option<Instant>,
}

/// A probe under way.
#[derive(Clone, Copy, Debug)]
struct Probe {
    seq: SeqNo,
    target: NameId,
    pinged: Instant,
    helpers: u32,
    nack_promises: u32,
    nacks: u32,
}

/// When a member answered.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    /// The last answer that was in time whatever the health score.
    surely: Option<Instant>,
    /// The last answer; the probe may have been over by then.
    perhaps: Option<Instant>,
    /// An answer on a stream counts when the probe ends, which is not seen from here.
    on_stream: bool,
}

/// Machines keep the time of an answer in tenths of a second, rounded down.
const UNIT: Duration = Duration::from_millis(100);

impl Answers {
    pub(super) fn started(&mut self, host: u32, node: &Node) {
        self.heard.retain(|&(of, _), _| of != host);
        let host = host as usize;
        if self.hosts.len() <= host {
            self.hosts.resize(host + 1, Host::default());
        }
        self.hosts[host] = Host { probe: None, due: node.poll_timeout() };
    }

    /// A packet came that begins with this, as answers do.
    pub(super) fn packet(
        &mut self,
        config: &Config,
        host: u32,
        received: Instant,
        first: &Message<'_>,
    ) {
        let Some(here) = self.hosts.get_mut(host as usize) else { return };
        let Some(probe) = &mut here.probe else { return };
        match first {
            Message::Ack(ack) if ack.seq == probe.seq => {
                let heard = self.heard.entry((host, probe.target)).or_default();
                heard.perhaps = Some(received);
                if received < probe.pinged + config.probe_interval {
                    heard.surely = Some(received);
                }
                here.probe = None;
            }
            Message::Nack(nack) if nack.seq == probe.seq => probe.nacks += 1,
            _ => {}
        }
    }

    /// Something else came; on a stream it may be an answer.
    pub(super) fn input(&mut self, host: u32, input: &Input<'_>) {
        let Some(probe) = self.hosts.get(host as usize).and_then(|here| here.probe) else { return };
        let Input::ExchangeMessage { exchange: ExchangeId::Ours(_), body } = *input else { return };
        let message = memberlist::decode_stream(body);
        if matches!(message, Ok(StreamMessage::Ack(ack)) if ack.seq == probe.seq) {
            self.heard.entry((host, probe.target)).or_default().on_stream = true;
        }
    }

    /// A node asks, for itself.
    pub(super) fn sent(&mut self, names: &mut Names, host: u32, message: &Message<'_>) {
        let Some(here) = self.hosts.get_mut(host as usize) else { return };
        match message {
            Message::Ping(ping) => self.next = Some((ping.seq, names.id(ping.node))),
            Message::IndirectPing(ping) => {
                if let Some(probe) = here.probe.as_mut().filter(|probe| probe.seq == ping.seq) {
                    probe.helpers += 1;
                    probe.nack_promises += u32::from(ping.nack);
                }
            }
            Message::Ack(_)
            | Message::Nack(_)
            | Message::Alive(_)
            | Message::Suspect(_)
            | Message::Dead(_)
            | Message::User(_) => {}
        }
    }

    pub(super) fn told(
        &mut self,
        desk: &mut Desk,
        about: (u32, NameId),
        change: Change,
        member: &Member,
        evidence: &Evidence,
        shown: Instant,
    ) {
        let heard = self.heard.get(&about).copied().unwrap_or_default();
        let age = evidence.last_ack;
        desk.check(Checker::Answers, heard.allows(age, shown), || {
            let whom = member.name();
            format!("{whom} is said to have answered {age:?} ago at {shown:?}; {heard:?}")
        });
        if let Cause::ProbeFailed(report) = &evidence.cause {
            self.failed(desk, about, member, report, shown);
        }
        if change == Change::Reaped {
            self.heard.remove(&about);
            if let Some(here) = self.hosts.get_mut(about.0 as usize) {
                here.probe = here.probe.filter(|probe| probe.target != about.1);
            }
        }
    }

    fn failed(
        &self,
        desk: &mut Desk,
        about: (u32, NameId),
        member: &Member,
        report: &ProbeReport,
        shown: Instant,
    ) {
        let probe = self.hosts.get(about.0 as usize).and_then(|here| here.probe);
        let fits = probe.is_some_and(|probe| {
            probe.target == about.1
                && shown.since(probe.pinged) == report.waited
                && probe.helpers <= report.helpers
                && probe.nack_promises <= report.nacks_expected
                && report.nacks == probe.nacks.min(report.nacks_expected)
        });
        desk.check(Checker::Answers, fits, || {
            format!("{} failed a probe that reads {report:?}; it was {probe:?}", member.name())
        });
    }

    pub(super) fn handled(&mut self, config: &Config, step: Handled<'_>) {
        let Some(here) = self.hosts.get_mut(step.host as usize) else { return };
        let lag = here.due.map_or(Duration::ZERO, |due| step.shown.since(due));
        let doubts = config.rules.lateness == Lateness::DoubtsItself;
        if step.is_woken && doubts && lag > config.probe_interval {
            here.probe = None;
        }
        if let Some((seq, target)) = self.next.take() {
            let pinged = step.shown;
            let probe = Probe { seq, target, pinged, helpers: 0, nack_promises: 0, nacks: 0 };
            here.probe = Some(probe);
        }
        here.due = step.node.poll_timeout();
    }
}

/// A node after an input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handled<'a> {
    pub(super) host: u32,
    pub(super) shown: Instant,
    pub(super) is_woken: bool,
    pub(super) node: &'a Node,
}

impl Heard {
    fn allows(&self, age: Option<Duration>, shown: Instant) -> bool {
        let Some(age) = age else { return self.surely.is_none() };
        let at = Instant::from_nanos(shown.as_nanos().saturating_sub(age_nanos(age)));
        let late_enough = self.surely.is_none_or(|surely| at + UNIT > surely);
        let early_enough = self.on_stream || self.perhaps.is_some_and(|last| at <= last);
        late_enough && early_enough
    }
}

fn age_nanos(age: Duration) -> u64 {
    u64::try_from(age.as_nanos()).unwrap_or(u64::MAX)
}
