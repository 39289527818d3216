//! Today's dialect: memberlist's spelling of bodies (spec sections 2.5 to 2.7, 5.3 to 5.5, 13.3).
//!
//! A body is one message, or a compound of messages; a stream message is one message with all that
//! belongs to it. Nothing outside this module knows how a claim is spelled.

mod compound;
mod decode;
mod encode;
mod error;
mod note;
mod push_pull;
mod scan;
pub mod tags;

pub use compound::{
    COMPOUND_OVERHEAD, MAX_PART, MAX_PARTS, Messages, PART_OVERHEAD, append_part, messages,
    part_count, write_packet,
};
pub(crate) use compound::{Part, parts};
pub(crate) use decode::{Compressed, compressed};
pub use decode::{decode_message, decode_stream};
pub(crate) use encode::write_compressed_head;
pub use error::DecodeError;
pub use note::ViewNote;
pub(crate) use push_pull::records;
pub use push_pull::{PushPullWriter, append_user_state};
pub(crate) use scan::{Progress, Scan};

/// Most records in a push/pull (spec 2.8).
pub const MAX_NODES: u32 = 1_048_576;
/// Longest state of the application in a push/pull (spec 2.8).
pub const MAX_USER_STATE: usize = 20 * 1024 * 1024;
/// Longest message of the application on a stream (spec 2.8).
pub const MAX_USER_MESSAGE: usize = 20 * 1024 * 1024;

/// The first byte of a message (spec 2.6).
pub(crate) mod kind {
    pub(crate) const PING: u8 = 0;
    pub(crate) const INDIRECT_PING: u8 = 1;
    pub(crate) const ACK: u8 = 2;
    pub(crate) const SUSPECT: u8 = 3;
    pub(crate) const ALIVE: u8 = 4;
    pub(crate) const DEAD: u8 = 5;
    pub(crate) const PUSH_PULL: u8 = 6;
    pub(crate) const COMPOUND: u8 = 7;
    pub(crate) const USER: u8 = 8;
    pub(crate) const COMPRESS: u8 = 9;
    pub(crate) const ENCRYPT: u8 = 10;
    pub(crate) const NACK: u8 = 11;
    pub(crate) const CHECKSUM: u8 = 12;
    pub(crate) const ERROR: u8 = 13;
    pub(crate) const LABEL: u8 = 244;
}
