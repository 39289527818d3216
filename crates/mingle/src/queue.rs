use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::{Instant, timeout_at};

/// What a subscriber is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item<T> {
    /// What was subscribed to.
    Item(T),
    /// The queue was full, and so many of the oldest were dropped.
    Gap {
        /// How many.
        missed: u64,
    },
}

/// A bounded queue of what happens from the subscription on.
///
/// A slow subscriber never holds up the node: when 1024 items or 16 MiB wait, the oldest are dropped,
/// and the subscriber is told how many.
#[derive(Debug)]
pub struct Subscription<T> {
    queue: Arc<Queue<T>>,
}

impl<T> Subscription<T> {
    /// The next one; waits for it. `None` when the node has stopped and everything was taken.
    ///
    /// Cancelling the future loses nothing.
    pub async fn next(&mut self) -> Option<Item<T>> {
        loop {
            let notified = self.queue.notified();
            match self.queue.take() {
                Taken::Item(item) => return Some(Item::Item(item)),
                Taken::Gap(missed) => return Some(Item::Gap { missed }),
                Taken::Closed => return None,
                Taken::Empty => notified.await,
            }
        }
    }
}

/// What became of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Published {
    /// Nobody has subscribed.
    Unheard,
    /// So many older items of slow subscribers were dropped for it.
    Heard { dropped: usize },
}

/// The publishing side of subscriptions to one thing.
#[derive(Debug)]
pub(crate) struct Topic<T> {
    subscribers: Mutex<Subscribers<T>>,
}

#[derive(Debug)]
struct Subscribers<T> {
    queues: Vec<Weak<Queue<T>>>,
    closed: bool,
}

impl<T: Clone> Topic<T> {
    pub(crate) const fn new() -> Self {
        Self { subscribers: Mutex::new(Subscribers { queues: Vec::new(), closed: false }) }
    }

    pub(crate) fn subscribe(&self) -> Subscription<T> {
        let queue = Arc::new(Queue::new(MAX_ITEMS, MAX_BYTES));
        let mut subscribers = lock(&self.subscribers);
        if subscribers.closed {
            queue.close();
        } else {
            subscribers.queues.push(Arc::downgrade(&queue));
        }
        Subscription { queue }
    }

    /// Gives every subscriber one more item of so many bytes. Makes none when nobody listens.
    pub(crate) fn publish(&self, bytes: usize, item: impl FnOnce() -> T) -> Published {
        let mut subscribers = lock(&self.subscribers);
        subscribers.queues.retain(|queue| queue.strong_count() > 0);
        if subscribers.queues.is_empty() {
            return Published::Unheard;
        }
        let item = item();
        let queues = subscribers.queues.iter().filter_map(Weak::upgrade);
        Published::Heard { dropped: queues.map(|queue| queue.push(item.clone(), bytes)).sum() }
    }

    /// Waits until every subscriber has room for one more, or it is that late.
    pub(crate) async fn wait_for_room(&self, until: Instant) {
        while let Some(full) = self.full() {
            let room = full.room.notified();
            if full.is_full() && timeout_at(until, room).await.is_err() {
                return;
            }
        }
    }

    fn full(&self) -> Option<Arc<Queue<T>>> {
        let subscribers = lock(&self.subscribers);
        subscribers.queues.iter().filter_map(Weak::upgrade).find(|queue| queue.is_full())
    }

    /// Nothing comes any more.
    pub(crate) fn close(&self) {
        let mut subscribers = lock(&self.subscribers);
        subscribers.closed = true;
        for queue in subscribers.queues.drain(..).filter_map(|queue| queue.upgrade()) {
            queue.close();
        }
    }
}

const MAX_ITEMS: usize = 1024;
const MAX_BYTES: usize = 16 << 20;

/// A bounded queue with one reader; drops its oldest items when it is full.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    state: Mutex<QueueState<T>>,
    changed: Notify,
    /// It is full no more.
    room: Notify,
    max_items: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct QueueState<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    missed: u64,
    closed: bool,
}

/// What came of looking into a queue.
pub(crate) enum Taken<T> {
    Item(T),
    Gap(u64),
    Empty,
    Closed,
}

impl<T> Queue<T> {
    pub(crate) fn new(max_items: usize, max_bytes: usize) -> Self {
        let state = QueueState { items: VecDeque::new(), bytes: 0, missed: 0, closed: false };
        let state = Mutex::new(state);
        Self { state, changed: Notify::new(), room: Notify::new(), max_items, max_bytes }
    }

    /// A future that is ready after the next change, if it was made before that change.
    pub(crate) fn notified(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Adds an item; returns how many older ones were dropped for it.
    pub(crate) fn push(&self, item: T, bytes: usize) -> usize {
        let mut state = lock(&self.state);
        state.items.push_back((item, bytes));
        state.bytes += bytes;
        let mut dropped = 0;
        while state.items.len() > self.max_items
            || (state.bytes > self.max_bytes && state.items.len() > 1)
        {
            let Some((_, bytes)) = state.items.pop_front() else { break };
            state.bytes -= bytes;
            dropped += 1;
        }
        state.missed += dropped as u64;
        drop(state);
        self.changed.notify_one();
        dropped
    }

    /// Whether one more would take the place of another.
    fn is_full(&self) -> bool {
        let state = lock(&self.state);
        state.items.len() >= self.max_items || state.bytes >= self.max_bytes
    }

    pub(crate) fn take(&self) -> Taken<T> {
        let mut state = lock(&self.state);
        if state.missed > 0 {
            return Taken::Gap(std::mem::take(&mut state.missed));
        }
        match state.items.pop_front() {
            Some((item, bytes)) => {
                state.bytes -= bytes;
                // Not each time: whoever waits for room has then much to do at once.
                if state.items.len() <= self.max_items / 2 {
                    self.room.notify_waiters();
                }
                Taken::Item(item)
            }
            None if state.closed => Taken::Closed,
            None => Taken::Empty,
        }
    }

    /// Forgets everything in it, the gap included; returns how many items that were.
    pub(crate) fn clear(&self) -> u64 {
        let mut state = lock(&self.state);
        let forgotten = state.missed + state.items.len() as u64;
        state.items.clear();
        state.bytes = 0;
        state.missed = 0;
        forgotten
    }

    pub(crate) fn close(&self) {
        lock(&self.state).closed = true;
        self.changed.notify_one();
    }
}

/// A panic elsewhere leaves these queues whole: they are changed in single steps.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_drops_the_oldest_and_says_so() {
        let topic = Topic::new();
        let mut subscription = topic.subscribe();
        assert_eq!(topic.publish(0, || 0), Published::Heard { dropped: 0 });
        for n in 1..MAX_ITEMS + 3 {
            topic.publish(0, || n);
        }
        assert_eq!(subscription.next().await, Some(Item::Gap { missed: 3 }));
        assert_eq!(subscription.next().await, Some(Item::Item(3)));
    }

    #[tokio::test]
    async fn bytes_are_bounded_but_one_item_always_fits() {
        let topic = Topic::new();
        let mut subscription = topic.subscribe();
        topic.publish(MAX_BYTES, || 1);
        assert_eq!(topic.publish(MAX_BYTES * 2, || 2), Published::Heard { dropped: 1 });
        topic.close();
        assert_eq!(subscription.next().await, Some(Item::Gap { missed: 1 }));
        assert_eq!(subscription.next().await, Some(Item::Item(2)));
        assert_eq!(subscription.next().await, None);
        assert_eq!(topic.subscribe().next().await, None);
        assert_eq!(topic.publish(0, || 3), Published::Unheard);
    }
}
