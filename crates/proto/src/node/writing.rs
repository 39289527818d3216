//! What is to be sent, and how it is written when its turn comes.

use std::net::SocketAddr;

use mingle_wire::memberlist::{self, COMPOUND_OVERHEAD, PART_OVERHEAD};
use mingle_wire::{
    Ack, Checksum, Dead, Incarnation, IndirectPing, Message, Nack, Ping, SeqNo, Source, State,
    StreamMessage, Suspect,
};

use super::Node;
use super::commands::checksum_for;
use crate::members::MemberKey;
use crate::{
    Answer, Buddies, Content, Counter, Done, Event, ExchangeId, Instant, Output, Profile,
    RequestError, RequestId, Room,
};

/// Parts that a compound can count (spec 2.5).
const MOST_PARTS: usize = 255;

/// What every IPv4 path lets through in one piece: 576 bytes less the longest header and UDP's.
const SMALL_PACKET: usize = 508;

/// Something to be put out. Packets are written when they are polled, so that they take along what
/// is newest.
#[derive(Clone, Debug)]
pub(super) enum Intent {
    Ping {
        target: MemberKey,
        seq: SeqNo,
    },
    RelayPing {
        to: SocketAddr,
        seq: SeqNo,
        node: Box<str>,
    },
    IndirectPing {
        helper: MemberKey,
        target: MemberKey,
        seq: SeqNo,
        nack: bool,
    },
    Ack {
        to: SocketAddr,
        seq: SeqNo,
        /// Whether it says which view we have.
        noted: bool,
    },
    RelayAck {
        to: SocketAddr,
        seq: SeqNo,
    },
    Nack {
        to: SocketAddr,
        seq: SeqNo,
    },
    /// A ping that is not the probe's, and what it is accused of beside it.
    Inquiry {
        to: MemberKey,
        seq: SeqNo,
        beside: Option<Incarnation>,
    },
    /// A ping with our goodbye beside it.
    Goodbye {
        to: MemberKey,
        seq: SeqNo,
    },
    Gossip {
        to: MemberKey,
        /// Whether it keeps to what every path lets through.
        small: bool,
    },
    Tell {
        to: SocketAddr,
        claim: Vec<u8>,
    },
    User {
        request: RequestId,
        to: SocketAddr,
        checksum: Checksum,
        payload: Box<[u8]>,
    },
    PushPull {
        exchange: ExchangeId,
        to: SocketAddr,
        join: bool,
    },
    StreamPing {
        exchange: ExchangeId,
        to: SocketAddr,
        deadline: Instant,
        target: MemberKey,
        seq: SeqNo,
    },
    UserStream {
        exchange: ExchangeId,
        to: SocketAddr,
        message: Vec<u8>,
    },
    Reply {
        exchange: ExchangeId,
        message: Vec<u8>,
        content: Content,
    },
    Close {
        exchange: ExchangeId,
    },
    Event(Box<Event>),
}

impl Intent {
    /// The members that writing it needs.
    fn members(&self) -> [Option<MemberKey>; 2] {
        match *self {
            Self::Ping { target, .. } | Self::StreamPing { target, .. } => [Some(target), None],
            Self::IndirectPing { helper, target, .. } => [Some(helper), Some(target)],
            Self::Gossip { to, .. } | Self::Inquiry { to, .. } | Self::Goodbye { to, .. } => {
                [Some(to), None]
            }
            Self::RelayPing { .. }
            | Self::Ack { .. }
            | Self::RelayAck { .. }
            | Self::Nack { .. }
            | Self::Tell { .. }
            | Self::User { .. }
            | Self::PushPull { .. }
            | Self::UserStream { .. }
            | Self::Reply { .. }
            | Self::Close { .. }
            | Self::Event(_) => [None, None],
        }
    }
}

impl Node {
    /// Writes one intent into `buffer`; `None` when it turns out that there is nothing to send.
    pub(super) fn write(
        &mut self,
        intent: Intent,
        room: Room,
        buffer: &mut Vec<u8>,
    ) -> Option<Output> {
        if intent.members().into_iter().flatten().any(|key| !self.members.holds(key)) {
            self.drop_intent(&intent);
            return None;
        }
        match intent {
            Intent::Ping { target, seq } => Some(self.write_ping(target, seq, None, room, buffer)),
            Intent::RelayPing { to, seq, node } => {
                Some(self.write_with_claims(to, room, buffer, |local, out| {
                    let ping = Ping { seq, node: &node, source: local.source() };
                    Message::Ping(ping).encode(out);
                }))
            }
            Intent::IndirectPing { helper, target, seq, nack } => {
                Some(self.write_indirect_ping(helper, target, seq, nack, room, buffer))
            }
            Intent::Ack { to, seq, noted } => Some(self.write_ack(to, seq, noted, room, buffer)),
            Intent::RelayAck { to, seq } => {
                Some(self.write_with_claims(to, room, buffer, |_, out| {
                    Message::Ack(Ack { seq, payload: &[] }).encode(out);
                }))
            }
            Intent::Nack { to, seq } => Some(self.write_with_claims(to, room, buffer, |_, out| {
                Message::Nack(Nack { seq }).encode(out);
            })),
            Intent::Inquiry { to, seq, beside } => {
                Some(self.write_ping(to, seq, beside, room, buffer))
            }
            Intent::Goodbye { to, seq } => {
                Some(self.write_ping_beside(to, seq, room, buffer, |node, _, out| {
                    let (incarnation, name) =
                        (node.local_incarnation(), node.members.local().profile.name());
                    Message::Dead(Dead { incarnation, node: name, from: name }).encode(out);
                }))
            }
            Intent::Gossip { to, small } => self.write_gossip(to, small, room, buffer),
            Intent::Tell { to, claim } => {
                buffer.clear();
                buffer.extend_from_slice(&claim);
                Some(self.packet(to, Checksum::Omit, 0))
            }
            Intent::User { request, to, checksum, payload } => {
                self.write_user(request, (to, checksum), &payload, room, buffer)
            }
            Intent::Event(event) => Some(Output::Event(*event)),
            Intent::PushPull { .. }
            | Intent::StreamPing { .. }
            | Intent::UserStream { .. }
            | Intent::Reply { .. }
            | Intent::Close { .. } => Some(self.write_stream(intent, buffer)),
        }
    }

