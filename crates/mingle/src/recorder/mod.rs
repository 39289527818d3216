//! Recordings of what the node takes in. A thread writes, so that the node never waits for a disk.

mod folder;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use mingle_proto::{Begin, End, Input, Instant, Journal, Node, Origin, Output, Room};
use tokio::sync::oneshot;
use tracing::{debug, warn};

use crate::clock::Clock;
use crate::driver::Shared;
use crate::stats::Tally;

pub(crate) use folder::Folder;

/// The least that all files of a recording may have together.
pub(crate) const LEAST_BYTES: u64 = 1 << 20;

/// Whose recording it is, and how large it may become.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) folder: Folder,
    pub(crate) bytes: u64,
}

/// Notes what passes the node, and hands it to the thread that writes.
#[derive(Debug)]
pub(crate) struct Recorder {
    journal: Journal,
    clock: Clock,
    /// Of the next segment.
    origin: Origin,
    /// Bytes of entries that were handed over since the segment began; `None` without a segment.
    handed: Option<usize>,
    /// Entries of one segment.
    segment_bytes: usize,
    /// Something waits since then.
    since: Option<Instant>,
    writer: Option<Writer>,
}

/// The way to the thread.
#[derive(Debug)]
struct Writer {
    jobs: mpsc::Sender<Job>,
    /// Bytes that it has not written yet.
    waiting: Arc<AtomicUsize>,
    /// Comes when it has ended.
    ended: oneshot::Receiver<()>,
    shared: Arc<Shared>,
}

enum Job {
    /// A new file, with these bytes.
    Begin(Vec<u8>),
    /// More for the file that is open.
    Append(Vec<u8>),
}

/// A recording has so many segments when it is full: more of them begin more often with a whole view,
/// fewer of them lose more when the oldest goes.
const SEGMENTS: u64 = 8;
/// Entries are handed over when there are as many bytes of them,
const CHUNK: usize = 64 << 10;
/// or after this time: what a process that is killed has not recorded.
const FLUSH_AFTER: Duration = Duration::from_millis(200);
/// What may wait for a disk.
const MOST_WAITING: usize = 32 << 20;
/// How long a node that stops waits for the disk.
const LAST_WORDS: Duration = Duration::from_secs(5);

impl Recorder {
    /// Starts the thread.
    pub(crate) fn start(plan: Plan, name: &str, clock: &Clock, shared: Arc<Shared>) -> Self {
        let Plan { folder, bytes } = plan;
        let now = clock.now();
        let unix_nanos = unix_nanos(clock, now);
        debug!(folder = ?folder.path(), bytes, "recording");
        Self {
            journal: Journal::new(),
            clock: clock.clone(),
            origin: Origin {
                name: name.to_owned(),
                program: concat!("mingle ", env!("CARGO_PKG_VERSION")).to_owned(),
                run: unix_nanos,
                number: 1,
                begin: Begin::Start,
                now,
                unix_nanos,
            },
            handed: None,
            segment_bytes: usize::try_from(bytes / SEGMENTS).unwrap_or(usize::MAX),
            since: None,
            writer: Writer::start(folder, shared),
        }
    }

    /// What the node is about to take in.
    pub(crate) fn input(&mut self, node: &Node, now: Instant, input: &Input<'_>) {
        if self.writer.is_none() {
            return;
        }
        let entries = self.handed.map(|handed| handed + self.journal.waiting());
        if entries.is_none_or(|entries| entries >= self.segment_bytes) && Journal::can_begin(node) {
            self.begin(node, now);
        }
        if self.handed.is_none() {
            return;
        }
        let before = self.journal.waiting();
        self.journal.input(now, input);
        if self.journal.waiting() - before > self.segment_bytes {
            // One message as large as this would drive everything else out.
            let mut bytes = self.journal.take();
            bytes.truncate(before);
            self.hand(bytes);
            self.gap();
        }
        self.since = self.since.or(Some(now));
    }

    /// What the node gave, in its buffer.
    pub(crate) fn output(&mut self, room: Room, output: &Output, body: &[u8]) {
        if self.handed.is_some() {
            self.journal.output(room, output, body);
        }
    }

    /// The node has no more to give.
    pub(crate) fn drained(&mut self, room: Room) {
        if self.handed.is_some() {
            self.journal.drained(room);
        }
    }

    /// Hands over what has waited for long enough.
    pub(crate) fn tick(&mut self) {
        let waited = || self.since.map(|since| self.clock.now().since(since));
        if self.journal.waiting() >= CHUNK || waited() >= Some(FLUSH_AFTER) {
            self.flush();
        }
    }

