//! Links on which members answer, but not as they should.

use serde::{Deserialize, Serialize};

use super::Node;
use crate::members::MemberKey;
use crate::{Counter, Event, Instant, LinkKind, Member};

/// Answers in a row that came by a stream alone until a link counts as degraded.
const BY_STREAM: u32 = 3;
/// The same by helpers alone; that a direct ping or its ack gets lost is far more common.
const BY_HELPERS: u32 = 6;

/// A member that did not answer a direct ping lately, and was heard all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Link {
    since: Instant,
    /// How many answers in a row were of this kind.
    answers: u32,
    kind: LinkKind,
    is_degraded: bool,
}

impl Node {
    /// Members that we hear, but not by direct packets: how, and since when.
    pub fn degraded_links(&self) -> impl Iterator<Item = (Member, LinkKind, Instant)> + '_ {
        let degraded = self.links.iter().filter(|(_, link)| link.is_degraded);
        degraded.map(|(&key, link)| (self.members.member(key), link.kind, link.since))
    }

    /// A member answered a direct ping.
    pub(super) fn link_is_good(&mut self, key: MemberKey) {
        if let Some(link) = self.links.remove(&key).filter(|link| link.is_degraded) {
            let (member, kind, since) = (self.members.member(key), link.kind, link.since);
            self.emit(Event::LinkRestored { member, kind, since });
        }
    }

    /// A member is gone, and its link with it; nobody moves to another address without that.
    pub(super) fn forget_link(&mut self, key: MemberKey) {
        self.links.remove(&key);
    }

    /// A member was heard in this way alone. It is probed again at once until that is certain, or over.
    /// Of somebody who was declared dead meanwhile that says nothing.
    pub(super) fn link_is_odd(&mut self, key: MemberKey, kind: LinkKind) {
        if !self.members.get(key).state.is_live() {
            return;
        }
        let fresh = Link { since: self.now, answers: 0, kind, is_degraded: false };
        let link = self.links.entry(key).or_insert(fresh);
        if link.kind != kind && !link.is_degraded {
            (link.kind, link.answers) = (kind, 0);
        }
        link.answers = link.answers.saturating_add(1);
        let needed = match link.kind {
            LinkKind::StreamsOnly => BY_STREAM,
            LinkKind::HelpersOnly => BY_HELPERS,
        };
        if link.is_degraded {
            return;
        }
        if link.answers < needed {
            self.probe_again = Some(key);
            return;
        }
        link.is_degraded = true;
        let (kind, since) = (link.kind, link.since);
        self.counters.count(Counter::LinksDegraded);
        let member = self.members.member(key);
        self.emit(Event::LinkDegraded { member, kind, since });
    }
}
