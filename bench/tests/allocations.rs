//! What a node allocates: nothing for what it knows, and little for each member.

use allocation_counter::measure;
use mingle_bench::{CLAIMS, META, Ours, Subject, chosen};
use mingle_proto::{Node, Rules};

const MOST_BYTES: usize = 96;

#[test]
fn a_ping_that_says_nothing_new_allocates_nothing() {
    for rules in [Rules::MINGLE, Rules::MEMBERLIST] {
        for claims in [0, CLAIMS] {
            let mut node = Ours::new(1_000, rules);
            let pings: Vec<_> =
                (0..100).map(|round| node.known(&chosen(round, 1_000)[..claims])).collect();
            // The first one may leave buffers behind that the others use again.
            node.take(&pings[0]);
            let info = measure(|| pings.iter().for_each(|ping| node.take(ping)));
            assert_eq!(info.count_total, 0, "{claims} claims by {rules:?}: {info:?}");
        }
    }
}

#[test]
fn a_known_member_costs_little_beyond_its_name_and_meta() {
    let mut empty = None;
    let before = measure(|| empty = Some(Ours::new(1, Rules::MINGLE).into_node())).bytes_current;
    for members in [1_000, 10_000] {
        let mut full: Option<Node> = None;
        let after = measure(|| full = Some(Ours::new(members, Rules::MINGLE).into_node()));
        let grown = usize::try_from(after.bytes_current - before).expect("it grows");
        let others = full.iter().flat_map(Node::members).skip(1);
        let names: usize = others.map(|member| member.name().len() + META.len()).sum();
        let each = (grown - names).div_ceil(members - 1);
        println!("{members} members: {each} bytes each beyond name and meta");
        assert!(each <= MOST_BYTES, "{each} bytes for each of {members} members");
    }
}
