use thiserror::Error;

use crate::msgpack::ReadError;

/// Why a message was refused. The fault is always the peer's: count it and go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum DecodeError {
    /// The bytes end inside the message.
    #[error("the message is cut off")]
    Truncated,
    /// Not the MessagePack that the field needs.
    #[error("the message is malformed")]
    Malformed,
    /// A message without even a type.
    #[error("the message is empty")]
    EmptyMessage,
    /// A type that nobody knows, or that does not belong here.
    #[error("the message type is not supported")]
    UnsupportedType,
    /// A compound or a compressed message inside a compound; the envelope unwraps these.
    #[error("a message is wrapped inside another")]
    Nested,
    /// A node must have a name here.
    #[error("the node name is empty")]
    EmptyName,
    /// A name above [`crate::MAX_NAME`].
    #[error("the node name is too long")]
    NameTooLong,
    /// A name or a text that is not UTF-8.
    #[error("a name or text is not utf-8")]
    NotUtf8,
    /// An incarnation of 0 or above [`crate::Incarnation::LAST`].
    #[error("the incarnation is out of range")]
    Incarnation,
    /// An address of neither 4 nor 16 bytes.
    #[error("the address is not of 4 or 16 bytes")]
    AddressLength,
    /// Meta above [`crate::MAX_META`].
    #[error("the meta is too long")]
    MetaTooLong,
    /// Version bytes that are not six.
    #[error("the version bytes are not six")]
    VersionsLength,
    /// A state that nobody knows.
    #[error("the node state is unknown")]
    StateUnknown,
    /// A push/pull of more than [`super::MAX_NODES`] records.
    #[error("the push/pull has too many records")]
    TooManyNodes,
    /// A stated length above its limit.
    #[error("a stated length is above its limit")]
    TooLong,
}

impl DecodeError {
    /// Every reason, in the order of [`DecodeError::index`].
    pub const ALL: &[Self] = &[
        Self::Truncated,
        Self::Malformed,
        Self::EmptyMessage,
        Self::UnsupportedType,
        Self::Nested,
        Self::EmptyName,
        Self::NameTooLong,
        Self::NotUtf8,
        Self::Incarnation,
        Self::AddressLength,
        Self::MetaTooLong,
        Self::VersionsLength,
        Self::StateUnknown,
        Self::TooManyNodes,
        Self::TooLong,
    ];

    /// Its place in [`DecodeError::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name of its counter.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Malformed => "malformed",
            Self::EmptyMessage => "empty_message",
            Self::UnsupportedType => "unsupported_type",
            Self::Nested => "nested",
            Self::EmptyName => "empty_name",
            Self::NameTooLong => "name_too_long",
            Self::NotUtf8 => "not_utf8",
            Self::Incarnation => "incarnation",
            Self::AddressLength => "address_length",
            Self::MetaTooLong => "meta_too_long",
            Self::VersionsLength => "versions_length",
            Self::StateUnknown => "state_unknown",
            Self::TooManyNodes => "too_many_nodes",
            Self::TooLong => "too_long",
        }
    }
}

impl From<ReadError> for DecodeError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Truncated { .. } => Self::Truncated,
            ReadError::Type | ReadError::Range => Self::Malformed,
            ReadError::NotUtf8 => Self::NotUtf8,
        }
    }
}
