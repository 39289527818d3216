use super::{MAX_NODES, MAX_USER_MESSAGE, MAX_USER_STATE, kind};
use crate::msgpack::{ReadError, Reader, Short};
use crate::{
    Ack, Address, Alive, Dead, DecodeError, Incarnation, IndirectPing, Ip, MAX_META, MAX_NAME,
    Message, Nack, NodeState, Ping, PushPull, SeqNo, Source, State, StreamMessage, Suspect,
    Versions,
};

/// Decodes one bare message of a packet. Bytes behind it are ignored, as in Go.
pub fn decode_message(part: &[u8]) -> Result<Message<'_>, DecodeError> {
    let (&kind, body) = part.split_first().ok_or(DecodeError::EmptyMessage)?;
    let reader = Reader::new(body);
    match kind {
        kind::PING => ping(reader).map(Message::Ping),
        kind::INDIRECT_PING => indirect_ping(reader).map(Message::IndirectPing),
        kind::ACK => ack(reader).map(Message::Ack),
        kind::SUSPECT => suspect(reader).map(Message::Suspect),
        kind::ALIVE => alive(reader).map(Message::Alive),
        kind::DEAD => dead(reader).map(Message::Dead),
        kind::USER => Ok(Message::User(body)),
        kind::NACK => nack(reader).map(Message::Nack),
        kind::COMPOUND | kind::COMPRESS => Err(DecodeError::Nested),
        _ => Err(DecodeError::UnsupportedType),
    }
}

/// Decodes one whole stream message: the type, the body and the bytes that belong to it.
///
/// The records of a push/pull are checked for structure only; see [`PushPull::records`].
pub fn decode_stream(body: &[u8]) -> Result<StreamMessage<'_>, DecodeError> {
    let (&kind, rest) = body.split_first().ok_or(DecodeError::EmptyMessage)?;
    let reader = Reader::new(rest);
    match kind {
        kind::PING => ping(reader).map(StreamMessage::Ping),
        kind::ACK => ack(reader).map(StreamMessage::Ack),
        kind::PUSH_PULL => push_pull(reader).map(StreamMessage::PushPull),
        kind::USER => user_message(reader),
        kind::ERROR => error(reader).map(StreamMessage::Error),
        _ => Err(DecodeError::UnsupportedType),
    }
}

const PING: &[&str] = &["SeqNo", "Node", "SourceAddr", "SourcePort", "SourceNode"];

