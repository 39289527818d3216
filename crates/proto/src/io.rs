//! What goes into a node and what comes out of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mingle_wire::{Address, Checksum, Incarnation, State};
use serde::{Deserialize, Serialize};

use crate::{Instant, Member, SeedKind};

/// Ties what a command brought about to the command. Chosen by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId(pub u64);

/// One exchange of whole messages on one stream.
///
/// Those that we dial are numbered by the node, those that peers dial by the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ExchangeId {
    /// We dialled; the number comes from the node.
    Ours(u64),
    /// They dialled; the number comes from the driver and is never used twice.
    Theirs(u64),
}

/// One thing that happened to a node.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Input<'a> {
    /// A datagram came, and its envelope opened.
    Packet {
        /// The datagram's source.
        from: SocketAddr,
        /// When the driver took it from the socket; not later than `now`.
        received: Instant,
        /// One plaintext body.
        body: &'a [u8],
    },
    /// A peer dialled us, and its first message is complete.
    Exchange {
        /// A new number.
        exchange: ExchangeId,
        /// The stream's other end.
        from: SocketAddr,
        /// The message in plaintext.
        body: &'a [u8],
    },
    /// A further message came on an exchange that is open.
    ExchangeMessage {
        /// Which one.
        exchange: ExchangeId,
        /// The message in plaintext.
        body: &'a [u8],
    },
    /// An exchange is over, by whoever's doing. Not given for one that the node has closed.
    ExchangeEnded {
        /// Which one.
        exchange: ExchangeId,
        /// How it ended.
        end: ExchangeEnd,
    },
    /// A packet could not be sent, or an ICMP error came back: a hint, never a verdict.
    SendFailed {
        /// Its destination.
        to: SocketAddr,
        /// What the system said.
        kind: SendFailure,
    },
    /// The instant of [`crate::Node::poll_timeout`] has come. Deadlines fire on nothing else.
    Timeout,
    /// Somebody on our side wants something.
    Command(#[serde(borrow)] Command<'a>),
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExchangeEnd {
    /// Everything was written, and the stream was closed in order.
    Closed,
    /// The peer could not be reached.
    Unreachable,
    /// The deadline passed.
    TimedOut,
    /// The stream broke, or what came on it was refused.
    Broken,
    /// We had too many exchanges open and did not start it.
    NoRoom,
}

/// Why a packet was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SendFailure {
    /// The socket's buffer was full; the packet is lost.
    NoRoom,
    /// The destination refuses or cannot be reached.
    Unreachable,
    /// Anything else.
    Other,
}

/// The longest payload of an ack, in bytes.
pub const MAX_ACK_PAYLOAD: usize = 512;
/// The longest user message or application state on a stream, in bytes. Encrypted frames end at
/// 20 MiB (spec 2.8), and compression can make one and a half times as much of what it can't shrink.
pub const MAX_STREAM_PAYLOAD: usize = 13 << 20;

/// Something that our own side wants. Its end is told in [`Event::Completed`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Command<'a> {
    /// Exchange views with whoever is at `to`, as a join.
    Join {
        /// Names the result.
        request: RequestId,
        /// Where to dial.
        to: SocketAddr,
    },
    /// Say goodbye. The node goes on answering, and takes no news of itself any more.
    Leave {
        /// Names the result, which comes when members have confirmed it, or after `leave_timeout`.
        request: RequestId,
    },
    /// State these meta bytes. Those that are stated already are no news: nothing is sent.
    SetMeta {
        /// Names the result.
        request: RequestId,
        /// At most [`mingle_wire::MAX_META`] bytes.
        meta: &'a [u8],
    },
    /// Carry these bytes in every ack to a packet ping from now on: at most [`MAX_ACK_PAYLOAD`], since
    /// acks share their packet with claims, and a node whose acks do not fit seems dead. Longer ones
    /// are not taken over; check before.
    SetAckPayload(&'a [u8]),
    /// Look for members at this address whenever nobody is there.
    AddSeed {
        /// Where members should be.
        address: SocketAddr,
        /// Who says so.
        kind: SeedKind,
    },
    /// Do not look for members at this address any more.
    RemoveSeed {
        /// The address.
        address: SocketAddr,
    },
    /// Send a user message, best effort, in one packet.
    Send {
        /// Names the result.
        request: RequestId,
        /// To whom.
        #[serde(borrow)]
        to: Recipient<'a>,
        /// Opaque bytes.
        payload: &'a [u8],
    },
    /// Send a user message on a stream of its own.
    SendStream {
        /// Names the result.
        request: RequestId,
        /// To whom.
        #[serde(borrow)]
        to: Recipient<'a>,
        /// Opaque bytes.
        payload: &'a [u8],
    },
    /// Say of a dead member that it has left: nobody looks for it any more. It may come back.
    ForceLeave {
        /// Names the result.
        request: RequestId,
        /// Its name.
        name: &'a str,
    },
}

