//! foca, which leaves sockets and timers to its user: one task per node has both.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::convert::Infallible;
use std::net::SocketAddrV4;
use std::num::{NonZeroU8, NonZeroU32};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use foca::{
    BroadcastHandler, Config, Identity, Invalidates, Notification, PostcardCodec, Runtime, Timer,
};
use rand::rngs::SmallRng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::{Ability, About, Constants, Mode, System, equal};
use crate::board::{Board, Key};
use crate::place::{self, Place};
use crate::versions;

/// A node: a task, and the way to it.
#[derive(Debug)]
pub(crate) struct Foca {
    place: Place,
    orders: mpsc::Sender<Order>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// What the task is told.
#[derive(Debug)]
enum Order {
    Announce(Id),
    Broadcast(Vec<u8>),
}

/// Bytes of the receive buffer of a socket.
const RECEIVE_BUFFER: usize = 2 << 20;
/// The longest datagram that is read; foca's own limit is below.
const LONGEST: usize = 2048;
const NO_MESSAGES: &str = "foca has no messages between two nodes";

impl System for Foca {
    fn about() -> About {
        About {
            system: "foca",
            version: versions::of("foca"),
            settings: json!({
                "lan": spelled(Constants::Lan, "floor(4 * log10(nodes + 1))"),
                "equal": spelled(Constants::Equal, "4 * ceil(log10(nodes + 1))"),
                "remarks": [
                    "Config::new_lan(nodes); equal: with max_transmissions rounded as the others do",
                    "a suspicion has one length, and no push/pull is there but periodic_announce",
                    "codec: postcard; identity: an IPv4 address and port, and a u16",
                    "the UDP loop around it is ours: one task per node, SO_RCVBUF 2 MiB",
                ],
            }),
            lacks: &[(Ability::Packets, NO_MESSAGES), (Ability::Streams, NO_MESSAGES)],
        }
    }

    async fn start(
        place: Place,
        nodes: usize,
        constants: Constants,
        board: Arc<Board>,
    ) -> Result<Self> {
        let socket = bind(place)?;
        let (orders, taken) = mpsc::channel(16);
        let agent = Agent::new(place, config(nodes, constants)?, socket, board);
        let task = tokio::spawn(agent.run(taken));
        Ok(Self { place, orders, task: Mutex::new(Some(task)) })
    }

    /// An announcement is one datagram; nothing says whether it was heard.
    async fn join(&self) -> Result<()> {
        let first = Id { address: self.place.first().socket(), bump: 0 };
        Ok(self.orders.send(Order::Announce(first)).await?)
    }

    async fn kill(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
            // It ends as one that was aborted.
            let _ = task.await;
        }
    }

    async fn broadcast(&self, _key: Key, payload: Vec<u8>) -> Result<()> {
        Ok(self.orders.send(Order::Broadcast(payload)).await?)
    }

    async fn send(&self, _mode: Mode, _payload: &Bytes) -> Result<()> {
        bail!(NO_MESSAGES)
    }
}

fn bind(place: Place) -> Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.set_nonblocking(true)?;
    socket.bind(&place.address().into())?;
    Ok(UdpSocket::from_std(socket.into())?)
}

fn config(nodes: usize, constants: Constants) -> Result<Config> {
    let size = u32::try_from(nodes).ok().and_then(NonZeroU32::new).context("no nodes")?;
    let mut config = Config::new_lan(size);
    if constants == Constants::Equal {
        config.max_transmissions = transmissions(size)?;
    }
    Ok(config)
}

/// 4 * ceil(log10(nodes + 1)): the number of digits of `nodes` is that logarithm.
fn transmissions(nodes: NonZeroU32) -> Result<NonZeroU8> {
    let digits = u8::try_from(nodes.ilog10() + 1)?;
    NonZeroU8::new(digits * equal::RETRANSMIT_MULT).context("a number has digits")
}

fn spelled(constants: Constants, transmissions: &str) -> Value {
    let config = config(10, constants).expect("10 nodes are not 0");
    let periodic = |params: &Option<foca::PeriodicParams>| {
        params.as_ref().map(|params| format!("{:?} x {}", params.frequency, params.num_members))
    };
    json!({
        "probe_period": format!("{:?}", config.probe_period),
        "probe_rtt": format!("{:?}", config.probe_rtt),
        "num_indirect_probes": config.num_indirect_probes,
        "max_transmissions": transmissions,
        "suspect_to_down_after": "4 s * max(1, log10(nodes))",
        "periodic_gossip": periodic(&config.periodic_gossip),
        "periodic_announce": periodic(&config.periodic_announce),
        "periodic_announce_to_down_members": periodic(&config.periodic_announce_to_down_members),
        "notify_down_members": config.notify_down_members,
        "max_packet_size": config.max_packet_size,
    })
}

/// Who a node is. One that was held for down comes back under a higher bump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Id {
    address: SocketAddrV4,
    bump: u16,
}

impl Identity for Id {
    type Addr = SocketAddrV4;

