//! The dialer's side: one task for each lane, that dials when there is something to say.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use mingle_proto::{Done, ExchangeEnd, RequestError};
use mingle_wire::{DecodeError, SeqNo, Side, StreamError, StreamMessage, memberlist};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tracing::field::Empty;
use tracing::info_span;

use super::{KEEPS, Parcel};
use crate::cluster::{Failed, Reply};
use crate::driver::Shared;
use crate::exchange::{Detail, MESSAGES, Open, Outcome, Stream, Unread, connect};
use crate::stats::Tally;
use crate::transport::Transport;

/// How long a lane may have nothing to say before it ends.
const IDLE: Duration = Duration::from_secs(15);
/// How often it is looked whether a message waits for too long, or the lane is idle.
const LOOK: Duration = Duration::from_secs(1);
/// Bytes that wait to be written; messages wait when there are more.
const MAX_OUT: usize = 64 << 10;
/// Bytes that an ack has at most, sealed and all.
const LONGEST_ACK: usize = 1024;

/// Sends messages to a node, each acknowledged within the given time, until there was none for a while.
pub(crate) async fn run<T: Transport>(
    transport: &T,
    shared: &Arc<Shared>,
    (to, within): (SocketAddr, Duration),
    mut parcels: mpsc::Receiver<Parcel>,
) {
    while let Some(first) = next(&mut parcels).await {
        let Parcel { payload, reply } = first;
        let begun = timeout(within, begin(transport, shared, to, &payload)).await;
        let begun = begun.unwrap_or_else(|_| {
            shared.tallies.count(Tally::StreamsTimedOut);
            Err((ExchangeEnd::TimedOut, Detail::None))
        });
        match begun {
            Ok((open, keeps)) => {
                answer(reply, Ok(()), to);
                if keeps {
                    Sending::new(open, within).run(&mut parcels).await;
                }
            }
            Err(end) => {
                answer(reply, Err(end), to);
                if end.0 == ExchangeEnd::Unreachable || end.0 == ExchangeEnd::TimedOut {
                    fail_waiting(&mut parcels, end, to);
                }
            }
        }
    }
    drop(parcels);
    shared.lanes.remove(to);
}

/// Those that wait too would each wait for as long.
fn fail_waiting(parcels: &mut mpsc::Receiver<Parcel>, end: (ExchangeEnd, Detail), to: SocketAddr) {
    while let Ok(parcel) = parcels.try_recv() {
        answer(parcel.reply, Err(end), to);
    }
}

/// The next message; `None` when there was none for a while, and then none comes any more.
async fn next(parcels: &mut mpsc::Receiver<Parcel>) -> Option<Parcel> {
    match timeout(IDLE, parcels.recv()).await {
        Ok(parcel) => parcel,
        Err(_) => {
            parcels.close();
            parcels.recv().await
        }
    }
}

/// Whoever waited may have gone away by now.
fn answer(reply: Reply, end: Result<(), (ExchangeEnd, Detail)>, to: SocketAddr) {
    let failed = |(end, detail)| Failed { error: RequestError::Exchange { to, end }, detail };
    let _ = reply.send(end.map(|()| Done::Sent).map_err(failed));
}

/// Dials, and sends the first message. Says whether the peer keeps the stream.
async fn begin<T: Transport>(
    transport: &T,
    shared: &Arc<Shared>,
    to: SocketAddr,
    payload: &[u8],
) -> Result<(Open<T::Stream>, bool), (ExchangeEnd, Detail)> {
    let stream = connect(transport, shared, to).await?;
    let side = "dialled";
    let span = info_span!("exchange", peer = %to, side, content = MESSAGES, error = Empty);
    let mut open = Open::new(stream, to, Side::Dialer, Arc::clone(shared), None, span);
    let mut message = Vec::new();
    StreamMessage::Numbered { number: FIRST, payload }.encode(&mut message);
    if let Err(error) = open.write(&message).await {
        return Err(ended(&open.broken(&error)));
    }
    drop(message);
    let body = match open.read_message().await {
        Ok(body) => body,
        // It has closed the stream without a word.
        Err(Unread::Closed) => {
            let error = io::ErrorKind::UnexpectedEof.into();
            return Err(ended(&open.broken(&error)));
        }
        Err(unread) => return Err(ended(&open.unread(unread).await)),
    };
    open.give_back();
    match memberlist::decode_stream(&body) {
        Ok(StreamMessage::Ack(ack)) if ack.seq == FIRST => {
            shared.tallies.count(Tally::KeptMessagesOut);
            Ok((open, ack.payload == KEEPS))
        }
        Ok(_) | Err(_) => {
            shared.tallies.count(Tally::StreamMessagesRefused);
            Err((ExchangeEnd::Broken, Detail::None))
        }
    }
}

const FIRST: SeqNo = SeqNo(1);

const fn ended<S>(outcome: &Outcome<S>) -> (ExchangeEnd, Detail) {
    match outcome {
        Outcome::Ended(end, detail) => (*end, *detail),
        Outcome::Message { .. } => (ExchangeEnd::Broken, Detail::None),
    }
}

/// A lane whose stream is open.
struct Sending<S> {
    open: Open<S>,
    within: Duration,
    /// The number of the next message.
    next: SeqNo,
    /// Messages that are not acknowledged, in order: the last of them has the number before `next`.
    waiting: VecDeque<Waiting>,
    /// One message as it is spelled.
    message: Vec<u8>,
    /// Sealed messages, of which so many bytes were written.
    out: Vec<u8>,
    written: usize,
    /// When there was something to do.
    busy: Instant,
    /// Nothing more comes.
    is_ending: bool,
}

