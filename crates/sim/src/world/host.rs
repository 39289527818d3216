use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use mingle_proto::{Activity, Instant, Node, RequestId};
use mingle_wire::Incarnation;

use super::clock::Clock;
use super::mail::Mail;

/// A machine with a process that runs a node, or ran one.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    /// The process; `None` when it is down.
    pub(crate) node: Option<Node>,
    /// How often it was started.
    pub(crate) life: u32,
    pub(crate) clock: Clock,
    /// How many seconds its wall clock is ahead of the world's.
    pub(crate) wall_ahead: i64,
    /// Whether the machine answers for a process that is down (a refused dial) or is down itself.
    pub(crate) refuses: bool,
    pub(crate) condition: Condition,
    pub(crate) meta: Vec<u8>,
    /// What the process wrote down of itself.
    pub(crate) saved: Incarnation,
    /// Whom it joins, one after another, until one of them answers.
    pub(super) seeds: Vec<u32>,
    /// Where among them it is.
    pub(super) turn: usize,
    /// The join under way.
    pub(super) joining: Option<RequestId>,
    pub(super) joined: bool,
    /// What has arrived and not been looked at.
    pub(super) inbox: VecDeque<Mail>,
    pub(super) inbox_bytes: usize,
    /// When it is through with what it works on.
    pub(super) busy_until: Instant,
    /// The earliest wake-up under way.
    pub(super) wake: Option<Instant>,
    /// What it wants to send and can't.
    pub(super) outbox: VecDeque<super::Sending>,
    /// What of it is stuck, while it stalls.
    pub(super) stuck: Vec<Activity>,
    pub(super) next_theirs: u64,
    pub(super) next_request: u64,
}

/// How well a process runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Condition {
    /// It does not run at all; its sockets go on taking in.
    pub(crate) frozen: bool,
    /// It neither sends nor receives, and its timers run.
    pub(crate) blocked: bool,
    /// Each of its threads gets stuck when it is about to send, or has just received; those that wait for
    /// suspicions to run out send nothing, and go on.
    pub(crate) stalled: bool,
    /// Its timers fire that much late.
    pub(crate) late: Duration,
    /// Each packet and stream message takes it that long.
    pub(crate) cost: Duration,
}

impl Condition {
    /// Whether nothing gets in or out.
    pub(super) fn is_mute(self) -> bool {
        self.blocked || self.stalled
    }
}

/// A socket's buffer, as Linux has it by default.
pub(super) const SOCKET_BUFFER: usize = 212_992;

impl Host {
    pub(super) fn new(name: String, address: SocketAddr) -> Self {
        Self {
            name,
            address,
            node: None,
            life: 0,
            clock: Clock::new(),
            wall_ahead: 0,
            refuses: true,
            condition: Condition::default(),
            meta: Vec::new(),
            saved: Incarnation::FIRST,
            seeds: Vec::new(),
            turn: 0,
            joining: None,
            joined: false,
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            busy_until: Instant::ORIGIN,
            wake: None,
            outbox: VecDeque::new(),
            stuck: Vec::new(),
            next_theirs: 0,
            next_request: 0,
        }
    }

    /// Whether the process runs.
    pub(crate) fn is_up(&self) -> bool {
        self.node.is_some()
    }

    /// When it next does something by itself.
    pub(super) fn due(&self) -> Option<Instant> {
        let node = self.node.as_ref()?;
        let due = if self.condition.stalled {
            let free = Activity::ALL.iter().filter(|activity| !self.stuck.contains(activity));
            free.filter_map(|&activity| node.poll_timeout_of(activity)).min()
        } else {
            node.poll_timeout()
        };
        due.map(|due| self.clock.when(due + self.condition.late))
    }

    /// Whether it takes in at once what arrives.
    pub(super) fn attends(&self, now: Instant) -> bool {
        !self.condition.frozen
            && !self.condition.is_mute()
            && self.condition.cost.is_zero()
            && self.busy_until <= now
    }
}
