//! Bodies: compounds, limits of fields, tags.

use std::collections::BTreeMap;

use mingle_wire::memberlist::{
    COMPOUND_OVERHEAD, MAX_PARTS, PART_OVERHEAD, append_part, decode_message, messages, part_count,
    tags, write_packet,
};
use mingle_wire::{
    Alive, Dead, DecodeError, Incarnation, Ip, MAX_META, MAX_NAME, Message, Nack, SeqNo, TagsError,
};

use crate::samples::{META_DB, SERF, alive, incarnation, local};

fn encoded(message: Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out);
    out
}

fn read(body: &[u8]) -> Vec<Result<Message<'_>, DecodeError>> {
    messages(body).collect()
}

fn nack(number: u32) -> Message<'static> {
    Message::Nack(Nack { seq: SeqNo(number) })
}

fn compound(parts: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::new();
    write_packet(parts.iter().copied(), &mut body);
    body
}

#[test]
fn one_part_stays_bare_and_none_is_nothing() {
    assert_eq!(compound(&[b"\x08a"]), b"\x08a");
    assert_eq!(compound(&[]), b"");
}

#[test]
fn a_compound_has_the_overhead_that_budgets_reckon_with() {
    let body = compound(&[b"\x08a", b"\x08bc"]);
    assert_eq!(body, b"\x07\x02\x00\x02\x00\x03\x08a\x08bc");
    assert_eq!(body.len(), COMPOUND_OVERHEAD + 2 * PART_OVERHEAD + 5);
    assert_eq!(read(&body), [Ok(Message::User(b"a")), Ok(Message::User(b"bc"))]);
}

#[test]
fn a_part_can_be_appended_to_anything() {
    let parts: Vec<Vec<u8>> = (0..255).map(|number| encoded(nack(number))).collect();
    let mut body = Vec::new();
    for (count, part) in parts.iter().enumerate() {
        assert_eq!(part_count(&body), count);
        append_part(&mut body, part);
    }
    let mut whole = Vec::new();
    write_packet(parts.iter().map(Vec::as_slice), &mut whole);
    assert_eq!(body, whole);
    assert_eq!(part_count(&body), MAX_PARTS);
    assert_eq!(read(&body), (0..255).map(|number| Ok(nack(number))).collect::<Vec<_>>());
}

#[test]
#[should_panic(expected = "at most 255 parts")]
fn more_parts_than_a_byte_counts_are_our_mistake() {
    write_packet(std::iter::repeat_n(b"\x08".as_slice(), 256), &mut Vec::new());
}

#[test]
fn a_compound_without_parts_holds_nothing() {
    assert_eq!(read(b"\x07\x00"), []);
}

#[test]
fn a_compound_without_all_its_lengths_is_dropped() {
    let truncated = [Err(DecodeError::Truncated)];
    assert_eq!(read(b"\x07"), truncated);
    assert_eq!(read(b"\x07\x02\x00\x02\x00"), truncated);
}

#[test]
fn a_compound_that_is_cut_off_keeps_its_earlier_parts() {
    let mut body = compound(&[b"\x08a", b"\x08b", b"\x08c", b"\x08d"]);
    body.truncate(body.len() - 3);
    let (a, b) = (Ok(Message::User(b"a".as_slice())), Ok(Message::User(b"b".as_slice())));
    assert_eq!(read(&body), [a, b, Err(DecodeError::Truncated)]);
}

#[test]
fn a_part_of_no_length_stands_for_itself() {
    let body = compound(&[b"\x08a", b"", b"\x08c"]);
    let (a, c) = (Ok(Message::User(b"a".as_slice())), Ok(Message::User(b"c".as_slice())));
    assert_eq!(read(&body), [a, Err(DecodeError::EmptyMessage), c]);
    assert_eq!(read(b""), [Err(DecodeError::EmptyMessage)]);
}

#[test]
fn a_refused_part_leaves_the_others() {
    let body = compound(&[b"\x09\x80", b"\x08a", b"\x63", b"\x0c1234\x08x", b"\x07\x00"]);
    let expected = [
        Err(DecodeError::Nested),
        Ok(Message::User(b"a".as_slice())),
        Err(DecodeError::UnsupportedType),
        Err(DecodeError::UnsupportedType),
        Err(DecodeError::Nested),
    ];
    assert_eq!(read(&body), expected);
}

#[test]
fn types_of_streams_and_of_the_second_dialect_do_not_belong_into_packets() {
    for kind in [6, 10, 12, 13, 14, mingle_wire::SECOND_DIALECT, 244] {
        assert_eq!(decode_message(&[kind, 0x80]), Err(DecodeError::UnsupportedType));
    }
}

#[test]
fn a_name_of_255_bytes_is_accepted_and_one_of_256_is_not() {
    let name = "n".repeat(MAX_NAME + 1);
    let said = |node| Message::Alive(alive(node, 1, META_DB, SERF));
    let longest = said(&name[..MAX_NAME]);
    assert_eq!(decode_message(&encoded(longest)), Ok(longest));
    let too_long = Err(DecodeError::NameTooLong);
    assert_eq!(decode_message(&encoded(said(&name))), too_long);
    let from = Message::Dead(Dead { incarnation: Incarnation::FIRST, node: "n", from: &name });
    assert_eq!(decode_message(&encoded(from)), too_long);
}

#[test]
fn a_node_needs_a_name_and_it_is_text() {
    let nameless = Message::Alive(alive("", 1, META_DB, SERF));
    assert_eq!(decode_message(&encoded(nameless)), Err(DecodeError::EmptyName));
    let garbled = b"\x03\x82\xabIncarnation\x01\xa4Node\xa2\xff\xfe";
    assert_eq!(decode_message(garbled), Err(DecodeError::NotUtf8));
}

