//! mingle agents.

use std::collections::BTreeMap;
use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::json;

use super::metrics::Metrics;
use super::{Compression, DelegateVersions, Key, Process, Profile, loopback_v4};
use crate::context::Context;
use crate::hex;
use crate::poll::{Attempt, wait_until};
use crate::view::{Attributes, MemberSeen, MemberState, View};

/// How to start a mingle agent.
#[derive(Debug, Clone)]
pub struct MingleOptions {
    /// The name of the node, and of its log.
    pub name: String,
    /// Where the node listens; a free port of `127.0.0.1` when `None`.
    pub bind: Option<SocketAddr>,
    /// Where the agent answers HTTP; a free port of `127.0.0.1` when `None`.
    pub http: Option<SocketAddr>,
    /// The key of the cluster; no encryption when `None`.
    pub key: Option<Key>,
    /// The label of the cluster; none when empty.
    pub label: String,
    /// Whether packets and streams are compressed.
    pub compression: Compression,
    /// The versions of the application's protocol that the node announces: Serf's or none.
    pub delegate: DelegateVersions,
    /// What the node says about itself to those who understand Serf's spelling.
    pub tags: BTreeMap<String, String>,
    /// What the node says about itself in bytes, in place of tags.
    pub meta: Option<Vec<u8>>,
    /// The timing.
    pub profile: Profile,
    /// What stands in the place of `/etc/resolv.conf` for the agent, and for nobody else. Needs root.
    pub resolver: Option<PathBuf>,
    /// Nodes of which one must answer before the agent is ready.
    pub join: Vec<SocketAddr>,
    /// `trace`, `debug`, `info`, `warn` or `error`.
    pub log_level: String,
    /// Further flags of `mingle agent`, as they are.
    pub extra: Vec<String>,
}

impl MingleOptions {
    /// An agent that is alone, without key, label or tags, with local timing, that announces Serf's versions.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            bind: None,
            http: None,
            key: None,
            label: String::new(),
            compression: Compression::Off,
            delegate: DelegateVersions::SERF,
            tags: BTreeMap::new(),
            meta: None,
            profile: Profile::default(),
            resolver: None,
            join: Vec::new(),
            log_level: "info".to_owned(),
            extra: Vec::new(),
        }
    }

    fn arguments(&self, bind: SocketAddr, http: SocketAddr) -> Vec<String> {
        let delegate = if self.delegate == DelegateVersions::SERF { "serf" } else { "none" };
        let mut arguments = vec![
            "agent".to_owned(),
            "--json".to_owned(),
            format!("--name={}", self.name),
            format!("--bind={bind}"),
            format!("--http={http}"),
            format!("--profile={}", self.profile.flag()),
            format!("--log-level={}", self.log_level),
            format!("--delegate={delegate}"),
        ];
        arguments.extend(self.key.iter().map(|key| format!("--encrypt={}", key.to_base64())));
        arguments.extend((!self.label.is_empty()).then(|| format!("--label={}", self.label)));
        arguments.extend((self.compression == Compression::On).then(|| "--compress".to_owned()));
        arguments.extend(self.tags.iter().map(|(key, value)| format!("--tag={key}={value}")));
        arguments.extend(self.meta.iter().map(|meta| format!("--meta={}", hex::encode(meta))));
        arguments.extend(self.join.iter().map(|address| format!("--join={address}")));
        arguments.extend(self.extra.iter().cloned());
        arguments
    }
}

/// A running mingle agent.
#[derive(Debug)]
pub struct MingleAgent {
    name: String,
    bind: SocketAddr,
    http: SocketAddr,
    delegate: DelegateVersions,
    process: Process,
    client: ureq::Agent,
}

impl MingleAgent {
    /// Starts an agent and waits until it answers.
    ///
    /// # Errors
    ///
    /// When the program is missing or ends at once, or does not answer in time.
    pub fn start(context: &Context, options: &MingleOptions) -> Result<Self> {
        let bind = options.bind.map_or_else(loopback_v4, Ok)?;
        let http = options.http.map_or_else(loopback_v4, Ok)?;
        let program = mingle_program()?;
        let mut command = match &options.resolver {
            Some(resolver) => with_resolver(resolver, &program),
            None => Command::new(program),
        };
        command.args(options.arguments(bind, http));
        let process = Process::spawn(&options.name, &mut command, context.log_dir())?;
        let client = ureq::Agent::config_builder()
            .timeout_global(Some(REQUEST_TIMEOUT))
            .http_status_as_error(false)
            .build()
            .into();
        let (name, delegate) = (options.name.clone(), options.delegate);
        let agent = Self { name, bind, http, delegate, process, client };
        agent.wait_until_ready()?;
        Ok(agent)
    }

    /// Where the node listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.bind
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

    /// All members that the agent knows, those dead and left included.
    ///
    /// # Errors
    ///
    /// When the agent does not answer.
    pub fn members(&self) -> Result<Vec<MingleMember>> {
        self.get("/v1/members")
    }

    /// Exchanges views with the node at `address`.
    ///
    /// # Errors
    ///
    /// When the agent could not; the error has the agent's words.
    pub fn join(&self, address: SocketAddr) -> Result<()> {
        let body = json!({ "addresses": [address.to_string()] });
        let answer: JoinAnswer = self.post("/v1/join", &body)?;
        ensure!(answer.joined, "{} could not join: {:?}", self.name, answer.attempts);
        Ok(())
    }

