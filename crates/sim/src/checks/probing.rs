use std::collections::VecDeque;

use mingle_wire::{Message, State};

use super::desk::{Checker, Desk};
use super::inquiries::is_inquiry;
use super::names::{NameId, Names};
use super::views::View;

/// Whom nodes ping, and after how many pings of others again.
///
/// Each live member comes once in a round, in an order that is drawn anew (spec 8.1): at worst first
/// in one round and last in the next. Whoever comes in between takes a turn in both.
#[derive(Debug, Default)]
pub(super) struct Probing {
    hosts: Vec<Host>,
}

#[derive(Debug, Default)]
struct Host {
    /// Pings of its own so far.
    pings: u64,
    /// Whom the last one was for.
    latest: Option<NameId>,
    /// How often somebody has come to live.
    entries: u64,
    /// The last turn of each member that is live.
    turns: Vec<Option<Turn>>,
    /// All turns, the longest ago first; some have been followed by others of the same member.
    order: VecDeque<(NameId, Turn)>,
}

/// When somebody was pinged, or came to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turn {
    pings: u64,
    entries: u64,
    /// How many others were live.
    ring: u64,
}

impl Probing {
    pub(super) fn started(&mut self, host: u32, view: &View) {
        let index = host as usize;
        if self.hosts.len() <= index {
            self.hosts.resize_with(index + 1, Host::default);
        }
        self.hosts[index] = Host::default();
        let ring = view.live_others() as u64;
        for (id, _) in view.others().filter(|(_, member)| member.state.is_live()) {
            self.hosts[index].take_turn(id, ring);
        }
    }

    /// `view` is what was believed before.
    pub(super) fn told(&mut self, host: u32, view: &View, about: NameId, after: Option<State>) {
        let Some(host) = self.hosts.get_mut(host as usize).filter(|_| about != view.me()) else {
            return;
        };
        let was_live = view.get(about).is_some_and(|member| member.state.is_live());
        match (was_live, after.is_some_and(State::is_live)) {
            (false, true) => {
                host.entries += 1;
                host.take_turn(about, view.live_others() as u64 + 1);
            }
            (true, false) => host.turns[about.index()] = None,
            (true, true) | (false, false) => {}
        }
    }

    /// A node says something of its own accord.
    pub(super) fn sent(
        &mut self,
        desk: &mut Desk,
        names: &mut Names,
        view: &View,
        host: u32,
        message: &Message<'_>,
    ) {
        let Message::Ping(ping) = message else { return };
        if is_inquiry(ping.seq) {
            return;
        }
        let Some(host) = self.hosts.get_mut(host as usize) else { return };
        let whom = names.id(ping.node);
        // Somebody who was heard in an odd way is pinged again, out of turn.
        if host.latest.replace(whom) != Some(whom) {
            host.pings += 1;
        }
        if host.turns.get(whom.index()).is_some_and(Option::is_some) {
            host.take_turn(whom, view.live_others() as u64);
        }
        host.check_longest(desk, names);
    }
}

impl Host {
    fn take_turn(&mut self, id: NameId, ring: u64) {
        let turn = Turn { pings: self.pings, entries: self.entries, ring };
        if self.turns.len() <= id.index() {
            self.turns.resize(id.index() + 1, None);
        }
        self.turns[id.index()] = Some(turn);
        self.order.push_back((id, turn));
    }

    /// Looks at who was pinged the longest time ago.
    fn check_longest(&mut self, desk: &mut Desk, names: &Names) {
        while let Some(&(id, turn)) = self.order.front() {
            if self.turns[id.index()] == Some(turn) {
                break;
            }
            self.order.pop_front();
        }
        let Some(&(id, turn)) = self.order.front() else { return };
        let others = self.pings - turn.pings;
        let entries = self.entries - turn.entries;
        let most = 2 * (turn.ring + entries) - 1;
        desk.check(Checker::Probing, others < most, || {
            let (whom, ring) = (names.name(id), turn.ring);
            format!(
                "{whom} was not pinged while {others} pings went out; it was one of {ring}, and \
                 {entries} came since"
            )
        });
    }
}
