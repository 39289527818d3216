//! chitchat: nodes replicate each other's keys and values, and hold for alive whose heartbeats go on.

use std::collections::BTreeMap;
use std::mem;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use bytes::Bytes;
use chitchat::transport::{Socket, Transport, UdpSocket};
use chitchat::{
    ChitchatConfig, ChitchatHandle, ChitchatId, FailureDetectorConfig, NodeState, ProtocolVersion,
    spawn_chitchat,
};
use rand::RngExt as _;
use rand::distr::Alphanumeric;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Ability, About, Constants, Mode, System, equal};
use crate::board::{Board, Key};
use crate::place::{self, Place};
use crate::versions;

/// A node. Its seeds are given when it is spawned, so that all but node 0 are spawned when they join; their sockets
/// are bound before.
#[derive(Debug)]
pub(crate) struct Chitchat {
    place: Place,
    constants: Constants,
    board: Arc<Board>,
    life: Mutex<Life>,
}

/// What a node has come to.
enum Life {
    /// Its socket is bound.
    Bound(Box<dyn Socket>),
    Running(Arc<Running>),
    Ended,
}

/// A node that gossips, and the task that follows it.
struct Running {
    handle: ChitchatHandle,
    follower: JoinHandle<()>,
}

/// What the keys of broadcasts begin with.
const PREFIX: &str = "message/";
const NO_MESSAGES: &str = "chitchat has no messages between two nodes";

impl System for Chitchat {
    fn about() -> About {
        About {
            system: "chitchat",
            version: versions::of("chitchat"),
            settings: json!({
                "lan": spelled(Constants::Lan),
                "equal": spelled(Constants::Equal),
                "remarks": [
                    "a broadcast is a key of its own that node 0 sets: state, not a message",
                    "a node is spawned when it joins, for its seeds are given then; its socket is bound before",
                    "down: a node that was in live_nodes_watcher and is not any more, looked at after each round",
                    "heartbeats in gossip are what it detects failures by; it has no probes and no suspicion",
                    "digests are sent whole, in datagrams of up to 65,507 bytes",
                ],
            }),
            lacks: &[(Ability::Packets, NO_MESSAGES), (Ability::Streams, NO_MESSAGES)],
        }
    }

    async fn start(
        place: Place,
        _nodes: usize,
        constants: Constants,
        board: Arc<Board>,
    ) -> Result<Self> {
        let socket: Box<dyn Socket> = Box::new(UdpSocket::open(place.address()).await?);
        let node = Self { place, constants, board, life: Mutex::new(Life::Bound(socket)) };
        if place == place.first() {
            node.spawn(Vec::new()).await?;
        }
        Ok(node)
    }

    async fn join(&self) -> Result<()> {
        self.spawn(vec![self.place.first().address().to_string()]).await
    }

    async fn kill(&self) {
        let ended = mem::replace(&mut *self.life(), Life::Ended);
        if let Life::Running(running) = ended {
            running.follower.abort();
            running.handle.abort();
            // It ends as one that was aborted.
            let _ = running.handle.termination_watcher().await;
        }
    }

    async fn broadcast(&self, key: Key, payload: Vec<u8>) -> Result<()> {
        let running = self.running()?;
        let key = format!("{PREFIX}{}/{}", key.round, key.index);
        let value = printable(payload.len());
        let chitchat = running.handle.chitchat();
        chitchat.lock().await.self_node_state().set(key, value);
        Ok(())
    }

    async fn send(&self, _mode: Mode, _payload: &Bytes) -> Result<()> {
        bail!(NO_MESSAGES)
    }
}

impl Chitchat {
    async fn spawn(&self, seeds: Vec<String>) -> Result<()> {
        let Life::Bound(socket) = mem::replace(&mut *self.life(), Life::Ended) else {
            bail!("the node has joined already");
        };
        let transport = Given(Mutex::new(Some(socket)));
        let config = config(self.place, self.constants, seeds);
        let handle = spawn_chitchat(config, Vec::new(), &transport).await?;
        let (observer, board) = (self.place.index, Arc::clone(&self.board));
        let chitchat = handle.chitchat();
        let chitchat = chitchat.lock().await;
        let taker = Arc::clone(&board);
        let listener = chitchat.subscribe_event(PREFIX, move |event| {
            if let Some(key) = message_key(event.key) {
                taker.received_key(observer, key);
            }
        });
        listener.forever();
        let follower = tokio::spawn(follow(chitchat.live_nodes_watcher(), observer, board));
        *self.life() = Life::Running(Arc::new(Running { handle, follower }));
        Ok(())
    }

