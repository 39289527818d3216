use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use crate::decision::{Decided, Decision, DecisionKind};
use crate::queue::{Published, Subscription, Topic, lock};

/// The last decisions of the node, in bounded space.
///
/// The node's task writes and handles read. Neither does anything under the lock but move and copy at
/// most [`MAX_DECISIONS`] small values.
#[derive(Debug)]
pub(crate) struct FlightRecorder {
    tape: Mutex<Tape>,
    told: Topic<Decision>,
}

/// What one decision more has cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Older ones that are not recorded any more.
    pub(crate) dropped: usize,
    /// Older ones that slow subscribers did not get.
    pub(crate) missed: usize,
}

/// What is no longer recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// How many decisions.
    pub count: u64,
    /// When the last of them was made: what was decided later is recorded in full.
    pub until: SystemTime,
}

/// What the recorder has.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    /// The oldest first.
    pub(crate) decisions: Vec<Decision>,
    pub(crate) dropped: Option<Dropped>,
}

/// Decisions that are kept.
const MAX_DECISIONS: usize = 256;
/// Bytes that they may take: names can have 255, and a verdict can name many accusers.
const MAX_BYTES: usize = 256 << 10;
/// Lateness within this time is one decision.
const LATE_TOGETHER: Duration = Duration::from_secs(60);

impl FlightRecorder {
    pub(crate) const fn new() -> Self {
        Self { tape: Mutex::new(Tape::new()), told: Topic::new() }
    }

    /// Keeps a decision, and tells it those who listen. When there is no room, the oldest of the
    /// commonest kind goes, so that a flood of one kind leaves the others.
    pub(crate) fn record(&self, at: SystemTime, what: Decided) -> Cost {
        self.keep(&mut lock(&self.tape), at, what)
    }

    /// Keeps a change of our health score.
    pub(crate) fn record_health(&self, at: SystemTime, score: u32) -> Cost {
        let mut tape = lock(&self.tape);
        let before = std::mem::replace(&mut tape.health, score);
        self.keep(&mut tape, at, Decided::Health { before, score })
    }

    fn keep(&self, tape: &mut Tape, at: SystemTime, what: Decided) -> Cost {
        let decision = tape.put(at, what);
        let missed = match self.told.publish(decision.what.bytes(), || decision.clone()) {
            Published::Unheard => 0,
            Published::Heard { dropped } => dropped,
        };
        Cost { dropped: tape.trim(), missed }
    }

    /// Decisions from now on.
    pub(crate) fn subscribe(&self) -> Subscription<Decision> {
        self.told.subscribe()
    }

    /// No decision comes any more.
    pub(crate) fn close(&self) {
        self.told.close();
    }

    pub(crate) fn read(&self) -> Recorded {
        let tape = lock(&self.tape);
        Recorded { decisions: tape.decisions.iter().cloned().collect(), dropped: tape.dropped }
    }
}

#[derive(Debug)]
struct Tape {
    /// In the order of their last time.
    decisions: VecDeque<Decision>,
    bytes: usize,
    /// How many of each kind.
    counts: [usize; DecisionKind::ALL.len()],
    dropped: Option<Dropped>,
    /// Our last known health score.
    health: u32,
}

impl Tape {
    const fn new() -> Self {
        let counts = [0; DecisionKind::ALL.len()];
        Self { decisions: VecDeque::new(), bytes: 0, counts, dropped: None, health: 0 }
    }

    fn put(&mut self, at: SystemTime, what: Decided) -> &Decision {
        let decision = match self.take_repeated(at, &what) {
            None => Decision { what, at, first: at, times: 1 },
            Some(earlier) => {
                let what = worst_of(&earlier.what, what);
                Decision { what, at, first: earlier.first, times: earlier.times + 1 }
            }
        };
        self.bytes += decision.what.bytes();
        self.counts[decision.what.kind() as usize] += 1;
        self.decisions.push_back_mut(decision)
    }

    /// Drops what there is no room for; returns how many.
    fn trim(&mut self) -> usize {
        let mut dropped = 0;
        while self.decisions.len() > MAX_DECISIONS || self.bytes > MAX_BYTES {
            self.drop_one();
            dropped += 1;
        }
        dropped
    }

