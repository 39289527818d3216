use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mingle_proto::{
    Done, Evidence, LinkKind, MAX_ACK_PAYLOAD, MAX_STREAM_PAYLOAD, RequestError, Via,
};
use mingle_wire::{Checksum, Incarnation, Key, KeyError, Keyring, MAX_META, TagsError, memberlist};
use tokio::sync::{mpsc, oneshot};

use crate::driver::{Command, Shared};
use crate::exchange::Detail;
use crate::join::{self, JoinReport};
use crate::lanes::{Lane, Parcel};
use crate::{
    Builder, Decision, Decisions, Dropped, JoinAddress, LeaveError, Member, Messages, MetaError,
    Notices, PeerStates, ResolveError, SendError, StateFile, Stats, Watch, Why,
};

/// The handle of one running node. Cheap to clone, and usable from any thread.
///
/// The node stops with [`Cluster::stop`], or when the last handle is dropped. Others then see it as
/// failed; to be seen as left, [`Cluster::leave`] first.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) shared: Arc<Shared>,
}

impl Cluster {
    /// Begins to describe a node of this name, which must be unique in the cluster.
    pub fn builder(name: impl Into<String>) -> Builder {
        Builder::new(Some(name.into()))
    }

    /// Begins to describe a node with a generated name: the host's name and a random suffix.
    pub fn builder_unnamed() -> Builder {
        Builder::new(None)
    }

