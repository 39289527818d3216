//! What comes from others, made from choices.

use std::net::SocketAddr;

use mingle_wire::memberlist::{PushPullWriter, append_part, append_user_state};
use mingle_wire::{
    Ack, Address, Alive, Dead, Incarnation, IndirectPing, Ip, Message, Nack, NodeState, Ping,
    SeqNo, Source, State, StreamMessage, Suspect, Versions,
};

use crate::bytes::Bytes;

/// The first one is the node's own. More than the table holds, one as long as can be, one that no
/// node may have.
pub(super) const NAMES: [&str; 16] =
    ["self", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", LONGEST, ""];

const LONGEST: &str = match str::from_utf8(&[b'z'; mingle_wire::MAX_NAME]) {
    Ok(name) => name,
    Err(_) => panic!("letters are text"),
};

const METAS: [&[u8]; 4] = [b"", b"m", b"\xff\x81\xa1a\xa1b", &[7; mingle_wire::MAX_META]];

pub(super) fn meta(choice: u8) -> &'static [u8] {
    // One byte too long for the owner of the node to set.
    if choice == 15 { &[7; mingle_wire::MAX_META + 1] } else { METAS[usize::from(choice & 3)] }
}

/// The address of the member with that name, in one of its spellings.
pub(super) fn address(choice: u8) -> Address {
    let host = [10, 0, 0, choice & 0x0f];
    let port = 7946;
    match choice >> 4 {
        0..=7 => Address { ip: Ip::V4(host), port },
        8 | 9 => Address { ip: mapped(host), port },
        10 => Address { ip: Ip::V4(host), port: 0 },
        11 => Address { ip: Ip::V4([10, 0, 1, choice & 0x0f]), port },
        12 => Address { ip: Ip::V4(host), port: 7947 },
        13 => Address { ip: Ip::V4([0; 4]), port },
        14 => Address { ip: Ip::V4([224, 0, 0, 1]), port },
        _ => Address { ip: Ip::V6([0xfd; 16]), port },
    }
}

fn mapped([a, b, c, d]: [u8; 4]) -> Ip {
    Ip::V6([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d])
}

pub(super) fn source(choice: u8) -> SocketAddr {
    address(choice & 0x0f).socket_addr()
}

fn versions(choice: u8) -> Versions {
    Versions(match choice & 7 {
        0..=2 => [1, 0x85, 2, 2, 5, 5],
        3 | 4 => [1, 5, 2, 2, 5, 5],
        5 => [1, 2, 2, 2, 5, 5],
        6 => [3, 9, 9, 0, 0, 0],
        _ => [0; 6],
    })
}

/// Mostly small ones, so that claims meet at the same.
fn incarnation(choice: u8) -> Incarnation {
    let last = Incarnation::LAST.get();
    let number = match choice & 0x0f {
        15 => last,
        14 => last - 1,
        small => u32::from(small) + 1,
    };
    Incarnation::new(number).expect("in range")
}

/// An alive message about anyone.
fn alive(who: u8, bytes: &mut Bytes<'_>) -> Alive<'static> {
    let (first, second) = (bytes.byte(), bytes.byte());
    // Mostly from where the name belongs.
    let place = if first & 0x10 == 0 { who } else { second & 0xf0 | who };
    Alive {
        incarnation: incarnation(first),
        node: NAMES[usize::from(who)],
        address: address(place),
        meta: METAS[usize::from(if first < 0xf0 { first >> 6 & 1 } else { second & 3 })],
        versions: versions(if first & 0x20 == 0 { 0 } else { second }),
    }
}

fn claim<'b>(bytes: &mut Bytes<'b>) -> Message<'b> {
    let choice = bytes.byte();
    let who = choice & 0x0f;
    let node = NAMES[usize::from(who)];
    match choice >> 4 {
        0..=5 => Message::Alive(alive(who, bytes)),
        kind @ 6..=13 => {
            let detail = bytes.byte();
            let (from, incarnation) = (NAMES[usize::from(detail >> 4)], incarnation(detail));
            match kind {
                6..=9 => Message::Suspect(Suspect { incarnation, node, from }),
                10 | 11 => Message::Dead(Dead { incarnation, node, from }),
                _ => Message::Dead(Dead { incarnation, node, from: node }),
            }
        }
        14 => ping(who, bytes),
        _ => Message::User(bytes.slice()),
    }
}

fn ping(who: u8, bytes: &mut Bytes<'_>) -> Message<'static> {
    let choice = bytes.byte();
    let node = NAMES[usize::from(if choice & 1 == 0 { 0 } else { who })];
    let address = (choice & 2 == 0).then(|| address(choice & 0xf0 | who));
    let source = Source { address, node: NAMES[usize::from(who)] };
    let seq = SeqNo(choice.into());
    if choice & 4 == 0 {
        return Message::Ping(Ping { seq, node, source });
    }
    let target = self::address(choice & 0xf0 | who);
    Message::IndirectPing(IndirectPing { seq, target, node, nack: choice & 8 != 0, source })
}

/// Fills `body` with a packet of one to four claims, or many small ones.
pub(super) fn claims(more: u8, bytes: &mut Bytes<'_>, body: &mut Vec<u8>) {
    body.clear();
    let mut part = Vec::new();
    for _ in 0..=more {
        part.clear();
        claim(bytes).encode(&mut part);
        append_part(body, &part);
    }
}

/// Fills `body` with what a ping brings about.
pub(super) fn answer(choice: u8, seq: u32, bytes: &mut Bytes<'_>, body: &mut Vec<u8>) {
    body.clear();
    let seq = SeqNo(seq);
    match choice {
        0..=3 => Message::Ack(Ack { seq, payload: b"" }).encode(body),
        4 => Message::Ack(Ack { seq, payload: bytes.slice() }).encode(body),
        5 | 6 => Message::Nack(Nack { seq }).encode(body),
        _ => ping(bytes.byte() & 0x0f, bytes).encode(body),
    }
}

/// Fills `body` with a message of a stream.
pub(super) fn stream_message(bytes: &mut Bytes<'_>, seq: u32, body: &mut Vec<u8>) {
    body.clear();
    let choice = bytes.byte();
    match choice & 7 {
        0..=3 => view(choice >> 3, bytes, body),
        4 => match ping(choice >> 4, bytes) {
            Message::Ping(ping) => StreamMessage::Ping(ping).encode(body),
            _ => StreamMessage::Error("no").encode(body),
        },
        5 => StreamMessage::Ack(Ack { seq: SeqNo(seq), payload: b"" }).encode(body),
        6 => StreamMessage::User(bytes.slice()).encode(body),
        _ => body.extend_from_slice(bytes.slice()),
    }
}

/// A push/pull of up to seven records.
fn view(choice: u8, bytes: &mut Bytes<'_>, body: &mut Vec<u8>) {
    let count = choice & 7;
    let mut writer = PushPullWriter::new(body, choice & 8 != 0, count.into());
    for _ in 0..count {
        let who = bytes.byte();
        let state = match who >> 4 {
            0..=9 => State::Alive,
            10 | 11 => State::Suspect,
            12 | 13 => State::Dead,
            _ => State::Left,
        };
        writer.record(&NodeState { state, alive: alive(who & 0x0f, bytes) });
    }
    writer.finish();
    if choice & 16 != 0 {
        append_user_state(body, b"state");
    }
}
