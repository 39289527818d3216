//! A node is a function of its inputs: checkpoints go on where they stood.

use std::time::Duration;

use crate::world::{World, address, name};
use mingle_proto::{
    CheckpointError, Command, Config, Input, Instant, Journal, Local, Node, Output, RequestId, Room,
};
use mingle_wire::{Message, Ping, SeqNo, Source};

pub(crate) const ROOM: usize = 1400;

/// A transcript of a small cluster's life: every packet with its time.
fn transcript() -> Vec<String> {
    let mut world = World::joined(6, &Config::lan());
    world.up[5] = false;
    world.run(Duration::from_secs(30));
    world.command(4, Command::Leave { request: RequestId(1) });
    world.run(Duration::from_secs(30));
    let packets = world.packets.iter().map(|packet| format!("{packet:?}"));
    packets.chain(world.events.iter().map(|event| format!("{event:?}"))).collect()
}

#[test]
fn the_same_seeds_give_the_same_packets_and_events() {
    let (first, second) = (transcript(), transcript());
    assert!(first.len() > 200);
    assert_eq!(first, second);
}

/// Drives a node among members that never answer but go on asking, and says all that it puts out.
pub(crate) fn drive(node: &mut Node, from: u64, to: u64) -> Vec<String> {
    drive_noting(node, from, to, &mut Journal::new())
}

pub(crate) fn drive_noting(
    node: &mut Node,
    from: u64,
    to: u64,
    journal: &mut Journal,
) -> Vec<String> {
    let mut lines = Vec::new();
    let mut buffer = Vec::new();
    let mut ping = Vec::new();
    for step in from..to {
        let now = Instant::from_millis(step * 50);
        let seq = SeqNo(u32::try_from(step).unwrap());
        ping.clear();
        Message::Ping(Ping { seq, node: "n2", source: Source::default() }).encode(&mut ping);
        let packet = Input::Packet { from: address(0), received: now, body: &ping };
        for input in [Input::Timeout, packet] {
            let room = Room::of_packet(ROOM);
            journal.input(now, &input);
            node.handle(now, input);
            while let Some(output) = node.poll_output(room, &mut buffer) {
                journal.output(room, &output, &buffer);
                lines.push(line(now, &output, &buffer));
            }
            journal.drained(room);
        }
    }
    lines
}

pub(crate) fn line(now: Instant, output: &Output, body: &[u8]) -> String {
    format!("{now:?} {output:?} {body:?}")
}

pub(crate) fn node() -> Node {
    let mut world = World::joined(4, &Config::lan());
    world.run(Duration::from_secs(1));
    world.nodes.swap_remove(2)
}

#[test]
fn a_checkpoint_goes_on_exactly_where_it_stood() {
    let mut original = node();
    drive(&mut original, 900, 1000);
    let mut restored = Node::restore(&original.checkpoint()).unwrap();
    assert_eq!(restored.view_fingerprint(), original.view_fingerprint());
    let lines = drive(&mut original, 1000, 2000);
    assert!(lines.len() > 100);
    assert_eq!(drive(&mut restored, 1000, 2000), lines);
    assert_eq!(restored.checkpoint(), original.checkpoint());
}

#[test]
fn damaged_foreign_and_newer_checkpoints_are_refused() {
    let bytes = node().checkpoint();
    let refusal = |bytes: &[u8]| Node::restore(bytes).err();
    for cut in [0, 3, 11, bytes.len() / 2, bytes.len() - 1] {
        assert_eq!(refusal(&bytes[..cut]), Some(CheckpointError::Damaged));
    }
    let mut changed = bytes.clone();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(refusal(&changed), Some(CheckpointError::Damaged));
    let mut newer = bytes.clone();
    let known = newer[3];
    let found = known + 1;
    newer[3] = found;
    assert_eq!(refusal(&newer), Some(CheckpointError::Version { found, known }));
    assert_eq!(refusal(b"something else"), Some(CheckpointError::Foreign));
}

#[test]
fn spurious_timeouts_do_nothing() {
    let local = Local::new(name(0), address(0).into());
    let mut node = Node::new(Config::lan(), local, 1, Instant::ORIGIN).unwrap();
    let before = node.checkpoint();
    node.handle(Instant::ORIGIN, Input::Timeout);
    assert_eq!(node.checkpoint(), before);
}
