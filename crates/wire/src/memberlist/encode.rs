use super::kind;
use crate::msgpack::Writer;
use crate::{
    Ack, Alive, Dead, Incarnation, IndirectPing, Message, Nack, NodeState, Ping, PushPull, SeqNo,
    Source, State, StreamMessage, Suspect,
};

impl Message<'_> {
    /// Appends the message as all Go nodes accept it: sorted keys, raw strings, unsigned shortest
    /// integers, nil for absent bytes (spec 1.2, recommendation).
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ping(ping) => ping.encode(out),
            Self::IndirectPing(ping) => ping.encode(out),
            Self::Ack(ack) => ack.encode(out),
            Self::Suspect(suspect) => suspect.encode(out),
            Self::Alive(alive) => alive.encode(out),
            Self::Dead(dead) => dead.encode(out),
            Self::User(bytes) => start(out, kind::USER).raw(bytes).done(),
            Self::Nack(nack) => nack.encode(out),
        }
    }
}

impl StreamMessage<'_> {
    /// Appends the message with all that belongs to it, spelled as [`Message::encode`] does.
    ///
    /// The records of a push/pull are spelled anew; those that [`PushPull::records`] refuses are
    /// left out.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ping(ping) => ping.encode(out),
            Self::Ack(ack) => ack.encode(out),
            Self::PushPull(push_pull) => push_pull.encode(out),
            Self::User(bytes) => user_message(None, bytes, out),
            Self::Numbered { number, payload } => user_message(Some(*number), payload, out),
            Self::Error(text) => start(out, kind::ERROR).map(1).str("Error").str(text).done(),
        }
    }
}

impl Ping<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = start(out, kind::PING);
        writer.map(2 + self.source.pairs());
        writer.str("Node").str(self.node).str("SeqNo").u64(self.seq.0.into());
        self.source.encode(&mut writer);
    }
}

impl IndirectPing<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = start(out, kind::INDIRECT_PING);
        writer.map(5 + self.source.pairs());
        writer.str("Nack").bool(self.nack).str("Node").str(self.node);
        writer.str("Port").u64(self.target.port.into()).str("SeqNo").u64(self.seq.0.into());
        self.source.encode(&mut writer);
        writer.str("Target").bytes(self.target.ip.as_bytes());
    }
}

impl Source<'_> {
    fn pairs(&self) -> usize {
        2 * usize::from(self.address.is_some()) + usize::from(!self.node.is_empty())
    }

    fn encode(&self, writer: &mut Writer<'_>) {
        if let Some(address) = &self.address {
            writer.str("SourceAddr").bytes(address.ip.as_bytes());
        }
        if !self.node.is_empty() {
            writer.str("SourceNode").str(self.node);
        }
        if let Some(address) = &self.address {
            writer.str("SourcePort").u64(address.port.into());
        }
    }
}

impl Ack<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = start(out, kind::ACK);
        writer.map(2).str("Payload").bytes_or_nil(self.payload);
        writer.str("SeqNo").u64(self.seq.0.into());
    }
}

impl Nack {
    fn encode(&self, out: &mut Vec<u8>) {
        start(out, kind::NACK).map(1).str("SeqNo").u64(self.seq.0.into());
    }
}

impl Suspect<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        verdict(&mut start(out, kind::SUSPECT), self.incarnation, self.node, self.from);
    }
}

impl Dead<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        verdict(&mut start(out, kind::DEAD), self.incarnation, self.node, self.from);
    }
}

fn verdict(writer: &mut Writer<'_>, incarnation: Incarnation, node: &str, from: &str) {
    writer.map(3).str("From").str(from);
    writer.str("Incarnation").u64(incarnation.get().into()).str("Node").str(node);
}

impl Alive<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(LONGEST_FIXED + self.node.len() + self.meta.len());
        let mut writer = start(out, kind::ALIVE);
        self.encode_first(b"\x86\xa4Addr", &mut writer);
        writer.raw(b"\xa4Node").str(self.node).raw(b"\xa4Port").u64(self.address.port.into());
        writer.raw(b"\xa3Vsn\xa6").raw(&self.versions.0);
    }

    /// The fields that come first in an alive message and in a record of a push/pull. Keys are
    /// spelled out here and below: these two are most of what a node writes.
    fn encode_first(&self, opening: &[u8], writer: &mut Writer<'_>) {
        writer.raw(opening).bytes(self.address.ip.as_bytes());
        writer.raw(b"\xabIncarnation").u64(self.incarnation.get().into());
        writer.raw(b"\xa4Meta").bytes_or_nil(self.meta);
    }
}

/// What an alive message or a record has at most beside its name and its meta.
const LONGEST_FIXED: usize = 96;

impl NodeState<'_> {
    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer.reserve(LONGEST_FIXED + self.alive.node.len() + self.alive.meta.len());
        self.alive.encode_first(b"\x87\xa4Addr", writer);
        writer.raw(b"\xa4Name").str(self.alive.node);
        writer.raw(b"\xa4Port").u64(self.alive.address.port.into());
        writer.raw(b"\xa5State").u64(state_number(self.state));
        writer.raw(b"\xa3Vsn\xa6").raw(&self.alive.versions.0);
    }
}

const fn state_number(state: State) -> u64 {
    match state {
        State::Alive => 0,
        State::Suspect => 1,
        State::Dead => 2,
        State::Left => 3,
    }
}

impl PushPull<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        let nodes = self.records().filter(Result::is_ok).count();
        let mut writer = start(out, kind::PUSH_PULL);
        writer.map(3).str("Join").bool(self.join).str("Nodes").u64(nodes as u64);
        writer.str("UserStateLen").u64(self.user_state.len() as u64);
        for record in self.records().flatten() {
            record.encode(&mut writer);
        }
        writer.raw(self.user_state);
    }
}

fn user_message(number: Option<SeqNo>, bytes: &[u8], out: &mut Vec<u8>) {
    let mut writer = start(out, kind::USER);
    writer.map(1 + usize::from(number.is_some()));
    if let Some(number) = number {
        writer.str("Number").u64(number.0.into());
    }
    writer.str("UserMsgLen").u64(bytes.len() as u64).raw(bytes);
}

/// Appends the wrapper of compressed bytes (spec 2.4) up to where they begin.
pub(crate) fn write_compressed_head(length: usize, out: &mut Vec<u8>) {
    start(out, kind::COMPRESS).map(2).str("Algo").u64(0).str("Buf").bytes_head(length);
}

pub(super) fn start(out: &mut Vec<u8>, kind: u8) -> Writer<'_> {
    out.push(kind);
    Writer::new(out)
}

impl Writer<'_> {
    /// Ends a chain of calls where a match arm wants nothing.
    const fn done(&mut self) {}
}
