//! Nodes of bare memberlist, in a Go program of ours.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::process::{ChildStdin, ChildStdout, Command};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{Compression, Key, Process, Profile, loopback_v4};
use crate::context::Context;
use crate::hex;
use crate::view::{Attributes, MemberSeen, MemberState, View};

/// How to start a memberlist node.
#[derive(Debug, Clone)]
pub struct GoPeerOptions {
    /// The name of the node, and of its log.
    pub name: String,
    /// Where the node listens; a free port of `127.0.0.1` when `None`.
    pub bind: Option<SocketAddr>,
    /// The timing.
    pub profile: Profile,
    /// The label of the cluster; none when empty.
    pub label: String,
    /// The key of the cluster; no encryption when `None`.
    pub key: Option<Key>,
    /// Whether packets and streams are compressed.
    pub compression: Compression,
    /// The versions of the application's protocol that the node announces.
    pub delegate: DelegateVersions,
    /// What the node says about itself.
    pub meta: Vec<u8>,
    /// The user state that the node sends in push/pull; none when empty.
    pub state: String,
    /// The payload of its acks; none, and no ping delegate, when empty.
    pub ack: String,
}

impl GoPeerOptions {
    /// A node that says nothing about itself, without key or label, with local timing.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            bind: None,
            profile: Profile::default(),
            label: String::new(),
            key: None,
            compression: Compression::default(),
            delegate: DelegateVersions::default(),
            meta: Vec::new(),
            state: String::new(),
            ack: String::new(),
        }
    }

    /// A node that Serf agents accept among them: it announces their versions, and no tags.
    #[must_use]
    pub fn among_serf(name: &str) -> Self {
        Self { delegate: DelegateVersions::SERF, meta: SERF_NO_TAGS.to_vec(), ..Self::named(name) }
    }

    fn arguments(&self, bind: SocketAddr) -> Vec<String> {
        let mut arguments = vec![
            format!("-name={}", self.name),
            format!("-bind={}", bind.ip()),
            format!("-port={}", bind.port()),
            format!("-profile={}", self.profile.flag()),
            format!("-label={}", self.label),
            format!("-compress={}", self.compression == Compression::On),
            format!("-dmin={}", self.delegate.min),
            format!("-dmax={}", self.delegate.max),
            format!("-dcur={}", self.delegate.current),
            format!("-meta={}", hex::encode(&self.meta)),
            format!("-state={}", self.state),
            format!("-ack={}", self.ack),
        ];
        arguments.extend(self.key.iter().map(|key| format!("-key={}", key.to_base64())));
        arguments
    }
}

/// Serf's spelling of a node without tags: its magic byte, then an empty MessagePack map.
const SERF_NO_TAGS: [u8; 2] = [0xff, 0x80];

/// The versions of the application's protocol that a node announces beside memberlist's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DelegateVersions {
    /// The lowest that it understands.
    pub min: u8,
    /// The highest that it understands.
    pub max: u8,
    /// The one that it speaks.
    pub current: u8,
}

impl DelegateVersions {
    /// What Serf announces.
    pub const SERF: Self = Self { min: 2, max: 5, current: 5 };
}

/// A running memberlist node.
#[derive(Debug)]
pub struct GoPeer {
    name: String,
    bind: SocketAddr,
    process: Process,
    commands: Mutex<Commands>,
    inbox: Arc<Inbox>,
}

#[derive(Debug)]
struct Commands {
    input: ChildStdin,
    sent: u64,
}

impl GoPeer {
    /// Starts a node and waits until it is ready to join others.
    ///
    /// # Errors
    ///
    /// When the program is missing or ends at once, or does not get ready in time.
    pub fn start(context: &Context, options: &GoPeerOptions) -> Result<Self> {
        let bind = options.bind.map_or_else(loopback_v4, Ok)?;
        let mut command = Command::new(context.peers().gopeer());
        command.args(options.arguments(bind));
        let (process, input, output) =
            Process::spawn_piped(&options.name, &mut command, context.log_dir())?;
        let inbox = Arc::new(Inbox::default());
        let reader = Arc::clone(&inbox);
        thread::spawn(move || reader.fill(output));
        let commands = Mutex::new(Commands { input, sent: 0 });
        let peer = Self { name: options.name.clone(), bind, process, commands, inbox };
        peer.wait_for_event("ready", START_TIMEOUT, |event| matches!(event, GoEvent::Ready))?;
        Ok(peer)
    }

