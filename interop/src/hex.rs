//! Bytes as hexadecimal text, as the Go peer speaks it.

use anyhow::{Context as _, Result, ensure};

pub(crate) fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn decode(text: &str) -> Result<Vec<u8>> {
    ensure!(text.is_ascii() && text.len().is_multiple_of(2), "{text:?} is not hexadecimal");
    (0..text.len())
        .step_by(2)
        .map(|at| {
            u8::from_str_radix(&text[at..at + 2], 16)
                .with_context(|| format!("{text:?} is not hexadecimal"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_the_way_there_and_back() {
        assert_eq!(encode(&[0, 0x80, 0xff]), "0080ff");
        assert_eq!(decode("0080ff").unwrap(), [0, 0x80, 0xff]);
    }

    #[test]
    fn what_is_not_hexadecimal_is_refused() {
        assert!(decode("0").is_err());
        assert!(decode("zz").is_err());
        assert!(decode("é").is_err());
    }
}
