use std::collections::{BTreeSet, VecDeque};
use std::hash::{BuildHasher, Hasher};
use std::net::SocketAddr;
use std::time::Duration;

use foldhash::quality::FixedState;
use hashbrown::HashTable;
use mingle_wire::{Incarnation, State};
use serde::{Deserialize, Serialize};

use crate::law::Belief;
use crate::rng::Rng;
use crate::rtt::Rtt;
use crate::versions::Stated;
use crate::{Instant, Member, Profile};

/// A place in the table of members. Used again after its member was reaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct MemberKey(u32);

impl MemberKey {
    /// The local node's own place.
    pub(crate) const LOCAL: Self = Self(0);

    fn index(self) -> usize {
        self.0 as usize
    }
}

/// What is kept of one member. 40 bytes; see `bench/` for the whole.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Slot {
    pub(crate) profile: Profile,
    since: Stamp,
    pub(crate) incarnation: Incarnation,
    /// The incarnation of the alive message that the profile is from; not above `incarnation`.
    pub(crate) profile_incarnation: Incarnation,
    position: Position,
    last_ack: Stamp,
    pub(crate) state: State,
    /// What its last ack said of its view.
    pub(crate) told: Told,
    /// How long its answers take, at this address.
    pub(crate) rtt: Rtt,
}

/// What a member's last ack said of its view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Told {
    /// Nothing, or there was none.
    Nothing,
    /// It was the one that we had then.
    Same,
    /// It was another one.
    Other,
}

/// A point in time in tenths of a second, in half of an [`Instant`]'s space. 0 is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp(u32);

impl Stamp {
    const UNIT: u64 = 100_000_000;

    fn of(now: Instant) -> Self {
        Self(u32::try_from(now.as_nanos() / Self::UNIT + 1).unwrap_or(u32::MAX))
    }

    fn get(self) -> Option<Instant> {
        let tenths = self.0.checked_sub(1)?;
        Some(Instant::from_nanos(u64::from(tenths) * Self::UNIT))
    }
}

/// A place in the ring, or none. Three bytes bring a slot from 48 to 40; `Config::check` keeps
/// `max_members` far below what they count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Position([u8; 3]);

impl Position {
    const NOWHERE: Self = Self([0xff; 3]);

    fn new(position: usize) -> Self {
        let [a, b, c, d] = u32::try_from(position).unwrap_or(u32::MAX).to_le_bytes();
        assert!(d == 0, "the ring is no longer than the slab");
        Self([a, b, c])
    }

    fn get(self) -> Option<usize> {
        let [a, b, c] = self.0;
        (self != Self::NOWHERE).then_some(u32::from_le_bytes([a, b, c, 0]) as usize)
    }
}

impl Slot {
    pub(crate) fn belief(&self) -> Belief {
        Belief { incarnation: self.incarnation, state: self.state }
    }

    /// How long ago it last answered us.
    pub(crate) fn last_ack_age(&self, now: Instant) -> Option<Duration> {
        self.last_ack.get().map(|at| now.since(at))
    }

    /// Since when it has been in its state, to a tenth of a second.
    pub(crate) fn since(&self) -> Instant {
        self.since.get().unwrap_or(Instant::ORIGIN)
    }

    fn member(&self) -> Member {
        Member {
            profile: self.profile.clone(),
            state: self.state,
            incarnation: self.incarnation,
            since: self.since(),
        }
    }

    fn fingerprint(&self) -> u64 {
        if self.state.is_live() { fingerprint(&self.profile, self.incarnation) } else { 0 }
    }
}

/// All beliefs: a slab with an index by name, and the ring of live members in probing order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub(crate) struct Members {
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    index: HashTable<u32>,
    seed: u64,
    /// Live members but for the local one. Those before `cursor` have been probed in this round.
    ring: Vec<MemberKey>,
    cursor: usize,
    /// Members that died, oldest first; may name some that have come back since, or places whose
    /// members have gone.
    fallen: VecDeque<(Instant, MemberKey)>,
    /// Those that are dead now.
    dead: BTreeSet<MemberKey>,
    fingerprint: u64,
    stated: Stated,
}

