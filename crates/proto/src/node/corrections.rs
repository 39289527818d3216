//! What others are told who speak of what we know to be over.

use std::net::SocketAddr;
use std::time::Duration;

use mingle_wire::{Alive, Dead, Message, State, Suspect};

use super::Node;
use super::writing::Intent;
use crate::law::Belief;
use crate::members::MemberKey;
use crate::{Beliefs, Confirmations, Counter, Instant, Profile, Via};

/// At most one correction of old news per member in this time.
const BETWEEN_CORRECTIONS: Duration = Duration::from_secs(1);

/// At most so many in that time, of all members together.
const MOST_CORRECTIONS: u32 = 32;

/// So many accusers of one member are told that it is gone, until it is something else.
const MOST_CONFIRMATIONS: u8 = 32;

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

    /// Tells a node that speaks of itself what is held against it, so that it can refute. `profile` is
    /// what a member is known by that is not forgotten.
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
        self.answer(to, &Message::Alive(*alive), &message, Counter::Corrections);
    }

    /// Answers a claim with another one, and says whether it did. Never with more bytes than it had, because the address that it
    /// came from is not verified.
    fn answer(
        &mut self,
        to: SocketAddr,
        theirs: &Message<'_>,
        ours: &Message<'_>,
        counter: Counter,
    ) -> bool {
        let (mut heard, mut claim) = (Vec::new(), Vec::new());
        theirs.encode(&mut heard);
        ours.encode(&mut claim);
        let may = claim.len() <= heard.len() && self.may_answer();
        if may {
            self.counters.count(counter);
            self.intents.push_back(Intent::Tell { to, claim });
        }
        may
    }

    /// A view with thousands of old claims does not make us send thousands of packets.
    fn may_answer(&mut self) -> bool {
        let (since, sent) = self.corrections;
        let is_over = self.now.since(since) >= BETWEEN_CORRECTIONS;
        self.corrections = if is_over { (self.now, 1) } else { (since, sent.saturating_add(1)) };
        is_over || sent < MOST_CORRECTIONS
    }

    /// Whoever accuses somebody that we know to be gone hears so from us: of the dead in our own
    /// accusation, so that they have as long to answer as a confirmed suspicion lasts, and of those who
    /// left in their goodbye. An accuser that has learned of it meanwhile would answer our accusation in
    /// turn, and we that one: the bound for each member ends it.
    pub(super) fn confirm_to_accuser(&mut self, suspect: &Suspect<'_>, key: MemberKey, via: Via) {
        let Via::Packet(to) = via else { return };
        let Belief { incarnation, state } = self.members.get(key).belief();
        let given = self.confirmed.get(&key).copied().unwrap_or(0);
        if self.config.rules.confirmations == Confirmations::FirstHand
            || state.is_live()
            || incarnation < suspect.incarnation
            || given >= MOST_CONFIRMATIONS
            || !self.config.allows(to.ip())
        {
            return;
        }
        let local = self.members.local().profile.clone();
        let (node, from) = (suspect.node, local.name());
        let message = if state == State::Left {
            Message::Dead(Dead { incarnation, node, from: node })
        } else {
            Message::Suspect(Suspect { incarnation, node, from })
        };
        if self.answer(to, &Message::Suspect(*suspect), &message, Counter::Confirmations) {
            self.confirmed.insert(key, given + 1);
        }
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
