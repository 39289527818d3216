//! What the tasks of streams do: one step of an exchange each, from the driver and back to it.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mingle_proto::{Answer, Content, ExchangeEnd, ExchangeId};
use mingle_wire::{Side, StreamDecoder, StreamError, StreamMessage};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tracing::field::{self, Empty};
use tracing::{Instrument, Span, debug, info_span};

use crate::driver::Shared;
use crate::inbox;
use crate::lanes;
use crate::sealer::{Sealing, draw_nonce};
use crate::stats::Tally;
use crate::transport::Transport;

/// What all steps of a node share.
#[derive(Debug)]
pub(crate) struct Limits {
    /// Exchanges that we dialled.
    pub(crate) ours: Arc<Semaphore>,
    /// Exchanges that peers dialled.
    pub(crate) theirs: Arc<Semaphore>,
    /// Bytes in the buffers of all streams.
    bytes: Arc<Semaphore>,
    /// Messages that are being decrypted and decompressed.
    decodes: Semaphore,
    /// Streams that we keep for messages of the application.
    pub(crate) lanes: Arc<Semaphore>,
    /// Streams that peers keep for them.
    pub(crate) kept: Arc<Semaphore>,
}

const MAX_OURS: usize = 128;
const MAX_THEIRS: usize = 128;
const MAX_BYTES: usize = 128 << 20;
/// Each may take 40 MiB before its size is known and counted.
const MAX_DECODES: usize = 2;
const MAX_LANES: usize = 256;
const MAX_KEPT: usize = 1024;

impl Limits {
    pub(crate) fn new() -> Self {
        Self {
            ours: Arc::new(Semaphore::new(MAX_OURS)),
            theirs: Arc::new(Semaphore::new(MAX_THEIRS)),
            bytes: Arc::new(Semaphore::new(MAX_BYTES)),
            decodes: Semaphore::new(MAX_DECODES),
            lanes: Arc::new(Semaphore::new(MAX_LANES)),
            kept: Arc::new(Semaphore::new(MAX_KEPT)),
        }
    }
}

/// A stream, and what belongs to it, between two steps.
pub(crate) struct Open<S> {
    pub(crate) stream: S,
    /// The other end.
    pub(crate) peer: SocketAddr,
    side: Side,
    /// Whether something was written. A dialer's label is before the first message only.
    has_spoken: bool,
    pub(crate) decoder: StreamDecoder,
    pub(crate) sealing: Arc<Sealing>,
    pub(crate) shared: Arc<Shared>,
    /// From the first byte to the last.
    span: Span,
    /// What the buffers take of the budget.
    charge: Option<OwnedSemaphorePermit>,
    /// `None` for a lane, which has one however often it dials.
    place: Option<OwnedSemaphorePermit>,
}

/// A stream that waits for the node.
pub(crate) type Held<S> = Box<Open<S>>;

/// A step that is over.
pub(crate) struct Finished<S> {
    pub(crate) exchange: ExchangeId,
    pub(crate) outcome: Outcome<S>,
}

/// What came of a step.
pub(crate) enum Outcome<S> {
    /// The peer's message is whole.
    Message { open: Held<S>, body: Vec<u8> },
    /// The exchange is over.
    Ended(ExchangeEnd, Detail),
}

/// What the node need not know about an end, but people want to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Nothing.
    None,
    /// The system's word for it.
    Io(io::ErrorKind),
    /// Why what came was refused.
    Refused(StreamError),
}

/// What to do on a stream that is to be dialled.
pub(crate) struct Dial {
    pub(crate) to: SocketAddr,
    pub(crate) message: Vec<u8>,
    pub(crate) answer: Answer,
    pub(crate) content: Content,
    pub(crate) within: Duration,
    pub(crate) place: OwnedSemaphorePermit,
}

/// Dials, writes the message, and reads the answer if there will be one.
pub(crate) async fn dial<T: Transport>(
    transport: Arc<T>,
    shared: Arc<Shared>,
    dial: Dial,
) -> Outcome<T::Stream> {
    let Dial { to, message, answer, content, within, place } = dial;
    let tallies = Arc::clone(&shared);
    let span = info_span!("exchange", peer = %to, side = "dialled", content = word(content), error = Empty);
    let of_stream = span.clone();
    let work = async {
        let stream = match connect(&*transport, &shared, to).await {
            Ok(stream) => stream,
            Err((end, detail)) => return Outcome::Ended(end, detail),
        };
        let mut open = Open::new(stream, to, Side::Dialer, shared, Some(place), of_stream);
        if let Err(error) = open.write(&message).await {
            return open.broken(&error);
        }
        drop(message);
        match answer {
            Answer::Expected => open.read().await,
            Answer::None => match open.stream.shutdown().await {
                Ok(()) => Outcome::Ended(ExchangeEnd::Closed, Detail::None),
                Err(error) => open.broken(&error),
            },
        }
    };
    in_time(within, &tallies, span, work).await
}