impl Members {
    /// A table with the local node in it. `seed` keys the index.
    pub(crate) fn new(local: Profile, incarnation: Incarnation, seed: u64, now: Instant) -> Self {
        let mut members = Self {
            slots: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            seed,
            ring: Vec::new(),
            cursor: 0,
            fallen: VecDeque::new(),
            dead: BTreeSet::new(),
            fingerprint: 0,
            stated: Stated::default(),
        };
        let key = members.store(local, incarnation, now);
        assert_eq!(key, MemberKey::LOCAL, "the first slot is the local node's");
        members
    }

    /// How many there are, in whatever state.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// How many are alive or suspect, the local node included unless it has left.
    pub(crate) fn live(&self) -> usize {
        self.ring.len() + usize::from(self.local().state.is_live())
    }

    /// How many others are alive or suspect.
    pub(crate) fn live_others(&self) -> usize {
        self.ring.len()
    }

    /// How many are dead or left, the local node not counted.
    pub(crate) fn gone(&self) -> usize {
        self.len() - 1 - self.ring.len()
    }

    /// How many are dead.
    pub(crate) fn dead(&self) -> usize {
        self.dead.len()
    }

    /// One of the dead, at random.
    pub(crate) fn pick_dead(&self, rng: &mut Rng) -> Option<MemberKey> {
        let from = MemberKey(u32::try_from(rng.index(self.slots.len())).unwrap_or_default());
        self.dead.range(from..).next().or_else(|| self.dead.first()).copied()
    }

    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Which versions they state.
    pub(crate) fn stated(&self) -> &Stated {
        &self.stated
    }

    pub(crate) fn local(&self) -> &Slot {
        self.get(MemberKey::LOCAL)
    }

    /// # Panics
    ///
    /// When nobody is there: whoever reaps takes every key out of circulation.
    pub(crate) fn get(&self, key: MemberKey) -> &Slot {
        self.find_slot(key).expect("keys of reaped members are not kept")
    }

    /// Whether somebody is there.
    pub(crate) fn holds(&self, key: MemberKey) -> bool {
        self.find_slot(key).is_some()
    }

    fn find_slot(&self, key: MemberKey) -> Option<&Slot> {
        self.slots.get(key.index())?.as_ref()
    }

    pub(crate) fn member(&self, key: MemberKey) -> Member {
        self.get(key).member()
    }

    pub(crate) fn find(&self, name: &str) -> Option<MemberKey> {
        self.find_bytes(name.as_bytes())
    }

    /// As [`find`](Self::find), by the bytes of a name.
    pub(crate) fn find_bytes(&self, name: &[u8]) -> Option<MemberKey> {
        let is_named = |&slot: &u32| slot_in(&self.slots, slot).profile.name_bytes() == name;
        let found = self.index.find(hash_of(self.seed, name), is_named);
        found.map(|&slot| MemberKey(slot))
    }

