//! Percentiles of times.

/// The smallest value that so many percent of all are not above (nearest rank); `None` of nothing.
pub(crate) fn percentile(sorted: &[u64], percent: usize) -> Option<u64> {
    debug_assert!(sorted.is_sorted() && (1..=100).contains(&percent));
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_the_nearest_above() {
        let hundred: Vec<_> = (1..=100).collect();
        assert_eq!(percentile(&hundred, 50), Some(50));
        assert_eq!(percentile(&hundred, 99), Some(99));
        assert_eq!(percentile(&hundred, 100), Some(100));
        assert_eq!(percentile(&[3, 5, 9], 50), Some(5));
        assert_eq!(percentile(&[3, 5, 9], 99), Some(9));
        assert_eq!(percentile(&[7], 1), Some(7));
    }

    #[test]
    fn nothing_has_no_percentile() {
        assert_eq!(percentile(&[], 50), None);
    }
}
