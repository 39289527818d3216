use std::hint::black_box;
use std::net::SocketAddr;

use mingle_proto::{Config, ExchangeId, Input, Instant, Local, Node, Room, Rules};
use mingle_wire::memberlist::{PushPullWriter, append_part};
use mingle_wire::{
    Alive, Delegate, Incarnation, Mark, Message, NodeState, Ping, SeqNo, Source, State, Versions,
};

use crate::{PACKET, Subject, address};

/// Our node, with names as people give them and the meta of a Serf agent without tags.
#[derive(Debug)]
pub struct Ours {
    node: Node,
    members: usize,
    names: Vec<String>,
    incarnations: Vec<Incarnation>,
    buffer: Vec<u8>,
}

/// What every member says of itself beside its name and address.
pub const META: &[u8] = b"\xff\x80";

impl Ours {
    /// A node that knows so many members, itself included, by a push/pull; nothing waits to be passed
    /// on.
    #[must_use]
    pub fn new(members: usize, rules: Rules) -> Self {
        // Who pings has a name, even where it is not known.
        let names: Vec<_> = (0..members.max(2)).map(name).collect();
        let incarnations = vec![Incarnation::FIRST; names.len()];
        let node = empty_node(rules);
        let mut ours = Self { node, members, names, incarnations, buffer: Vec::new() };
        let view = ours.view();
        ours.exchange(&view);
        ours.settle();
        assert_eq!(ours.node.live_count(), members, "everybody is known");
        ours
    }

    /// The node.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Gives up everything but the node.
    #[must_use]
    pub fn into_node(self) -> Node {
        self.node
    }

    /// A push/pull of all members, as a peer would send it.
    #[must_use]
    pub fn view(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let count = u32::try_from(self.members).expect("few members");
        let mut writer = PushPullWriter::new(&mut body, true, count);
        for member in 0..self.members {
            writer.record(&NodeState { state: State::Alive, alive: self.alive(member) });
        }
        writer.finish();
        body
    }

    /// Takes in a stream message of a peer that dialled, and does all that comes of it.
    pub fn exchange(&mut self, body: &[u8]) {
        let (exchange, from) = (ExchangeId::Theirs(0), address(1).into());
        self.node.handle(NOW, Input::Exchange { exchange, from, body });
        drain(&mut self.node, &mut self.buffer);
    }

    fn alive(&self, member: usize) -> Alive<'_> {
        Alive {
            incarnation: self.incarnations[member],
            node: &self.names[member],
            address: SocketAddr::from(address(member)).into(),
            meta: META,
            versions: Versions::ours(Delegate::SERF, Mark::Mingle),
        }
    }

    fn ping(&self, members: &[usize]) -> Vec<u8> {
        let source = SocketAddr::from(address(1)).into();
        let source = Source { address: Some(source), node: &self.names[1] };
        let mut body = Vec::new();
        Message::Ping(Ping { seq: SeqNo(47), node: &self.names[0], source }).encode(&mut body);
        for &member in members {
            let mut claim = Vec::new();
            Message::Alive(self.alive(member)).encode(&mut claim);
            append_part(&mut body, &claim);
        }
        body
    }
}

impl Subject for Ours {
    fn take(&mut self, body: &[u8]) {
        self.node.handle(NOW, Input::Packet { from: address(1).into(), received: NOW, body });
        drain(&mut self.node, &mut self.buffer);
    }

    fn known(&mut self, members: &[usize]) -> Vec<u8> {
        self.ping(members)
    }

    fn fresh(&mut self, members: &[usize]) -> Vec<u8> {
        for &member in members {
            self.incarnations[member] = self.incarnations[member].next();
        }
        self.ping(members)
    }

    fn queued(&self) -> usize {
        self.node.queued()
    }
}

const NOW: Instant = Instant::from_millis(1);

/// A node that knows nobody.
fn empty_node(rules: Rules) -> Node {
    let local =
        Local { meta: META.to_vec(), ..Local::new(name(0), SocketAddr::from(address(0)).into()) };
    Node::new(Config { rules, ..Config::lan() }, local, 42, Instant::ORIGIN).expect("it is sound")
}

fn name(member: usize) -> String {
    format!("node-{member:05}")
}

/// Performs all outputs, as a driver without a socket would.
fn drain(node: &mut Node, buffer: &mut Vec<u8>) {
    while let Some(output) = node.poll_output(Room::of_packet(PACKET), buffer) {
        black_box(&output);
    }
    black_box(&*buffer);
}