/// Dials, and counts where nobody is reached.
pub(crate) async fn connect<T: Transport>(
    transport: &T,
    shared: &Shared,
    to: SocketAddr,
) -> Result<T::Stream, (ExchangeEnd, Detail)> {
    transport.dial(to).await.map_err(|error| {
        debug!(%to, %error, "dial");
        shared.tallies.count(Tally::DialsFailed);
        (ExchangeEnd::Unreachable, Detail::Io(error.kind()))
    })
}

/// Reads the first message on a stream that a peer dialled.
pub(crate) async fn accept<S: Stream>(
    stream: S,
    peer: SocketAddr,
    shared: Arc<Shared>,
    place: OwnedSemaphorePermit,
    within: Duration,
) -> Outcome<S> {
    let tallies = Arc::clone(&shared);
    let span = info_span!("exchange", %peer, side = "accepted", content = Empty, error = Empty);
    let open = Open::new(stream, peer, Side::Listener, shared, Some(place), span.clone());
    match in_time(within, &tallies, span, open.read()).await {
        Outcome::Message { open, body } if lanes::is_numbered(&body) => {
            lanes::receive(*open, body, within).await
        }
        outcome => outcome,
    }
}

/// Writes a further message, and reads the next one.
pub(crate) async fn reply<S: Stream>(
    mut open: Held<S>,
    message: Vec<u8>,
    within: Duration,
) -> Outcome<S> {
    let (tallies, span) = (Arc::clone(&open.shared), open.span.clone());
    let work = async {
        match open.write(&message).await {
            Ok(()) => open.read().await,
            Err(error) => open.broken(&error),
        }
    };
    in_time(within, &tallies, span, work).await
}

/// Writes the last message, and closes.
pub(crate) async fn reply_and_close<S: Stream>(
    mut open: Held<S>,
    message: Vec<u8>,
    within: Duration,
) -> Outcome<S> {
    let (tallies, span) = (Arc::clone(&open.shared), open.span.clone());
    let work = async {
        let written = open.write(&message).await;
        match async { written.and(open.stream.shutdown().await) }.await {
            Ok(()) => Outcome::Ended(ExchangeEnd::Closed, Detail::None),
            Err(error) => open.broken(&error),
        }
    };
    in_time(within, &tallies, span, work).await
}

async fn in_time<S>(
    within: Duration,
    shared: &Shared,
    span: Span,
    work: impl Future<Output = Outcome<S>>,
) -> Outcome<S> {
    let outcome = timeout(within, work.instrument(span.clone())).await.unwrap_or_else(|_| {
        shared.tallies.count(Tally::StreamsTimedOut);
        Outcome::Ended(ExchangeEnd::TimedOut, Detail::None)
    });
    match &outcome {
        Outcome::Message { .. } | Outcome::Ended(ExchangeEnd::Closed, _) => {}
        Outcome::Ended(_, Detail::Io(kind)) => drop(span.record("error", field::display(kind))),
        Outcome::Ended(_, Detail::Refused(why)) => drop(span.record("error", field::display(why))),
        Outcome::Ended(end, Detail::None) => drop(span.record("error", field::debug(end))),
    }
    outcome
}

/// What a message is, for people.
const fn word(content: Content) -> &'static str {
    match content {
        Content::PushPull { join: true } => "join",
        Content::PushPull { join: false } => "push/pull",
        Content::Whole => "message",
    }
}

/// What a stream that is kept carries.
pub(crate) const MESSAGES: &str = "messages";

/// What a transport's streams are.
pub(crate) trait Stream:
    tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static
{
}

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static> Stream for S {}

/// Why no message came.
pub(crate) enum Unread {
    Io(io::Error),
    Refused(StreamError),
    Closed,
    OverBudget,
}

impl<S: Stream> Open<S> {
    pub(crate) fn new(
        stream: S,
        peer: SocketAddr,
        side: Side,
        shared: Arc<Shared>,
        place: Option<OwnedSemaphorePermit>,
        span: Span,
    ) -> Self {
        let theirs = match side {
            Side::Dialer => Side::Listener,
            Side::Listener => Side::Dialer,
        };
        Self {
            stream,
            peer,
            side,
            has_spoken: false,
            decoder: StreamDecoder::new(theirs),
            sealing: shared.sealer.current(),
            shared,
            span,
            charge: None,
            place,
        }
    }

    /// Says that it is kept.
    pub(crate) fn tell_kept(&self) {
        self.span.record("content", MESSAGES);
    }

    /// Says what is about to be answered.
    pub(crate) fn tell(&self, content: Content) {
        self.span.record("content", word(content));
    }

