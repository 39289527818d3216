//! What holds for all values and all bytes.

use mingle_wire::memberlist::{
    PushPullWriter, append_user_state, decode_message, decode_stream, messages, tags, write_packet,
};
use mingle_wire::msgpack::Reader;
use mingle_wire::{
    Ack, Address, Alive, Checksum, Dead, EncryptionVersion, Envelope, Incarnation, IndirectPing,
    Ip, Key, Keyring, Label, Message, Nack, NodeState, Opened, Ping, Scratch, SeqNo, Side, Source,
    State, StreamDecoder, StreamError, StreamMessage, Suspect, Versions, lzw,
};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::{option, sample};

use crate::samples::vector;

/// The values of all messages at once; what a kind does not need it leaves.
#[derive(Clone, Debug)]
struct Values {
    node: String,
    from: String,
    number: u32,
    incarnation: Incarnation,
    address: Address,
    source: Option<Address>,
    nack: bool,
    bytes: Vec<u8>,
    versions: Versions,
    state: State,
}

impl Values {
    fn messages(&self) -> Vec<Message<'_>> {
        let source = Source { address: self.source, node: &self.from };
        let (node, from, seq) = (&*self.node, &*self.from, SeqNo(self.number));
        let incarnation = self.incarnation;
        vec![
            Message::Ping(Ping { seq, node, source }),
            Message::IndirectPing(IndirectPing {
                seq,
                target: self.address,
                node,
                nack: self.nack,
                source,
            }),
            Message::Ack(Ack { seq, payload: &self.bytes }),
            Message::Suspect(Suspect { incarnation, node, from }),
            Message::Alive(self.alive()),
            Message::Dead(Dead { incarnation, node, from }),
            Message::User(&self.bytes),
            Message::Nack(Nack { seq }),
        ]
    }

    fn alive(&self) -> Alive<'_> {
        Alive {
            incarnation: self.incarnation,
            node: &self.node,
            address: self.address,
            meta: &self.bytes,
            versions: self.versions,
        }
    }

    fn record(&self) -> NodeState<'_> {
        NodeState { state: self.state, alive: self.alive() }
    }
}

fn values() -> impl Strategy<Value = Values> {
    let names = ("[a-zä]{1,80}", "[a-zä]{0,80}");
    let numbers = (any::<u32>(), 1..=Incarnation::LAST.get(), any::<bool>());
    let addresses = (address(0), option::of(address(1)));
    let rest = (vec(any::<u8>(), 0..512), any::<[u8; 6]>(), state());
    (names, numbers, addresses, rest).prop_map(
        |(
            (node, from),
            (number, incarnation, nack),
            (address, source),
            (bytes, versions, state),
        )| {
            Values {
                node,
                from,
                number,
                incarnation: Incarnation::new(incarnation).expect("in range"),
                address,
                source,
                nack,
                bytes,
                versions: Versions(versions),
                state,
            }
        },
    )
}

fn address(lowest_port: u16) -> impl Strategy<Value = Address> {
    let ip = prop_oneof![any::<[u8; 4]>().prop_map(Ip::V4), any::<[u8; 16]>().prop_map(Ip::V6)];
    (ip, lowest_port..).prop_map(|(ip, port)| Address { ip, port })
}

fn state() -> impl Strategy<Value = State> {
    sample::select(vec![State::Alive, State::Suspect, State::Dead, State::Left])
}

fn envelope() -> impl Strategy<Value = Envelope> {
    let label = vec(any::<u8>(), 0..=255).prop_map(|bytes| Label::new(bytes).expect("short"));
    let version = prop_oneof![Just(EncryptionVersion::V0), Just(EncryptionVersion::V1)];
    (label, vec(key(), 0..3), any::<bool>(), version, any::<bool>(), any::<bool>()).prop_map(
        |(label, keys, compress, encryption_version, verify_incoming, outgoing)| Envelope {
            label,
            keyring: Keyring::new(keys),
            compress,
            encryption_version,
            verify_incoming,
            verify_outgoing: outgoing || verify_incoming,
            skip_inbound_label_check: false,
        },
    )
}

