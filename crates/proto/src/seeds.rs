use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Instant;
use crate::members::MemberKey;

/// Most seeds that a node keeps.
pub(crate) const MAX_SEEDS: usize = 4096;
/// For so long a seed that answered, though no member is known at its address, is not missing: a load
/// balancer, or an address that others see differently.
const SATISFIED: Duration = Duration::from_secs(600);

/// Where an address that a node should look at is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SeedKind {
    /// An operator named it: it is looked at whenever no live member is there, for ever.
    Configured,
    /// A member was there before a restart: it is looked at until somebody answers.
    Remembered,
}

/// Addresses where members should be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seeds(BTreeMap<SocketAddr, Seed>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seed {
    kind: SeedKind,
    found: Found,
}

/// Who is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Found {
    Nobody,
    /// This member was, when last heard of.
    Member(MemberKey),
    /// Somebody answered there then.
    Somebody(Instant),
    Ourselves,
}

impl Seeds {
    /// Adds a seed, unless there are too many. What is known of one that is there already stays.
    #[must_use]
    pub(crate) fn add(&mut self, address: SocketAddr, kind: SeedKind) -> bool {
        if let Some(seed) = self.0.get_mut(&address) {
            if kind == SeedKind::Configured {
                seed.kind = kind;
            }
            return true;
        }
        if self.0.len() >= MAX_SEEDS {
            return false;
        }
        self.0.insert(address, Seed { kind, found: Found::Nobody });
        true
    }

    pub(crate) fn remove(&mut self, address: SocketAddr) {
        self.0.remove(&address);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A live member is at this address.
    pub(crate) fn note_member(&mut self, address: SocketAddr, key: MemberKey) {
        self.note(address, Found::Member(key));
    }

    /// We are at this address ourselves.
    pub(crate) fn note_ourselves(&mut self, address: SocketAddr) {
        self.note(address, Found::Ourselves);
    }

    /// Somebody answered at this address, whom no member is known by.
    pub(crate) fn note_answer(&mut self, address: SocketAddr, now: Instant) {
        if self.0.get(&address).is_some_and(|seed| !matches!(seed.found, Found::Member(_))) {
            self.note(address, Found::Somebody(now));
        }
    }

    fn note(&mut self, address: SocketAddr, found: Found) {
        match self.0.get_mut(&address) {
            Some(seed) if seed.kind == SeedKind::Configured => seed.found = found,
            Some(_) => self.remove(address),
            None => {}
        }
    }

    /// Those of a kind where nobody is. `lives` says whether a member is live at an address.
    pub(crate) fn missing(
        &self,
        kind: SeedKind,
        now: Instant,
        lives: impl Fn(MemberKey, SocketAddr) -> bool,
    ) -> impl Iterator<Item = SocketAddr> {
        let missing = move |&(&address, seed): &(&SocketAddr, &Seed)| match seed.found {
            _ if seed.kind != kind => false,
            Found::Nobody => true,
            Found::Member(key) => !lives(key, address),
            Found::Somebody(answered) => now.since(answered) >= SATISFIED,
            Found::Ourselves => false,
        };
        self.0.iter().filter(missing).map(|(&address, _)| address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_util::keys;

    fn address(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    fn missing(seeds: &Seeds, kind: SeedKind, now: Instant) -> Vec<u16> {
        seeds.missing(kind, now, |_, address| address.port() == 1).map(|a| a.port()).collect()
    }

    #[test]
    fn configured_seeds_are_missing_whenever_nobody_lives_there() {
        let (mut seeds, key) = (Seeds::default(), keys(1)[0]);
        for port in 1..=4 {
            assert!(seeds.add(address(port), SeedKind::Configured));
        }
        let now = Instant::from_millis(5_000);
        assert_eq!(missing(&seeds, SeedKind::Configured, now), [1, 2, 3, 4]);
        seeds.note_member(address(1), key);
        seeds.note_member(address(2), key);
        seeds.note_ourselves(address(3));
        seeds.note_answer(address(4), now);
        assert_eq!(missing(&seeds, SeedKind::Configured, now), [2]);
        assert_eq!(missing(&seeds, SeedKind::Configured, now + SATISFIED), [2, 4]);
    }

    #[test]
    fn remembered_seeds_are_forgotten_once_somebody_was_found_there() {
        let (mut seeds, key) = (Seeds::default(), keys(1)[0]);
        for port in 1..=4 {
            assert!(seeds.add(address(port), SeedKind::Remembered));
        }
        seeds.note_member(address(2), key);
        seeds.note_ourselves(address(3));
        seeds.note_answer(address(4), Instant::ORIGIN);
        assert_eq!(missing(&seeds, SeedKind::Remembered, Instant::ORIGIN), [1]);
        assert!(seeds.add(address(1), SeedKind::Configured), "an operator's word is stronger");
        assert_eq!(missing(&seeds, SeedKind::Remembered, Instant::ORIGIN), [0_u16; 0]);
        seeds.remove(address(1));
        assert!(seeds.is_empty());
    }

    #[test]
    fn there_are_at_most_so_many() {
        let mut seeds = Seeds::default();
        for port in 1..=4096 {
            assert!(seeds.add(address(port), SeedKind::Remembered));
        }
        assert!(!seeds.add(address(5000), SeedKind::Configured));
        assert!(seeds.add(address(1), SeedKind::Configured));
    }
}
