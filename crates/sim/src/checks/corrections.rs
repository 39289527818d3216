use std::collections::BTreeMap;
use std::time::Duration;

use mingle_proto::{Change, Instant};
use mingle_wire::Message;

use super::desk::{Checker, Desk};
use super::names::{NameId, Names};
use super::transmits::Occasion;

/// When a member that speaks of itself was last told what is held against it: whoever makes others
/// repeat its claim does not get packets without end.
#[derive(Debug, Default)]
pub(super) struct Corrections {
    /// By (observer, member).
    last: BTreeMap<(u32, NameId), Instant>,
    /// Whom this step tells.
    told: Vec<NameId>,
}

/// Between two corrections of one member.
const PAUSE: Duration = Duration::from_secs(1);

impl Corrections {
    pub(super) fn started(&mut self, host: u32) {
        self.last.retain(|&(of, _), _| of != host);
    }

    /// A packet of so many messages is written. A claim that is alone and answers something comes
    /// from no queue.
    pub(super) fn sent(
        &mut self,
        names: &mut Names,
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
            self.told.push(names.id(about));
        }
    }

    /// Who has come back is another one.
    pub(super) fn told(&mut self, about: (u32, NameId), change: Change) {
        if change == Change::Joined {
            self.last.remove(&about);
        }
    }

    pub(super) fn handled(&mut self, desk: &mut Desk, names: &Names, host: u32, shown: Instant) {
        for about in self.told.drain(..) {
            let last = self.last.insert((host, about), shown);
            let rested = last.is_none_or(|last| shown.since(last) >= PAUSE);
            desk.check(Checker::Corrections, rested, || {
                let name = names.name(about);
                format!(
                    "it tells {name} at {shown:?} what it holds against it, and did at {last:?}"
                )
            });
        }
    }
}
