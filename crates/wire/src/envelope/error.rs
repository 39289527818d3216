use thiserror::Error;

/// What is wrong with the settings of an envelope: the operator's mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    /// A label has at most [`crate::MAX_LABEL`] bytes.
    #[error("the label has {length} bytes of at most {limit}; use a shorter one", limit = crate::MAX_LABEL)]
    LabelTooLong {
        /// Its bytes.
        length: usize,
    },
}

/// Why a packet, or a part of it, was refused before its messages were looked at. The fault is the
/// peer's, or the peer has other settings: count it and go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum OpenError {
    /// Nothing, or nothing inside the wrapping.
    #[error("the packet is empty")]
    Empty,
    /// A label of no length, or cut off.
    #[error("the label is malformed")]
    LabelMalformed,
    /// Another label than ours, or none; probably another cluster.
    #[error("the label is not ours; check that the clusters are meant to be one")]
    LabelMismatch,
    /// A label although a proxy should have stripped it.
    #[error("there is a label although none is expected; check the inbound label setting")]
    LabelUnexpected,
    /// Plaintext although we have a key.
    #[error("the peer does not encrypt, but we require it")]
    NotEncrypted,
    /// An encryption version that nobody knows.
    #[error("the encryption version is not supported")]
    VersionUnsupported,
    /// Shorter than any encrypted message.
    #[error("the encrypted message is too short")]
    TooShort,
    /// Encrypted with a key, or for a label, that we do not have.
    #[error("none of our keys decrypts the message")]
    Decrypt,
    /// Padding that no honest node writes.
    #[error("the padding of the decrypted message is wrong")]
    Padding,
    /// The checksum does not fit.
    #[error("the checksum is wrong")]
    Checksum,
    /// Compressed bytes without a proper wrapper, or in an unknown way.
    #[error("the compressed message has a malformed head or an unknown algorithm")]
    Compression,
    /// The compressed bytes are damaged.
    #[error("the compressed message does not decompress")]
    Decompress,
    /// More comes out than a packet or a stream may hold.
    #[error("the decompressed message is too long")]
    DecompressedTooLong,
    /// Wrapped too often.
    #[error("the message is wrapped too deep")]
    TooDeep,
    /// A compound ends before its parts do.
    #[error("a compound is cut off")]
    Truncated,
}

impl OpenError {
    /// Every reason, in the order of [`OpenError::index`].
    pub const ALL: &[Self] = &[
        Self::Empty,
        Self::LabelMalformed,
        Self::LabelMismatch,
        Self::LabelUnexpected,
        Self::NotEncrypted,
        Self::VersionUnsupported,
        Self::TooShort,
        Self::Decrypt,
        Self::Padding,
        Self::Checksum,
        Self::Compression,
        Self::Decompress,
        Self::DecompressedTooLong,
        Self::TooDeep,
        Self::Truncated,
    ];

    /// Its place in [`OpenError::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name of its counter.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::LabelMalformed => "label_malformed",
            Self::LabelMismatch => "label_mismatch",
            Self::LabelUnexpected => "label_unexpected",
            Self::NotEncrypted => "not_encrypted",
            Self::VersionUnsupported => "version_unsupported",
            Self::TooShort => "too_short",
            Self::Decrypt => "decrypt",
            Self::Padding => "padding",
            Self::Checksum => "checksum",
            Self::Compression => "compression",
            Self::Decompress => "decompress",
            Self::DecompressedTooLong => "decompressed_too_long",
            Self::TooDeep => "too_deep",
            Self::Truncated => "truncated",
        }
    }
}
