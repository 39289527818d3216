//! What a node allocates: nothing for what it knows, and little for each member.

use allocation_counter::measure;
use std::time::Duration;

use mingle_bench::{CLAIMS, META, Ours, Subject, chosen};
use mingle_proto::{Config, Event, Input, Instant, Node, Output, Room, Rules};
use mingle_wire::memberlist::{ViewNote, messages};
use mingle_wire::{Ack, Dead, Incarnation, Message};

const MOST_BYTES: usize = 96;
/// For a tombstone with its name, and the member's place in the table, which stays for whoever comes.
const MOST_TOMBSTONE: usize = 256;

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

/// Fires what is due, and gives the ping that went out, as the ack to it: where it went, and the body.
fn probe(node: &mut Node, now: Instant, note: ViewNote) -> Option<(std::net::SocketAddr, Vec<u8>)> {
    let (mut buffer, mut answer) = (Vec::new(), None);
    node.handle(now, Input::Timeout);
    while let Some(output) = node.poll_output(Room::of_packet(1400), &mut buffer) {
        let Output::Packet { to, .. } = output else { continue };
        if let Some(Ok(Message::Ping(ping))) = messages(&buffer).next() {
            let mut payload = Vec::new();
            note.append(&mut payload);
            let mut body = Vec::new();
            Message::Ack(Ack { seq: ping.seq, payload: &payload }).encode(&mut body);
            answer = Some((to, body));
        }
    }
    answer
}

/// With the note of the view in the ack, and the round trip time taken.
#[test]
fn the_answer_to_a_probe_allocates_its_event_and_nothing_else() {
    let mut node = Ours::new(1_000, Rules::MINGLE).into_node();
    let note = ViewNote { fingerprint: node.view_fingerprint(), settled: true };
    let mut now = Instant::from_millis(1);
    let (mut answered, mut compared) = (0, 0);
    let mut buffer = Vec::with_capacity(1400);
    while answered < 100 {
        now = node.poll_timeout().expect("it probes").max(now);
        let Some((from, body)) = probe(&mut node, now, note) else { continue };
        let received = now + Duration::from_millis(1);
        let mut pongs = 0;
        let info = measure(|| {
            node.handle(received, Input::Packet { from, received, body: &body });
            while let Some(output) = node.poll_output(Room::of_packet(1400), &mut buffer) {
                pongs += u64::from(matches!(output, Output::Event(Event::Pong { .. })));
            }
        });
        assert_eq!(info.count_total, pongs, "{info:?}");
        now = received;
        answered += pongs;
        compared += 1 - pongs;
    }
    assert_eq!(compared, 1, "the question after the join, and no probe went without its event");
    assert_eq!(node.agreement(), (100, 100));
}

#[test]
fn a_tombstone_costs_little() {
    const MEMBERS: usize = 10_000;
    let mut empty = None;
    let alone = measure(|| empty = Some(Ours::new(1, Rules::MINGLE).into_node())).bytes_current;
    let mut full: Option<Node> = None;
    let after = measure(|| {
        let mut ours = Ours::new(MEMBERS, Rules::MINGLE);
        for name in (1..MEMBERS).map(|member| format!("node-{member:05}")) {
            let mut body = Vec::new();
            let dead = Dead { incarnation: Incarnation::FIRST, node: &name, from: &name };
            Message::Dead(dead).encode(&mut body);
            ours.take(&body);
        }
        let mut node = ours.into_node();
        let later = Instant::from_millis(2) + Config::lan().reap_time;
        let mut buffer = Vec::new();
        while node.poll_timeout().is_some_and(|at| at <= later) {
            node.handle(later, Input::Timeout);
            while node.poll_output(Room::of_packet(1400), &mut buffer).is_some() {}
        }
        full = Some(node);
    });
    let node = full.expect("it was just made");
    assert_eq!((node.member_count(), node.buried()), (1, MEMBERS - 1));
    let grown = usize::try_from(after.bytes_current - alone).expect("it grows");
    let each = grown / (MEMBERS - 1);
    println!("{each} bytes for each tombstone, with its name and the room that its member had");
    assert!(each <= MOST_TOMBSTONE, "{each} bytes");
}
