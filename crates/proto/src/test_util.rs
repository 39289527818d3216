//! What tests of several components share.

use mingle_wire::{Address, Alive, Delegate, Incarnation, Ip, Mark, Versions};

use crate::members::{MemberKey, Members};
use crate::rng::Rng;
use crate::{Instant, Profile};

/// A node on loopback.
pub(crate) fn profile(name: &str, port: u16) -> Profile {
    let alive = Alive {
        incarnation: Incarnation::FIRST,
        node: name,
        address: Address { ip: Ip::V4([127, 0, 0, 1]), port },
        meta: b"",
        versions: Versions::ours(Delegate::NONE, Mark::Plain),
    };
    Profile::of(&alive, port)
}

/// Keys of members that a table could hold.
pub(crate) fn keys(count: u16) -> Vec<MemberKey> {
    let mut rng = Rng::new(0);
    let mut members = Members::new(profile("local", 1), Incarnation::FIRST, 0, Instant::ORIGIN);
    (0..count)
        .map(|i| {
            let profile = profile(&format!("n{i}"), i + 2);
            members.insert(profile, Incarnation::FIRST, Instant::ORIGIN, &mut rng)
        })
        .collect()
}
