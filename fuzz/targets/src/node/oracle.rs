use std::net::SocketAddr;

use mingle_proto::{Content, Event, ExchangeId, Node, Output, RequestId, Room, Rules};
use mingle_wire::memberlist::{
    MAX_PARTS, PART_OVERHEAD, append_part, append_user_state, decode_stream, messages, part_count,
};
use mingle_wire::{Incarnation, Message, State, StreamMessage};

/// What must hold after every input. The node checks its own indexes beside it, as debug assertions
/// are on.
pub(super) struct Oracle {
    room: Room,
    room_bytes: usize,
    buffer: Vec<u8>,
    /// Whether nothing is ever forgotten, so that beliefs only rise.
    strict: bool,
    /// The highest that was ever believed of each name but the node's own.
    beliefs: Vec<(Box<str>, Incarnation, State)>,
    own: Incarnation,
    /// Everything that was put in so far, which bounds what comes out.
    items: usize,
    /// Numbers of requests, and of those that were answered.
    requests: u64,
    answered: u64,
    last_ping: u32,
    dials: u64,
    recording: bool,
    hash: u64,
}

/// Whether all that comes out is hashed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Transcript {
    Kept,
    Dropped,
}

impl Oracle {
    pub(super) fn new(node: &Node, room_bytes: usize, transcript: Transcript) -> Self {
        let config = node.config();
        Self {
            room: Room::of_packet(room_bytes),
            room_bytes,
            buffer: Vec::new(),
            strict: config.rules == Rules::MINGLE && config.max_tombstones == u32::MAX,
            beliefs: Vec::new(),
            own: node.local().incarnation,
            items: 0,
            requests: 0,
            answered: 0,
            last_ping: 0,
            dials: 0,
            recording: transcript == Transcript::Kept,
            hash: 0xcbf2_9ce4_8422_2325,
        }
    }

    pub(super) fn requested(&mut self, request: RequestId) {
        self.requests = request.0 + 1;
    }

    /// The number of the last ping that went out.
    pub(super) fn last_ping(&self) -> u32 {
        self.last_ping
    }

    /// How many exchanges have been dialled.
    pub(super) fn dials(&self) -> u64 {
        self.dials
    }

    /// A hash of everything that came out, if it was kept.
    pub(super) fn transcript(&self) -> u64 {
        self.hash
    }

    /// Drains what an input of so many items brought about, and looks at the node behind it.
    pub(super) fn check(&mut self, node: &mut Node, items: usize) {
        self.items += items + 1;
        let most = 64 + 4 * self.items;
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut outputs = 0;
        while let Some(output) = node.poll_output(self.room, &mut buffer) {
            outputs += 1;
            assert!(outputs <= most, "more than {most} outputs");
            self.on_output(&output, &mut buffer);
        }
        self.buffer = buffer;
        self.look_at(node);
    }

    fn look_at(&mut self, node: &Node) {
        let local = node.local();
        assert!(local.incarnation >= self.own, "our own incarnation falls");
        self.own = local.incarnation;
        let (mut count, mut live) = (0, 0);
        for member in node.members() {
            count += 1;
            live += usize::from(member.state.is_live());
            if self.strict && member.name() != local.name() {
                self.believe(member.name(), member.incarnation, member.state);
            }
        }
        assert!(count <= node.config().max_members, "{count} members");
        assert_eq!(live, node.live_count());
        self.absorb(&node.view_fingerprint().to_be_bytes());
        self.absorb(&node.view_version().to_be_bytes());
    }

    /// The law of beliefs: they only rise, and whoever is gone returns only above the incarnation that
    /// it went down with, reaped or not.
    fn believe(&mut self, name: &str, incarnation: Incarnation, state: State) {
        let Some((_, held, held_state)) = self.beliefs.iter_mut().find(|(n, ..)| **n == *name)
        else {
            self.beliefs.push((name.into(), incarnation, state));
            return;
        };
        assert!(
            (incarnation, state) >= (*held, *held_state),
            "{name} is {state} at {incarnation} after {held_state} at {held}"
        );
        (*held, *held_state) = (incarnation, state);
    }

