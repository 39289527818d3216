//! What nodes have told: who sees whom, who was reported down and when, who has which message.
//!
//! Nodes write to it from whatever task they run in. A report costs a few atomic operations, and a look at the clock
//! only where something is reached by it; nobody waits. Times are nanoseconds since the board was made.

mod latch;
mod pairs;
mod round;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use latch::Latch;
use pairs::Pairs;
pub(crate) use round::{Key, Round};

/// A moment in nanoseconds since the board was made.
pub(crate) type Nanos = u64;

/// What the nodes of one crowd have told.
#[derive(Debug)]
pub(crate) struct Board {
    origin: Instant,
    running: Vec<AtomicBool>,
    /// Whom each node sees.
    seen: Pairs,
    /// How many running nodes see a running node.
    count: AtomicUsize,
    most: Goal,
    all: Goal,
    false_downs: AtomicUsize,
    /// Whose report of a killed node is still to come.
    awaited: Pairs,
    missing: AtomicUsize,
    reported: Latch,
    /// When each killed node was first reported down.
    first_reports: Vec<Latch>,
    round: RwLock<Option<Arc<Round>>>,
    pour: AtomicUsize,
    delivered: AtomicUsize,
}

/// A number of pairs, and when there first were as many.
#[derive(Debug, Default)]
struct Goal {
    pairs: AtomicUsize,
    at: Latch,
}

/// What has become of a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    /// When every node saw every other.
    pub(crate) all: Option<Nanos>,
    /// When 99.9 % of the pairs did.
    pub(crate) most: Option<Nanos>,
    /// Pairs now.
    pub(crate) seen: usize,
    /// Pairs that there can be.
    pub(crate) of: usize,
}

