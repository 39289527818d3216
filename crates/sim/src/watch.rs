//! Who looks on while a world goes on.

use std::net::SocketAddr;

use mingle_proto::{Command, Event, Input, Instant, Node, RequestId};

use crate::scenario::{Fault, Scenario};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Its machine goes on, and refuses streams.
    ProcessCrashed,
    /// Its machine went with it, and is silent.
    MachineCrashed,
    /// It said goodbye.
    Left,
}

/// A packet that a node has written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent<'a> {
    pub(crate) host: u32,
    pub(crate) to: SocketAddr,
    pub(crate) room: usize,
    pub(crate) body: &'a [u8],
}

/// Those who look on.
#[derive(Debug, Default)]
pub(crate) struct Watch {}

#[expect(unused_variables, clippy::unused_self, reason = "nobody looks on yet")]
impl Watch {
    /// Those who look on at this scenario.
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self::default()
    }

    /// A fault begins.
    pub(crate) fn fault(&mut self, now: Instant, fault: &Fault) {}

    /// A process is about to say goodbye.
    pub(crate) fn leaves(&mut self, now: Instant, host: u32) {}

    /// All faults have ended.
    pub(crate) fn calm(&mut self, now: Instant) {}

    /// A process runs from now on.
    pub(crate) fn started(&mut self, now: Instant, host: u32, node: &Node) {}

    /// It does not run any more.
    pub(crate) fn stopped(&mut self, now: Instant, host: u32, how: Stop) {}

    /// Somebody wants something of a node.
    pub(crate) fn asked(
        &mut self,
        now: Instant,
        host: u32,
        request: RequestId,
        what: &Command<'_>,
    ) {
    }

    /// A node is about to take something in.
    pub(crate) fn before(&mut self, now: Instant, host: u32, input: &Input<'_>) {}

    /// A node has written a packet.
    pub(crate) fn sent(&mut self, now: Instant, packet: Sent<'_>) {}

    /// A node has written a message for a stream.
    pub(crate) fn sent_message(&mut self, now: Instant, host: u32, to: SocketAddr, body: &[u8]) {}

    /// A node tells something. `shown` is what its clock shows.
    pub(crate) fn event(&mut self, now: Instant, host: u32, shown: Instant, event: &Event) {}

    /// A node has taken something in and put everything out.
    pub(crate) fn handled(&mut self, now: Instant, host: u32, shown: Instant, node: &Node) {}

    /// Something was changed on its way and not refused.
    pub(crate) fn corruption_accepted(&mut self, now: Instant, host: u32, to: SocketAddr) {}

    /// Whether what was seen is reason enough to go no further.
    pub(crate) fn wants_to_stop(&self) -> bool {
        false
    }
}
