use std::collections::BTreeMap;

use mingle_proto::{ExchangeId, Instant};

/// Who has which end of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    pub(super) dialer: End,
    /// When the dialer gives up, by its own clock.
    pub(super) deadline: Instant,
    pub(super) listener: Option<End>,
}

/// A process and its number for the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) host: u32,
    pub(super) life: u32,
    pub(super) exchange: ExchangeId,
}

/// All streams that are open.
#[derive(Debug, Default)]
pub(super) struct Streams {
    open: BTreeMap<u64, Stream>,
    /// By the listener's end.
    theirs: BTreeMap<(u32, u64), u64>,
    next: u64,
}

impl Streams {
    pub(super) fn dial(&mut self, dialer: End, deadline: Instant) -> u64 {
        self.next += 1;
        self.open.insert(self.next, Stream { dialer, deadline, listener: None });
        self.next
    }

    pub(super) fn get(&self, stream: u64) -> Option<Stream> {
        self.open.get(&stream).copied()
    }

    /// The listener has read the first message.
    pub(super) fn accept(&mut self, stream: u64, listener: End) {
        if let Some(open) = self.open.get_mut(&stream) {
            open.listener = Some(listener);
            if let ExchangeId::Theirs(number) = listener.exchange {
                self.theirs.insert((listener.host, number), stream);
            }
        }
    }

    /// The stream that the host's exchange is on.
    pub(super) fn find(&self, host: u32, exchange: ExchangeId) -> Option<(u64, Stream)> {
        let ExchangeId::Theirs(number) = exchange else { return None };
        let stream = *self.theirs.get(&(host, number))?;
        Some((stream, self.get(stream)?))
    }

    /// The listener says no more; the dialer is still to hear of it.
    pub(super) fn answered(&mut self, stream: u64) {
        if let Some(End { host, exchange: ExchangeId::Theirs(number), .. }) =
            self.get(stream).and_then(|stream| stream.listener)
        {
            self.theirs.remove(&(host, number));
        }
    }

    pub(super) fn close(&mut self, stream: u64) -> Option<Stream> {
        let closed = self.open.remove(&stream)?;
        if let Some(End { host, exchange: ExchangeId::Theirs(number), .. }) = closed.listener {
            self.theirs.remove(&(host, number));
        }
        Some(closed)
    }

    /// Those that the host dialled or accepted.
    pub(super) fn of(&self, host: u32) -> Vec<u64> {
        let has = |stream: &Stream| {
            stream.dialer.host == host || stream.listener.is_some_and(|end| end.host == host)
        };
        self.open.iter().filter(|(_, stream)| has(stream)).map(|(&id, _)| id).collect()
    }
}