    /// Where the node listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.bind
    }

    /// The node's process: its signals, its end and its log.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// What memberlist has logged so far.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn logs(&self) -> Result<String> {
        self.process.log()
    }

    /// Joins the cluster of the node at `address`.
    ///
    /// # Errors
    ///
    /// When the node could not.
    pub fn join(&self, address: SocketAddr) -> Result<()> {
        self.command(&format!("join {address}"), COMMAND_TIMEOUT).map(drop)
    }

    /// The members that memberlist tells: those alive and suspect, without those dead or left.
    ///
    /// # Errors
    ///
    /// When the node does not answer.
    pub fn members(&self) -> Result<Vec<GoMember>> {
        let mut reply = self.command("members", COMMAND_TIMEOUT)?;
        read(reply["members"].take())
    }

    /// Replaces what the node says about itself.
    ///
    /// # Errors
    ///
    /// When memberlist refuses, or could not tell the cluster.
    pub fn set_meta(&self, meta: &[u8]) -> Result<()> {
        self.command(&format!("meta {}", hex::encode(meta)), COMMAND_TIMEOUT).map(drop)
    }

    /// Sends a user message to a member in a packet. The text must be one line.
    ///
    /// # Errors
    ///
    /// When there is no such member, or the message could not be sent.
    pub fn send(&self, name: &str, text: &str) -> Result<()> {
        self.command(&format!("send {name} {text}"), COMMAND_TIMEOUT).map(drop)
    }

    /// Sends a user message to a member on a stream. The text must be one line.
    ///
    /// # Errors
    ///
    /// When there is no such member, or the message could not be sent.
    pub fn send_reliable(&self, name: &str, text: &str) -> Result<()> {
        self.command(&format!("sendrel {name} {text}"), COMMAND_TIMEOUT).map(drop)
    }

    /// Spreads a user message by gossip. The text must be one line.
    ///
    /// # Errors
    ///
    /// When the node does not answer.
    pub fn broadcast(&self, text: &str) -> Result<()> {
        self.command(&format!("broadcast {text}"), COMMAND_TIMEOUT).map(drop)
    }

    /// Probes a member once, outside the schedule, and gives the time until its ack.
    ///
    /// # Errors
    ///
    /// When there is no such member, or no ack comes.
    pub fn ping(&self, name: &str) -> Result<Duration> {
        let reply = self.command(&format!("ping {name}"), COMMAND_TIMEOUT)?;
        Ok(Duration::from_micros(read(reply["rtt_us"].clone())?))
    }

    /// memberlist's health score; 0 is healthy.
    ///
    /// # Errors
    ///
    /// When the node does not answer.
    pub fn health(&self) -> Result<u32> {
        read(self.command("health", COMMAND_TIMEOUT)?["score"].take())
    }

    /// Leaves the cluster and waits until the program has ended.
    ///
    /// # Errors
    ///
    /// When the node could not leave or does not end.
    pub fn leave(&self) -> Result<()> {
        self.command("leave", COMMAND_TIMEOUT)?;
        self.process.wait_for_exit(COMMAND_TIMEOUT).map(drop)
    }

    /// Ends the program in an orderly way, without leaving the cluster.
    ///
    /// # Errors
    ///
    /// When the program does not end.
    pub fn shutdown(&self) -> Result<()> {
        self.command("shutdown", COMMAND_TIMEOUT)?;
        self.process.wait_for_exit(COMMAND_TIMEOUT).map(drop)
    }

    /// Kills the node as a power cut would.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn kill(&self) -> Result<()> {
        self.process.kill()
    }

    /// Gives the program one line of its command language and waits for the answer to it.
    ///
    /// # Errors
    ///
    /// When the program refuses the command, has ended, or does not answer in time.
    pub fn command(&self, line: &str, timeout: Duration) -> Result<Value> {
        ensure!(!line.contains('\n'), "{line:?} is more than one line");
        let reply =
            self.exchange(line, timeout).with_context(|| format!("{line:?} on {}", self.name))?;
        if reply["ok"] == Value::Bool(true) {
            return Ok(reply);
        }
        bail!(
            "{} refuses {line:?}: {}",
            self.name,
            reply["error"].as_str().unwrap_or("without a reason")
        )
    }

    /// All events so far, or since they were last forgotten.
    #[must_use]
    pub fn events(&self) -> Vec<GoEvent> {
        self.inbox.lock().events.clone()
    }

    /// Forgets all events so far, so that only new ones end a wait.
    pub fn forget_events(&self) {
        self.inbox.lock().events.clear();
    }

    /// Waits for an event that `wanted` accepts, and gives it. Events that have come before count, unless they were forgotten.
    ///
    /// # Errors
    ///
    /// When none comes in time, or the program ends before; the error names `what`.
    pub fn wait_for_event(
        &self,
        what: &str,
        timeout: Duration,
        wanted: impl Fn(&GoEvent) -> bool,
    ) -> Result<GoEvent> {
        let found = self
            .inbox
            .wait(timeout, |arrived| arrived.events.iter().find(|event| wanted(event)).cloned());
        found.with_context(|| format!("waiting for the event {what:?} of {}", self.name))
    }

    fn exchange(&self, line: &str, timeout: Duration) -> Result<Value> {
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(commands.input, "{line}")?;
        commands.sent += 1;
        let number = commands.sent;
        self.inbox.wait(timeout, |arrived| arrived.replies.remove(&number))
    }
}

