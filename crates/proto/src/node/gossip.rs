//! Periodic sending, and what time does to members that are gone.

use std::time::Duration;

use super::exchanges::Purpose;
use super::writing::Intent;
use super::{Leaving, Node};
use crate::formulas;
use crate::law::Belief;
use crate::members::MemberKey;
use crate::timers::Timer;
use crate::{Cause, Change, Counter, Evidence, Gossip, Instant, Tombstones, Via};

/// What gossip sends in this time is no backlog.
const BUSY: Duration = Duration::from_secs(2);
/// Bytes of claims in a packet, about.
const USUAL_PACKET: u128 = 1300;

impl Node {
    /// Spec 9.2. Each chosen member is one transmission.
    pub(super) fn on_gossip_tick(&mut self) {
        self.next_gossip = self.now + self.config.gossip_interval;
        if self.broadcasts.is_empty() {
            return;
        }
        let mut chosen = std::mem::take(&mut self.scratch.chosen);
        let count = self.config.gossip_nodes as usize * if self.is_busy() { 2 } else { 1 };
        match self.leaving {
            Leaving::No => {
                let dead_for = self.config.gossip_to_the_dead_time;
                let since = u64::try_from(dead_for.as_nanos()).unwrap_or(u64::MAX);
                let since = Instant::from_nanos(self.now.as_nanos().saturating_sub(since));
                self.members.pick_for_gossip(&mut self.rng, count, since, &mut chosen);
            }
            // A goodbye is sent a few times only, and the dead cannot pass it on.
            Leaving::Saying(_) | Leaving::Gone => {
                self.members.pick(&mut self.rng, count, |_, _| true, &mut chosen);
            }
        }
        let adapts = self.config.rules.gossip == Gossip::Adaptive;
        let is_small = |i: usize| adapts && i % 3 == 2;
        let gossip = |(i, &to): (usize, &MemberKey)| Intent::Gossip { to, small: is_small(i) };
        self.intents.extend(chosen.iter().enumerate().map(gossip));
        self.scratch.chosen = chosen;
    }

    /// Whether more claims wait than gossip sends in two seconds, by the rules that adapt to that.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        let ticks = BUSY.as_nanos() / self.config.gossip_interval.as_nanos().max(1);
        let usual = u128::from(self.config.gossip_nodes) * ticks * USUAL_PACKET;
        self.config.rules.gossip == Gossip::Adaptive && self.broadcasts.bytes() as u128 > usual
    }

    /// Whoever has nothing to tell sleeps through the ticks. While a suspicion runs it does not: how
    /// late they are says whether we are the one who is slow.
    pub(super) fn wait_for_gossip(&mut self) {
        if self.broadcasts.is_empty() && self.suspicions.is_empty()
            || self.timers.deadline(Timer::Gossip).is_some()
        {
            return;
        }
        let interval = self.config.gossip_interval;
        let missed = self.now.since(self.next_gossip).as_nanos().div_ceil(interval.as_nanos());
        let missed = u32::try_from(missed).unwrap_or(u32::MAX);
        self.next_gossip = self.next_gossip + interval.saturating_mul(missed);
        self.timers.set(Timer::Gossip, self.next_gossip);
    }

    pub(super) fn push_pull_interval(&self) -> Duration {
        formulas::push_pull_interval(self.config.push_pull_interval, self.members.len())
    }

    /// Spec section 10.
    pub(super) fn on_push_pull_tick(&mut self) {
        self.timers.set(Timer::PushPull, self.now + self.push_pull_interval());
        if self.spares_exchange() {
            self.counters.count(Counter::PushPullsSpared);
            return;
        }
        let mut chosen = std::mem::take(&mut self.scratch.chosen);
        let alive = |_, slot: &crate::members::Slot| slot.state == mingle_wire::State::Alive;
        self.members.pick(&mut self.rng, 1, alive, &mut chosen);
        if let Some(&with) = chosen.first() {
            let to = self.members.get(with).profile.address().socket_addr();
            if let Some(exchange) = self.open(Purpose::PushPull { with: to }) {
                self.intents.push_back(Intent::PushPull { exchange, to, join: false });
            }
        }
        self.scratch.chosen = chosen;
    }

    /// Forgets a member that has been dead or left for long enough.
    pub(super) fn reap(&mut self, key: MemberKey) {
        let slot = self.members.get(key);
        let evidence = Evidence {
            incarnation: slot.incarnation,
            before: Some(slot.state),
            cause: Cause::Expired,
            via: Via::Own,
            last_ack: slot.last_ack_age(self.now),
            lag: Duration::ZERO,
        };
        let belief = slot.belief();
        self.emit_change(Change::Reaped, key, evidence);
        if self.probe.as_ref().is_some_and(|probe| probe.target == key) {
            self.probe = None;
            self.timers.cancel(Timer::ProbeTimeout);
            self.timers.cancel(Timer::ProbeDeadline);
        }
        self.broadcasts.remove(key);
        self.timers.cancel(Timer::Reap(key));
        self.forget_inquiries(key);
        let member = self.members.remove(key);
        self.bury(member.name(), belief);
    }

    /// Reaps whoever went first, unless nobody has gone.
    pub(super) fn reap_early(&mut self) {
        if let Some(key) = self.timers.first_reaping() {
            self.counters.count(Counter::ReapedEarly);
            self.reap(key);
        }
    }

    /// Leaves a tombstone where the rules keep them.
    pub(super) fn bury(&mut self, name: &str, belief: Belief) {
        if self.config.rules.tombstones == Tombstones::Forgotten {
            return;
        }
        let most = self.config.max_tombstones;
        let dropped = self.tombstones.set(name, belief, self.now, most);
        self.counters.add(Counter::TombstonesDropped, dropped);
        if self.timers.deadline(Timer::Tombstone).is_none() {
            self.timers.set(Timer::Tombstone, self.now + self.config.tombstone_time);
        }
    }

    pub(super) fn on_tombstone_timeout(&mut self) {
        if let Some(next) = self.tombstones.expire(self.now, self.config.tombstone_time) {
            self.timers.set(Timer::Tombstone, next);
        }
    }
}
