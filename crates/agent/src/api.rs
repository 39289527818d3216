//! What goes over HTTP, for both sides of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::output::printable;

/// Most addresses in one request to join.
pub(crate) const MAX_JOIN: usize = 64;

/// One member, as `GET /v1/members` gives it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct MemberView {
    pub(crate) name: String,
    #[schema(value_type = String)]
    pub(crate) address: SocketAddr,
    pub(crate) state: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) incarnation: u32,
    /// RFC 3339, by the agent's clock.
    pub(crate) since: String,
    /// Of the last direct ping that was answered.
    pub(crate) rtt_ms: Option<f64>,
    /// Nothing while it answers to direct packets, and of older agents.
    pub(crate) degraded: Option<DegradedView>,
}

/// A link on which packets get lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct DegradedView {
    /// How the member is heard: `streams_only` or `helpers_only`.
    pub(crate) kind: String,
    /// RFC 3339, by the agent's clock.
    pub(crate) since: String,
}

impl From<&LinkView> for DegradedView {
    fn from(link: &LinkView) -> Self {
        Self { kind: link.kind.clone(), since: link.since.clone() }
    }
}

/// The agent itself, as `GET /v1/self` gives it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct SelfView {
    pub(crate) name: String,
    /// What others use.
    #[schema(value_type = String)]
    pub(crate) address: SocketAddr,
    /// Of the program.
    pub(crate) version: String,
    pub(crate) state: String,
    pub(crate) incarnation: u32,
    pub(crate) tags: BTreeMap<String, String>,
    /// The health score; 0 is healthy.
    pub(crate) health: u64,
    pub(crate) members: MemberCounts,
    /// Of older agents nothing is known.
    #[serde(default)]
    pub(crate) missing: MissingView,
    pub(crate) view: ViewSummary,
    pub(crate) encrypted: bool,
    pub(crate) label: Option<String>,
    pub(crate) profile: String,
    pub(crate) listening: Listening,
    /// Nothing for an agent without one.
    pub(crate) state_file: Option<StateFileView>,
    pub(crate) uptime_seconds: u64,
    /// What an operator should change.
    pub(crate) warnings: Vec<String>,
}

/// The file in which the agent keeps its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct StateFileView {
    pub(crate) path: String,
    pub(crate) bytes: u64,
    /// Since it was last written.
    pub(crate) age_seconds: u64,
    /// Why it could not be written since.
    pub(crate) error: Option<String>,
}

/// How many members are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct MemberCounts {
    pub(crate) alive: u64,
    pub(crate) suspect: u64,
    pub(crate) dead: u64,
    pub(crate) left: u64,
}

/// The view in two numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ViewSummary {
    /// How often it has changed.
    pub(crate) version: u64,
    /// 16 hexadecimal digits; equal on agents that see the same live members saying the same.
    pub(crate) fingerprint: String,
    /// How many of `told` see the same as this agent.
    #[serde(default)]
    pub(crate) agreeing: u64,
    /// How many live members have told what they see; only mingle nodes do.
    #[serde(default)]
    pub(crate) told: u64,
}

/// How many are missing from the cluster, as far as the agent knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct MissingView {
    /// Members that failed and did not leave.
    pub(crate) failed: u64,
    /// Addresses of `--join` and `--retry-join` at which no live member is.
    pub(crate) seeds: u64,
    /// Addresses of members of before a restart at which nobody has answered yet.
    pub(crate) remembered: u64,
}

/// Where the agent listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Listening {
    /// UDP and TCP.
    #[schema(value_type = String)]
    pub(crate) gossip: SocketAddr,
    /// `ip:port`, or `unix:` and a path.
    pub(crate) http: String,
    /// Whether it is by TLS. Older agents had none.
    #[serde(default)]
    pub(crate) tls: bool,
}

/// What `POST /v1/join` takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JoinRequest {
    #[schema(min_items = 1, max_items = 64)]
    pub(crate) addresses: Vec<String>,
}

/// What `POST /v1/join` gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct JoinAnswer {
    /// Whether at least one address answered.
    pub(crate) joined: bool,
    pub(crate) attempts: Vec<Attempt>,
}

/// What happened at one address. It has `members` or `error`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Attempt {
    /// The text in the request.
    pub(crate) given: String,
    /// What it stands for; nothing when it was not resolved.
    #[schema(value_type = Option<String>)]
    pub(crate) address: Option<SocketAddr>,
    /// How many live members the view there had.
    pub(crate) members: Option<u32>,
    pub(crate) error: Option<String>,
}

/// What `POST /v1/tags` takes. What is deleted and set is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TagsRequest {
    #[serde(default)]
    pub(crate) set: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) delete: Vec<String>,
}

