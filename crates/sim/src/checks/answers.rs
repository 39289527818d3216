use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use mingle_proto::{
    Cause, Change, Config, Evidence, ExchangeId, Input, Instant, Member, Names as NameRules, Node,
    ProbeReport,
};
use mingle_wire::{Incarnation, Message, SeqNo, StreamMessage, memberlist};

use super::desk::{Checker, Desk};
use super::health::{Came, Health};
use super::inquiries::is_inquiry;
use super::lags::{Lags, WORTH_NOTING};
use super::names::{NameId, Names};
use super::shadows::Handled;

/// Whom nodes ping, and who answered: what evidence says of it is held against this.
#[derive(Debug, Default)]
pub(super) struct Answers {
    hosts: Vec<Host>,
    /// When a member last answered in time, by (observer, member).
    heard: BTreeMap<(u32, NameId), Instant>,
    /// When it answered something else than a probe lately, whether or not that still mattered.
    aside: BTreeMap<(u32, NameId), VecDeque<Instant>>,
    lags: Lags,
    /// The ping that is written in this step, and the incarnation at which its target is known.
    next: Option<(SeqNo, NameId, Option<Incarnation>)>,
    /// What becomes of the probe in this step.
    came: Option<Came>,
    /// Whether the input of this step is a wake-up.
    is_woken: bool,
    /// How often the node has refuted in this step.
    refuted: u32,
}

#[derive(Clone, Copy, Debug)]
struct Host {
    probe: Option<Probe>,
    health: Health,
    names: NameRules,
}

/// A probe under way.
#[derive(Clone, Copy, Debug)]
struct Probe {
    seq: SeqNo,
    target: NameId,
    /// What the target was known at when it was pinged.
    incarnation: Option<Incarnation>,
    pinged: Instant,
    /// When it fails, unless there was an answer.
    deadline: Instant,
    /// How late timers ran at the worst since then.
    lag: Duration,
    is_answered_on_stream: bool,
    helpers: u32,
    nack_promises: u32,
    nacks: u32,
}

/// So many answers of one member to something else than probes are kept.
const MOST_ASIDE: usize = 16;
/// Machines keep the time of an answer in tenths of a second, rounded down.
const UNIT: Duration = Duration::from_millis(100);

impl Answers {
    pub(super) fn started(&mut self, host: u32, node: &Node) {
        self.heard.retain(|&(of, _), _| of != host);
        self.aside.retain(|&(of, _), _| of != host);
        let host = host as usize;
        let here = Host { probe: None, health: Health::of(node), names: node.config().rules.names };
        if self.hosts.len() <= host {
            self.hosts.resize(host + 1, here);
        }
        self.hosts[host] = here;
    }

    pub(super) fn stopped(&mut self, host: u32) {
        self.lags.stopped(host);
    }

    /// A step begins.
    pub(super) fn begins(&mut self, is_woken: bool) {
        self.is_woken = is_woken;
    }

    /// A packet came that begins with this, as answers do.
    pub(super) fn packet(&mut self, host: u32, received: Instant, first: &Message<'_>) {
        let Some(here) = self.hosts.get_mut(host as usize) else { return };
        let Some(probe) = &mut here.probe else { return };
        match first {
            Message::Ack(ack) if ack.seq == probe.seq => {
                self.heard.insert((host, probe.target), received);
                here.probe = None;
                self.came = Some(Came::Answer);
            }
            // One that comes before helpers are asked is of an earlier life's probe.
            Message::Nack(nack) if nack.seq == probe.seq => {
                probe.nacks = (probe.nacks + 1).min(probe.nack_promises);
            }
            _ => {}
        }
    }

    /// A member answered an inquiry.
    pub(super) fn aside(&mut self, about: (u32, NameId), received: Instant) {
        let answers = self.aside.entry(about).or_default();
        answers.push_back(received);
        if answers.len() > MOST_ASIDE {
            answers.pop_front();
        }
    }

    /// Something else came; on a stream it may be an answer.
    pub(super) fn input(&mut self, host: u32, input: &Input<'_>) {
        let Some(here) = self.hosts.get_mut(host as usize) else { return };
        let Some(probe) = &mut here.probe else { return };
        let Input::ExchangeMessage { exchange: ExchangeId::Ours(_), body } = *input else { return };
        let message = memberlist::decode_stream(body);
        if matches!(message, Ok(StreamMessage::Ack(ack)) if ack.seq == probe.seq) {
            probe.is_answered_on_stream = true;
        }
    }

