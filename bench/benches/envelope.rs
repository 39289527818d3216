//! What is around a body: checksum, encryption and compression, for a ping and for a full packet.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkGroup, BenchmarkId, Criterion, measurement::WallTime};
use mingle_bench::{Ours, PACKET, Subject, chosen};
use mingle_proto::Rules;
use mingle_wire::{Checksum, Envelope, Key, Keyring, Scratch, lzw};

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let (ping, packet) = bodies();
    for body in [ping, packet] {
        for (name, envelope) in envelopes() {
            packets(&mut criterion.benchmark_group(name), &envelope, &body);
        }
        lzw(&mut criterion.benchmark_group("lzw"), &body);
    }
    criterion.final_summary();
}

/// A bare ping, and one with as many claims as fit.
fn bodies() -> (Vec<u8>, Vec<u8>) {
    let mut node = Ours::new(1_000, Rules::MINGLE);
    let ping = node.known(&[]);
    let members: Vec<_> = (0..5).flat_map(|round| chosen(round, 1_000)).collect();
    let fitting = (1..members.len()).map(|count| node.known(&members[..count]));
    let packet = fitting.take_while(|body| body.len() <= PACKET).last();
    (ping, packet.expect("one claim fits"))
}

fn envelopes() -> [(&'static str, Envelope); 5] {
    let plain = Envelope { compress: false, ..Envelope::default() };
    let sealed = |bytes: &[u8]| {
        let key = Key::from_bytes(bytes).expect("16, 24 or 32 bytes");
        Envelope { keyring: Keyring::new(vec![key]), ..plain.clone() }
    };
    [
        ("plain", plain.clone()),
        ("compressed", Envelope::default()),
        ("aes-128", sealed(&[1; 16])),
        ("aes-192", sealed(&[1; 24])),
        ("aes-256", sealed(&[1; 32])),
    ]
}

fn packets(group: &mut BenchmarkGroup<'_, WallTime>, envelope: &Envelope, body: &[u8]) {
    let mut scratch = Scratch::default();
    let mut datagram = Vec::new();
    group.bench_function(BenchmarkId::new("seal", body.len()), |bencher| {
        bencher.iter(|| {
            datagram.clear();
            let body = black_box(body);
            envelope.seal_packet(body, Checksum::Add, [7; 12], &mut scratch, &mut datagram);
        });
    });
    group.bench_function(BenchmarkId::new("open", body.len()), |bencher| {
        bencher.iter(|| {
            let deliver = |body: &[u8]| {
                black_box(body);
            };
            envelope.open_packet(black_box(&datagram), &mut scratch, deliver)
        });
    });
}

fn lzw(group: &mut BenchmarkGroup<'_, WallTime>, body: &[u8]) {
    let (mut compressed, mut plain) = (Vec::new(), Vec::new());
    group.bench_function(BenchmarkId::new("compress", body.len()), |bencher| {
        bencher.iter(|| {
            compressed.clear();
            lzw::compress(black_box(body), &mut compressed);
        });
    });
    group.bench_function(BenchmarkId::new("decompress", body.len()), |bencher| {
        bencher.iter(|| {
            plain.clear();
            lzw::decompress(black_box(&compressed), body.len(), &mut plain)
        });
    });
}