impl View for GoPeer {
    fn name(&self) -> &str {
        &self.name
    }

    fn view(&self) -> Result<BTreeMap<String, MemberSeen>> {
        Ok(self.members()?.into_iter().map(|member| (member.name.clone(), member.seen())).collect())
    }

    fn remembers_departed(&self) -> bool {
        false
    }
}

const START_TIMEOUT: Duration = Duration::from_secs(10);

/// Longer than the 5 s that memberlist itself may wait for a leave or an update to spread.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(15);

/// Something that a memberlist node told without being asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum GoEvent {
    /// The node listens.
    Ready,
    /// A member has come up; the node itself is the first.
    Join(GoMember),
    /// A member has died or left.
    Leave(GoMember),
    /// A member's meta or address has changed.
    Update(GoMember),
    /// A user message has come, by whatever way.
    Message {
        /// The bytes as text, with what is not UTF-8 replaced.
        text: String,
        /// The bytes in hexadecimal.
        hex: String,
    },
    /// The user state of another node has come in a push/pull.
    RemoteState {
        /// The bytes as text, with what is not UTF-8 replaced.
        text: String,
        /// The bytes in hexadecimal.
        hex: String,
        /// Whether the push/pull was part of a join.
        join: bool,
    },
    /// Two nodes claim one name.
    Conflict {
        /// The name.
        name: String,
        /// The address that the node believes in.
        existing: SocketAddr,
        /// The other address.
        other: SocketAddr,
    },
    /// A direct probe was answered. Comes only from nodes with an ack payload of their own.
    PingComplete {
        /// Who answered.
        name: String,
        /// The time until the ack, in microseconds.
        #[serde(rename = "rtt_us")]
        rtt_micros: i64,
        /// The payload of the ack.
        payload: String,
    },
}

/// A member as memberlist knows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct GoMember {
    /// The name.
    pub name: String,
    /// The IP address.
    #[serde(rename = "addr")]
    pub ip: IpAddr,
    /// The port.
    pub port: u16,
    /// What the member says about itself.
    #[serde(deserialize_with = "bytes")]
    pub meta: Vec<u8>,
    /// The state that memberlist holds, read from its private record: what its API calls the state is never set.
    #[serde(deserialize_with = "state")]
    pub state: MemberState,
    /// The incarnation that memberlist holds.
    pub incarnation: u32,
    /// The lowest protocol version that the member understands.
    pub pmin: u8,
    /// The highest protocol version that the member understands.
    pub pmax: u8,
    /// The protocol version that the member speaks.
    pub pcur: u8,
    /// The lowest delegate version that the member understands.
    pub dmin: u8,
    /// The highest delegate version that the member understands.
    pub dmax: u8,
    /// The delegate version that the member speaks.
    pub dcur: u8,
}

