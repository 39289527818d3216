//! Recordings of real nodes, led through the machine once more.
//!
//! A node that records ([`mingle_proto::Journal`]) leaves files; [`Recordings`] finds them, brings
//! them into order and replays them, and [`Line`] says in words what came in, what was decided and
//! what was sent.

mod summary;
mod words;

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use mingle_proto::{
    Advance, Begin, End, Ending, Instant, Node, Origin, RecordingError, Segment, Step,
};

pub use summary::Summary;
pub use words::{Direction, Line};

/// Files of recordings in the order in which they were made.
#[derive(Debug)]
pub struct Recordings {
    files: Vec<RecordedFile>,
    /// Those that were cut before anything was recorded in them.
    empty: Vec<PathBuf>,
}

/// A file of a recording.
#[derive(Clone, Debug)]
pub struct RecordedFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it says of itself.
    pub origin: Origin,
}

/// Something that a replay comes by.
#[derive(Debug)]
pub enum Moment<'a> {
    /// A file begins.
    Begin {
        /// Which one.
        file: &'a RecordedFile,
        /// How it hangs together with the one before.
        link: Link,
    },
    /// The node took something in.
    Step {
        /// When: nanoseconds since 1970, UTC.
        unix_nanos: u64,
        /// What, and what came of it.
        step: Step<'a>,
    },
    /// A file ends.
    End {
        /// Which one.
        file: &'a RecordedFile,
        /// How.
        ending: Ending,
        /// The node then.
        node: &'a Node,
    },
}

/// How a file hangs together with the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// It is the first of a start of a node, or of those that were given.
    New,
    /// It goes on where the one before ends.
    Continued,
    /// Something between them was not recorded, or its files are not here.
    Gap,
}

/// Why recordings do not replay, or not any further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// There is nothing to read.
    #[error("{}: {kind}; name files that `mingle agent --record` has written, or their folder", path.display())]
    Read {
        /// Where.
        path: PathBuf,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// A folder without recordings.
    #[error("{}: no recordings are in this folder; name the one that `mingle agent --record` was given", path.display())]
    NoRecordings {
        /// The folder.
        path: PathBuf,
    },
    /// A file is longer than recordings are.
    #[error("{}: with more than 1 GiB this is no recording; name a file that `mingle agent --record` has written", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// A file is no recording, or not whole.
    #[error("{}: {error}", path.display())]
    Recording {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: RecordingError,
    },
    /// A file ends too early: the recording went on in the next one.
    #[error(
        "{}: the recording is cut in the middle, at byte {at}: {} goes on after what is missing; copy \
         the file once more from the machine that recorded it, or replay without it",
        path.display(),
        next.display()
    )]
    CutShort {
        /// The file.
        path: PathBuf,
        /// Where it ends.
        at: usize,
        /// The one that follows.
        next: PathBuf,
    },
    /// Two files say that one follows the other, and they do not fit together.
    #[error(
        "{}: it does not begin where {} ends, though it says so; copy both once more from the machine \
         that recorded them",
        path.display(),
        before.display()
    )]
    Apart {
        /// The second file.
        path: PathBuf,
        /// The first one.
        before: PathBuf,
    },
}

/// The suffix of recordings.
const SUFFIX: &str = "mgl";
/// What is longer is something else, perhaps without an end.
const MOST_BYTES: u64 = 1 << 30;

impl Recordings {
    /// Finds the files, and brings them into order: by node, by start, by time. A folder stands for
    /// all recordings in it.
    ///
    /// # Errors
    ///
    /// When something can't be read, is no recording, or holds nothing that replays.
    pub fn open(paths: &[PathBuf]) -> Result<Self, ReplayError> {
        let mut found = Vec::new();
        for path in paths {
            if path.is_dir() { found.extend(in_folder(path)?) } else { found.push(path.clone()) }
        }
        found.sort();
        found.dedup();
        let (mut files, mut empty, mut first_error) = (Vec::new(), Vec::new(), None);
        for path in found {
            match Segment::read(&read(&path)?) {
                Ok(segment) => files.push(RecordedFile { origin: segment.origin().clone(), path }),
                Err(error @ RecordingError::Empty { .. }) => {
                    first_error.get_or_insert(ReplayError::Recording { path: path.clone(), error });
                    empty.push(path);
                }
                Err(error) => return Err(ReplayError::Recording { path, error }),
            }
        }
        if let (true, Some(error)) = (files.is_empty(), first_error) {
            return Err(error);
        }
        files.sort_by(|a, b| a.place().cmp(&b.place()));
        Ok(Self { files, empty })
    }

