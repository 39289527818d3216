//! Writes the seeds of every corpus: what real programs sent, and what the encoders write.
//!
//! Run it when the wire or the vectors change, then fuzz and minimise (`fuzz/README.md`).

use std::path::{Path, PathBuf};

use mingle_wire::memberlist::{PushPullWriter, append_part, append_user_state};
use mingle_wire::{
    Ack, Address, Alive, Dead, Incarnation, IndirectPing, Ip, Message, Nack, NodeState, Ping,
    SeqNo, Source, State, StreamMessage, Suspect, Versions, lzw,
};

fn main() {
    let fuzz = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let vectors = fuzz.join("../crates/wire/vectors");
    let mut seeds = Seeds { corpus: fuzz.join("corpus"), count: 0 };
    for message in packet_messages() {
        seeds.packet(&message);
    }
    seeds.packet(&compound(&packet_messages()));
    for message in stream_messages() {
        seeds.stream(&message);
    }
    for file in files(&vectors.join("packet")).chain(files(&vectors.join("serf"))) {
        seeds.packet(&file);
    }
    for file in files(&vectors.join("stream")) {
        seeds.stream(&file);
    }
    for file in files(&vectors.join("golden/lzw")) {
        let file = &file[..file.len().min(1024)];
        seeds.write("envelope", &[&[2, 255, 255], file].concat());
        seeds.write("envelope", &[&[3], file].concat());
    }
    seeds.histories();
    println!("{} seeds in {}", seeds.count, seeds.corpus.display());
}

fn files(folder: &Path) -> impl Iterator<Item = Vec<u8>> {
    let entries = std::fs::read_dir(folder).expect("the vectors are there");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| std::fs::read(path).expect("readable"))
}

struct Seeds {
    corpus: PathBuf,
    count: usize,
}

impl Seeds {
    fn write(&mut self, target: &str, seed: &[u8]) {
        let folder = self.corpus.join(target);
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        std::fs::write(folder.join(format!("seed-{:03}", self.count)), seed).expect("writable");
        self.count += 1;
    }

    fn packet(&mut self, packet: &[u8]) {
        self.write("packet", packet);
        self.write(
            "node",
            &[&[0, 0x19, u8::try_from(packet.len()).unwrap_or(255)], packet].concat(),
        );
        for envelope in [0, 3, 5, 8] {
            self.write("envelope", &[&[0, envelope], packet].concat());
        }
        self.write("envelope", &[&[1, 5, 0, 0], packet].concat());
    }

    fn stream(&mut self, stream: &[u8]) {
        for settings in [0, 2, 3, 5, 0x10] {
            self.write("stream", &[&[settings, 2, 6, 0], stream].concat());
        }
        self.write("stream", &[&[0x25, 2, 6, 0], stream].concat());
        self.write(
            "node",
            &[&[0, 0x1b, u8::try_from(stream.len()).unwrap_or(255)], stream].concat(),
        );
    }

    /// Histories in the steps of the target `node`: members come, are accused, die, return, leave.
    fn histories(&mut self) {
        let come: &[u8] = &[0x34, 1, 0, 0, 2, 0, 0, 3, 0, 0, 4, 0, 0];
        let accuse: &[u8] = &[0x34, 0x61, 0x20, 0x61, 0x30, 0x61, 0x40, 0x62, 0x30];
        let die: &[u8] = &[0x24, 0xa1, 0x20, 0xc2, 0x20, 0x63, 0x01];
        let about_us: &[u8] = &[0x34, 0, 3, 0, 0x60, 0x22, 0xa0, 0x35, 0xc0, 0x07];
        let wait: &[u8] = &[0, 0, 0, 0x72, 0, 0, 0x92, 0, 0x88, 0, 0xc2, 0xc2];
        let views: &[u8] =
            &[0x1a, 0xff, 1, 0, 0, 0xa2, 1, 0, 0xc3, 1, 0, 0xe4, 1, 0, 5, 2, 0, 6, 2, 0];
        let commands: &[u8] = &[0x1f, 0, 0x1c, 0x18, 1, 0, 0, 0x1f, 3, 0x2f, 5, 2, 1, 1, 0x2f, 7];
        let seeds: &[u8] = &[0x1f, 8, 0x2f, 11, 0x3f, 8, 0x2f, 14];
        for settings in 0..8 {
            for parts in [
                [come, wait, wait, wait],
                [come, accuse, wait, wait],
                [come, accuse, die, wait],
                [come, die, wait, come],
                [about_us, come, about_us, wait],
                [views, wait, views, wait],
                [commands, views, wait, commands],
                [come, commands, wait, wait],
                [seeds, wait, views, wait],
            ] {
                self.write("node", &[&[settings | 0x80], parts.concat().as_slice()].concat());
            }
        }
    }
}

fn address() -> Address {
    Address { ip: Ip::V4([10, 0, 0, 1]), port: 7946 }
}

fn alive(node: &str) -> Alive<'_> {
    let versions = Versions([1, 0x85, 2, 2, 5, 5]);
    let incarnation = Incarnation::FIRST;
    Alive { incarnation, node, address: address(), meta: b"\xff\x80", versions }
}

fn packet_messages() -> Vec<Vec<u8>> {
    let (seq, node, from) = (SeqNo(7), "web-1", "web-2");
    let source = Source { address: Some(address()), node: from };
    let incarnation = Incarnation::FIRST;
    let messages = [
        Message::Ping(Ping { seq, node, source }),
        Message::IndirectPing(IndirectPing { seq, target: address(), node, nack: true, source }),
        Message::Ack(Ack { seq, payload: b"payload" }),
        Message::Nack(Nack { seq }),
        Message::Alive(alive(node)),
        Message::Suspect(Suspect { incarnation, node, from }),
        Message::Dead(Dead { incarnation, node, from }),
        Message::User(b"user"),
    ];
    let spell = |message: Message<'_>| {
        let mut out = Vec::new();
        message.encode(&mut out);
        out
    };
    messages.into_iter().map(spell).collect()
}

fn compound(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut packet = Vec::new();
    for part in parts {
        append_part(&mut packet, part);
    }
    packet
}

fn stream_messages() -> Vec<Vec<u8>> {
    let mut view = Vec::new();
    let mut writer = PushPullWriter::new(&mut view, true, 3);
    for (name, state) in [("a", State::Alive), ("b", State::Suspect), ("c", State::Left)] {
        writer.record(&NodeState { state, alive: alive(name) });
    }
    writer.finish();
    append_user_state(&mut view, b"state");
    let source = Source::default();
    let messages = [
        StreamMessage::Ping(Ping { seq: SeqNo(1), node: "a", source }),
        StreamMessage::Ack(Ack { seq: SeqNo(1), payload: b"" }),
        StreamMessage::User(b"user"),
        StreamMessage::Error("no"),
    ];
    let mut all = vec![view.clone(), compressed(&view)];
    for message in messages {
        let mut out = Vec::new();
        message.encode(&mut out);
        all.push(out);
    }
    all
}

/// The message inside the wrapper of compressed bytes.
fn compressed(message: &[u8]) -> Vec<u8> {
    let mut buffer = Vec::new();
    lzw::compress(message, &mut buffer);
    let mut out = vec![9];
    let mut writer = mingle_wire::msgpack::Writer::new(&mut out);
    writer.map(2).str("Algo").u64(0).str("Buf").bytes(&buffer);
    out
}
