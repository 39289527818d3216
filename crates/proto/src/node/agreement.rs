//! Whether others see what we see, and what to do when they do not.

use mingle_wire::memberlist::ViewNote;
use mingle_wire::{Capabilities, Versions};

use super::exchanges::Purpose;
use super::writing::Intent;
use super::{Leaving, Node};
use crate::members::{MemberKey, Told};
use crate::{Agreement, Counter};

/// So many acks in a row with our view, or one of each member where there are fewer, and an exchange of
/// views would change nothing.
const ENOUGH: u32 = 16;
/// So many periodic exchanges in a row are spared at most.
const MOST_SPARED: u32 = 3;
/// How a pause between exchanges because of disagreement begins.
const FIRST_PAUSE: u32 = 2;

impl Node {
    /// Of the live members that told in their last ack which view they have: how many had ours, and
    /// how many there are. Only mingle nodes tell.
    #[must_use]
    pub fn agreement(&self) -> (usize, usize) {
        let told = self.members.iter().skip(1).filter(|slot| slot.state.is_live());
        told.fold((0, 0), |(same, all), slot| match slot.told {
            Told::Nothing => (same, all),
            Told::Same => (same + 1, all + 1),
            Told::Other => (same, all + 1),
        })
    }

    /// Whether gossip is through with what it had to tell, as far as we know: we have told all of ours,
    /// and nothing has changed for half as many ticks as a claim is told, in which it reaches whom it
    /// will reach. A pair that compares its views too early pays with an exchange for nothing.
    fn is_settled(&self) -> bool {
        let ticks = self.retransmit_limit().div_ceil(2);
        let spread = self.config.gossip_interval.saturating_mul(ticks);
        self.broadcasts.is_empty() && self.now.since(self.changed) >= spread
    }

    /// What we tell of our view.
    pub(super) fn view_note(&self) -> ViewNote {
        ViewNote { fingerprint: self.members.fingerprint(), settled: self.is_settled() }
    }

    /// Whether notes pass between us and a node of these versions.
    pub(super) fn tells(&self, theirs: Versions) -> bool {
        let ours = self.members.local().profile.versions();
        self.config.rules.agreement == Agreement::Told
            && Capabilities::of(ours).mingle
            && Capabilities::of(theirs).mingle
    }

    /// A member told which view it has. Where both of us think that gossip is through and we disagree,
    /// it has missed somebody: exchanging views ends that.
    pub(super) fn on_view_note(&mut self, key: MemberKey, note: ViewNote) {
        let same = note.fingerprint == self.members.fingerprint();
        self.members.note_told(key, if same { Told::Same } else { Told::Other });
        self.same_in_a_row = if same { self.same_in_a_row.saturating_add(1) } else { 0 };
        if !same && note.settled && self.is_settled() {
            self.counters.count(Counter::Disagreements);
            self.reconcile(key);
        }
    }

    /// Whether the periodic exchange that is due now may be left out: nothing has changed for long, all
    /// live members tell which view they have, the last ones had ours, and applications have nothing to
    /// exchange beside it.
    pub(super) fn spares_exchange(&mut self) -> bool {
        let others = u32::try_from(self.members.live_others()).unwrap_or(u32::MAX);
        let spares = self.spared_in_a_row < MOST_SPARED
            && self.same_in_a_row >= ENOUGH.min(others)
            && !self.user_states
            && self.is_settled()
            && self
                .members
                .iter()
                .skip(1)
                .all(|slot| !slot.state.is_live() || self.tells(slot.profile.versions()));
        self.spared_in_a_row = if spares { self.spared_in_a_row + 1 } else { 0 };
        spares
    }

    /// Exchanges views, with longer and longer pauses if that changes nothing.
    fn reconcile(&mut self, with: MemberKey) {
        let longest = self.push_pull_interval();
        if longest.is_zero() || self.leaving != Leaving::No {
            return;
        }
        let shortest = self.config.probe_interval.saturating_mul(FIRST_PAUSE).min(longest);
        let pause = match self.reconciled {
            Some((at, _, pause)) if self.now.since(at) < pause => return,
            Some((_, version, pause)) if version == self.view_version => {
                pause.saturating_mul(2).min(longest)
            }
            Some(_) | None => shortest,
        };
        self.reconciled = Some((self.now, self.view_version, pause));
        let to = self.members.get(with).profile.address().socket_addr();
        if let Some(exchange) = self.open(Purpose::PushPull { with: to }) {
            self.intents.push_back(Intent::PushPull { exchange, to, join: false });
        }
    }
}
