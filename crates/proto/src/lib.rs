//! The membership state machine: SWIM with Lifeguard, gossip and push/pull, without I/O.
//!
//! A [`Node`] is a function of its [`Config`], its [`Local`] member, a seed and its inputs. It reads
//! no clock and no entropy, opens no socket, and calls nobody back; what it wants done comes out as
//! data. Whoever drives it keeps one rule: after every [`Node::handle`], drain
//! [`Node::poll_output`] until it gives `None`, then sleep until [`Node::poll_timeout`] or the next
//! input.
//!
//! Keys, labels and checksums are not its business: packets and stream messages go in and come out as
//! plaintext bodies of [`mingle_wire`].

mod awareness;
mod broadcasts;
mod checkpoint;
mod config;
mod counters;
mod credit;
mod explain;
mod formulas;
mod io;
mod journal;
mod law;
mod member;
mod members;
mod node;
mod probe;
mod rng;
mod rtt;
mod seeds;
mod suspicion;
#[cfg(test)]
mod test_util;
mod time;
mod timers;
mod tombstones;
mod versions;

pub use checkpoint::CheckpointError;
pub use config::{
    Accusations, Addresses, Agreement, Beliefs, Buddies, Cidr, CidrError, Config, ConfigError,
    Confirmations, Goodbyes, Gossip, Hearsay, Joins, Lateness, Local, Nacks, Names, Reconnects,
    Refutations, Rules, Timeouts, Tombstones, Verdicts, check_name,
};
pub use counters::{Counter, Counters};
pub use io::{
    Answer, Cause, Change, Command, Content, Done, Event, Evidence, ExchangeEnd, ExchangeId, Input,
    LinkKind, MAX_ACK_PAYLOAD, MAX_STREAM_PAYLOAD, Missing, Output, ProbeReport, Recipient,
    RequestError, RequestId, Room, SendFailure, Sought, StreamPing, Via,
};
pub use journal::{
    Advance, Begin, End, Ending, Journal, Origin, RecordingError, Replay, Segment, Step,
};
pub use member::{Member, Profile};
pub use node::Node;
pub use seeds::SeedKind;
pub use time::Instant;
pub use timers::Activity;
