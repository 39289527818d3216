//! What is around a body: label, encryption, checksum and compression (spec sections 2.1 to 2.4,
//! 4.1, 5.1 and 5.2).

mod cipher;
mod error;
mod open;
mod seal;

use std::fmt;

use crate::{Keyring, MAX_LABEL};

pub(crate) use cipher::Aad;
pub use error::{EnvelopeError, OpenError};
pub(crate) use open::decompress;
pub use open::{MAX_DEPTH, MAX_PACKET_DECOMPRESSED, Opened};

/// How packets and stream messages are wrapped. Plain data: change a field, and what is sealed and
/// opened from then on is different.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// Keeps clusters apart that share a network; empty means none.
    pub label: Label,
    /// Empty means plaintext.
    pub keyring: Keyring,
    /// Whether to compress what is sent. What is received is always decompressed.
    pub compress: bool,
    /// How to encrypt what is sent. Both versions are always accepted.
    pub encryption_version: EncryptionVersion,
    /// Whether to refuse plaintext although there is a key; off only while encryption is rolled in.
    pub verify_incoming: bool,
    /// Whether to encrypt although peers may have no key yet; off only while encryption is rolled in.
    pub verify_outgoing: bool,
    /// Whether a proxy has stripped the label of what is received. A label is refused then.
    pub skip_inbound_label_check: bool,
}

impl Default for Envelope {
    /// No label, no key, and memberlist's defaults: compression and both verifications are on.
    fn default() -> Self {
        Self {
            label: Label::default(),
            keyring: Keyring::default(),
            compress: true,
            encryption_version: EncryptionVersion::V1,
            verify_incoming: true,
            verify_outgoing: true,
            skip_inbound_label_check: false,
        }
    }
}

impl Envelope {
    /// Bytes around the body of a packet that count against its budget: label and encryption, but
    /// neither checksum nor compression (spec 2.8).
    #[must_use]
    pub fn overhead(&self) -> usize {
        let label =
            if self.label.is_empty() { 0 } else { Label::HEAD + self.label.as_bytes().len() };
        label + if self.encrypts() { self.encryption_version.overhead() } else { 0 }
    }

    /// Whether what is sent gets encrypted.
    #[must_use]
    pub fn encrypts(&self) -> bool {
        !self.keyring.is_empty() && self.verify_outgoing
    }

    /// Whether plaintext is refused.
    #[must_use]
    pub fn refuses_plaintext(&self) -> bool {
        !self.keyring.is_empty() && self.verify_incoming
    }
}

/// A name that keeps clusters apart: at most [`MAX_LABEL`] bytes, usually text.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Label(Vec<u8>);

impl Label {
    /// Bytes before the label in a packet or a stream: the type and the length.
    const HEAD: usize = 2;

    /// Takes at most [`MAX_LABEL`] bytes.
    pub fn new(label: impl Into<Vec<u8>>) -> Result<Self, EnvelopeError> {
        let label = label.into();
        if label.len() > MAX_LABEL {
            return Err(EnvelopeError::LabelTooLong { length: label.len() });
        }
        Ok(Self(label))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is no label.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        String::from_utf8_lossy(&self.0).fmt(f)
    }
}

/// How a message is encrypted (spec 4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EncryptionVersion {
    /// Padded to whole blocks; only for peers that speak protocol 1.
    V0,
    /// As it is.
    #[default]
    V1,
}

impl EncryptionVersion {
    /// Bytes to reserve around a message: version, nonce and tag, and the most padding.
    #[must_use]
    pub const fn overhead(self) -> usize {
        match self {
            Self::V0 => 45,
            Self::V1 => 29,
        }
    }
}

/// Whether a packet gets a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// For peers that understand it (pmax >= 5).
    Add,
    /// For all others.
    Omit,
}

/// Who speaks on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who opened it; sends the label first.
    Dialer,
    /// Who accepted it; sends no label.
    Listener,
}

/// Buffers that packets go through, kept so that later packets need no new ones.
#[derive(Debug, Default)]
pub struct Scratch {
    compressed: Vec<u8>,
    decrypted: Vec<u8>,
    /// One for each depth of compression.
    expanded: [Vec<u8>; MAX_DEPTH],
}
