//! A recording of a node's inputs that replays bit for bit, in bounded space.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::{CheckpointError, Input, Instant, Node, Output, Room};

/// A ring of segments, each a checkpoint and the inputs after it.
///
/// Call [`Journal::record`] before every [`Node::handle`]. When the bound is reached the oldest
/// segment goes, so that what is left still replays.
#[derive(Clone, Debug)]
pub struct Journal {
    segments: VecDeque<Segment>,
    segment_bytes: usize,
    most_segments: usize,
}

/// One checkpoint and the inputs after it, as bytes that can be stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    checkpoint: Vec<u8>,
    entries: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Entry<'a> {
    now: Instant,
    room: Room,
    #[serde(borrow)]
    input: Input<'a>,
}

impl Journal {
    /// A journal of at most `most_segments`, each with about `segment_bytes` of inputs.
    #[must_use]
    pub fn new(segment_bytes: usize, most_segments: usize) -> Self {
        Self {
            segments: VecDeque::new(),
            segment_bytes: segment_bytes.max(1),
            most_segments: most_segments.max(1),
        }
    }

    /// Notes what `node` is about to take in, and the room that it will write into.
    ///
    /// # Panics
    ///
    /// When the node's outputs have not been drained.
    pub fn record(&mut self, node: &Node, room: Room, now: Instant, input: &Input<'_>) {
        if self.segments.back().is_none_or(|last| last.entries.len() >= self.segment_bytes) {
            let checkpoint = node.checkpoint();
            self.segments.push_back(Segment { checkpoint, entries: Vec::new() });
            if self.segments.len() > self.most_segments {
                self.segments.pop_front();
            }
        }
        let entry = Entry { now, room, input: *input };
        let bytes = postcard::to_stdvec(&entry).expect("every input can be encoded");
        let last = self.segments.back_mut().expect("one was just made");
        let length = u32::try_from(bytes.len()).expect("inputs are bounded far below 4 GiB");
        last.entries.extend_from_slice(&length.to_be_bytes());
        last.entries.extend_from_slice(&bytes);
    }

    /// The segments, oldest first.
    pub fn segments(&self) -> impl Iterator<Item = &Segment> + '_ {
        self.segments.iter()
    }

    /// Bytes in all.
    #[must_use]
    pub fn size(&self) -> usize {
        self.segments.iter().map(|s| s.checkpoint.len() + s.entries.len()).sum()
    }
}

/// One step of a replay.
#[derive(Debug)]
pub struct Step<'a> {
    /// When.
    pub now: Instant,
    /// What went in.
    pub input: Input<'a>,
    /// What came out, with the bytes of packets and stream messages.
    pub outputs: Vec<(Output, Vec<u8>)>,
    /// The node after it.
    pub node: &'a Node,
}

impl Segment {
    /// The segment as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("a segment can be encoded")
    }

    /// The segment from bytes.
    ///
    /// # Errors
    ///
    /// When they are cut or something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        postcard::from_bytes(bytes).map_err(|_| CheckpointError::Damaged)
    }

    /// Runs the node of the checkpoint through all inputs, and gives it back. An input that was cut
    /// ends the replay without an error, since recordings end where a process died.
    ///
    /// # Errors
    ///
    /// When the checkpoint can't be restored.
    pub fn replay(&self, mut visit: impl FnMut(Step<'_>)) -> Result<Node, CheckpointError> {
        let mut node = Node::restore(&self.checkpoint)?;
        let mut rest = self.entries.as_slice();
        let mut buffer = Vec::new();
        while let Some((bytes, after)) = split_entry(rest) {
            rest = after;
            let Ok(entry) = postcard::from_bytes::<Entry<'_>>(bytes) else {
                return Err(CheckpointError::Damaged);
            };
            node.handle(entry.now, entry.input);
            let mut outputs = Vec::new();
            while let Some(output) = node.poll_output(entry.room, &mut buffer) {
                outputs.push((output, buffer.clone()));
            }
            visit(Step { now: entry.now, input: entry.input, outputs, node: &node });
        }
        Ok(node)
    }
}

fn split_entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    rest.split_at_checked(length)
}