fn key() -> impl Strategy<Value = Key> {
    (sample::select(vec![16, 24, 32]), any::<[u8; 32]>())
        .prop_map(|(length, bytes): (usize, _)| Key::from_bytes(&bytes[..length]).expect("valid"))
}

fn encoded(message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out);
    out
}

/// Opens, decodes and ignores whatever comes out.
fn devour(envelope: &Envelope, bytes: &[u8]) {
    let deliver = |body: &[u8]| messages(body).for_each(drop);
    let _ = envelope.open_packet(bytes, &mut Scratch::default(), deliver);
    messages(bytes).for_each(drop);
    if let Ok(StreamMessage::PushPull(push_pull)) = decode_stream(bytes) {
        push_pull.records().for_each(drop);
    }
    for peer in [Side::Dialer, Side::Listener] {
        let _ = split(envelope, peer, bytes, &[]);
    }
    let _ = Reader::new(bytes).skip();
    let _ = tags::decode(bytes);
    let _ = lzw::decompress(bytes, 10_000, &mut Vec::new());
}

/// What a decoder makes of bytes that arrive in pieces.
fn split(
    envelope: &Envelope,
    peer: Side,
    bytes: &[u8],
    cuts: &[sample::Index],
) -> (Vec<Vec<u8>>, Result<(), StreamError>) {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    let mut decoder = StreamDecoder::new(peer);
    let mut found = Vec::new();
    for ends in places.windows(2) {
        decoder.push(&bytes[ends[0]..ends[1]]);
        loop {
            match decoder.poll(envelope) {
                Ok(Some(message)) => found.push(message),
                Ok(None) => break,
                Err(error) => return (found, Err(error)),
            }
        }
    }
    (found, decoder.finish())
}