/// To whom a user message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recipient<'a> {
    /// A member by name, wherever it is.
    Member(&'a str),
    /// An address, whoever is there.
    Address(SocketAddr),
}

/// Bytes that fit around what the node writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    packet: u32,
}

impl Room {
    /// The least that a node can work with: its longest claim has a name of 255 bytes and a meta of
    /// 512.
    pub const LEAST: usize = 1024;

    /// A body may have this many bytes, whatever its destination: the packet budget less label and
    /// encryption.
    ///
    /// # Panics
    ///
    /// With fewer than [`Room::LEAST`] bytes, in which the longest claim would not fit.
    #[must_use]
    pub fn of_packet(bytes: usize) -> Self {
        assert!(bytes >= Self::LEAST, "a packet body needs at least {} bytes", Self::LEAST);
        Self { packet: u32::try_from(bytes).unwrap_or(u32::MAX) }
    }

    /// Itself, unless it was read from somewhere and is less than there can be.
    pub(crate) fn checked(self) -> Option<Self> {
        (self.packet as usize >= Self::LEAST).then_some(self)
    }

    /// Room for a body to this destination.
    pub(crate) fn to(self, _destination: SocketAddr) -> usize {
        self.packet as usize
    }
}

/// The next thing for the driver to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send the buffer as one packet.
    Packet {
        /// Where to.
        to: SocketAddr,
        /// Whether the destination is known to understand the checksum header.
        checksum: Checksum,
        /// What the layer above may still add with [`mingle_wire::memberlist::append_part`]; 0 for
        /// packets that carry nothing else.
        left: usize,
    },
    /// Dial, and write the buffer as the first message.
    Dial {
        /// The number of the exchange from now on.
        exchange: ExchangeId,
        /// Where to.
        to: SocketAddr,
        /// When to give up.
        deadline: Instant,
        /// Whether a message will come back.
        answer: Answer,
        /// What the buffer holds.
        content: Content,
    },
    /// Write the buffer as the next message of an exchange.
    Reply {
        /// Which one.
        exchange: ExchangeId,
        /// What the buffer holds.
        content: Content,
    },
    /// Close an exchange; nothing more is said on it.
    Close {
        /// Which one.
        exchange: ExchangeId,
    },
    /// Tell whoever listens. The buffer is not used.
    Event(Event),
}

/// Whether a dialled exchange waits for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Read one message, and give it as [`Input::ExchangeMessage`].
    Expected,
    /// Close once the message is written.
    None,
}

/// What kind of stream message the buffer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A push/pull: the layer above adds its state with
    /// [`mingle_wire::memberlist::append_user_state`].
    PushPull {
        /// Whether it belongs to a join.
        join: bool,
    },
    /// Anything else; written as it is.
    Whole,
}

/// Something that somebody may want to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A belief about a member changed.
    Member {
        /// How.
        change: Change,
        /// The member after the change.
        member: Member,
        /// Why.
        evidence: Evidence,
    },
    /// Another node claims the name of a member that is not known to be gone.
    Conflict {
        /// The member as it is believed.
        member: Member,
        /// Where the other one says it is.
        other: Address,
    },
    /// Somebody said something about us that is not so, and we answered with a higher incarnation.
    Refuted {
        /// Our incarnation from now on.
        incarnation: Incarnation,
        /// What was refuted.
        evidence: Evidence,
    },
    /// Our health score changed.
    Health {
        /// 0 is healthy.
        score: u32,
    },
    /// A user message came.
    UserMessage {
        /// The other end. A packet's source can be forged by whoever holds the key.
        from: SocketAddr,
        /// How it came.
        via: Via,
        /// Opaque bytes.
        payload: Vec<u8>,
    },
    /// A peer's application state came with a push/pull.
    UserState {
        /// The other end.
        from: SocketAddr,
        /// Whether it belongs to a join.
        join: bool,
        /// Opaque bytes.
        state: Vec<u8>,
    },
    /// A direct ping was answered before its probe was over.
    Pong {
        /// By whom.
        member: Member,
        /// From sending the ping to taking the ack from the socket.
        rtt: Duration,
        /// What its application put into the ack.
        payload: Vec<u8>,
    },
    /// A member answers, but for a while not to direct packets. That ends with
    /// [`Event::LinkRestored`], or when the member goes.
    LinkDegraded {
        /// Which.
        member: Member,
        /// How it is heard.
        kind: LinkKind,
        /// Since when.
        since: Instant,
    },
    /// It answers to direct packets again.
    LinkRestored {
        /// Which.
        member: Member,
        /// How it was heard meanwhile.
        kind: LinkKind,
        /// Since when that had been so.
        since: Instant,
    },
    /// An attempt to reach somebody who is missing came to its end.
    Reconnect {
        /// Where.
        to: SocketAddr,
        /// Who is missing there.
        sought: Sought,
        /// How it went.
        result: Result<Done, RequestError>,
    },
    /// What a command wanted has come about, or not.
    Completed {
        /// The command's number.
        request: RequestId,
        /// How it went.
        result: Result<Done, RequestError>,
    },
}

