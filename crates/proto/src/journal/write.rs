use super::frame::{Tally, append, append_raw};
use super::{End, Left, MARK, Origin, Record, VERSION};
use crate::{Input, Instant, Node, Output, Room};

/// Spells a recording; whoever drives the node takes the bytes and stores them, in order.
///
/// Tell it everything that passes: [`Journal::input`] before each [`Node::handle`],
/// [`Journal::output`] after each [`Node::poll_output`] that gave something, and
/// [`Journal::drained`] after each that gave nothing.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    bytes: Vec<u8>,
    /// What was polled since the last record, and into which room.
    polled: Option<(Room, Tally)>,
}

impl Journal {
    /// A journal without a segment: begin one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a segment can begin now: a node with outputs that wait has no checkpoint.
    #[must_use]
    pub fn can_begin(node: &Node) -> bool {
        !node.has_outputs()
    }

    /// Begins a segment. Its bytes start here: take those of the one before first.
    ///
    /// # Panics
    ///
    /// When the node has outputs that wait.
    pub fn begin(&mut self, origin: &Origin, node: &Node) {
        self.polled = None;
        self.bytes.extend_from_slice(&MARK);
        self.bytes.push(VERSION);
        append(&mut self.bytes, origin);
        append_raw(&mut self.bytes, &node.checkpoint());
    }

    /// Notes what the node is about to take in.
    pub fn input(&mut self, now: Instant, input: &Input<'_>) {
        self.close(Left::Unknown);
        append(&mut self.bytes, &Record::Input { now, input: *input });
    }

    /// Notes what the node gave, and the room that it had for it. `body` is its buffer.
    pub fn output(&mut self, room: Room, output: &Output, body: &[u8]) {
        if self.polled.is_some_and(|(before, _)| before != room) {
            self.close(Left::Unknown);
        }
        let (_, tally) = self.polled.get_or_insert_with(|| (room, Tally::default()));
        tally.add(output, body);
    }

    /// Notes that the node had nothing more to give.
    pub fn drained(&mut self, room: Room) {
        self.polled.get_or_insert_with(|| (room, Tally::default()));
        self.close(Left::Nothing);
    }

    /// Ends the segment.
    pub fn end(&mut self, end: End) {
        self.close(Left::Unknown);
        append(&mut self.bytes, &Record::End(end));
    }

    /// How many bytes wait to be taken.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes since the last call.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    fn close(&mut self, left: Left) {
        let Some((room, tally)) = self.polled.take() else { return };
        let (count, digest) = (tally.count, tally.digest());
        append(&mut self.bytes, &Record::Outputs { room, count, digest, left });
    }
}
