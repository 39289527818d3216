//! Whether others see what we see, and what to do when they do not.

use mingle_wire::memberlist::ViewNote;
use mingle_wire::{Capabilities, Versions};

use super::exchanges::Purpose;
use super::writing::Intent;
use super::{Leaving, Node};
use crate::members::{MemberKey, Told};
use crate::{Agreement, Counter};

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

    /// Whether nothing has changed for so long that gossip is through with it.
    fn is_settled(&self) -> bool {
        let spread = self.config.gossip_interval.saturating_mul(2 * self.retransmit_limit());
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
        if !same && note.settled && self.is_settled() {
            self.counters.count(Counter::Disagreements);
            self.reconcile(key);
        }
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