fn ping(reader: Reader<'_>) -> Result<Ping<'_>, DecodeError> {
    usual(reader, usual_ping, any_ping)
}

/// Reads the usual spelling if it is that, else any. What is usual reads the same either way.
fn usual<'a, T: PartialEq + std::fmt::Debug>(
    reader: Reader<'a>,
    usual: impl FnOnce(Reader<'a>) -> Option<T>,
    any: impl FnOnce(Reader<'a>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let Some(message) = usual(reader) else { return any(reader) };
    debug_assert_eq!(any(reader).as_ref(), Ok(&message), "both readings agree");
    Ok(message)
}

/// The spelling of Go and of ourselves: every field there is, in the order of their names, as what a
/// node reads all day. Whatever is wrong with it is left to [`any_ping`].
fn usual_ping(mut reader: Reader<'_>) -> Option<Ping<'_>> {
    reader.literal(b"\x85\xa4Node")?;
    let node = name(&mut reader).ok()?;
    reader.literal(b"\xa5SeqNo")?;
    let seq = SeqNo(reader.u32().ok()?);
    reader.literal(b"\xaaSourceAddr")?;
    let ip = usual_ip(&mut reader)?;
    reader.literal(b"\xaaSourceNode")?;
    let source = name(&mut reader).ok()?;
    reader.literal(b"\xaaSourcePort")?;
    let port = reader.u16().ok()?;
    let address = (port > 0).then_some(Address { ip, port });
    Some(Ping { seq, node, source: Source { address, node: source } })
}

fn usual_ip(reader: &mut Reader<'_>) -> Option<Ip> {
    match reader.chunk()? {
        [0xa4] => reader.chunk().map(Ip::V4),
        [0xb0] => reader.chunk().map(Ip::V6),
        _ => None,
    }
}

fn any_ping(mut reader: Reader<'_>) -> Result<Ping<'_>, DecodeError> {
    let mut seq = SeqNo(0);
    let mut node = "";
    let mut source = SourceFields::default();
    reader.structure(PING, |reader, field| {
        match field {
            b"SeqNo" => seq = SeqNo(reader.u32()?),
            b"Node" => node = name(reader)?,
            _ => source.read(reader, field)?,
        }
        Ok::<_, DecodeError>(())
    })?;
    Ok(Ping { seq, node, source: source.finish()? })
}

const INDIRECT_PING: &[&str] =
    &["SeqNo", "Target", "Port", "Node", "Nack", "SourceAddr", "SourcePort", "SourceNode"];

fn indirect_ping(mut reader: Reader<'_>) -> Result<IndirectPing<'_>, DecodeError> {
    let mut seq = SeqNo(0);
    let mut target = Short::default();
    let mut port = 0;
    let mut node = "";
    let mut nack = false;
    let mut source = SourceFields::default();
    reader.structure(INDIRECT_PING, |reader, field| {
        match field {
            b"SeqNo" => seq = SeqNo(reader.u32()?),
            b"Target" => target = reader.short()?,
            b"Port" => port = reader.u16()?,
            b"Node" => node = name(reader)?,
            b"Nack" => nack = reader.bool()?,
            _ => source.read(reader, field)?,
        }
        Ok::<_, DecodeError>(())
    })?;
    let target = Address { ip: ip(target)?, port };
    Ok(IndirectPing { seq, target, node, nack, source: source.finish()? })
}

/// The three fields that say who asks (spec 2.7); each may be missing.
#[derive(Default)]
struct SourceFields<'a> {
    address: Short,
    port: u16,
    node: &'a str,
}

impl<'a> SourceFields<'a> {
    fn read(&mut self, reader: &mut Reader<'a>, field: &[u8]) -> Result<(), DecodeError> {
        match field {
            b"SourceAddr" => self.address = reader.short()?,
            b"SourcePort" => self.port = reader.u16()?,
            b"SourceNode" => self.node = name(reader)?,
            _ => reader.skip()?,
        }
        Ok(())
    }

    fn finish(self) -> Result<Source<'a>, DecodeError> {
        let absent = self.port == 0 || self.address == Short::default();
        let ip = if absent { None } else { Some(ip(self.address)?) };
        Ok(Source { address: ip.map(|ip| Address { ip, port: self.port }), node: self.node })
    }
}

fn ack(mut reader: Reader<'_>) -> Result<Ack<'_>, DecodeError> {
    let mut ack = Ack { seq: SeqNo(0), payload: &[] };
    reader.structure(&["SeqNo", "Payload"], |reader, field| {
        match field {
            b"SeqNo" => ack.seq = SeqNo(reader.u32()?),
            b"Payload" => ack.payload = reader.bytes()?,
            _ => reader.skip()?,
        }
        Ok::<_, ReadError>(())
    })?;
    Ok(ack)
}

fn nack(mut reader: Reader<'_>) -> Result<Nack, DecodeError> {
    let mut nack = Nack { seq: SeqNo(0) };
    reader.structure(&["SeqNo"], |reader, field| {
        match field {
            b"SeqNo" => nack.seq = SeqNo(reader.u32()?),
            _ => reader.skip()?,
        }
        Ok::<_, ReadError>(())
    })?;
    Ok(nack)
}

fn suspect(reader: Reader<'_>) -> Result<Suspect<'_>, DecodeError> {
    let Verdict { incarnation, node, from } = verdict(reader)?;
    Ok(Suspect { incarnation, node, from })
}

fn dead(reader: Reader<'_>) -> Result<Dead<'_>, DecodeError> {
    let Verdict { incarnation, node, from } = verdict(reader)?;
    Ok(Dead { incarnation, node, from })
}

struct Verdict<'a> {
    incarnation: Incarnation,
    node: &'a str,
    from: &'a str,
}

fn verdict(mut reader: Reader<'_>) -> Result<Verdict<'_>, DecodeError> {
    let mut number = 0;
    let mut node = "";
    let mut from = "";
    reader.structure(&["Incarnation", "Node", "From"], |reader, field| {
        match field {
            b"Incarnation" => number = reader.u32()?,
            b"Node" => node = name(reader)?,
            b"From" => from = name(reader)?,
            _ => reader.skip()?,
        }
        Ok::<_, DecodeError>(())
    })?;
    Ok(Verdict { incarnation: incarnation(number)?, node: present(node)?, from })
}

const ALIVE: &[&str] = &["Incarnation", "Node", "Addr", "Port", "Meta", "Vsn"];

fn alive(reader: Reader<'_>) -> Result<Alive<'_>, DecodeError> {
    usual(reader, usual_alive, any_alive)
}

/// As [`usual_ping`] is for pings.
fn usual_alive(mut reader: Reader<'_>) -> Option<Alive<'_>> {
    reader.literal(b"\x86\xa4Addr")?;
    let ip = usual_ip(&mut reader)?;
    reader.literal(b"\xabIncarnation")?;
    let incarnation = Incarnation::new(reader.u32().ok()?)?;
    reader.literal(b"\xa4Meta")?;
    let meta = meta(&mut reader).ok()?;
    reader.literal(b"\xa4Node")?;
    let node = present(name(&mut reader).ok()?).ok()?;
    reader.literal(b"\xa4Port")?;
    let address = Address { ip, port: reader.u16().ok()? };
    reader.literal(b"\xa3Vsn\xa6")?;
    let versions = Versions(reader.chunk()?);
    Some(Alive { incarnation, node, address, meta, versions })
}

fn any_alive(mut reader: Reader<'_>) -> Result<Alive<'_>, DecodeError> {
    let mut fields = AliveFields::default();
    reader.structure(ALIVE, |reader, field| match field {
        b"Node" => fields.read_name(reader),
        _ => fields.read(reader, field),
    })?;
    fields.finish()
}

const NODE_STATE: &[&str] = &["Name", "Addr", "Port", "Meta", "Incarnation", "State", "Vsn"];

/// Decodes one record of a push/pull and leaves the reader behind it.
pub(super) fn node_state<'a>(reader: &mut Reader<'a>) -> Result<NodeState<'a>, DecodeError> {
    let Some((record, behind)) = usual_node_state(*reader) else { return any_node_state(reader) };
    debug_assert_eq!(any_node_state(&mut { *reader }).as_ref(), Ok(&record), "both readings agree");
    *reader = behind;
    Ok(record)
}

/// As [`usual_ping`] is for pings.
fn usual_node_state(reader: Reader<'_>) -> Option<(NodeState<'_>, Reader<'_>)> {
    let (fields, behind) = usual_record(reader)?;
    let alive = Alive {
        incarnation: Incarnation::new(fields.incarnation)?,
        node: present(bounded_name(str::from_utf8(fields.name).ok()?).ok()?).ok()?,
        address: Address { ip: fields.ip, port: fields.port },
        meta: bounded_meta(fields.meta).ok()?,
        versions: Versions(fields.versions),
    };
    Some((NodeState { state: state(fields.state).ok()?, alive }, behind))
}

/// A record as it is spelled, whatever it says.
struct Record<'a> {
    ip: Ip,
    incarnation: u32,
    meta: &'a [u8],
    name: &'a [u8],
    port: u16,
    state: i64,
    versions: [u8; 6],
}

/// The usual record, and what is behind it.
fn usual_record(mut reader: Reader<'_>) -> Option<(Record<'_>, Reader<'_>)> {
    reader.literal(b"\x87\xa4Addr")?;
    let ip = usual_ip(&mut reader)?;
    reader.literal(b"\xabIncarnation")?;
    let incarnation = reader.u32().ok()?;
    reader.literal(b"\xa4Meta")?;
    let meta = reader.bytes().ok()?;
    reader.literal(b"\xa4Name")?;
    let name = reader.bytes().ok()?;
    reader.literal(b"\xa4Port")?;
    let port = reader.u16().ok()?;
    reader.literal(b"\xa5State")?;
    let state = reader.i64().ok()?;
    reader.literal(b"\xa3Vsn\xa6")?;
    let versions = reader.chunk()?;
    Some((Record { ip, incarnation, meta, name, port, state, versions }, reader))
}

fn any_node_state<'a>(reader: &mut Reader<'a>) -> Result<NodeState<'a>, DecodeError> {
    let mut fields = AliveFields::default();
    let mut number = 0;
    reader.structure(NODE_STATE, |reader, field| match field {
        b"Name" => fields.read_name(reader),
        b"State" => {
            number = reader.i64()?;
            Ok(())
        }
        _ => fields.read(reader, field),
    })?;
    Ok(NodeState { state: state(number)?, alive: fields.finish()? })
}

/// What an alive message and a record of a push/pull have in common.
#[derive(Default)]
struct AliveFields<'a> {
    incarnation: u32,
    node: &'a str,
    address: Short,
    port: u16,
    meta: &'a [u8],
    versions: Short,
}

impl<'a> AliveFields<'a> {
    fn read_name(&mut self, reader: &mut Reader<'a>) -> Result<(), DecodeError> {
        self.node = name(reader)?;
        Ok(())
    }

    fn read(&mut self, reader: &mut Reader<'a>, field: &[u8]) -> Result<(), DecodeError> {
        match field {
            b"Incarnation" => self.incarnation = reader.u32()?,
            b"Addr" => self.address = reader.short()?,
            b"Port" => self.port = reader.u16()?,
            b"Meta" => self.meta = meta(reader)?,
            b"Vsn" => self.versions = reader.short()?,
            _ => reader.skip()?,
        }
        Ok(())
    }

    fn finish(self) -> Result<Alive<'a>, DecodeError> {
        Ok(Alive {
            incarnation: incarnation(self.incarnation)?,
            node: present(self.node)?,
            address: Address { ip: ip(self.address)?, port: self.port },
            meta: self.meta,
            versions: versions(self.versions)?,
        })
    }
}

fn push_pull(mut reader: Reader<'_>) -> Result<PushPull<'_>, DecodeError> {
    let head = push_pull_head(&mut reader)?;
    let start = reader.rest();
    for _ in 0..head.nodes {
        // The usual record is read sooner than it is passed over value by value.
        match usual_record(reader) {
            Some((_, behind)) => reader = behind,
            None => reader.skip()?,
        }
    }
    let tail = reader.rest();
    let records = start.get(..start.len() - tail.len()).ok_or(DecodeError::Truncated)?;
    let user_state = tail.get(..head.user_state).ok_or(DecodeError::Truncated)?;
    Ok(PushPull { join: head.join, nodes: head.nodes, records, user_state })
}

/// What opens a push/pull (spec 2.7), within the limits of spec 2.8.
pub(super) struct PushPullHead {
    pub(super) join: bool,
    pub(super) nodes: u32,
    pub(super) user_state: usize,
}

pub(super) fn push_pull_head(reader: &mut Reader<'_>) -> Result<PushPullHead, DecodeError> {
    let mut head = PushPullHead { join: false, nodes: 0, user_state: 0 };
    reader.structure(&["Nodes", "UserStateLen", "Join"], |reader, field| {
        match field {
            b"Nodes" => head.nodes = node_count(reader)?,
            b"UserStateLen" => head.user_state = length(reader, MAX_USER_STATE)?,
            b"Join" => head.join = reader.bool()?,
            _ => reader.skip()?,
        }
        Ok::<_, DecodeError>(())
    })?;
    Ok(head)
}

fn node_count(reader: &mut Reader<'_>) -> Result<u32, DecodeError> {
    let count = u64::try_from(reader.i64()?).map_err(|_| DecodeError::Malformed)?;
    let count = u32::try_from(count).map_err(|_| DecodeError::TooManyNodes)?;
    if count <= MAX_NODES { Ok(count) } else { Err(DecodeError::TooManyNodes) }
}

fn length(reader: &mut Reader<'_>, limit: usize) -> Result<usize, DecodeError> {
    let length = u64::try_from(reader.i64()?).map_err(|_| DecodeError::Malformed)?;
    let length = usize::try_from(length).map_err(|_| DecodeError::TooLong)?;
    if length <= limit { Ok(length) } else { Err(DecodeError::TooLong) }
}

fn user_message(mut reader: Reader<'_>) -> Result<StreamMessage<'_>, DecodeError> {
    let UserMessageHead { length, number } = user_message_head(&mut reader)?;
    let payload = reader.rest().get(..length).ok_or(DecodeError::Truncated)?;
    Ok(match number {
        None => StreamMessage::User(payload),
        Some(number) => StreamMessage::Numbered { number, payload },
    })
}

/// What comes before a message of the application on a stream.
pub(super) struct UserMessageHead {
    pub(super) length: usize,
    number: Option<SeqNo>,
}

pub(super) fn user_message_head(reader: &mut Reader<'_>) -> Result<UserMessageHead, DecodeError> {
    let mut head = UserMessageHead { length: 0, number: None };
    reader.structure(&["UserMsgLen", "Number"], |reader, field| {
        match field {
            b"UserMsgLen" => head.length = length(reader, MAX_USER_MESSAGE)?,
            b"Number" => head.number = Some(SeqNo(reader.u32()?)),
            _ => reader.skip()?,
        }
        Ok::<_, DecodeError>(())
    })?;
    Ok(head)
}

fn error(mut reader: Reader<'_>) -> Result<&str, DecodeError> {
    let mut text = "";
    reader.structure(&["Error"], |reader, field| {
        match field {
            b"Error" => text = reader.str()?,
            _ => reader.skip()?,
        }
        Ok::<_, ReadError>(())
    })?;
    Ok(text)
}

/// The wrapper of compressed bytes (spec 2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Compressed<'a> {
    /// 0 is LZW; nobody knows another.
    pub(crate) algorithm: u8,
    pub(crate) buffer: &'a [u8],
}

/// Reads the wrapper of compressed bytes, given without its type byte.
pub(crate) fn compressed(body: &[u8]) -> Result<Compressed<'_>, ReadError> {
    let mut compressed = Compressed { algorithm: 0, buffer: &[] };
    Reader::new(body).structure(&["Algo", "Buf"], |reader, field| {
        match field {
            b"Algo" => compressed.algorithm = reader.u8()?,
            b"Buf" => compressed.buffer = reader.bytes()?,
            _ => reader.skip()?,
        }
        Ok::<_, ReadError>(())
    })?;
    Ok(compressed)
}

/// A name, perhaps an empty one.
#[inline]
fn name<'a>(reader: &mut Reader<'a>) -> Result<&'a str, DecodeError> {
    bounded_name(reader.str()?)
}