    /// Appends what goes on the stream for a message.
    pub(crate) fn seal(&mut self, message: &[u8], out: &mut Vec<u8>) {
        let nonce = self.sealing.nonce(draw_nonce);
        let side = if self.has_spoken { Side::Listener } else { self.side };
        self.has_spoken = true;
        self.sealing.envelope.seal_stream(message, side, nonce, out);
    }

    pub(crate) async fn write(&mut self, message: &[u8]) -> io::Result<()> {
        let mut sealed = Vec::new();
        self.seal(message, &mut sealed);
        self.stream.write_all(&sealed).await?;
        self.stream.flush().await?;
        self.shared.tallies.add(Tally::StreamBytesOut, sealed.len());
        Ok(())
    }

    async fn read(mut self) -> Outcome<S> {
        match self.read_message().await {
            Ok(body) => Outcome::Message { open: Box::new(self), body },
            Err(unread) => self.unread(unread).await,
        }
    }

    /// Counts why no message came, and tells the peer what it has to know.
    pub(crate) async fn unread(&mut self, unread: Unread) -> Outcome<S> {
        match unread {
            Unread::Closed => Outcome::Ended(ExchangeEnd::Closed, Detail::None),
            Unread::Io(error) => self.broken(&error),
            Unread::OverBudget => {
                self.shared.tallies.count(Tally::StreamsOverBudget);
                Outcome::Ended(ExchangeEnd::Broken, Detail::None)
            }
            Unread::Refused(error) => {
                self.refuse(error).await;
                Outcome::Ended(ExchangeEnd::Broken, Detail::Refused(error))
            }
        }
    }

    pub(crate) async fn read_message(&mut self) -> Result<Vec<u8>, Unread> {
        loop {
            if let Some(body) = self.decode().await? {
                return Ok(body);
            }
            self.fill().await?;
        }
    }

    /// Waits for further bytes.
    pub(crate) async fn fill(&mut self) -> Result<(), Unread> {
        let length = poll_fn(|cx| self.poll_read(cx)).await.map_err(Unread::Io)?;
        if length == 0 {
            self.decoder.finish().map_err(Unread::Refused)?;
            return Err(Unread::Closed);
        }
        self.charge(length)
    }

    /// Gives what has come to the decoder; says how much.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        inbox::with(|inbox| {
            let mut chunk = ReadBuf::new(inbox);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut chunk))?;
            self.decoder.push(chunk.filled());
            let length = chunk.filled().len();
            self.shared.tallies.add(Tally::StreamBytesIn, length);
            Poll::Ready(Ok(length))
        })
    }

    /// What it has taken of the budget so far was used.
    pub(crate) fn give_back(&mut self) {
        self.charge = None;
    }

    /// Counts against another bound from now on than exchanges do.
    pub(crate) fn move_to(&mut self, place: OwnedSemaphorePermit) {
        self.place = Some(place);
    }

    pub(crate) async fn decode(&mut self) -> Result<Option<Vec<u8>>, Unread> {
        let shared = Arc::clone(&self.shared);
        let turn = shared.limits.decodes.acquire().await;
        let _turn = turn.expect("this semaphore is never closed");
        let body = self.decoder.poll(&self.sealing.envelope).map_err(Unread::Refused)?;
        if let Some(body) = &body {
            self.charge(body.len())?;
        }
        Ok(body)
    }

    fn charge(&mut self, bytes: usize) -> Result<(), Unread> {
        let bytes = u32::try_from(bytes).map_err(|_| Unread::OverBudget)?;
        let budget = Arc::clone(&self.shared.limits.bytes);
        let more = budget.try_acquire_many_owned(bytes).map_err(|_| Unread::OverBudget)?;
        match &mut self.charge {
            Some(charge) => charge.merge(more),
            None => self.charge = Some(more),
        }
        Ok(())
    }

    pub(crate) fn broken(&self, error: &io::Error) -> Outcome<S> {
        debug!(peer = %self.peer, %error, "stream");
        self.shared.tallies.count(Tally::StreamsBroken);
        Outcome::Ended(ExchangeEnd::Broken, Detail::Io(error.kind()))
    }

    /// Counts the refusal, and tells a dialer whose settings differ (spec 5.2).
    async fn refuse(&mut self, error: StreamError) {
        self.shared.refused_stream(self.peer, error);
        let Some(text) = error.reply().filter(|_| self.side == Side::Listener) else { return };
        let mut message = Vec::new();
        StreamMessage::Error(text).encode(&mut message);
        if self.write(&message).await.is_err() || self.stream.shutdown().await.is_err() {
            return;
        }
        // What is closed with bytes unread is reset, and the peer would not see the answer.
        let linger = async {
            let mut chunk = vec![0; 4 << 10];
            while matches!(self.stream.read(&mut chunk).await, Ok(length) if length > 0) {}
        };
        // Whether the peer was done by then does not matter.
        let _ = timeout(LINGER, linger).await;
    }
}

/// How long a peer may take to read why it was refused.
const LINGER: Duration = Duration::from_secs(1);