    /// A member was forgotten after something was to be sent to it or about it.
    fn drop_intent(&mut self, intent: &Intent) {
        if let Intent::StreamPing { exchange: ExchangeId::Ours(number), .. } = intent {
            self.exchanges.remove(number);
        }
    }

    fn write_stream(&mut self, intent: Intent, buffer: &mut Vec<u8>) -> Output {
        buffer.clear();
        match intent {
            Intent::PushPull { exchange, to, join } => {
                self.write_view(join, None, buffer);
                let deadline = self.now + self.config.tcp_timeout;
                let content = Content::PushPull { join };
                self.dial(exchange, to, deadline, Answer::Expected, content)
            }
            Intent::StreamPing { exchange, to, deadline, target, seq } => {
                let node = self.members.get(target).profile.name();
                let source = self.source();
                StreamMessage::Ping(Ping { seq, node, source }).encode(buffer);
                self.dial(exchange, to, deadline, Answer::Expected, Content::Whole)
            }
            Intent::UserStream { exchange, to, message } => {
                *buffer = message;
                let deadline = self.now + self.config.tcp_timeout;
                self.dial(exchange, to, deadline, Answer::None, Content::Whole)
            }
            Intent::Reply { exchange, message, content } => {
                *buffer = message;
                Output::Reply { exchange, content }
            }
            Intent::Close { exchange } => Output::Close { exchange },
            packet => unreachable!("{packet:?} is written as a packet"),
        }
    }

    fn dial(
        &mut self,
        exchange: ExchangeId,
        to: SocketAddr,
        deadline: Instant,
        answer: Answer,
        content: Content,
    ) -> Output {
        self.counters.count(Counter::ExchangesDialled);
        Output::Dial { exchange, to, deadline, answer, content }
    }

