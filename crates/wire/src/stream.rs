use thiserror::Error;

use crate::envelope::{Aad, decompress};
use crate::memberlist::{Progress, Scan, decode_stream, kind};
use crate::{DecodeError, Envelope, OpenError, Side};

/// Longest encrypted frame (spec 2.8).
pub const MAX_FRAME: usize = 20 * 1024 * 1024;
/// Longest message, whether it comes plain or is decompressed (spec 2.8).
pub const MAX_DECOMPRESSED: usize = 40 * 1024 * 1024;

/// Why a stream was given up. The fault is the peer's, or the peer has other settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StreamError {
    /// The peer encrypts and we have no key.
    #[error("the peer encrypts, but we have no key")]
    RemoteEncrypted,
    /// The peer does not encrypt and we require it.
    #[error("the peer does not encrypt, but we require it")]
    RemotePlaintext,
    /// The stream ends inside a message.
    #[error("the stream ends inside a message")]
    Truncated,
    /// An encrypted frame above [`MAX_FRAME`].
    #[error("the encrypted frame is too long")]
    FrameTooLong,
    /// A message above [`MAX_DECOMPRESSED`].
    #[error("the message is too long")]
    MessageTooLong,
    /// The label, the encryption or the compression is wrong.
    #[error(transparent)]
    Envelope(#[from] OpenError),
    /// The message is wrong.
    #[error(transparent)]
    Message(#[from] DecodeError),
}

impl StreamError {
    /// The name of its counter.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RemoteEncrypted => "remote_encrypted",
            Self::RemotePlaintext => "remote_plaintext",
            Self::Truncated => "stream_truncated",
            Self::FrameTooLong => "frame_too_long",
            Self::MessageTooLong => "message_too_long",
            Self::Envelope(error) => error.as_str(),
            Self::Message(error) => error.as_str(),
        }
    }

    /// What a listener answers as [`crate::StreamMessage::Error`], in Go's words (spec 5.2), when the
    /// settings of both sides differ.
    #[must_use]
    pub const fn reply(self) -> Option<&'static str> {
        match self {
            Self::RemoteEncrypted => {
                Some("remote state is encrypted and encryption is not configured")
            }
            Self::RemotePlaintext => {
                Some("encryption is configured but remote state is not encrypted")
            }
            Self::Truncated
            | Self::FrameTooLong
            | Self::MessageTooLong
            | Self::Envelope(_)
            | Self::Message(_) => None,
        }
    }
}

/// Cuts what arrives on a stream into messages (spec section 5), without doing any I/O.
///
/// [`StreamDecoder::push`] the bytes as they come, [`StreamDecoder::poll`] until it gives nothing,
/// and [`StreamDecoder::finish`] at the end of the stream. After an error the stream is of no use.
/// The buffer grows with what arrives, never by what a length claims.
#[derive(Debug)]
pub struct StreamDecoder {
    buffer: Vec<u8>,
    /// So many bytes in front belong to messages that were taken off.
    taken: usize,
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// Before the label that a dialer sends first.
    Label,
    /// Between messages.
    Start,
    /// Inside a frame whose payload has that many bytes.
    Frame { length: usize },
    /// Inside a message that is not encrypted.
    Plain(Scan),
}

impl StreamDecoder {
    /// Reads what `peer` sends: a dialer's label comes first, a listener sends none.
    #[must_use]
    pub const fn new(peer: Side) -> Self {
        let step = match peer {
            Side::Dialer => Step::Label,
            Side::Listener => Step::Start,
        };
        Self { buffer: Vec::new(), taken: 0, step }
    }

    /// Takes in bytes that have arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.drop_taken();
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message, once it is whole: decrypted and decompressed, from its type byte on. It is
    /// one that [`crate::memberlist::decode_stream`] accepts.
    pub fn poll(&mut self, envelope: &Envelope) -> Result<Option<Vec<u8>>, StreamError> {
        loop {
            let rest = self.buffer.get(self.taken..).unwrap_or_default();
            match &mut self.step {
                Step::Label => {
                    let Some(length) = label_length(envelope, rest)? else { return Ok(None) };
                    self.taken += length;
                    self.step = Step::Start;
                }
                Step::Start => {
                    let Some(step) = start(envelope, rest)? else { return Ok(None) };
                    self.step = step;
                }
                Step::Frame { length } => {
                    let end = FRAME_HEAD + *length;
                    let Some(frame) = rest.get(..end) else { return Ok(None) };
                    let message = open_frame(envelope, frame)?;
                    self.skip(end);
                    return Ok(Some(message));
                }
                Step::Plain(scan) => match scan.advance(rest)? {
                    Progress::AtLeast(length) if length > MAX_DECOMPRESSED => {
                        return Err(StreamError::MessageTooLong);
                    }
                    Progress::AtLeast(_) => return Ok(None),
                    Progress::Complete(end) => return unpack(self.take(end)).map(Some),
                },
            }
        }
    }