    /// The local node's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The address that packets and streams are received on.
    ///
    /// For a node bound to every address this is the wildcard; what others use is
    /// [`Member::address`] of [`Cluster::local`].
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.local_addr
    }

    /// The local member, as it describes itself.
    #[must_use]
    pub fn local(&self) -> Arc<Member> {
        self.shared.view.local(&self.shared.name)
    }

    /// Every member that is known, in the order of their names: the local one, and those that are
    /// dead or left and not forgotten yet.
    #[must_use]
    pub fn members(&self) -> Vec<Arc<Member>> {
        self.shared.view.members()
    }

    /// One member by name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<Arc<Member>> {
        self.shared.view.member(name)
    }

    /// Why this node believes what it believes of the member of this name, this node itself included;
    /// `None` when nothing is known of the name. Waits for nothing.
    #[must_use]
    pub fn why(&self, name: &str) -> Option<Why> {
        Why::of(&self.shared, name)
    }

    /// The last decisions of this node, at most 256 and 256 KiB of them, the oldest first. When there
    /// is no room for a new one, the oldest of the commonest kind goes.
    #[must_use]
    pub fn recorder(&self) -> Vec<Decision> {
        self.shared.flight.read().decisions
    }

    /// Decisions from now on, as [`Cluster::recorder`] keeps them: of what is repeated, each time with
    /// how often it was so far.
    #[must_use]
    pub fn decisions(&self) -> Decisions {
        self.shared.flight.subscribe()
    }

    /// What [`Cluster::recorder`] does not have any more; `None` while it has everything.
    #[must_use]
    pub fn dropped_decisions(&self) -> Option<Dropped> {
        self.shared.flight.read().dropped
    }

    /// The last round trip time of a direct ping to this member.
    #[must_use]
    pub fn rtt(&self, name: &str) -> Option<Duration> {
        self.member(name)?.rtt()
    }

    /// Everything that is known now, and then each change of it.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch::new(Arc::clone(&self.shared))
    }

    /// Exchanges views with whoever is at these addresses, one after another.
    ///
    /// Each is spelled as a [`crate::JoinAddress`]. Without a port it is our own bind port if that was
    /// chosen, else 7946. All addresses of a name are tried. The report says what happened at each; one
    /// success is enough to be in the cluster.
    pub async fn join<I>(&self, addresses: I) -> JoinReport
    where
        I: IntoIterator,
        I::Item: ToString,
    {
        let targets = addresses.into_iter().map(|address| address.to_string()).collect();
        let commands = self.commands.downgrade();
        join::join(&commands, targets, self.shared.join_port).await
    }

    /// Looks for others at these addresses from now on, instead of those of [`Builder::join`]: as soon as
    /// they answer, and again whenever nobody is there. Names are looked up again and again.
    ///
    /// # Errors
    ///
    /// When one of them is misspelled; then nothing has changed.
    pub fn set_seeds<I>(&self, addresses: I) -> Result<(), ResolveError>
    where
        I: IntoIterator,
        I::Item: ToString,
    {
        let seeds: Vec<_> = addresses.into_iter().map(|address| address.to_string()).collect();
        for seed in &seeds {
            seed.parse::<JoinAddress>()?;
        }
        self.shared.seeds.send_replace(seeds);
        Ok(())
    }

    /// Waits until a join has succeeded: one of the builder's seeds, one of those that
    /// [`Builder::state`] remembers, or a call of [`Cluster::join`]. Gives `false` when the node stops before.
    pub async fn joined(&self) -> bool {
        self.shared.joined.wait().await
    }

    /// Says goodbye to the cluster, and waits until three live members have acknowledged it, or all
    /// that there are: at most for `leave_timeout` (5 s), at any size. They pass it on. The node goes
    /// on answering until it is stopped.
    ///
    /// # Errors
    ///
    /// When nobody has acknowledged it, not even on a stream, or the node has stopped.
    pub async fn leave(&self) -> Result<LeaveReceipt, LeaveError> {
        let done = self.request(Command::Leave).await.ok_or(LeaveError::Stopped)??;
        match done {
            Done::Left { confirmed } => Ok(LeaveReceipt { confirmed }),
            Done::Joined { .. } | Done::MetaSet | Done::Sent | Done::ForcedOut => {
                Ok(LeaveReceipt { confirmed: Vec::new() })
            }
        }
    }

    /// Says of a dead member that it has left, for it can't say so itself: nobody looks for it any more,
    /// and it counts as no failure. It is free to come back. Of one that has left, it does nothing.
    ///
    /// Members that run memberlist take the dead for dead until they forget them.
    ///
    /// # Errors
    ///
    /// When the member is alive, suspected or unknown, or this node is leaving or has stopped.
    pub async fn force_leave(&self, name: impl Into<String>) -> Result<(), SendError> {
        let name = name.into();
        let command = |reply| Command::ForceLeave { name, reply };
        self.request(command).await.ok_or(SendError::Stopped)??;
        Ok(())
    }

    /// Stops the node: ends its tasks and closes its sockets. Returns when that is done; at once
    /// when it was done before.
    pub async fn stop(&self) {
        self.shared.stop.settle(true);
        self.shared.stopped.wait().await;
    }

    /// Waits until the node has stopped.
    pub async fn stopped(&self) {
        self.shared.stopped.wait().await;
    }

    /// Sends a user message in one packet, best effort. Returns when the packet is on its way, which
    /// does not mean that it arrives. It waits for nothing but its turn.
    ///
    /// # Errors
    ///
    /// When it does not fit into a packet, nobody of that name is live, or the node has stopped.
    pub async fn send(
        &self,
        to: impl Into<Recipient>,
        payload: impl Into<Vec<u8>>,
    ) -> Result<(), SendError> {
        // Who sends without end lets others have their turn.
        tokio::task::coop::consume_budget().await;
        let to = match to.into() {
            Recipient::Address(address) => (address, Checksum::Omit),
            Recipient::Member(name) => {
                let no_such = || RequestError::NoSuchMember { name: name.as_str().into() };
                let member = self.live_member(&name).ok_or_else(no_such)?;
                (member.address, member.checksum())
            }
        };
        self.shared.outlet.send(&self.shared, to, &payload.into())
    }

    /// Sends a user message of any size up to 13 MiB on a stream.
    ///
    /// To a mingle node it goes on a stream that is kept, and this returns when that node has taken it and given it to
    /// those who have subscribed; what is sent to one node one after another comes in that order. To any other node it
    /// goes on a stream of its own, and this returns when it was written whole.
    ///
    /// # Errors
    ///
    /// When the peer can't be reached, nobody of that name is live, or the node has stopped. After an error on a stream
    /// that was open, the message may have come all the same.
    pub async fn send_reliable(
        &self,
        to: impl Into<Recipient>,
        payload: impl Into<Vec<u8>>,
    ) -> Result<(), SendError> {
        let (to, mut payload) = (to.into(), payload.into());
        check_length(payload.len(), MAX_STREAM_PAYLOAD, "split it")?;
        while let Some(lane) = self.lane(&to).await {
            let (reply, answer) = oneshot::channel();
            match lane.send(Parcel { payload, reply }).await {
                Ok(()) => {
                    let result = answer.await.map_err(|_| SendError::Stopped)?;
                    result.map_err(|failed| failed.error)?;
                    return Ok(());
                }
                // It has ended at that moment.
                Err(unsent) => payload = unsent.0.payload,
            }
        }
        let command = |reply| Command::SendStream { to, payload, reply };
        self.request(command).await.ok_or(SendError::Stopped)??;
        Ok(())
    }

    fn live_member(&self, name: &str) -> Option<Arc<Member>> {
        self.member(name).filter(|member| member.state.is_live())
    }

    /// The stream that is kept to somebody, if there is one or may be one.
    async fn lane(&self, to: &Recipient) -> Option<Lane> {
        let address = match to {
            Recipient::Address(address) => Some(*address),
            Recipient::Member(name) => self.live_member(name).map(|member| member.address),
        };
        let open = address.and_then(|address| self.shared.lanes.get(address));
        if open.is_some() {
            return open;
        }
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Lane { to: to.clone(), reply }).await.ok()?;
        answer.await.ok().flatten()
    }

    /// User messages from now on.
    #[must_use]
    pub fn messages(&self) -> Messages {
        self.shared.messages.subscribe()
    }

    /// States new tags in place of the old ones.
    ///
    /// # Errors
    ///
    /// When they take more than 512 bytes, or the node is leaving or has stopped.
    pub async fn set_tags<K, V>(
        &self,
        tags: impl IntoIterator<Item = (K, V)>,
    ) -> Result<(), MetaError>
    where
        K: Into<String>,
        V: Into<String>,
    {
        let tags: BTreeMap<String, String> =
            tags.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        let meta = memberlist::tags::encode(&tags)
            .map_err(|TagsError::TooLong { length, limit }| MetaError::TooLong { length, limit })?;
        self.set_meta(meta).await
    }

    /// States new opaque meta bytes. For nodes that state Serf's delegate versions use
    /// [`Cluster::set_tags`].
    ///
    /// # Errors
    ///
    /// When they are more than 512, or the node is leaving or has stopped.
    pub async fn set_meta(&self, meta: impl Into<Vec<u8>>) -> Result<(), MetaError> {
        let meta = meta.into();
        if meta.len() > MAX_META {
            return Err(MetaError::TooLong { length: meta.len(), limit: MAX_META });
        }
        let command = |reply| Command::SetMeta { meta, reply };
        self.request(command).await.ok_or(MetaError::Stopped)??;
        Ok(())
    }

    /// The bytes that every push/pull carries to its peer from now on, up to 13 MiB.
    ///
    /// # Errors
    ///
    /// When there are more, or the node has stopped.
    pub async fn set_user_state(&self, state: impl Into<Vec<u8>>) -> Result<(), SendError> {
        let state = state.into();
        check_length(state.len(), MAX_STREAM_PAYLOAD, "keep it smaller, or send it as messages")?;
        self.command(Command::SetUserState(state)).await
    }

    /// The application state of peers from now on, as it comes with push/pulls.
    #[must_use]
    pub fn user_states(&self) -> PeerStates {
        self.shared.user_states.subscribe()
    }

    /// The bytes that every ack to a ping carries from now on, at most 512.
    ///
    /// # Errors
    ///
    /// When there are more, or the node has stopped.
    pub async fn set_ack_payload(&self, payload: impl Into<Vec<u8>>) -> Result<(), SendError> {
        let payload = payload.into();
        check_length(payload.len(), MAX_ACK_PAYLOAD, "keep it smaller")?;
        self.command(Command::SetAckPayload(payload)).await
    }

    /// What happens besides changes of membership from now on: answers to pings, conflicts of names,
    /// refutations, the health score.
    #[must_use]
    pub fn notices(&self) -> Notices {
        self.shared.notices.subscribe()
    }

    /// Accepts this key from now on. The first key of a node that had none starts encryption.
    ///
    /// # Errors
    ///
    /// When the keyring refuses it.
    pub fn install_key(&self, key: Key) -> Result<(), KeyError> {
        self.shared.sealer.change_keys(|keyring| keyring.add(key))
    }

    /// Encrypts with this key from now on; it must have been installed.
    ///
    /// # Errors
    ///
    /// When it is not in the keyring.
    pub fn use_key(&self, key: &Key) -> Result<(), KeyError> {
        self.shared.sealer.change_keys(|keyring| keyring.use_key(key))
    }

    /// Refuses this key from now on.
    ///
    /// # Errors
    ///
    /// When it is the one that is encrypted with.
    pub fn remove_key(&self, key: &Key) -> Result<(), KeyError> {
        self.shared.sealer.change_keys(|keyring| keyring.remove(key))
    }

    /// Accepts these keys from now on and no others, and encrypts with the first of them.
    ///
    /// # Errors
    ///
    /// When there is none: encryption does not end while a node runs.
    pub fn set_keyring(&self, keyring: Keyring) -> Result<(), KeyError> {
        if keyring.is_empty() {
            return Err(KeyError::PrimaryRemoved);
        }
        self.shared.sealer.change_keys(|held| {
            *held = keyring;
            Ok(())
        })
    }

    /// The keys that are accepted, the one that is encrypted with first.
    #[must_use]
    pub fn list_keys(&self) -> Vec<Key> {
        self.shared.sealer.keys()
    }

    /// Every counter and gauge of the node as it is now; after a stop, as it was at the end.
    pub async fn stats(&self) -> Stats {
        let (reply, answer) = oneshot::channel();
        if self.commands.send(Command::Stats(reply)).await.is_ok()
            && let Ok(stats) = answer.await
        {
            return stats;
        }
        self.shared.stopped.wait().await;
        self.shared.last_stats()
    }

    /// Where another node answers to the name of this one, as was found not long ago. The one of the two that came
    /// second is not let in by members that know both.
    #[must_use]
    pub fn namesake(&self) -> Option<SocketAddr> {
        self.shared.conflicts.namesake()
    }

    /// The file of [`Builder::state`], and how it is; `None` for a node without one.
    #[must_use]
    pub fn state_file(&self) -> Option<StateFile> {
        self.shared.state.as_ref().map(|state| state.get())
    }

    async fn command(&self, command: Command) -> Result<(), SendError> {
        self.commands.send(command).await.map_err(|_| SendError::Stopped)
    }

    /// Sends a command and waits for its end; `None` when the node has stopped.
    async fn request(
        &self,
        command: impl FnOnce(Reply) -> Command,
    ) -> Option<Result<Done, RequestError>> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.ok()?;
        let result = answer.await.ok()?;
        Some(result.map_err(|failed| failed.error))
    }
}

