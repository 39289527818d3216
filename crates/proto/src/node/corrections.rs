//! What members are told who speak of themselves below what we hold.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use mingle_wire::{Alive, Dead, Message, State, Suspect};
use serde::{Deserialize, Serialize};

use super::Node;
use super::writing::Intent;
use crate::law::Belief;
use crate::members::MemberKey;
use crate::{Beliefs, Counter, Instant, Profile, Via};

/// At most one correction of old news per name in this time.
const PAUSE: Duration = Duration::from_secs(1);

/// At most so many in that time, of all names together: a view with thousands of old claims does not
/// make us send thousands of packets.
const MOST: usize = 32;

/// Who was told within the last [`PAUSE`] what is held against it, the longest ago first. At most
/// [`MOST`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Corrections(VecDeque<(Instant, Arc<str>)>);

impl Corrections {
    fn may_tell(&mut self, name: &str, now: Instant) -> bool {
        while self.0.front().is_some_and(|(told, _)| now.since(*told) >= PAUSE) {
            self.0.pop_front();
        }
        self.0.len() < MOST && self.0.iter().all(|(_, told)| **told != *name)
    }

    fn note_told(&mut self, name: &str, now: Instant) {
        self.0.push_back((now, name.into()));
    }
}

impl Node {
    /// A member that speaks of itself below what we hold is told what that is, so that it can refute.
    pub(super) fn answer_old_news(
        &mut self,
        key: MemberKey,
        alive: &Alive<'_>,
        port: u16,
        via: Via,
    ) {
        if self.config.rules.beliefs == Beliefs::Law && speaks_for_itself(alive, port, via) {
            let slot = self.members.get(key);
            let (held, profile) = (slot.belief(), slot.profile.clone());
            self.correct(alive, port, held, Some(&profile));
        }
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
        if !self.corrections.may_tell(alive.node, self.now) {
            return;
        }
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
        if claim.len() <= heard.len() {
            self.corrections.note_told(node, self.now);
            self.counters.count(Counter::Corrections);
            self.intents.push_back(Intent::Tell { to, claim });
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_told_once_in_a_second_and_32_are_in_any_second() {
        let mut corrections = Corrections::default();
        let mut told = |name: &str, millis| {
            let now = Instant::from_millis(millis);
            let may = corrections.may_tell(name, now);
            if may {
                corrections.note_told(name, now);
            }
            may
        };
        assert!(told("a", 0) && !told("a", 999) && told("a", 1_000));
        let names: Vec<_> = (0..32).map(|n| n.to_string()).collect();
        assert_eq!(names.iter().filter(|name| told(name, 1_500)).count(), 31, "beside the first");
        assert!(told("b", 2_000) && !told("c", 2_000), "the first has made room for one");
    }
}
