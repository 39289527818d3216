//! One shape over and over, for profilers: `profile mingle|foca ping|known|fresh MEMBERS ROUNDS`.

use mingle_bench::{Ours, Subject, Theirs, chosen};
use mingle_proto::Rules;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut text = |or: &str| arguments.next().unwrap_or_else(|| or.to_owned());
    let (subject, shape) = (text("mingle"), text("known"));
    let members = text("1000").parse().expect("a number of members");
    let rounds = text("100000").parse().expect("a number of rounds");
    match subject.as_str() {
        "foca" => run(&mut Theirs::new(members), &shape, members, rounds),
        _ => run(&mut Ours::new(members, Rules::MINGLE), &shape, members, rounds),
    }
}

fn run(node: &mut impl Subject, shape: &str, members: usize, rounds: usize) {
    let mut pings: Vec<_> = (0..64).map(|round| node.known(&chosen(round, members))).collect();
    if shape == "ping" {
        pings = vec![node.known(&[])];
    }
    for round in 0..rounds {
        if shape == "fresh" {
            node.settle();
            pings = vec![node.fresh(&chosen(round, members))];
        }
        measured(node, &pings[round % pings.len()]);
    }
}

/// What profilers look for: `--toggle-collect=profile::measured*`.
#[inline(never)]
fn measured(node: &mut impl Subject, ping: &[u8]) {
    node.take(ping);
}
