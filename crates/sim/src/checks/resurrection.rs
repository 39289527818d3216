use std::collections::BTreeMap;

use mingle_proto::{Beliefs, Change, Config, Instant, Member, Tombstones};
use mingle_wire::{Incarnation, State};

use super::desk::{Checker, Desk};
use super::names::NameId;

/// Who went down in whose view, and at which incarnation: (observer, member).
#[derive(Debug, Default)]
pub(super) struct Resurrection {
    down: BTreeMap<(u32, NameId), Down>,
}

#[derive(Clone, Debug)]
struct Down {
    as_was: Member,
    at: Incarnation,
    /// When it was forgotten and a tombstone left.
    buried: Option<Instant>,
}

impl Resurrection {
    /// A new process remembers nothing of the one before.
    pub(super) fn stopped(&mut self, host: u32) {
        self.down.retain(|&(of, _), _| of != host);
    }

    pub(super) fn told(
        &mut self,
        desk: &mut Desk,
        config: &Config,
        names: usize,
        about: (u32, NameId),
        change: Change,
        member: &Member,
        shown: Instant,
    ) {
        if change == Change::Reaped {
            self.bury(config, names, about, shown);
        } else if member.state.is_live() {
            if let Some(down) = self.down.remove(&about) {
                self.rise(desk, config, &down, member, shown);
            }
        } else {
            let down = Down { as_was: member.clone(), at: member.incarnation, buried: None };
            self.down.insert(about, down);
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

    fn rise(&self, desk: &mut Desk, config: &Config, down: &Down, member: &Member, shown: Instant) {
        let fallen = down.buried.is_some_and(|since| shown >= since + config.tombstone_time);
        if fallen || taken_over(config, down, member, shown) {
            return;
        }
        let (at, now) = (down.at, member.incarnation);
        desk.check(Checker::Resurrection, now > at, || {
            format!("{} is live again at {now}, and went down at {at}", member.name())
        });
    }
}

/// By the rules of memberlist whoever left may come back from anywhere, and the dead after a while
/// (spec 7.1), at any incarnation.
fn taken_over(config: &Config, down: &Down, member: &Member, shown: Instant) -> bool {
    let moved = down.as_was.address() != member.address();
    let wait = config.dead_node_reclaim_time;
    let free = match down.as_was.state {
        State::Left => true,
        State::Dead => !wait.is_zero() && shown.since(down.as_was.since) > wait,
        State::Alive | State::Suspect => false,
    };
    config.rules.beliefs == Beliefs::Memberlist && moved && free
}
