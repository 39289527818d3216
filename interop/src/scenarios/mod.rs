//! What is tested, one function each.

mod control;

use anyhow::Result;

use crate::context::Context;

/// One test against live peers.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// The name, by which it is selected.
    pub name: &'static str,
    /// What is shown when it passes.
    pub shows: &'static str,
    /// The test. It fails by an error.
    pub run: fn(&Context) -> Result<()>,
}

/// All scenarios, in the order in which they run. The control group comes first: when the real peers do not get along with each
/// other here, what follows says nothing about mingle.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "control-plain",
        shows: "serf 0.9.4, serf 0.10.1 and memberlist see each other, and that one is killed",
        run: control::plain,
    },
    Scenario {
        name: "control-key-32",
        shows: "the same in a cluster sealed with a 32-byte key",
        run: control::sealed,
    },
    Scenario {
        name: "control-wrong-key",
        shows: "a node with another key stays alone",
        run: control::wrong_key,
    },
    Scenario {
        name: "control-ipv6",
        shows: "the peers see each other on ::1, and messages pass under a label",
        run: control::ipv6_label,
    },
    Scenario {
        name: "control-leave",
        shows: "a serf agent that leaves is seen as left",
        run: control::leave,
    },
    Scenario {
        name: "control-bare-leave",
        shows: "a memberlist node that leaves without Serf's intent is seen by serf as failed",
        run: control::bare_leave,
    },
    Scenario {
        name: "control-pause",
        shows: "a frozen agent is seen as failed, and as alive when it goes on",
        run: control::pause,
    },
    Scenario {
        name: "control-tags",
        shows: "changed tags reach the others, as meta and as tags",
        run: control::tags,
    },
    Scenario {
        name: "control-memberlist",
        shows: "two memberlist nodes exchange messages, user state and ack payloads",
        run: control::memberlist_delegates,
    },
];
