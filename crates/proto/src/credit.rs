use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Instant;

/// How many members a node may still accuse. One that accuses the living runs out of it, and is slow
/// to get more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Credit {
    left: u32,
    since: Instant,
}

impl Credit {
    /// The most there can be.
    pub(crate) const MOST: u32 = 8;
    /// So many probe intervals give one more.
    pub(crate) const REFILL: u32 = 5;

    pub(crate) fn new(now: Instant) -> Self {
        Self { left: Self::MOST, since: now }
    }

    /// Uses one up; says whether there was one.
    #[must_use]
    pub(crate) fn take(&mut self, now: Instant, interval: Duration) -> bool {
        let refill = interval.saturating_mul(Self::REFILL);
        while self.left < Self::MOST && now.since(self.since) >= refill {
            (self.left, self.since) = (self.left + 1, self.since + refill);
        }
        if self.left == Self::MOST {
            self.since = now;
        }
        let is_left = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_left
    }

    /// An accusation came true.
    pub(crate) fn give_back(&mut self) {
        self.left = (self.left + 1).min(Self::MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn whoever_accuses_the_living_runs_out_and_gets_one_in_a_while() {
        let mut credit = Credit::new(Instant::ORIGIN);
        let now = Instant::from_millis(60_000);
        for _ in 0..Credit::MOST {
            assert!(credit.take(now, SECOND));
        }
        assert!(!credit.take(now, SECOND));
        assert!(!credit.take(now + 4 * SECOND, SECOND));
        assert!(credit.take(now + 5 * SECOND, SECOND));
        assert!(!credit.take(now + 9 * SECOND, SECOND));
        let accusations = (10..1000).filter(|&s| credit.take(now + s * SECOND, SECOND)).count();
        assert!((197..=199).contains(&accusations), "{accusations}");
    }

    #[test]
    fn whoever_is_right_does_not_run_out() {
        let mut credit = Credit::new(Instant::ORIGIN);
        for _ in 0..100 {
            assert!(credit.take(Instant::ORIGIN, SECOND));
            credit.give_back();
        }
    }
}
