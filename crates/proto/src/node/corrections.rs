//! What others are told who speak of what we know to be over.

use std::time::Duration;

use mingle_wire::{Alive, Dead, Message, State, Suspect};

use super::Node;
use super::writing::Intent;
use crate::law::Belief;
use crate::members::MemberKey;
use crate::{Beliefs, Counter, Instant, Profile, Via};

/// At most one correction of old news per member in this time.
const BETWEEN_CORRECTIONS: Duration = Duration::from_secs(1);

/// At most so many in that time, of all members together.
const MOST_CORRECTIONS: u32 = 32;

impl Node {
    /// A member that speaks of itself below what we hold is told what that is, so that it can refute.
    pub(super) fn answer_old_news(
        &mut self,
        key: MemberKey,
        alive: &Alive<'_>,
        port: u16,
        via: Via,
    ) {
        let law = self.config.rules.beliefs == Beliefs::Law;
        if law && speaks_for_itself(alive, port, via) && self.may_tell(key) {
            let slot = self.members.get(key);
            let (held, profile) = (slot.belief(), slot.profile.clone());
            self.correct(alive, port, held, Some(&profile));
        }
    }

    fn may_tell(&mut self, key: MemberKey) -> bool {
        let now = self.now;
        let waited = |told: &Instant| now.since(*told) >= BETWEEN_CORRECTIONS;
        if !self.corrected.get(&key).is_none_or(waited) {
            return false;
        }
        self.corrected.insert(key, now);
        true
    }

    /// Tells a node that speaks of itself what is held against it, so that it can refute: never with
    /// more bytes than it had, because its address is not verified. `profile` is what a member is known
    /// by that is not forgotten.
    pub(super) fn correct(
        &mut self,
        alive: &Alive<'_>,
        port: u16,
        held: Belief,
        profile: Option<&Profile>,
    ) {
        let local = self.members.local().profile.clone();
        let Belief { incarnation, state } = held;
        let (node, from) = (alive.node, local.name());
        let message = match (state, profile) {
            (State::Alive, Some(profile)) => Message::Alive(profile.alive(incarnation)),
            (State::Suspect, _) => Message::Suspect(Suspect { incarnation, node, from }),
            (State::Left, _) => Message::Dead(Dead { incarnation, node, from: node }),
            (State::Dead | State::Alive, _) => Message::Dead(Dead { incarnation, node, from }),
        };
        let to = mingle_wire::Address { port, ..alive.address }.socket_addr();
        let (mut heard, mut claim) = (Vec::new(), Vec::new());
        Message::Alive(*alive).encode(&mut heard);
        message.encode(&mut claim);
        if claim.len() <= heard.len() && self.may_correct() {
            self.counters.count(Counter::Corrections);
            self.intents.push_back(Intent::Tell { to, claim });
        }
    }

    /// A view with thousands of old claims does not make us send thousands of packets.
    fn may_correct(&mut self) -> bool {
        let (since, sent) = self.corrections;
        let is_over = self.now.since(since) >= BETWEEN_CORRECTIONS;
        self.corrections = if is_over { (self.now, 1) } else { (since, sent.saturating_add(1)) };
        is_over || sent < MOST_CORRECTIONS
    }

    pub(super) fn may_tell_of_buried(&mut self, name: &str) -> bool {
        self.tombstones.may_tell(name, self.now, BETWEEN_CORRECTIONS)
    }
}

/// Whether a claim comes from whom it is about, as far as addresses tell. A view is of whoever
/// believes it, and may be all that its members ever hear of us.
pub(super) fn speaks_for_itself(alive: &Alive<'_>, port: u16, via: Via) -> bool {
    match via {
        Via::Own => false,
        Via::Packet(from) => from == mingle_wire::Address { port, ..alive.address }.socket_addr(),
        Via::Stream(_) => true,
    }
}
