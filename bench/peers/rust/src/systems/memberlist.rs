//! Rust memberlist, on UDP and TCP.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, bail};
use bytes::Bytes;
use memberlist::delegate::{CompositeDelegate, EventDelegate, NodeDelegate, VoidDelegate};
use memberlist::net::NetTransportOptions;
use memberlist::proto::{MaybeResolvedAddress, NodeState};
use memberlist::queue::TransmitLimitedQueue;
use memberlist::tokio::{TokioSocketAddrResolver, TokioTcp, TokioTcpMemberlist};
use memberlist::transport::NodeId;
use memberlist::{Broadcast, Options};
use serde_json::{Value, json};

use super::{About, Constants, Mode, System, equal};
use crate::board::{Board, Key};
use crate::place::{self, Place};
use crate::versions;

type Void = VoidDelegate<NodeId, SocketAddr>;
type Delegate = CompositeDelegate<NodeId, SocketAddr, Void, Void, Events, Void, Messages, Void>;
type Transport = NetTransportOptions<NodeId, TokioSocketAddrResolver, TokioTcp>;

/// A node.
pub(crate) struct Memberlist {
    place: Place,
    list: TokioTcpMemberlist<NodeId, TokioSocketAddrResolver, Delegate>,
    queue: Arc<Queue>,
}

type Queue = TransmitLimitedQueue<Rumour, Arc<AtomicUsize>>;

/// How often a broadcast is sent: so many times the logarithm of the number of members.
const RETRANSMIT_MULT: usize = 4;

impl System for Memberlist {
    fn about() -> About {
        About {
            system: "memberlist",
            version: versions::of("memberlist"),
            settings: json!({
                "lan": spelled(Constants::Lan),
                "equal": spelled(Constants::Equal),
                "remarks": [
                    "Options::lan() has a probe_interval of 500 ms and a probe_timeout of 1 s, where Go's \
                     memberlist has 1 s and 500 ms",
                    "broadcasts: a TransmitLimitedQueue(4) per node, into which each receiver puts what is new to it",
                    "net transport (UDP and TCP), SocketAddr resolver, default features but QUIC and DNS",
                ],
            }),
            lacks: &[],
        }
    }

    async fn start(
        place: Place,
        _nodes: usize,
        constants: Constants,
        board: Arc<Board>,
    ) -> Result<Self> {
        let members = Arc::new(AtomicUsize::new(1));
        let queue = Arc::new(Queue::new(RETRANSMIT_MULT, Arc::clone(&members)));
        let node = place.index;
        let messages = Messages { node, board: Arc::clone(&board), queue: Arc::clone(&queue) };
        let delegate = CompositeDelegate::new()
            .with_event_delegate(Events { node, board, members })
            .with_node_delegate(messages);
        let mut transport = transport(constants, NodeId::new(place.name())?);
        transport.add_bind_address(place.address());
        let list =
            TokioTcpMemberlist::with_delegate(delegate, transport, options(constants)).await?;
        Ok(Self { place, list, queue })
    }

    async fn join(&self) -> Result<()> {
        self.list.join(MaybeResolvedAddress::resolved(self.place.first().address())).await?;
        Ok(())
    }

    /// Says no goodbye: that would be `leave`.
    async fn kill(&self) {
        if let Err(error) = self.list.shutdown().await {
            eprintln!("{}: {error}", self.place.name());
        }
    }

    async fn broadcast(&self, _key: Key, payload: Vec<u8>) -> Result<()> {
        self.queue.queue_broadcast(Rumour(payload.into())).await;
        Ok(())
    }

    async fn send(&self, mode: Mode, payload: &Bytes) -> Result<()> {
        let to = self.place.second().address();
        let done = match mode {
            Mode::BestEffort => self.list.send(&to, payload.clone()).await,
            Mode::Reliable => self.list.send_reliable(&to, payload.clone()).await,
        };
        match done {
            Ok(()) => Ok(()),
            Err(error) => bail!("{error}"),
        }
    }
}

fn options(constants: Constants) -> Options {
    match constants {
        Constants::Lan => Options::lan(),
        Constants::Equal => Options::lan()
            .with_probe_interval(equal::PROBE_INTERVAL)
            .with_probe_timeout(equal::PROBE_TIMEOUT)
            .with_indirect_checks(equal::HELPERS.into())
            .with_retransmit_mult(equal::RETRANSMIT_MULT.into())
            .with_suspicion_mult(equal::SUSPICION_MULT.into())
            .with_suspicion_max_timeout_mult(equal::SUSPICION_MAX_MULT.into())
            .with_gossip_interval(equal::GOSSIP_INTERVAL)
            .with_gossip_nodes(equal::GOSSIP_NODES.into())
            .with_push_pull_interval(equal::PUSH_PULL_INTERVAL),
    }
}

