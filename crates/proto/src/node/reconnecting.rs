//! Looking for whoever is missing: seeds where no member is, and members that failed.
//!
//! It never gives up, and costs next to nothing: one attempt at a time, at a pause that doubles up to
//! `reconnect_interval`, and the more rarely the more others can make it too.

use std::net::SocketAddr;

use super::exchanges::Purpose;
use super::writing::Intent;
use super::{Leaving, Node};
use crate::members::MemberKey;
use crate::timers::Timer;
use crate::{Counter, Done, Event, Missing, Reconnects, RequestError, SeedKind, Sought};

/// Attempts that may be under way at once: to who does not even refuse, one lasts `tcp_timeout`.
const MOST_AT_ONCE: usize = 3;

impl Node {
    /// Who is missing now.
    #[must_use]
    pub fn missing(&self) -> Missing {
        let count = |kind| self.missing_seeds(kind).count();
        Missing {
            failed: self.members.dead(),
            seeds: count(SeedKind::Configured),
            remembered: count(SeedKind::Remembered),
        }
    }

    fn missing_seeds(&self, kind: SeedKind) -> impl Iterator<Item = SocketAddr> {
        self.seeds.missing(kind, self.now, |key, address| self.lives_at(key, address))
    }

    fn lives_at(&self, key: MemberKey, address: SocketAddr) -> bool {
        self.members.holds(key) && {
            let slot = self.members.get(key);
            slot.state.is_live() && slot.profile.address().socket_addr() == address
        }
    }

    pub(super) fn add_seed(&mut self, address: SocketAddr, kind: SeedKind) {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        if !self.seeds.add(address, kind) {
            self.counters.count(Counter::SeedsRefused);
            return;
        }
        if self.members.local().profile.address().socket_addr() == address {
            self.seeds.note_ourselves(address);
        } else if let Some(key) = self.members.find_live_at(address) {
            self.seeds.note_member(address, key);
        }
        self.look_for_the_missing();
    }

    pub(super) fn remove_seed(&mut self, address: SocketAddr) {
        self.seeds.remove(SocketAddr::new(address.ip().to_canonical(), address.port()));
    }

    /// A member became live, or moved.
    pub(super) fn note_place(&mut self, key: MemberKey) {
        if !self.seeds.is_empty() {
            let address = self.members.get(key).profile.address().socket_addr();
            self.seeds.note_member(address, key);
        }
    }

    /// Somebody may be missing from now on. Who knows nobody else begins at once.
    pub(super) fn look_for_the_missing(&mut self) {
        if self.config.rules.reconnects == Reconnects::LeftToUsers || self.leaving != Leaving::No {
            return;
        }
        if self.timers.deadline(Timer::Reconnect).is_none() {
            self.reconnect_pause = self.config.probe_interval.min(self.config.reconnect_interval);
            let alone = self.members.live_others() == 0;
            let at = if alone { self.now } else { self.after_pause() };
            self.timers.set(Timer::Reconnect, at);
        }
    }

    /// Between half of the pause and all of it, so that those who lost somebody together do not look
    /// for it together.
    fn after_pause(&mut self) -> crate::Instant {
        let pause = self.reconnect_pause;
        self.after_part(pause / 2) + pause / 2
    }

    pub(super) fn on_reconnect_tick(&mut self) {
        let Missing { failed, seeds, remembered } = self.missing();
        let missing = failed + seeds + remembered;
        if missing == 0 || self.leaving != Leaving::No {
            return;
        }
        let at = self.after_pause();
        self.timers.set(Timer::Reconnect, at);
        let longest = self.config.reconnect_interval;
        self.reconnect_pause = self.reconnect_pause.saturating_mul(2).min(longest);
        let others = self.members.live_others();
        if others > missing && self.rng.index(others) >= missing {
            return;
        }
        if let Some((to, sought)) = self.choose_missing() {
            self.reconnect(to, sought);
        }
    }

    /// One of those that are missing: each kind has the same chance, and in it each one.
    fn choose_missing(&mut self) -> Option<(SocketAddr, Sought)> {
        let mut kinds = [Sought::Seed, Sought::Remembered, Sought::Failed];
        for i in (1..kinds.len()).rev() {
            kinds.swap(i, self.rng.index(i + 1));
        }
        kinds.into_iter().find_map(|sought| {
            let to = match sought {
                Sought::Seed => self.pick_seed(SeedKind::Configured),
                Sought::Remembered => self.pick_seed(SeedKind::Remembered),
                Sought::Failed => {
                    let key = self.members.pick_dead(&mut self.rng);
                    key.map(|key| self.members.get(key).profile.address().socket_addr())
                }
            };
            to.map(|to| (to, sought))
        })
    }

    fn pick_seed(&mut self, kind: SeedKind) -> Option<SocketAddr> {
        let missing: Vec<_> = self.missing_seeds(kind).collect();
        (!missing.is_empty()).then(|| missing[self.rng.index(missing.len())])
    }

    fn reconnect(&mut self, to: SocketAddr, sought: Sought) {
        let is_attempt = |purpose: &&Purpose| matches!(purpose, Purpose::Reconnect { .. });
        if self.exchanges.values().filter(is_attempt).count() >= MOST_AT_ONCE {
            return;
        }
        if let Some(exchange) = self.open(Purpose::Reconnect { to, sought }) {
            self.counters.count(Counter::Reconnects);
            self.intents.push_back(Intent::PushPull { exchange, to, join: true });
        }
    }

    /// What became of an attempt.
    pub(super) fn on_reconnected(
        &mut self,
        to: SocketAddr,
        sought: Sought,
        result: Result<Done, RequestError>,
    ) {
        match &result {
            Ok(_) => {
                self.counters.count(Counter::ReconnectsAnswered);
                self.seeds.note_answer(to, self.now);
            }
            Err(RequestError::Ourselves { .. }) => self.seeds.note_ourselves(to),
            Err(_) => {}
        }
        self.emit(Event::Reconnect { to, sought, result });
    }
}
