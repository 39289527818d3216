//! What goes over HTTP, for both sides of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Most addresses in one request to join.
pub(crate) const MAX_JOIN: usize = 64;

/// One member, as `GET /v1/members` gives it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MemberView {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) state: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) incarnation: u32,
    /// RFC 3339, by the agent's clock.
    pub(crate) since: String,
    /// Of the last direct ping that was answered.
    pub(crate) rtt_ms: Option<f64>,
}

/// The agent itself, as `GET /v1/self` gives it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SelfView {
    pub(crate) name: String,
    /// What others use.
    pub(crate) address: SocketAddr,
    /// Of the program.
    pub(crate) version: String,
    pub(crate) state: String,
    pub(crate) incarnation: u32,
    pub(crate) tags: BTreeMap<String, String>,
    /// The health score; 0 is healthy.
    pub(crate) health: u64,
    pub(crate) members: MemberCounts,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StateFileView {
    pub(crate) path: String,
    pub(crate) bytes: u64,
    /// Since it was last written.
    pub(crate) age_seconds: u64,
    /// Why it could not be written since.
    pub(crate) error: Option<String>,
}

/// How many members are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MemberCounts {
    pub(crate) alive: u64,
    pub(crate) suspect: u64,
    pub(crate) dead: u64,
    pub(crate) left: u64,
}

/// The view in two numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ViewSummary {
    /// How often it has changed.
    pub(crate) version: u64,
    /// 16 hexadecimal digits; equal on agents that see the same live members saying the same.
    pub(crate) fingerprint: String,
}

/// Where the agent listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listening {
    /// UDP and TCP.
    pub(crate) gossip: SocketAddr,
    pub(crate) http: SocketAddr,
}

/// What `POST /v1/join` takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JoinRequest {
    pub(crate) addresses: Vec<String>,
}

/// What `POST /v1/join` gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JoinAnswer {
    /// Whether at least one address answered.
    pub(crate) joined: bool,
    pub(crate) attempts: Vec<Attempt>,
}

/// What happened at one address. It has `members` or `error`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    /// The text in the request.
    pub(crate) given: String,
    /// What it stands for; nothing when it was not resolved.
    pub(crate) address: Option<SocketAddr>,
    /// How many live members the view there had.
    pub(crate) members: Option<u32>,
    pub(crate) error: Option<String>,
}

/// What `POST /v1/leave` gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeaveAnswer {
    /// Whether the goodbye was confirmed, or nobody else was there.
    pub(crate) left: bool,
    /// The members that confirmed it.
    pub(crate) confirmed: Vec<String>,
    pub(crate) error: Option<String>,
}

/// An error, after RFC 9457.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) title: String,
    pub(crate) status: u16,
    /// One sentence with the remedy.
    pub(crate) detail: String,
}
