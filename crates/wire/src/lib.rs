//! The memberlist wire protocol as values.
//!
//! This crate turns bytes into messages and messages into bytes, and knows nothing of membership,
//! time, entropy or sockets. Three layers, outermost first:
//!
//! 1. [`Envelope`]: label, encryption, checksum and compression around a packet or a stream message.
//!    What comes out is a *body*: one plaintext message, or a compound of them.
//! 2. [`memberlist`]: the spelling of bodies in today's dialect.
//! 3. [`Message`] and [`StreamMessage`]: the values, borrowed from the body they were read from.
//!
//! Decoders never panic, never allocate by a length that a peer claims, and refuse what no honest
//! node sends; every refusal is a [`DecodeError`] or an [`OpenError`] whose variants name a counter.
//!
//! ```
//! use mingle_wire::memberlist::messages;
//! use mingle_wire::{Checksum, Envelope, Message, Nack, Scratch, SeqNo};
//!
//! let (envelope, mut scratch) = (Envelope::default(), Scratch::default());
//! let sent = Message::Nack(Nack { seq: SeqNo(7) });
//! let (mut body, mut datagram) = (Vec::new(), Vec::new());
//! sent.encode(&mut body);
//! envelope.seal_packet(&body, Checksum::Add, [0; 12], &mut scratch, &mut datagram);
//!
//! let opened = envelope.open_packet(&datagram, &mut scratch, |body| {
//!     assert_eq!(messages(body).next(), Some(Ok(sent)));
//! });
//! assert_eq!(opened.map(|opened| opened.refused), Ok(0));
//! ```

mod address;
mod envelope;
mod keyring;
pub mod lzw;
pub mod memberlist;
mod message;
pub mod msgpack;
mod stream;
mod versions;

pub use address::{Address, Ip};
pub use envelope::{
    Checksum, EncryptionVersion, Envelope, EnvelopeError, Label, MAX_DEPTH,
    MAX_PACKET_DECOMPRESSED, OpenError, Opened, Scratch, Side,
};
pub use keyring::{Key, KeyError, Keyring};
pub use memberlist::DecodeError;
pub use memberlist::tags::TagsError;
pub use message::{
    Ack, Alive, Dead, Incarnation, IndirectPing, Message, Nack, NodeState, Ping, PushPull, SeqNo,
    Source, State, StreamMessage, Suspect,
};
pub use stream::{MAX_DECOMPRESSED, MAX_FRAME, StreamDecoder, StreamError};
pub use versions::{Capabilities, Delegate, Mark, Versions};

/// Longest node name that is accepted, in bytes. Go has no bound; no honest name comes near it.
pub const MAX_NAME: usize = 255;
/// Longest node meta, in bytes (spec 2.8).
pub const MAX_META: usize = 512;
/// Longest label, in bytes (spec 2.2).
pub const MAX_LABEL: usize = 255;
/// First byte of a plaintext packet that is kept free for the second dialect between mingle nodes.
/// Go nodes log it as an unknown message type; it is refused and counted until that dialect exists.
pub const SECOND_DIALECT: u8 = 0xd2;
/// Envelope (encryption) versions from here on are kept free for the second dialect.
pub const SECOND_DIALECT_ENVELOPE: u8 = 2;