/// What `POST /v1/tags` gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct TagsAnswer {
    /// All tags of the agent from now on.
    pub(crate) tags: BTreeMap<String, String>,
}

/// What a request takes that has no parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// What `POST /v1/force-leave` takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForceLeaveRequest {
    pub(crate) name: String,
}

/// What `POST /v1/force-leave` gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ForceLeaveAnswer {
    pub(crate) name: String,
    /// What it is from now on.
    pub(crate) state: String,
}

/// What `POST /v1/keys` takes: one of three. A key is base64, or of one that is installed its fingerprint.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum KeysRequest {
    Install(String),
    Use(String),
    Remove(String),
}

/// Without the key.
impl std::fmt::Debug for KeysRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Install(_) => "Install",
            Self::Use(_) => "Use",
            Self::Remove(_) => "Remove",
        })
    }
}

/// The keys of the agent, as `GET /v1/keys` and `POST /v1/keys` give them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct KeysView {
    /// The one that encrypts first.
    pub(crate) keys: Vec<KeyView>,
    /// Where changes are written.
    pub(crate) file: Option<String>,
    /// Messages that were encrypted with the first key since it came into use.
    pub(crate) sealed: u64,
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct KeyView {
    /// Eight hexadecimal digits that do not help to find the key.
    pub(crate) fingerprint: String,
    /// 128, 192 or 256.
    pub(crate) bits: usize,
}

/// What `POST /v1/reload` gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ReloadAnswer {
    /// What differs from what the agent went by.
    pub(crate) changes: Vec<SettingChange>,
}

/// A setting that has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct SettingChange {
    pub(crate) setting: String,
    pub(crate) from: String,
    pub(crate) to: String,
    /// Whether it is in force; if not, it will be after a restart.
    pub(crate) applied: bool,
}

/// One number, as `GET /v1/stats` gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct StatView {
    pub(crate) name: String,
    /// Of those that are counted by reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// `counter` or `gauge`.
    pub(crate) kind: String,
    pub(crate) value: u64,
    pub(crate) help: String,
}

/// What `POST /v1/leave` gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct LeaveAnswer {
    /// Whether the goodbye was confirmed, or nobody else was there.
    pub(crate) left: bool,
    /// The members that confirmed it.
    pub(crate) confirmed: Vec<String>,
    pub(crate) error: Option<String>,
}

/// What `GET /v1/members/{name}/why` gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct WhyView {
    pub(crate) name: String,
    /// Whether the name is the agent's own.
    pub(crate) itself: bool,
    /// RFC 3339, by the agent's clock, as all times here.
    pub(crate) now: String,
    /// Nothing for a member that was forgotten.
    pub(crate) member: Option<MemberView>,
    /// For how long it has been in its state.
    pub(crate) state_seconds: Option<u64>,
    /// The oldest first.
    pub(crate) timeline: Vec<DecisionView>,
    /// What happened to the agent itself at that time.
    pub(crate) ourselves: Vec<DecisionView>,
    /// Sentences that follow from the evidence, for people.
    pub(crate) hints: Vec<String>,
    pub(crate) dropped: Option<DroppedView>,
}

/// What `GET /v1/recorder` gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct RecorderView {
    pub(crate) now: String,
    /// The oldest first.
    pub(crate) decisions: Vec<DecisionView>,
    pub(crate) dropped: Option<DroppedView>,
}

/// Decisions that are not recorded any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct DroppedView {
    pub(crate) count: u64,
    /// When the last of them was made.
    pub(crate) until: String,
}

/// One decision. It has the field that is named after its `kind`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct DecisionView {
    /// Of what was repeated, the last time.
    pub(crate) at: String,
    pub(crate) first: String,
    pub(crate) times: u64,
    pub(crate) kind: String,
    /// One sentence, for people; names in it are quoted and escaped.
    pub(crate) text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) member: Option<ChangeView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) conflict: Option<ConflictView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refuted: Option<RefutedView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) health: Option<HealthView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) late_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reconnect: Option<ReconnectView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) link_degraded: Option<LinkView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) link_restored: Option<LinkView>,
}

impl DecisionView {
    /// What it says, with whom it is about in front; as it may stand in a terminal.
    pub(crate) fn sentence(&self) -> String {
        let links = self.link_degraded.as_ref().or(self.link_restored.as_ref());
        let name = (self.member.as_ref().map(|member| &member.name))
            .or(self.conflict.as_ref().map(|conflict| &conflict.name))
            .or(links.map(|link| &link.name));
        match name {
            Some(name) => printable(&format!("{name:?} {}", self.text)),
            None => printable(&self.text),
        }
    }
}

/// A change of what is believed of a member: as it is after it, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ChangeView {
    pub(crate) name: String,
    pub(crate) change: String,
    pub(crate) state: String,
    pub(crate) incarnation: u32,
    #[schema(value_type = String)]
    pub(crate) address: SocketAddr,
    pub(crate) evidence: EvidenceView,
}