fn check_length(length: usize, limit: usize, remedy: &'static str) -> Result<(), RequestError> {
    if length > limit { Err(RequestError::TooLong { length, limit, remedy }) } else { Ok(()) }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("name", &self.shared.name)
            .field("local_addr", &self.shared.local_addr)
            .finish_non_exhaustive()
    }
}

/// Where the end of a request goes.
pub(crate) type Reply = oneshot::Sender<Result<Done, Failed>>;

/// How a request failed, and what the node does not know about that.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: RequestError,
    pub(crate) detail: Detail,
}

/// What a goodbye came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaveReceipt {
    /// The members that have acknowledged it, three of them if there are as many. Nobody, when nobody
    /// else was there.
    pub confirmed: Vec<Arc<str>>,
}

/// To whom a user message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// A live member by name, wherever it is.
    Member(String),
    /// An address, whoever is there.
    Address(SocketAddr),
}

impl From<&str> for Recipient {
    fn from(name: &str) -> Self {
        Self::Member(name.to_owned())
    }
}

impl From<String> for Recipient {
    fn from(name: String) -> Self {
        Self::Member(name)
    }
}

impl From<&Member> for Recipient {
    fn from(member: &Member) -> Self {
        Self::Member(member.name.clone())
    }
}

impl From<SocketAddr> for Recipient {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address)
    }
}