/// How a member is heard that does not answer to direct packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkKind {
    /// On streams alone: packets get lost between us and it, and between it and helpers.
    StreamsOnly,
    /// By helpers alone: packets get lost between us and it.
    HelpersOnly,
}

impl LinkKind {
    /// A word for it, in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StreamsOnly => "streams_only",
            Self::HelpersOnly => "helpers_only",
        }
    }
}

/// Who is looked for at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sought {
    /// Whoever is there: it is configured.
    Seed,
    /// A member that was there before a restart.
    Remembered,
    /// A member that failed.
    Failed,
}

impl Sought {
    /// The word for it, in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seed => "seed",
            Self::Remembered => "remembered",
            Self::Failed => "failed",
        }
    }
}

/// How many are missing from the cluster, as far as a node knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Members that failed and did not leave.
    pub failed: usize,
    /// Configured seeds at whose address no live member is.
    pub seeds: usize,
    /// Addresses of members of before a restart at which nobody has answered yet.
    pub remembered: usize,
}

/// How a belief about a member changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Change {
    /// It is new, or it is back from dead or left.
    Joined,
    /// It is accused.
    Suspected,
    /// It refuted an accusation.
    Recovered,
    /// What it says of itself changed: meta, address or versions.
    Updated,
    /// It is known at a later incarnation; nothing else changed.
    Renewed,
    /// It was declared dead.
    Failed,
    /// It said goodbye.
    Left,
    /// It was forgotten after having been dead or left for long.
    Reaped,
}

impl Change {
    /// The word for it, in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::Suspected => "suspected",
            Self::Recovered => "recovered",
            Self::Updated => "updated",
            Self::Renewed => "renewed",
            Self::Failed => "failed",
            Self::Left => "left",
            Self::Reaped => "reaped",
        }
    }
}

/// Why a belief changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The incarnation that the claim was about.
    pub incarnation: Incarnation,
    /// What was believed before; `None` for a member that was unknown.
    pub before: Option<State>,
    /// What happened.
    pub cause: Cause,
    /// How we learned of it.
    pub via: Via,
    /// How long ago the member last answered a ping of ours; `None` if it never did.
    pub last_ack: Option<Duration>,
    /// How late our own timers ran at the worst since the probe or suspicion in question began:
    /// large values say that we, not the member, were slow.
    pub lag: Duration,
}

/// What made a belief change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// The member said so itself, perhaps through others.
    Announced,
    /// We pinged it, asked helpers to ping it, and nothing came back.
    ProbeFailed(ProbeReport),
    /// Somebody else accused it.
    Accused {
        /// The accuser's name.
        by: Arc<str>,
    },
    /// A peer's view had it as suspect or dead.
    HeardDown {
        /// What the peer believed.
        state: State,
    },
    /// Its suspicion ran out here.
    SuspicionExpired {
        /// Everybody who accused it and counted, the first one first.
        accusers: Vec<Arc<str>>,
        /// How long the suspicion ran.
        ran: Duration,
    },
    /// Somebody else's suspicion of it ran out.
    Declared {
        /// That node's name.
        by: Arc<str>,
    },
    /// It is not where it was, and claims to be elsewhere.
    Superseded {
        /// Where it is now.
        at: SocketAddr,
    },
    /// It said goodbye.
    Goodbye,
    /// It was dead or left for long enough to be forgotten.
    Expired,
    /// Our side has said so for it, since it is dead and does not come back.
    Forced,
}

