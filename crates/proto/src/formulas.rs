//! The protocol's arithmetic. Logarithms come from `libm`, so that every platform computes the same.

use std::time::Duration;

/// How many packets carry one claim (spec 9.1).
pub(crate) fn retransmit_limit(mult: u32, n: usize) -> u32 {
    mult.saturating_mul(ceil(libm::log10(to_f64(n) + 1.0)))
}

/// The shortest suspicion (spec 8.5).
pub(crate) fn suspicion_min(mult: u32, n: usize, interval: Duration) -> Duration {
    let scale = libm::log10(to_f64(n.max(1))).max(1.0);
    let thousandths = u128::from(floor(scale * 1000.0));
    let nanos = u128::from(mult) * thousandths * interval.as_nanos() / 1000;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// How many confirmations bring a suspicion down to its minimum, of those that the rules want (spec 8.5).
pub(crate) fn confirmations_wanted(wanted: u32, n: usize) -> u32 {
    if n.saturating_sub(2) < wanted as usize { 0 } else { wanted }
}

/// How long a suspicion lasts in all after `confirmed` of `wanted` confirmations (Lifeguard,
/// section IV-B; spec 8.5).
pub(crate) fn suspicion_total(
    confirmed: u32,
    wanted: u32,
    min: Duration,
    max: Duration,
) -> Duration {
    if wanted == 0 {
        return min;
    }
    let share = libm::log(f64::from(confirmed) + 1.0) / libm::log(f64::from(wanted) + 1.0);
    let (min_s, max_s) = (min.as_secs_f64(), max.as_secs_f64());
    let millis = libm::floor(1000.0 * (max_s - share * (max_s - min_s)));
    Duration::from_secs_f64(millis.max(0.0) / 1000.0).max(min)
}

/// The interval between push/pulls (spec section 10).
pub(crate) fn push_pull_interval(interval: Duration, n: usize) -> Duration {
    const THRESHOLD: usize = 32;
    if n <= THRESHOLD {
        return interval;
    }
    let doublings = libm::log2(to_f64(n)) - libm::log2(to_f64(THRESHOLD));
    interval.saturating_mul(ceil(doublings).saturating_add(1))
}

fn to_f64(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "logarithms of counts are small and not negative; the cast saturates"
)]
fn ceil(value: f64) -> u32 {
    libm::ceil(value) as u32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a thousand logarithms of a count are small and not negative; the cast saturates"
)]
fn floor(value: f64) -> u32 {
    libm::floor(value) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(function: &str, args: &[u64], expected: i64) {
        let count = |i: usize| usize::try_from(args[i]).unwrap();
        let small = |i: usize| u32::try_from(args[i]).unwrap();
        let millis = |i: usize| Duration::from_millis(args[i]);
        let in_millis = |d: Duration| i64::try_from(d.as_millis()).unwrap();
        let got = match function {
            "retransmitLimit(mult,n)" => i64::from(retransmit_limit(small(0), count(1))),
            "suspicionTimeoutMs(mult,n,intervalMs)" => {
                in_millis(suspicion_min(small(0), count(1), millis(2)))
            }
            "pushPullScaleMs(intervalMs,n)" => in_millis(push_pull_interval(millis(0), count(1))),
            "suspicionRemainingMs(n,k,elapsedMs,minMs,maxMs)" => {
                let total = suspicion_total(small(0), small(1), millis(3), millis(4));
                in_millis(total) - i64::try_from(args[2]).unwrap()
            }
            "queryTimeoutMs(gossipMs,mult,n)" => return,
            other => panic!("no such formula: {other}"),
        };
        assert_eq!(got, expected, "{function} {args:?}");
    }

    #[test]
    fn every_golden_value_comes_out() {
        let text = include_str!("../vectors/formulas-golden.json");
        let cases: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
        assert_eq!(cases.len(), 264);
        for case in &cases {
            let args: Vec<u64> =
                case["Args"].as_array().unwrap().iter().map(|a| a.as_u64().unwrap()).collect();
            check(case["Func"].as_str().unwrap(), &args, case["Ns"].as_i64().unwrap());
        }
    }

    #[test]
    fn a_cluster_of_ten_suspects_for_four_to_twenty_four_seconds() {
        let min = suspicion_min(4, 10, Duration::from_secs(1));
        let max = min * 6;
        assert_eq!((min, max), (Duration::from_secs(4), Duration::from_secs(24)));
        assert_eq!(suspicion_total(0, 2, min, max), max);
        assert_eq!(suspicion_total(2, 2, min, max), min);
        assert_eq!(suspicion_total(0, 0, min, max), min);
    }
}
