use std::cmp::Reverse;
use std::collections::BTreeMap;

use mingle_wire::memberlist::PART_OVERHEAD;
use serde::{Deserialize, Serialize};

use crate::members::MemberKey;

/// The transmit-limited queue of claims (spec 9.1): at most one about each member, the newest.
///
/// What was sent least often goes first, and among equals the longest that fits, then the newest.
/// Bounded by the table of members.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Broadcasts {
    /// Indices of claims, in the order of sending.
    queue: BTreeMap<Place, u32>,
    by_member: BTreeMap<MemberKey, u32>,
    claims: Vec<Claim>,
    /// Indices of claims that are no more; what they were written into is used again.
    free: Vec<u32>,
    next_id: u64,
    /// Bytes of all claims in the queue.
    bytes: usize,
    #[serde(skip)]
    taken: Vec<u32>,
    #[serde(skip)]
    spelled: Vec<u8>,
}

const SHORT: &str = "a claim is far shorter than 64 KiB";
/// So many free claims are kept when all have been sent.
const KEPT: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Place {
    // The order of the fields is the order of sending.
    transmits: u32,
    length: Reverse<u16>,
    id: Reverse<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Claim {
    about: MemberKey,
    place: Place,
    /// As the first dialect spells it.
    bytes: Vec<u8>,
    /// Where its second message begins; its end where there is only one.
    second: u16,
}

impl Place {
    /// The first that was sent so often and is not longer.
    const fn first(transmits: u32, length: u16) -> Self {
        Self { transmits, length: Reverse(length), id: Reverse(u64::MAX) }
    }
}

impl Claim {
    fn parts(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let (first, second) = self.bytes.split_at(usize::from(self.second));
        std::iter::once(first).chain((!second.is_empty()).then_some(second))
    }
}

impl Broadcasts {
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Bytes of all that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether a claim about the member still waits to be sent.
    pub(crate) fn holds(&self, about: MemberKey) -> bool {
        self.by_member.contains_key(&about)
    }

    /// Queues a claim in place of any other about the same member. `spell` writes it.
    pub(crate) fn push(&mut self, about: MemberKey, spell: impl FnOnce(&mut Vec<u8>)) {
        self.push_pair(about, spell, |_| {});
    }

    /// Queues a claim of two messages that go together; the second one may be empty.
    pub(crate) fn push_pair(
        &mut self,
        about: MemberKey,
        first: impl FnOnce(&mut Vec<u8>),
        second: impl FnOnce(&mut Vec<u8>),
    ) {
        let index = self.index_for(about);
        // Spelled elsewhere, so that a claim takes the room that it needs and no more.
        self.spelled.clear();
        first(&mut self.spelled);
        let claim = &mut self.claims[index as usize];
        claim.second = u16::try_from(self.spelled.len()).expect(SHORT);
        second(&mut self.spelled);
        claim.bytes.clear();
        claim.bytes.extend_from_slice(&self.spelled);
        let more = if claim.parts().count() > 1 { PART_OVERHEAD } else { 0 };
        let length = u16::try_from(claim.bytes.len() + more).expect(SHORT);
        claim.place = Place { transmits: 0, length: Reverse(length), id: Reverse(self.next_id) };
        self.next_id += 1;
        self.enqueue(index);
    }

    fn enqueue(&mut self, index: u32) {
        let place = self.claims[index as usize].place;
        self.bytes += usize::from(place.length.0);
        self.queue.insert(place, index);
    }

    fn dequeue(&mut self, index: u32) {
        let place = self.claims[index as usize].place;
        self.bytes -= usize::from(place.length.0);
        self.queue.remove(&place);
    }

    /// A claim that is not in the queue: the one about this member, or a free one.
    fn index_for(&mut self, about: MemberKey) -> u32 {
        if let Some(&index) = self.by_member.get(&about) {
            self.dequeue(index);
            return index;
        }
        let index = self.free.pop().unwrap_or_else(|| {
            let bytes = Vec::new();
            self.claims.push(Claim { about, place: Place::first(0, 0), bytes, second: 0 });
            u32::try_from(self.claims.len() - 1).expect("there are at most as many as members")
        });
        self.claims[index as usize].about = about;
        self.by_member.insert(about, index);
        index
    }

    pub(crate) fn remove(&mut self, about: MemberKey) {
        if let Some(index) = self.by_member.remove(&about) {
            self.dequeue(index);
            self.free.push(index);
            self.shrink();
        }
    }

    /// After a storm there is no need for as much room.
    fn shrink(&mut self) {
        if self.by_member.is_empty() && self.claims.len() > KEPT {
            (self.claims, self.free) = (Vec::new(), Vec::new());
        }
    }

    /// Takes out what fits into `room` bytes and `most` parts, each with `overhead` around it. What was
    /// taken is lent by [`Broadcasts::taken`] until [`Broadcasts::put_back`].
    pub(crate) fn take(&mut self, room: usize, overhead: usize, most: usize) {
        debug_assert!(self.taken.is_empty(), "what was taken has been put back");
        let mut left = room;
        let mut transmits = 0;
        let mut parts = 0;
        while parts + 1 < most {
            let fits = u16::try_from(left.saturating_sub(overhead)).unwrap_or(u16::MAX);
            let from = Place::first(transmits, fits);
            let Some((&place, &index)) = self.queue.range(from..).next() else { break };
            if place.transmits > transmits {
                transmits = place.transmits;
                continue;
            }
            self.dequeue(index);
            left -= usize::from(place.length.0) + overhead;
            parts += self.claims[index as usize].parts().count();
            self.taken.push(index);
        }
    }

    /// The messages of the claims that were taken.
    pub(crate) fn taken(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.taken.iter().flat_map(|&index| self.claims[index as usize].parts())
    }

    /// How many claims were taken.
    pub(crate) fn taken_count(&self) -> usize {
        self.taken.len()
    }

    /// Puts back what was taken, once more transmitted, but for what has reached `limit`.
    pub(crate) fn put_back(&mut self, limit: u32) {
        let mut taken = std::mem::take(&mut self.taken);
        for index in taken.drain(..) {
            let claim = &mut self.claims[index as usize];
            claim.place.transmits += 1;
            if claim.place.transmits >= limit {
                self.by_member.remove(&claim.about);
                self.free.push(index);
            } else {
                self.enqueue(index);
            }
        }
        self.taken = taken;
        self.shrink();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use crate::test_util::keys;

    fn push(queue: &mut Broadcasts, about: MemberKey, bytes: &[u8]) {
        queue.push(about, |out| out.extend_from_slice(bytes));
    }

    fn take(queue: &mut Broadcasts, room: usize, limit: u32) -> Vec<Vec<u8>> {
        queue.take(room, 2, 255);
        let taken = queue.taken().map(<[u8]>::to_vec).collect();
        queue.put_back(limit);
        taken
    }

    #[test]
    fn the_longest_that_fits_goes_first_and_then_the_newest() {
        let mut queue = Broadcasts::default();
        let keys = keys(4);
        push(&mut queue, keys[0], b"aaaa");
        push(&mut queue, keys[1], b"bbbbbbbb");
        push(&mut queue, keys[2], b"cccc");
        push(&mut queue, keys[3], b"dddddddddddd");
        let expected: [&[u8]; 2] = [b"dddddddddddd", b"cccc"];
        assert_eq!(take(&mut queue, 22, 9), expected);
        let expected: [&[u8]; 3] = [b"bbbbbbbb", b"aaaa", b"cccc"];
        assert_eq!(take(&mut queue, 22, 9), expected);
    }

    #[test]
    fn a_claim_is_sent_as_often_as_its_limit_says() {
        let mut queue = Broadcasts::default();
        let key = keys(1)[0];
        push(&mut queue, key, b"claim");
        for _ in 0..3 {
            assert_eq!(take(&mut queue, 100, 3).len(), 1);
        }
        assert!(take(&mut queue, 100, 3).is_empty());
        assert!(!queue.holds(key) && queue.is_empty());
    }

    #[test]
    fn a_claim_of_two_messages_takes_the_room_of_two_parts() {
        let mut queue = Broadcasts::default();
        let part = |out: &mut Vec<u8>| out.extend_from_slice(b"claim");
        queue.push_pair(keys(1)[0], part, part);
        let room = 2 * (b"claim".len() + PART_OVERHEAD);
        for (room, parts) in [(room - 1, 0), (room, 2)] {
            queue.take(room, PART_OVERHEAD, 255);
            assert_eq!(queue.taken().count(), parts, "in {room} bytes");
            queue.put_back(9);
        }
    }

    #[test]
    fn a_newer_claim_takes_the_place_of_an_older_one() {
        let mut queue = Broadcasts::default();
        let key = keys(1)[0];
        push(&mut queue, key, b"old");
        take(&mut queue, 100, 3);
        push(&mut queue, key, b"new");
        assert_eq!(queue.len(), 1);
        for _ in 0..3 {
            assert_eq!(take(&mut queue, 100, 3), [b"new"]);
        }
        assert!(queue.is_empty());
    }

    #[test]
    fn taking_equals_its_quadratic_oracle() {
        let mut rng = Rng::new(3);
        let mut queue = Broadcasts::default();
        let keys = keys(40);
        for round in 0..500 {
            let key = keys[rng.index(keys.len())];
            push(&mut queue, key, &vec![7; 1 + rng.index(60)]);
            let room = rng.index(300);
            let mut oracle: Vec<Place> = queue.queue.keys().copied().collect();
            let mut left = room;
            let mut expected = Vec::new();
            for transmits in 0..8 {
                loop {
                    let fitting = oracle.iter().filter(|p| {
                        p.transmits == transmits && usize::from(p.length.0) + 2 <= left
                    });
                    let Some(&best) = fitting.max_by_key(|p| (p.length.0, p.id.0)) else { break };
                    left -= usize::from(best.length.0) + 2;
                    oracle.retain(|p| *p != best);
                    expected.push(best);
                }
            }
            queue.take(room, 2, 255);
            let taken = queue.taken.iter().map(|&index| &queue.claims[index as usize]);
            let got: Vec<Place> = taken.map(|claim| claim.place).collect();
            assert_eq!(got, expected, "round {round}");
            queue.put_back(8);
        }
    }
}
