use std::fmt;

use crate::Node;

/// What a checkpoint begins with: a mark, and the version of its encoding.
const MAGIC: [u8; 4] = *b"mgl\x04";

impl Node {
    /// The whole machine as bytes: [`Node::restore`] goes on exactly where this stands.
    ///
    /// # Panics
    ///
    /// When outputs wait to be polled: drain them first.
    #[must_use]
    pub fn checkpoint(&self) -> Vec<u8> {
        assert!(!self.has_outputs(), "drain the outputs before taking a checkpoint");
        let mut bytes = MAGIC.to_vec();
        let state = postcard::to_stdvec(self).expect("every field of a node can be encoded");
        bytes.extend_from_slice(&digest(&state).to_be_bytes());
        bytes.extend_from_slice(&state);
        bytes
    }

    /// The machine that [`Node::checkpoint`] wrote down.
    ///
    /// # Errors
    ///
    /// When the bytes are from another version, or not whole.
    pub fn restore(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let (magic, rest) = bytes.split_first_chunk::<4>().ok_or(CheckpointError::Damaged)?;
        if magic[..3] != MAGIC[..3] {
            return Err(CheckpointError::Foreign);
        }
        if *magic != MAGIC {
            return Err(CheckpointError::Version { found: magic[3], known: MAGIC[3] });
        }
        let (expected, state) = rest.split_first_chunk().ok_or(CheckpointError::Damaged)?;
        if digest(state) != u64::from_be_bytes(*expected) {
            return Err(CheckpointError::Damaged);
        }
        postcard::from_bytes(state).map_err(|_| CheckpointError::Damaged)
    }
}

/// Why bytes are no checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It is something else.
    #[error("this is no checkpoint")]
    Foreign,
    /// Another version wrote it.
    #[error("the checkpoint has version {found}; this program reads version {known}")]
    Version {
        /// What it says.
        found: u8,
        /// What is understood.
        known: u8,
    },
    /// It was cut or changed.
    #[error("the checkpoint is cut or damaged")]
    Damaged,
}

/// FNV-1a: against accidents, not against people.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    let mut digest = Digest::default();
    digest.add(bytes);
    digest.value()
}

/// FNV-1a in parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    }

    pub(crate) const fn value(self) -> u64 {
        self.0
    }
}

impl fmt::Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.add(text.as_bytes());
        Ok(())
    }
}
