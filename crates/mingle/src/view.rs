use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use mingle_proto::{Change, Evidence};

use crate::Member;
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
    members: BTreeMap<String, Arc<Member>>,
    closed: bool,
}

impl View {
    pub(crate) fn new(local: Member) -> Self {
        let members = BTreeMap::from([(local.name.clone(), Arc::new(local))]);
        let table = Table { version: 0, members, closed: false };
        Self { table: RwLock::new(table), watches: Mutex::new(Vec::new()) }
    }

    pub(crate) fn members(&self) -> Vec<Arc<Member>> {
        self.read().members.values().cloned().collect()
    }

    pub(crate) fn member(&self, name: &str) -> Option<Arc<Member>> {
        self.read().members.get(name).cloned()
    }

    pub(crate) fn local(&self, name: &str) -> Arc<Member> {
        self.member(name).expect("the local member is there from the start and never reaped")
    }

    /// Takes a change over and gives it to every watch; returns how many changes slow watches have
    /// lost by it.
    pub(crate) fn publish(&self, change: Change, member: Member, evidence: Arc<Evidence>) -> usize {
        let member = Arc::new(member);
        let mut table = self.write();
        table.version += 1;
        if change == Change::Reaped {
            table.members.remove(&member.name);
        } else {
            table.members.insert(member.name.clone(), Arc::clone(&member));
        }
        let diff = Diff { version: table.version, change, member, evidence };
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
        Snapshot { version: table.version, members: table.members.values().cloned().collect() }
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}