/// A captured file with some bytes changed and its end cut off.
fn mutated() -> impl Strategy<Value = (Vec<u8>, bool)> {
    let files = vec![
        "packet/ping.bin",
        "packet/compound-ack-alive-join.bin",
        "packet/crc-compress-compound.bin",
        "packet/compress-ack-compound.bin",
        "packet/indirect-ping.bin",
        "packet/label-enc16-crc-compress-compound.bin",
        "stream/pushpull-periodic-with-events.bin",
        "stream/pushpull-compressed.bin",
        "stream/pushpull-label-request.bin",
        "stream/usermsg-label.bin",
    ];
    let changes = vec((any::<sample::Index>(), any::<u8>()), 0..4);
    (sample::select(files), changes, any::<sample::Index>(), any::<bool>()).prop_map(
        |(file, changes, end, cut)| {
            let mut bytes = vector(file);
            for (place, byte) in changes {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            if cut {
                bytes.truncate(end.index(bytes.len()));
            }
            (bytes, file.contains("label"))
        },
    )
}

proptest! {
    #[test]
    fn every_message_comes_back(values in values()) {
        for message in values.messages() {
            assert_eq!(decode_message(&encoded(&message)), Ok(message));
        }
    }

    #[test]
    fn every_body_comes_back(all in vec(values(), 1..4)) {
        let sent: Vec<Message<'_>> = all.iter().flat_map(Values::messages).collect();
        let parts: Vec<Vec<u8>> = sent.iter().map(encoded).collect();
        let mut body = Vec::new();
        write_packet(parts.iter().map(Vec::as_slice), &mut body);
        let read: Result<Vec<_>, _> = messages(&body).collect();
        assert_eq!(read, Ok(sent));
    }

    #[test]
    fn every_push_pull_comes_back(
        all in vec(values(), 0..20),
        join: bool,
        user_state in vec(any::<u8>(), 0..300),
    ) {
        let mut message = Vec::new();
        let count = u32::try_from(all.len()).expect("few");
        let mut writer = PushPullWriter::new(&mut message, join, count);
        all.iter().for_each(|values| writer.record(&values.record()));
        writer.finish();
        append_user_state(&mut message, &user_state);
        for _ in 0..2 {
            let Ok(StreamMessage::PushPull(read)) = decode_stream(&message) else { panic!() };
            assert_eq!((read.join, read.nodes, read.user_state), (join, count, &*user_state));
            let records: Result<Vec<_>, _> = read.records().collect();
            assert_eq!(records, Ok(all.iter().map(Values::record).collect()));
            let mut again = Vec::new();
            StreamMessage::PushPull(read).encode(&mut again);
            message = again;
        }
    }

    #[test]
    fn every_sealed_packet_opens(
        envelope in envelope(),
        body in vec(any::<u8>(), 0..2000),
        repeats in 1..5_usize,
        nonce: [u8; 12],
        checked: bool,
    ) {
        let body = [b"\x08".as_slice(), &body.repeat(repeats)].concat();
        let checksum = if checked { Checksum::Add } else { Checksum::Omit };
        let (mut scratch, mut sealed) = (Scratch::default(), Vec::new());
        envelope.seal_packet(&body, checksum, nonce, &mut scratch, &mut sealed);
        let mut opened = Vec::new();
        let result = envelope.open_packet(&sealed, &mut scratch, |body| opened.push(body.to_vec()));
        assert_eq!(result, Ok(Opened::default()));
        assert!(opened == [&*body]);
        assert!(sealed.len() <= body.len() + envelope.overhead() + 5);
    }

    #[test]
    fn every_sealed_stream_opens_however_it_is_cut(
        envelope in envelope(),
        all in vec(vec(any::<u8>(), 0..500), 1..4),
        nonce: [u8; 12],
        cuts in vec(any::<sample::Index>(), 0..10),
    ) {
        for peer in [Side::Dialer, Side::Listener] {
            let mut bytes = Vec::new();
            let mut sent = Vec::new();
            for (number, payload) in all.iter().enumerate() {
                let mut message = Vec::new();
                StreamMessage::User(payload).encode(&mut message);
                let side = if number == 0 { peer } else { Side::Listener };
                envelope.seal_stream(&message, side, nonce, &mut bytes);
                sent.push(message);
            }
            assert_eq!(split(&envelope, peer, &bytes, &cuts), (sent, Ok(())));
        }
    }

    #[test]
    fn any_splitting_of_damaged_streams_gives_the_same(
        (bytes, labelled) in mutated(),
        cuts in vec(any::<sample::Index>(), 0..10),
    ) {
        let label = if labelled { "lbl-test" } else { "" };
        let envelope = Envelope { label: Label::new(label).expect("short"), ..Envelope::default() };
        for peer in [Side::Dialer, Side::Listener] {
            let whole = split(&envelope, peer, &bytes, &[]);
            assert_eq!(split(&envelope, peer, &bytes, &cuts), whole);
        }
    }

    #[test]
    fn damaged_bytes_harm_nobody((bytes, labelled) in mutated()) {
        let label = if labelled { "lbl-test" } else { "" };
        let envelope = Envelope { label: Label::new(label).expect("short"), ..Envelope::default() };
        devour(&envelope, &bytes);
    }

    #[test]
    fn arbitrary_bytes_harm_nobody(envelope in envelope(), bytes in vec(any::<u8>(), 0..600)) {
        devour(&envelope, &bytes);
        for kind in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13] {
            devour(&Envelope::default(), &[&[kind], bytes.as_slice()].concat());
        }
    }

    #[test]
    fn whatever_decodes_encodes_to_what_decodes_the_same((bytes, _) in mutated()) {
        for message in messages(&bytes).flatten() {
            assert_eq!(decode_message(&encoded(&message)), Ok(message));
        }
    }

    #[test]
    fn every_text_decompresses(text in vec(0..4_u8, 0..30_000), limit_cut in 0..2_usize) {
        let (mut packed, mut out) = (Vec::new(), Vec::new());
        lzw::compress(&text, &mut packed);
        let limit = text.len().saturating_sub(limit_cut);
        let result = lzw::decompress(&packed, limit, &mut out);
        assert_eq!(result.is_ok(), limit == text.len());
        assert!(text.starts_with(&out));
    }

    #[test]
    fn tags_that_fit_come_back(
        all in proptest::collection::btree_map("[a-z]{0,20}", "[ -~]{0,40}", 0..12),
    ) {
        if let Ok(meta) = tags::encode(&all) {
            assert_eq!(tags::decode(&meta), all);
        }
    }
}
