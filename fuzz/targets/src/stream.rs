use mingle_wire::memberlist::decode_stream;
use mingle_wire::{Envelope, Side, StreamDecoder, StreamError, StreamMessage};

use crate::bytes::Bytes;
use crate::envelopes;

/// Any bytes as a stream, in any pieces.
///
/// The first byte chooses settings, the next ones how the rest is cut. The pieces give the same as
/// the whole; a message that is sealed comes out again; what decodes, encodes and decodes to the
/// same value.
pub fn stream(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let settings = bytes.byte();
    let envelope = envelopes::choose(settings & 0x0f);
    let side = if settings & 0x10 == 0 { Side::Dialer } else { Side::Listener };
    let count = bytes.byte() & 7;
    let cuts = bytes.take(count.into());
    if settings & 0x20 == 0 {
        same_in_pieces(envelope, side, cuts, bytes.rest());
        same_when_spelled(bytes.rest());
    } else {
        same_when_sealed(envelope, side, cuts, bytes.rest());
    }
}

fn same_in_pieces(envelope: &Envelope, side: Side, cuts: &[u8], stream: &[u8]) -> Vec<Vec<u8>> {
    let whole = read(envelope, side, std::iter::once(stream));
    let pieces = read(envelope, side, pieces(cuts, stream));
    assert_eq!(whole.messages, pieces.messages, "the same messages in pieces");
    // Which of several mistakes is met first may depend on what has arrived.
    assert_eq!(whole.result.is_ok(), pieces.result.is_ok(), "{whole:?} but in pieces {pieces:?}");
    for message in &whole.messages {
        assert!(decode_stream(message).is_ok(), "what comes out decodes");
    }
    whole.messages
}

#[derive(Debug)]
struct Read {
    messages: Vec<Vec<u8>>,
    result: Result<(), StreamError>,
}

fn read<'s>(envelope: &Envelope, side: Side, pieces: impl Iterator<Item = &'s [u8]>) -> Read {
    let mut decoder = StreamDecoder::new(side);
    let mut messages = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.poll(envelope) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return Read { messages, result: Err(error) },
            }
        }
    }
    Read { messages, result: decoder.finish() }
}

/// Cuts a stream into pieces of the given sizes, over and over; one byte at a time without sizes.
fn pieces<'s>(cuts: &'s [u8], stream: &'s [u8]) -> impl Iterator<Item = &'s [u8]> {
    let mut sizes = cuts.iter().map(|&cut| usize::from(cut) + 1).cycle();
    let mut rest = stream;
    std::iter::from_fn(move || {
        let size = sizes.next().unwrap_or(1).min(rest.len());
        let (piece, behind) = rest.split_at(size);
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
}

fn same_when_spelled(bytes: &[u8]) {
    let Ok(message) = decode_stream(bytes) else { return };
    let mut spelled = Vec::new();
    message.encode(&mut spelled);
    let again = decode_stream(&spelled).expect("what we spell we read");
    match (message, again) {
        (StreamMessage::PushPull(before), StreamMessage::PushPull(after)) => {
            assert_eq!((before.join, before.user_state), (after.join, after.user_state));
            let sound = before.records().filter(Result::is_ok);
            assert!(after.records().eq(sound), "the records that were sound");
        }
        (before, after) => assert_eq!(before, after),
    }
}

/// Whatever decodes can be sent with any settings, twice, and comes out as it went in.
fn same_when_sealed(envelope: &Envelope, side: Side, cuts: &[u8], message: &[u8]) {
    if decode_stream(message).is_err() || envelope.skip_inbound_label_check {
        return;
    }
    let mut canonical = Vec::new();
    decode_stream(message).expect("just checked").encode(&mut canonical);
    let mut stream = Vec::new();
    envelope.seal_stream(&canonical, side, [7; 12], &mut stream);
    // Only what a dialer sends first has the label before it.
    envelope.seal_stream(&canonical, Side::Listener, [8; 12], &mut stream);
    let messages = same_in_pieces(envelope, side, cuts, &stream);
    assert_eq!(messages, [canonical.as_slice(), &canonical]);
}
