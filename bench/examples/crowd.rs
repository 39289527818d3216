//! Members for an agent to have.
//!
//! `crowd nodes ADDRESS COUNT` runs so many nodes of the library in this process, which join the agent that gossips at this address and
//! stay until standard input ends. `crowd told ADDRESS COUNT` tells the agent of so many that do not exist, in one push/pull.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use mingle::Cluster;
use mingle_wire::memberlist::PushPullWriter;
use mingle_wire::{Alive, Delegate, Incarnation, Mark, NodeState, State, Versions};

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [shape, address, count] = &arguments[..] else {
        panic!("crowd nodes|told ADDRESS COUNT");
    };
    let address: SocketAddr = address.parse().expect("an IP and a port");
    let count = count.parse().expect("a number of members");
    match shape.as_str() {
        "nodes" => run(address, count),
        "told" => tell(address, count),
        _ => panic!("nodes or told"),
    }
}

#[tokio::main]
async fn run(seed: SocketAddr, count: u32) {
    let mut nodes = Vec::new();
    for number in 0..count {
        let bind = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let builder = Cluster::builder(name(number)).bind(bind).join([seed]);
        nodes.push(builder.start().await.expect("a node starts"));
    }
    for node in &nodes {
        assert!(node.joined().await, "the agent answers");
    }
    println!("joined");
    let wait = || std::io::stdin().read_to_end(&mut Vec::new());
    let _ = tokio::task::spawn_blocking(wait).await;
}

/// Nobody is at the addresses: who probes them finds that out, one at a time.
fn tell(agent: SocketAddr, count: u32) {
    let mut message = Vec::new();
    let mut writer = PushPullWriter::new(&mut message, false, count);
    for number in 0..count {
        let ip = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 1)) + number);
        let alive = Alive {
            incarnation: Incarnation::FIRST,
            node: &name(number),
            address: SocketAddr::from((ip, 7946)).into(),
            meta: b"\xff\x81\xa4role\xa3web",
            versions: Versions::ours(Delegate::SERF, Mark::Plain),
        };
        writer.record(&NodeState { state: State::Alive, alive });
    }
    writer.finish();
    let mut stream = TcpStream::connect(agent).expect("the agent listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out");
    stream.write_all(&message).expect("the agent reads");
    let mut view = Vec::new();
    stream.read_to_end(&mut view).expect("the agent answers with its own view");
    println!("told");
}

fn name(number: u32) -> String {
    format!("member-{number:05}")
}
