//! One shape over and over, for profilers: `profile known|fresh|ping MEMBERS ROUNDS`.

use mingle_bench::{Ours, Subject, chosen};
use mingle_proto::Rules;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let shape = arguments.next().unwrap_or_else(|| "known".to_owned());
    let mut number = |or: usize| arguments.next().map_or(or, |text| text.parse().expect("a number"));
    let (members, rounds) = (number(1_000), number(100_000));
    let mut node = Ours::new(members, Rules::MINGLE);
    let mut pings: Vec<_> = (0..64).map(|round| node.known(&chosen(round, members))).collect();
    if shape == "ping" {
        pings = vec![node.known(&[])];
    }
    for round in 0..rounds {
        if shape == "fresh" {
            node.settle();
            pings = vec![node.fresh(&chosen(round, members))];
        }
        node.take(&pings[round % pings.len()]);
    }
}
