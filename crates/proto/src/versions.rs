//! What nodes speak, and what all of them understand (spec section 6).

use std::collections::BTreeMap;

use mingle_wire::{State, Versions};

/// Which versions members state. Nearly always all state the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stated(BTreeMap<Versions, Count>);

/// How many members state them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    all: u32,
    alive: u32,
}

impl Stated {
    pub(crate) fn add(&mut self, versions: Versions, state: State) {
        let count = self.0.entry(versions).or_default();
        count.all += 1;
        count.alive += u32::from(state == State::Alive);
    }

    /// Takes back one that was added.
    pub(crate) fn remove(&mut self, versions: Versions, state: State) {
        let count = self.0.get_mut(&versions).expect("it was added");
        count.all -= 1;
        count.alive -= u32::from(state == State::Alive);
        if count.all == 0 {
            self.0.remove(&versions);
        }
    }

    /// What is stated by anybody.
    pub(crate) fn all(&self) -> impl Iterator<Item = Versions> + '_ {
        self.0.keys().copied()
    }

    /// What all who are alive understand.
    pub(crate) fn understood(&self) -> Understood {
        let mut understood = Understood::default();
        for (&versions, count) in &self.0 {
            if count.alive > 0 {
                understood.narrow(versions);
            }
        }
        understood
    }
}

/// The versions of the memberlist and of the application's protocol that some nodes all understand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Understood {
    protocol: (u8, u8),
    delegate: (u8, u8),
}

impl Default for Understood {
    fn default() -> Self {
        Self { protocol: (0, u8::MAX), delegate: (0, u8::MAX) }
    }
}

impl Understood {
    /// One more has to understand them.
    pub(crate) fn narrow(&mut self, Versions([pmin, pmax, _, dmin, dmax, _]): Versions) {
        self.protocol = (self.protocol.0.max(pmin), self.protocol.1.min(pmax));
        self.delegate = (self.delegate.0.max(dmin), self.delegate.1.min(dmax));
    }

    /// Whether they understand what is spoken here.
    pub(crate) fn holds(&self, Versions([_, _, pcur, _, _, dcur]): Versions) -> bool {
        (self.protocol.0..=self.protocol.1).contains(&pcur)
            && (self.delegate.0..=self.delegate.1).contains(&dcur)
    }
}
