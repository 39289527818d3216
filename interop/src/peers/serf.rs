//! Serf agents.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::process::run_to_end;
use super::{Compression, Key, Process, Profile, SerfVersion, loopback_v4};
use crate::context::Context;
use crate::poll::{Attempt, wait_until};
use crate::view::{Attributes, MemberSeen, MemberState, View};

/// How to start a Serf agent.
#[derive(Debug, Clone)]
pub struct SerfOptions {
    /// The name of the node, and of its log.
    pub name: String,
    /// Where the node listens; a free port of `127.0.0.1` when `None`.
    pub bind: Option<SocketAddr>,
    /// Where the agent answers commands; a free port of `127.0.0.1` when `None`.
    pub rpc: Option<SocketAddr>,
    /// The key of the cluster; no encryption when `None`.
    pub key: Option<Key>,
    /// What the node says about itself.
    pub tags: BTreeMap<String, String>,
    /// The timing.
    pub profile: Profile,
    /// Whether packets are compressed.
    pub compression: Compression,
    /// Nodes that the agent must join before it is ready.
    pub join: Vec<SocketAddr>,
    /// `TRACE`, `DEBUG`, `INFO`, `WARN` or `ERR`.
    pub log_level: String,
    /// Further flags of `serf agent`, as they are.
    pub extra: Vec<String>,
}

impl SerfOptions {
    /// An agent that is alone, without key or tags, with local timing and the full log.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            bind: None,
            rpc: None,
            key: None,
            tags: BTreeMap::new(),
            profile: Profile::default(),
            compression: Compression::default(),
            join: Vec::new(),
            log_level: "DEBUG".to_owned(),
            extra: Vec::new(),
        }
    }

    /// The same with one more tag.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.insert(key.to_owned(), value.to_owned());
        self
    }

    fn arguments(&self, bind: SocketAddr, rpc: SocketAddr) -> Vec<String> {
        let mut arguments = vec![
            "agent".to_owned(),
            format!("-node={}", self.name),
            format!("-bind={bind}"),
            format!("-rpc-addr={rpc}"),
            format!("-profile={}", self.profile.flag()),
            format!("-log-level={}", self.log_level),
        ];
        arguments.extend(self.key.iter().map(|key| format!("-encrypt={}", key.to_base64())));
        arguments.extend(self.tags.iter().map(|(key, value)| format!("-tag={key}={value}")));
        arguments.extend(self.join.iter().map(|address| format!("-join={address}")));
        arguments.extend(
            (self.compression == Compression::Off).then(|| "-disable-compression".to_owned()),
        );
        arguments.extend(self.extra.iter().cloned());
        arguments
    }
}

/// A running Serf agent.
#[derive(Debug)]
pub struct SerfAgent {
    name: String,
    bind: SocketAddr,
    rpc: SocketAddr,
    program: PathBuf,
    process: Process,
}

impl SerfAgent {
    /// Starts an agent and waits until it answers commands.
    ///
    /// # Errors
    ///
    /// When the program is missing or ends at once, or does not answer in time.
    pub fn start(context: &Context, version: SerfVersion, options: &SerfOptions) -> Result<Self> {
        let program = context.peers().serf(version);
        let bind = options.bind.map_or_else(loopback_v4, Ok)?;
        let rpc = options.rpc.map_or_else(loopback_v4, Ok)?;
        let mut command = Command::new(&program);
        command.args(options.arguments(bind, rpc));
        let process = Process::spawn(&options.name, &mut command, context.log_dir())?;
        let agent = Self { name: options.name.clone(), bind, rpc, program, process };
        agent.wait_until_ready()?;
        Ok(agent)
    }

