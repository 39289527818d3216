//! What Go's two decoders accept and refuse, each case built by hand: we accept what either accepts.

use mingle_wire::memberlist::{decode_message, decode_stream};
use mingle_wire::{Address, DecodeError, Message, Ping, SeqNo, Source, StreamMessage};

use crate::samples::local;

fn read(body: &[u8]) -> Result<Ping<'_>, DecodeError> {
    match decode_message(body)? {
        Message::Ping(ping) => Ok(ping),
        other => panic!("not a ping: {other:?}"),
    }
}

fn ping(seq: u32, node: &str) -> Ping<'_> {
    Ping { seq: SeqNo(seq), node, source: Source::default() }
}

#[track_caller]
fn accepts(body: &[u8], expected: Ping<'_>) {
    assert_eq!(read(body), Ok(expected));
}

#[track_caller]
fn refuses(body: &[u8], expected: DecodeError) {
    assert_eq!(read(body), Err(expected));
}

#[test]
fn str8_bin8_and_unknown_fields_are_accepted() {
    // The address counts only together with a port.
    let unknown = b"\xa5Other\x82\x01\x91\xc3\xa1y\xcb\0\0\0\0\0\0\0\0";
    let body = [
        b"\x00\x84\xa5SeqNo\x05\xa4Node\xd9\x02n2\xaaSourceAddr\xc4\x04\x7f\x00\x00\x01".as_slice(),
        unknown,
    ]
    .concat();
    accepts(&body, ping(5, "n2"));
}

#[test]
fn a_key_may_be_str8_or_bin8() {
    accepts(b"\x00\x81\xd9\x05SeqNo\x05", ping(5, ""));
    accepts(b"\x00\x81\xc4\x05SeqNo\x05", ping(5, ""));
}

#[test]
fn a_signed_integer_is_accepted_unless_it_is_negative() {
    accepts(b"\x00\x81\xa5SeqNo\xd3\0\0\0\0\0\0\x01\0", ping(256, ""));
    refuses(b"\x00\x81\xa5SeqNo\xff", DecodeError::Malformed);
}

#[test]
fn an_integer_above_its_field_is_refused() {
    refuses(b"\x00\x81\xa5SeqNo\xcf\0\0\0\x01\0\0\0\0", DecodeError::Malformed);
    refuses(b"\x00\x81\xaaSourcePort\xce\0\x01\0\0", DecodeError::Malformed);
    accepts(b"\x00\x81\xa5SeqNo\xcf\0\0\0\0\xff\xff\xff\xff", ping(u32::MAX, ""));
}

#[test]
fn nil_is_the_zero_value_of_a_field_and_of_the_whole() {
    accepts(b"\x00\x82\xa5SeqNo\x07\xa4Node\xc0", ping(7, ""));
    accepts(b"\x00\xc0", ping(0, ""));
}

#[test]
fn a_structure_may_be_an_array_in_the_order_of_its_declaration() {
    accepts(b"\x00\x92\x09\xa2n2", ping(9, "n2"));
    let whole = b"\x00\x96\x09\xa2n2\xa4\x7f\0\0\x01\x50\xa1s\x81\x01\x02";
    let source = Source { address: Some(local(80)), node: "s" };
    accepts(whole, Ping { source, ..ping(9, "n2") });
}

#[test]
fn a_key_in_lower_case_is_another_key() {
    accepts(b"\x00\x81\xa5seqno\x05", ping(0, ""));
}

#[test]
fn an_address_may_be_an_array_of_small_integers() {
    let body = b"\x00\x82\xaaSourceAddr\x94\x7f\0\0\x01\xaaSourcePort\x50";
    let source = Source { address: Some(local(80)), node: "" };
    accepts(body, Ping { source, ..ping(0, "") });
    let without_port = b"\x00\x81\xaaSourceAddr\x94\x7f\0\0\x01";
    accepts(without_port, ping(0, ""));
    refuses(b"\x00\x81\xaaSourceAddr\x91\xcd\x01\x00", DecodeError::Malformed);
}

#[test]
fn bytes_behind_the_message_are_ignored() {
    accepts(b"\x00\x81\xa5SeqNo\x05trailing", ping(5, ""));
}

#[test]
fn a_map_may_have_a_longer_head_than_it_needs() {
    accepts(b"\x00\xde\x00\x01\xa5SeqNo\x05", ping(5, ""));
    accepts(b"\x00\xdf\x00\x00\x00\x01\xa5SeqNo\x05", ping(5, ""));
}

#[test]
fn a_truncated_message_is_refused_although_go_takes_its_first_fields() {
    refuses(b"\x00\x82\xa5SeqNo\x05\xa4No", DecodeError::Truncated);
}

#[test]
fn a_float_is_no_integer() {
    refuses(b"\x00\x81\xa5SeqNo\xcb\x40\x14\0\0\0\0\0\0", DecodeError::Malformed);
}

#[test]
fn a_push_pull_may_have_any_head() {
    let head = |bytes: &[u8]| {
        let body = [b"\x06", bytes].concat();
        let StreamMessage::PushPull(read) = decode_stream(&body).unwrap() else { panic!() };
        (read.join, read.nodes, read.user_state.len())
    };
    let state = [7; 512];
    let records = [0xc0; 200];
    let wide = b"\x83\xa4Join\xc3\xa5Nodes\xcc\xc8\xacUserStateLen\xcd\x02\x00";
    assert_eq!(head(&[wide, &records[..], &state[..]].concat()), (true, 200, 512));
    assert_eq!(head(b"\x81\xa4Join\x00"), (false, 0, 0));
    assert_eq!(head(b"\x81\xa4Join\x01"), (true, 0, 0));
    assert_eq!(head(b"\x80"), (false, 0, 0));
}

#[test]
fn a_ping_without_both_address_and_port_of_its_source_is_answered_to_where_it_came_from() {
    let port_only = b"\x00\x82\xaaSourcePort\x50\xaaSourceNode\xa1s";
    let source = Source { address: None, node: "s" };
    accepts(port_only, Ping { source, ..ping(0, "") });
    let odd = b"\x00\x82\xaaSourceAddr\xa3abc\xaaSourcePort\x50";
    refuses(odd, DecodeError::AddressLength);
}

#[test]
fn an_array_of_integers_is_no_meta() {
    // Only addresses and version bytes have a place to put them.
    let body = b"\x04\x81\xa4Meta\x91\x01";
    assert_eq!(decode_message(body), Err(DecodeError::Malformed));
    let versions = b"\x04\x85\xa4Node\xa1n\xabIncarnation\x01\xa4Addr\xa4\x7f\0\0\x01\xa4Port\x50\
        \xa3Vsn\x96\x01\x05\x02\0\0\0";
    let Ok(Message::Alive(alive)) = decode_message(versions) else { panic!() };
    assert_eq!(alive.versions.0, [1, 5, 2, 0, 0, 0]);
    assert_eq!(alive.address, Address { port: 0x50, ..local(80) });
}