#[test]
fn incarnations_are_accepted_up_to_the_last_one() {
    let last =
        Message::Alive(Alive { incarnation: Incarnation::LAST, ..alive("n", 1, META_DB, SERF) });
    assert_eq!(decode_message(&encoded(last)), Ok(last));
    let beyond = b"\x03\x82\xa4Node\xa1n\xabIncarnation\xce\xff\xff\x00\x01";
    assert_eq!(decode_message(beyond), Err(DecodeError::Incarnation));
    for none in [b"\x03\x82\xa4Node\xa1n\xabIncarnation\x00".as_slice(), b"\x03\x81\xa4Node\xa1n"] {
        assert_eq!(decode_message(none), Err(DecodeError::Incarnation));
    }
}

#[test]
fn meta_is_accepted_up_to_its_limit() {
    let meta = [7; MAX_META + 1];
    let longest = Message::Alive(alive("n", 1, &meta[..MAX_META], SERF));
    assert_eq!(decode_message(&encoded(longest)), Ok(longest));
    let beyond = Message::Alive(alive("n", 1, &meta, SERF));
    assert_eq!(decode_message(&encoded(beyond)), Err(DecodeError::MetaTooLong));
}

fn alive_with(address: &[u8], versions: &[u8]) -> Vec<u8> {
    let field = |bytes: &[u8]| {
        let mut out = Vec::new();
        mingle_wire::msgpack::Writer::new(&mut out).bytes(bytes);
        out
    };
    let head = b"\x04\x84\xa4Node\xa1n\xabIncarnation\x01\xa4Addr".as_slice();
    [head, &field(address), b"\xa3Vsn", &field(versions)].concat()
}

#[test]
fn version_bytes_are_six() {
    for length in [0, 1, 2, 5, 7, 16, 17, 40] {
        let body = alive_with(&[127, 0, 0, 1], &vec![1; length]);
        assert_eq!(decode_message(&body), Err(DecodeError::VersionsLength), "{length}");
    }
    assert!(decode_message(&alive_with(&[127, 0, 0, 1], &[1; 6])).is_ok());
}

#[test]
fn addresses_are_four_or_sixteen_bytes_and_keep_their_spelling() {
    for length in [0, 1, 3, 5, 15, 17, 300] {
        let body = alive_with(&vec![1; length], &[1; 6]);
        assert_eq!(decode_message(&body), Err(DecodeError::AddressLength), "{length}");
    }
    let mapped = std::net::Ipv4Addr::LOCALHOST.to_ipv6_mapped().octets();
    let body = alive_with(&mapped, &[1; 6]);
    let Ok(Message::Alive(read)) = decode_message(&body) else { panic!() };
    assert_eq!(read.address.ip, Ip::V6(mapped));
    assert!(read.address.same_endpoint(&local(0)));
}

#[test]
fn every_reason_has_its_place_and_a_name_of_its_own() {
    let mut names: Vec<_> = DecodeError::ALL.iter().map(|reason| reason.as_str()).collect();
    for (index, reason) in DecodeError::ALL.iter().enumerate() {
        assert_eq!(reason.index(), index);
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), DecodeError::ALL.len());
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn tags_are_a_marked_map_and_no_tags_are_an_empty_one() {
    assert_eq!(tags::encode(&map(&[("role", "db")])), Ok(META_DB.to_vec()));
    assert_eq!(tags::encode(&map(&[])), Ok(vec![0xff, 0x80]));
    assert_eq!(tags::decode(META_DB), map(&[("role", "db")]));
    assert_eq!(tags::decode(b"\xff\x80"), map(&[]));
}

#[test]
fn meta_without_tags_is_the_role() {
    assert_eq!(tags::decode(b"web"), map(&[("role", "web")]));
    assert_eq!(tags::decode(b""), map(&[("role", "")]));
    assert_eq!(tags::decode(b"\x80\xfe"), map(&[("role", "\u{fffd}\u{fffd}")]));
}

#[test]
fn malformed_tags_end_where_they_are() {
    assert_eq!(tags::decode(b"\xff\x82\xa1a\xa1b\xa1c"), map(&[("a", "b")]));
    assert_eq!(tags::decode(b"\xff\x82\xa1a\xa1b\xa1c\x07"), map(&[("a", "b")]));
    assert_eq!(tags::decode(b"\xff\xdf\xff\xff\xff\xff"), map(&[]));
    assert_eq!(tags::decode(b"\xff\x07"), map(&[]));
}

#[test]
fn tags_must_fit_the_meta() {
    let fitting = map(&[("k", &"v".repeat(MAX_META - 7))]);
    assert_eq!(tags::encode(&fitting).unwrap().len(), MAX_META);
    let beyond = map(&[("k", &"v".repeat(MAX_META - 6))]);
    let error = TagsError::TooLong { length: MAX_META + 1, limit: MAX_META };
    assert_eq!(tags::encode(&beyond), Err(error));
}

#[test]
fn absent_bytes_are_nil_and_integers_are_as_short_as_can_be() {
    let message =
        Message::Alive(Alive { incarnation: incarnation(200), ..alive("n", 0, b"", SERF) });
    let expected = b"\x04\x86\xa4Addr\xa4\x7f\0\0\x01\xabIncarnation\xcc\xc8\xa4Meta\xc0\
        \xa4Node\xa1n\xa4Port\x00\xa3Vsn\xa6\x01\x05\x02\x02\x05\x05";
    assert_eq!(encoded(message), expected);
}