    /// Bytes that have arrived and belong to no message that was given.
    #[must_use]
    pub const fn buffered(&self) -> usize {
        self.buffer.len() - self.taken
    }

    /// Says how the stream ended, once its last byte was pushed and polled: well, when it ended
    /// between messages or before the first byte.
    pub fn finish(&self) -> Result<(), StreamError> {
        if self.buffer.len() == self.taken { Ok(()) } else { Err(StreamError::Truncated) }
    }

    /// Takes a message off the buffer; what is behind it belongs to the next one. One of many is copied, a large one is
    /// not.
    fn take(&mut self, length: usize) -> Vec<u8> {
        if self.taken == 0 && length > self.buffer.len() / 2 {
            self.step = Step::Start;
            let rest = self.buffer.split_off(length);
            return std::mem::replace(&mut self.buffer, rest);
        }
        let message = self.buffer.get(self.taken..).and_then(|rest| rest.get(..length));
        let message = message.unwrap_or_default().to_vec();
        self.skip(length);
        message
    }

    fn skip(&mut self, length: usize) {
        self.step = Step::Start;
        self.taken += length;
        if self.taken == self.buffer.len() {
            self.drop_taken();
        }
    }

    fn drop_taken(&mut self) {
        self.buffer.drain(..std::mem::take(&mut self.taken));
    }
}

/// The type and the length of an encrypted frame.
const FRAME_HEAD: usize = 5;

/// How many bytes the label header has, once that is known and the label is ours.
fn label_length(envelope: &Envelope, buffer: &[u8]) -> Result<Option<usize>, StreamError> {
    let whole = match buffer {
        [] | [kind::LABEL] => false,
        [kind::LABEL, length, rest @ ..] => rest.len() >= usize::from(*length),
        [..] => true,
    };
    if !whole {
        return Ok(None);
    }
    let rest = envelope.strip_label(buffer)?;
    Ok(Some(buffer.len() - rest.len()))
}

/// What kind of message begins, once that is known (spec 5.2).
fn start(envelope: &Envelope, buffer: &[u8]) -> Result<Option<Step>, StreamError> {
    match buffer {
        [] => Ok(None),
        [kind::ENCRYPT, ..] if envelope.keyring.is_empty() => Err(StreamError::RemoteEncrypted),
        [kind::ENCRYPT, a, b, c, d, ..] => {
            let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            if length > MAX_FRAME {
                return Err(StreamError::FrameTooLong);
            }
            Ok(Some(Step::Frame { length }))
        }
        [kind::ENCRYPT, ..] => Ok(None),
        [..] if envelope.refuses_plaintext() => Err(StreamError::RemotePlaintext),
        [..] => Ok(Some(Step::Plain(Scan::new()))),
    }
}

fn open_frame(envelope: &Envelope, frame: &[u8]) -> Result<Vec<u8>, StreamError> {
    let (head, payload) = frame.split_at_checked(FRAME_HEAD).ok_or(StreamError::Truncated)?;
    let aad = Aad::new(head, envelope.label.as_bytes());
    let mut message = Vec::new();
    envelope.decrypt(payload, &aad, &mut message)?;
    unpack(message)
}

/// Decompresses a whole message if need be, and checks it.
fn unpack(message: Vec<u8>) -> Result<Vec<u8>, StreamError> {
    let message = match message.strip_prefix(&[kind::COMPRESS]) {
        None => message,
        Some(body) => {
            let mut plain = Vec::new();
            decompress(body, MAX_DECOMPRESSED, &mut plain)?;
            plain
        }
    };
    decode_stream(&message)?;
    Ok(message)
}
