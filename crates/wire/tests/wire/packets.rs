//! Every captured datagram: what it means, and that we would have sent the same bytes.

use mingle_wire::memberlist::{messages, write_packet};
use mingle_wire::{
    Ack, Address, Alive, Checksum, Dead, EncryptionVersion, Envelope, IndirectPing, Ip, Message,
    Nack, Opened, Ping, Scratch, SeqNo, Source, Suspect,
};

use crate::samples::{
    META_DB, META_EAST_WEB, META_NONE, META_WEB_EAST, PLAIN, PROTOCOL_1, SERF, alive,
    assert_complete, bare, compressing, coordinate, encrypting, incarnation, k16, k32, labelled,
    local, ping, second_key, vector,
};

struct Case<'m> {
    file: &'static str,
    envelope: Envelope,
    checksum: Checksum,
    messages: Vec<Message<'m>>,
}

const JOIN_B: Message<'static> = Message::User(b"\x01\x82\xa5LTime\x01\xa4Node\xa6node-b");

#[test]
fn every_captured_packet_means_what_it_should_and_is_spelled_as_we_would() {
    let cases = cases();
    assert_complete("packet", cases.iter().map(|case| case.file));
    for case in cases {
        let datagram = vector(&format!("packet/{}", case.file));
        let body = open(&case.envelope, &datagram);
        let read: Vec<_> = messages(&body).map(|message| message.unwrap()).collect();
        assert_eq!(read, case.messages, "{}", case.file);
        let sealed = seal(&case, &datagram);
        assert_eq!(sealed, datagram, "{}", case.file);
    }
}

#[test]
fn every_captured_packet_of_serf_opens_and_seals_to_the_same_bytes() {
    let cases = serf_cases();
    assert_complete("serf", cases.iter().map(|case| case.file));
    for case in cases {
        let datagram = vector(&format!("serf/{}", case.file));
        let body = open(&case.envelope, &datagram);
        let read: Vec<_> = messages(&body).map(|message| message.unwrap()).collect();
        assert_eq!(read.iter().map(serf_kind).collect::<Vec<_>>(), case.kinds, "{}", case.file);
        let case = Case {
            file: case.file,
            envelope: case.envelope,
            checksum: case.checksum,
            messages: read,
        };
        assert_eq!(seal(&case, &datagram), datagram, "{}", case.file);
    }
}

fn open(envelope: &Envelope, datagram: &[u8]) -> Vec<u8> {
    let mut bodies = Vec::new();
    let opened = envelope
        .open_packet(datagram, &mut Scratch::default(), |body| bodies.push(body.to_vec()))
        .expect("a valid packet");
    assert_eq!(opened, Opened::default());
    assert_eq!(bodies.len(), 1);
    bodies.remove(0)
}

fn seal(case: &Case<'_>, original: &[u8]) -> Vec<u8> {
    let body = body(&case.messages);
    let mut out = Vec::new();
    let nonce = nonce(&case.envelope, original);
    case.envelope.seal_packet(&body, case.checksum, nonce, &mut Scratch::default(), &mut out);
    out
}

fn body(messages: &[Message<'_>]) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = messages
        .iter()
        .map(|message| {
            let mut part = Vec::new();
            message.encode(&mut part);
            part
        })
        .collect();
    let mut body = Vec::new();
    write_packet(parts.iter().map(Vec::as_slice), &mut body);
    body
}

/// The nonce of a captured packet, behind the label and the version.
fn nonce(envelope: &Envelope, datagram: &[u8]) -> [u8; 12] {
    let label = envelope.label.as_bytes().len();
    let start = 1 + if label == 0 { 0 } else { 2 + label };
    datagram.get(start..start + 12).map_or([0; 12], |nonce| nonce.try_into().expect("12 bytes"))
}

fn cases() -> Vec<Case<'static>> {
    let mut cases = plain_cases();
    cases.extend(wrapped_cases());
    cases
}