/// A message that was given to the stream, and by when it must be acknowledged.
struct Waiting {
    reply: Reply,
    due: Instant,
}

impl<S: Stream> Sending<S> {
    fn new(open: Open<S>, within: Duration) -> Self {
        Self {
            open,
            within,
            next: SeqNo(FIRST.0 + 1),
            waiting: VecDeque::new(),
            message: Vec::new(),
            out: Vec::new(),
            written: 0,
            busy: Instant::now(),
            is_ending: false,
        }
    }

    /// Sends until the stream breaks, or there was nothing to send for a while.
    async fn run(mut self, parcels: &mut mpsc::Receiver<Parcel>) {
        let end = loop {
            if let Ok(end) = timeout(LOOK, poll_fn(|cx| self.poll(cx, parcels))).await {
                break end;
            }
            let now = Instant::now();
            if self.waiting.front().is_some_and(|first| first.due <= now) {
                self.open.shared.tallies.count(Tally::StreamsTimedOut);
                break (ExchangeEnd::TimedOut, Detail::None);
            }
            if self.waiting.is_empty() && now.duration_since(self.busy) >= IDLE {
                // What has come meanwhile is still sent.
                parcels.close();
            }
        };
        for waiting in self.waiting {
            answer(waiting.reply, Err(end), self.open.peer);
        }
        // Whether the peer hears that it is over does not matter.
        let _ = timeout(self.within, self.open.stream.shutdown()).await;
    }

    /// Does all that can be done now; ready when the stream is over.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        parcels: &mut mpsc::Receiver<Parcel>,
    ) -> Poll<(ExchangeEnd, Detail)> {
        loop {
            self.take_parcels(cx, parcels);
            if self.is_ending && self.waiting.is_empty() {
                return Poll::Ready((ExchangeEnd::Closed, Detail::None));
            }
            let wrote = match self.poll_write(cx) {
                Poll::Ready(Err(error)) => return Poll::Ready(ended(&self.open.broken(&error))),
                Poll::Ready(Ok(())) => true,
                Poll::Pending => false,
            };
            match self.open.poll_read(cx) {
                Poll::Ready(Err(error)) => return Poll::Ready(ended(&self.open.broken(&error))),
                Poll::Ready(Ok(0)) => return Poll::Ready(self.closed()),
                Poll::Ready(Ok(_)) => {
                    if let Err(error) = self.take_acks() {
                        self.open.shared.refused_stream(self.open.peer, error);
                        return Poll::Ready((ExchangeEnd::Broken, Detail::Refused(error)));
                    }
                }
                Poll::Pending if wrote => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn take_parcels(&mut self, cx: &mut Context<'_>, parcels: &mut mpsc::Receiver<Parcel>) {
        if self.is_ending || self.out.len() >= MAX_OUT {
            return;
        }
        self.open.sealing = self.open.shared.sealer.current();
        let now = Instant::now();
        while self.out.len() < MAX_OUT {
            let parcel = match parcels.poll_recv(cx) {
                Poll::Ready(Some(parcel)) => parcel,
                Poll::Ready(None) => return self.is_ending = true,
                Poll::Pending => return,
            };
            let number = self.next;
            self.next = SeqNo(number.0.wrapping_add(1));
            self.message.clear();
            let numbered = StreamMessage::Numbered { number, payload: &parcel.payload };
            numbered.encode(&mut self.message);
            self.open.seal(&self.message, &mut self.out);
            self.waiting.push_back(Waiting { reply: parcel.reply, due: now + self.within });
            self.busy = now;
        }
    }

    /// Writes what waits, as far as the stream takes it; pending also when nothing waits.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let rest = self.out.get(self.written..).unwrap_or_default();
        if rest.is_empty() {
            return Poll::Pending;
        }
        match std::task::ready!(Pin::new(&mut self.open.stream).poll_write(cx, rest))? {
            0 => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            length => {
                self.open.shared.tallies.add(Tally::StreamBytesOut, length);
                self.written += length;
                if self.written == self.out.len() {
                    self.out.clear();
                    self.out.shrink_to(MAX_OUT);
                    self.written = 0;
                }
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Lets those know whose messages were taken.
    fn take_acks(&mut self) -> Result<(), StreamError> {
        let malformed = StreamError::Message(DecodeError::Malformed);
        self.open.sealing = self.open.shared.sealer.current();
        while let Some(body) = self.open.decoder.poll(&self.open.sealing.envelope)? {
            let Ok(StreamMessage::Ack(ack)) = memberlist::decode_stream(&body) else {
                return Err(malformed);
            };
            let after = self.next.0.wrapping_sub(1).wrapping_sub(ack.seq.0) as usize;
            let taken = self.waiting.len().checked_sub(after).ok_or(malformed)?;
            self.open.shared.tallies.add(Tally::KeptMessagesOut, taken);
            for waiting in self.waiting.drain(..taken) {
                answer(waiting.reply, Ok(()), self.open.peer);
            }
        }
        if self.open.decoder.buffered() <= LONGEST_ACK { Ok(()) } else { Err(malformed) }
    }

    /// The peer has closed the stream.
    fn closed(&self) -> (ExchangeEnd, Detail) {
        if self.waiting.is_empty() {
            return (ExchangeEnd::Closed, Detail::None);
        }
        ended(&self.open.broken(&io::ErrorKind::UnexpectedEof.into()))
    }
}