    /// A node asks, for itself. `known` says at which incarnation it knows a member by now.
    pub(super) fn sent(
        &mut self,
        names: &mut Names,
        host: u32,
        message: &Message<'_>,
        known: impl FnOnce(NameId) -> Option<Incarnation>,
    ) {
        let Some(here) = self.hosts.get_mut(host as usize) else { return };
        match message {
            Message::Ping(ping) if is_inquiry(ping.seq) => {}
            Message::Ping(ping) => {
                let target = names.id(ping.node);
                self.next = Some((ping.seq, target, known(target)));
            }
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
        let (heard, age) = (self.heard.get(&about).copied(), evidence.last_ack);
        // An answer on a stream counts when the probe ends, which may be in this very step.
        let mut aside =
            self.aside.get(&about).into_iter().flatten().filter(|&&it| Some(it) > heard);
        let fits = was_heard(heard, age, shown)
            || aside.any(|&aside| was_heard(Some(aside), age, shown))
            || (self.ends_by_stream(about, shown) && was_heard(Some(shown), age, shown));
        desk.check(Checker::Answers, fits, || {
            let whom = member.name();
            format!("{whom} is said to have answered {age:?} ago at {shown:?}; it did at {heard:?}")
        });
        if let Cause::ProbeFailed(report) = &evidence.cause {
            self.failed(desk, about, member, (report, evidence), shown);
        }
        self.lags.told(desk, about, change, (member, shown), evidence);
        if change == Change::Reaped {
            self.heard.remove(&about);
            self.aside.remove(&about);
            self.forget_probe(about, shown);
        }
    }

    fn ends_by_stream(&self, (host, about): (u32, NameId), shown: Instant) -> bool {
        let probe = self.hosts.get(host as usize).and_then(|here| here.probe);
        probe.is_some_and(|probe| {
            let is_due = self.is_woken && probe.deadline <= shown;
            is_due && probe.target == about && probe.is_answered_on_stream
        })
    }

    /// A probe of somebody who is forgotten ends, unless it failed just before that.
    fn forget_probe(&mut self, (host, about): (u32, NameId), shown: Instant) {
        let Some(here) = self.hosts.get_mut(host as usize) else { return };
        if let Some(probe) = here.probe.take_if(|probe| probe.target == about)
            && probe.deadline <= shown
        {
            self.came = Some(Came::Whatever);
        }
    }

    /// A node answered what was said of it. What a former process said of itself is no accusation.
    pub(super) fn refuted(&mut self, host: u32, cause: &Cause) {
        let names = self.hosts.get(host as usize).map(|here| here.names);
        let is_accusation = *cause != Cause::Announced || names == Some(NameRules::FirstComes);
        self.refuted += u32::from(is_accusation);
    }

    fn failed(
        &self,
        desk: &mut Desk,
        about: (u32, NameId),
        member: &Member,
        (report, evidence): (&ProbeReport, &Evidence),
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
        let Some(probe) = probe else { return };
        let (accused, whom) = (evidence.incarnation, member.name());
        desk.check(Checker::Answers, probe.incarnation == Some(accused), || {
            format!("{whom} is accused at {accused}; when it was pinged it was {probe:?}")
        });
        desk.check(Checker::Lags, probe.lag == evidence.lag, || {
            let (said, was) = (evidence.lag, probe.lag);
            format!("{whom} failed a probe with a lag of {said:?}; timers were {was:?} late")
        });
    }

    /// How late the timers of this step are counts for whatever runs already.
    pub(super) fn late(&mut self, host: u32, lag: Duration, shown: Instant) {
        if lag < WORTH_NOTING {
            return;
        }
        let here = self.hosts.get_mut(host as usize);
        if let Some(probe) = here.and_then(|here| here.probe.as_mut()) {
            probe.lag = probe.lag.max(lag);
        }
        self.lags.late(host, lag, shown);
    }

    pub(super) fn handled(&mut self, desk: &mut Desk, config: &Config, step: Handled<'_>) {
        let Handled { host, shown, node, .. } = step;
        self.late(host, step.lag, shown);
        let (mut came, next) = (self.came.take(), self.next.take());
        let refuted = std::mem::take(&mut self.refuted);
        let Some(here) = self.hosts.get_mut(host as usize) else { return };
        if step.doubts_itself() {
            (here.probe, came) = (None, None);
            here.health.worse(config, 1);
        } else if self.is_woken
            && let Some(probe) = here.probe.take_if(|probe| probe.deadline <= shown)
        {
            came = Some(probe.end());
            if probe.is_answered_on_stream {
                self.heard.insert((host, probe.target), shown);
            }
        }
        if let Some(came) = came {
            here.health.probed(config, node, came);
        }
        if let Some((seq, target, incarnation)) = next {
            let wait = config.probe_interval.saturating_mul(here.health.score() + 1);
            here.probe = Some(Probe::new(seq, target, incarnation, shown, wait));
        }
        here.health.worse(config, refuted);
        here.health.check(desk, node);
    }
}

impl Probe {
    fn new(
        seq: SeqNo,
        target: NameId,
        incarnation: Option<Incarnation>,
        pinged: Instant,
        wait: Duration,
    ) -> Self {
        Self {
            seq,
            target,
            incarnation,
            pinged,
            deadline: pinged + wait,
            lag: Duration::ZERO,
            is_answered_on_stream: false,
            helpers: 0,
            nack_promises: 0,
            nacks: 0,
        }
    }

    /// What has become of it by its deadline.
    fn end(self) -> Came {
        if self.is_answered_on_stream {
            return Came::Answer;
        }
        Came::Silence { nacks_promised: self.nack_promises, nacks: self.nacks }
    }
}

/// Whether an answer that is said to be so old came then.
fn was_heard(heard: Option<Instant>, age: Option<Duration>, shown: Instant) -> bool {
    let (Some(heard), Some(age)) = (heard, age) else { return heard.is_none() && age.is_none() };
    let said = Instant::from_nanos(shown.as_nanos().saturating_sub(age_nanos(age)));
    said <= heard && heard < said + UNIT
}

fn age_nanos(age: Duration) -> u64 {
    u64::try_from(age.as_nanos()).unwrap_or(u64::MAX)
}
