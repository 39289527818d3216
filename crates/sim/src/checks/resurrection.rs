use std::collections::BTreeMap;

use mingle_proto::{Beliefs, Change, Config, Instant, Member, Tombstones};
use mingle_wire::{Incarnation, Message, State};

use super::desk::{Checker, Desk};
use super::names::{NameId, Names};
use super::verdicts::Case;
use super::views::View;

/// Who went down in whose view, and at which incarnation: (observer, member).
#[derive(Debug, Default)]
pub(super) struct Resurrection {
    down: BTreeMap<(u32, NameId), Down>,
    /// Verdicts of this step about members that the observer does not know.
    strangers: Vec<(NameId, Incarnation)>,
}

#[derive(Clone, Debug)]
struct Down {
    at: Incarnation,
    /// What was last believed of it; nothing of a stranger.
    as_was: Option<Member>,
    /// When a tombstone was left for it.
    buried: Option<Instant>,
}

impl Resurrection {
    /// A new process remembers nothing of the one before.
    pub(super) fn stopped(&mut self, host: u32) {
        self.down.retain(|&(of, _), _| of != host);
    }

    /// An observer hears something.
    pub(super) fn heard(&mut self, names: &mut Names, view: &View, message: &Message<'_>) {
        if let Message::Dead(claim) = message {
            let about = names.id(claim.node);
            if view.get(about).is_none() {
                self.strangers.push((about, claim.incarnation));
            }
        }
    }

    /// `names` is how many there are in the whole world.
    pub(super) fn told(&mut self, desk: &mut Desk, config: &Config, names: usize, case: Case<'_>) {
        let Case { host, about, change, member, shown, .. } = case;
        if change == Change::Reaped {
            if !keeps_tombstones(config, names) {
                self.down.remove(&(host, about));
            } else if let Some(down) = self.down.get_mut(&(host, about)) {
                down.buried = Some(shown);
            }
        } else if member.state.is_live() {
            if let Some(down) = self.down.remove(&(host, about)) {
                down.rise(desk, config, member, shown);
            }
        } else {
            let down = Down { at: member.incarnation, as_was: Some(member.clone()), buried: None };
            self.down.insert((host, about), down);
        }
    }

    /// Verdicts about strangers leave tombstones too.
    pub(super) fn handled(
        &mut self,
        config: &Config,
        names: usize,
        view: &View,
        (host, shown): (u32, Instant),
    ) {
        for (about, at) in self.strangers.drain(..) {
            let known = view.get(about).is_some();
            let held = self.down.get(&(host, about)).is_some_and(|down| down.at >= at);
            if !known && !held && keeps_tombstones(config, names) {
                let down = Down { at, as_was: None, buried: Some(shown) };
                self.down.insert((host, about), down);
            }
        }
    }
}

/// Tombstones are kept for their time, and where there are more than the configuration allows the
/// oldest go: with no more names than that, none ever does.
fn keeps_tombstones(config: &Config, names: usize) -> bool {
    config.rules.tombstones == Tombstones::Kept && names <= config.max_tombstones as usize
}

impl Down {
    fn rise(&self, desk: &mut Desk, config: &Config, member: &Member, shown: Instant) {
        let fallen = self.buried.is_some_and(|since| shown >= since + config.tombstone_time);
        if fallen || self.is_taken_over(config, member, shown) {
            return;
        }
        let (at, now) = (self.at, member.incarnation);
        desk.check(Checker::Resurrection, now > at, || {
            format!("{} is live again at {now}, and went down at {at}", member.name())
        });
    }

    /// By the rules of memberlist whoever left may come back from anywhere, and the dead after a while
    /// (spec 7.1), at any incarnation.
    fn is_taken_over(&self, config: &Config, member: &Member, shown: Instant) -> bool {
        let Some(as_was) = &self.as_was else { return false };
        let moved = as_was.address() != member.address();
        let wait = config.dead_node_reclaim_time;
        let free = match as_was.state {
            State::Left => true,
            State::Dead => !wait.is_zero() && shown.since(as_was.since) > wait,
            State::Alive | State::Suspect => false,
        };
        config.rules.beliefs == Beliefs::Memberlist && moved && free
    }
}
