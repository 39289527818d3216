//! Nodes of the mingle library inside this process, on real sockets.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use mingle::{Cluster, Config, Delegate, Item, Keyring, Notice, State, Stats, Subscription, Via};
use tokio::runtime::{Builder as RuntimeBuilder, Runtime};
use tracing_subscriber::filter::LevelFilter;

use super::{Compression, DelegateVersions, Key, loopback_v4};
use crate::context::Context;
use crate::poll::{Attempt, wait_until};
use crate::view::{Attributes, MemberSeen, MemberState, View};

/// How to start a node of the library.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// The name of the node, and of its log.
    pub name: String,
    /// Where the node listens; a free port of `127.0.0.1` when `None`.
    pub bind: Option<SocketAddr>,
    /// The key of the cluster; no encryption when `None`.
    pub key: Option<Key>,
    /// The label of the cluster; none when empty.
    pub label: String,
    /// Whether packets and streams are compressed.
    pub compression: Compression,
    /// The versions of the application's protocol that the node announces.
    pub delegate: DelegateVersions,
    /// What the node says about itself.
    pub meta: Vec<u8>,
}

impl NodeOptions {
    /// A node that is alone and says nothing about itself, without key or label, with local timing.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            bind: None,
            key: None,
            label: String::new(),
            compression: Compression::Off,
            delegate: DelegateVersions::default(),
            meta: Vec::new(),
        }
    }

    fn builder(&self, bind: SocketAddr) -> Result<mingle::Builder> {
        let DelegateVersions { min, max, current } = self.delegate;
        let builder = Cluster::builder(&self.name)
            .bind(bind)
            .config(Config { reap_time: REMEMBERED, ..Config::local() })
            .label(&self.label)
            .compress(self.compression == Compression::On)
            .delegate(Delegate { min, max, current })
            .meta(self.meta.clone());
        let Some(key) = &self.key else { return Ok(builder) };
        Ok(builder.keyring(Keyring::new(vec![mingle::Key::from_bytes(key.as_bytes())?])))
    }
}

/// A running node of the library, with a runtime of its own. It stops when this value goes away, and then looks killed to others.
pub struct MingleNode {
    name: String,
    cluster: Cluster,
    heard: Arc<Heard>,
    log: PathBuf,
    runtime: Runtime,
}

/// What the node has told its subscribers so far.
#[derive(Debug, Default)]
struct Heard {
    messages: Mutex<Vec<NodeMessage>>,
    user_states: Mutex<Vec<UserState>>,
    acks: Mutex<Vec<Ack>>,
}

/// A user message that came to a node of the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeMessage {
    /// How it came.
    pub way: Way,
    /// The bytes.
    pub payload: Vec<u8>,
}

/// How a user message travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// In a packet, best effort.
    Packet,
    /// On a stream of its own.
    Stream,
}

/// A peer's application state that came with a push/pull to a node of the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserState {
    /// Whether the push/pull was part of a join.
    pub join: bool,
    /// The bytes.
    pub state: Vec<u8>,
}

/// An answer to a direct probe of a node of the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// Who answered.
    pub name: String,
    /// What the application put into the answer.
    pub payload: Vec<u8>,
}

impl MingleNode {
    /// Starts a node.
    ///
    /// # Errors
    ///
    /// When its options are refused, or its address can't be bound.
    pub fn start(context: &Context, options: &NodeOptions) -> Result<Self> {
        let bind = options.bind.map_or_else(loopback_v4, Ok)?;
        let log = context.log_dir().join(format!("{}.log", options.name));
        let runtime = runtime_with_log(&log)?;
        let cluster = runtime.block_on(options.builder(bind)?.start())?;
        let heard = Arc::new(Heard::default());
        let node = Self { name: options.name.clone(), cluster, heard, log, runtime };
        node.listen();
        Ok(node)
    }