impl GoMember {
    /// The address of the member.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.port)
    }

    /// The six version bytes, in the order of the wire.
    #[must_use]
    pub fn versions(&self) -> [u8; 6] {
        [self.pmin, self.pmax, self.pcur, self.dmin, self.dmax, self.dcur]
    }

    fn seen(self) -> MemberSeen {
        MemberSeen { state: self.state, addr: self.addr(), attributes: Attributes::Meta(self.meta) }
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value).context("reading the answer of the Go peer")
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    hex::decode(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn state<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MemberState, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.as_str() {
        "alive" => Ok(MemberState::Alive),
        "suspect" => Ok(MemberState::Suspect),
        "dead" => Ok(MemberState::Failed),
        "left" => Ok(MemberState::Left),
        _ => Err(serde::de::Error::custom(format!("{text:?} is no state of memberlist"))),
    }
}

/// What has come from the program and is not yet consumed.
#[derive(Debug, Default)]
struct Inbox {
    arrived: Mutex<Arrived>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Arrived {
    events: Vec<GoEvent>,
    replies: BTreeMap<u64, Value>,
    /// Why nothing more will come.
    ended: Option<String>,
}

impl Inbox {
    /// Reads until the program closes its output.
    fn fill(&self, output: ChildStdout) {
        let mut reason = "it has closed its output".to_owned();
        for line in BufReader::new(output).lines() {
            let accepted =
                line.context("reading its output").and_then(|line| self.lock().accept(&line));
            if let Err(error) = accepted {
                reason = format!("{error:#}");
                break;
            }
            self.changed.notify_all();
        }
        self.lock().ended = Some(reason);
        self.changed.notify_all();
    }

    /// Waits until `take` finds something in what has arrived.
    fn wait<T>(
        &self,
        timeout: Duration,
        mut take: impl FnMut(&mut Arrived) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + timeout;
        let mut arrived = self.lock();
        loop {
            if let Some(found) = take(&mut arrived) {
                return Ok(found);
            }
            if let Some(reason) = &arrived.ended {
                bail!("the program says nothing more: {reason}");
            }
            let left = deadline.saturating_duration_since(Instant::now());
            ensure!(!left.is_zero(), "nothing came within {} s", timeout.as_secs_f32());
            arrived =
                self.changed.wait_timeout(arrived, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Arrived> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Arrived {
    fn accept(&mut self, line: &str) -> Result<()> {
        let value: Value =
            serde_json::from_str(line).with_context(|| format!("reading {line:?}"))?;
        match value["seq"].as_u64() {
            Some(number) => drop(self.replies.insert(number, value)),
            None => self
                .events
                .push(serde_json::from_value(value).with_context(|| format!("reading {line:?}"))?),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBER: &str = r#""addr":"::1","dcur":5,"dmax":5,"dmin":2,"incarnation":7,"meta":"ff80","name":"a",
        "pcur":2,"pmax":133,"pmin":1,"port":7946,"state":"suspect","state_number":1"#;

    fn accept(line: &str) -> Arrived {
        let mut arrived = Arrived::default();
        arrived.accept(&line.replace('\n', " ")).unwrap();
        arrived
    }

    #[test]
    fn a_member_keeps_its_version_bytes() {
        let arrived = accept(&format!(r#"{{"event":"join",{MEMBER}}}"#));
        let [GoEvent::Join(member)] = &arrived.events[..] else { panic!("{arrived:?}") };
        assert_eq!(member.versions(), [1, 133, 2, 2, 5, 5]);
        assert_eq!(member.addr(), "[::1]:7946".parse().unwrap());
        assert_eq!((member.state, &member.meta[..]), (MemberState::Suspect, &[0xff, 0x80][..]));
    }

    #[test]
    fn events_with_hyphens_are_read() {
        let arrived = accept(r#"{"event":"remote-state","text":"x","hex":"78","join":true}"#);
        let expected =
            GoEvent::RemoteState { text: "x".to_owned(), hex: "78".to_owned(), join: true };
        assert_eq!(arrived.events, [expected]);
    }

    #[test]
    fn replies_are_kept_by_their_number() {
        let arrived = accept(r#"{"reply":"health","seq":3,"ok":true,"score":0}"#);
        assert!(arrived.events.is_empty());
        assert_eq!(arrived.replies[&3]["score"], 0);
    }
}
