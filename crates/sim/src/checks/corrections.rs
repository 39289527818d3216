use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use mingle_proto::{Change, Instant};
use mingle_wire::Message;

use super::desk::{Checker, Desk};
use super::names::{NameId, Names};
use super::transmits::Occasion;

/// What members that speak of themselves are told is held against them: whoever makes others repeat its
/// claim, or speaks in the name of somebody else, gets neither packets without end nor long ones.
#[derive(Debug, Default)]
pub(super) struct Corrections {
    /// When somebody was last told, by (observer, member).
    last: BTreeMap<(u32, NameId), Instant>,
    /// Since when each observer counts, and how many there were.
    counted: BTreeMap<u32, (Instant, u32)>,
    /// Who speaks of itself in what this step takes in.
    spoken: Vec<Packet>,
    /// Whom this step tells.
    told: Vec<Packet>,
}

/// A claim about somebody, from or to an address.
#[derive(Clone, Copy, Debug)]
struct Packet {
    about: NameId,
    at: SocketAddr,
    length: usize,
}

/// Between two corrections of one member, and what the budget of all is for.
const PAUSE: Duration = Duration::from_secs(1);
/// So many may be told in that time.
const MOST: u32 = 32;

impl Corrections {
    pub(super) fn started(&mut self, host: u32, shown: Instant) {
        self.last.retain(|&(of, _), _| of != host);
        self.counted.insert(host, (shown, 0));
    }

    /// A host is about to take something in.
    pub(super) fn before(&mut self) {
        self.spoken.clear();
    }

    /// A host hears something, from this address where it is in a packet. A view speaks for all that
    /// it has.
    pub(super) fn heard(
        &mut self,
        names: &mut Names,
        from: Option<SocketAddr>,
        message: &Message<'_>,
    ) {
        let Message::Alive(claim) = message else { return };
        let at = claim.address.socket_addr();
        if from.is_none_or(|from| from == at) {
            let (about, length) = (names.id(claim.node), length_of(message));
            self.spoken.push(Packet { about, at, length });
        }
    }

    /// A packet of so many messages is written. A claim that is alone and answers something comes
    /// from no queue.
    pub(super) fn sent(
        &mut self,
        names: &mut Names,
        to: SocketAddr,
        first: &Message<'_>,
        messages: usize,
        occasion: Occasion,
    ) {
        let about = match first {
            Message::Dead(claim) => claim.node,
            Message::Suspect(claim) => claim.node,
            Message::Alive(claim) => claim.node,
            _ => return,
        };
        if messages == 1 && occasion != Occasion::Woken {
            let (about, length) = (names.id(about), length_of(first));
            self.told.push(Packet { about, at: to, length });
        }
    }

    /// Who has come back is another one.
    pub(super) fn told(&mut self, about: (u32, NameId), change: Change) {
        if change == Change::Joined {
            self.last.remove(&about);
        }
    }

    pub(super) fn handled(&mut self, desk: &mut Desk, names: &Names, host: u32, shown: Instant) {
        for told in std::mem::take(&mut self.told) {
            let Packet { about, at, length } = told;
            let last = self.last.insert((host, about), shown);
            let rested = last.is_none_or(|last| shown.since(last) >= PAUSE);
            desk.check(Checker::Corrections, rested, || {
                let name = names.name(about);
                format!(
                    "it tells {name} at {shown:?} what it holds against it, and did at {last:?}"
                )
            });
            let of_it = |spoken: &&Packet| spoken.about == about && spoken.at == at;
            let longest = self.spoken.iter().filter(of_it).map(|spoken| spoken.length).max();
            desk.check(Checker::Corrections, Some(length) <= longest, || {
                let name = names.name(about);
                format!("it tells {name} at {at} in {length} bytes, which said {longest:?} bytes")
            });
            let count = self.count(host, shown);
            desk.check(Checker::Corrections, count <= MOST, || {
                format!("it tells {count} members in a second what it holds against them")
            });
        }
    }

    fn count(&mut self, host: u32, shown: Instant) -> u32 {
        let (since, count) = self.counted.entry(host).or_insert((shown, 0));
        if shown.since(*since) >= PAUSE {
            (*since, *count) = (shown, 0);
        }
        *count += 1;
        *count
    }
}

fn length_of(message: &Message<'_>) -> usize {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes.len()
}
