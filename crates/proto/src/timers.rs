use std::collections::{BTreeMap, BTreeSet};

use mingle_wire::SeqNo;
use serde::{Deserialize, Serialize};

use crate::Instant;
use crate::members::MemberKey;

/// Everything that a node waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Timer {
    /// The next member is to be probed.
    Probe,
    /// The direct ping has waited long enough.
    ProbeTimeout,
    /// The probe has waited long enough.
    ProbeDeadline,
    /// A ping on behalf of somebody else has waited long enough.
    Relay(SeqNo),
    /// A member was asked about itself and had time to answer.
    Inquiry(SeqNo),
    /// A suspicion has run out.
    Suspicion(MemberKey),
    /// Claims are to be gossiped.
    Gossip,
    /// A view is to be exchanged.
    PushPull,
    /// The goodbye has waited long enough.
    Leave,
    /// A dead or left member is to be forgotten.
    Reap(MemberKey),
    /// The oldest tombstone has stood for long enough.
    Tombstone,
    /// Somebody who is missing is to be looked for.
    Reconnect,
    /// Somebody is to be asked which view it has, after a join.
    Compare,
}

/// What a process may do on a thread of its own, as far as deadlines start it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// One member after another is probed.
    Probing,
    /// Claims are gossiped.
    Gossiping,
    /// Views are exchanged.
    Exchanging,
    /// Suspicions run out.
    Suspecting,
    /// Everything else.
    Upkeep,
}

impl Activity {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Probing, Self::Gossiping, Self::Exchanging, Self::Suspecting, Self::Upkeep];

    fn of(timer: Timer) -> Self {
        match timer {
            Timer::Probe | Timer::ProbeTimeout | Timer::ProbeDeadline => Self::Probing,
            Timer::Gossip => Self::Gossiping,
            Timer::PushPull => Self::Exchanging,
            Timer::Suspicion(_) => Self::Suspecting,
            Timer::Relay(_)
            | Timer::Inquiry(_)
            | Timer::Leave
            | Timer::Reap(_)
            | Timer::Tombstone
            | Timer::Reconnect
            | Timer::Compare => Self::Upkeep,
        }
    }
}

/// One table of deadlines, each timer in it at most once. Deadlines at the same instant fire in the
/// order of [`Timer`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Timers {
    /// Those of which there is one, in the order of [`SINGLE`].
    single: [Option<Instant>; SINGLE.len()],
    by_time: BTreeSet<(Instant, Timer)>,
    by_timer: BTreeMap<Timer, Instant>,
}

const SINGLE: [Timer; 9] = [
    Timer::Probe,
    Timer::ProbeTimeout,
    Timer::ProbeDeadline,
    Timer::Gossip,
    Timer::PushPull,
    Timer::Leave,
    Timer::Tombstone,
    Timer::Reconnect,
    Timer::Compare,
];

/// Where in [`SINGLE`] it is.
fn place(timer: Timer) -> Option<usize> {
    SINGLE.iter().position(|&single| single == timer)
}

impl Timers {
    /// Sets the timer, whether or not it ran.
    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        if let Some(place) = place(timer) {
            self.single[place] = Some(at);
            return;
        }
        if let Some(old) = self.by_timer.insert(timer, at) {
            self.by_time.remove(&(old, timer));
        }
        self.by_time.insert((at, timer));
    }

    pub(crate) fn cancel(&mut self, timer: Timer) {
        if let Some(place) = place(timer) {
            self.single[place] = None;
        } else if let Some(at) = self.by_timer.remove(&timer) {
            self.by_time.remove(&(at, timer));
        }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        let single = self.single.iter().flatten().min();
        single.copied().into_iter().chain(self.by_time.first().map(|&(at, _)| at)).min()
    }

    /// Those of which there is one and that run.
    fn running(&self) -> impl Iterator<Item = (Instant, Timer)> {
        self.single.iter().zip(SINGLE).filter_map(|(at, timer)| Some(((*at)?, timer)))
    }

    /// Takes out the earliest timer that is due.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Timer> {
        let (at, timer) = self.running().chain(self.by_time.first().copied()).min()?;
        if at > now {
            return None;
        }
        self.cancel(timer);
        Some(timer)
    }

    /// The earliest timer of an activity.
    pub(crate) fn next_of(&self, activity: Activity) -> Option<(Instant, Timer)> {
        let all = self.running().chain(self.by_time.iter().copied());
        all.filter(|&(_, timer)| Activity::of(timer) == activity).min()
    }

    /// The member whose reaping comes first.
    pub(crate) fn first_reaping(&self) -> Option<MemberKey> {
        self.by_time.iter().find_map(|&(_, timer)| match timer {
            Timer::Reap(key) => Some(key),
            _ => None,
        })
    }

    pub(crate) fn deadline(&self, timer: Timer) -> Option<Instant> {
        match place(timer) {
            Some(place) => self.single[place],
            None => self.by_timer.get(&timer).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_in_order_once_and_not_early() {
        let mut timers = Timers::default();
        timers.set(Timer::Gossip, Instant::from_millis(20));
        timers.set(Timer::Probe, Instant::from_millis(20));
        timers.set(Timer::Relay(SeqNo(7)), Instant::from_millis(20));
        timers.set(Timer::PushPull, Instant::from_millis(10));
        timers.set(Timer::PushPull, Instant::from_millis(30));
        timers.set(Timer::Leave, Instant::from_millis(1));
        timers.cancel(Timer::Leave);
        timers.set(Timer::Relay(SeqNo(8)), Instant::from_millis(2));
        timers.cancel(Timer::Relay(SeqNo(8)));
        assert_eq!(timers.deadline(Timer::Relay(SeqNo(8))), None);
        assert_eq!(timers.next(), Some(Instant::from_millis(20)));
        assert_eq!(timers.pop(Instant::from_millis(19)), None);
        let now = Instant::from_millis(40);
        let fired: Vec<_> = std::iter::from_fn(|| timers.pop(now)).collect();
        assert_eq!(fired, [Timer::Probe, Timer::Relay(SeqNo(7)), Timer::Gossip, Timer::PushPull]);
        assert_eq!(timers.next(), None);
    }
}
