use std::time::Duration;

use crate::Instant;

/// Why a recording does not replay, or not any further. Places are bytes from the segment's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// It is something else.
    #[error("this is no recording; give a file that `mingle agent --record` has written")]
    Foreign,
    /// Another version of mingle wrote it.
    #[error(
        "the recording has version {found} and this program reads version {known}; replay it with \
         the version of mingle that recorded it"
    )]
    Version {
        /// What it says.
        found: u8,
        /// What is understood.
        known: u8,
    },
    /// It ends before anything was recorded.
    #[error(
        "the recording is cut at byte {at}, before its first entry; nothing in it can be replayed, \
         so take another file"
    )]
    Empty {
        /// Where it ends.
        at: usize,
    },
    /// It was changed after it was written.
    #[error(
        "the recording is damaged at byte {at}; copy it once more from the machine that recorded \
         it, or replay the other files without it"
    )]
    Damaged {
        /// The first byte of the entry in question.
        at: usize,
    },
    /// Whole, and yet not what this program understands.
    #[error(
        "another build of mingle wrote the entry at byte {at}; replay it with the one that recorded \
         it"
    )]
    Unreadable {
        /// The first byte of the entry in question.
        at: usize,
    },
    /// What came out is not what came out when it was recorded.
    #[error(
        "at byte {at}, {:.3?} after its start, this program decides differently from the one that \
         recorded; replay it with that version of mingle",
        since_origin(*.now)
    )]
    Differs {
        /// The first byte of the entry in question.
        at: usize,
        /// When, in the node's time.
        now: Instant,
    },
}

fn since_origin(now: Instant) -> Duration {
    now.since(Instant::ORIGIN)
}