fn plain_cases() -> Vec<Case<'static>> {
    let case = |file, checksum, messages| Case { file, envelope: bare(), checksum, messages };
    let acked = || Message::Ack(Ack { seq: SeqNo(1), payload: fresh_coordinate() });
    let a = || Message::Alive(alive("node-a", 17946, META_EAST_WEB, SERF));
    let b = || Message::Alive(alive("node-b", 17947, META_DB, SERF));
    let accused = |from| Message::Suspect(suspect("node-c", from));
    vec![
        case("ping.bin", Checksum::Omit, vec![Message::Ping(ping("node-a", 1, "node-b", 17947))]),
        case("ack-coordinate.bin", Checksum::Omit, vec![later_ack()]),
        case(
            "compound-ping-alive-alive.bin",
            Checksum::Omit,
            vec![Message::Ping(ping("node-b", 1, "node-a", 17946)), a(), b()],
        ),
        case("compound-ack-alive-join.bin", Checksum::Omit, vec![acked(), a(), b(), JOIN_B]),
        case("crc-compound-alive-join.bin", Checksum::Add, vec![a(), b(), JOIN_B]),
        case("crc-alive.bin", Checksum::Add, vec![alive_c()]),
        case("indirect-ping.bin", Checksum::Omit, vec![asked_to_ping()]),
        case("nack.bin", Checksum::Omit, vec![Message::Nack(Nack { seq: SeqNo(3) })]),
        case(
            "ack-no-payload.bin",
            Checksum::Omit,
            vec![Message::Ack(Ack { seq: SeqNo(1), payload: b"" })],
        ),
        case(
            "crc-buddy-ping-suspect.bin",
            Checksum::Add,
            vec![Message::Ping(ping("node-c", 32, "node-a", 17946)), accused("node-a")],
        ),
        case(
            "compound-ping-suspect-piggyback.bin",
            Checksum::Omit,
            vec![Message::Ping(ping("node-a", 31, "node-b", 17947)), accused("node-b")],
        ),
        case("crc-suspect.bin", Checksum::Add, vec![Message::Suspect(suspect("n2", "n3"))]),
        case("crc-dead-by-other.bin", Checksum::Add, vec![dead("node-c", "node-b")]),
        case("crc-dead-self-leave.bin", Checksum::Add, vec![dead("node-b", "node-b")]),
        case("crc-alive-refute.bin", Checksum::Add, vec![refutation()]),
        case("ipv6-ping.bin", Checksum::Omit, vec![ipv6_ping()]),
    ]
}

fn wrapped_cases() -> Vec<Case<'static>> {
    let case = |file, envelope, checksum, messages| Case { file, envelope, checksum, messages };
    let v0 = || Envelope { encryption_version: EncryptionVersion::V0, ..encrypting(vec![k16()]) };
    let packed = |envelope| Envelope { compress: true, ..envelope };
    let acked = Message::Ack(Ack { seq: SeqNo(1), payload: fresh_coordinate() });
    let a = || Message::Alive(alive("node-a", 17946, META_WEB_EAST, SERF));
    let b = || Message::Alive(alive("node-b", 17947, META_DB, SERF));
    let n = |node, port, meta, versions| Message::Alive(alive(node, port, meta, versions));
    let bare_pair = || vec![n("n2", 17947, b"meta-n2", PLAIN), n("n1", 17946, b"meta-n1", PLAIN)];
    let old_pair =
        vec![n("n2", 17946, b"meta-n2", PROTOCOL_1), n("n1", 17946, b"meta-n1", PROTOCOL_1)];
    let ping = |node, source, port| vec![Message::Ping(ping(node, 1, source, port))];
    let (add, omit) = (Checksum::Add, Checksum::Omit);
    vec![
        case("crc-compress-compound.bin", compressing(), add, vec![a(), b(), JOIN_B]),
        case("compress-ack-compound.bin", compressing(), omit, vec![acked, alive_c()]),
        case(
            "enc32-v1-ping.bin",
            packed(encrypting(vec![k32()])),
            omit,
            ping("node-a", "node-b", 17947),
        ),
        case(
            "enc32-v1-crc-compress-compound.bin",
            packed(encrypting(vec![k32()])),
            add,
            vec![a(), b()],
        ),
        case("enc16-v1-crc-compound.bin", encrypting(vec![k16()]), add, vec![a(), b()]),
        case("enc16-v0-crc-compound.bin", v0(), add, old_pair),
        case("enc16-v0-ping.bin", v0(), omit, ping("n1", "n2", 17947)),
        case("label-ping.bin", labelled(bare()), omit, ping("n2", "n1", 17946)),
        case("label-crc-compound.bin", labelled(bare()), add, bare_pair()),
        case(
            "label-enc16-ping.bin",
            labelled(encrypting(vec![k16()])),
            omit,
            ping("n2", "n1", 17946),
        ),
        case(
            "label-enc16-crc-compress-compound.bin",
            packed(labelled(encrypting(vec![k16()]))),
            add,
            bare_pair(),
        ),
    ]
}

fn fresh_coordinate() -> &'static [u8] {
    coordinate(0.0, 1.5, 1e-5, [0.0; 8]).leak()
}

