//! A recording of a node: what went in, and a check of what came out, as bytes that replay bit for
//! bit.
//!
//! A recording is a row of *segments*, each of which replays without those before it:
//!
//! | bytes | what |
//! |---|---|
//! | 5 | `mglr`, and the version of this format |
//! | frame | the [`Origin`] |
//! | frame | the node's checkpoint |
//! | frames | what was taken in, what came out, and perhaps the [`End`] |
//!
//! A frame is a length (4 bytes), a check of its content (4), a check of these eight (2), and the
//! content. So a frame that was cut, because the process died while it was written, is told from one
//! that was damaged later. Nothing that was written is ever changed.

mod error;
mod frame;
mod read;
mod write;

use serde::{Deserialize, Serialize};

use crate::{Input, Instant, Room};

pub use error::RecordingError;
pub use read::{Advance, Ending, Replay, Segment, Step};
pub use write::Journal;

/// What a segment begins with.
const MARK: [u8; 4] = *b"mglr";
/// Rises with every change of what is written.
const VERSION: u8 = 3;

/// Where a segment comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The node's name.
    pub name: String,
    /// The program that recorded, and its version.
    pub program: String,
    /// One number for all segments of one start of the node; later starts have higher ones.
    pub run: u64,
    /// Counts the segments of a run from 1.
    pub number: u32,
    /// What comes before it.
    pub begin: Begin,
    /// The node's time at the beginning.
    pub now: Instant,
    /// The wall clock's reading then: nanoseconds since 1970, UTC.
    pub unix_nanos: u64,
}

/// What comes before a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Begin {
    /// Nothing: the node has just started.
    Start,
    /// The segment with the number before, to its very end.
    Continued,
    /// Something that could not be written.
    Gap,
}

/// How a segment that was not cut ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// The next one goes on exactly where this one stands.
    Continued,
    /// The node was stopped.
    Stopped,
}

/// The content of a frame after the checkpoint.
#[derive(Serialize, Deserialize)]
enum Record<'a> {
    Input {
        now: Instant,
        #[serde(borrow)]
        input: Input<'a>,
    },
    /// What was polled since the last record.
    Outputs {
        room: Room,
        count: u32,
        digest: u32,
        left: Left,
    },
    End(End),
}

/// What the node had to give after some outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Left {
    Nothing,
    /// Nobody asked.
    Unknown,
}
