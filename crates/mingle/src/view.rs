use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::time::SystemTime;

use mingle_proto::{Change, Evidence};

use crate::Member;
use crate::decision::{Decided, Decision, MemberChange};
use crate::driver::Shared;
use crate::queue::{Queue, Taken, lock};

/// What a watch gives.
#[derive(Clone, Debug)]
pub enum Update {
    /// Everything that is known. The first item, and the one after each gap.
    Snapshot(Snapshot),
    /// One change; its version is one above that of the item before it.
    Diff(Diff),
    /// The watch was too slow to be given each change. A snapshot follows at once.
    Gap {
        /// How many changes went by so far.
        missed: u64,
    },
}

/// All members as they were at one version.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// How many changes there had been.
    pub version: u64,
    /// The members, in the order of their names.
    pub members: Vec<Arc<Member>>,
}

/// One change of what is believed of one member.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Diff {
    /// How many changes there have been, this one included.
    pub version: u64,
    /// What changed.
    pub change: Change,
    /// The member after the change.
    pub member: Arc<Member>,
    /// Why it changed.
    pub evidence: Arc<Evidence>,
    /// When, by this machine's clock.
    pub at: SystemTime,
}

impl Diff {
    /// The change as the flight recorder keeps it.
    #[must_use]
    pub fn decision(&self) -> Decision {
        let what = MemberChange::new(self.change, &self.member, Arc::clone(&self.evidence));
        Decision { what: Decided::Member(what), at: self.at, first: self.at, times: 1 }
    }
}

/// All members, and then each change. Made by [`crate::Cluster::watch`].
///
/// It never holds up the node, and never loses state: when more than 1024 changes wait, they are
/// dropped, and [`Update::Gap`] and a fresh [`Update::Snapshot`] come in their place.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    queue: Arc<Queue<Diff>>,
    snapshot_due: bool,
}

impl Watch {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let queue = shared.view.subscribe();
        Self { shared, queue, snapshot_due: true }
    }

    /// The next item; waits for it. `None` when the node has stopped and everything was taken.
    ///
    /// Cancelling the future loses nothing.
    pub async fn next(&mut self) -> Option<Update> {
        if std::mem::take(&mut self.snapshot_due) {
            return Some(Update::Snapshot(self.shared.view.resync(&self.queue)));
        }
        loop {
            let notified = self.queue.notified();
            match self.queue.take() {
                Taken::Item(diff) => return Some(Update::Diff(diff)),
                Taken::Gap(missed) => {
                    self.snapshot_due = true;
                    return Some(Update::Gap { missed: missed + self.queue.clear() });
                }
                Taken::Closed => return None,
                Taken::Empty => notified.await,
            }
        }
    }
}

/// Diffs that may wait in one watch.
const MAX_DIFFS: usize = 1024;

/// What the node's task publishes for the handles to look at.
#[derive(Debug)]
pub(crate) struct View {
    table: RwLock<Table>,
    watches: Mutex<Vec<Weak<Queue<Diff>>>>,
}

#[derive(Debug)]
struct Table {
    version: u64,
    members: BTreeMap<String, Known>,
    closed: bool,
}

/// A member, and why it is believed to be in its state.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) member: Arc<Member>,
    /// `None` for ourselves until we leave.
    reason: Option<Reason>,
}

/// The last change of a member's state. Beside each member, since the recorder forgets.
#[derive(Clone, Debug)]
struct Reason {
    at: SystemTime,
    change: Change,
    evidence: Arc<Evidence>,
}

impl Known {
    /// Why the member is in its state.
    pub(crate) fn reason(&self) -> Option<Decision> {
        let Reason { at, change, evidence } = self.reason.as_ref()?;
        let change = MemberChange::new(*change, &self.member, Arc::clone(evidence));
        Some(Decision { what: Decided::Member(change), at: *at, first: *at, times: 1 })
    }
}

/// Whether a change is one of state, and not only of what a member says of itself.
const fn is_of_state(change: Change) -> bool {
    match change {
        Change::Joined
        | Change::Suspected
        | Change::Recovered
        | Change::Failed
        | Change::Left
        | Change::Reaped => true,
        Change::Updated | Change::Renewed => false,
    }
}

impl View {
    pub(crate) fn new(local: Member) -> Self {
        let name = local.name.clone();
        let known = Known { member: Arc::new(local), reason: None };
        let members = BTreeMap::from([(name, known)]);
        let table = Table { version: 0, members, closed: false };
        Self { table: RwLock::new(table), watches: Mutex::new(Vec::new()) }
    }

    pub(crate) fn members(&self) -> Vec<Arc<Member>> {
        self.read().members()
    }

    pub(crate) fn member(&self, name: &str) -> Option<Arc<Member>> {
        self.read().members.get(name).map(|known| Arc::clone(&known.member))
    }

    pub(crate) fn known(&self, name: &str) -> Option<Known> {
        self.read().members.get(name).cloned()
    }

    pub(crate) fn local(&self, name: &str) -> Arc<Member> {
        self.member(name).expect("the local member is there from the start and never reaped")
    }

    /// Takes a change over and gives it to every watch; returns how many changes slow watches have
    /// lost by it.
    pub(crate) fn publish(
        &self,
        at: SystemTime,
        change: Change,
        member: Arc<Member>,
        evidence: Arc<Evidence>,
    ) -> usize {
        let mut table = self.write();
        table.version += 1;
        let reason = Reason { at, change, evidence: Arc::clone(&evidence) };
        table.take_over(Arc::clone(&member), reason);
        let diff = Diff { version: table.version, change, member, evidence, at };
        let mut dropped = 0;
        lock(&self.watches).retain(|queue| match queue.upgrade() {
            Some(queue) => {
                dropped += queue.push(diff.clone(), 0);
                true
            }
            None => false,
        });
        dropped
    }

    /// No change comes any more.
    pub(crate) fn close(&self) {
        let mut table = self.write();
        table.closed = true;
        for queue in lock(&self.watches).drain(..).filter_map(|queue| queue.upgrade()) {
            queue.close();
        }
    }

    fn subscribe(&self) -> Arc<Queue<Diff>> {
        let queue = Arc::new(Queue::new(MAX_DIFFS, usize::MAX));
        let table = self.read();
        if table.closed {
            queue.close();
        } else {
            lock(&self.watches).push(Arc::downgrade(&queue));
        }
        queue
    }

    /// A snapshot in place of everything that waits in the queue. Nothing is published meanwhile.
    fn resync(&self, queue: &Queue<Diff>) -> Snapshot {
        let table = self.read();
        queue.clear();
        Snapshot { version: table.version, members: table.members() }
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn members(&self) -> Vec<Arc<Member>> {
        self.members.values().map(|known| Arc::clone(&known.member)).collect()
    }

    fn take_over(&mut self, member: Arc<Member>, reason: Reason) {
        if reason.change == Change::Reaped {
            self.members.remove(&member.name);
            return;
        }
        match self.members.get_mut(&member.name) {
            Some(known) => {
                known.member = member;
                if is_of_state(reason.change) {
                    known.reason = Some(reason);
                }
            }
            None => {
                let name = member.name.clone();
                self.members.insert(name, Known { member, reason: Some(reason) });
            }
        }
    }
}
