//! How long a member takes to answer, in three bytes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The smoothed round trip time to one member and how much it varies, computed as RFC 6298,
/// section 2, does for TCP, in floating point of our own: 12 significant bits for the one, 4 for the
/// other. Zero is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rtt {
    /// In two bytes, so that a slot needs no padding.
    smoothed: [u8; 2],
    deviation: u8,
}

impl Rtt {
    /// How long to wait for an answer, as far as is known.
    pub(crate) fn patience(self) -> Option<Duration> {
        Some(self.smoothed()? + 4 * self.deviation())
    }

    /// How long answers take on average, later ones counting more.
    pub(crate) fn smoothed(self) -> Option<Duration> {
        let float = u16::from_le_bytes(self.smoothed);
        (float != 0).then(|| micros::<11>(float))
    }

    fn deviation(self) -> Duration {
        micros::<3>(u16::from(self.deviation))
    }

    /// Takes in one answer.
    pub(crate) fn add(&mut self, rtt: Duration) {
        let (smoothed, deviation) = match self.smoothed() {
            None => (rtt, rtt / 2),
            Some(before) => {
                (before * 7 / 8 + rtt / 8, self.deviation() * 3 / 4 + before.abs_diff(rtt) / 4)
            }
        };
        self.set(smoothed, deviation);
    }

    /// Nothing came for so long: twice as much patience is due (RFC 6298, section 5.5).
    pub(crate) fn back_off(&mut self, waited: Duration) {
        if let Some(smoothed) = self.smoothed() {
            self.set(smoothed, self.deviation().max((2 * waited).saturating_sub(smoothed) / 4));
        }
    }

    fn set(&mut self, smoothed: Duration, deviation: Duration) {
        self.smoothed = float::<11>(smoothed).max(1).to_le_bytes();
        self.deviation = u8::try_from(float::<3>(deviation)).unwrap_or(u8::MAX);
    }
}

/// The least float that is not below, with so many bits below the leading one; at most 2^31 us. A
/// float is an exponent above a fraction; with exponent 0 it is the number itself.
fn float<const BITS: u32>(duration: Duration) -> u16 {
    let micros = duration.as_nanos().div_ceil(1000).min(1 << 31);
    let mut micros = u64::try_from(micros).unwrap_or(1 << 31);
    let mut exponent = 0;
    while micros >= 2 << BITS {
        (micros, exponent) = (micros.div_ceil(2), exponent + 1);
    }
    // The leading one adds one to the exponent, which so begins at 1 for all but the smallest.
    let float = (exponent << BITS) + micros;
    u16::try_from(float).unwrap_or(u16::MAX)
}

fn micros<const BITS: u32>(float: u16) -> Duration {
    let fraction = u64::from(float) & ((1 << BITS) - 1);
    let micros = match u64::from(float) >> BITS {
        0 => fraction,
        exponent => ((1 << BITS) | fraction) << (exponent - 1),
    };
    Duration::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{prop_assert, proptest};

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_first_answer_counts_whole_and_half_of_it_as_deviation() {
        let mut rtt = Rtt::default();
        assert_eq!((rtt.smoothed(), rtt.patience()), (None, None));
        let first = Duration::from_micros(1 << 16);
        rtt.add(first);
        assert_eq!((rtt.smoothed(), rtt.patience()), (Some(first), Some(3 * first)));
    }

    #[test]
    fn later_answers_count_an_eighth_and_their_distance_a_quarter() {
        let mut rtt = Rtt::default();
        rtt.add(Duration::from_micros(1600));
        rtt.add(Duration::from_micros(2400));
        // 1600 * 7/8 + 2400 / 8; 832 is the coarse float above 800, and above 832 * 3/4 + 800 / 4.
        assert_eq!(rtt.smoothed(), Some(Duration::from_micros(1700)));
        assert_eq!(rtt.patience(), Some(Duration::from_micros(1700 + 4 * 832)));
    }

    #[test]
    fn patience_comes_down_to_steady_answers_and_doubles_with_silence() {
        let mut rtt = Rtt::default();
        for _ in 0..200 {
            rtt.add(20 * MS);
        }
        assert!(rtt.patience().unwrap() < 21 * MS, "{rtt:?}");
        rtt.back_off(60 * MS);
        let patience = rtt.patience().unwrap();
        assert!((120 * MS..135 * MS).contains(&patience), "{patience:?}");
        rtt.back_off(10 * MS);
        assert_eq!(rtt.patience(), Some(patience), "silence makes nobody impatient");
    }

    #[test]
    fn of_whom_nothing_is_known_nothing_is_learnt_from_silence() {
        let mut rtt = Rtt::default();
        rtt.back_off(MS);
        assert_eq!(rtt.patience(), None);
    }

    proptest! {
        #[test]
        fn floats_are_not_below_and_near(micros in 0u64..=1 << 31) {
            let exact = Duration::from_micros(micros);
            let (fine, coarse) = (super::micros::<11>(float::<11>(exact)), super::micros::<3>(float::<3>(exact)));
            prop_assert!(fine >= exact && fine <= exact + exact / 2048);
            prop_assert!(coarse >= exact && coarse <= exact + exact / 8);
        }

        #[test]
        fn no_answer_is_too_long(nanos in proptest::num::u64::ANY, more in proptest::num::u64::ANY) {
            let mut rtt = Rtt::default();
            rtt.add(Duration::from_nanos(nanos));
            rtt.add(Duration::from_nanos(more));
            rtt.back_off(Duration::from_nanos(more));
            prop_assert!(rtt.patience() >= rtt.smoothed());
        }
    }
}
