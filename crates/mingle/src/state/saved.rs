use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use mingle_wire::{Incarnation, State};
use serde::{Deserialize, Serialize};

use crate::Member;

/// What a node keeps over restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Saved {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) incarnation: Incarnation,
    /// By name, without the node itself.
    pub(crate) members: BTreeMap<String, Remembered>,
}

/// Another member, as far as it is of use after a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remembered {
    pub(crate) address: SocketAddr,
    pub(crate) incarnation: Incarnation,
    pub(crate) presence: Presence,
    /// Seconds since 1970 at which that began.
    pub(crate) since: u64,
}

/// Whether a member was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Presence {
    /// Alive or suspect.
    Live,
    /// Dead, or not seen again since an earlier run.
    Gone,
}

/// Why bytes are not what a node keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// They are cut, or have changed.
    Damaged,
    /// A later program wrote them.
    Newer { version: u8 },
}

/// Members that are remembered at most.
pub(super) const MOST_MEMBERS: usize = 10_000;
/// What a state file begins with. Then follow the CRC-32 of all the rest, little-endian, and the
/// version; that much holds for every version to come.
const MAGIC: [u8; 8] = *b"MGLSTATE";
/// The version that is written. After it the state, as postcard spells it.
pub(super) const VERSION: u8 = 1;

impl Saved {
    /// The content of the file.
    pub(super) fn encode(&self) -> Vec<u8> {
        let rest = postcard::to_extend(self, vec![VERSION]).expect("every field can be encoded");
        let sum = crc32fast::hash(&rest).to_le_bytes();
        [&MAGIC[..], &sum[..], &rest[..]].concat()
    }

    /// Reads the content of a file, all of it.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(Unreadable::Damaged)?;
        let (sum, rest) = rest.split_first_chunk().ok_or(Unreadable::Damaged)?;
        if u32::from_le_bytes(*sum) != crc32fast::hash(rest) {
            return Err(Unreadable::Damaged);
        }
        match rest.split_first() {
            Some((&VERSION, body)) => Self::decode_body(body),
            Some((&version, _)) if version > VERSION => Err(Unreadable::Newer { version }),
            Some(_) | None => Err(Unreadable::Damaged),
        }
    }

    fn decode_body(body: &[u8]) -> Result<Self, Unreadable> {
        let (saved, rest): (Self, _) =
            postcard::take_from_bytes(body).map_err(|_| Unreadable::Damaged)?;
        let incarnations = saved.members.values().map(|member| member.incarnation);
        let valid = |number: Incarnation| Incarnation::new(number.get()).is_some();
        let sound = incarnations.chain([saved.incarnation]).all(valid);
        if sound && rest.is_empty() { Ok(saved) } else { Err(Unreadable::Damaged) }
    }

    /// Takes over what is believed of the members now. `now` is in seconds since 1970.
    ///
    /// Whoever has left is forgotten, but not for a goodbye after our own: when all nodes are stopped
    /// together, each has to know somebody when they are started again. Whoever is not in the view
    /// has not been met again, or was reaped, and is kept as gone.
    pub(super) fn note(&mut self, view: &[Arc<Member>], now: u64) {
        let before = std::mem::take(&mut self.members);
        let ours = view.iter().find(|member| member.name == self.name);
        let left_at = ours.filter(|ours| ours.state == State::Left).map(|ours| ours.since);
        for member in view.iter().filter(|member| member.name != self.name) {
            let presence = match member.state {
                State::Alive | State::Suspect => Presence::Live,
                State::Dead => Presence::Gone,
                State::Left if left_at.is_some_and(|at| member.since >= at) => Presence::Live,
                State::Left => continue,
            };
            self.members.insert(member.name.clone(), Remembered::new(member, presence));
        }
        let in_view = |name: &str| view.binary_search_by(|m| m.name.as_str().cmp(name)).is_ok();
        for (name, mut remembered) in before {
            if in_view(&name) {
                continue;
            }
            if remembered.presence == Presence::Live {
                remembered.presence = Presence::Gone;
                remembered.since = now;
            }
            self.members.insert(name, remembered);
        }
        self.forget_surplus();
    }

    /// Those stay that are worth calling first.
    fn forget_surplus(&mut self) {
        if self.members.len() <= MOST_MEMBERS {
            return;
        }
        let mut members: Vec<_> = std::mem::take(&mut self.members).into_iter().collect();
        members.sort_by_key(|(_, remembered)| remembered.worth());
        members.truncate(MOST_MEMBERS);
        self.members = members.into_iter().collect();
    }

    /// Where the others were, those first that are worth calling first.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        let mut members: Vec<_> = self.members.values().collect();
        members.sort_by_key(|remembered| remembered.worth());
        members.into_iter().map(|remembered| remembered.address).collect()
    }
}

impl Remembered {
    fn new(member: &Member, presence: Presence) -> Self {
        Self {
            address: member.address,
            incarnation: member.incarnation,
            presence,
            since: unix_seconds(member.since),
        }
    }

    /// In the order of this: who has been there for longest is the likeliest to be there again, and
    /// so is who has gone last.
    fn worth(&self) -> (Presence, u64) {
        match self.presence {
            Presence::Live => (self.presence, self.since),
            Presence::Gone => (self.presence, u64::MAX - self.since),
        }
    }
}

