//! Sizes as people write them: `64MiB`, `500 MB`, `1048576`.

/// What the letters stand for.
const UNITS: [(&str, u64); 10] = [
    ("", 1),
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

/// Bytes, from a whole number and a unit.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let bytes = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .and_then(|(_, each)| number.parse::<u64>().ok()?.checked_mul(*each));
    bytes.ok_or_else(|| "write a whole number and a unit, as 64MiB".to_owned())
}

/// As [`parse`] reads it, in the largest unit that divides it.
pub(crate) fn spell(bytes: u64) -> String {
    let whole = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let fits = |shift: &u32| bytes > 0 && bytes.is_multiple_of(1 << shift);
    match whole.iter().find(|(shift, _)| fits(shift)) {
        Some((shift, unit)) => format!("{} {unit}", bytes >> shift),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_numbers_with_a_unit() {
        assert_eq!(parse("64MiB"), Ok(64 << 20));
        assert_eq!(parse("500 mb"), Ok(500_000_000));
        assert_eq!(parse("1048576"), Ok(1 << 20));
        for text in ["", "MiB", "1.5GiB", "-1", "64 miles", "99999999TiB", "é"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn sizes_are_spelled_in_their_largest_unit() {
        assert_eq!(spell(64 << 20), "64 MiB");
        assert_eq!(spell(3 << 30), "3 GiB");
        assert_eq!(spell(1_500_000), "1500000 bytes");
    }
}
