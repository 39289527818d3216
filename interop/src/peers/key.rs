//! Keys of test clusters.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A key that seals the traffic of a test cluster.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Vec<u8>);

impl Key {
    /// A 32-byte key; different seeds give different keys.
    #[must_use]
    pub fn of_32_bytes(seed: u8) -> Self {
        Self::of_bytes((0..32).map(|at: u8| seed.wrapping_add(at)).collect())
    }

    /// A 16-byte key; different seeds give different keys.
    #[must_use]
    pub fn of_16_bytes(seed: u8) -> Self {
        Self::of_bytes((0..16).map(|at: u8| seed.wrapping_add(at)).collect())
    }

    /// A key of exactly these bytes. Peers accept 16, 24 and 32 of them.
    #[must_use]
    pub fn of_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The spelling that command lines and configuration files take.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} bytes)", self.0.len())
    }
}