    /// Where the node listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.bind
    }

    /// Where the agent answers commands.
    #[must_use]
    pub fn rpc_addr(&self) -> SocketAddr {
        self.rpc
    }

    /// The agent's process: its signals, its end and its log.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// What the agent has logged so far.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn logs(&self) -> Result<String> {
        self.process.log()
    }

    /// All members that the agent knows, those failed and left included.
    ///
    /// # Errors
    ///
    /// When the agent does not answer.
    pub fn members(&self) -> Result<Vec<SerfMember>> {
        parse_members(&self.command("members", &["-format=json"])?)
    }

    /// Joins the cluster of the node at `address`.
    ///
    /// # Errors
    ///
    /// When the agent could not.
    pub fn join(&self, address: SocketAddr) -> Result<()> {
        self.command("join", &[&address.to_string()]).map(drop)
    }

    /// Sets one tag, and tells the cluster.
    ///
    /// # Errors
    ///
    /// When the agent refuses.
    pub fn set_tag(&self, key: &str, value: &str) -> Result<()> {
        self.command("tags", &["-set", &format!("{key}={value}")]).map(drop)
    }

    /// Leaves the cluster and waits until the agent has ended.
    ///
    /// # Errors
    ///
    /// When the agent could not leave or does not end.
    pub fn leave(&self) -> Result<()> {
        self.command("leave", &[])?;
        self.process.wait_for_exit(LEAVE_TIMEOUT).map(drop)
    }

    /// Kills the agent as a power cut would.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn kill(&self) -> Result<()> {
        self.process.kill()
    }

    /// Runs `serf VERB` against this agent and gives what it printed. The arguments are flags first, then the rest.
    ///
    /// # Errors
    ///
    /// When the command fails, or does not end within ten seconds.
    pub fn command(&self, verb: &str, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.arg(verb).arg(format!("-rpc-addr={}", self.rpc)).args(arguments);
        run_to_end(&mut command, COMMAND_TIMEOUT)
            .with_context(|| format!("serf {verb} on {}", self.name))
    }

    fn wait_until_ready(&self) -> Result<()> {
        wait_until(&format!("{} to answer", self.name), START_TIMEOUT, || {
            self.process.ensure_running()?;
            Ok(self
                .members()
                .map_or_else(|error| Attempt::NotYet(format!("{error:#}")), |_| Attempt::Done(())))
        })
    }
}

impl View for SerfAgent {
    fn name(&self) -> &str {
        &self.name
    }

    fn view(&self) -> Result<BTreeMap<String, MemberSeen>> {
        Ok(self.members()?.into_iter().map(|member| (member.name.clone(), member.seen())).collect())
    }
}

const START_TIMEOUT: Duration = Duration::from_secs(15);
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
const LEAVE_TIMEOUT: Duration = Duration::from_secs(15);

/// A member as a Serf agent tells it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SerfMember {
    /// The name.
    pub name: String,
    /// The address.
    pub addr: SocketAddr,
    /// The tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// `alive`, `leaving`, `left` or `failed`.
    #[serde(rename = "status", deserialize_with = "status")]
    pub state: MemberState,
    /// The versions of Serf's protocol.
    pub protocol: SerfProtocol,
}

impl SerfMember {
    fn seen(self) -> MemberSeen {
        MemberSeen { state: self.state, addr: self.addr, attributes: Attributes::Tags(self.tags) }
    }
}

/// The versions of Serf's own protocol that a member understands and speaks: memberlist's *delegate* versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct SerfProtocol {
    /// The lowest that it understands.
    pub min: u8,
    /// The highest that it understands.
    pub max: u8,
    /// The one that it speaks.
    pub version: u8,
}

#[derive(Deserialize)]
struct SerfMembers {
    /// Null when there are none.
    members: Option<Vec<SerfMember>>,
}

fn parse_members(json: &str) -> Result<Vec<SerfMember>> {
    let parsed: SerfMembers =
        serde_json::from_str(json).with_context(|| format!("reading the members in {json:?}"))?;
    Ok(parsed.members.unwrap_or_default())
}

fn status<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<MemberState, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.as_str() {
        "alive" => Ok(MemberState::Alive),
        "leaving" => Ok(MemberState::Leaving),
        "left" => Ok(MemberState::Left),
        "failed" => Ok(MemberState::Failed),
        _ => Err(serde::de::Error::custom(format!("{text:?} is no status of Serf"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_from_serfs_json() {
        let json = r#"{"members": [{"name": "a", "addr": "[::1]:7946", "port": 7946, "tags": {"role": "web"},
            "status": "failed", "protocol": {"max": 5, "min": 2, "version": 4}}]}"#;
        let members = parse_members(json).unwrap();
        assert_eq!(
            members,
            [SerfMember {
                name: "a".to_owned(),
                addr: "[::1]:7946".parse().unwrap(),
                tags: BTreeMap::from([("role".to_owned(), "web".to_owned())]),
                state: MemberState::Failed,
                protocol: SerfProtocol { min: 2, max: 5, version: 4 },
            }]
        );
    }

    #[test]
    fn an_unknown_status_is_an_error() {
        let json = r#"{"members": [{"name": "a", "addr": "1.2.3.4:1", "tags": {}, "status": "none",
            "protocol": {"max": 5, "min": 2, "version": 4}}]}"#;
        assert!(parse_members(json).is_err());
    }
}
