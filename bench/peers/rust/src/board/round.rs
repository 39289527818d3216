use std::sync::atomic::{AtomicUsize, Ordering};

use super::latch::Latch;
use super::{Board, Nanos};
use crate::percentile::percentile;

/// Which message: the first eight bytes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// Of which round of broadcasts.
    pub(crate) round: u32,
    /// Which of that round.
    pub(crate) index: u32,
}

impl Key {
    /// Bytes that it takes.
    pub(crate) const LENGTH: usize = 8;
    /// In place of a round: the message belongs to a pour.
    const POUR: u32 = u32::MAX;

    pub(super) fn of_pour(pour: usize) -> Self {
        Self { round: Self::POUR, index: u32::try_from(pour).unwrap_or(u32::MAX) }
    }

    pub(super) fn pour(self) -> Option<usize> {
        (self.round == Self::POUR).then_some(usize::try_from(self.index).unwrap_or(usize::MAX))
    }

    pub(crate) fn bytes(self) -> [u8; Self::LENGTH] {
        (u64::from(self.round) << 32 | u64::from(self.index)).to_be_bytes()
    }

    /// The key at the start of a message; `None` when it is too short.
    pub(crate) fn read(message: &[u8]) -> Option<Self> {
        let (&[a, b, c, d, e, f, g, h], _) = message.split_first_chunk()?;
        let [round, index] = [[a, b, c, d], [e, f, g, h]].map(u32::from_be_bytes);
        Some(Self { round, index })
    }
}

/// A round of broadcasts: when each message was sent, and when it came to each node.
#[derive(Debug)]
pub(crate) struct Round {
    /// Which round.
    pub(crate) number: u32,
    nodes: usize,
    sent: Vec<Latch>,
    /// By message, then node.
    arrived: Vec<Latch>,
    arrivals: AtomicUsize,
}

/// What has become of a round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spread {
    /// Nanoseconds from the sending until all had a message, sorted, over the messages that all got.
    pub(crate) all: Vec<Nanos>,
    /// Nanoseconds from the sending until a node had a message, sorted, over the pairs.
    pub(crate) each: Vec<Nanos>,
    /// Pairs that did not.
    pub(crate) lost: usize,
}

impl Round {
    pub(super) fn new(number: u32, messages: usize, nodes: usize) -> Self {
        let latches = |count: usize| (0..count).map(|_| Latch::default()).collect();
        Self {
            number,
            nodes,
            sent: latches(messages),
            arrived: latches(messages * nodes),
            arrivals: AtomicUsize::new(0),
        }
    }

    pub(crate) fn key(&self, message: usize) -> Key {
        Key { round: self.number, index: u32::try_from(message).expect("fewer than 2^32 messages") }
    }

    /// Node 0 sends this message now, and so has it.
    pub(crate) fn sends(&self, message: usize, now: Nanos) {
        self.sent[message].set(now);
        self.arrived[message * self.nodes].set(now);
    }

    /// A message is at a node; says whether it is new there.
    pub(super) fn arrived(&self, key: Key, node: usize, now: impl FnOnce() -> Nanos) -> bool {
        let message = usize::try_from(key.index).unwrap_or(usize::MAX);
        if key.round != self.number || message >= self.sent.len() {
            return false;
        }
        let latch = &self.arrived[message * self.nodes + node];
        let new = !latch.is_set() && latch.set(now());
        if new {
            self.arrivals.fetch_add(1, Ordering::Relaxed);
        }
        new
    }

    /// Pairs of a message and a node other than its sender that has it.
    pub(crate) fn arrivals(&self) -> usize {
        self.arrivals.load(Ordering::Relaxed)
    }

    /// Sums up what came to the nodes that run.
    pub(crate) fn spread(&self, board: &Board) -> Spread {
        let mut spread = Spread::default();
        for (message, sent) in self.sent.iter().enumerate() {
            let Some(sent) = sent.get() else {
                continue;
            };
            let took = |node: usize| {
                let at = self.arrived[message * self.nodes + node].get()?;
                Some(at.saturating_sub(sent))
            };
            let times: Vec<_> = board.running().filter(|&node| node > 0).map(took).collect();
            spread.lost += times.iter().filter(|time| time.is_none()).count();
            spread.each.extend(times.iter().flatten());
            let whole: Option<Vec<_>> = times.into_iter().collect();
            spread.all.extend(whole.and_then(|times| times.into_iter().max()));
        }
        spread.all.sort_unstable();
        spread.each.sort_unstable();
        spread
    }
}

impl Spread {
    /// The time of this many percent of the messages to get to all.
    pub(crate) fn to_all(&self, percent: usize) -> Option<Nanos> {
        percentile(&self.all, percent)
    }

    /// The time of this many percent of the pairs.
    pub(crate) fn to_each(&self, percent: usize) -> Option<Nanos> {
        percentile(&self.each, percent)
    }
}
