use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Bytes;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::book::Subscription;
use super::event::{self, Event};
use super::{Feed, Permit};
use crate::api::GapEvent;

/// One who watches.
pub(crate) struct Watcher {
    feed: Arc<Feed>,
    due: VecDeque<Event>,
    events: Option<Receiver<Event>>,
    _permit: Permit,
}

impl Watcher {
    pub(super) fn new(feed: Arc<Feed>, permit: Permit, after: Option<&str>) -> Self {
        let subscription = feed.book().subscribe(after.and_then(event::parse_id));
        let Subscription { first: due, then: events } = subscription;
        Self { feed, due, events, _permit: permit }
    }

    /// The next event; waits for it. `None` when the agent ends.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        if let Some(event) = self.due.pop_front() {
            return Some(event.bytes);
        }
        match self.events.as_mut()?.recv().await {
            Ok(event) => Some(event.bytes),
            Err(RecvError::Closed) => None,
            Err(RecvError::Lagged(missed)) => Some(self.start_anew(missed)),
        }
    }

    /// So many events went by: everything from now on.
    fn start_anew(&mut self, missed: u64) -> Bytes {
        let Subscription { first, then } = self.feed.book().subscribe(None);
        (self.due, self.events) = (first, then);
        Event::new("gap", None, &GapEvent { missed }).bytes
    }
}
