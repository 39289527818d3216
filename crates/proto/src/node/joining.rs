//! What follows a join. Whoever joins gets the view that its peer has at that moment; of those who join in the
//! same second it hears by gossip, which takes long for many. So it asks a moment later which view its peer has
//! by then.

use std::net::SocketAddr;
use std::time::Duration;

use mingle_wire::State;
use mingle_wire::memberlist::ViewNote;
use serde::{Deserialize, Serialize};

use super::exchanges::Purpose;
use super::inquiries::Question;
use super::writing::Intent;
use super::{Leaving, Node};
use crate::members::{MemberKey, Slot};
use crate::timers::Timer;
use crate::{Counter, ExchangeId, Joins};

/// So many newcomers fit into one packet of gossip, about, and gossip is fast enough for them.
const FEW: usize = 16;
/// So many are more than it carries in a tick.
const CROWD: usize = 4 * FEW;
/// Turns in which the peer of the join is asked. It knows most when many join by it; others share the rest.
const WITH_PEER: u32 = 2;
/// How often the pause doubles.
const MOST_DOUBLINGS: u32 = 3;
/// Who got no answer that ends it by then waits for the next crowd.
const MOST_TURNS: u32 = 16;
/// What a member adds to the pause, so that exchanges of large views take 2 MB/s at most.
const FOR_EACH_MEMBER: Duration = Duration::from_micros(65);

/// Views are compared since a join.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Comparing {
    /// Who was joined, if it began with a join.
    peer: Option<SocketAddr>,
    /// How often somebody was asked.
    turn: u32,
    /// The exchange that came of it.
    exchange: Option<ExchangeId>,
}

impl Node {
    /// A join by `peer` was answered; before, so many others were known.
    pub(super) fn begin_comparing(&mut self, peer: SocketAddr, known_before: usize) {
        let learned = self.members.live_others().saturating_sub(known_before);
        let is_crowd = known_before == 0 || learned >= FEW;
        if self.config.rules.joins == Joins::Once || !is_crowd || learned == 0 {
            return;
        }
        self.comparing = Some(Comparing { peer: Some(peer), turn: 0, exchange: None });
        self.timers.set(Timer::Compare, self.now + self.pause_before_comparing(0));
    }

    /// A member is new, or back. Where more wait to be passed on than gossip carries in a tick, views are compared with
    /// somebody too.
    pub(super) fn note_crowd(&mut self) {
        if self.comparing.is_some()
            || self.broadcasts.len() < CROWD
            || self.config.rules.joins == Joins::Once
            || self.leaving != Leaving::No
        {
            return;
        }
        self.comparing = Some(Comparing { peer: None, turn: 0, exchange: None });
        self.timers.set(Timer::Compare, self.now + self.pause_before_comparing(0));
    }

    /// It doubles with each of the first turns, so that somebody who joins while others go on to join for long asks
    /// less often.
    fn pause_before_comparing(&self, turn: u32) -> Duration {
        let for_all = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        let first = self.config.gossip_interval / 4 + FOR_EACH_MEMBER.saturating_mul(for_all);
        first.saturating_mul(1 << turn.min(MOST_DOUBLINGS))
    }

    pub(super) fn on_compare_tick(&mut self) {
        let Some(Comparing { peer, turn, .. }) = self.comparing.take() else { return };
        if self.leaving != Leaving::No || turn >= MOST_TURNS {
            return;
        }
        let pause = self.pause_before_comparing(turn + 1);
        let Some(about) = self.choose_to_compare(peer, turn) else { return };
        self.comparing = Some(Comparing { peer, turn: turn + 1, exchange: None });
        self.timers.set(Timer::Compare, self.now + pause);
        self.counters.count(Counter::ViewsCompared);
        if let Some(seq) = self.inquire(about, Question::View) {
            self.intents.push_back(Intent::Inquiry { to: about, seq, beside: None });
        }
    }

    /// The peer of the join at first, then anybody who tells which view it has.
    fn choose_to_compare(&mut self, peer: Option<SocketAddr>, turn: u32) -> Option<MemberKey> {
        let peer = peer.filter(|_| turn < WITH_PEER);
        let peer = peer.and_then(|peer| self.members.find_live_at(peer));
        if let Some(peer) = peer.filter(|&key| self.tells(self.members.get(key).profile.versions()))
        {
            return Some(peer);
        }
        let mut chosen = std::mem::take(&mut self.scratch.chosen);
        let alive = |_, slot: &Slot| slot.state == State::Alive;
        self.members.pick(&mut self.rng, 1, alive, &mut chosen);
        let one = chosen.first().copied();
        self.scratch.chosen = chosen;
        one.filter(|&key| self.tells(self.members.get(key).profile.versions()))
    }

    /// Who was asked has told which view it has, or does not tell.
    pub(super) fn on_compared(&mut self, with: MemberKey, note: Option<ViewNote>) {
        let Some(comparing) = &mut self.comparing else { return };
        let ours = self.members.fingerprint();
        if note.is_none_or(|note| note.fingerprint == ours) {
            return self.end_comparing();
        }
        if comparing.exchange.is_none() {
            let to = self.members.get(with).profile.address().socket_addr();
            let exchange = self.open(Purpose::PushPull { with: to });
            if let (Some(exchange), Some(comparing)) = (exchange, &mut self.comparing) {
                comparing.exchange = Some(exchange);
                self.intents.push_back(Intent::PushPull { exchange, to, join: false });
            }
        }
    }

    /// An exchange was answered; before, so many others were known. Where it brought few, and as few wait to be
    /// passed on, gossip is enough.
    pub(super) fn on_exchanged(&mut self, exchange: ExchangeId, known_before: usize) {
        let was_compared = |comparing: &Comparing| comparing.exchange == Some(exchange);
        let learned = self.members.live_others().saturating_sub(known_before);
        let are_few = learned < FEW && self.broadcasts.len() < FEW;
        if are_few && self.comparing.as_ref().is_some_and(was_compared) {
            self.end_comparing();
        }
    }

    fn end_comparing(&mut self) {
        self.comparing = None;
        self.timers.cancel(Timer::Compare);
    }
}
