//! What a node keeps over restarts: its own incarnation, and whom it knew. A thread writes, so that
//! the node never waits for a disk.

mod folder;
mod saved;
mod writer;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mingle_proto::Node;
use mingle_wire::Incarnation;
use tokio::sync::oneshot;
use tracing::{debug, warn};

use self::folder::Folder;
use self::saved::Saved;
use self::writer::{Desk, Writer};
use crate::StartError;
use crate::driver::Shared;
use crate::queue::lock;
use crate::stats::{Stats, Tally};

/// A folder that is taken, and what was in it.
#[derive(Debug)]
pub(crate) struct Opened {
    folder: Folder,
    saved: Option<Saved>,
}

impl Opened {
    /// Takes the folder and reads the file of this node. Without a name it is the one that is there.
    pub(crate) fn open(path: &Path, name: Option<&str>, label: &str) -> Result<Self, StartError> {
        let (folder, saved) = Folder::open(path, name, label)?;
        Ok(Self { folder, saved })
    }

    /// The name that the node had.
    pub(crate) fn name(&self) -> Option<&str> {
        self.saved.as_ref().map(|saved| saved.name.as_str())
    }

    /// The last incarnation that the node is known to have had.
    pub(crate) fn incarnation(&self) -> Option<Incarnation> {
        self.saved.as_ref().map(|saved| saved.incarnation)
    }

    /// Writes what the node begins with, before it does.
    pub(crate) fn begin(
        self,
        name: &str,
        label: &str,
        incarnation: Incarnation,
    ) -> Result<Plan, StartError> {
        let Self { folder, saved } = self;
        let members = saved.map(|saved| saved.members).unwrap_or_default();
        let (name, label) = (name.to_owned(), label.to_owned());
        let saved = Saved { name, label, incarnation, members };
        let written = folder.write(&saved);
        let bytes = written.map_err(|error| folder::refused(folder.path(), &error))?;
        debug!(file = ?folder.file(&saved.name), bytes, members = saved.members.len(), "state");
        Ok(Plan { folder, saved, bytes })
    }
}

/// What a node begins with, as it is on the disk.
#[derive(Debug)]
pub(crate) struct Plan {
    folder: Folder,
    saved: Saved,
    bytes: u64,
}

impl Plan {
    /// Where the others were, the likeliest to be there first: a node has room for some thousands. It
    /// chooses among those at random.
    pub(crate) fn remembered(&self) -> Vec<SocketAddr> {
        self.saved.addresses()
    }
}

/// The file in which a node keeps its state; see [`crate::Builder::state`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// When it was last written.
    pub written: Instant,
    /// Why it could not be written since.
    pub error: Option<io::ErrorKind>,
}

/// How the file is, for handles.
#[derive(Debug)]
pub(crate) struct Status(Mutex<StateFile>);

impl Status {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self(Mutex::new(StateFile {
            path: plan.folder.file(&plan.saved.name),
            bytes: plan.bytes,
            written: Instant::now(),
            error: None,
        }))
    }

    pub(crate) fn get(&self) -> StateFile {
        lock(&self.0).clone()
    }

    fn written(&self, bytes: u64) {
        let mut file = lock(&self.0);
        (file.bytes, file.written, file.error) = (bytes, Instant::now(), None);
    }

    fn failed(&self, kind: io::ErrorKind) {
        lock(&self.0).error = Some(kind);
    }

    pub(crate) fn add_to(&self, stats: &mut Stats) {
        let file = self.get();
        stats.gauge("state_file_bytes", "Size of the state file.", file.bytes);
        let help = "Since the state file was last written; it is when there is something new.";
        stats.gauge("state_file_age_seconds", help, file.written.elapsed().as_secs());
        let help = "1 while the state file can't be written.";
        stats.gauge("state_file_failing", help, u64::from(file.error.is_some()));
    }
}

/// Tells the thread that writes what there is to write.
#[derive(Debug)]
pub(crate) struct Keeper {
    desk: Arc<Desk>,
    incarnation: Incarnation,
    view_version: u64,
    /// Comes when the thread has ended.
    ended: Option<oneshot::Receiver<()>>,
}

/// How long a node that stops waits for the disk.
const LAST_WORDS: Duration = Duration::from_secs(5);

impl Keeper {
    /// Starts the thread.
    pub(crate) fn start(plan: Plan, shared: &Arc<Shared>) -> Self {
        let Plan { folder, saved, bytes: _ } = plan;
        let incarnation = saved.incarnation;
        let desk = Arc::new(Desk::new(incarnation));
        let (end, ended) = oneshot::channel();
        shared.tallies.count(Tally::StateFileWrites);
        let writer = Writer {
            folder,
            saved,
            desk: Arc::clone(&desk),
            shared: Arc::clone(shared),
            tried: Instant::now(),
            members_written: None,
            trouble: None,
        };
        let write = move || {
            writer.run();
            // Nobody waits who did not stop in order.
            let _ = end.send(());
        };
        if let Err(error) = std::thread::Builder::new().name("mingle state".to_owned()).spawn(write)
        {
            shared.tallies.count(Tally::StateFileErrors);
            if let Some(status) = &shared.state {
                status.failed(error.kind());
            }
            warn!(%error, "the system gives no thread, and the state file stays as it is");
        }
        Self { desk, incarnation, view_version: 0, ended: Some(ended) }
    }

    /// Looks whether the node has something new. Costs nothing when it has not.
    pub(crate) fn note(&mut self, node: &Node) {
        let (incarnation, view_version) = (node.local_incarnation(), node.view_version());
        if self.incarnation != incarnation {
            self.incarnation = incarnation;
            self.desk.raise(incarnation);
        }
        if self.view_version != view_version {
            self.view_version = view_version;
            self.desk.members_changed();
        }
    }

    /// Writes what is left, and gives the folder back.
    pub(crate) async fn stop(mut self) {
        self.desk.stop();
        let Some(ended) = self.ended.take() else { return };
        if tokio::time::timeout(LAST_WORDS, ended).await.is_err() {
            warn!("the last state was not written in time; its disk is slow");
        }
    }
}

/// A node that ends in disorder leaves its state all the same.
impl Drop for Keeper {
    fn drop(&mut self) {
        self.desk.stop();
    }
}
