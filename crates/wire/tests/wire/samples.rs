//! What the cases have in common: keys, envelopes, files and values.

use std::path::PathBuf;

use mingle_wire::{
    Address, Alive, Envelope, Incarnation, Ip, Key, Keyring, Label, NodeState, Ping, SeqNo, Source,
    State, Versions, msgpack::Writer,
};

pub(crate) fn k16() -> Key {
    key(0..16)
}

pub(crate) fn k24() -> Key {
    key(0..24)
}

pub(crate) fn k32() -> Key {
    key(0..32)
}

pub(crate) fn second_key() -> Key {
    key(0x20..0x40)
}

fn key(bytes: std::ops::Range<u8>) -> Key {
    Key::from_bytes(&bytes.collect::<Vec<_>>()).expect("a valid length")
}

/// No label, no key, no compression.
pub(crate) fn bare() -> Envelope {
    Envelope { compress: false, ..Envelope::default() }
}

pub(crate) fn compressing() -> Envelope {
    Envelope { compress: true, ..bare() }
}

pub(crate) fn encrypting(keys: Vec<Key>) -> Envelope {
    Envelope { keyring: Keyring::new(keys), ..bare() }
}

pub(crate) fn labelled(envelope: Envelope) -> Envelope {
    Envelope { label: Label::new("lbl-test").expect("short"), ..envelope }
}

pub(crate) fn vector(path: &str) -> Vec<u8> {
    std::fs::read(vectors().join(path)).expect("the file is there")
}

fn vectors() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// Fails when a file of the folder has no case, or a case no file.
pub(crate) fn assert_complete<'c>(folder: &str, cases: impl Iterator<Item = &'c str>) {
    let mut cases: Vec<String> = cases.map(str::to_owned).collect();
    let mut files: Vec<String> = std::fs::read_dir(vectors().join(folder))
        .expect("the folder is there")
        .map(|entry| entry.expect("readable").file_name().into_string().expect("text"))
        .collect();
    cases.sort();
    files.sort();
    assert_eq!(cases, files, "cases and files of {folder}");
}

/// Bytes from hexadecimal digits; blanks are ignored.
pub(crate) fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u32> = digits.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).expect("a byte")).collect()
}

pub(crate) fn local(port: u16) -> Address {
    Address { ip: Ip::V4([127, 0, 0, 1]), port }
}

pub(crate) fn incarnation(number: u32) -> Incarnation {
    Incarnation::new(number).expect("in range")
}

/// What a bare memberlist node states.
pub(crate) const PLAIN: Versions = Versions([1, 5, 2, 0, 0, 0]);
/// What a bare memberlist node of protocol 1 states.
pub(crate) const PROTOCOL_1: Versions = Versions([1, 5, 1, 0, 0, 0]);
/// What a Serf agent states.
pub(crate) const SERF: Versions = Versions([1, 5, 2, 2, 5, 5]);

pub(crate) const META_WEB_EAST: &[u8] = b"\xff\x82\xa4role\xa3web\xa2dc\xa4east";
pub(crate) const META_EAST_WEB: &[u8] = b"\xff\x82\xa2dc\xa4east\xa4role\xa3web";
pub(crate) const META_DB: &[u8] = b"\xff\x81\xa4role\xa2db";
pub(crate) const META_NONE: &[u8] = b"\xff\x80";

pub(crate) fn ping<'a>(node: &'a str, seq: u32, source: &'a str, port: u16) -> Ping<'a> {
    let source = Source { address: Some(local(port)), node: source };
    Ping { seq: SeqNo(seq), node, source }
}

pub(crate) fn alive<'a>(node: &'a str, port: u16, meta: &'a [u8], versions: Versions) -> Alive<'a> {
    Alive { incarnation: incarnation(1), node, address: local(port), meta, versions }
}

pub(crate) fn up(alive: Alive<'_>) -> NodeState<'_> {
    NodeState { state: State::Alive, alive }
}

/// Serf's ack payload with a coordinate.
pub(crate) fn coordinate(adjustment: f64, error: f64, height: f64, vec: [f64; 8]) -> Vec<u8> {
    let mut payload = vec![1];
    let mut writer = Writer::new(&mut payload);
    writer.map(4).str("Adjustment").f64(adjustment).str("Error").f64(error);
    writer.str("Height").f64(height).str("Vec").array(8);
    for component in vec {
        writer.f64(component);
    }
    payload
}

/// An event in Serf's state: its time, name and payload.
pub(crate) struct SerfEvent {
    pub(crate) time: u64,
    pub(crate) name: &'static str,
    pub(crate) payload: &'static [u8],
}

/// Serf's part of a push/pull.
pub(crate) fn serf_state(
    [events_time, time, query_time]: [u64; 3],
    events: &[SerfEvent],
    status: &[(&str, u64)],
) -> Vec<u8> {
    let mut state = vec![2];
    let mut writer = Writer::new(&mut state);
    writer.map(6).str("EventLTime").u64(events_time).str("Events").array(512);
    for place in 0..512 {
        match events.iter().find(|event| event.time == place) {
            None => writer.nil(),
            Some(event) => serf_event(&mut writer, event),
        };
    }
    writer.str("LTime").u64(time).str("LeftMembers").array(0);
    writer.str("QueryLTime").u64(query_time).str("StatusLTimes").map(status.len());
    for (node, time) in status {
        writer.str(node).u64(*time);
    }
    state
}

fn serf_event<'w, 'o>(writer: &'w mut Writer<'o>, event: &SerfEvent) -> &'w mut Writer<'o> {
    writer.map(2).str("Events").array(1);
    writer.map(2).str("Name").str(event.name).str("Payload").bytes(event.payload);
    writer.str("LTime").u64(event.time)
}
