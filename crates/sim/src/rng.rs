use std::time::Duration;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng};

/// The one source of chance in a world: the same numbers on every platform.
#[derive(Clone, Debug)]
pub(crate) struct Rng(Xoshiro256PlusPlus);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`; 0 when that is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.next()) * u128::from(bound);
        u64::try_from(product >> 64).expect("the upper half of a 128-bit product has 64 bits")
    }

    /// An index below `length`.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("it is below a usize")
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.below((high - low).saturating_add(1))
    }

    /// A time from `low` to `high`.
    pub(crate) fn time_within(&mut self, low: Duration, high: Duration) -> Duration {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.within(nanos(low), nanos(high).max(nanos(low))))
    }

    pub(crate) fn chance(&mut self, chance: Chance) -> bool {
        self.next() < chance.0
    }

    /// Puts the items in random order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }
}

/// A probability, as a threshold among the 2^64 numbers of a generator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The chance `share` of 1; what is out of bounds is brought into them.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the share is from 0 to 1, and the cast saturates"
    )]
    pub(crate) fn of(share: f64) -> Self {
        const ALL: f64 = 18_446_744_073_709_551_616.0;
        Self((share.clamp(0.0, 1.0) * ALL) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_come_as_often_as_they_say() {
        let mut rng = Rng::new(1);
        let hits = (0..100_000).filter(|_| rng.chance(Chance::of(0.25))).count();
        assert!((24_000..26_000).contains(&hits), "{hits}");
        assert!((0..1000).all(|_| !rng.chance(Chance::of(0.0))));
        assert!((0..1000).all(|_| rng.chance(Chance::of(1.0))));
    }

    #[test]
    fn numbers_stay_within_their_bounds() {
        let mut rng = Rng::new(2);
        let seen: std::collections::BTreeSet<_> = (0..1000).map(|_| rng.within(3, 7)).collect();
        assert_eq!(seen, (3..=7).collect());
        assert_eq!(rng.below(0), 0);
    }
}
