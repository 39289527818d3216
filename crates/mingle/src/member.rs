use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use mingle_proto::LinkKind;
use mingle_wire::{Capabilities, Checksum, Incarnation, State, Versions, memberlist};

use crate::clock::Clock;
use crate::queue::lock;

/// What this node believes of a node, itself included. Immutable but for the round trip time and
/// whether the link is degraded.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Member {
    /// Its name, unique in the cluster. Peers choose it: escape it where it is shown.
    pub name: String,
    /// Where it is reached.
    pub address: SocketAddr,
    /// What is believed of it.
    pub state: State,
    /// Its tags; empty for nodes that do not speak Serf's delegate protocol.
    pub tags: BTreeMap<String, String>,
    /// The bytes that it spreads about itself, which for Serf nodes spell the tags.
    pub meta: Vec<u8>,
    /// The highest incarnation that was claimed of it.
    pub incarnation: Incarnation,
    /// Its version bytes.
    pub versions: Versions,
    /// Since when it has been in this state, by this machine's clock.
    pub since: SystemTime,
    pub(crate) rtt: LastRtt,
    pub(crate) link: Link,
}

/// A link on which a member is heard, but not by direct packets: it lives, and packets from us to it
/// or back get lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DegradedLink {
    /// How the member is heard instead.
    pub kind: LinkKind,
    /// Since when, by this machine's clock.
    pub since: SystemTime,
}

/// The lowest delegate version that a node which spells tags in its meta can have.
const SERF_DELEGATE: u8 = 2;

impl Member {
    /// Whether it understands packets with a checksum (spec section 6).
    pub(crate) fn checksum(&self) -> Checksum {
        if Capabilities::of(self.versions).checksum { Checksum::Add } else { Checksum::Omit }
    }

    /// The last round trip time of a direct ping to it; `None` before the first one, and for
    /// ourselves.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.rtt.get()
    }

    /// How it is heard while it does not answer to direct packets; `None` as long as it does, while it
    /// is not alive or suspect, and for ourselves.
    #[must_use]
    pub fn degraded(&self) -> Option<DegradedLink> {
        self.link.get()
    }

    pub(crate) fn new(
        member: &mingle_proto::Member,
        rtt: LastRtt,
        link: Link,
        clock: &Clock,
    ) -> Self {
        let versions = member.versions();
        let [.., delegate_max, _] = versions.0;
        let tags = if delegate_max >= SERF_DELEGATE {
            memberlist::tags::decode(member.meta())
        } else {
            BTreeMap::new()
        };
        Self {
            name: member.name().to_owned(),
            address: member.address().socket_addr(),
            state: member.state,
            tags,
            meta: member.meta().to_vec(),
            incarnation: member.incarnation,
            versions,
            since: clock.system_time(member.since),
            rtt,
            link,
        }
    }
}

/// A round trip time that changes without making a new [`Member`]; shared by its successors.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastRtt(Arc<AtomicU64>);

impl LastRtt {
    pub(crate) fn set(&self, rtt: Duration) {
        let nanos = u64::try_from(rtt.as_nanos()).unwrap_or(u64::MAX);
        self.0.store(nanos.max(1), Ordering::Relaxed);
    }

    fn get(&self) -> Option<Duration> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }
}

/// Whether the link to a member is degraded. It changes without making a new [`Member`]; shared by its
/// successors.
#[derive(Clone, Debug, Default)]
pub(crate) struct Link(Arc<Mutex<Option<DegradedLink>>>);

impl Link {
    pub(crate) fn set(&self, link: Option<DegradedLink>) {
        *lock(&self.0) = link;
    }

    fn get(&self) -> Option<DegradedLink> {
        *lock(&self.0)
    }
}