fn later_ack() -> Message<'static> {
    let vec = [
        5.792_111_106_325_168e-6,
        1.845_242_295_789_691e-5,
        1.885_836_262_564_048_5e-5,
        -6.407_222_500_074_557e-6,
        1.600_535_007_541_975_3e-5,
        -1.982_661_132_863_853_8e-7,
        -1.946_653_458_540_064_2e-5,
        5.812_768_354_459_136e-7,
    ];
    let payload = coordinate(
        6.228_456_553_556_803e-6,
        1.409_123_729_223_298_3,
        2.516_344_329_862_225_3e-5,
        vec,
    );
    Message::Ack(Ack { seq: SeqNo(1), payload: payload.leak() })
}

fn alive_c() -> Message<'static> {
    Message::Alive(alive("node-c", 17948, META_NONE, SERF))
}

fn asked_to_ping() -> Message<'static> {
    Message::IndirectPing(IndirectPing {
        seq: SeqNo(3),
        target: local(17947),
        node: "n2",
        nack: true,
        source: Source { address: Some(local(17949)), node: "n4" },
    })
}

fn suspect<'a>(node: &'a str, from: &'a str) -> Suspect<'a> {
    Suspect { incarnation: incarnation(1), node, from }
}

fn dead<'a>(node: &'a str, from: &'a str) -> Message<'a> {
    Message::Dead(Dead { incarnation: incarnation(1), node, from })
}

fn refutation() -> Message<'static> {
    let said = alive("n2", 17947, b"meta-n2", PLAIN);
    Message::Alive(Alive { incarnation: incarnation(8), ..said })
}

fn ipv6_ping() -> Message<'static> {
    let address = Address { ip: Ip::V6(std::net::Ipv6Addr::LOCALHOST.octets()), port: 17946 };
    let source = Source { address: Some(address), node: "n1" };
    Message::Ping(Ping { seq: SeqNo(1), node: "n2", source })
}

/// A datagram of Serf: what kinds of messages it holds.
struct SerfCase {
    file: &'static str,
    envelope: Envelope,
    checksum: Checksum,
    kinds: Vec<Kind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Alive,
    /// A user message of that length whose first byte is Serf's type.
    Serf {
        kind: u8,
        length: usize,
    },
    Other,
}

fn serf_kind(message: &Message<'_>) -> Kind {
    match message {
        Message::Alive(_) => Kind::Alive,
        Message::User(bytes) => Kind::Serf { kind: bytes[0], length: bytes.len() },
        _ => Kind::Other,
    }
}

fn serf_cases() -> Vec<SerfCase> {
    let serf = |kind, length| Kind::Serf { kind, length };
    let case = |file, envelope, checksum, kinds| SerfCase { file, envelope, checksum, kinds };
    let (add, omit) = (Checksum::Add, Checksum::Omit);
    let ours = || encrypting(vec![k32(), second_key()]);
    let theirs = || encrypting(vec![second_key(), k32()]);
    let packed = |envelope| Envelope { compress: true, ..envelope };
    vec![
        case("crc-join.bin", bare(), add, vec![serf(1, 21)]),
        case("crc-leave.bin", bare(), add, vec![serf(0, 28)]),
        case("crc-leave-prune.bin", bare(), add, vec![serf(0, 28)]),
        case("crc-userevent.bin", bare(), add, vec![serf(3, 43)]),
        case("crc-compound-userevents.bin", bare(), add, vec![serf(3, 43), serf(3, 35)]),
        case("crc-query.bin", bare(), add, vec![serf(4, 125)]),
        case("crc-query-filters-relay.bin", bare(), add, vec![serf(4, 146)]),
        case("query-ack.bin", bare(), omit, vec![serf(5, 45)]),
        case("query-response.bin", bare(), omit, vec![serf(5, 62)]),
        case("relay-ack.bin", bare(), omit, vec![serf(9, 95)]),
        case("relay-ack-debian.bin", bare(), omit, vec![serf(9, 95)]),
        case("relay-response.bin", bare(), omit, vec![serf(9, 112)]),
        case("keyresponse-error.bin", bare(), omit, vec![serf(5, 127)]),
        case("enc32-query-list-keys.bin", ours(), add, vec![serf(4, 132)]),
        case("enc32-query-install-key.bin", ours(), add, vec![serf(4, 170)]),
        case("enc32-query-use-key.bin", theirs(), add, vec![serf(4, 166)]),
        case("enc32-query-remove-key.bin", theirs(), add, vec![serf(4, 169)]),
        case("enc32-keyresponse-list.bin", ours(), omit, vec![serf(5, 177)]),
        case("enc32-keyresponse-ok.bin", ours(), omit, vec![serf(5, 84)]),
        case(
            "enc32-query-conflict.bin",
            packed(theirs()),
            add,
            vec![Kind::Alive, Kind::Alive, serf(1, 21), serf(4, 130)],
        ),
        case("enc32-conflictresponse.bin", theirs(), omit, vec![serf(5, 184)]),
    ]
}