    fn renew(&self) -> Option<Self> {
        Some(Self { bump: self.bump.wrapping_add(1), ..*self })
    }

    fn addr(&self) -> SocketAddrV4 {
        self.address
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        self.bump > adversary.bump
    }
}

impl Id {
    fn index(self) -> Option<usize> {
        place::index_at((*self.address.ip()).into())
    }
}

/// What one node's task owns.
struct Agent {
    foca: foca::Foca<Id, PostcardCodec, SmallRng, Listener>,
    outside: Outside,
}

impl Agent {
    fn new(place: Place, config: Config, socket: UdpSocket, board: Arc<Board>) -> Self {
        let me = Id { address: place.socket(), bump: 0 };
        let listener = Listener { node: place.index, board: Arc::clone(&board) };
        let rng = rand::make_rng();
        Self {
            foca: foca::Foca::with_custom_broadcast(me, config, rng, PostcardCodec, listener),
            outside: Outside { node: place.index, board, socket, timers: BinaryHeap::new() },
        }
    }

    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut buffer = [0; LONGEST];
        let timer = sleep_until(Instant::now());
        tokio::pin!(timer);
        loop {
            let next = self.outside.next();
            if timer.deadline() != next {
                timer.as_mut().reset(next);
            }
            tokio::select! {
                () = &mut timer => self.fire(),
                read = self.outside.socket.recv_from(&mut buffer) => {
                    if let Ok((length, _)) = read {
                        // What is wrong with a datagram is its sender's affair.
                        let _ = self.foca.handle_data(&buffer[..length], &mut self.outside);
                    }
                }
                order = orders.recv() => match order {
                    Some(order) => self.obey(order),
                    None => return,
                },
            }
        }
    }

    fn fire(&mut self) {
        while let Some(timer) = self.outside.due() {
            if let Err(error) = self.foca.handle_timer(timer, &mut self.outside) {
                eprintln!("node {}: {error}", self.outside.node);
            }
        }
    }

    fn obey(&mut self, order: Order) {
        let done = match order {
            Order::Announce(to) => self.foca.announce(to, &mut self.outside),
            Order::Broadcast(payload) => self.foca.add_broadcast(&payload).map(drop),
        };
        if let Err(error) = done {
            eprintln!("node {}: {error}", self.outside.node);
        }
    }
}

/// What foca calls.
struct Outside {
    node: usize,
    board: Arc<Board>,
    socket: UdpSocket,
    timers: BinaryHeap<Reverse<(Instant, Timer<Id>)>>,
}

/// The longest sleep while no timer is set.
const NO_TIMER: Duration = Duration::from_secs(60);

impl Outside {
    /// When the next timer is due.
    fn next(&self) -> Instant {
        let first = self.timers.peek();
        first.map_or_else(|| Instant::now() + NO_TIMER, |Reverse((at, _))| *at)
    }

    /// A timer that is due.
    fn due(&mut self) -> Option<Timer<Id>> {
        let Reverse((at, _)) = self.timers.peek()?;
        if *at > Instant::now() {
            return None;
        }
        self.timers.pop().map(|Reverse((_, timer))| timer)
    }
}

impl Runtime<Id> for Outside {
    fn notify(&mut self, notification: Notification<'_, Id>) {
        match notification {
            Notification::MemberUp(id) => {
                id.index().into_iter().for_each(|subject| self.board.saw(self.node, subject));
            }
            Notification::MemberDown(id) => {
                id.index().into_iter().for_each(|subject| self.board.down(self.node, subject));
            }
            // The same address under another bump, or about the node itself.
            Notification::Rename(_, _)
            | Notification::Active
            | Notification::Idle
            | Notification::Defunct
            | Notification::Rejoin(_) => {}
        }
    }

    fn send_to(&mut self, to: Id, data: &[u8]) {
        // A full buffer loses it, as a full network does.
        let _ = self.socket.try_send_to(data, to.address.into());
    }

    fn submit_after(&mut self, event: Timer<Id>, after: Duration) {
        self.timers.push(Reverse((Instant::now() + after, event)));
    }
}

/// Takes broadcasts in.
struct Listener {
    node: usize,
    board: Arc<Board>,
}

/// A broadcast by its key: none replaces another.
struct Rumour(Key);

impl Invalidates for Rumour {
    fn invalidates(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl BroadcastHandler<Id> for Listener {
    type Key = Rumour;
    type Error = Infallible;

    fn receive_item(
        &mut self,
        data: &[u8],
        sender: Option<&Id>,
    ) -> Result<Option<Rumour>, Infallible> {
        let Some(key) = Key::read(data) else {
            return Ok(None);
        };
        // Without a sender it is our own.
        let new = sender.is_none() || self.board.received_key(self.node, key);
        Ok(new.then_some(Rumour(key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_transmissions_are_four_for_each_digit() {
        let of = |nodes| transmissions(NonZeroU32::new(nodes).unwrap()).unwrap().get();
        assert_eq!([1, 9, 10, 16, 99, 100, 128, 1000].map(of), [4, 4, 8, 8, 8, 12, 12, 16]);
    }
}
