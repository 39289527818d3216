//! Whole views: taking one into an empty node, and writing one.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion};
use mingle_bench::{Ours, Theirs};
use mingle_proto::Rules;

const MEMBERS: usize = 10_000;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(5))
        .configure_from_args();
    ours(&mut criterion);
    theirs(&mut criterion);
    criterion.final_summary();
}

fn ours(criterion: &mut Criterion) {
    let mut full = Ours::new(MEMBERS, Rules::MINGLE);
    let view = full.view();
    let group = &mut criterion.benchmark_group("mingle");
    group.bench_function("10000 members into an empty node", |bencher| {
        let empty = || Ours::new(1, Rules::MINGLE);
        let take = |mut node: Ours| {
            node.exchange(black_box(&view));
            node
        };
        bencher.iter_batched(empty, take, BatchSize::LargeInput);
    });
    // Whoever knows one member asks whoever knows all: the answer is the whole view.
    let question = Ours::new(1, Rules::MINGLE).view();
    full.exchange(&question);
    group.bench_function("10000 members written", |bencher| {
        bencher.iter(|| full.exchange(black_box(&question)));
    });
}

/// foca has no push/pull; its user carries members over as he likes and calls `apply_many`, and writes
/// them from `iter_membership_state`.
fn theirs(criterion: &mut Criterion) {
    let full = Theirs::new(MEMBERS);
    let view = full.view();
    let group = &mut criterion.benchmark_group("foca");
    group.bench_function("10000 members into an empty node", |bencher| {
        let take = |mut node: Theirs| {
            node.apply_view(black_box(&view));
            node
        };
        bencher.iter_batched(|| Theirs::new(1), take, BatchSize::LargeInput);
    });
    group.bench_function("10000 members written", |bencher| {
        bencher.iter(|| black_box(full.write_state()));
    });
}
