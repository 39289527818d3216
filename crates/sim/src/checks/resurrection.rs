use std::collections::BTreeMap;

use mingle_proto::{Beliefs, Change, Config, Instant, Member, Tombstones};
use mingle_wire::State;

use super::desk::{Checker, Desk};
use super::names::NameId;
use super::verdicts::Case;

/// Who went down in whose view, and at which incarnation: (observer, member).
#[derive(Debug, Default)]
pub(super) struct Resurrection {
    down: BTreeMap<(u32, NameId), Down>,
}

#[derive(Clone, Debug)]
struct Down {
    as_was: Member,
    /// When it was forgotten and a tombstone left.
    buried: Option<Instant>,
}

impl Resurrection {
    /// A new process remembers nothing of the one before.
    pub(super) fn stopped(&mut self, host: u32) {
        self.down.retain(|&(of, _), _| of != host);
    }

    /// `names` is how many there are in the whole world.
    pub(super) fn told(&mut self, desk: &mut Desk, config: &Config, names: usize, case: Case<'_>) {
        let Case { host, about, change, member, shown, .. } = case;
        if change == Change::Reaped {
            self.bury(config, names, (host, about), shown);
        } else if member.state.is_live() {
            if let Some(down) = self.down.remove(&(host, about)) {
                down.rise(desk, config, member, shown);
            }
        } else {
            let down = Down { as_was: member.clone(), buried: None };
            self.down.insert((host, about), down);
        }
    }

    /// Tombstones are kept for their time, and where there are more than the configuration allows the
    /// oldest go: with no more names than that, none ever does.
    fn bury(&mut self, config: &Config, names: usize, about: (u32, NameId), shown: Instant) {
        let kept = config.rules.tombstones == Tombstones::Kept;
        if kept && names <= config.max_tombstones as usize {
            if let Some(down) = self.down.get_mut(&about) {
                down.buried = Some(shown);
            }
        } else {
            self.down.remove(&about);
        }
    }
}

impl Down {
    fn rise(&self, desk: &mut Desk, config: &Config, member: &Member, shown: Instant) {
        let fallen = self.buried.is_some_and(|since| shown >= since + config.tombstone_time);
        if fallen || self.is_taken_over(config, member, shown) {
            return;
        }
        let (at, now) = (self.as_was.incarnation, member.incarnation);
        desk.check(Checker::Resurrection, now > at, || {
            format!("{} is live again at {now}, and went down at {at}", member.name())
        });
    }

    /// By the rules of memberlist whoever left may come back from anywhere, and the dead after a while
    /// (spec 7.1), at any incarnation.
    fn is_taken_over(&self, config: &Config, member: &Member, shown: Instant) -> bool {
        let moved = self.as_was.address() != member.address();
        let wait = config.dead_node_reclaim_time;
        let free = match self.as_was.state {
            State::Left => true,
            State::Dead => !wait.is_zero() && shown.since(self.as_was.since) > wait,
            State::Alive | State::Suspect => false,
        };
        config.rules.beliefs == Beliefs::Memberlist && moved && free
    }
}
