use super::frame::{Found, Tally, split};
use super::{End, Left, MARK, Origin, Record, RecordingError, VERSION};
use crate::{Input, Instant, Node, Output, Room};

/// One segment of a recording, read from its bytes: its beginning is there, the rest is looked at as
/// it replays.
#[derive(Clone, Debug)]
pub struct Segment<'a> {
    origin: Origin,
    checkpoint: Placed<'a>,
    entries: Placed<'a>,
}

/// A part of a segment, and where it begins.
#[derive(Clone, Copy, Debug)]
struct Placed<'a> {
    at: usize,
    bytes: &'a [u8],
}

impl<'a> Segment<'a> {
    /// Reads the beginning.
    ///
    /// # Errors
    ///
    /// When these bytes are something else, of another version, damaged, or cut before the first
    /// entry.
    pub fn read(bytes: &'a [u8]) -> Result<Self, RecordingError> {
        let mark = bytes.len().min(MARK.len());
        if bytes[..mark] != MARK[..mark] {
            return Err(RecordingError::Foreign);
        }
        let at = MARK.len() + 1;
        let Some((&found, rest)) = bytes.get(MARK.len()..).and_then(<[u8]>::split_first) else {
            return Err(RecordingError::Empty { at: bytes.len() });
        };
        if found != VERSION {
            return Err(RecordingError::Version { found, known: VERSION });
        }
        let mut rest = Placed { at, bytes: rest };
        let first = rest.next_whole()?;
        let origin = postcard::from_bytes(first.bytes)
            .map_err(|_| RecordingError::Unreadable { at: first.at })?;
        let checkpoint = rest.next_whole()?;
        Ok(Self { origin, checkpoint, entries: rest })
    }

    /// Where it comes from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The node's checkpoint at the beginning. That of a segment which was continued is the one with
    /// which the next begins.
    #[must_use]
    pub fn checkpoint(&self) -> &'a [u8] {
        self.checkpoint.bytes
    }

    /// A node as it was at the beginning, to be led through what it took in.
    ///
    /// # Errors
    ///
    /// When the checkpoint is of another build.
    pub fn replay(&self) -> Result<Replay<'a>, RecordingError> {
        let Placed { at, bytes } = self.checkpoint;
        let node = Node::restore(bytes).map_err(|_| RecordingError::Unreadable { at })?;
        // Other fields than ours may happen to be read as ours, but are not spelled like this then.
        if node.checkpoint() != bytes {
            return Err(RecordingError::Unreadable { at });
        }
        Ok(Replay {
            node,
            rest: self.entries,
            room: Room::of_packet(USUAL_ROOM),
            buffer: Vec::new(),
        })
    }
}

/// For the outputs of an input that was the last thing to be written.
const USUAL_ROOM: usize = 1400;

impl<'a> Placed<'a> {
    fn next_whole(&mut self) -> Result<Self, RecordingError> {
        let at = self.at;
        match self.next() {
            Found::Frame { content, .. } => Ok(Placed { at, bytes: content }),
            Found::Nothing | Found::Cut => Err(RecordingError::Empty { at: at + self.bytes.len() }),
            Found::Damaged => Err(RecordingError::Damaged { at }),
        }
    }

    /// What stands here; goes on to what comes after it.
    fn next(&mut self) -> Found<'a> {
        let found = split(self.bytes);
        if let Found::Frame { rest, .. } = &found {
            self.at += self.bytes.len() - rest.len();
            self.bytes = rest;
        }
        found
    }

    fn record(&mut self) -> Result<Next<'a>, RecordingError> {
        let at = self.at;
        match self.next() {
            Found::Frame { content, .. } => match postcard::from_bytes(content) {
                Ok(record) => Ok(Next::Record(record)),
                Err(_) => Err(RecordingError::Unreadable { at }),
            },
            Found::Nothing | Found::Cut => Ok(Next::Cut(at)),
            Found::Damaged => Err(RecordingError::Damaged { at }),
        }
    }
}

enum Next<'a> {
    Record(Record<'a>),
    Cut(usize),
}

/// A node that goes once more through what it has been through.
#[derive(Debug)]
pub struct Replay<'a> {
    node: Node,
    rest: Placed<'a>,
    room: Room,
    buffer: Vec<u8>,
}

/// How far a replay has come.
#[derive(Debug)]
pub enum Advance<'a> {
    /// One thing more was taken in.
    Step(Step<'a>),
    /// That was all.
    Ended(Ending),
}

/// One step of a replay.
#[derive(Debug)]
pub struct Step<'a> {
    /// When.
    pub now: Instant,
    /// What went in.
    pub input: Input<'a>,
    /// What came out, with the bytes of packets and stream messages. When several things went in
    /// before anything came out, it is with the last of them.
    pub outputs: Vec<(Output, Vec<u8>)>,
    /// The node after it.
    pub node: &'a Node,
}

/// How a segment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As it was meant to.
    Whole(End),
    /// The process died, or the copy is not whole.
    Cut {
        /// The byte behind the last whole entry.
        at: usize,
    },
}

impl<'a> Replay<'a> {
    /// The node as it is now.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Lets the node take in the next thing, and holds what comes out against what came out then.
    ///
    /// # Errors
    ///
    /// When what follows is damaged, or this program decides differently.
    pub fn advance(&mut self) -> Result<Advance<'_>, RecordingError> {
        let at = self.rest.at;
        let (now, input) = match self.rest.record()? {
            Next::Record(Record::Input { now, input }) => (now, input),
            Next::Record(Record::End(end)) => return Ok(Advance::Ended(Ending::Whole(end))),
            Next::Record(Record::Outputs { .. }) => return Err(RecordingError::Damaged { at }),
            Next::Cut(at) => return Ok(Advance::Ended(Ending::Cut { at })),
        };
        self.node.handle(now, input);
        let outputs = self.outputs(now)?;
        Ok(Advance::Step(Step { now, input, outputs, node: &self.node }))
    }

    /// What came out before the next input.
    fn outputs(&mut self, now: Instant) -> Result<Vec<(Output, Vec<u8>)>, RecordingError> {
        let mut outputs = Vec::new();
        loop {
            let mut behind = self.rest;
            match behind.record() {
                Ok(Next::Record(Record::Outputs { room, count, digest, left })) => {
                    let at = std::mem::replace(&mut self.rest, behind).at;
                    self.room = room.checked().ok_or(RecordingError::Damaged { at })?;
                    let tally = self.poll(count, &mut outputs);
                    let same = (tally.count, tally.digest()) == (count, digest);
                    let more = left == Left::Nothing && self.poll(1, &mut outputs).count > 0;
                    if !same || more {
                        return Err(RecordingError::Differs { at, now });
                    }
                }
                Ok(Next::Cut(_)) => {
                    // The process died over this input, or just after it.
                    self.poll(u32::MAX, &mut outputs);
                    return Ok(outputs);
                }
                // Whatever it is, it is the next one's concern.
                Ok(Next::Record(Record::Input { .. } | Record::End(_))) | Err(_) => {
                    return Ok(outputs);
                }
            }
        }
    }

    /// Takes up to `most` outputs.
    fn poll(&mut self, most: u32, outputs: &mut Vec<(Output, Vec<u8>)>) -> Tally {
        let mut tally = Tally::default();
        while tally.count < most {
            let Some(output) = self.node.poll_output(self.room, &mut self.buffer) else { break };
            tally.add(&output, &self.buffer);
            outputs.push((output, self.buffer.clone()));
        }
        tally
    }
}