    fn running(&self) -> Result<Arc<Running>> {
        match &*self.life() {
            Life::Running(running) => Ok(Arc::clone(running)),
            Life::Bound(_) | Life::Ended => bail!("the node does not run"),
        }
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn config(place: Place, constants: Constants, seed_nodes: Vec<String>) -> ChitchatConfig {
    ChitchatConfig {
        chitchat_id: ChitchatId::new(place.name(), 0, place.address()),
        cluster_id: "crowd".to_owned(),
        gossip_interval: match constants {
            Constants::Lan => Duration::from_secs(1),
            Constants::Equal => equal::GOSSIP_INTERVAL,
        },
        listen_addr: place.address(),
        seed_nodes,
        failure_detector_config: FailureDetectorConfig::default(),
        marked_for_deletion_grace_period: Duration::from_secs(3600),
        catchup_callback: None,
        extra_liveness_predicate: None,
        protocol_version: ProtocolVersion::V1,
    }
}

fn spelled(constants: Constants) -> Value {
    let config = config(Place { network: 77, index: 0 }, constants, Vec::new());
    let detector = &config.failure_detector_config;
    json!({
        "gossip_interval": format!("{:?}", config.gossip_interval),
        "gossip_count": 3,
        "phi_threshold": detector.phi_threshold,
        "sampling_window_size": detector.sampling_window_size,
        "max_interval": format!("{:?}", detector.max_interval),
        "initial_interval": format!("{:?}", detector.initial_interval),
        "protocol_version": format!("{:?}", config.protocol_version),
    })
}

/// So many bytes of text that hardly compresses: values are text.
fn printable(bytes: usize) -> String {
    rand::rng().sample_iter(Alphanumeric).take(bytes).map(char::from).collect()
}

/// The key of a broadcast, spelled without its prefix.
fn message_key(spelled: &str) -> Option<Key> {
    let (round, index) = spelled.split_once('/')?;
    Some(Key { round: round.parse().ok()?, index: index.parse().ok()? })
}

/// Tells the board who has come to the live nodes and who has gone from them.
async fn follow(
    mut watcher: watch::Receiver<BTreeMap<ChitchatId, NodeState>>,
    observer: usize,
    board: Arc<Board>,
) {
    let mut before: Vec<usize> = Vec::new();
    while watcher.changed().await.is_ok() {
        let mut now = live(&watcher.borrow_and_update());
        now.sort_unstable();
        for &subject in now.iter().filter(|node| before.binary_search(node).is_err()) {
            board.saw(observer, subject);
        }
        for &subject in before.iter().filter(|node| now.binary_search(node).is_err()) {
            board.down(observer, subject);
        }
        before = now;
    }
}

fn live(nodes: &BTreeMap<ChitchatId, NodeState>) -> Vec<usize> {
    let index = |id: &ChitchatId| place::index_at(id.gossip_advertise_addr.ip());
    nodes.keys().filter_map(index).collect()
}

/// A transport with one socket, which is open.
struct Given(Mutex<Option<Box<dyn Socket>>>);

#[async_trait]
impl Transport for Given {
    async fn open(&self, _: SocketAddr) -> Result<Box<dyn Socket>> {
        let mut socket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        socket.take().context("the socket is in use")
    }
}

impl std::fmt::Debug for Life {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Bound(_) => "Bound",
            Self::Running(_) => "Running",
            Self::Ended => "Ended",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_were_spelled() {
        assert_eq!(message_key("3/17"), Some(Key { round: 3, index: 17 }));
        assert_eq!(message_key("3"), None);
        assert_eq!(message_key("3/x"), None);
    }

    #[test]
    fn values_have_the_length_that_was_asked_for() {
        assert_eq!(printable(64).len(), 64);
    }
}
