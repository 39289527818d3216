use std::fmt;
use std::sync::Arc;

use mingle_wire::{Address, Alive, Incarnation, Ip, State, Versions};
use serde::{Deserialize, Serialize};

use crate::Instant;

/// What a node says of itself, but for its incarnation: name, address, meta and versions.
///
/// One allocation, shared by clones, immutable. Nodes that are copied from one another share it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile(Arc<[u8]>);

/// Layout: versions (6), port (2), length of the IP (1), length of the name (1), IP, name, meta.
const FIXED: usize = 10;

impl Profile {
    /// Takes over what an alive message says, with `port` in place of port 0.
    pub(crate) fn of(alive: &Alive<'_>, port: u16) -> Self {
        let ip = alive.address.ip.as_bytes();
        let (ip_length, name_length) = (ip.len(), alive.node.len());
        let mut bytes = Vec::with_capacity(FIXED + ip_length + name_length + alive.meta.len());
        bytes.extend_from_slice(&alive.versions.0);
        bytes.extend_from_slice(&port.to_be_bytes());
        bytes.push(u8::try_from(ip_length).expect("an IP has 4 or 16 bytes"));
        bytes.push(u8::try_from(name_length).expect("the wire bounds names at 255 bytes"));
        bytes.extend_from_slice(ip);
        bytes.extend_from_slice(alive.node.as_bytes());
        bytes.extend_from_slice(alive.meta);
        Self(bytes.into())
    }

    /// Whether this is what the alive message says.
    pub(crate) fn says(&self, alive: &Alive<'_>, port: u16) -> bool {
        self.versions() == alive.versions
            && self.address() == (Address { ip: alive.address.ip, port })
            && self.meta() == alive.meta
            && self.is_named(alive.node)
    }

    fn ip_length(&self) -> usize {
        usize::from(self.0[8])
    }

    fn name_end(&self) -> usize {
        FIXED + self.ip_length() + usize::from(self.0[9])
    }

    /// The node's name.
    #[must_use]
    pub fn name(&self) -> &str {
        std::str::from_utf8(self.name_bytes()).expect("it was made from a str")
    }

    /// Whether that is the node's name; cheaper than to take the name and compare.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.name_bytes() == name.as_bytes()
    }

    pub(crate) fn name_bytes(&self) -> &[u8] {
        &self.0[FIXED + self.ip_length()..self.name_end()]
    }

    /// The node's meta bytes.
    #[must_use]
    pub fn meta(&self) -> &[u8] {
        &self.0[self.name_end()..]
    }

    /// Where the node is reached, as it spelled it.
    #[must_use]
    pub fn address(&self) -> Address {
        let ip = Ip::from_bytes(&self.0[FIXED..FIXED + self.ip_length()]);
        let ip = ip.expect("it was made from an Ip");
        Address { ip, port: u16::from_be_bytes([self.0[6], self.0[7]]) }
    }

    /// The node's version bytes.
    #[must_use]
    pub fn versions(&self) -> Versions {
        let mut versions = [0; 6];
        versions.copy_from_slice(&self.0[..6]);
        Versions(versions)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The alive message that says this.
    pub(crate) fn alive(&self, incarnation: Incarnation) -> Alive<'_> {
        Alive {
            incarnation,
            node: self.name(),
            address: self.address(),
            meta: self.meta(),
            versions: self.versions(),
        }
    }
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {} meta {} bytes", self.name(), self.address(), self.meta().len())
    }
}

/// A belief about a node, the local one included. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Who it says it is.
    pub profile: Profile,
    /// What is believed of it.
    pub state: State,
    /// The highest incarnation that has been claimed of it.
    pub incarnation: Incarnation,
    /// Since when it has been in this state.
    pub since: Instant,
}

impl Member {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.profile.name()
    }

    /// Where it is reached.
    #[must_use]
    pub fn address(&self) -> Address {
        self.profile.address()
    }

    /// Its meta bytes.
    #[must_use]
    pub fn meta(&self) -> &[u8] {
        self.profile.meta()
    }

    /// Its version bytes.
    #[must_use]
    pub fn versions(&self) -> Versions {
        self.profile.versions()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_gives_back_what_it_was_made_from() {
        let alive = Alive {
            incarnation: Incarnation::FIRST,
            node: "node-\u{e9}",
            address: Address { ip: Ip::V6([7; 16]), port: 0 },
            meta: b"\xff\x80",
            versions: Versions([1, 5, 2, 2, 5, 5]),
        };
        let profile = Profile::of(&alive, 7946);
        assert!(profile.says(&alive, 7946));
        assert!(!profile.says(&alive, 7947));
        let expected = Alive { address: Address { port: 7946, ..alive.address }, ..alive };
        assert_eq!(profile.alive(Incarnation::FIRST), expected);
    }
}