/// Two nodes of one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ConflictView {
    pub(crate) name: String,
    #[schema(value_type = String)]
    pub(crate) held: SocketAddr,
    #[schema(value_type = String)]
    pub(crate) claimed: SocketAddr,
}

/// Something untrue about the agent, and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct RefutedView {
    /// Of the agent, from then on.
    pub(crate) incarnation: u32,
    pub(crate) evidence: EvidenceView,
}

/// A change of the agent's health score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct HealthView {
    pub(crate) before: u32,
    pub(crate) score: u32,
}

/// An attempt to reach somebody who is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ReconnectView {
    #[schema(value_type = String)]
    pub(crate) to: SocketAddr,
    /// `seed`, `remembered` or `failed`.
    pub(crate) sought: String,
    /// Nothing when somebody answered.
    pub(crate) error: Option<String>,
}

/// How a member was heard on a link on which packets got lost, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct LinkView {
    pub(crate) name: String,
    /// `streams_only` or `helpers_only`.
    pub(crate) kind: String,
    pub(crate) since: String,
}

/// Why a belief changed. What only some causes have is left out with the others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct EvidenceView {
    pub(crate) cause: String,
    /// That the claim was about.
    pub(crate) incarnation: u32,
    /// Nothing for a member that was unknown.
    pub(crate) before: Option<String>,
    /// `own`, `packet` or `stream`.
    pub(crate) via: String,
    #[schema(value_type = Option<String>)]
    pub(crate) peer: Option<SocketAddr>,
    /// How long before it had last answered the agent; nothing if it never did.
    pub(crate) last_ack_ms: Option<f64>,
    /// How late the agent's own timers ran at the worst.
    pub(crate) lag_ms: f64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) accusers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) declared_by: Option<String>,
    /// How long the suspicion ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ran_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) probe: Option<ProbeView>,
    /// The state in a peer's view.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) heard: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) superseded_at: Option<SocketAddr>,
}

/// What a failed probe tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ProbeView {
    pub(crate) waited_ms: f64,
    pub(crate) helpers: u32,
    /// How many of them can say that it did not answer them either.
    pub(crate) nacks_expected: u32,
    pub(crate) nacks: u32,
    /// `not_tried`, `silent`, `failed` or `answered`.
    pub(crate) stream: String,
    /// The agent's health score when the probe began.
    pub(crate) health: u32,
}

/// The first event of `GET /v1/watch`, and the one after a gap: everything that is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct SnapshotEvent {
    /// How often the view had changed.
    pub(crate) version: u64,
    /// RFC 3339, by the agent's clock.
    pub(crate) now: String,
    /// In the order of their names.
    pub(crate) members: Vec<MemberView>,
}

/// One change of one member; those that are reaped are forgotten.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ChangeEvent {
    /// One above that of the event before it that has one.
    pub(crate) version: u64,
    /// After the change.
    pub(crate) member: MemberView,
    /// With its evidence.
    pub(crate) decision: DecisionView,
}

/// Events went by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct GapEvent {
    /// How many.
    pub(crate) missed: u64,
}

/// A line of the agent's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct LogLine {
    /// RFC 3339, by the agent's clock.
    pub(crate) at: String,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub(crate) level: String,
    /// Which part of the agent says it.
    pub(crate) target: String,
    pub(crate) message: String,
    /// What stands beside it, by name.
    pub(crate) fields: serde_json::Map<String, serde_json::Value>,
}

/// How the agent is, once a second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct StatusEvent {
    /// RFC 3339, by the agent's clock.
    pub(crate) at: String,
    /// The health score; 0 is healthy.
    pub(crate) health: u64,
    pub(crate) members: MemberCounts,
    pub(crate) view: ViewSummary,
    pub(crate) missing: MissingView,
    /// Live members that answer, and not to direct packets.
    pub(crate) degraded: u64,
    /// Claims that wait to be gossiped.
    pub(crate) queued: u64,
    /// How late the last deadline fired.
    pub(crate) lag_ms: f64,
    pub(crate) traffic: TrafficView,
    /// What an operator should change.
    pub(crate) warnings: Vec<String>,
}

/// What went over the network since the agent started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct TrafficView {
    pub(crate) datagrams_in: u64,
    pub(crate) datagrams_out: u64,
    pub(crate) datagram_bytes_in: u64,
    pub(crate) datagram_bytes_out: u64,
    pub(crate) stream_bytes_in: u64,
    pub(crate) stream_bytes_out: u64,
}

/// An error, after RFC 9457.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) title: String,
    pub(crate) status: u16,
    /// One sentence with the remedy.
    pub(crate) detail: String,
}
