use super::decode::{push_pull_head, user_message_head};
use super::kind;
use crate::DecodeError;
use crate::msgpack::{ReadError, Reader};

/// Finds where a stream message ends while it arrives.
///
/// It goes on where it stopped, so that a message in many pieces costs no more than in one.
#[derive(Debug)]
pub(crate) struct Scan {
    position: usize,
    /// Values that are still to be passed over.
    pending: u64,
    step: Step,
}

/// What [`Scan::advance`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The message has this many bytes.
    Complete(usize),
    /// The message has at least this many bytes.
    AtLeast(usize),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The first MessagePack value.
    Head,
    /// The records of a push/pull, with that many bytes behind them.
    Records { tail: usize },
    /// Bytes up to this position.
    Tail { end: usize },
}

impl Scan {
    /// Starts behind the type byte.
    pub(crate) const fn new() -> Self {
        Self { position: 1, pending: 1, step: Step::Head }
    }

    /// Goes on with `message`, which begins as it did before and has perhaps grown.
    pub(crate) fn advance(&mut self, message: &[u8]) -> Result<Progress, DecodeError> {
        let kind = *message.first().ok_or(DecodeError::EmptyMessage)?;
        loop {
            match self.step {
                Step::Tail { end } if message.len() >= end => return Ok(Progress::Complete(end)),
                Step::Tail { end } => return Ok(Progress::AtLeast(end)),
                Step::Head | Step::Records { .. } => {}
            }
            if let Some(length) = self.skip(message)? {
                return Ok(Progress::AtLeast(length));
            }
            self.step = self.after(kind, message)?;
        }
    }

    /// Passes over the pending values; says how long the message must be when it is too short.
    fn skip(&mut self, message: &[u8]) -> Result<Option<usize>, DecodeError> {
        let mut reader = Reader::new(message.get(self.position..).unwrap_or_default());
        let result = reader.resume_skip(&mut self.pending);
        self.position = message.len() - reader.rest().len();
        match result {
            Ok(()) => Ok(None),
            Err(ReadError::Truncated { needed }) => Ok(Some(message.len().saturating_add(needed))),
            Err(error) => Err(error.into()),
        }
    }

    fn after(&mut self, kind: u8, message: &[u8]) -> Result<Step, DecodeError> {
        let end = |tail: usize| Step::Tail { end: self.position.saturating_add(tail) };
        let mut head = Reader::new(message.get(1..self.position).unwrap_or_default());
        match (self.step, kind) {
            (Step::Head, kind::PUSH_PULL) => {
                let head = push_pull_head(&mut head)?;
                self.pending = head.nodes.into();
                Ok(Step::Records { tail: head.user_state })
            }
            (Step::Head, kind::USER) => Ok(end(user_message_head(&mut head)?.length)),
            (Step::Head, kind::PING | kind::ACK | kind::ERROR | kind::COMPRESS) => Ok(end(0)),
            (Step::Head, _) => Err(DecodeError::UnsupportedType),
            (Step::Records { tail }, _) => Ok(end(tail)),
            (Step::Tail { end }, _) => Ok(Step::Tail { end }),
        }
    }
}