    /// Takes out the last one that the new one repeats.
    fn take_repeated(&mut self, at: SystemTime, what: &Decided) -> Option<Decision> {
        let subject = Subject::of(what)?;
        let same = |decision: &Decision| Subject::of(&decision.what).as_ref() == Some(&subject);
        let index = self.decisions.iter().rposition(same)?;
        continues(&self.decisions[index], at, what).then(|| self.remove(index))
    }

    fn drop_one(&mut self) {
        let count = |kind: &DecisionKind| self.counts[*kind as usize];
        let commonest = DecisionKind::ALL.into_iter().max_by_key(count);
        let is_it = |decision: &Decision| Some(decision.what.kind()) == commonest;
        let oldest = self.decisions.iter().position(is_it).unwrap_or_default();
        let Decision { at, .. } = self.remove(oldest);
        let before = self.dropped.unwrap_or(Dropped { count: 0, until: at });
        self.dropped = Some(Dropped { count: before.count + 1, until: before.until.max(at) });
    }

    fn remove(&mut self, index: usize) -> Decision {
        let decision = self.decisions.remove(index).expect("the index was just found");
        self.bytes -= decision.what.bytes();
        self.counts[decision.what.kind() as usize] -= 1;
        decision
    }
}

/// What decisions that can be repeated are about.
#[derive(PartialEq)]
enum Subject<'a> {
    Address(SocketAddr),
    Claimants(&'a str, SocketAddr, SocketAddr),
    OurTime,
}

impl<'a> Subject<'a> {
    fn of(what: &'a Decided) -> Option<Self> {
        match what {
            Decided::Reconnect { to, .. } => Some(Self::Address(*to)),
            Decided::Conflict { name, held, claimed } => {
                Some(Self::Claimants(name, *held, *claimed))
            }
            Decided::Late { .. } => Some(Self::OurTime),
            Decided::Member(_)
            | Decided::Refuted { .. }
            | Decided::Health { .. }
            | Decided::LinkDegraded { .. }
            | Decided::LinkRestored { .. } => None,
        }
    }
}

/// Whether a decision on the same subject only repeats the last one.
fn continues(last: &Decision, at: SystemTime, what: &Decided) -> bool {
    match what {
        Decided::Reconnect { .. } => is_reached(&last.what) == is_reached(what),
        Decided::Late { .. } => {
            at.duration_since(last.at).is_ok_and(|between| between < LATE_TOGETHER)
        }
        Decided::Conflict { .. } => true,
        Decided::Member(_)
        | Decided::Refuted { .. }
        | Decided::Health { .. }
        | Decided::LinkDegraded { .. }
        | Decided::LinkRestored { .. } => false,
    }
}

fn is_reached(what: &Decided) -> bool {
    matches!(what, Decided::Reconnect { error: None, .. })
}

