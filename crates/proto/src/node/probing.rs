//! Whom to probe, and what becomes of a probe (spec 8.1 and 8.2).

use std::net::SocketAddr;
use std::time::Duration;

use mingle_wire::memberlist::ViewNote;
use mingle_wire::{Ack, Capabilities, State};

use super::Node;
use super::exchanges::Purpose;
use super::writing::Intent;
use crate::members::MemberKey;
use crate::probe::{Phase, Probe};
use crate::timers::Timer;
use crate::{
    Accusations, Cause, Counter, Event, Instant, LinkKind, Nacks, SendFailure, StreamPing,
    Timeouts, Via,
};

impl Node {
    /// Probes do not overlap: a tick during one waits for its end, and further ticks add nothing.
    pub(super) fn on_probe_tick(&mut self) {
        self.timers.set(Timer::Probe, self.now + self.config.probe_interval);
        if self.probe.is_some() {
            self.probe_due = true;
        } else {
            self.start_probe();
        }
    }

    fn start_probe(&mut self) {
        self.probe_due = false;
        let again = self.probe_again.take().filter(|&key| self.is_live(key));
        let target = again.or_else(|| self.members.next_to_probe(&mut self.rng));
        let Some(target) = target else { return };
        self.counters.count(Counter::Probes);
        let seq = self.next_seq();
        let incarnation = self.members.get(target).incarnation;
        let score = self.awareness.score();
        self.probe = Some(Probe::new(target, incarnation, seq, score, self.now));
        let whole = self.config.probe_interval.saturating_mul(score + 1);
        if let Some(patience) = self.patience(target, whole) {
            self.timers.set(Timer::ProbeTimeout, self.now + patience);
        }
        self.timers.set(Timer::ProbeDeadline, self.now + whole);
        self.intents.push_back(Intent::Ping { target, seq });
    }

    /// How long to wait before helpers are asked; `None` where no answer of theirs could be in time.
    fn patience(&self, target: MemberKey, whole: Duration) -> Option<Duration> {
        let most = self.config.probe_timeout;
        match self.config.rules.timeouts {
            Timeouts::Configured => return Some(most),
            Timeouts::Scaled => return Some(most.saturating_mul(self.awareness.score() + 1)),
            Timeouts::Measured => {}
        }
        let rtt = self.members.get(target).rtt;
        let Some((patience, smoothed)) = rtt.patience().zip(rtt.smoothed()) else {
            return Some(most);
        };
        let patience = patience.saturating_mul(self.awareness.score() + 1);
        let early = patience.clamp(most / Self::LEAST_PATIENCE, most);
        if early + smoothed <= whole {
            return Some(early);
        }
        let late = patience.max(most);
        (late < whole).then_some(late)
    }

    /// No timeout is below this share of the configured one.
    const LEAST_PATIENCE: u32 = 8;

    /// Whoever is accused already may be accused again.
    fn may_accuse(&mut self, target: MemberKey) -> bool {
        self.config.rules.accusations == Accusations::Unlimited
            || self.members.get(target).state != State::Alive
            || self.credit.take(self.now, self.config.probe_interval)
    }

    fn is_live(&self, key: MemberKey) -> bool {
        self.members.holds(key) && self.members.get(key).state.is_live()
    }

    pub(super) fn on_probe_ack(&mut self, from: SocketAddr, ack: &Ack<'_>, received: Instant) {
        let Some(probe) = self.probe.take() else { return };
        let target = probe.target;
        let tells = self.tells(self.members.get(target).profile.versions());
        let (payload, note) =
            if tells { ViewNote::split(ack.payload) } else { (ack.payload, None) };
        let place = self.members.get(target).profile.address().socket_addr();
        if probe.phase == Phase::Direct || from == place {
            let rtt = received.since(probe.sent);
            self.members.rtt_mut(target).add(rtt);
            let member = self.members.member(target);
            self.emit(Event::Pong { member, rtt, payload: payload.to_vec() });
            self.link_is_good(target);
        } else {
            self.link_is_odd(target, LinkKind::HelpersOnly);
        }
        self.succeed(&probe);
        if let Some(note) = note {
            self.on_view_note(target, note);
        }
    }