    fn on_output(&mut self, output: &Output, buffer: &mut Vec<u8>) {
        match output {
            Output::Packet { to, checksum: _, left } => self.on_packet(*to, *left, buffer),
            Output::Dial { exchange, to, deadline, answer: _, content } => {
                let ExchangeId::Ours(number) = *exchange else { panic!("{exchange:?} is dialled") };
                assert!(number >= self.dials, "our numbers go up");
                self.dials = number + 1;
                self.absorb(&to.port().to_be_bytes());
                self.absorb(&deadline.as_nanos().to_be_bytes());
                self.on_stream(*content, buffer);
            }
            Output::Reply { exchange: _, content } => self.on_stream(*content, buffer),
            Output::Close { exchange: _ } => {}
            Output::Event(event) => self.on_event(event),
        }
    }

    /// A packet fits its room, decodes, and has as much left as it says.
    fn on_packet(&mut self, to: SocketAddr, left: usize, buffer: &mut Vec<u8>) {
        self.absorb(&to.port().to_be_bytes());
        self.absorb(buffer);
        assert!(buffer.len() <= self.room_bytes, "{} bytes", buffer.len());
        for message in messages(buffer) {
            match message.expect("what we write we read") {
                Message::Ping(ping) => self.last_ping = ping.seq.0,
                Message::IndirectPing(ping) => self.last_ping = ping.seq.0,
                Message::Ack(_)
                | Message::Suspect(_)
                | Message::Alive(_)
                | Message::Dead(_)
                | Message::User(_)
                | Message::Nack(_) => {}
            }
        }
        if left > PART_OVERHEAD && part_count(buffer) < MAX_PARTS {
            append_part(buffer, &USER[..(left - PART_OVERHEAD).min(USER.len())]);
            assert!(buffer.len() <= self.room_bytes, "{} bytes with a message", buffer.len());
        }
    }

    /// A stream message decodes, and takes the application's state.
    fn on_stream(&mut self, content: Content, buffer: &mut Vec<u8>) {
        self.absorb(buffer);
        if let Content::PushPull { join } = content {
            append_user_state(buffer, USER);
            let Ok(StreamMessage::PushPull(view)) = decode_stream(buffer) else {
                panic!("no push/pull: {buffer:02x?}");
            };
            assert_eq!((view.join, view.user_state), (join, USER));
            assert!(view.records().all(|record| record.is_ok()), "a record that nobody takes");
        } else {
            assert!(decode_stream(buffer).is_ok(), "what we write we read");
        }
    }

    fn on_event(&mut self, event: &Event) {
        match event {
            Event::Completed { request: RequestId(number), .. } => {
                assert!(*number < self.requests, "nobody asked for {number}");
                let bit = 1u64.checked_shl(u32::try_from(*number).unwrap_or(64)).unwrap_or(0);
                assert_eq!(self.answered & bit, 0, "request {number} is completed twice");
                self.answered |= bit;
            }
            Event::Member { member, .. } => self.absorb(member.name().as_bytes()),
            Event::Refuted { incarnation, .. } => {
                assert!(*incarnation >= self.own, "refuted with a lower incarnation");
            }
            Event::Health { score } => self.absorb(&score.to_be_bytes()),
            Event::Conflict { .. }
            | Event::UserMessage { .. }
            | Event::UserState { .. }
            | Event::Reconnect { .. }
            | Event::LinkDegraded { .. }
            | Event::LinkRestored { .. }
            | Event::Pong { .. } => {}
        }
    }

    /// FNV-1a over words.
    fn absorb(&mut self, bytes: &[u8]) {
        if !self.recording {
            return;
        }
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let word = u64::from_le_bytes(word);
            self.hash = (self.hash ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
        }
    }
}

/// A user message to fill up packets with, and a state to add to push/pulls.
const USER: &[u8] = &[8; 64];
