/// A running hash of all that went into and came out of every node: two runs of one seed have the
/// same, or the world is not deterministic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Transcript(u64);

impl Transcript {
    /// Adds a number.
    pub(crate) fn add(&mut self, number: u64) {
        // The multiplier is 2^64 by the golden ratio; the rotation carries high bits into low ones.
        self.0 = (self.0.rotate_left(23) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    /// Adds bytes.
    pub(crate) fn add_bytes(&mut self, bytes: &[u8]) {
        self.add(u64::from(crc32fast::hash(bytes)) | ((bytes.len() as u64) << 32));
    }

    /// The hash so far.
    pub(crate) fn hash(self) -> u64 {
        self.0 ^ (self.0 >> 31)
    }
}