fn transport(constants: Constants, id: NodeId) -> Transport {
    let transport = Transport::new(id);
    match constants {
        Constants::Lan => transport,
        Constants::Equal => transport.with_max_packet_size(equal::PACKET_SIZE.into()),
    }
}

fn spelled(constants: Constants) -> Value {
    let options = options(constants);
    let id = NodeId::new("node").expect("a name");
    json!({
        "probe_interval": format!("{:?}", options.probe_interval()),
        "probe_timeout": format!("{:?}", options.probe_timeout()),
        "indirect_checks": options.indirect_checks(),
        "retransmit_mult": options.retransmit_mult(),
        "suspicion_mult": options.suspicion_mult(),
        "suspicion_max_timeout_mult": options.suspicion_max_timeout_mult(),
        "awareness_max_multiplier": options.awareness_max_multiplier(),
        "gossip_interval": format!("{:?}", options.gossip_interval()),
        "gossip_nodes": options.gossip_nodes(),
        "push_pull_interval": format!("{:?}", options.push_pull_interval()),
        "handoff_queue_depth": options.handoff_queue_depth(),
        "max_packet_size": transport(constants, id).max_packet_size(),
        "compress_algo": format!("{:?}", options.compress_algo()),
        "checksum_algo": format!("{:?}", options.checksum_algo()),
        "encryption_algo": format!("{:?}", options.encryption_algo()),
    })
}

/// Tells the board who comes and goes. Nobody leaves in a crowd: whoever goes is down.
struct Events {
    node: usize,
    board: Arc<Board>,
    /// The members that there are, ourselves included, for the length of retransmissions.
    members: Arc<AtomicUsize>,
}

impl Events {
    /// Which node it is, if it is another one.
    fn other(&self, node: &NodeState<NodeId, SocketAddr>) -> Option<usize> {
        place::index_at(node.address().ip()).filter(|&index| index != self.node)
    }
}

impl EventDelegate for Events {
    type Id = NodeId;
    type Address = SocketAddr;

    async fn notify_join(&self, node: Arc<NodeState<NodeId, SocketAddr>>) {
        if let Some(subject) = self.other(&node) {
            self.members.fetch_add(1, Ordering::Relaxed);
            self.board.saw(self.node, subject);
        }
    }

    async fn notify_leave(&self, node: Arc<NodeState<NodeId, SocketAddr>>) {
        if let Some(subject) = self.other(&node) {
            self.members.fetch_sub(1, Ordering::Relaxed);
            self.board.down(self.node, subject);
        }
    }

    async fn notify_update(&self, _: Arc<NodeState<NodeId, SocketAddr>>) {}
}

/// Takes messages in, and passes on what is new.
struct Messages {
    node: usize,
    board: Arc<Board>,
    queue: Arc<Queue>,
}

impl NodeDelegate for Messages {
    async fn notify_message(&self, message: Cow<'_, [u8]>) {
        if self.board.received(self.node, &message) {
            self.queue.queue_broadcast(Rumour(Bytes::copy_from_slice(&message))).await;
        }
    }

    async fn broadcast_messages<F>(
        &self,
        limit: usize,
        _encoded_len: F,
    ) -> impl Iterator<Item = Bytes> + Send
    where
        F: Fn(Bytes) -> (usize, Bytes) + Send + Sync + 'static,
    {
        self.queue.get_broadcasts(limit).await.into_iter()
    }
}

/// A broadcast; none replaces another.
#[derive(Debug)]
struct Rumour(Bytes);

/// What memberlist puts before a user message at most: a tag and a length.
const OVERHEAD: usize = 4;

impl Broadcast for Rumour {
    type Id = u64;
    type Message = Bytes;

    fn id(&self) -> Option<&u64> {
        None
    }

    fn invalidates(&self, _: &Self) -> bool {
        false
    }

    fn message(&self) -> &Bytes {
        &self.0
    }

    fn encoded_len(message: &Bytes) -> usize {
        message.len() + OVERHEAD
    }

    async fn finished(&self) {}

    fn is_unique(&self) -> bool {
        true
    }
}

impl std::fmt::Debug for Memberlist {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memberlist").field("place", &self.place).finish_non_exhaustive()
    }
}
