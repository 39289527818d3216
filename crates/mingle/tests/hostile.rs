//! Datagrams that have brought other systems down, sent to real nodes: a counter moves, and nothing
//! else happens.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::net::UdpSocket;

use common::{eventually_stats, loopback};
use mingle::{Cluster, Key, Keyring, Stats};

/// What a datagram should count: the counter, and the reason if it has one.
type Expected = (&'static str, Option<&'static str>);

fn count(stats: &Stats, (name, reason): Expected) -> u64 {
    let found = match reason {
        Some(reason) => stats.get_reason(name, reason),
        None => stats.get(name),
    };
    found.unwrap_or_else(|| panic!("there is no counter {name} {reason:?}"))
}

/// Sends each datagram, and sees its counter move by one while the view stays as it is.
async fn check(node: &Cluster, datagrams: &[(&str, Vec<u8>, Expected)]) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let version = node.stats().await.get("view_version");
    for (what, bytes, expected) in datagrams {
        let before = count(&node.stats().await, *expected);
        socket.send_to(bytes, node.local_addr()).unwrap();
        eventually_stats(what, 10, node, |stats| count(stats, *expected) == before + 1).await;
    }
    assert_eq!(node.members().len(), 1, "nobody has come in");
    assert_eq!(node.stats().await.get("view_version"), version, "and nothing has changed");
    let done = node.set_tags([("still", "here")]).await;
    assert_eq!(done, Ok(()), "the node goes on");
}

const ENVELOPE: &str = "envelopes_refused";
const MESSAGE: &str = "messages_refused";

#[tokio::test]
async fn a_node_with_a_key_shrugs_off_what_does_not_open() {
    let keyring = Keyring::new(vec![Key::from_bytes(&[7; 16]).unwrap()]);
    let node = loopback("a").keyring(keyring).start().await.unwrap();
    let with_version = |version: u8, length: usize| {
        let mut bytes = vec![0xa5; length];
        bytes[0] = version;
        bytes
    };
    let table = [
        ("an unknown cipher byte", with_version(77, 80), (ENVELOPE, Some("version_unsupported"))),
        ("a body that is not whole blocks", with_version(0, 61), (ENVELOPE, Some("decrypt"))),
        ("a sealed body of nothing", with_version(1, 28), (ENVELOPE, Some("too_short"))),
        ("a version byte alone", vec![1], (ENVELOPE, Some("too_short"))),
        ("an empty datagram", Vec::new(), (ENVELOPE, Some("empty"))),
        ("a label out of nowhere", b"\xf4\x03lbl\x00".to_vec(), (ENVELOPE, Some("label_mismatch"))),
        ("a label that is cut", b"\xf4\xff".to_vec(), (ENVELOPE, Some("label_malformed"))),
    ];
    check(&node, &table).await;
    node.stop().await;
}

#[tokio::test]
async fn a_node_without_a_key_shrugs_off_what_is_no_message() {
    let node = loopback("a").start().await.unwrap();
    let alive = |vsn: &[u8]| {
        let mut bytes = b"\x04\x86\xa4Addr\xa4\x7f\0\0\x01\xabIncarnation\x05\xa4Meta\xc0\xa4Node\xa1x\xa4Port\xcd\x1f\x0a\xa3Vsn".to_vec();
        bytes.push(0xa0 + u8::try_from(vsn.len()).unwrap());
        bytes.extend_from_slice(vsn);
        bytes
    };
    let table = [
        ("fewer values than keys", b"\x00\x85\xa5SeqNo".to_vec(), (MESSAGE, Some("truncated"))),
        ("a compound of nothing", vec![7, 1, 0, 0], (MESSAGE, Some("empty_message"))),
        ("a compound that claims 255 parts", vec![7, 255, 0], (MESSAGE, Some("truncated"))),
        ("a version array of three", alive(&[1, 5, 2]), (MESSAGE, Some("versions_length"))),
        ("a version range upside down", alive(&[5, 1, 2, 0, 0, 0]), ("versions_refused", None)),
        ("a type that nobody knows", vec![99, 1, 2], (MESSAGE, Some("unsupported_type"))),
        (
            "the second dialect's first byte",
            vec![mingle_wire::SECOND_DIALECT, 0],
            (MESSAGE, Some("unsupported_type")),
        ),
        (
            "a string of 4 GiB that is not there",
            b"\x00\x81\xa4Node\xdb\xff\xff\xff\xff".to_vec(),
            (MESSAGE, Some("truncated")),
        ),
        ("a checksum that is wrong", vec![12, 0, 0, 0, 0, 0, 1], (ENVELOPE, Some("checksum"))),
        (
            "an LZW stream that ends early",
            b"\x09\x82\xa4Algo\x00\xa3Buf\xa1\x00".to_vec(),
            (ENVELOPE, Some("decompress")),
        ),
        (
            "an ack that nobody waits for",
            b"\x02\x82\xa7Payload\xc0\xa5SeqNo\xce\xff\xff\xff\xff".to_vec(),
            ("answers_unasked", None),
        ),
        (
            "a death of a stranger",
            b"\x05\x83\xa4From\xa1y\xabIncarnation\x05\xa4Node\xa1x".to_vec(),
            ("claims_about_strangers", None),
        ),
        (
            "an incarnation of 0",
            b"\x05\x83\xa4From\xa1y\xabIncarnation\x00\xa4Node\xa1x".to_vec(),
            (MESSAGE, Some("incarnation")),
        ),
        (
            "an incarnation that Go would wrap",
            b"\x05\x83\xa4From\xa1y\xabIncarnation\xce\xff\xff\xff\xff\xa4Node\xa1x".to_vec(),
            (MESSAGE, Some("incarnation")),
        ),
    ];
    check(&node, &table).await;
    node.stop().await;
}
