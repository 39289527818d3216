use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Instant;
use crate::law::Belief;

/// Names that went down and were forgotten, so that old news of them is known to be old.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tombstones {
    by_name: BTreeMap<Arc<str>, Tombstone>,
    /// Oldest first; may name some that were taken away or set anew.
    ages: VecDeque<(Instant, Arc<str>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tombstone {
    pub(crate) belief: Belief,
    since: Instant,
}

impl Tombstones {
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(crate) fn get(&self, name: &str) -> Option<Tombstone> {
        self.by_name.get(name).copied()
    }

    /// Remembers what was last believed; the higher of two beliefs stays. Gives back how many old ones
    /// had to go.
    pub(crate) fn set(&mut self, name: &str, belief: Belief, now: Instant, most: u32) -> u64 {
        if self.get(name).is_some_and(|held| held.belief >= belief) {
            return 0;
        }
        let name: Arc<str> = name.into();
        self.by_name.insert(Arc::clone(&name), Tombstone { belief, since: now });
        self.ages.push_back((now, name));
        let mut dropped = 0;
        while self.by_name.len() > most as usize && self.drop_oldest() {
            dropped += 1;
        }
        self.compact();
        dropped
    }

    /// Takes a tombstone away because its name is back.
    pub(crate) fn remove(&mut self, name: &str) {
        self.by_name.remove(name);
        self.compact();
    }

    fn compact(&mut self) {
        if self.ages.len() > 2 * self.by_name.len() + 64 {
            let by_name = &self.by_name;
            self.ages.retain(|(since, name)| {
                by_name.get(name).is_some_and(|tombstone| tombstone.since == *since)
            });
        }
    }

    /// Forgets what has stood for `time`, and says when the next one will have.
    pub(crate) fn expire(&mut self, now: Instant, time: Duration) -> Option<Instant> {
        while self.ages.front().is_some_and(|(since, _)| *since + time <= now) {
            self.drop_oldest();
        }
        self.ages.front().map(|(since, _)| *since + time)
    }

    fn drop_oldest(&mut self) -> bool {
        let Some((since, name)) = self.ages.pop_front() else { return false };
        if self.by_name.get(&name).is_some_and(|tombstone| tombstone.since == since) {
            self.by_name.remove(&name);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mingle_wire::{Incarnation, State};

    fn dead(incarnation: u32) -> Belief {
        Belief { incarnation: Incarnation::new(incarnation).unwrap(), state: State::Dead }
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let mut tombstones = Tombstones::default();
        for (i, name) in ["a", "b", "c"].into_iter().enumerate() {
            let now = Instant::from_millis(i as u64);
            assert_eq!(tombstones.set(name, dead(1), now, 2), u64::from(name == "c"));
        }
        assert!(tombstones.get("a").is_none());
        assert!(tombstones.get("b").is_some() && tombstones.get("c").is_some());
    }

    #[test]
    fn they_expire_in_their_time_and_the_higher_belief_stays() {
        let mut tombstones = Tombstones::default();
        let time = Duration::from_secs(10);
        tombstones.set("a", dead(5), Instant::from_millis(0), 9);
        tombstones.set("a", dead(4), Instant::from_millis(1), 9);
        assert_eq!(tombstones.get("a").unwrap().belief, dead(5));
        tombstones.set("a", dead(6), Instant::from_millis(5_000), 9);
        assert_eq!(
            tombstones.expire(Instant::from_millis(10_000), time),
            Some(Instant::from_millis(15_000))
        );
        assert_eq!(tombstones.get("a").unwrap().belief, dead(6));
        assert_eq!(tombstones.expire(Instant::from_millis(15_000), time), None);
        assert!(tombstones.get("a").is_none());
    }
}