impl<'a> From<&'a Recipient> for mingle_proto::Recipient<'a> {
    fn from(recipient: &'a Recipient) -> Self {
        match recipient {
            Recipient::Member(name) => Self::Member(name),
            Recipient::Address(address) => Self::Address(*address),
        }
    }
}

/// A user message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The other end. A packet's source can be forged by whoever holds the key.
    pub from: SocketAddr,
    /// How it came.
    pub via: Via,
    /// Opaque bytes, shared by all subscribers.
    pub payload: Arc<[u8]>,
}

/// A peer's application state that came with a push/pull.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerState {
    /// The other end.
    pub from: SocketAddr,
    /// Whether the push/pull belonged to a join.
    pub join: bool,
    /// Opaque bytes, shared by all subscribers.
    pub state: Arc<[u8]>,
}

/// Something besides a change of membership.
#[derive(Clone, Debug)]
pub enum Notice {
    /// A direct ping was answered in time.
    Pong {
        /// By whom.
        name: Arc<str>,
        /// From sending the ping to taking the ack from the socket.
        rtt: Duration,
        /// What its application put into the ack.
        payload: Arc<[u8]>,
    },
    /// Another node claims the name of a member that still answers to it, or claims it at the
    /// incarnation at which the member has it. One for each time that this is found.
    Conflict {
        /// The name.
        name: Arc<str>,
        /// Where the member is.
        held: SocketAddr,
        /// Where the other one says it is.
        claimed: SocketAddr,
    },
    /// Somebody said something untrue about us, and we answered with a higher incarnation.
    Refuted {
        /// Our incarnation from now on.
        incarnation: Incarnation,
        /// What was refuted.
        evidence: Arc<Evidence>,
    },
    /// A member answers, but for a while not to direct packets: the link is at fault, not the member.
    LinkDegraded {
        /// Which member.
        name: Arc<str>,
        /// How it is heard.
        kind: LinkKind,
        /// Since when.
        since: SystemTime,
    },
    /// It answers to direct packets again.
    LinkRestored {
        /// Which member.
        name: Arc<str>,
        /// How it was heard meanwhile.
        kind: LinkKind,
        /// Since when that had been so.
        since: SystemTime,
    },
    /// Our health score changed.
    Health {
        /// 0 is healthy.
        score: u32,
    },
}