/// What a failed probe tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeReport {
    /// How long we waited in all.
    pub waited: Duration,
    /// How many helpers were asked to ping it.
    pub helpers: u32,
    /// How many of them could have sent a nack.
    pub nacks_expected: u32,
    /// How many said that it did not answer them either.
    pub nacks: u32,
    /// What became of the ping on a stream.
    pub stream: StreamPing,
    /// Our health score when the probe began.
    pub health: u32,
}

/// What became of a ping on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StreamPing {
    /// Not tried: switched off, or the member does not understand it.
    NotTried,
    /// No answer by the deadline.
    Silent,
    /// The stream could not be opened, or broke.
    Failed,
    /// It was answered.
    Answered,
}

/// How something reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Via {
    /// It is our own doing.
    Own,
    /// In a packet from this address.
    Packet(SocketAddr),
    /// On a stream with this address.
    Stream(SocketAddr),
}

/// What a command brought about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Done {
    /// Views were exchanged.
    Joined {
        /// How many live members the peer's view had.
        members: u32,
    },
    /// The goodbye is said.
    Left {
        /// Who has acknowledged it. Nobody, where nobody else was there, and where the rules do not
        /// ask for it.
        confirmed: Vec<Arc<str>>,
    },
    /// The meta is ours now, and on its way to the others.
    MetaSet,
    /// The message is with the transport; on a stream, it was written whole.
    Sent,
    /// The dead member counts as left here, and the others are being told.
    ForcedOut,
}

/// Why a command did not bring about what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The exchange did not come to its end.
    #[error("the exchange with {to} failed: {}", describe(*.end))]
    Exchange {
        /// The peer.
        to: SocketAddr,
        /// How it ended.
        end: ExchangeEnd,
    },
    /// The peer answered with an error.
    #[error("{to} refused: {text:?}")]
    Remote {
        /// The peer.
        to: SocketAddr,
        /// Its words.
        text: String,
    },
    /// Some node's protocol versions do not fit the others'.
    #[error("{node} speaks a protocol version that others in this cluster do not understand")]
    Versions {
        /// The first node found.
        node: Arc<str>,
    },
    /// Whoever answered is this node itself.
    #[error("{to} is this node itself; give the address of another one")]
    Ourselves {
        /// The address.
        to: SocketAddr,
    },
    /// Whoever answered has our name.
    #[error("the node at {to} is named {name:?} too; give one of the two another name")]
    Namesake {
        /// The address.
        to: SocketAddr,
        /// The name.
        name: Arc<str>,
    },
    /// A goodbye would be taken for that of another node, which others hold under our name.
    #[error(
        "others hold the node at {at} under this node's name: for its sake no goodbye was said"
    )]
    NameHeld {
        /// Its address.
        at: SocketAddr,
    },
    /// The message that came back was not a push/pull, or not a decodable one.
    #[error("{to} answered with something that is no view")]
    Malformed {
        /// The peer.
        to: SocketAddr,
    },
    /// Nobody of this name is a live member.
    #[error("no live member is named {name:?}")]
    NoSuchMember {
        /// The name.
        name: Arc<str>,
    },
    /// The payload does not fit.
    #[error("{length} bytes are too many: at most {limit} fit; {remedy}")]
    TooLong {
        /// Bytes given.
        length: usize,
        /// Bytes possible.
        limit: usize,
        /// What to do instead.
        remedy: &'static str,
    },
    /// Nobody has acknowledged the goodbye; who has heard it all the same passes it on.
    #[error("nobody confirmed the goodbye within {waited:?}, of {asked} members that were asked")]
    LeaveUnconfirmed {
        /// How long we waited.
        waited: Duration,
        /// How many members were asked.
        asked: usize,
    },
    /// Only of the dead it can be said that they have left.
    #[error("{name:?} is {}, and only the dead can be said to have left", state.map_or("unknown", State::as_str))]
    NotDead {
        /// The member.
        name: Arc<str>,
        /// What it is instead; `None` where nothing is known of it.
        state: Option<State>,
    },
    /// The node has left or is leaving.
    #[error("this node has left the cluster")]
    Leaving,
    /// Too many requests of this kind are under way.
    #[error("too many requests are under way: at most {limit}")]
    TooMany {
        /// The bound.
        limit: usize,
    },
}

const fn describe(end: ExchangeEnd) -> &'static str {
    match end {
        ExchangeEnd::Closed => "it closed the stream without an answer",
        ExchangeEnd::Unreachable => "it can't be reached",
        ExchangeEnd::TimedOut => "no answer in time",
        ExchangeEnd::Broken => "the stream broke, or its bytes were refused",
        ExchangeEnd::NoRoom => "too many exchanges are open here",
    }
}
