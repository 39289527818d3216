//! What a ping costs: from the bytes of its body to the bytes of the ack, with everything that its
//! claims bring about between.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, BenchmarkId, Criterion, measurement::WallTime};
use mingle_bench::{Ours, SIZES, Subject, Theirs, chosen};
use mingle_proto::Rules;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    for members in SIZES {
        measure(&mut criterion, "mingle", members, &mut Ours::new(members, Rules::MINGLE));
        let as_go = &mut Ours::new(members, Rules::MEMBERLIST);
        measure(&mut criterion, "mingle, memberlist rules", members, as_go);
        measure(&mut criterion, "foca", members, &mut Theirs::new(members));
    }
    criterion.final_summary();
}

fn measure(criterion: &mut Criterion, name: &str, members: usize, subject: &mut impl Subject) {
    let group = &mut criterion.benchmark_group(name);
    let ping = [subject.known(&[])];
    known(group, BenchmarkId::new("ping", members), subject, &ping);
    let pings: Vec<_> = (0..64).map(|round| subject.known(&chosen(round, members))).collect();
    known(group, BenchmarkId::new("ping and 10 known", members), subject, &pings);
    fresh(group, BenchmarkId::new("ping and 10 fresh", members), subject, members);
}

/// Nothing changes, so that the same packets can be taken in over and over.
fn known(
    group: &mut BenchmarkGroup<'_, WallTime>,
    id: BenchmarkId,
    subject: &mut impl Subject,
    pings: &[Vec<u8>],
) {
    subject.settle();
    let mut pings = pings.iter().cycle();
    group.bench_function(id, |bencher| {
        bencher.iter(|| subject.take(black_box(pings.next().expect("an endless cycle"))));
    });
}

/// Each packet says something new, and can be taken in once. Before it the node passes on all that it
/// has, and the packet is made; neither is measured. So its ack carries the ten claims of this packet
/// and no others, for both. Reading the clock adds some 30 ns to each, for both.
fn fresh(
    group: &mut BenchmarkGroup<'_, WallTime>,
    id: BenchmarkId,
    subject: &mut impl Subject,
    members: usize,
) {
    // What is not measured takes ten times as long as what is.
    group.warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(300));
    let mut round = 0;
    group.bench_function(id, |bencher| {
        bencher.iter_custom(|iterations| {
            let mut total = Duration::ZERO;
            for _ in 0..iterations {
                round += 1;
                subject.settle();
                let ping = subject.fresh(&chosen(round, members));
                let start = Instant::now();
                subject.take(black_box(&ping));
                total += start.elapsed();
            }
            total
        });
    });
}
