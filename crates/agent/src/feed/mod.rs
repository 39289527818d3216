//! What happens in the cluster, for those who watch it over HTTP.
//!
//! One task spells each event once; all watchers are given the same bytes. Whoever is too slow loses
//! what went by, is told so, and gets everything anew.

mod book;
mod event;
mod watcher;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use mingle::{DecisionKind, Decisions, Item, Update, Watch};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Interval, MissedTickBehavior};

use self::book::Book;
pub(crate) use self::watcher::Watcher;
use crate::agent::Running;
use crate::http::views;

/// Most watchers at a time.
pub(crate) const MAX_WATCHERS: usize = 256;
/// How often watchers are told how the agent is.
const STATUS: Duration = Duration::from_secs(1);
/// Every so many of those, watchers are told round trip times.
const RTTS: u32 = 5;

/// The publishing side.
pub(crate) struct Feed {
    book: Mutex<Book>,
    room: Arc<Semaphore>,
    /// Somebody watches.
    watched: Notify,
}

impl Feed {
    pub(crate) fn new(epoch: SystemTime) -> Arc<Self> {
        let room = Arc::new(Semaphore::new(MAX_WATCHERS));
        Arc::new(Self { book: Mutex::new(Book::new(epoch)), room, watched: Notify::new() })
    }

    /// Everything from now on, or from after the event with this id if that is still kept. `None` when
    /// [`MAX_WATCHERS`] watch already.
    pub(crate) fn watch(self: &Arc<Self>, after: Option<&str>) -> Option<Watcher> {
        let permit = Arc::clone(&self.room).try_acquire_owned().ok()?;
        let watcher = Watcher::new(Arc::clone(self), permit, after);
        self.watched.notify_one();
        Some(watcher)
    }

    /// Tells all watchers that the agent ends, and ends their streams.
    pub(crate) fn end(&self) {
        self.book().end();
    }

    fn watchers(&self) -> usize {
        MAX_WATCHERS - self.room.available_permits()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // A panic elsewhere leaves it whole: it is changed in single steps.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What keeps room for one watcher.
type Permit = OwnedSemaphorePermit;

/// Publishes what happens, until the node stops.
pub(crate) async fn run(running: Arc<Running>) {
    let mut watch = running.cluster.watch();
    let mut decisions = running.cluster.decisions();
    let mut status = tokio::time::interval(STATUS);
    status.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while let Some(next) = next(&running.feed, &mut watch, &mut decisions, &mut status).await {
        publish(&running, next).await;
    }
}

enum Next {
    Update(Update),
    Decision(Item<mingle::Decision>),
    Status,
}

async fn next(
    feed: &Feed,
    watch: &mut Watch,
    decisions: &mut Decisions,
    status: &mut Interval,
) -> Option<Next> {
    loop {
        let is_watched = feed.watchers() > 0;
        return tokio::select! {
            biased;
            update = watch.next() => update.map(Next::Update),
            Some(decision) = decisions.next() => Some(Next::Decision(decision)),
            _ = status.tick(), if is_watched => Some(Next::Status),
            () = feed.watched.notified(), if !is_watched => continue,
        };
    }
}

async fn publish(running: &Running, next: Next) {
    match next {
        Next::Update(Update::Snapshot(snapshot)) => running.feed.book().replace(&snapshot),
        Next::Update(Update::Diff(diff)) => running.feed.book().change(&diff),
        Next::Update(Update::Gap { missed }) => running.feed.book().gap(missed),
        Next::Decision(Item::Item(decision)) => {
            // Changes of members come with their versions.
            if decision.what.kind() != DecisionKind::Member {
                running.feed.book().decision(&decision);
            }
        }
        Next::Decision(Item::Gap { missed }) => running.feed.book().gap(missed),
        Next::Status => {
            let status = views::status(running).await;
            let mut book = running.feed.book();
            book.status(&status);
            if book.statuses().is_multiple_of(RTTS) {
                book.rtts();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed() -> Arc<Feed> {
        Feed::new(SystemTime::UNIX_EPOCH + Duration::from_nanos(0xe))
    }

    /// The first two lines of the next event: its id, if it has one, and its kind.
    async fn next(watcher: &mut Watcher) -> String {
        let bytes = watcher.next().await.expect("the agent has not ended");
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let lines = text.lines().take_while(|line| !line.starts_with("data"));
        lines.collect::<Vec<_>>().join(", ")
    }

    #[tokio::test]
    async fn everything_comes_first_and_then_each_event() {
        let feed = feed();
        let mut watcher = feed.watch(None).unwrap();
        feed.book().gap(7);
        assert_eq!(next(&mut watcher).await, "id: e-0, event: snapshot");
        assert_eq!(next(&mut watcher).await, "id: e-1, event: gap");
    }

    #[tokio::test]
    async fn who_comes_back_gets_what_went_by_or_everything() {
        let feed = feed();
        for missed in 0..3 {
            feed.book().gap(missed);
        }
        let mut back = feed.watch(Some("e-1")).unwrap();
        assert_eq!(next(&mut back).await, "id: e-2, event: gap");
        assert_eq!(next(&mut back).await, "id: e-3, event: gap");
        for other in ["f-1", "e-4", "e-", "", "-1", "e-1x"] {
            let mut stranger = feed.watch(Some(other)).unwrap();
            assert_eq!(next(&mut stranger).await, "id: e-3, event: snapshot", "{other:?}");
        }
        for missed in 0..1024 {
            feed.book().gap(missed);
        }
        let mut late = feed.watch(Some("e-2")).unwrap();
        assert_eq!(next(&mut late).await, "id: e-1027, event: snapshot");
    }

    #[tokio::test]
    async fn who_is_too_slow_has_a_gap_and_gets_everything_anew() {
        let feed = feed();
        let mut watcher = feed.watch(None).unwrap();
        for missed in 0..1030 {
            feed.book().gap(missed);
        }
        assert_eq!(next(&mut watcher).await, "id: e-0, event: snapshot");
        let gap = watcher.next().await.unwrap();
        assert_eq!(gap, "event: gap\ndata: {\"missed\":6}\n\n");
        assert_eq!(next(&mut watcher).await, "id: e-1030, event: snapshot");
        feed.book().gap(0);
        assert_eq!(next(&mut watcher).await, "id: e-1031, event: gap");
    }

    #[tokio::test]
    async fn watchers_end_with_the_agent_and_are_not_too_many() {
        let feed = feed();
        let mut watchers: Vec<_> = (0..MAX_WATCHERS).filter_map(|_| feed.watch(None)).collect();
        assert!(watchers.len() == MAX_WATCHERS && feed.watch(None).is_none());
        let mut watcher = watchers.pop().unwrap();
        feed.end();
        assert_eq!(next(&mut watcher).await, "id: e-0, event: snapshot");
        assert_eq!(next(&mut watcher).await, "event: end");
        assert!(watcher.next().await.is_none());
        drop(watcher);
        let mut late = feed.watch(None).unwrap();
        assert_eq!(next(&mut late).await, "id: e-0, event: snapshot");
        assert!(late.next().await.is_none());
    }
}
