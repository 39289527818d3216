use std::net::SocketAddr;

use mingle_proto::{ExchangeEnd, ExchangeId};

/// What is on its way to a host, or waits there.
#[derive(Debug)]
pub(super) struct Mail {
    pub(super) to: u32,
    /// The life of the host that it is meant for; packets do not care.
    pub(super) life: Option<u32>,
    pub(super) what: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    Packet {
        from: SocketAddr,
        body: Vec<u8>,
    },
    /// The first message on a stream that a peer dialled.
    Opened {
        stream: u64,
        from: SocketAddr,
        body: Vec<u8>,
    },
    /// The answer on a stream of the host's own.
    Answered {
        stream: u64,
        exchange: ExchangeId,
        body: Vec<u8>,
    },
    /// A stream of the host's own is over.
    Ended {
        stream: u64,
        exchange: ExchangeId,
        end: ExchangeEnd,
    },
    /// A join is tried (again).
    Join,
    /// The process ends.
    Exit,
}

impl Mail {
    /// Bytes that it takes in a socket's buffer.
    pub(super) fn bytes(&self) -> usize {
        match &self.what {
            Content::Packet { body, .. } => body.len(),
            Content::Opened { .. }
            | Content::Answered { .. }
            | Content::Ended { .. }
            | Content::Join
            | Content::Exit => 0,
        }
    }
}

/// All that is under way, in places that are used again, with buffers that are used again.
#[derive(Debug, Default)]
pub(super) struct Bag {
    places: Vec<Option<Mail>>,
    free: Vec<u32>,
    buffers: Vec<Vec<u8>>,
}

/// Buffers kept for later.
const SPARE_BUFFERS: usize = 4096;

impl Bag {
    pub(super) fn put(&mut self, mail: Mail) -> u32 {
        if let Some(place) = self.free.pop() {
            self.places[place as usize] = Some(mail);
            return place;
        }
        self.places.push(Some(mail));
        u32::try_from(self.places.len() - 1).expect("memory ends before 2^32 packets are under way")
    }

    pub(super) fn take(&mut self, place: u32) -> Mail {
        self.free.push(place);
        self.places[place as usize].take().expect("each place is taken once")
    }

    /// A copy of these bytes.
    pub(super) fn copy(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut buffer = self.buffers.pop().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(bytes);
        buffer
    }

    pub(super) fn give_back(&mut self, buffer: Vec<u8>) {
        if self.buffers.len() < SPARE_BUFFERS {
            self.buffers.push(buffer);
        }
    }
}
