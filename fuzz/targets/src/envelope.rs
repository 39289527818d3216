use std::cell::RefCell;

use mingle_wire::memberlist::messages;
use mingle_wire::{
    Checksum, DecodeError, Envelope, MAX_PACKET_DECOMPRESSED, OpenError, Opened, Scratch, lzw,
};

use crate::bytes::Bytes;
use crate::envelopes;

/// Any bytes as a datagram, as compressed data, and as what gets sealed.
///
/// The first byte chooses which, the second the settings. What comes out is bounded; what is sealed
/// comes out as it was, or not at all when a byte of it was changed; what is compressed likewise.
pub fn envelope(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let choice = bytes.byte();
    match choice & 3 {
        0 => open(envelopes::choose(bytes.byte()), bytes.rest()),
        1 => seal_and_open(envelopes::choose(bytes.byte()), choice, bytes),
        2 => decompress(bytes.number(), bytes.rest()),
        _ => compress(bytes.rest()),
    }
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

fn open_with(
    envelope: &Envelope,
    datagram: &[u8],
    deliver: impl FnMut(&[u8]),
) -> Result<Opened, OpenError> {
    SCRATCH.with_borrow_mut(|scratch| envelope.open_packet(datagram, scratch, deliver))
}

fn open(envelope: &Envelope, datagram: &[u8]) {
    let (mut bodies, mut length) = (0, 0);
    let result = open_with(envelope, datagram, |body| {
        assert!(!body.is_empty(), "no empty body is delivered");
        let nested = messages(body).any(|message| message == Err(DecodeError::Nested));
        assert!(!nested, "what is delivered is unwrapped");
        bodies += 1;
        length += body.len();
    });
    assert!(length <= datagram.len() + MAX_PACKET_DECOMPRESSED, "{length} bytes came out");
    match result {
        Ok(opened) => assert_eq!(opened.refused == 0, opened.reason.is_none()),
        Err(_) => assert_eq!(bodies, 0, "nothing comes out of a packet that is refused"),
    }
}

fn seal_and_open(envelope: &Envelope, choice: u8, mut bytes: Bytes<'_>) {
    let change = bytes.number();
    let body = bytes.rest();
    // Other types are wrappers of their own, and would be taken for that.
    if !matches!(body.first(), Some(0..=6 | 8 | 11)) {
        return;
    }
    let checksum = if choice & 4 == 0 { Checksum::Add } else { Checksum::Omit };
    let mut datagram = Vec::new();
    SCRATCH.with_borrow_mut(|scratch| {
        envelope.seal_packet(body, checksum, [choice; 12], scratch, &mut datagram);
    });
    let most = body.len() + envelope.overhead() + CHECKSUM_LENGTH;
    assert!(datagram.len() <= most, "{} bytes where {most} are the most", datagram.len());
    if choice & 8 == 0 {
        comes_out(envelope, &datagram, body);
    } else if envelope.refuses_plaintext() && envelope.encrypts() {
        let after_version = envelope.overhead() - envelope.encryption_version.overhead() + 1;
        let place = after_version + usize::from(change) % (datagram.len() - after_version);
        datagram[place] ^= (choice >> 4) | 1;
        let result = open_with(envelope, &datagram, |_| panic!("a changed packet is not opened"));
        assert!(result.is_err());
    }
}

const CHECKSUM_LENGTH: usize = 5;

fn comes_out(envelope: &Envelope, datagram: &[u8], body: &[u8]) {
    let mut delivered = 0;
    let result = open_with(envelope, datagram, |opened| {
        assert_eq!(opened, body);
        delivered += 1;
    });
    if envelope.skip_inbound_label_check {
        assert_eq!(result, Err(OpenError::LabelUnexpected));
    } else {
        assert_eq!((result, delivered), (Ok(Opened::default()), 1));
    }
}

/// The bytes before what is appended must stay, and no code may reach back to them.
const BEFORE: &[u8] = b"before";

fn decompress(limit: u16, compressed: &[u8]) {
    let limit = usize::from(limit);
    let mut out = BEFORE.to_vec();
    let result = lzw::decompress(compressed, limit, &mut out);
    let plain = out.strip_prefix(BEFORE).expect("what was there stays");
    assert!(plain.len() <= limit, "{} bytes where {limit} are the most", plain.len());
    if result.is_ok() {
        compress(plain);
    }
}

fn compress(plain: &[u8]) {
    let mut compressed = Vec::new();
    lzw::compress(plain, &mut compressed);
    let mut again = Vec::new();
    assert_eq!(lzw::decompress(&compressed, plain.len(), &mut again), Ok(()));
    assert_eq!(again, plain);
}
