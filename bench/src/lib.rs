//! The shapes that are measured, for our node and for foca's.
//!
//! Both get the same members at the same addresses and the same claims about them, each in its own
//! spelling, from the same known member.

mod ours;
mod theirs;

use std::net::{Ipv4Addr, SocketAddrV4};

pub use ours::{META, Ours};
pub use theirs::{Identity, Theirs};

/// How many members the measured node knows, itself included.
pub const SIZES: [usize; 3] = [100, 1_000, 10_000];

/// How many claims go along with a ping where there are any.
pub const CLAIMS: usize = 10;

/// Most bytes of a packet, for both.
pub const PACKET: usize = 1400;

/// A node of either kind that takes in pings, with what they need to be made.
pub trait Subject {
    /// Takes in one packet and does all that comes of it, up to the bytes of the answer. This is what
    /// is measured.
    fn take(&mut self, packet: &[u8]);

    /// A ping with claims that say what is known of these members.
    fn known(&mut self, members: &[usize]) -> Vec<u8>;

    /// A ping with claims that say of these members that they are alive at the next incarnation.
    fn fresh(&mut self, members: &[usize]) -> Vec<u8>;

    /// How many claims wait to be passed on.
    fn queued(&self) -> usize;

    /// Takes in pings until nothing waits to be passed on, so that what is measured next writes only
    /// what it brought about itself.
    fn settle(&mut self) {
        let ping = self.known(&[]);
        while self.queued() > 0 {
            self.take(&ping);
        }
    }
}

/// Which members the claims of the `round`th packet are about: strewn over all of them, and others in
/// each round, so that neither node profits from where it keeps them. Member 0 is the node itself,
/// member 1 the one that pings.
#[must_use]
pub fn chosen(round: usize, members: usize) -> [usize; CLAIMS] {
    std::array::from_fn(|i| 2 + (round * CLAIMS + i).wrapping_mul(7919) % (members - 2))
}

fn address(member: usize) -> SocketAddrV4 {
    let number = u32::try_from(member).expect("few members");
    SocketAddrV4::new(Ipv4Addr::from_bits(0x0a00_0001 + number), 7946)
}
