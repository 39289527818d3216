use std::fmt;

use serde::{Deserialize, Serialize};

/// The six version bytes of a node, verbatim: `[pmin, pmax, pcur, dmin, dmax, dcur]` (spec section 6).
///
/// Kept as they came and passed on as they came; what a peer can do is read in one place,
/// [`Capabilities::of`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Versions(pub [u8; 6]);

impl Versions {
    /// Bit 7 of pmax marks a mingle node. Go compares the byte as a number only, so 133 reads as
    /// "understands everything up to 133".
    pub const MINGLE: u8 = 0x80;

    /// What we advertise: memberlist protocol 1 to 5, speaking 2, with the given delegate versions.
    #[must_use]
    pub const fn ours(delegate: Delegate, mark: Mark) -> Self {
        let pmax = match mark {
            Mark::Mingle => 5 | Self::MINGLE,
            Mark::Plain => 5,
        };
        Self([1, pmax, 2, delegate.min, delegate.max, delegate.current])
    }

    /// Whether the memberlist range is one that an honest node could state: neither end 0, and in
    /// order (spec section 6).
    #[must_use]
    pub const fn is_sane(&self) -> bool {
        let [pmin, pmax, ..] = self.0;
        pmin > 0 && pmax > 0 && pmin <= pmax
    }
}

impl fmt::Debug for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [pmin, pmax, pcur, dmin, dmax, dcur] = self.0;
        write!(f, "{pmin:02x}-{pmax:02x}@{pcur:02x}/{dmin:02x}-{dmax:02x}@{dcur:02x}")
    }
}

/// The application's (delegate's) protocol versions: the range it understands, and what it speaks.
///
/// Serf accepts only peers whose ranges overlap its own: 2 to 5, speaking 5. Bare memberlist
/// applications use 0 throughout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegate {
    /// Lowest version understood.
    pub min: u8,
    /// Highest version understood.
    pub max: u8,
    /// Version spoken.
    pub current: u8,
}

impl Delegate {
    /// What a Serf agent states.
    pub const SERF: Self = Self { min: 2, max: 5, current: 5 };
    /// What a bare memberlist application states.
    pub const NONE: Self = Self { min: 0, max: 0, current: 0 };
}

/// Whether our version bytes say that we are a mingle node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mark {
    /// Set bit 7 of pmax.
    Mingle,
    /// State what a Go node states.
    Plain,
}

/// What a peer can do, judged by its version bytes alone (spec section 6: by pmax, not by pcur).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Answers pings on a stream (pmax >= 3).
    pub stream_ping: bool,
    /// Sends nacks when asked to (pmax >= 4).
    pub nack: bool,
    /// Understands the checksum header (pmax >= 5).
    pub checksum: bool,
    /// Is a mingle node.
    pub mingle: bool,
}

impl Capabilities {
    /// Reads the version bytes.
    #[must_use]
    pub const fn of(versions: Versions) -> Self {
        let pmax = versions.0[1];
        Self {
            stream_ping: pmax >= 3,
            nack: pmax >= 4,
            checksum: pmax >= 5,
            mingle: pmax & Versions::MINGLE != 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_versions_say_mingle_and_can_do_everything() {
        let ours = Versions::ours(Delegate::SERF, Mark::Mingle);
        assert_eq!(ours.0, [1, 0x85, 2, 2, 5, 5]);
        let can = Capabilities::of(ours);
        assert!(can.stream_ping && can.nack && can.checksum && can.mingle);
        assert!(!Capabilities::of(Versions::ours(Delegate::NONE, Mark::Plain)).mingle);
    }

    #[test]
    fn capabilities_come_with_pmax() {
        let can = |pmax| Capabilities::of(Versions([1, pmax, 1, 0, 0, 0]));
        assert!(!can(2).stream_ping && can(3).stream_ping);
        assert!(!can(3).nack && can(4).nack);
        assert!(!can(4).checksum && can(5).checksum);
    }
}