pub(super) fn unix_seconds(moment: SystemTime) -> u64 {
    moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mingle_wire::Versions;

    use super::*;
    use crate::member::{LastRtt, Link};

    fn incarnation(number: u32) -> Incarnation {
        Incarnation::new(number).unwrap()
    }

    fn address(n: u16) -> SocketAddr {
        ([10, 0, 0, 1], n).into()
    }

    fn member(name: &str, state: State, since: u64) -> Arc<Member> {
        Arc::new(Member {
            name: name.to_owned(),
            address: address(u16::try_from(name.len()).unwrap()),
            state,
            tags: BTreeMap::new(),
            meta: Vec::new(),
            incarnation: incarnation(7),
            versions: Versions([1, 5, 2, 0, 0, 0]),
            since: UNIX_EPOCH + Duration::from_secs(since),
            rtt: LastRtt::default(),
            link: Link::default(),
        })
    }

    fn saved(members: &[(&str, Presence, u64)]) -> Saved {
        let remembered = |&(name, presence, since): &(&str, Presence, u64)| {
            let address = address(u16::try_from(since).unwrap());
            let remembered = Remembered { address, incarnation: incarnation(3), presence, since };
            (name.to_owned(), remembered)
        };
        Saved {
            name: "a".to_owned(),
            label: "blue".to_owned(),
            incarnation: incarnation(42),
            members: members.iter().map(remembered).collect(),
        }
    }

    fn summary(saved: &Saved) -> Vec<(&str, Presence, u64)> {
        let members = saved.members.iter();
        members.map(|(name, member)| (name.as_str(), member.presence, member.since)).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let saved = saved(&[("b", Presence::Live, 1), ("c", Presence::Gone, 2)]);
        assert_eq!(Saved::decode(&saved.encode()), Ok(saved));
    }

    #[test]
    fn no_cut_and_no_flipped_bit_goes_unnoticed() {
        let whole = saved(&[("b", Presence::Live, 1)]).encode();
        for length in 0..whole.len() {
            assert_eq!(Saved::decode(&whole[..length]), Err(Unreadable::Damaged), "{length}");
        }
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Saved::decode(&flipped), Err(Unreadable::Damaged), "bit {bit}");
        }
        let longer = [&whole[..], &[0]].concat();
        assert_eq!(Saved::decode(&longer), Err(Unreadable::Damaged));
    }

    /// A file whose checksum is right.
    fn sealed(rest: &[u8]) -> Vec<u8> {
        [&MAGIC[..], &crc32fast::hash(rest).to_le_bytes()[..], rest].concat()
    }

    #[test]
    fn later_versions_are_told_from_damage() {
        assert_eq!(Saved::decode(&sealed(&[2, 9])), Err(Unreadable::Newer { version: 2 }));
        let whole = saved(&[]).encode();
        let body = &whole[MAGIC.len() + 5..];
        let mut zero = saved(&[]);
        assert!(Saved::decode(&sealed(&[&[VERSION], body].concat())).is_ok());
        for rest in [&[][..], &[0], &[VERSION], &[&[VERSION], body, &[0]].concat()] {
            assert_eq!(Saved::decode(&sealed(rest)), Err(Unreadable::Damaged), "{rest:?}");
        }
        zero.incarnation = postcard::from_bytes(&[0]).unwrap();
        assert_eq!(Saved::decode(&zero.encode()), Err(Unreadable::Damaged));
    }

    #[test]
    fn the_living_and_the_dead_are_remembered_and_who_left_is_not() {
        let mut kept = saved(&[
            ("bb", Presence::Live, 1),
            ("not-met", Presence::Live, 2),
            ("reaped", Presence::Gone, 3),
        ]);
        kept.note(
            &[
                member("a", State::Alive, 1),
                member("bb", State::Left, 10),
                member("ccc", State::Alive, 11),
                member("dddd", State::Suspect, 12),
                member("eeeee", State::Dead, 13),
            ],
            99,
        );
        let expected = [
            ("ccc", Presence::Live, 11),
            ("dddd", Presence::Live, 12),
            ("eeeee", Presence::Gone, 13),
            ("not-met", Presence::Gone, 99),
            ("reaped", Presence::Gone, 3),
        ];
        assert_eq!(summary(&kept), expected);
        assert_eq!(kept.members["ccc"].address, address(3));
        assert_eq!(kept.members["ccc"].incarnation, incarnation(7));
    }

    #[test]
    fn goodbyes_after_our_own_are_not_heeded() {
        let mut kept = saved(&[("bb", Presence::Live, 1)]);
        let view = [
            member("a", State::Left, 10),
            member("bb", State::Left, 9),
            member("ccc", State::Left, 10),
            member("dddd", State::Left, 11),
        ];
        kept.note(&view, 99);
        assert_eq!(summary(&kept), [("ccc", Presence::Live, 10), ("dddd", Presence::Live, 11)]);
    }

    #[test]
    fn of_too_many_the_living_stay_and_then_the_latest_dead() {
        let mut kept = saved(&[("old", Presence::Gone, 1), ("new", Presence::Gone, 5)]);
        let living: Vec<_> =
            (1..MOST_MEMBERS).map(|n| member(&format!("m{n:05}"), State::Alive, 9)).collect();
        kept.note(&living, 99);
        assert_eq!(kept.members.len(), MOST_MEMBERS);
        assert!(kept.members.contains_key("new") && !kept.members.contains_key("old"));
    }

    #[test]
    fn the_likeliest_to_be_there_again_come_first() {
        let saved = saved(&[
            ("gone-last", Presence::Gone, 60),
            ("gone-first", Presence::Gone, 10),
            ("live-long", Presence::Live, 20),
            ("live-new", Presence::Live, 50),
        ]);
        let ports: Vec<_> = saved.addresses().iter().map(SocketAddr::port).collect();
        assert_eq!(ports, [20, 50, 60, 10]);
    }
}
