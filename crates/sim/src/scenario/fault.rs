use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::network::Disturbance;
use crate::network::Carrier;
use crate::nodes::Nodes;
use crate::units::{duration, optional_duration};

/// Something that happens at a time, and perhaps ends after a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timed {
    /// When, from the beginning.
    #[serde(with = "duration")]
    pub at: Duration,
    /// How long it lasts; without it, until the faults end, or for good where nothing undoes it.
    #[serde(
        default,
        rename = "for",
        with = "optional_duration",
        skip_serializing_if = "Option::is_none"
    )]
    pub lasts: Option<Duration>,
    /// After how long it begins again, and again, until the faults end; without it, it happens once.
    #[serde(default, with = "optional_duration", skip_serializing_if = "Option::is_none")]
    pub again: Option<Duration>,
    /// What.
    #[serde(flatten)]
    pub fault: Fault,
}

/// What can happen to nodes and to what is between them. Work that nodes are given counts too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Fault {
    /// Processes start that are down. They join the first node that is up, until that succeeds.
    Start {
        /// Which.
        nodes: Nodes,
        /// Whom they join, instead.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        with: Option<Nodes>,
    },
    /// Processes end without a word. After `for` they start again.
    Crash {
        /// Which.
        nodes: Nodes,
        /// Whether their machines go with them, so that not even streams are refused.
        #[serde(default)]
        machine: bool,
        /// Where they are when they start again.
        #[serde(default)]
        address: Address,
        /// What they still know then.
        #[serde(default)]
        memory: Memory,
    },
    /// Processes say goodbye and end. After `for` they start again.
    Leave {
        /// Which.
        nodes: Nodes,
        /// Where they are when they start again.
        #[serde(default)]
        address: Address,
        /// What they still know then.
        #[serde(default)]
        memory: Memory,
    },
    /// One after the other, nodes crash and start again.
    RollingRestart {
        /// Which.
        nodes: Nodes,
        /// How long until the next one.
        #[serde(with = "duration")]
        every: Duration,
        /// How long each is down.
        #[serde(with = "duration")]
        down: Duration,
        /// Where they are then.
        #[serde(default)]
        address: Address,
        /// What they still know.
        #[serde(default)]
        memory: Memory,
        /// Whether they say goodbye first.
        #[serde(default)]
        goodbye: bool,
    },
    /// So many of a hundred nodes crash in each minute, at random times, and start again.
    Churn {
        /// Which nodes take part.
        nodes: Nodes,
        /// How many of a hundred.
        percent_per_minute: f64,
        /// How long each is down.
        #[serde(with = "duration")]
        down: Duration,
        /// Where they are then.
        #[serde(default)]
        address: Address,
        /// What they still know.
        #[serde(default)]
        memory: Memory,
    },
    /// Processes do not run, while packets wait for them; then they go on.
    Pause {
        /// Which.
        nodes: Nodes,
    },
    /// Processes can neither send nor receive, while their timers run.
    Block {
        /// Which.
        nodes: Nodes,
    },
    /// Processes are slow.
    Slow {
        /// Which.
        nodes: Nodes,
        /// How late their timers fire.
        #[serde(default, with = "duration")]
        timers: Duration,
        /// How long a packet or message takes them.
        #[serde(default, with = "duration")]
        per_packet: Duration,
    },
    /// Clocks run too fast, or too slow when negative, by so many millionths.
    Drift {
        /// Whose.
        nodes: Nodes,
        /// How many millionths.
        millionths: i32,
    },
    /// Clocks leap ahead at once.
    Leap {
        /// Whose.
        nodes: Nodes,
        /// How far.
        #[serde(with = "duration")]
        by: Duration,
    },
    /// Wall clocks are set to another time, which nothing that nodes do depends on but the first
    /// incarnation of a process that has forgotten its last one.
    WallClock {
        /// Whose.
        nodes: Nodes,
        /// By how many seconds.
        seconds: i64,
    },
    /// Nothing gets from any side to another one.
    Partition {
        /// Who is on which side; nodes on no side see everybody.
        sides: Vec<Nodes>,
        /// What does not get through.
        #[serde(default)]
        carrier: Carrier,
    },
    /// Something stands between nodes, in one direction.
    Link {
        /// From whom.
        #[serde(default = "all")]
        from: Nodes,
        /// To whom.
        #[serde(default = "all")]
        to: Nodes,
        /// What it concerns.
        #[serde(default)]
        carrier: Carrier,
        /// Whether the other direction has it too.
        #[serde(default)]
        both_ways: bool,
        /// What it does.
        #[serde(flatten)]
        disturbance: Disturbance,
    },
    /// Nodes join somebody, as a command.
    Join {
        /// Which.
        nodes: Nodes,
        /// Whom.
        with: Nodes,
    },
    /// Nodes are told other seeds, in place of those that they had. By the rules of memberlist that
    /// means something only to those who have not joined yet.
    Seeds {
        /// Which.
        nodes: Nodes,
        /// Where the others are that they look for from now on.
        seeds: Nodes,
    },
    /// Nodes state other meta bytes.
    Meta {
        /// Which.
        nodes: Nodes,
        /// How many bytes.
        bytes: u32,
    },
    /// Nodes send a user message to each of some others, best effort or on a stream.
    Send {
        /// Which.
        nodes: Nodes,
        /// To whom.
        to: Nodes,
        /// How many bytes.
        bytes: u32,
        /// Whether on a stream.
        #[serde(default)]
        stream: bool,
    },
    /// Somebody who has the key claims what is not so, in packets to some nodes.
    Forge {
        /// Who receives it.
        to: Nodes,
        /// What is claimed.
        claim: Claim,
        /// About whom.
        about: u32,
        /// Added to the incarnation that the subject is at.
        #[serde(default)]
        ahead: u32,
    },
    /// Somebody sends datagrams that no honest node sends.
    Hostile {
        /// Who receives it.
        to: Nodes,
        /// What is sent.
        packet: Hostile,
    },
}

/// Where a process is when it starts again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Address {
    /// Where it was.
    #[default]
    Same,
    /// Where nobody has been.
    New,
}

/// What a process still knows when it starts again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Memory {
    /// Its last incarnation.
    #[default]
    Kept,
    /// Nothing: it begins at the incarnation that its wall clock gives, and by the rules of memberlist
    /// at the first one.
    Lost,
}

/// A claim that is not so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// It says goodbye, although it does not.
    Left,
    /// It is dead.
    Dead,
    /// It is suspect.
    Suspect,
    /// It is alive, at an address where nobody is.
    Moved,
}

/// A datagram that no honest node sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hostile {
    /// Bytes without sense.
    Garbage,
    /// A compound that claims more and longer parts than it has.
    HugeCount,
    /// One that grows ten thousandfold when it is decompressed.
    Bomb,
    /// A claim at the highest incarnation that can be written.
    FarFuture,
}

fn all() -> Nodes {
    Nodes::All
}