impl Board {
    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            origin: Instant::now(),
            running: (0..nodes).map(|_| AtomicBool::new(true)).collect(),
            seen: Pairs::new(nodes),
            count: AtomicUsize::new(0),
            most: Goal::default(),
            all: Goal::default(),
            false_downs: AtomicUsize::new(0),
            awaited: Pairs::new(nodes),
            missing: AtomicUsize::new(0),
            reported: Latch::default(),
            first_reports: (0..nodes).map(|_| Latch::default()).collect(),
            round: RwLock::new(None),
            pour: AtomicUsize::new(0),
            delivered: AtomicUsize::new(0),
        }
    }

    /// The time; never 0.
    pub(crate) fn now(&self) -> Nanos {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
    }

    pub(crate) fn is_running(&self, node: usize) -> bool {
        self.running.get(node).is_some_and(|running| running.load(Ordering::Relaxed))
    }

    /// The nodes that were not killed.
    pub(crate) fn running(&self) -> impl Iterator<Item = usize> {
        (0..self.running.len()).filter(|&node| self.is_running(node))
    }

    /// A node was told that another one is there.
    pub(crate) fn saw(&self, observer: usize, subject: usize) {
        if self.is_about(observer, subject)
            && self.seen.insert(observer, subject)
            && self.is_running(observer)
            && self.is_running(subject)
        {
            let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
            self.look_at_goals(count);
        }
    }

    /// A node was told that another one is gone, by whatever but its goodbye. Counts if it saw that one.
    pub(crate) fn down(&self, observer: usize, subject: usize) {
        if !self.is_about(observer, subject)
            || !self.seen.remove(observer, subject)
            || !self.is_running(observer)
        {
            return;
        }
        if self.is_running(subject) {
            self.count.fetch_sub(1, Ordering::Relaxed);
            self.false_downs.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let now = self.now();
        self.first_reports[subject].set(now);
        if self.awaited.remove(observer, subject)
            && self.missing.fetch_sub(1, Ordering::Relaxed) == 1
        {
            self.reported.set(now);
        }
    }

    fn is_about(&self, observer: usize, subject: usize) -> bool {
        observer != subject && subject < self.running.len()
    }

    fn look_at_goals(&self, count: usize) {
        let is_reached =
            |goal: &&Goal| count >= goal.pairs.load(Ordering::Relaxed) && !goal.at.is_set();
        if is_reached(&&self.most) || is_reached(&&self.all) {
            let now = self.now();
            for goal in [&self.most, &self.all].into_iter().filter(is_reached) {
                goal.at.set(now);
            }
        }
    }

    /// From now on it counts when all that run see each other.
    pub(crate) fn begin_join(&self) {
        let running = self.running().count();
        let of = running * running.saturating_sub(1);
        self.most.pairs.store((of * 999).div_ceil(1000), Ordering::Relaxed);
        self.all.pairs.store(of, Ordering::Relaxed);
        self.most.at.clear();
        self.all.at.clear();
        let count = self.recount();
        self.look_at_goals(count);
    }

    pub(crate) fn joined(&self) -> Joined {
        Joined {
            all: self.all.at.get(),
            most: self.most.at.get(),
            seen: self.count.load(Ordering::Relaxed),
            of: self.all.pairs.load(Ordering::Relaxed),
        }
    }

    /// Reports so far, by nodes that run, about nodes that run.
    pub(crate) fn false_downs(&self) -> usize {
        self.false_downs.load(Ordering::Relaxed)
    }

    /// These nodes run no longer. Their deaths are awaited from all survivors that see them: a survivor that does
    /// not has nothing to report.
    pub(crate) fn begin_kill(&self, nodes: &[usize]) {
        self.awaited.clear();
        self.reported.clear();
        for &node in nodes {
            self.running[node].store(false, Ordering::Relaxed);
            self.first_reports[node].clear();
        }
        let mut missing = 0;
        for survivor in self.running() {
            for &node in nodes.iter().filter(|&&node| self.seen.contains(survivor, node)) {
                self.awaited.insert(survivor, node);
                missing += 1;
            }
        }
        self.missing.store(missing, Ordering::Relaxed);
        self.recount();
    }

    /// Counts the pairs anew; gives their number.
    fn recount(&self) -> usize {
        let running: Vec<_> = self.running().collect();
        let seen = |&observer: &usize| {
            running.iter().filter(|&&subject| self.seen.contains(observer, subject)).count()
        };
        let count = running.iter().map(seen).sum();
        self.count.store(count, Ordering::Relaxed);
        count
    }

    /// Reports of killed nodes that are still to come.
    pub(crate) fn missing(&self) -> usize {
        self.missing.load(Ordering::Relaxed)
    }

    /// When the last report of killed nodes came.
    pub(crate) fn all_reported(&self) -> Option<Nanos> {
        self.reported.get()
    }

    /// When this killed node was first reported.
    pub(crate) fn first_report(&self, node: usize) -> Option<Nanos> {
        self.first_reports[node].get()
    }

    /// Begins a round of broadcasts by node 0; the one before it is over.
    pub(crate) fn begin_round(&self, messages: usize) -> Arc<Round> {
        let mut round = self.round.write().unwrap_or_else(PoisonError::into_inner);
        let number = round.as_ref().map_or(0, |last| last.number + 1);
        let begun = Arc::new(Round::new(number, messages, self.running.len()));
        *round = Some(Arc::clone(&begun));
        begun
    }

    /// Begins a pour; gives the key of all its messages.
    pub(crate) fn begin_pour(&self) -> Key {
        let pour = self.pour.fetch_add(1, Ordering::Relaxed) + 1;
        self.delivered.store(0, Ordering::Relaxed);
        Key::of_pour(pour)
    }

    /// Messages of the last pour that have come.
    pub(crate) fn delivered(&self) -> usize {
        self.delivered.load(Ordering::Relaxed)
    }

    /// A node was given a message. Says whether it is a broadcast that it had not.
    pub(crate) fn received(&self, node: usize, payload: &[u8]) -> bool {
        Key::read(payload).is_some_and(|key| self.received_key(node, key))
    }

    /// The same by the message's key.
    pub(crate) fn received_key(&self, node: usize, key: Key) -> bool {
        if let Some(pour) = key.pour() {
            if pour == self.pour.load(Ordering::Relaxed) {
                self.delivered.fetch_add(1, Ordering::Relaxed);
            }
            return false;
        }
        let round = self.round.read().unwrap_or_else(PoisonError::into_inner);
        round.as_ref().is_some_and(|round| round.arrived(key, node, || self.now()))
    }
}

#[cfg(test)]
mod tests;
