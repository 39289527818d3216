//! Every captured stream: what it means, however it is cut, and how we would have spelled it.

use mingle_wire::memberlist::{PushPullWriter, append_user_state, decode_stream};
use mingle_wire::{
    Ack, Address, Alive, DecodeError, EncryptionVersion, Envelope, Ip, NodeState, OpenError, Ping,
    SeqNo, Side, StreamDecoder, StreamError, StreamMessage,
};

use crate::samples::{
    META_DB, META_EAST_WEB, META_NONE, PLAIN, PROTOCOL_1, SERF, SerfEvent, alive, assert_complete,
    bare, compressing, encrypting, hex, incarnation, k16, k32, labelled, local, ping, serf_state,
    up, vector,
};

struct Case {
    file: &'static str,
    envelope: Envelope,
    /// Whose bytes these are.
    side: Side,
    expected: Expected,
    spelling: Spelling,
}

/// How the original relates to what we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling {
    /// The same bytes.
    Ours,
    /// Newer Go nodes write positive integers in signed forms (590 is d1 02 4e); we do not.
    SignedIntegers,
}

#[derive(Debug, PartialEq)]
enum Expected {
    Ping(Ping<'static>),
    Ack(Ack<'static>),
    User(Vec<u8>),
    Error(&'static str),
    PushPull { join: bool, records: Vec<NodeState<'static>>, user_state: Vec<u8> },
}

#[test]
fn every_captured_stream_means_what_it_should_and_is_spelled_as_we_would() {
    let cases = cases();
    assert_complete("stream", cases.iter().map(|case| case.file));
    for case in cases {
        let original = vector(&format!("stream/{}", case.file));
        let message = read_whole(&case, &original);
        let decoded = decode_stream(&message).unwrap();
        check(&case, &decoded);
        let mut encoded = Vec::new();
        decoded.encode(&mut encoded);
        check(&case, &decode_stream(&encoded).unwrap());
        let mut sealed = Vec::new();
        let nonce = nonce(&case, &original);
        case.envelope.seal_stream(&encoded, case.side, nonce, &mut sealed);
        let spelling = if sealed == original { Spelling::Ours } else { Spelling::SignedIntegers };
        assert_eq!(spelling, case.spelling, "{}", case.file);
        assert_eq!(read_whole(&case, &sealed), encoded, "{}", case.file);
    }
}

#[test]
fn every_captured_stream_is_the_same_however_it_is_cut() {
    for case in cases() {
        let original = vector(&format!("stream/{}", case.file));
        let whole = read_whole(&case, &original);
        for size in [1, 2, 7, 64] {
            let mut decoder = StreamDecoder::new(case.side);
            let mut found = Vec::new();
            for piece in original.chunks(size) {
                decoder.push(piece);
                found.extend(decoder.poll(&case.envelope).unwrap());
            }
            assert_eq!(found, [&*whole], "{} in pieces of {size}", case.file);
            assert_eq!(decoder.finish(), Ok(()));
        }
    }
}

#[test]
fn a_captured_stream_that_is_cut_off_anywhere_is_truncated() {
    for case in cases() {
        let original = vector(&format!("stream/{}", case.file));
        let label = 2 + case.envelope.label.as_bytes().len();
        for length in 1..original.len() {
            let mut decoder = StreamDecoder::new(case.side);
            decoder.push(&original[..length]);
            assert_eq!(decoder.poll(&case.envelope), Ok(None), "{} at {length}", case.file);
            let only_label = length == label && original[0] == 244;
            let ended = if only_label { Ok(()) } else { Err(StreamError::Truncated) };
            assert_eq!(decoder.finish(), ended, "{} at {length}", case.file);
        }
    }
}

fn read_whole(case: &Case, bytes: &[u8]) -> Vec<u8> {
    let mut decoder = StreamDecoder::new(case.side);
    decoder.push(bytes);
    let message = decoder.poll(&case.envelope).expect("valid").expect("whole");
    assert_eq!(decoder.finish(), Ok(()), "{}", case.file);
    message
}

fn check(case: &Case, message: &StreamMessage<'_>) {
    match (message, &case.expected) {
        (StreamMessage::Ping(found), Expected::Ping(ping)) => assert_eq!(found, ping),
        (StreamMessage::Ack(found), Expected::Ack(ack)) => assert_eq!(found, ack),
        (StreamMessage::User(found), Expected::User(bytes)) => assert_eq!(found, bytes),
        (StreamMessage::Error(found), Expected::Error(text)) => assert_eq!(found, text),
        (StreamMessage::PushPull(found), Expected::PushPull { join, records, user_state }) => {
            let found_records: Vec<_> =
                found.records().map(|record| record.expect("valid")).collect();
            assert_eq!((found.join, found.nodes as usize), (*join, records.len()));
            assert_eq!(&found_records, records);
            assert_eq!(found.user_state, user_state, "{}", case.file);
        }
        (found, expected) => panic!("{}: {found:?} is not {expected:?}", case.file),
    }
}

/// The nonce of a captured stream, behind the label, the frame's head and the version.
fn nonce(case: &Case, original: &[u8]) -> [u8; 12] {
    let label = if original[0] == 244 { 2 + usize::from(original[1]) } else { 0 };
    let nonce = original.get(label + 6..label + 18);
    nonce.map_or([0; 12], |nonce| nonce.try_into().unwrap_or_else(|_| panic!("{}", case.file)))
}

fn cases() -> Vec<Case> {
    let mut cases = small_cases();
    cases.extend(serf_cases());
    cases.extend(bare_cases());
    cases
}

fn small_cases() -> Vec<Case> {
    let error = |text| Expected::Error(text);
    let hello = || Expected::User(["hello-tcp"; 15].join(" ").into_bytes());
    let packed = Envelope { compress: true, ..labelled(encrypting(vec![k16()])) };
    let (dialer, listener) = (Side::Dialer, Side::Listener);
    let case = |file, envelope, side, expected, spelling| Case {
        file,
        envelope,
        side,
        expected,
        spelling,
    };
    let asked = Expected::Ping(ping("n1", 3, "n2", 17947));
    let acked = Expected::Ack(Ack { seq: SeqNo(3), payload: b"" });
    let theirs = error("remote state is encrypted and encryption is not configured");
    let ours = error("encryption is configured but remote state is not encrypted");
    vec![
        case("ping-request.bin", bare(), dialer, asked, Spelling::Ours),
        case("ping-ack.bin", bare(), listener, acked, Spelling::Ours),
        case("err-plain.bin", bare(), listener, theirs, Spelling::Ours),
        case("err-enc16.bin", encrypting(vec![k16()]), listener, ours, Spelling::Ours),
        case("usermsg-label.bin", labelled(bare()), dialer, hello(), Spelling::SignedIntegers),
        case(
            "usermsg-label-enc16-compressed.bin",
            packed,
            dialer,
            hello(),
            Spelling::SignedIntegers,
        ),
    ]
}

fn serf_cases() -> Vec<Case> {
    let fresh = |node| serf_state([1, 1, 1], &[], &[(node, 0)]);
    let join = |records, user_state| Expected::PushPull { join: true, records, user_state };
    let from_b = || join(vec![up(alive("node-b", 17947, META_DB, SERF))], fresh("node-b"));
    let from_a = join(vec![up(alive("node-a", 17946, META_EAST_WEB, SERF))], fresh("node-a"));
    let (dialer, listener) = (Side::Dialer, Side::Listener);
    let (ours, signed) = (Spelling::Ours, Spelling::SignedIntegers);
    let encrypted = Envelope { compress: true, ..encrypting(vec![k32()]) };
    let case = |file, envelope, side, expected, spelling| Case {
        file,
        envelope,
        side,
        expected,
        spelling,
    };
    vec![
        case("pushpull-join-request.bin", bare(), dialer, from_b(), signed),
        case("pushpull-join-response.bin", bare(), listener, from_a, signed),
        case("pushpull-join-request-debian.bin", bare(), dialer, from_b(), ours),
        case("pushpull-periodic-with-events.bin", bare(), dialer, with_events(), signed),
        case("pushpull-compressed.bin", compressing(), dialer, from_b(), signed),
        case("pushpull-enc32-compressed.bin", encrypted, dialer, from_b(), ours),
        case(
            "pushpull-addr16-response.bin",
            bare(),
            listener,
            join(vec![up(sixteen())], fresh("ns-a")),
            signed,
        ),
    ]
}

fn bare_cases() -> Vec<Case> {
    let request = |versions| Expected::PushPull {
        join: true,
        records: vec![up(alive("n2", 17947, b"meta-n2", versions))],
        user_state: b"state-of-n2".to_vec(),
    };
    let response = || Expected::PushPull {
        join: true,
        records: vec![up(alive("n1", 17946, b"meta-n1", PLAIN))],
        user_state: b"state-of-n1".to_vec(),
    };
    let v0 = Envelope { encryption_version: EncryptionVersion::V0, ..encrypting(vec![k16()]) };
    let case = |file, envelope, side, expected| Case {
        file,
        envelope,
        side,
        expected,
        spelling: Spelling::Ours,
    };
    let sealed = || labelled(encrypting(vec![k16()]));
    vec![
        case("pushpull-enc16-v0.bin", v0, Side::Dialer, request(PROTOCOL_1)),
        case("pushpull-label-request.bin", labelled(bare()), Side::Dialer, request(PLAIN)),
        case("pushpull-label-response.bin", labelled(bare()), Side::Listener, response()),
        case("pushpull-label-enc16-request.bin", sealed(), Side::Dialer, request(PLAIN)),
        case("pushpull-label-enc16-response.bin", sealed(), Side::Listener, response()),
    ]
}

fn with_events() -> Expected {
    let events = [
        SerfEvent { time: 1, name: "deploy", payload: b"payload-1" },
        SerfEvent { time: 2, name: "restart", payload: b"" },
    ];
    let status = [("node-c", 2), ("node-b", 1), ("node-a", 0)];
    let meta = b"\xff\x82\xa4role\xa3web\xa5color\xa4blue";
    let changed = Alive { incarnation: incarnation(2), ..alive("node-a", 17946, meta, SERF) };
    Expected::PushPull {
        join: false,
        records: vec![
            up(alive("node-c", 17948, META_NONE, SERF)),
            up(alive("node-b", 17947, META_DB, SERF)),
            up(changed),
        ],
        user_state: serf_state([3, 3, 5], &events, &status),
    }
}

/// An agent bound to 0.0.0.0 sends its IPv4 address in 16 bytes.
fn sixteen() -> Alive<'static> {
    let ip = std::net::Ipv4Addr::new(10, 99, 0, 1).to_ipv6_mapped().octets();
    let address = Address { ip: Ip::V6(ip), port: 17946 };
    Alive { address, ..alive("ns-a", 17946, META_NONE, SERF) }
}

#[test]
fn a_stream_without_a_byte_ends_well() {
    assert_eq!(StreamDecoder::new(Side::Dialer).finish(), Ok(()));
    assert_eq!(StreamDecoder::new(Side::Listener).finish(), Ok(()));
}

#[test]
fn several_messages_on_one_stream_come_one_by_one() {
    for envelope in [bare(), compressing(), labelled(encrypting(vec![k16()]))] {
        let mut bytes = Vec::new();
        let first = encoded(&StreamMessage::User(b"one"));
        let second = encoded(&StreamMessage::Ping(ping("b", 7, "a", 1)));
        envelope.seal_stream(&first, Side::Dialer, [1; 12], &mut bytes);
        envelope.seal_stream(&second, Side::Listener, [2; 12], &mut bytes);
        let mut decoder = StreamDecoder::new(Side::Dialer);
        decoder.push(&bytes);
        assert_eq!(decoder.poll(&envelope), Ok(Some(first)));
        assert_eq!(decoder.poll(&envelope), Ok(Some(second)));
        assert_eq!(decoder.poll(&envelope), Ok(None));
        assert_eq!(decoder.finish(), Ok(()));
    }
}

/// As Go spells a head, with a key before the one that it knows.
#[test]
fn the_number_of_a_message_stands_in_its_head() {
    let number = SeqNo(300);
    let message = encoded(&StreamMessage::Numbered { number, payload: b"one" });
    assert_eq!(message, b"\x08\x82\xa6Number\xcd\x01\x2c\xaaUserMsgLen\x03one");
    let decoded = decode_stream(&message);
    assert_eq!(decoded, Ok(StreamMessage::Numbered { number, payload: b"one" }));
}

#[test]
fn many_messages_that_came_in_one_piece_come_one_by_one() {
    let envelope = bare();
    let mut bytes = Vec::new();
    let numbered = |number: u32| {
        let payload = [b'x'; 50];
        encoded(&StreamMessage::Numbered { number: SeqNo(number), payload: &payload })
    };
    for number in 0..1_000 {
        envelope.seal_stream(&numbered(number), Side::Listener, [0; 12], &mut bytes);
    }
    let mut decoder = StreamDecoder::new(Side::Listener);
    let mut next = 0;
    for chunk in bytes.chunks(1_111) {
        decoder.push(chunk);
        while let Some(message) = decoder.poll(&envelope).unwrap() {
            assert_eq!(message, numbered(next));
            next += 1;
        }
        assert!(decoder.buffered() < numbered(0).len() + 3);
    }
    assert_eq!((next, decoder.buffered()), (1_000, 0));
}

#[test]
fn a_peer_that_encrypts_without_need_gets_an_answer_and_so_does_one_that_does_not() {
    let poll = |envelope: Envelope, bytes: &[u8]| {
        let mut decoder = StreamDecoder::new(Side::Dialer);
        decoder.push(bytes);
        decoder.poll(&envelope).unwrap_err()
    };
    let error = poll(bare(), &hex("0a"));
    assert_eq!(error, StreamError::RemoteEncrypted);
    assert!(error.reply().unwrap().starts_with("remote state is encrypted"));
    let error = poll(encrypting(vec![k16()]), &hex("06"));
    assert_eq!(error, StreamError::RemotePlaintext);
    assert!(error.reply().unwrap().starts_with("encryption is configured"));
}

#[test]
fn plaintext_is_taken_while_encryption_is_rolled_in() {
    let envelope = Envelope { verify_incoming: false, ..encrypting(vec![k16()]) };
    let message = encoded(&StreamMessage::User(b"x"));
    let mut decoder = StreamDecoder::new(Side::Dialer);
    decoder.push(&message);
    assert_eq!(decoder.poll(&envelope), Ok(Some(message)));
}

#[test]
fn the_label_of_a_stream_must_be_ours_and_only_a_dialer_sends_it() {
    let poll = |envelope: &Envelope, side, bytes: &[u8]| {
        let mut decoder = StreamDecoder::new(side);
        decoder.push(bytes);
        decoder.poll(envelope)
    };
    let message = encoded(&StreamMessage::User(b"x"));
    let other = [&hex("f4 01 78"), message.as_slice()].concat();
    let mismatch = Err(StreamError::Envelope(OpenError::LabelMismatch));
    assert_eq!(poll(&labelled(bare()), Side::Dialer, &other), mismatch);
    assert_eq!(poll(&labelled(bare()), Side::Dialer, &message), mismatch);
    assert_eq!(poll(&bare(), Side::Dialer, &other), mismatch);
    let unsupported = Err(StreamError::Message(DecodeError::UnsupportedType));
    assert_eq!(poll(&bare(), Side::Listener, &other), unsupported);
    let empty = Err(StreamError::Envelope(OpenError::LabelMalformed));
    assert_eq!(poll(&bare(), Side::Dialer, &hex("f4 00 08")), empty);
    let stripped = Envelope { skip_inbound_label_check: true, ..labelled(bare()) };
    assert_eq!(poll(&stripped, Side::Dialer, &message), Ok(Some(message.clone())));
    let unexpected = Err(StreamError::Envelope(OpenError::LabelUnexpected));
    assert_eq!(poll(&stripped, Side::Dialer, &other), unexpected);
}

#[test]
fn a_frame_that_claims_too_much_is_refused_by_its_head() {
    let envelope = encrypting(vec![k16()]);
    let mut decoder = StreamDecoder::new(Side::Listener);
    decoder.push(&hex("0a 01 40 00 01"));
    assert_eq!(decoder.poll(&envelope), Err(StreamError::FrameTooLong));
    let mut decoder = StreamDecoder::new(Side::Listener);
    decoder.push(&hex("0a 01 40 00 00"));
    assert_eq!(decoder.poll(&envelope), Ok(None));
}

#[test]
fn a_plain_message_that_claims_too_much_is_refused_by_its_head() {
    let poll = |bytes: &[u8]| {
        let mut decoder = StreamDecoder::new(Side::Listener);
        decoder.push(bytes);
        decoder.poll(&bare())
    };
    // A compressed buffer of 4 GiB, and an array of 4 Gi values in an unknown field.
    let too_long = Err(StreamError::MessageTooLong);
    assert_eq!(poll(b"\x09\x81\xa3Buf\xdb\xff\xff\xff\xff"), too_long);
    assert_eq!(poll(b"\x00\x81\xa1x\xdd\xff\xff\xff\xff"), too_long);
    let stated = |bytes: &[u8]| poll(bytes).unwrap_err();
    let user = stated(b"\x08\x81\xaaUserMsgLen\xce\x01\x40\x00\x01");
    assert_eq!(user, StreamError::Message(DecodeError::TooLong));
    let state = stated(b"\x06\x81\xacUserStateLen\xce\x01\x40\x00\x01");
    assert_eq!(state, StreamError::Message(DecodeError::TooLong));
    let nodes = stated(b"\x06\x81\xa5Nodes\xce\x00\x10\x00\x01");
    assert_eq!(nodes, StreamError::Message(DecodeError::TooManyNodes));
    let negative = stated(b"\x06\x81\xa5Nodes\xff");
    assert_eq!(negative, StreamError::Message(DecodeError::Malformed));
    let huge = stated(b"\x06\x81\xa5Nodes\xcf\x7f\xff\xff\xff\xff\xff\xff\xff");
    assert_eq!(huge, StreamError::Message(DecodeError::TooManyNodes));
}

#[test]
fn an_empty_compressed_or_encrypted_message_is_refused() {
    let empty = Err(StreamError::Message(DecodeError::EmptyMessage));
    for envelope in [compressing(), encrypting(vec![k16()])] {
        let mut bytes = Vec::new();
        envelope.seal_stream(b"", Side::Listener, [0; 12], &mut bytes);
        let mut decoder = StreamDecoder::new(Side::Listener);
        decoder.push(&bytes);
        assert_eq!(decoder.poll(&envelope), empty);
    }
}

#[test]
fn a_push_pull_of_twenty_mebibytes_in_small_pieces_takes_linear_time() {
    let mut message = push_pull(20_000, &[]);
    append_user_state(&mut message, &vec![7; 19 * 1024 * 1024]);
    let mut decoder = StreamDecoder::new(Side::Listener);
    let mut found = None;
    for piece in message.chunks(1024) {
        decoder.push(piece);
        found = decoder.poll(&bare()).unwrap();
    }
    assert!(found == Some(message));
}

#[test]
fn hostile_nesting_in_small_pieces_takes_linear_time() {
    let mut decoder = StreamDecoder::new(Side::Listener);
    decoder.push(b"\x06\x81\xa1x");
    for _ in 0..20_000 {
        decoder.push(&[0x91; 1024]);
        assert_eq!(decoder.poll(&bare()), Ok(None));
    }
}

#[test]
fn a_state_can_be_appended_to_a_written_push_pull() {
    let mut message = push_pull(300, &[]);
    let before = message.clone();
    append_user_state(&mut message, b"");
    assert_eq!(message, before);
    append_user_state(&mut message, b"two ");
    append_user_state(&mut message, b"parts");
    let StreamMessage::PushPull(read) = decode_stream(&message).unwrap() else { panic!() };
    assert_eq!((read.nodes, read.user_state), (300, b"two parts".as_slice()));
    assert!(read.records().all(|record| record.is_ok()));
}

#[test]
fn a_bad_record_of_a_push_pull_leaves_the_others() {
    let bad = b"\x82\xa4Name\xa1x\xa5State\x09";
    let message = push_pull(2, &[bad, b"\x07", b"\xc0"]);
    let StreamMessage::PushPull(read) = decode_stream(&message).unwrap() else { panic!() };
    let found: Vec<_> = read.records().map(|record| record.err()).collect();
    let errors =
        [DecodeError::StateUnknown, DecodeError::Malformed, DecodeError::Incarnation].map(Some);
    assert_eq!(found, [None, None].into_iter().chain(errors).collect::<Vec<_>>());
    let mut encoded = Vec::new();
    StreamMessage::PushPull(read).encode(&mut encoded);
    let StreamMessage::PushPull(again) = decode_stream(&encoded).unwrap() else { panic!() };
    assert_eq!(again.nodes, 2);
}

#[test]
#[should_panic(expected = "as many records as announced")]
fn a_push_pull_with_fewer_records_than_announced_is_our_mistake() {
    PushPullWriter::new(&mut Vec::new(), true, 1).finish();
}

/// A push/pull of good records, and behind them records that are spelled by hand.
fn push_pull(good: u32, more: &[&[u8]]) -> Vec<u8> {
    let names: Vec<String> = (0..good).map(|number| format!("node-{number}")).collect();
    let mut message = Vec::new();
    let mut writer = PushPullWriter::new(&mut message, false, good);
    for name in &names {
        writer.record(&up(Alive { address: local(1), ..alive(name, 1, META_DB, SERF) }));
    }
    writer.finish();
    if more.is_empty() {
        return message;
    }
    // The count is behind "06 83 a4 Join c2 a5 Nodes" and below 128 here.
    message[14] += u8::try_from(more.len()).unwrap_or_else(|_| panic!("few"));
    message.extend(more.concat());
    message
}

fn encoded(message: &StreamMessage<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out);
    out
}
