//! Fixed pieces of work for `cargo xtask bench guard`. `guard` says what each allocates, a line of JSON for each; `guard NAME` does one
//! of them, for callgrind: what counts is in `measured`.

use std::hint::black_box;

use allocation_counter::{AllocationInfo, measure};
use mingle_bench::{Ours, Subject, chosen};
use mingle_proto::Rules;
use mingle_sim::Scenario;

/// A piece of work: its name, and what prepares it and then does it within the function that it is given.
type Work = (&'static str, fn(&mut dyn FnMut(&mut dyn FnMut())));

const ALL: [Work; 6] = [
    ("ping", |within| pings(0, within)),
    ("known claims", |within| pings(mingle_bench::CLAIMS, within)),
    ("fresh claims", fresh),
    ("view taken in", take_view),
    ("view answered", answer_view),
    ("world", world),
];

/// Members of a node that takes something in.
const MEMBERS: usize = 1000;
/// How often small things are done.
const ROUNDS: usize = 500;

fn main() {
    match std::env::args().nth(1) {
        Some(name) => {
            let (_, work) = ALL
                .iter()
                .find(|(other, _)| *other == name)
                .expect("one of the names that `guard` says");
            work(&mut |work| measured(work));
        }
        None => ALL.iter().for_each(tell),
    }
}

/// What callgrind looks for: `--toggle-collect=guard::measured*`.
#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    work();
    black_box(());
}

fn tell((name, work): &Work) {
    let (mut allocations, mut bytes) = (0, 0);
    work(&mut |work| {
        let AllocationInfo { count_total, bytes_total, .. } = measure(work);
        allocations += count_total;
        bytes += bytes_total;
    });
    println!("{{\"name\":\"{name}\",\"allocations\":{allocations},\"bytes\":{bytes}}}");
}

/// Pings with so many claims that are known, from the packet to the bytes of the ack.
fn pings(claims: usize, within: &mut dyn FnMut(&mut dyn FnMut())) {
    let mut node = Ours::new(MEMBERS, Rules::MINGLE);
    let pings: Vec<_> =
        (0..64).map(|round| node.known(&chosen(round, MEMBERS)[..claims])).collect();
    node.take(&pings[0]);
    within(&mut || (0..ROUNDS).for_each(|round| node.take(&pings[round % pings.len()])));
}

/// Pings with ten claims that are news.
fn fresh(within: &mut dyn FnMut(&mut dyn FnMut())) {
    let mut node = Ours::new(MEMBERS, Rules::MINGLE);
    for round in 0..ROUNDS {
        node.settle();
        let ping = node.fresh(&chosen(round, MEMBERS));
        within(&mut || node.take(&ping));
    }
}

/// A node that knows nobody joins.
fn take_view(within: &mut dyn FnMut(&mut dyn FnMut())) {
    let view = Ours::new(MEMBERS, Rules::MINGLE).view();
    let mut empty = Ours::new(1, Rules::MINGLE);
    within(&mut || empty.exchange(&view));
}

/// Two that know the same exchange views.
fn answer_view(within: &mut dyn FnMut(&mut dyn FnMut())) {
    let mut node = Ours::new(MEMBERS, Rules::MINGLE);
    let view = node.view();
    within(&mut || node.exchange(&view));
}

/// A whole world with its checkers: sixty start together, and two crash.
fn world(within: &mut dyn FnMut(&mut dyn FnMut())) {
    let scenario: Scenario = toml::from_str(WORLD).expect("it is written here");
    within(&mut || {
        black_box(scenario.run(1).expect("it runs"));
    });
}

const WORLD: &str = r#"
nodes = 60
duration = "30s"
start = "joining"

[[fault]]
do = "crash"
at = "10s"
nodes = "20-21"
"#;