    fn succeed(&mut self, probe: &Probe) {
        self.members.heard(probe.target, self.now);
        if !probe.unsent {
            self.better_health();
        }
        self.end_probe();
    }

    fn end_probe(&mut self) {
        self.probe = None;
        self.timers.cancel(Timer::ProbeTimeout);
        self.timers.cancel(Timer::ProbeDeadline);
        if self.probe_due {
            self.start_probe();
        }
    }

    /// A write error on the direct ping saves waiting for its ack.
    pub(super) fn on_send_failed(&mut self, to: SocketAddr, kind: SendFailure) {
        self.counters.count(Counter::SendsFailed);
        let Some(probe) = &mut self.probe else { return };
        let target = self.members.get(probe.target).profile.address().socket_addr();
        if kind == SendFailure::Unreachable && target == to && probe.phase == Phase::Direct {
            probe.unsent = true;
            self.timers.cancel(Timer::ProbeTimeout);
            self.on_probe_timeout();
        }
    }

    /// The direct ping was not answered: helpers try, and a stream beside them.
    pub(super) fn on_probe_timeout(&mut self) {
        let Some(mut probe) = self.probe.take() else { return };
        probe.phase = Phase::Indirect;
        if !probe.unsent {
            self.members.rtt_mut(probe.target).back_off(self.now.since(probe.sent));
        }
        self.ask_helpers(&mut probe);
        let versions = self.members.get(probe.target).profile.versions();
        if self.config.stream_pings && Capabilities::of(versions).stream_ping {
            probe.stream = StreamPing::Silent;
            self.ping_on_stream(&probe);
        }
        self.probe = Some(probe);
    }

    fn ask_helpers(&mut self, probe: &mut Probe) {
        let mut chosen = std::mem::take(&mut self.scratch.chosen);
        let pass =
            |key, slot: &crate::members::Slot| key != probe.target && slot.state == State::Alive;
        let helpers = self.config.indirect_checks as usize;
        self.members.pick(&mut self.rng, helpers, pass, &mut chosen);
        for &helper in &chosen {
            let nack = self.config.rules.nacks != Nacks::Never
                && Capabilities::of(self.members.get(helper).profile.versions()).nack;
            probe.helpers += 1;
            probe.nacks_expected += u32::from(nack);
            let target = probe.target;
            self.intents.push_back(Intent::IndirectPing { helper, target, seq: probe.seq, nack });
        }
        self.scratch.chosen = chosen;
    }

    fn ping_on_stream(&mut self, probe: &Probe) {
        let to = self.members.get(probe.target).profile.address().socket_addr();
        let deadline = self.timers.deadline(Timer::ProbeDeadline).unwrap_or(self.now);
        let target = probe.target;
        if let Some(exchange) = self.open(Purpose::Ping { seq: probe.seq }) {
            self.intents.push_back(Intent::StreamPing {
                exchange,
                to,
                deadline,
                target,
                seq: probe.seq,
            });
        }
    }

    /// What became of the ping on a stream. It settles nothing before the deadline, so that packets
    /// have their chance.
    pub(super) fn on_stream_ping(&mut self, seq: mingle_wire::SeqNo, outcome: StreamPing) {
        if let Some(probe) = self.probe.as_mut().filter(|probe| probe.seq == seq) {
            probe.stream = outcome;
        }
    }

    pub(super) fn on_probe_deadline(&mut self) {
        let Some(probe) = self.probe.take() else { return };
        if probe.stream == StreamPing::Answered {
            self.counters.count(Counter::ProbesAnsweredOnStream);
            self.link_is_odd(probe.target, LinkKind::StreamsOnly);
            self.succeed(&probe);
            return;
        }
        self.counters.count(Counter::ProbesFailed);
        self.worsen_health(probe.penalty());
        if self.may_accuse(probe.target) {
            let cause = Cause::ProbeFailed(probe.report(self.now));
            self.accuse(probe.target, probe.incarnation, cause, Via::Own, probe.lag);
        } else {
            self.counters.count(Counter::AccusationsWithheld);
        }
        self.end_probe();
    }
}
