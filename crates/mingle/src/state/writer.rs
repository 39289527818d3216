use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use mingle_wire::Incarnation;
use tracing::{info, warn};

use super::folder::Folder;
use super::saved::{Saved, unix_seconds};
use crate::driver::Shared;
use crate::queue::lock;
use crate::stats::Tally;

/// Where the driver leaves what there is to write.
#[derive(Debug)]
pub(super) struct Desk {
    orders: Mutex<Orders>,
    changed: Condvar,
}

/// What there is to write.
#[derive(Clone, Copy, Debug)]
struct Orders {
    /// Our own.
    incarnation: Incarnation,
    members: Members,
    next: Next,
}

/// Whether the file has what the view has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Members {
    Written,
    Changed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    GoOn,
    Stop,
}

impl Desk {
    pub(super) fn new(incarnation: Incarnation) -> Self {
        let orders = Orders { incarnation, members: Members::Written, next: Next::GoOn };
        Self { orders: Mutex::new(orders), changed: Condvar::new() }
    }

    pub(super) fn raise(&self, incarnation: Incarnation) {
        lock(&self.orders).incarnation = incarnation;
        self.changed.notify_one();
    }

    pub(super) fn members_changed(&self) {
        let before = std::mem::replace(&mut lock(&self.orders).members, Members::Changed);
        if before == Members::Written {
            self.changed.notify_one();
        }
    }

    pub(super) fn stop(&self) {
        lock(&self.orders).next = Next::Stop;
        self.changed.notify_one();
    }

    /// Waits until something is due, or it is time to stop. Whoever takes the change of members
    /// writes it.
    fn take(&self, due: impl Fn(&Orders) -> Option<Instant>) -> Orders {
        let mut orders = lock(&self.orders);
        loop {
            let left = due(&orders).map(|due| due.saturating_duration_since(Instant::now()));
            if orders.next == Next::Stop || left == Some(Duration::ZERO) {
                let taken = *orders;
                orders.members = Members::Written;
                return taken;
            }
            orders = match left {
                Some(left) => {
                    let waited = self.changed.wait_timeout(orders, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(orders).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

/// The thread that writes.
pub(super) struct Writer {
    pub(super) folder: Folder,
    /// What the file has, or would have if it could be written.
    pub(super) saved: Saved,
    pub(super) desk: Arc<Desk>,
    pub(super) shared: Arc<Shared>,
    /// When it was last tried.
    pub(super) tried: Instant,
    /// When the members were last written.
    pub(super) members_written: Option<Instant>,
    pub(super) trouble: Option<Trouble>,
}

/// The file could not be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trouble {
    pause: Duration,
    again: Instant,
}

/// What comes together is written together: the shortest time between two writes,
const SHORTEST: Duration = Duration::from_millis(100);
/// and between two for the sake of members.
const BETWEEN_MEMBERS: Duration = Duration::from_secs(10);
/// After a failure the next attempt is this much later,
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// and twice as much with every further one, up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Writer {
    /// Writes until it is told to stop, and then what is left.
    pub(super) fn run(mut self) {
        loop {
            let orders = self.desk.take(|orders| self.due(orders));
            if self.due(&orders).is_some() {
                self.write(orders);
            }
            match orders.next {
                Next::GoOn => {}
                Next::Stop => return,
            }
        }
    }

    /// When to write; `None` when the file has all.
    fn due(&self, orders: &Orders) -> Option<Instant> {
        if let Some(trouble) = self.trouble {
            return Some(trouble.again);
        }
        if orders.incarnation != self.saved.incarnation {
            return Some(self.tried + SHORTEST);
        }
        match orders.members {
            Members::Written => None,
            Members::Changed => Some(match self.members_written {
                Some(written) => written + BETWEEN_MEMBERS,
                None => self.tried + SHORTEST,
            }),
        }
    }

    fn write(&mut self, orders: Orders) {
        self.saved.incarnation = orders.incarnation;
        let now = unix_seconds(SystemTime::now());
        self.saved.note(&self.shared.view.members(), now);
        let ready = match self.trouble {
            Some(_) => self.folder.take_again(),
            None => Ok(()),
        };
        let written = ready.and_then(|()| self.folder.write(&self.saved));
        self.tried = Instant::now();
        match written {
            Ok(bytes) => self.on_written(bytes),
            Err(error) => self.on_failed(&error),
        }
    }

    fn on_written(&mut self, bytes: u64) {
        self.members_written = Some(self.tried);
        self.shared.tallies.count(Tally::StateFileWrites);
        if let Some(status) = &self.shared.state {
            status.written(bytes);
        }
        if self.trouble.take().is_some() {
            info!(folder = ?self.folder.path(), "the state file is written again");
        }
    }

    fn on_failed(&mut self, error: &io::Error) {
        self.shared.tallies.count(Tally::StateFileErrors);
        if let Some(status) = &self.shared.state {
            status.failed(error.kind());
        }
        let pause = match self.trouble {
            Some(trouble) => (trouble.pause * 2).min(LONGEST_PAUSE),
            None => {
                warn!(
                    folder = ?self.folder.path(),
                    %error,
                    "the state file can't be written; the last one stays, and the node goes on and \
                     tries again: make room on the disk, and let this program write there"
                );
                FIRST_PAUSE
            }
        };
        self.trouble = Some(Trouble { pause, again: self.tried + pause });
    }
}