    /// Where the node listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.cluster.local_addr()
    }

    /// What the node has logged so far.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn logs(&self) -> Result<String> {
        fs::read_to_string(&self.log).with_context(|| format!("reading {}", self.log.display()))
    }

    /// Exchanges views with the node at `address`.
    ///
    /// # Errors
    ///
    /// When the node could not; the error has its words.
    pub fn join(&self, address: SocketAddr) -> Result<()> {
        let report = self.wait(self.cluster.join([address]))?;
        ensure!(report.succeeded(), "{}: {report}", self.name);
        Ok(())
    }

    /// What the library itself tells of a member.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<Arc<mingle::Member>> {
        self.cluster.member(name)
    }

    /// Replaces what the node says about itself, and tells the cluster.
    ///
    /// # Errors
    ///
    /// When the node refuses.
    pub fn set_meta(&self, meta: &[u8]) -> Result<()> {
        Ok(self.wait(self.cluster.set_meta(meta))??)
    }

    /// Replaces the tags of the node, and tells the cluster.
    ///
    /// # Errors
    ///
    /// When the node refuses.
    pub fn set_tags(&self, tags: &BTreeMap<String, String>) -> Result<()> {
        Ok(self.wait(self.cluster.set_tags(tags.clone()))??)
    }

    /// Sends a user message to a member.
    ///
    /// # Errors
    ///
    /// When the node could not.
    pub fn send(&self, way: Way, name: &str, payload: &[u8]) -> Result<()> {
        match way {
            Way::Packet => self.wait(self.cluster.send(name, payload))??,
            Way::Stream => self.wait(self.cluster.send_reliable(name, payload))??,
        }
        Ok(())
    }

    /// Sets what every push/pull carries to its peer.
    ///
    /// # Errors
    ///
    /// When the node refuses.
    pub fn set_user_state(&self, state: &[u8]) -> Result<()> {
        Ok(self.wait(self.cluster.set_user_state(state))??)
    }

    /// Sets what every ack carries.
    ///
    /// # Errors
    ///
    /// When the node refuses.
    pub fn set_ack_payload(&self, payload: &[u8]) -> Result<()> {
        Ok(self.wait(self.cluster.set_ack_payload(payload))??)
    }

    /// Says goodbye to the cluster and stops.
    ///
    /// # Errors
    ///
    /// When the goodbye could not be said in time.
    pub fn leave(&self) -> Result<()> {
        self.wait(self.cluster.leave())??;
        self.wait(self.cluster.stop())
    }

    /// The node's counters and gauges as they are now.
    ///
    /// # Errors
    ///
    /// When the node does not answer.
    pub fn stats(&self) -> Result<Stats> {
        self.wait(self.cluster.stats())
    }

    /// Waits for this user message. Those that came before count.
    ///
    /// # Errors
    ///
    /// When it does not come in time.
    pub fn wait_for_message(&self, wanted: &NodeMessage, timeout: Duration) -> Result<()> {
        let what = format!("a message of {} bytes", wanted.payload.len());
        self.wait_for(&what, timeout, &self.heard.messages, wanted)
    }

    /// Waits for this application state of a peer. Those that came before count.
    ///
    /// # Errors
    ///
    /// When it does not come in time.
    pub fn wait_for_user_state(&self, wanted: &UserState, timeout: Duration) -> Result<()> {
        self.wait_for(&format!("{wanted:?}"), timeout, &self.heard.user_states, wanted)
    }

    /// Waits for this answer to a probe. Those that came before count.
    ///
    /// # Errors
    ///
    /// When it does not come in time.
    pub fn wait_for_ack(&self, wanted: &Ack, timeout: Duration) -> Result<()> {
        self.wait_for(&format!("{wanted:?}"), timeout, &self.heard.acks, wanted)
    }

    fn wait_for<T: PartialEq>(
        &self,
        what: &str,
        timeout: Duration,
        heard: &Mutex<Vec<T>>,
        wanted: &T,
    ) -> Result<()> {
        wait_until(&format!("{} to hear {what}", self.name), timeout, || {
            let heard = lock(heard);
            Ok(if heard.contains(wanted) {
                Attempt::Done(())
            } else {
                Attempt::NotYet(format!("{} others", heard.len()))
            })
        })
    }

    /// The library promises an end of each of its calls; this is for the day on which it breaks that promise.
    fn wait<T>(&self, call: impl Future<Output = T>) -> Result<T> {
        let call = async { tokio::time::timeout(CALL_TIMEOUT, call).await };
        let ended = self.runtime.block_on(call);
        ended.with_context(|| format!("a call of {} did not end", self.name))
    }

    fn listen(&self) {
        let heard = Arc::clone(&self.heard);
        self.each(self.cluster.messages(), move |message| {
            let way = match message.via {
                Via::Stream(_) => Way::Stream,
                Via::Packet(_) | Via::Own => Way::Packet,
            };
            lock(&heard.messages).push(NodeMessage { way, payload: message.payload.to_vec() });
        });
        let heard = Arc::clone(&self.heard);
        self.each(self.cluster.user_states(), move |peer| {
            let state = UserState { join: peer.join, state: peer.state.to_vec() };
            lock(&heard.user_states).push(state);
        });
        let heard = Arc::clone(&self.heard);
        self.each(self.cluster.notices(), move |notice| {
            if let Notice::Pong { name, payload, .. } = notice {
                let ack = Ack { name: name.to_string(), payload: payload.to_vec() };
                lock(&heard.acks).push(ack);
            }
        });
    }

    fn each<T: Send + Sync + Clone + 'static>(
        &self,
        mut subscription: Subscription<T>,
        take: impl Fn(T) + Send + 'static,
    ) {
        self.runtime.spawn(async move {
            while let Some(item) = subscription.next().await {
                match item {
                    Item::Item(item) => take(item),
                    Item::Gap { missed } => tracing::error!(missed, "the test was too slow"),
                }
            }
        });
    }
}

