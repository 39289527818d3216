use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Address, DecodeError, Versions, memberlist};

/// A number that only its owner raises, to refute what is said of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Incarnation(u32);

impl Incarnation {
    /// The lowest that a node may use (spec section 7).
    pub const FIRST: Self = Self(1);
    /// The highest that is accepted. Go wraps to 0 after 2^32 - 1 and is dead for good; whoever
    /// claims more than this is not honest.
    pub const LAST: Self = Self(u32::MAX - 0xffff);

    /// Takes a number from [`Incarnation::FIRST`] to [`Incarnation::LAST`].
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        if number >= Self::FIRST.0 && number <= Self::LAST.0 { Some(Self(number)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The next higher one; stays at [`Incarnation::LAST`].
    #[must_use]
    pub const fn next(self) -> Self {
        if self.0 < Self::LAST.0 { Self(self.0 + 1) } else { self }
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Ties an ack or a nack to its ping; wraps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeqNo(pub u32);

impl fmt::Debug for SeqNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a node believes of another. The order is the rank of the law of beliefs: at the same
/// incarnation the higher one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum State {
    /// Answers, as far as anybody knows.
    Alive,
    /// Accused; dead when its suspicion runs out.
    Suspect,
    /// Declared dead by another node.
    Dead,
    /// Said goodbye.
    Left,
}

impl State {
    /// The word for it, in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Suspect => "suspect",
            Self::Dead => "dead",
            Self::Left => "left",
        }
    }

    /// Whether it counts as part of the cluster: alive or suspect.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Alive | Self::Suspect)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who sends a ping, and where its answer goes. Each part may be missing (spec 2.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Source<'a> {
    /// Where to answer; without it, to where the datagram came from. Present only when the wire
    /// had both an IP and a port above 0.
    pub address: Option<Address>,
    /// The sender's name, or empty.
    pub node: &'a str,
}

/// "Are you there, `node`?" (spec 2.7, type 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping<'a> {
    /// Comes back in the ack.
    pub seq: SeqNo,
    /// The name of the intended target, or empty.
    pub node: &'a str,
    /// Who asks.
    pub source: Source<'a>,
}

/// "Ping `node` for me" (type 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndirectPing<'a> {
    /// The asker's number; comes back in the ack or nack.
    pub seq: SeqNo,
    /// Where the target is. Port 0 means the helper's own port.
    pub target: Address,
    /// The name of the target, or empty.
    pub node: &'a str,
    /// Whether the asker wants a nack when the target does not answer.
    pub nack: bool,
    /// Who asks.
    pub source: Source<'a>,
}

/// "I am here" (type 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack<'a> {
    /// The number of the ping.
    pub seq: SeqNo,
    /// What the application put in; empty when the wire had nil.
    pub payload: &'a [u8],
}

/// "I asked, and it did not answer me" (type 11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nack {
    /// The asker's number.
    pub seq: SeqNo,
}

/// An accusation (type 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspect<'a> {
    /// The incarnation that is accused.
    pub incarnation: Incarnation,
    /// Who is accused.
    pub node: &'a str,
    /// Who accuses.
    pub from: &'a str,
}

/// What a node says of itself (type 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alive<'a> {
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// Its name.
    pub node: &'a str,
    /// Where it is reached. Port 0 means the receiver's own port.
    pub address: Address,
    /// Opaque bytes of its application, at most [`crate::MAX_META`].
    pub meta: &'a [u8],
    /// Its version bytes.
    pub versions: Versions,
}

/// A verdict of dead, or a goodbye when `from` is `node` (type 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dead<'a> {
    /// The incarnation that is dead.
    pub incarnation: Incarnation,
    /// Who is dead.
    pub node: &'a str,
    /// Who says so.
    pub from: &'a str,
}

/// A message that travels in packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Type 0.
    Ping(Ping<'a>),
    /// Type 1.
    IndirectPing(IndirectPing<'a>),
    /// Type 2.
    Ack(Ack<'a>),
    /// Type 3.
    Suspect(Suspect<'a>),
    /// Type 4.
    Alive(Alive<'a>),
    /// Type 5.
    Dead(Dead<'a>),
    /// Type 8: opaque bytes of the application.
    User(&'a [u8]),
    /// Type 11.
    Nack(Nack),
}

/// One record of a push/pull (spec 2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeState<'a> {
    /// What the sender believes.
    pub state: State,
    /// Whom it is about, as the node itself said it.
    pub alive: Alive<'a>,
}

/// A whole view with the application's state (type 6, spec 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushPull<'a> {
    /// Whether this belongs to a join.
    pub join: bool,
    /// How many records follow.
    pub nodes: u32,
    /// The records, one after another; their structure has been checked.
    pub(crate) records: &'a [u8],
    /// The application's state.
    pub user_state: &'a [u8],
}

impl<'a> PushPull<'a> {
    /// The records in turn. One that no honest node sends is an error in its place; the others
    /// stand.
    pub fn records(&self) -> impl Iterator<Item = Result<NodeState<'a>, DecodeError>> + 'a {
        memberlist::records(self.records, self.nodes)
    }
}

/// A message that travels on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamMessage<'a> {
    /// Type 0.
    Ping(Ping<'a>),
    /// Type 2.
    Ack(Ack<'a>),
    /// Type 6.
    PushPull(PushPull<'a>),
    /// Type 8: opaque bytes of the application.
    User(&'a [u8]),
    /// Type 8 with a number in its head: between mingle nodes, one of many on a stream that is kept. The listener
    /// acknowledges numbers.
    Numbered {
        /// Its place on the stream, from 1 on; wraps.
        number: SeqNo,
        /// Opaque bytes of the application.
        payload: &'a [u8],
    },
    /// Type 13: why the peer refused.
    Error(&'a str),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incarnations_start_at_one_and_end_before_go_would_wrap() {
        assert_eq!(Incarnation::new(0), None);
        assert_eq!(Incarnation::new(1), Some(Incarnation::FIRST));
        assert_eq!(Incarnation::new(u32::MAX - 65535), Some(Incarnation::LAST));
        assert_eq!(Incarnation::new(u32::MAX - 65534), None);
        assert_eq!(Incarnation::LAST.next(), Incarnation::LAST);
    }

    #[test]
    fn rank_orders_states() {
        assert!(State::Alive < State::Suspect);
        assert!(State::Suspect < State::Dead);
        assert!(State::Dead < State::Left);
    }
}