    /// Leaves the cluster and waits until the agent has ended.
    ///
    /// # Errors
    ///
    /// When the agent could not leave or does not end.
    pub fn leave(&self) -> Result<()> {
        let answer: LeaveAnswer = self.post("/v1/leave", &json!({}))?;
        ensure!(answer.left, "{} could not leave: {:?}", self.name, answer.error);
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

    /// The agent's metrics as they are now.
    ///
    /// # Errors
    ///
    /// When the agent does not answer, or not in Prometheus' format.
    pub fn metrics(&self) -> Result<Metrics> {
        Metrics::parse(&self.text("/metrics")?)
    }

    /// The agent answers before it has joined, but says that it is ready only then.
    fn wait_until_ready(&self) -> Result<()> {
        wait_until(&format!("{} to be ready", self.name), START_TIMEOUT, || {
            self.process.ensure_running()?;
            Ok(if self.logs()?.contains(READY) {
                Attempt::Done(())
            } else {
                Attempt::NotYet("it has not said so".into())
            })
        })
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.read(path, &self.text(path)?)
    }

    fn text(&self, path: &str) -> Result<String> {
        let response = self.client.get(self.url(path)).call();
        self.body(path, response)
    }

    fn post<T: DeserializeOwned>(&self, path: &str, body: &serde_json::Value) -> Result<T> {
        let response = self.client.post(self.url(path)).send_json(body);
        self.read(path, &self.body(path, response)?)
    }

    fn read<T: DeserializeOwned>(&self, path: &str, text: &str) -> Result<T> {
        serde_json::from_str(text)
            .with_context(|| format!("reading {path} of {}: {text}", self.name))
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http)
    }

    fn body(
        &self,
        path: &str,
        response: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<String> {
        let asking = || format!("asking {} for {path}", self.name);
        let mut response = response.with_context(asking)?;
        let text = response.body_mut().read_to_string().with_context(asking)?;
        let status = response.status();
        ensure!(status.is_success(), "{} answers {path} with {status}: {text}", self.name);
        Ok(text)
    }
}

impl View for MingleAgent {
    fn name(&self) -> &str {
        &self.name
    }

    fn view(&self) -> Result<BTreeMap<String, MemberSeen>> {
        let seen = |member: MingleMember| (member.name.clone(), member.seen(self.delegate));
        Ok(self.members()?.into_iter().map(seen).collect())
    }

    /// With local timing it forgets them after 15 s, and others may take longer to see what it has seen.
    fn remembers_departed(&self) -> bool {
        false
    }
}

/// Runs a program that has a mount namespace of its own, with another file at `/etc/resolv.conf`.
fn with_resolver(resolver: &Path, program: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", r#"mount --bind "$0" /etc/resolv.conf && exec "$@""#]);
    command.arg(resolver).arg(program);
    command
}

/// How the line begins that says so.
const READY: &str = r#"{"event":"ready""#;
const START_TIMEOUT: Duration = Duration::from_secs(15);
const LEAVE_TIMEOUT: Duration = Duration::from_secs(15);

/// Longer than a join or a leave may take the agent.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// The program that the environment variable `MINGLE_AGENT` names, by default the one that this workspace compiles for release.
pub(crate) fn mingle_program() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let default = || here.parent().unwrap_or(here).join("target/release/mingle");
    let program = env::var_os("MINGLE_AGENT").map_or_else(default, PathBuf::from);
    ensure!(
        program.is_file(),
        "the mingle agent is missing: there is no {}. Run `cargo build --release -p mingle-agent` first, \
         or set MINGLE_AGENT to the program",
        program.display()
    );
    Ok(program)
}

#[derive(Deserialize)]
struct JoinAnswer {
    joined: bool,
    attempts: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct LeaveAnswer {
    left: bool,
    error: Option<String>,
}

/// A member as a mingle agent tells it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MingleMember {
    /// The name.
    pub name: String,
    /// The address.
    pub address: SocketAddr,
    /// `alive`, `suspect`, `dead` or `left`.
    #[serde(deserialize_with = "state")]
    pub state: MemberState,
    /// The tags; none for those who do not speak Serf's dialect.
    pub tags: BTreeMap<String, String>,
    /// The highest incarnation that was claimed of it.
    pub incarnation: u32,
}

impl MingleMember {
    /// The agent does not show the bytes of those who say nothing in Serf's spelling.
    fn seen(self, dialect: DelegateVersions) -> MemberSeen {
        let attributes = if dialect == DelegateVersions::SERF {
            Attributes::Tags(self.tags)
        } else {
            Attributes::NotShown
        };
        MemberSeen { state: self.state, addr: self.address, attributes }
    }
}

fn state<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MemberState, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.as_str() {
        "alive" => Ok(MemberState::Alive),
        "suspect" => Ok(MemberState::Suspect),
        "dead" => Ok(MemberState::Failed),
        "left" => Ok(MemberState::Left),
        _ => Err(serde::de::Error::custom(format!("{text:?} is no state of mingle"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_read_from_the_agents_json() {
        let json = r#"{"name": "a", "address": "[::1]:7946", "state": "dead", "tags": {"role": "web"},
            "incarnation": 7, "since": "2026-01-01T00:00:00Z", "rtt_ms": null}"#;
        let member: MingleMember = serde_json::from_str(json).unwrap();
        assert_eq!(member.state, MemberState::Failed);
        assert_eq!(member.seen(DelegateVersions::default()).attributes, Attributes::NotShown);
    }
}
