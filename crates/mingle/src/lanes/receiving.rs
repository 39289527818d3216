//! The listener's side: takes messages and acknowledges them.

use std::sync::Arc;
use std::time::Duration;

use mingle_proto::{ExchangeEnd, Via};
use mingle_wire::{Ack, DecodeError, SeqNo, StreamError, StreamMessage, memberlist};
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};

use super::KEEPS;
use crate::events;
use crate::exchange::{Detail, Open, Outcome, Stream, Unread};
use crate::stats::Tally;

/// How long a stream may be idle. The dialer closes it long before, so that nothing is under way.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long slow subscribers hold up what is acknowledged together; what they have no room for then takes that of the
/// oldest.
const FOR_SUBSCRIBERS: Duration = Duration::from_secs(1);

/// Takes messages, the first of them being `body`, until the stream ends. Each time that all which has come is taken,
/// the last one is acknowledged, so that a message that is not may have come.
pub(crate) async fn receive<S: Stream>(
    mut open: Open<S>,
    mut body: Vec<u8>,
    within: Duration,
) -> Outcome<S> {
    open.tell_kept();
    let place = Arc::clone(&open.shared.limits.kept).try_acquire_owned().ok();
    let keeps = place.is_some();
    place.into_iter().for_each(|place| open.move_to(place));
    let mut last = SeqNo(0);
    loop {
        last = match take_all(&mut open, body, last).await {
            Ok(last) => last,
            Err(unread) => return open.unread(unread).await,
        };
        match timeout(within, acknowledge(&mut open, last, keeps)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return open.broken(&error),
            Err(_) => return too_slow(&open),
        }
        if !keeps {
            return Outcome::Ended(ExchangeEnd::Closed, Detail::None);
        }
        open.give_back();
        if open.decoder.buffered() == 0 {
            match timeout(PATIENCE, open.fill()).await {
                Ok(Ok(())) => {}
                Ok(Err(unread)) => return open.unread(unread).await,
                Err(_) => return too_slow(&open),
            }
        }
        // What has begun must come whole as soon as on any other stream: it takes of the budget.
        body = match timeout(within, rest(&mut open)).await {
            Ok(Ok(body)) => body,
            Ok(Err(unread)) => return open.unread(unread).await,
            Err(_) => return too_slow(&open),
        };
    }
}

/// Waits for the rest of a message, and opens it with the keys of the moment at which it comes.
async fn rest<S: Stream>(open: &mut Open<S>) -> Result<Vec<u8>, Unread> {
    loop {
        open.sealing = open.shared.sealer.current();
        if let Some(body) = open.decode().await? {
            return Ok(body);
        }
        open.fill().await?;
    }
}

/// Gives this message and all that came with it to subscribers; says which was the last.
async fn take_all<S: Stream>(
    open: &mut Open<S>,
    body: Vec<u8>,
    mut last: SeqNo,
) -> Result<SeqNo, Unread> {
    let until = Instant::now() + FOR_SUBSCRIBERS;
    let mut next = Some(body);
    while let Some(body) = next {
        last = SeqNo(last.0.wrapping_add(1));
        let Ok(StreamMessage::Numbered { number, payload }) = memberlist::decode_stream(&body)
        else {
            return Err(refused());
        };
        if number != last {
            return Err(refused());
        }
        open.shared.messages.wait_for_room(until).await;
        open.shared.tallies.count(Tally::KeptMessagesIn);
        events::message(&open.shared, open.peer, Via::Stream(open.peer), payload);
        next = open.decode().await?;
    }
    Ok(last)
}

/// Of all messages, only the next one belongs there.
const fn refused() -> Unread {
    Unread::Refused(StreamError::Message(DecodeError::Malformed))
}

async fn acknowledge<S: Stream>(
    open: &mut Open<S>,
    last: SeqNo,
    keeps: bool,
) -> std::io::Result<()> {
    let mut ack = Vec::new();
    let payload = if keeps { KEEPS } else { &[] };
    StreamMessage::Ack(Ack { seq: last, payload }).encode(&mut ack);
    open.write(&ack).await?;
    if keeps { Ok(()) } else { open.stream.shutdown().await }
}

fn too_slow<S: Stream>(open: &Open<S>) -> Outcome<S> {
    open.shared.tallies.count(Tally::StreamsTimedOut);
    Outcome::Ended(ExchangeEnd::TimedOut, Detail::None)
}
