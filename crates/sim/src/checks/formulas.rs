//! The protocol's arithmetic once more, from the spec and not from the machine.

use std::time::Duration;

use mingle_proto::Config;

/// What bounds a suspicion that began when `n` members were known (spec 8.5).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bounds {
    /// Confirmations that bring it down to its minimum.
    pub(super) wanted: u32,
    shortest: f64,
    longest: f64,
}

impl Bounds {
    pub(super) fn of(config: &Config, n: usize) -> Self {
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        let wanted = config.suspicion_mult.saturating_sub(2);
        let wanted = if n.saturating_sub(2) < wanted { 0 } else { wanted };
        let scale = libm::floor(1000.0 * libm::log10(f64::from(n.max(1))).max(1.0)) / 1000.0;
        let interval = config.probe_interval.as_secs_f64();
        let shortest = f64::from(config.suspicion_mult) * scale * interval;
        let longest = shortest * f64::from(config.suspicion_max_timeout_mult);
        Self { wanted, shortest, longest }
    }

    /// The least that it lasts when so many have confirmed it.
    pub(super) fn least(self, confirmed: u32) -> Duration {
        let Self { wanted, shortest, longest } = self;
        if wanted == 0 {
            return Duration::from_secs_f64(shortest);
        }
        let share = libm::log(f64::from(confirmed) + 1.0) / libm::log(f64::from(wanted) + 1.0);
        Duration::from_secs_f64((longest - share * (longest - shortest)).max(shortest))
    }
}

/// How many packets of one node carry a claim when `n` members are known (spec 9.1).
pub(super) fn transmits(config: &Config, n: usize) -> u32 {
    // ceil(log10(n + 1)) is how many decimal digits n has.
    let digits = n.checked_ilog10().map_or(0, |log| log + 1);
    config.retransmit_mult.saturating_mul(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(n: usize, confirmed: u32, millis: u64) {
        let least = Bounds::of(&Config::lan(), n).least(confirmed);
        let off = least.abs_diff(Duration::from_millis(millis));
        assert!(off <= Duration::from_millis(1), "{n} members, {confirmed} confirmed: {least:?}");
    }

    #[test]
    fn the_spec_s_examples_come_out() {
        check(10, 0, 24_000);
        check(10, 1, 11_381);
        check(10, 2, 4000);
        check(10, 9, 4000);
        check(100, 0, 48_000);
        check(100, 2, 8000);
        check(3, 0, 4000);
        check(4, 0, 24_000);
    }

    #[test]
    fn a_claim_goes_out_four_times_for_each_digit_of_the_count() {
        let lan = Config::lan();
        for (n, expected) in [(0, 0), (1, 4), (9, 4), (10, 8), (99, 8), (100, 12), (999, 12)] {
            assert_eq!(transmits(&lan, n), expected, "{n} members");
        }
    }
}