    /// How long the driver may sleep before the next tick.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.since.map(|since| self.clock.until(since + FLUSH_AFTER))
    }

    /// Ends the recording, and waits until it is written.
    pub(crate) async fn stop(mut self) {
        if self.handed.is_some() {
            self.journal.end(End::Stopped);
        }
        self.flush();
        let Some(Writer { jobs, ended, .. }) = self.writer.take() else { return };
        drop(jobs);
        if tokio::time::timeout(LAST_WORDS, ended).await.is_err() {
            warn!("the end of the recording was not written in time; its disk is slow");
        }
    }

    fn begin(&mut self, node: &Node, now: Instant) {
        if self.handed.is_some() {
            self.journal.end(End::Continued);
            self.flush();
        }
        // The flush may have come upon a gap.
        let Some(writer) = &self.writer else { return };
        if writer.is_full() {
            return;
        }
        self.origin.now = now;
        self.origin.unix_nanos = unix_nanos(&self.clock, now);
        self.journal.begin(&self.origin, node);
        self.origin.number += 1;
        self.origin.begin = Begin::Continued;
        self.handed = Some(0);
        let bytes = self.journal.take();
        self.send(Job::Begin(bytes));
    }

    fn flush(&mut self) {
        self.since = None;
        let bytes = self.journal.take();
        self.hand(bytes);
    }

    fn hand(&mut self, bytes: Vec<u8>) {
        let (Some(handed), Some(writer)) = (&mut self.handed, &self.writer) else { return };
        if bytes.is_empty() {
            return;
        }
        if writer.is_full() {
            return self.gap();
        }
        *handed += bytes.len();
        self.send(Job::Append(bytes));
    }

    /// Something is missing from here on, until the next segment.
    fn gap(&mut self) {
        self.handed = None;
        self.since = None;
        self.origin.begin = Begin::Gap;
        if let Some(writer) = &self.writer {
            writer.shared.tallies.count(Tally::RecordingGaps);
        }
    }

    fn send(&mut self, job: Job) {
        let gone = self.writer.as_ref().is_some_and(|writer| writer.send(job).is_err());
        if gone {
            self.writer = None;
            self.handed = None;
        }
    }
}

/// A node that panics leaves what led to it.
impl Drop for Recorder {
    fn drop(&mut self) {
        self.flush();
    }
}

impl Writer {
    /// `None` when the system gives no thread, which is told and counted.
    fn start(folder: Folder, shared: Arc<Shared>) -> Option<Self> {
        let (jobs, received) = mpsc::channel();
        let (end, ended) = oneshot::channel();
        let waiting = Arc::<AtomicUsize>::default();
        let (left, tallies) = (Arc::clone(&waiting), Arc::clone(&shared));
        let write = move || {
            write(folder, &received, &left, &tallies);
            // Nobody waits who did not stop in order.
            let _ = end.send(());
        };
        match std::thread::Builder::new().name("mingle recorder".to_owned()).spawn(write) {
            Ok(_) => Some(Self { jobs, waiting, ended, shared }),
            Err(error) => {
                give_up(&shared, &error);
                None
            }
        }
    }

    fn is_full(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > MOST_WAITING
    }

    fn send(&self, job: Job) -> Result<(), mpsc::SendError<Job>> {
        let (Job::Begin(bytes) | Job::Append(bytes)) = &job;
        self.waiting.fetch_add(bytes.len(), Ordering::Relaxed);
        self.jobs.send(job)
    }
}

/// Writes until nobody can send any more, or the disk takes no more.
fn write(mut folder: Folder, jobs: &mpsc::Receiver<Job>, waiting: &AtomicUsize, shared: &Shared) {
    for job in jobs {
        let (written, bytes) = match job {
            Job::Begin(bytes) => (folder.begin().and_then(|()| folder.append(&bytes)), bytes),
            Job::Append(bytes) => (folder.append(&bytes), bytes),
        };
        waiting.fetch_sub(bytes.len(), Ordering::Relaxed);
        match written {
            Ok(()) => shared.tallies.add(Tally::RecordedBytes, bytes.len()),
            Err(error) => return give_up(shared, &error),
        }
    }
}

fn give_up(shared: &Shared, error: &io::Error) {
    shared.tallies.count(Tally::RecordingsStopped);
    warn!(
        %error,
        "nothing more is recorded, and the node goes on; \
         make room for recordings, or allow them more, and start it again"
    );
}

fn unix_nanos(clock: &Clock, at: Instant) -> u64 {
    let since = clock.system_time(at).duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
