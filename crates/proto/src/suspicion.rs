use std::sync::Arc;
use std::time::Duration;

use mingle_wire::{Incarnation, SeqNo};
use serde::{Deserialize, Serialize};

use crate::{Instant, formulas};

/// A running suspicion: who accused, and when it runs out (spec 8.5).
///
/// It keeps the set of its accusers, and asks one function when they are enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Suspicion {
    /// The incarnation that is accused.
    pub(crate) incarnation: Incarnation,
    /// When it began.
    pub(crate) started: Instant,
    /// The worst lag of our own timers since then.
    pub(crate) lag: Duration,
    accusers: Vec<Arc<str>>,
    wanted: u32,
    min: Duration,
    max: Duration,
    granted: Duration,
    /// When it was asked for its last word, and by which number.
    pub(crate) asked: Option<(Instant, SeqNo)>,
    /// Whether nobody had seconded it when it ran out, and it was told once more.
    is_retold: bool,
}

/// What bounds a suspicion.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Confirmations that bring it down to `min`.
    pub(crate) wanted: u32,
    /// The shortest.
    pub(crate) min: Duration,
    /// The longest.
    pub(crate) max: Duration,
}

impl Suspicion {
    pub(crate) fn new(
        incarnation: Incarnation,
        accuser: Arc<str>,
        bounds: Bounds,
        now: Instant,
    ) -> Self {
        let Bounds { wanted, min, max } = bounds;
        Self {
            incarnation,
            started: now,
            lag: Duration::ZERO,
            accusers: vec![accuser],
            wanted,
            min,
            max,
            granted: Duration::ZERO,
            asked: None,
            is_retold: false,
        }
    }

    /// Whether a further accuser counts: a new name, while confirmations are still wanted.
    pub(crate) fn wants(&self, accuser: &str) -> bool {
        self.confirmations() < self.wanted && self.accusers.iter().all(|a| **a != *accuser)
    }

    /// Takes in an accuser that is wanted.
    pub(crate) fn confirm(&mut self, accuser: &str) {
        debug_assert!(self.wants(accuser));
        self.accusers.push(accuser.into());
    }

    /// Our own timers were so late: since it began, not more than that.
    pub(crate) fn note_lag(&mut self, lag: Duration, now: Instant) {
        self.lag = self.lag.max(lag.min(now.since(self.started)));
    }

    /// Gives the accused more time, because we ourselves slept and were not there to hear it. What has
    /// begun since, when we took in what had waited for us, gets none.
    pub(crate) fn grant(&mut self, slept: Duration, now: Instant) {
        let missed = slept.min(now.since(self.started));
        self.granted = self.granted.saturating_add(missed);
    }

    /// It has answered: it runs for its minimum once more, from now.
    pub(crate) fn spare(&mut self, now: Instant) {
        self.asked = None;
        let ends = now + self.min;
        self.granted = self.granted.saturating_add(ends.since(self.deadline()));
    }

    /// Whether others could have seconded it by now, nobody has, and it was not told again yet.
    pub(crate) fn is_unseconded(&self) -> bool {
        self.wanted > 0 && self.confirmations() == 0 && !self.is_retold
    }

    /// It is told once more, and runs for its minimum once more, from now.
    pub(crate) fn retell(&mut self, now: Instant) {
        self.is_retold = true;
        self.spare(now);
    }

    /// When its suspect is asked for its last word, or if that was done, when it is over.
    pub(crate) fn next(&self, patience: Duration) -> Instant {
        let deadline = self.deadline();
        match self.asked {
            Some((asked, _)) => deadline.max(asked + patience),
            None => self.started + deadline.since(self.started).saturating_sub(patience),
        }
    }

    /// When it runs out.
    pub(crate) fn deadline(&self) -> Instant {
        let total =
            formulas::suspicion_total(self.confirmations(), self.wanted, self.min, self.max);
        self.started + total + self.granted
    }

    /// Everybody who counted, the first accuser first.
    pub(crate) fn accusers(&self) -> &[Arc<str>] {
        &self.accusers
    }

    fn confirmations(&self) -> u32 {
        u32::try_from(self.accusers.len()).unwrap_or(u32::MAX).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suspicion() -> Suspicion {
        let (min, max) = (Duration::from_secs(4), Duration::from_secs(24));
        let bounds = Bounds { wanted: 2, min, max };
        Suspicion::new(Incarnation::FIRST, "a".into(), bounds, Instant::ORIGIN)
    }

    #[test]
    fn each_new_accuser_shortens_it_down_to_its_minimum() {
        let mut suspicion = suspicion();
        assert_eq!(suspicion.deadline(), Instant::from_millis(24_000));
        suspicion.confirm("b");
        assert_eq!(suspicion.deadline(), Instant::from_millis(11_381));
        suspicion.confirm("c");
        assert_eq!(suspicion.deadline(), Instant::from_millis(4_000));
    }

    #[test]
    fn the_first_accuser_repeated_names_and_superfluous_ones_do_not_count() {
        let mut suspicion = suspicion();
        assert!(!suspicion.wants("a"));
        assert!(suspicion.wants("b"));
        suspicion.confirm("b");
        assert!(!suspicion.wants("b"));
        suspicion.confirm("c");
        assert!(!suspicion.wants("d"));
        assert_eq!(suspicion.accusers().len(), 3);
    }

    #[test]
    fn time_that_its_holder_slept_comes_on_top_as_far_as_it_ran_by_then() {
        let slept = Duration::from_secs(30);
        for (now, deadline) in [(100_000, 54_000), (30_000, 54_000), (1_000, 25_000), (0, 24_000)] {
            let (mut suspicion, now) = (suspicion(), Instant::from_millis(now));
            suspicion.grant(slept, now);
            assert_eq!(suspicion.deadline(), Instant::from_millis(deadline));
            suspicion.note_lag(slept, now);
            assert_eq!(suspicion.lag, slept.min(now.since(Instant::ORIGIN)));
        }
    }
}