    fn source(&self) -> Source<'_> {
        let local = &self.members.local().profile;
        Source { address: Some(local.address()), node: local.name() }
    }

    /// A member that is suspected, here or as hearsay has it, hears of it in the same packet, and can
    /// refute at once (the buddy system, spec 8.2), where the rules say so.
    fn write_ping(
        &mut self,
        target: MemberKey,
        seq: SeqNo,
        hearsay: Option<Incarnation>,
        room: Room,
        buffer: &mut Vec<u8>,
    ) -> Output {
        let slot = self.members.get(target);
        let is_told = self.config.rules.buddies == Buddies::Told && slot.state == State::Suspect;
        let suspected = is_told.then_some(slot.incarnation).or(hearsay);
        self.write_ping_beside(target, seq, room, buffer, |node, profile, out| {
            let Some(incarnation) = suspected else { return };
            let from = node.members.local().profile.name();
            Message::Suspect(Suspect { incarnation, node: profile.name(), from }).encode(out);
        })
    }

    /// A ping with a claim for its target alone beside it; without one, or where both do not fit, with
    /// claims from the queue.
    fn write_ping_beside(
        &mut self,
        target: MemberKey,
        seq: SeqNo,
        room: Room,
        buffer: &mut Vec<u8>,
        claim: impl FnOnce(&Self, &Profile, &mut Vec<u8>),
    ) -> Output {
        let profile = self.members.get(target).profile.clone();
        let (to, checksum) = (profile.address().socket_addr(), checksum_for(profile.versions()));
        let mut message = std::mem::take(&mut self.scratch.message);
        message.clear();
        let (node, source) = (profile.name(), self.source());
        Message::Ping(Ping { seq, node, source }).encode(&mut message);
        let split = message.len();
        claim(self, &profile, &mut message);
        let (ping, claim) = message.split_at(split);
        let both = COMPOUND_OVERHEAD + 2 * PART_OVERHEAD + ping.len() + claim.len();
        let output = if !claim.is_empty() && both <= room.to(to) {
            buffer.clear();
            memberlist::write_packet([ping, claim].into_iter(), buffer);
            self.packet(to, checksum, 0)
        } else {
            self.write_piggybacked(to, ping, room, buffer)
        };
        self.scratch.message = message;
        output
    }

    fn write_ack(
        &mut self,
        to: SocketAddr,
        seq: SeqNo,
        noted: bool,
        room: Room,
        buffer: &mut Vec<u8>,
    ) -> Output {
        let mut payload = std::mem::take(&mut self.scratch.payload);
        self.ack_payload.clone_into(&mut payload);
        if noted {
            self.view_note().append(&mut payload);
        }
        let output = self.write_with_claims(to, room, buffer, |_, out| {
            Message::Ack(Ack { seq, payload: &payload }).encode(out);
        });
        self.scratch.payload = payload;
        output
    }

    fn write_indirect_ping(
        &mut self,
        helper: MemberKey,
        target: MemberKey,
        seq: SeqNo,
        nack: bool,
        room: Room,
        buffer: &mut Vec<u8>,
    ) -> Output {
        let to = self.members.get(helper).profile.address().socket_addr();
        self.write_with_claims(to, room, buffer, |node, out| {
            let profile = &node.members.get(target).profile;
            let (target, name, source) = (profile.address(), profile.name(), node.source());
            let ping = IndirectPing { seq, target, node: name, nack, source };
            Message::IndirectPing(ping).encode(out);
        })
    }

    /// What `spell` writes, with claims beside it.
    fn write_with_claims(
        &mut self,
        to: SocketAddr,
        room: Room,
        buffer: &mut Vec<u8>,
        spell: impl FnOnce(&Self, &mut Vec<u8>),
    ) -> Output {
        let mut message = std::mem::take(&mut self.scratch.message);
        message.clear();
        spell(self, &mut message);
        let output = self.write_piggybacked(to, &message, room, buffer);
        self.scratch.message = message;
        output
    }

    /// One message, and as many claims as fit beside it (spec 9.2).
    fn write_piggybacked(
        &mut self,
        to: SocketAddr,
        message: &[u8],
        room: Room,
        buffer: &mut Vec<u8>,
    ) -> Output {
        buffer.clear();
        let used = COMPOUND_OVERHEAD + PART_OVERHEAD + message.len();
        let left = room.to(to).saturating_sub(used);
        if !self.broadcasts.is_empty() {
            self.broadcasts.take(left, PART_OVERHEAD, MOST_PARTS - 1);
        }
        let parts = std::iter::once(message).chain(self.broadcasts.taken());
        memberlist::write_packet(parts, buffer);
        self.finish_claims();
        let left = room.to(to).saturating_sub(buffer.len().max(used));
        self.packet(to, Checksum::Omit, left)
    }

    fn write_gossip(
        &mut self,
        to: MemberKey,
        small: bool,
        room: Room,
        buffer: &mut Vec<u8>,
    ) -> Option<Output> {
        let profile = &self.members.get(to).profile;
        let (to, checksum) = (profile.address().socket_addr(), checksum_for(profile.versions()));
        let most = room.to(to);
        if small {
            self.broadcasts.take(SMALL_PACKET - COMPOUND_OVERHEAD, PART_OVERHEAD, MOST_PARTS);
        }
        // Where nothing is so short, something long is better than nothing.
        if self.broadcasts.taken_count() == 0 {
            let left = most.saturating_sub(COMPOUND_OVERHEAD);
            self.broadcasts.take(left, PART_OVERHEAD, MOST_PARTS);
        }
        buffer.clear();
        let mut parts = self.broadcasts.taken().peekable();
        parts.peek()?;
        memberlist::write_packet(parts, buffer);
        self.finish_claims();
        let used = buffer.len() + COMPOUND_OVERHEAD + PART_OVERHEAD;
        Some(self.packet(to, checksum, most.saturating_sub(used)))
    }

    fn finish_claims(&mut self) {
        let sent = self.broadcasts.taken_count() as u64;
        if sent > 0 {
            self.counters.add(Counter::ClaimsSent, sent);
            let limit = self.retransmit_limit();
            self.broadcasts.put_back(if self.is_busy() { limit.div_ceil(2) } else { limit });
            self.note_goodbye();
        }
    }

    fn write_user(
        &mut self,
        request: RequestId,
        (to, checksum): (SocketAddr, Checksum),
        payload: &[u8],
        room: Room,
        buffer: &mut Vec<u8>,
    ) -> Option<Output> {
        buffer.clear();
        Message::User(payload).encode(buffer);
        let limit = room.to(to);
        if buffer.len() > limit {
            let (length, limit) = (payload.len(), limit - 1);
            let remedy = "send it on a stream";
            let error = RequestError::TooLong { length, limit, remedy };
            self.complete(request, Err(error));
            return None;
        }
        self.complete(request, Ok(Done::Sent));
        Some(self.packet(to, checksum, 0))
    }

    fn packet(&mut self, to: SocketAddr, checksum: Checksum, left: usize) -> Output {
        self.counters.count(Counter::PacketsSent);
        Output::Packet { to, checksum, left }
    }
}
