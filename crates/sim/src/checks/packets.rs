use mingle_wire::{StreamMessage, memberlist};

use super::desk::{Checker, Desk};
use crate::watch::Sent;

/// Longest message that a node writes for a stream: what a frame holds (spec 2.8).
const MOST_ON_STREAM: usize = mingle_wire::MAX_FRAME;

/// A packet fits its room.
pub(super) fn sent(desk: &mut Desk, packet: &Sent<'_>) {
    let (length, room) = (packet.body.len(), packet.room);
    desk.check(Checker::Packets, length > 0 && length <= room, || {
        format!("a packet to {} has {length} bytes, and room for {room}", packet.to)
    });
}

/// A message on a stream can be read.
pub(super) fn sent_message<'b>(desk: &mut Desk, body: &'b [u8]) -> Option<StreamMessage<'b>> {
    let read = memberlist::decode_stream(body);
    let whole = body.len() <= MOST_ON_STREAM && read.is_ok();
    desk.check(Checker::Packets, whole, || {
        format!("a stream message of {} bytes reads as {:?}", body.len(), read.err())
    });
    read.ok()
}

/// All of a packet can be read.
pub(super) fn read(desk: &mut Desk, packet: &Sent<'_>) {
    for message in memberlist::messages(packet.body) {
        match message {
            Ok(_) => desk.check(Checker::Packets, true, String::new),
            Err(why) => unreadable(desk, packet, why),
        }
    }
}

/// A message of a packet was refused.
pub(super) fn unreadable(desk: &mut Desk, packet: &Sent<'_>, why: mingle_wire::DecodeError) {
    desk.check(Checker::Packets, false, || {
        format!("a packet to {} can't be read: {}", packet.to, why.as_str())
    });
}