/// Of lateness the worst counts, of everything else the last.
fn worst_of(earlier: &Decided, what: Decided) -> Decided {
    match (earlier, what) {
        (&Decided::Late { by }, Decided::Late { by: now }) => Decided::Late { by: by.max(now) },
        (_, what) => what,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mingle_proto::{Cause, Change, Evidence, Sought, Via};
    use mingle_wire::{Incarnation, State};

    use super::*;
    use crate::JoinError;
    use crate::decision::MemberChange;

    fn second(n: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(n)
    }

    fn change(name: &str, cause: Cause) -> Decided {
        Decided::Member(MemberChange {
            name: name.into(),
            change: Change::Failed,
            state: State::Dead,
            incarnation: Incarnation::FIRST,
            address: address(1),
            evidence: Arc::new(Evidence {
                incarnation: Incarnation::FIRST,
                before: Some(State::Suspect),
                cause,
                via: Via::Own,
                last_ack: None,
                lag: Duration::ZERO,
            }),
        })
    }

    fn address(n: u8) -> SocketAddr {
        ([10, 0, 0, n], 7946).into()
    }

    fn attempt(n: u8, error: Option<JoinError>) -> Decided {
        Decided::Reconnect { to: address(n), sought: Sought::Failed, error }
    }

    /// Kind, first and last second, times.
    fn lines(recorder: &FlightRecorder) -> Vec<(&'static str, u64, u64, u64)> {
        let seconds = |at: SystemTime| at.duration_since(second(0)).unwrap().as_secs();
        let line = |decision: &Decision| {
            let kind = decision.what.kind().as_str();
            (kind, seconds(decision.first), seconds(decision.at), decision.times)
        };
        recorder.read().decisions.iter().map(line).collect()
    }

    #[test]
    fn ten_thousand_changes_leave_the_last_ones_and_those_of_other_kinds() {
        let recorder = FlightRecorder::new();
        recorder.record_health(second(1), 2);
        let mut dropped = 0;
        for n in 0..10_000 {
            dropped += recorder.record(second(2 + n), change("member", Cause::Goodbye)).dropped;
        }
        let recorded = recorder.read();
        assert_eq!(recorded.decisions.len(), MAX_DECISIONS);
        assert_eq!(recorded.decisions[0].what.kind(), DecisionKind::Health);
        assert_eq!(recorded.decisions[1].at, second(2 + 10_000 - 255));
        let expected = Dropped { count: 10_000 - 255, until: second(2 + 10_000 - 256) };
        assert_eq!((recorded.dropped, dropped), (Some(expected), 10_000 - 255));
    }

    #[test]
    fn long_names_and_many_accusers_are_bounded_in_bytes() {
        let recorder = FlightRecorder::new();
        let name = "x".repeat(255);
        let accusers = vec![Arc::from(name.as_str()); 100];
        let cause = Cause::SuspicionExpired { accusers, ran: Duration::from_secs(1) };
        for n in 0..1000 {
            recorder.record(second(n), change(&name, cause.clone()));
        }
        let recorded = recorder.read();
        let bytes: usize = recorded.decisions.iter().map(|decision| decision.what.bytes()).sum();
        assert!(bytes <= MAX_BYTES, "{bytes}");
        assert!(recorded.decisions.len() >= 8, "{}", recorded.decisions.len());
        assert_eq!(lock(&recorder.tape).bytes, bytes);
    }

    #[test]
    fn attempts_in_vain_are_one_decision_until_somebody_answers() {
        let recorder = FlightRecorder::new();
        for n in 0..1000 {
            recorder.record(second(n), attempt(1, Some(JoinError::Unanswered)));
        }
        recorder.record(second(1000), attempt(2, Some(JoinError::Unanswered)));
        recorder.record(second(1001), attempt(1, None));
        recorder.record(second(1002), attempt(1, Some(JoinError::Unanswered)));
        let expected = [
            ("reconnect", 0, 999, 1000),
            ("reconnect", 1000, 1000, 1),
            ("reconnect", 1001, 1001, 1),
            ("reconnect", 1002, 1002, 1),
        ];
        assert_eq!(lines(&recorder), expected);
        assert_eq!(recorder.read().dropped, None);
    }

    #[test]
    fn a_conflict_that_goes_on_is_one_decision_and_comes_last() {
        let recorder = FlightRecorder::new();
        let conflict = |held, claimed| Decided::Conflict {
            name: "a".into(),
            held: address(held),
            claimed: address(claimed),
        };
        recorder.record(second(1), conflict(1, 2));
        recorder.record(second(2), conflict(1, 3));
        recorder.record(second(3), conflict(1, 2));
        assert_eq!(lines(&recorder), [("conflict", 2, 2, 1), ("conflict", 1, 3, 2)]);
    }

    #[test]
    fn lateness_within_a_minute_is_one_decision_that_says_the_worst() {
        let recorder = FlightRecorder::new();
        for (at, by) in [(1, 3), (50, 7), (100, 2), (200, 1)] {
            recorder.record(second(at), Decided::Late { by: Duration::from_secs(by) });
        }
        assert_eq!(lines(&recorder), [("late", 1, 100, 3), ("late", 200, 200, 1)]);
        let worst = recorder.read().decisions[0].what.to_string();
        assert_eq!(worst, "late: this node could not run for 7.0s");
    }

    #[test]
    fn health_tells_from_where_it_came() {
        let recorder = FlightRecorder::new();
        recorder.record_health(second(1), 2);
        recorder.record_health(second(2), 1);
        let said: Vec<_> =
            recorder.read().decisions.iter().map(|decision| decision.what.to_string()).collect();
        assert_eq!(said, ["health score from 0 to 2", "health score from 2 to 1"]);
    }
}