impl fmt::Debug for MingleNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MingleNode").field(&self.name).finish()
    }
}

impl View for MingleNode {
    fn name(&self) -> &str {
        &self.name
    }

    fn view(&self) -> Result<BTreeMap<String, MemberSeen>> {
        Ok(self
            .cluster
            .members()
            .iter()
            .map(|member| (member.name.clone(), seen(member)))
            .collect())
    }
}

/// Members that failed or left stay in the view for longer than any scenario lasts.
const REMEMBERED: Duration = Duration::from_secs(60 * 60);

/// Longer than any call of the library may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

fn seen(member: &mingle::Member) -> MemberSeen {
    let state = match member.state {
        State::Alive => MemberState::Alive,
        State::Suspect => MemberState::Suspect,
        State::Dead => MemberState::Failed,
        State::Left => MemberState::Left,
    };
    let [.., delegate_max, _] = member.versions.0;
    let attributes = if delegate_max == 0 {
        Attributes::Meta(member.meta.clone())
    } else {
        Attributes::Tags(member.tags.clone())
    };
    MemberSeen { state, addr: member.address, attributes }
}

/// Everything that happens on the threads of this runtime is logged there, and nothing else.
fn runtime_with_log(log: &Path) -> Result<Runtime> {
    let file = OpenOptions::new().create(true).append(true).open(log);
    let file = Arc::new(file.with_context(|| format!("opening {}", log.display()))?);
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::INFO)
        .with_ansi(false)
        .with_writer(file)
        .finish();
    let dispatch = tracing::Dispatch::new(subscriber);
    let runtime = RuntimeBuilder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        // The threads belong to the runtime alone, so the log may be theirs until they end.
        .on_thread_start(move || std::mem::forget(tracing::dispatcher::set_default(&dispatch)))
        .build()?;
    Ok(runtime)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