    /// The files, in order.
    #[must_use]
    pub fn files(&self) -> &[RecordedFile] {
        &self.files
    }

    /// Files without anything to replay: the process died as soon as it had made them.
    #[must_use]
    pub fn empty(&self) -> &[PathBuf] {
        &self.empty
    }

    /// Replays everything, for `visit` to look at; it may break off.
    ///
    /// # Errors
    ///
    /// When a recording is damaged, cut before its end though it goes on, or of a program that
    /// decides differently.
    pub fn replay(
        &self,
        mut visit: impl FnMut(Moment<'_>) -> ControlFlow<()>,
    ) -> Result<(), ReplayError> {
        let mut before: Option<Before> = None;
        for file in &self.files {
            let bytes = read(&file.path)?;
            let segment = Segment::read(&bytes).map_err(|error| file.wrong(error))?;
            let link =
                before.as_ref().map_or(Ok(Link::New), |before| before.link(file, &segment))?;
            if visit(Moment::Begin { file, link }).is_break() {
                return Ok(());
            }
            let Some(end) = replay_file(file, &segment, &mut visit)? else { return Ok(()) };
            before = Some(end);
        }
        Ok(())
    }
}

/// Replays one file; `None` when `visit` broke off.
fn replay_file(
    file: &RecordedFile,
    segment: &Segment<'_>,
    visit: &mut impl FnMut(Moment<'_>) -> ControlFlow<()>,
) -> Result<Option<Before>, ReplayError> {
    let mut replay = segment.replay().map_err(|error| file.wrong(error))?;
    loop {
        match replay.advance().map_err(|error| file.wrong(error))? {
            Advance::Step(step) => {
                let unix_nanos = file.unix_nanos(step.now);
                if visit(Moment::Step { unix_nanos, step }).is_break() {
                    return Ok(None);
                }
            }
            Advance::Ended(ending) => {
                let node = replay.node();
                let checkpoint = match ending {
                    Ending::Whole(_) => node.checkpoint(),
                    Ending::Cut { .. } => Vec::new(),
                };
                let went_on = visit(Moment::End { file, ending, node }).is_continue();
                return Ok(went_on.then(|| Before { file: file.clone(), ending, checkpoint }));
            }
        }
    }
}

/// The end of a file that has been replayed.
struct Before {
    file: RecordedFile,
    ending: Ending,
    checkpoint: Vec<u8>,
}

impl Before {
    fn link(&self, file: &RecordedFile, segment: &Segment<'_>) -> Result<Link, ReplayError> {
        let (last, next) = (&self.file.origin, &file.origin);
        if (&last.name, last.run) != (&next.name, next.run) {
            return Ok(Link::New);
        }
        if next.begin != Begin::Continued || last.number.checked_add(1) != Some(next.number) {
            return Ok(Link::Gap);
        }
        let (path, next) = (self.file.path.clone(), file.path.clone());
        match self.ending {
            Ending::Cut { at } => Err(ReplayError::CutShort { path, at, next }),
            Ending::Whole(End::Continued) if self.checkpoint == segment.checkpoint() => {
                Ok(Link::Continued)
            }
            Ending::Whole(End::Continued | End::Stopped) => {
                Err(ReplayError::Apart { path: next, before: path })
            }
        }
    }
}

impl RecordedFile {
    fn place(&self) -> (&str, u64, u32, &Path) {
        (&self.origin.name, self.origin.run, self.origin.number, &self.path)
    }

    /// The wall clock's reading at an instant of the node's.
    fn unix_nanos(&self, at: Instant) -> u64 {
        let since = at.as_nanos().saturating_sub(self.origin.now.as_nanos());
        self.origin.unix_nanos.saturating_add(since)
    }

    fn wrong(&self, error: RecordingError) -> ReplayError {
        ReplayError::Recording { path: self.path.clone(), error }
    }
}

fn in_folder(path: &Path) -> Result<Vec<PathBuf>, ReplayError> {
    let unread = |error: io::Error| ReplayError::Read { path: path.into(), kind: error.kind() };
    let mut found = Vec::new();
    for entry in path.read_dir().map_err(unread)? {
        let file = entry.map_err(unread)?.path();
        if file.extension().is_some_and(|extension| extension == SUFFIX) {
            found.push(file);
        }
    }
    if found.is_empty() {
        return Err(ReplayError::NoRecordings { path: path.into() });
    }
    Ok(found)
}

fn read(path: &Path) -> Result<Vec<u8>, ReplayError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| ReplayError::Read { path: path.into(), kind: error.kind() })?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(ReplayError::TooLong { path: path.into() });
    }
    Ok(bytes)
}