    /// Everybody, in the order of their slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot> + '_ {
        self.slots.iter().flatten()
    }

    /// The same with their keys.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (MemberKey, &Slot)> + Clone {
        let slots = (0..).map(MemberKey).zip(&self.slots);
        slots.filter_map(|(key, slot)| Some((key, slot.as_ref()?)))
    }

    /// The live member at this address, by a look at every one.
    pub(crate) fn find_live_at(&self, address: SocketAddr) -> Option<MemberKey> {
        let is_there = |&key: &MemberKey| self.get(key).profile.address().socket_addr() == address;
        self.ring.iter().copied().find(is_there)
    }

    /// Takes in a new member as alive, at a random place of the probing order (spec 7.1).
    pub(crate) fn insert(
        &mut self,
        profile: Profile,
        incarnation: Incarnation,
        now: Instant,
        rng: &mut Rng,
    ) -> MemberKey {
        debug_assert!(self.find(profile.name()).is_none(), "names are unique");
        let key = self.store(profile, incarnation, now);
        self.enter_ring(key, rng);
        key
    }

    /// Makes room for so many members, all in all.
    pub(crate) fn reserve(&mut self, count: usize) {
        self.slots.reserve_exact(count.saturating_sub(self.slots.len()));
        self.ring.reserve_exact(count.saturating_sub(self.ring.len()));
        let (seed, slots) = (self.seed, &self.slots);
        let missing = count.saturating_sub(self.index.len());
        self.index.reserve(missing, |&slot| rehash(seed, slots, slot));
    }

    fn store(&mut self, profile: Profile, incarnation: Incarnation, now: Instant) -> MemberKey {
        let slot = Slot {
            profile,
            since: Stamp::of(now),
            incarnation,
            profile_incarnation: incarnation,
            position: Position::NOWHERE,
            last_ack: Stamp::default(),
            state: State::Alive,
            told: Told::Nothing,
            rtt: Rtt::default(),
        };
        self.fingerprint = self.fingerprint.wrapping_add(slot.fingerprint());
        self.stated.add(slot.profile.versions(), slot.state);
        let hash = hash_of(self.seed, slot.profile.name_bytes());
        let place = match self.free.pop() {
            Some(place) => place,
            None => self.grow(),
        };
        self.slots[place as usize] = Some(slot);
        let (slots, seed) = (&self.slots, self.seed);
        self.index.insert_unique(hash, place, |&other| rehash(seed, slots, other));
        MemberKey(place)
    }

    /// Adds a slot.
    fn grow(&mut self) -> u32 {
        reserve_one(&mut self.slots);
        self.slots.push(None);
        u32::try_from(self.slots.len() - 1).expect("Config::check bounds max_members far below")
    }

    /// Forgets a member that is dead or left.
    pub(crate) fn remove(&mut self, key: MemberKey) -> Member {
        assert!(key != MemberKey::LOCAL, "the local node stays");
        let hash = hash_of(self.seed, self.get(key).profile.name_bytes());
        let entry = self.index.find_entry(hash, |&slot| slot == key.0);
        entry.expect("every member is in the index").remove();
        self.leave_ring(key);
        self.dead.remove(&key);
        let slot = self.slots[key.index()].take().expect("it was just looked up");
        self.fingerprint = self.fingerprint.wrapping_sub(slot.fingerprint());
        self.stated.remove(slot.profile.versions(), slot.state);
        self.free.push(key.0);
        slot.member()
    }

    /// Sets what is believed of a member. The time of the change is kept where the state stays.
    pub(crate) fn set_belief(
        &mut self,
        key: MemberKey,
        belief: Belief,
        now: Instant,
        rng: &mut Rng,
    ) {
        let before = self.get(key).state;
        self.change(key, |slot| {
            slot.state = belief.state;
            slot.incarnation = belief.incarnation;
            if before != belief.state {
                slot.since = Stamp::of(now);
                slot.told = Told::Nothing;
            }
        });
        if belief.state == State::Dead {
            self.dead.insert(key);
        } else if before == State::Dead {
            self.dead.remove(&key);
        }
        match (before.is_live(), belief.state.is_live()) {
            (true, false) => self.fall(key, belief.state, now),
            (false, true) => self.enter_ring(key, rng),
            (true, true) | (false, false) => {}
        }
    }

    /// Sets what a member says of itself.
    pub(crate) fn set_profile(&mut self, key: MemberKey, profile: Profile, of: Incarnation) {
        self.change(key, |slot| {
            if slot.profile.address() != profile.address() {
                slot.rtt = Rtt::default();
            }
            slot.profile = profile;
            slot.profile_incarnation = of;
        });
    }

    /// Notes that the profile was confirmed at a later incarnation.
    pub(crate) fn confirm_profile(&mut self, key: MemberKey, of: Incarnation) {
        let slot = self.slots[key.index()].as_mut().expect("keys of reaped members are not kept");
        slot.profile_incarnation = of;
    }

    /// Notes what an ack said of its sender's view.
    pub(crate) fn note_told(&mut self, key: MemberKey, told: Told) {
        let slot = self.slots[key.index()].as_mut().expect("keys of reaped members are not kept");
        slot.told = told;
    }

    /// Notes that a member answered.
    pub(crate) fn heard(&mut self, key: MemberKey, now: Instant) {
        let slot = self.slots[key.index()].as_mut().expect("keys of reaped members are not kept");
        slot.last_ack = Stamp::of(now);
    }

    /// How long its answers take, to be changed.
    pub(crate) fn rtt_mut(&mut self, key: MemberKey) -> &mut Rtt {
        let slot = self.slots[key.index()].as_mut().expect("keys of reaped members are not kept");
        &mut slot.rtt
    }

    fn change(&mut self, key: MemberKey, change: impl FnOnce(&mut Slot)) {
        let slot = self.slots[key.index()].as_mut().expect("keys of reaped members are not kept");
        self.fingerprint = self.fingerprint.wrapping_sub(slot.fingerprint());
        let (versions, state) = (slot.profile.versions(), slot.state);
        change(slot);
        self.fingerprint = self.fingerprint.wrapping_add(slot.fingerprint());
        if (versions, state) != (slot.profile.versions(), slot.state) {
            self.stated.remove(versions, state);
            self.stated.add(slot.profile.versions(), slot.state);
        }
    }

    fn fall(&mut self, key: MemberKey, state: State, now: Instant) {
        self.leave_ring(key);
        if state != State::Dead {
            return;
        }
        self.fallen.push_back((now, key));
        if self.fallen.len() > 2 * self.len() + 16 {
            let slots = &self.slots;
            let is_dead = |key: MemberKey| matches!(slots.get(key.index()), Some(Some(slot)) if slot.state == State::Dead);
            self.fallen.retain(|&(_, key)| is_dead(key));
        }
    }

    /// Puts a live member at a random place of the ring. Before the cursor, it waits for the next
    /// round; after it, for its turn in this one.
    fn enter_ring(&mut self, key: MemberKey, rng: &mut Rng) {
        if key == MemberKey::LOCAL {
            return;
        }
        let probed = rng.index(self.ring.len() + 1) < self.cursor;
        reserve_one(&mut self.ring);
        self.ring.push(key);
        let last = self.ring.len() - 1;
        self.note_position(last);
        if probed {
            self.swap_ring(self.cursor, last);
            self.cursor += 1;
        }
    }

    fn leave_ring(&mut self, key: MemberKey) {
        let Some(mut position) = self.get(key).position.get() else { return };
        if position < self.cursor {
            self.cursor -= 1;
            self.swap_ring(position, self.cursor);
            position = self.cursor;
        }
        self.swap_ring(position, self.ring.len() - 1);
        self.ring.pop();
        if let Some(slot) = &mut self.slots[key.index()] {
            slot.position = Position::NOWHERE;
        }
    }

    fn swap_ring(&mut self, a: usize, b: usize) {
        self.ring.swap(a, b);
        self.note_position(a);
        self.note_position(b);
    }

    fn note_position(&mut self, position: usize) {
        let key = self.ring[position];
        if let Some(slot) = &mut self.slots[key.index()] {
            slot.position = Position::new(position);
        }
    }

    /// Whom to probe next. Each live member comes once in a round, and each round has a new random
    /// order (SWIM, section 4.3): one step of a Fisher-Yates shuffle per call.
    pub(crate) fn next_to_probe(&mut self, rng: &mut Rng) -> Option<MemberKey> {
        if self.ring.is_empty() {
            return None;
        }
        if self.cursor >= self.ring.len() {
            self.cursor = 0;
        }
        let chosen = self.cursor + rng.index(self.ring.len() - self.cursor);
        self.swap_ring(self.cursor, chosen);
        self.cursor += 1;
        Some(self.ring[self.cursor - 1])
    }

    /// Up to `count` live members at random that pass.
    pub(crate) fn pick(
        &self,
        rng: &mut Rng,
        count: usize,
        pass: impl Fn(MemberKey, &Slot) -> bool,
        chosen: &mut Vec<MemberKey>,
    ) {
        self.pick_among(self.ring.len(), rng, count, pass, chosen);
    }

    /// Up to `count` members at random that are live, or died after `since`.
    pub(crate) fn pick_for_gossip(
        &mut self,
        rng: &mut Rng,
        count: usize,
        since: Instant,
        chosen: &mut Vec<MemberKey>,
    ) {
        while self.fallen.front().is_some_and(|&(died, _)| died < since) {
            self.fallen.pop_front();
        }
        let candidates = self.ring.len() + self.fallen.len();
        let pass = |_, slot: &Slot| slot.state != State::Left;
        self.pick_among(candidates, rng, count, pass, chosen);
    }

    /// As Go draws (spec 9.2): from a shuffled copy where there are few, else by chance with a bound
    /// on the number of draws.
    fn pick_among(
        &self,
        candidates: usize,
        rng: &mut Rng,
        count: usize,
        pass: impl Fn(MemberKey, &Slot) -> bool,
        chosen: &mut Vec<MemberKey>,
    ) {
        chosen.clear();
        let at = |i: usize| match i.checked_sub(self.ring.len()) {
            None => self.ring[i],
            Some(fallen) => self.fallen[fallen].1,
        };
        let passes = |key| self.find_slot(key).is_some_and(|slot| pass(key, slot));
        if candidates < 3 * count {
            chosen.extend((0..candidates).map(at).filter(|&key| passes(key)));
            chosen.sort_unstable();
            chosen.dedup();
            for i in (1..chosen.len()).rev() {
                chosen.swap(i, rng.index(i + 1));
            }
            chosen.truncate(count);
            return;
        }
        for _ in 0..3 * candidates {
            if chosen.len() == count {
                return;
            }
            let key = at(rng.index(candidates));
            if !chosen.contains(&key) && passes(key) {
                chosen.push(key);
            }
        }
    }

    /// The fingerprint computed from nothing but the slots, and every index held against them.
    #[cfg(any(test, debug_assertions))]
    pub(crate) fn check(&self) {
        let sum = self.iter().fold(0u64, |sum, slot| sum.wrapping_add(slot.fingerprint()));
        assert_eq!(sum, self.fingerprint, "the fingerprint is the sum over live members");
        assert_eq!(stated(&self.slots), self.stated, "versions are those of all members");
        assert_eq!(self.index.len(), self.len(), "everybody is in the index once");
        assert!(self.cursor <= self.ring.len());
        for (position, &key) in self.ring.iter().enumerate() {
            let slot = self.get(key);
            assert_eq!(slot.position.get(), Some(position), "positions are those of the ring");
            assert!(slot.state.is_live() && key != MemberKey::LOCAL, "the ring is for live others");
        }
        let is_dead =
            |&place: &usize| matches!(&self.slots[place], Some(slot) if slot.state == State::Dead);
        let dead = (1..self.slots.len()).filter(is_dead);
        assert!(dead.eq(self.dead.iter().map(|key| key.index())), "the dead are known as such");
        let live = self.iter().skip(1).filter(|slot| slot.state.is_live()).count();
        assert_eq!(live, self.ring.len(), "all live others are in the ring");
        for slot in self.iter() {
            let found = self.find(slot.profile.name()).expect("every name is in the index");
            assert_eq!(self.get(found).profile.name(), slot.profile.name());
            assert!(slot.profile_incarnation <= slot.incarnation);
        }
    }
}

