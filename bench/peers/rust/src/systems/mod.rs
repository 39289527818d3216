//! The systems that are compared, one file each.

pub(crate) mod chitchat;
pub(crate) mod foca;
pub(crate) mod memberlist;
pub(crate) mod mingle;
pub(crate) mod raw;

use std::fmt::Debug;
use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::board::{Board, Key};
use crate::place::Place;

/// One node of a system. It tells the board what its users are told.
pub(crate) trait System: Debug + Sized + Send + Sync + 'static {
    /// What the system is.
    fn about() -> About;

    /// Binds a node's sockets and starts it, alone, in a crowd that will have so many nodes.
    fn start(
        place: Place,
        nodes: usize,
        constants: Constants,
        board: Arc<Board>,
    ) -> impl Future<Output = Result<Self>> + Send;

    /// Joins by node 0.
    fn join(&self) -> impl Future<Output = Result<()>> + Send;

    /// Ends the node at once, without a goodbye; when it returns the sockets are closed.
    fn kill(&self) -> impl Future<Output = ()> + Send;

    /// Sends a message to all; it begins with its key.
    fn broadcast(&self, key: Key, payload: Vec<u8>) -> impl Future<Output = Result<()>> + Send;

    /// Sends a message to node 1.
    fn send(&self, mode: Mode, payload: &Bytes) -> impl Future<Output = Result<()>> + Send;
}

/// Which constants nodes run with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Constants {
    /// The system's own for a local network.
    Lan,
    /// The equal ones of `bench/peers/README.md`, as far as the system has them.
    Equal,
}

/// How a message between two nodes goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    BestEffort,
    Reliable,
}

/// What a command needs of a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ability {
    Membership,
    Broadcasts,
    /// Best-effort messages between two nodes.
    Packets,
    /// Reliable messages between two nodes.
    Streams,
}

/// What a system is.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub(crate) system: &'static str,
    pub(crate) version: &'static str,
    /// Its constants in its own words, by LAN defaults and equal ones.
    pub(crate) settings: Value,
    /// What it can't do, and why.
    pub(crate) lacks: &'static [(Ability, &'static str)],
}

impl About {
    /// Why it can't do this; `None` if it can.
    pub(crate) fn lacks(&self, ability: Ability) -> Option<&'static str> {
        self.lacks.iter().find(|(lacking, _)| *lacking == ability).map(|(_, why)| *why)
    }

    /// As the driver reads it.
    pub(crate) fn spelled(&self) -> Value {
        let Self { system, version, settings, lacks: _ } = self;
        json!({ "system": system, "version": version, "settings": settings })
    }
}

/// The equal constants of `bench/peers/README.md`.
mod equal {
    use std::time::Duration;

    pub(super) const PROBE_INTERVAL: Duration = Duration::from_secs(1);
    pub(super) const PROBE_TIMEOUT: Duration = Duration::from_millis(500);
    pub(super) const GOSSIP_INTERVAL: Duration = Duration::from_millis(200);
    pub(super) const GOSSIP_NODES: u8 = 3;
    pub(super) const HELPERS: u8 = 3;
    pub(super) const PACKET_SIZE: u16 = 1400;
    pub(super) const SUSPICION_MULT: u8 = 4;
    pub(super) const SUSPICION_MAX_MULT: u8 = 6;
    pub(super) const RETRANSMIT_MULT: u8 = 4;
    pub(super) const PUSH_PULL_INTERVAL: Duration = Duration::from_secs(30);
}