#[inline]
fn bounded_name(name: &str) -> Result<&str, DecodeError> {
    if name.len() <= MAX_NAME { Ok(name) } else { Err(DecodeError::NameTooLong) }
}

fn present(name: &str) -> Result<&str, DecodeError> {
    if name.is_empty() { Err(DecodeError::EmptyName) } else { Ok(name) }
}

#[inline]
fn meta<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    bounded_meta(reader.bytes()?)
}

#[inline]
fn bounded_meta(meta: &[u8]) -> Result<&[u8], DecodeError> {
    if meta.len() <= MAX_META { Ok(meta) } else { Err(DecodeError::MetaTooLong) }
}

fn incarnation(number: u32) -> Result<Incarnation, DecodeError> {
    Incarnation::new(number).ok_or(DecodeError::Incarnation)
}

fn ip(bytes: Short) -> Result<Ip, DecodeError> {
    bytes.as_slice().and_then(Ip::from_bytes).ok_or(DecodeError::AddressLength)
}

fn versions(bytes: Short) -> Result<Versions, DecodeError> {
    let bytes = bytes.as_slice().and_then(|bytes| bytes.try_into().ok());
    bytes.map(Versions).ok_or(DecodeError::VersionsLength)
}

fn state(number: i64) -> Result<State, DecodeError> {
    match number {
        0 => Ok(State::Alive),
        1 => Ok(State::Suspect),
        2 => Ok(State::Dead),
        3 => Ok(State::Left),
        _ => Err(DecodeError::StateUnknown),
    }
}