/// Makes room for one more. Tables grow by an eighth at a time, so that little of them is slack.
fn reserve_one<T>(table: &mut Vec<T>) {
    if table.len() == table.capacity() {
        table.reserve_exact((table.len() / 8).max(8));
    }
}

fn slot_in(slots: &[Option<Slot>], slot: u32) -> &Slot {
    slots[slot as usize].as_ref().expect("the index names only members")
}

fn rehash(seed: u64, slots: &[Option<Slot>], slot: u32) -> u64 {
    hash_of(seed, slot_in(slots, slot).profile.name_bytes())
}

fn hash_of(seed: u64, name: &[u8]) -> u64 {
    let mut hasher = FixedState::with_seed(seed).build_hasher();
    hasher.write(name);
    hasher.finish()
}

/// What one live member adds to the fingerprint of a view: a multiplicative hash over the words of its
/// profile and its incarnation, finished with splitmix64's mixer so that sums of them differ. Equal on
/// every node and platform; alive and suspect count the same, so that a passing doubt is no
/// disagreement.
fn fingerprint(profile: &Profile, incarnation: Incarnation) -> u64 {
    let bytes = profile.as_bytes();
    let start = (bytes.len() as u64) << 32 | u64::from(incarnation.get());
    let mut z = bytes.chunks(8).fold(start, |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        let product = (hash ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        product ^ (product >> 32)
    });
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The versions of all who are there.
fn stated(slots: &[Option<Slot>]) -> Stated {
    let mut stated = Stated::default();
    for slot in slots.iter().flatten() {
        stated.add(slot.profile.versions(), slot.state);
    }
    stated
}

/// The table as checkpoints hold it: all but what follows from the slots.
#[derive(Clone, Serialize, Deserialize)]
struct Stored {
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    seed: u64,
    ring: Vec<MemberKey>,
    cursor: usize,
    fallen: VecDeque<(Instant, MemberKey)>,
    fingerprint: u64,
}

impl From<Members> for Stored {
    fn from(members: Members) -> Self {
        let Members {
            slots,
            free,
            index: _,
            seed,
            ring,
            cursor,
            fallen,
            dead: _,
            fingerprint,
            stated: _,
        } = members;
        Self { slots, free, seed, ring, cursor, fallen, fingerprint }
    }
}

impl From<Stored> for Members {
    fn from(stored: Stored) -> Self {
        let Stored { slots, free, seed, ring, cursor, fallen, fingerprint } = stored;
        let mut index = HashTable::with_capacity(slots.len() - free.len());
        let rehash = |&place: &u32| rehash(seed, &slots, place);
        for place in 0..u32::try_from(slots.len()).unwrap_or(u32::MAX) {
            if slots[place as usize].is_some() {
                index.insert_unique(rehash(&place), place, rehash);
            }
        }
        let stated = stated(&slots);
        let mut members = Self {
            slots,
            free,
            index,
            seed,
            ring,
            cursor,
            fallen,
            dead: BTreeSet::new(),
            fingerprint,
            stated,
        };
        let is_dead = |(key, slot): (MemberKey, &Slot)| (slot.state == State::Dead).then_some(key);
        members.dead = members.entries().filter_map(is_dead).collect();
        members
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_util::profile;
    use proptest::{collection, prop_assert_eq, proptest};

    fn table() -> (Members, Rng) {
        let local = profile("local", 1);
        (Members::new(local, Incarnation::FIRST, 7, Instant::ORIGIN), Rng::new(1))
    }

    fn belief(state: State, incarnation: u32) -> Belief {
        Belief { incarnation: Incarnation::new(incarnation).unwrap(), state }
    }

    fn add(members: &mut Members, rng: &mut Rng, i: u16) -> MemberKey {
        members.insert(profile(&format!("n{i}"), i + 1), Incarnation::FIRST, Instant::ORIGIN, rng)
    }

    #[test]
    fn everybody_is_probed_once_in_a_round() {
        let (mut members, mut rng) = table();
        let keys: BTreeSet<_> = (1..=20).map(|i| add(&mut members, &mut rng, i)).collect();
        while members.cursor < members.ring.len() {
            members.next_to_probe(&mut rng);
        }
        for _ in 0..3 {
            let round: Vec<_> = (0..20).map(|_| members.next_to_probe(&mut rng).unwrap()).collect();
            assert_eq!(round.iter().copied().collect::<BTreeSet<_>>(), keys);
        }
    }

    #[test]
    fn gossip_goes_to_the_live_and_the_lately_dead_but_never_to_those_who_left() {
        let (mut members, mut rng) = table();
        let keys: Vec<_> = (1..=4).map(|i| add(&mut members, &mut rng, i)).collect();
        let at = Instant::from_millis;
        members.set_belief(keys[0], belief(State::Dead, 1), at(10), &mut rng);
        members.set_belief(keys[1], belief(State::Left, 1), at(10), &mut rng);
        members.set_belief(keys[2], belief(State::Suspect, 1), at(10), &mut rng);
        let mut chosen = Vec::new();
        members.pick_for_gossip(&mut rng, 9, at(5), &mut chosen);
        chosen.sort();
        assert_eq!(chosen, [keys[0], keys[2], keys[3]]);
        members.pick_for_gossip(&mut rng, 9, at(11), &mut chosen);
        chosen.sort();
        assert_eq!(chosen, [keys[2], keys[3]]);
    }

    #[test]
    fn picks_are_distinct_and_pass() {
        let (mut members, mut rng) = table();
        let keys: Vec<_> = (1..=50).map(|i| add(&mut members, &mut rng, i)).collect();
        let mut chosen = Vec::new();
        for _ in 0..100 {
            members.pick(&mut rng, 3, |key, _| key != keys[0], &mut chosen);
            chosen.sort();
            chosen.dedup();
            assert_eq!(chosen.len(), 3);
            assert!(!chosen.contains(&keys[0]));
        }
    }

    #[test]
    fn views_agree_exactly_when_their_live_members_do() {
        let (mut a, mut rng) = table();
        let (mut b, _) = table();
        let first = add(&mut a, &mut rng, 1);
        add(&mut a, &mut rng, 2);
        add(&mut b, &mut rng, 2);
        assert_ne!(a.fingerprint(), b.fingerprint());
        let other = add(&mut b, &mut rng, 1);
        assert_eq!(a.fingerprint(), b.fingerprint());
        a.set_belief(first, belief(State::Suspect, 1), Instant::ORIGIN, &mut rng);
        assert_eq!(a.fingerprint(), b.fingerprint());
        a.set_belief(first, belief(State::Dead, 1), Instant::ORIGIN, &mut rng);
        assert_ne!(a.fingerprint(), b.fingerprint());
        b.set_belief(other, belief(State::Left, 1), Instant::ORIGIN, &mut rng);
        assert_eq!(a.fingerprint(), b.fingerprint());
    }

    proptest! {
        #[test]
        fn indexes_equal_their_oracle_after_any_history(
            steps in collection::vec((0u8..5, 0u16..30, 1u32..5), 0..200)
        ) {
            let (mut members, mut rng) = table();
            for (step, who, incarnation) in steps {
                let name = format!("n{who}");
                let now = Instant::from_millis(u64::from(incarnation));
                match (members.find(&name), step) {
                    (None, _) => { add(&mut members, &mut rng, who); }
                    (Some(key), 0) if !members.get(key).state.is_live() => { members.remove(key); }
                    (Some(_), 0 | 4) => { members.next_to_probe(&mut rng); }
                    (Some(key), step) => {
                        let state = [State::Alive, State::Suspect, State::Dead][usize::from(step) - 1];
                        let incarnation = members.get(key).incarnation.get().max(incarnation);
                        members.set_belief(key, belief(state, incarnation), now, &mut rng);
                    }
                }
                members.check();
            }
            let copy: Members = Stored::from(members.clone()).into();
            copy.check();
            prop_assert_eq!(copy.len(), members.len());
        }
    }
}
