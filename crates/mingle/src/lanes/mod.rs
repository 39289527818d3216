//! Streams that are kept for messages of the application. Between two mingle nodes there is one in each direction that is used: its
//! messages have numbers, the listener acknowledges the last one that it has taken of those that came together, and
//! the dialer closes it when it was idle for a while. How that is written is in `docs/protocol.md`.

mod receiving;
mod sending;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;

use mingle_wire::{StreamMessage, memberlist};
use tokio::sync::mpsc;

use crate::cluster::Reply;
use crate::queue::lock;

pub(crate) use receiving::receive;
pub(crate) use sending::run;

/// Messages that may wait for one lane; handles wait for room.
pub(crate) const MAX_PARCELS: usize = 256;

/// A message, and who waits for its end.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) payload: Vec<u8>,
    pub(crate) reply: Reply,
}

/// The way to the task of a lane.
pub(crate) type Lane = mpsc::Sender<Parcel>;

/// The lanes that are open, by where they lead.
#[derive(Debug, Default)]
pub(crate) struct Lanes(Mutex<BTreeMap<SocketAddr, Lane>>);

impl Lanes {
    pub(crate) fn get(&self, to: SocketAddr) -> Option<Lane> {
        lock(&self.0).get(&to).filter(|lane| !lane.is_closed()).cloned()
    }

    pub(crate) fn insert(&self, to: SocketAddr, lane: Lane) {
        lock(&self.0).insert(to, lane);
    }

    /// Forgets a lane that has ended, unless there is a new one.
    fn remove(&self, to: SocketAddr) {
        let mut lanes = lock(&self.0);
        if lanes.get(&to).is_some_and(Lane::is_closed) {
            lanes.remove(&to);
        }
    }
}

/// Whether its dialer wants the stream kept on which this message came.
pub(crate) fn is_numbered(body: &[u8]) -> bool {
    matches!(memberlist::decode_stream(body), Ok(StreamMessage::Numbered { .. }))
}

/// What an ack carries whose sender keeps the stream. Without it, the dialer has to dial again.
const KEEPS: &[u8] = b"keeps";
