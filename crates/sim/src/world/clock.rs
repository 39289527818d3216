use mingle_proto::Instant;

/// A host's clock: it runs at its own rate, and never back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// A moment of the world, and what the clock showed then.
    origin: (Instant, Instant),
    /// Millionths that it runs too fast; too slow when negative.
    drift: i32,
}

const MILLION: i128 = 1_000_000;

impl Clock {
    pub(crate) fn new() -> Self {
        Self { origin: (Instant::ORIGIN, Instant::ORIGIN), drift: 0 }
    }

    /// What it shows at `world`.
    pub(crate) fn read(&self, world: Instant) -> Instant {
        if self.drift == 0 && self.origin.0 == self.origin.1 {
            return world;
        }
        let passed = i128::from(world.as_nanos()) - i128::from(self.origin.0.as_nanos());
        let passed = passed * (MILLION + i128::from(self.drift)) / MILLION;
        nanos(i128::from(self.origin.1.as_nanos()) + passed)
    }

    /// The first moment of the world at which it shows `shown` or later.
    pub(crate) fn when(&self, shown: Instant) -> Instant {
        if self.drift == 0 && self.origin.0 == self.origin.1 {
            return shown;
        }
        let rate = MILLION + i128::from(self.drift);
        let wanted = i128::from(shown.as_nanos()) - i128::from(self.origin.1.as_nanos());
        let passed = (wanted * MILLION + rate - 1).div_euclid(rate);
        nanos(i128::from(self.origin.0.as_nanos()) + passed)
    }

    /// Lets it run at another rate from `world` on.
    pub(crate) fn set_drift(&mut self, world: Instant, drift: i32) {
        self.origin = (world, self.read(world));
        self.drift = drift.clamp(-900_000, 9_000_000);
    }

    /// Lets it leap ahead.
    pub(crate) fn leap(&mut self, world: Instant, by: std::time::Duration) {
        self.origin = (world, self.read(world) + by);
    }
}

fn nanos(value: i128) -> Instant {
    Instant::from_nanos(u64::try_from(value.max(0)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_deadline_is_reached_at_the_moment_that_the_clock_gives_for_it() {
        let mut clock = Clock::new();
        for (i, drift) in [0, 50_000, -50_000, 1, -1, 300_000].into_iter().enumerate() {
            clock.set_drift(Instant::from_millis(1000 * i as u64), drift);
            for ahead in [0, 1, 999, 1_000_003, 77_777_777_777] {
                let shown =
                    clock.read(Instant::from_millis(1000 * i as u64)) + Duration::from_nanos(ahead);
                let when = clock.when(shown);
                assert!(clock.read(when) >= shown);
                let before = Instant::from_nanos(when.as_nanos().saturating_sub(1));
                assert!(ahead == 0 || clock.read(before) < shown);
            }
        }
        clock.leap(Instant::from_millis(9000), Duration::from_secs(5));
        assert!(clock.read(Instant::from_millis(9000)) >= Instant::from_millis(13_900));
    }
}
