//! A calendar queue (Brown, 1988): what is due soon lies in buckets of equal width, and only the
//! bucket that has come is put in order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use mingle_proto::Instant;

/// Something that happens at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Happening {
    /// A deadline of this host's node, or its turn to look at what waits.
    Wake(u32),
    /// What lies at this place of the mail arrives.
    Arrival(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at: u64,
    /// What was queued first comes first among equals.
    order: u64,
    what: Happening,
}

/// What is to come, in the order of time, and among equals in the order of queueing.
#[derive(Debug)]
pub(super) struct Queue {
    /// What has come, and what is added while it is the bucket's turn.
    near: BinaryHeap<Reverse<Entry>>,
    /// The bucket whose turn it is.
    bucket: u64,
    buckets: Vec<Vec<Entry>>,
    /// A bit for each bucket that has something.
    filled: Vec<u64>,
    /// What lies beyond the last bucket.
    far: BinaryHeap<Reverse<Entry>>,
    order: u64,
}

/// A bucket is 2^18 ns wide, a quarter of a millisecond: in a thousand nodes about two happenings.
const WIDTH_BITS: u32 = 18;
/// As many buckets as two seconds need, since most timers are shorter.
const BUCKETS: u64 = 8192;

const fn bucket_of(at: u64) -> u64 {
    at >> WIDTH_BITS
}

fn slot_of(bucket: u64) -> usize {
    usize::try_from(bucket % BUCKETS).expect("there are few buckets")
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            near: BinaryHeap::new(),
            bucket: 0,
            buckets: vec![Vec::new(); slot_of(BUCKETS - 1) + 1],
            filled: vec![0; slot_of(BUCKETS - 1) / 64 + 1],
            far: BinaryHeap::new(),
            order: 0,
        }
    }

    pub(super) fn push(&mut self, at: Instant, what: Happening) {
        let entry = Entry { at: at.as_nanos(), order: self.order, what };
        self.order += 1;
        let bucket = bucket_of(entry.at);
        if bucket <= self.bucket {
            self.near.push(Reverse(entry));
        } else if bucket - self.bucket < BUCKETS {
            let slot = slot_of(bucket);
            self.buckets[slot].push(entry);
            self.filled[slot / 64] |= 1 << (slot % 64);
        } else {
            self.far.push(Reverse(entry));
        }
    }

    /// Takes out the next thing, if it is due by `end`.
    pub(super) fn pop(&mut self, end: Instant) -> Option<(Instant, Happening)> {
        if self.near.is_empty() && !self.turn() {
            return None;
        }
        let Reverse(first) = self.near.peek()?;
        if first.at > end.as_nanos() {
            return None;
        }
        let Reverse(entry) = self.near.pop()?;
        Some((Instant::from_nanos(entry.at), entry.what))
    }

    /// Turns to the next bucket that has something.
    fn turn(&mut self) -> bool {
        let near = self.next_filled();
        let far = self.far.peek().map(|Reverse(entry)| bucket_of(entry.at));
        let Some(bucket) = near.into_iter().chain(far).min() else { return false };
        self.bucket = bucket;
        if near == Some(bucket) {
            let slot = slot_of(bucket);
            self.filled[slot / 64] &= !(1 << (slot % 64));
            self.near.extend(self.buckets[slot].drain(..).map(Reverse));
        }
        while self.far.peek().is_some_and(|Reverse(entry)| bucket_of(entry.at) == bucket) {
            self.near.extend(self.far.pop());
        }
        true
    }

    fn next_filled(&self) -> Option<u64> {
        let start = slot_of(self.bucket);
        let words = self.filled.len();
        for step in 0..=words {
            let word = (start / 64 + step) % words;
            let mut bits = self.filled[word];
            if step == 0 {
                bits &= u64::MAX << (start % 64);
            } else if step == words {
                bits &= !(u64::MAX << (start % 64));
            }
            if bits != 0 {
                let slot = (word * 64) as u64 + u64::from(bits.trailing_zeros());
                let ahead = (slot + BUCKETS - start as u64) % BUCKETS;
                return Some(self.bucket + ahead);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn it_gives_what_a_sorted_list_gives() {
        let mut rng = Rng::new(1);
        let mut queue = Queue::new();
        let mut oracle = std::collections::BTreeSet::new();
        let (mut now, mut order) = (0, 0);
        for round in 0..200_000_u32 {
            if rng.below(5) < 3 {
                let ahead = match rng.below(4) {
                    0 => rng.below(1000),
                    1 => rng.below(5_000_000),
                    2 => rng.below(2_500_000_000),
                    _ => rng.below(60_000_000_000),
                };
                queue.push(Instant::from_nanos(now + ahead), Happening::Wake(round));
                oracle.insert((now + ahead, order, round));
                order += 1;
            } else {
                let end = now + rng.below(50_000_000);
                let expected = oracle.first().copied().filter(|first| first.0 <= end);
                let got = queue.pop(Instant::from_nanos(end));
                assert_eq!(
                    got,
                    expected.map(|(at, _, what)| (Instant::from_nanos(at), Happening::Wake(what)))
                );
                match expected {
                    Some(first) => {
                        oracle.remove(&first);
                        now = first.0;
                    }
                    None => now = end,
                }
            }
        }
        assert!(oracle.len() > 1000);
    }
}
