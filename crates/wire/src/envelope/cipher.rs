//! The encrypted payload: version, nonce, ciphertext, tag (spec 4.1).

use super::{EncryptionVersion, Envelope, OpenError};
use crate::{Key, MAX_LABEL};

const BLOCK: usize = 16;
const TAG: usize = 16;

/// What is authenticated beside the message: a head of up to five bytes, then the label.
pub(crate) struct Aad {
    bytes: [u8; Self::STREAM_HEAD + MAX_LABEL],
    length: usize,
}

impl Aad {
    /// The type and the length before an encrypted stream message.
    const STREAM_HEAD: usize = 5;

    /// For a packet `head` is empty; for a stream it is what stands before the payload.
    pub(crate) fn new(head: &[u8], label: &[u8]) -> Self {
        let mut bytes = [0; Self::STREAM_HEAD + MAX_LABEL];
        for (place, byte) in bytes.iter_mut().zip(head.iter().chain(label)) {
            *place = *byte;
        }
        Self { bytes, length: head.len() + label.len() }
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }
}

impl EncryptionVersion {
    const fn byte(self) -> u8 {
        match self {
            Self::V0 => 0,
            Self::V1 => 1,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::V0),
            1 => Some(Self::V1),
            _ => None,
        }
    }

    /// How many bytes a message of that length gets as padding.
    const fn padding(self, length: usize) -> usize {
        match self {
            Self::V0 => BLOCK - length % BLOCK,
            Self::V1 => 0,
        }
    }

    /// The length of the payload for a message of that length.
    pub(super) const fn payload_length(self, length: usize) -> usize {
        1 + 12 + length + self.padding(length) + TAG
    }
}

/// Appends a payload: the message is what `write` appends.
pub(super) fn encrypt(
    version: EncryptionVersion,
    key: &Key,
    aad: &Aad,
    nonce: &[u8; 12],
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>),
) {
    out.push(version.byte());
    out.extend_from_slice(nonce);
    let start = out.len();
    write(out);
    let padding = version.padding(out.len() - start);
    out.resize(out.len() + padding, u8::try_from(padding).expect("at most one block"));
    let message = out.get_mut(start..).unwrap_or_default();
    let tag = key.seal(nonce, aad.as_slice(), message);
    out.extend_from_slice(&tag);
}

impl Envelope {
    /// Replaces `out` by the message of a payload; tries every key.
    pub(crate) fn decrypt(
        &self,
        payload: &[u8],
        aad: &Aad,
        out: &mut Vec<u8>,
    ) -> Result<(), OpenError> {
        let (&version, rest) = payload.split_first().ok_or(OpenError::Empty)?;
        let version = EncryptionVersion::from_byte(version).ok_or(OpenError::VersionUnsupported)?;
        if payload.len() < version.overhead() {
            return Err(OpenError::TooShort);
        }
        let (nonce, rest) = rest.split_first_chunk().ok_or(OpenError::TooShort)?;
        let (ciphertext, tag) = rest.split_last_chunk().ok_or(OpenError::TooShort)?;
        let fits = self.keyring.iter().any(|key| {
            out.clear();
            out.extend_from_slice(ciphertext);
            key.open(nonce, aad.as_slice(), out, tag)
        });
        match (fits, version) {
            (false, _) => Err(OpenError::Decrypt),
            (true, EncryptionVersion::V0) => strip_padding(out),
            (true, EncryptionVersion::V1) => Ok(()),
        }
    }
}

/// Removes the padding of version 0. Go trusts it; a wrong one crashed other implementations.
fn strip_padding(message: &mut Vec<u8>) -> Result<(), OpenError> {
    let &count = message.last().ok_or(OpenError::Padding)?;
    let length = message.len().checked_sub(count.into()).ok_or(OpenError::Padding)?;
    let padding = message.get(length..).unwrap_or_default();
    let whole = message.len().is_multiple_of(BLOCK) && (1..=BLOCK).contains(&padding.len());
    if !whole || padding.iter().any(|byte| *byte != count) {
        return Err(OpenError::Padding);
    }
    message.truncate(length);
    Ok(())
}
