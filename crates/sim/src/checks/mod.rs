//! What must hold at every step, whatever happens.
//!
//! [`Checker`] is the list. Up to [`SMALL`] nodes every checker is at work, and a shadow of every view
//! is kept from events alone. In larger worlds only those are that cost the same at each step however
//! large the world is. In a crowd, where one node is real, those are left out that need to see what
//! everybody claims. The tallies say which ones were.

mod answers;
mod bounds;
mod corrections;
mod deadlines;
mod desk;
mod evidence;
mod exchanges;
mod fingerprints;
mod formulas;
mod gossip;
mod health;
mod heard;
mod incarnations;
mod inquiries;
mod lags;
mod links;
mod names;
mod order;
mod packets;
mod pings;
mod probing;
mod progress;
mod refutations;
mod requests;
mod resurrection;
mod shadows;
mod shown;
#[cfg(test)]
pub(crate) mod tests;
mod transmits;
mod verdicts;
mod views;

use std::net::SocketAddr;

use mingle_proto::{
    Change, Command, Config, Event, Evidence, ExchangeId, Input, Instant, Member, Node, RequestId,
};
use serde::Serialize;

pub use desk::Tally;

use crate::network::Traffic;
use crate::scenario::{Fault, Scenario};
use crate::watch::{Onlooker, Sent, Stop, Turn};
use desk::{Checker, Depth, Desk};
use exchanges::Exchanges;
use incarnations::Incarnations;
use progress::Progress;
use requests::Requests;
use shadows::Shadows;

/// Something that must hold and does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which checker found it.
    pub checker: &'static str,
    /// When, in nanoseconds of the world's time.
    pub at: u64,
    /// Which node.
    pub host: u32,
    /// What does not hold.
    pub what: String,
}

/// Most nodes of a world in which everything is checked: a shadow of each view of each member takes
/// about 32 bytes, and a step about as long as the node itself.
const SMALL: u32 = 300;

/// All checkers.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    desk: Desk,
    is_large: bool,
    config: Option<Config>,
    incarnations: Incarnations,
    progress: Progress,
    requests: Requests,
    exchanges: Exchanges,
    shadows: Shadows,
    /// Whether the input under way is a wake-up.
    is_woken: bool,
    packets: u64,
}

/// In large worlds one packet of so many is read.
const READ_ONE_OF: u64 = 64;

impl Checks {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let nodes = u64::from(scenario.nodes);
        let peers = scenario.crowd.map_or(0, |crowd| u64::from(crowd.peers));
        let is_large = nodes * (nodes + peers) > u64::from(SMALL).pow(2);
        let shadows = Shadows::new(scenario.crowd.is_some());
        Self { is_large, shadows, ..Self::default() }
    }

    /// What was found.
    pub(crate) fn findings(&self) -> &[Finding] {
        self.desk.findings()
    }

    pub(crate) fn has_findings(&self) -> bool {
        !self.desk.findings().is_empty()
    }

    /// How often each checker had something to check.
    pub(crate) fn tallies(&self, traffic: &Traffic) -> Vec<Tally> {
        let tally = |&checker: &Checker| {
            let checked = match checker {
                Checker::Corruption => traffic.packets_corrupted + traffic.streams_corrupted,
                _ => self.desk.checked(checker),
            };
            let skipped = match checker.depth() {
                Depth::Any => false,
                Depth::Small => self.is_large,
                Depth::Real => self.is_large || self.shadows.has_crowd(),
            };
            Tally { checker: checker.name(), checked, skipped }
        };
        Checker::ALL.iter().map(tally).collect()
    }

    fn told(
        &mut self,
        (host, shown): (u32, Instant),
        change: Change,
        member: &Member,
        evidence: &Evidence,
    ) {
        let Some(config) = &self.config else { return };
        evidence::told(&mut self.desk, config, change, member, evidence);
        if !self.is_large {
            self.shadows.told(&mut self.desk, config, (host, shown), change, member, evidence);
        }
    }
}

impl Onlooker for Checks {
    fn started(&mut self, now: Instant, host: u32, shown: Instant, node: &Node) {
        self.desk.at(now, host);
        self.config.get_or_insert_with(|| node.config().clone());
        self.incarnations.started(host, node);
        self.progress.started(host);
        if !self.is_large {
            self.shadows.started(host, shown, node);
        }
    }

    fn stopped(&mut self, now: Instant, host: u32, _how: Stop) {
        self.desk.at(now, host);
        self.requests.stopped(host);
        self.exchanges.stopped(host);
        self.shadows.stopped(host);
    }

    fn fault(&mut self, _now: Instant, fault: &Fault) {
        self.requests.fault(fault);
        if let Fault::Forge { .. } | Fault::Hostile { .. } = fault {
            self.shadows.expect_forgers();
        }
    }

    fn calm(&mut self, now: Instant) {
        self.requests.calm(now);
    }

    fn asked(&mut self, now: Instant, host: u32, request: RequestId, what: &Command<'_>) {
        self.desk.at(now, host);
        self.requests.asked(&self.desk, host, request, what);
    }

    fn before(&mut self, now: Instant, host: u32, input: &Input<'_>) {
        self.desk.at(now, host);
        self.is_woken = matches!(input, Input::Timeout);
        self.exchanges.before(host, input);
        if !self.is_large {
            self.shadows.before(host, input);
        }
    }

    fn sent(&mut self, now: Instant, packet: Sent<'_>) {
        self.desk.at(now, packet.host);
        packets::sent(&mut self.desk, &packet);
        self.packets += 1;
        if !self.is_large {
            self.shadows.sent(&mut self.desk, &packet);
        } else if self.packets.is_multiple_of(READ_ONE_OF) {
            packets::read(&mut self.desk, &packet);
        }
    }

    fn sent_message(&mut self, now: Instant, host: u32, _to: SocketAddr, body: &[u8]) {
        self.desk.at(now, host);
        if !self.is_large {
            let message = packets::sent_message(&mut self.desk, body);
            if let Some(message) = message {
                self.shadows.sent_message(&message, body);
            }
        }
    }

    fn exchange(&mut self, now: Instant, host: u32, exchange: ExchangeId, turn: Turn) {
        self.desk.at(now, host);
        self.exchanges.turn(&mut self.desk, host, exchange, turn);
        self.shadows.turn(turn);
    }

    fn event(&mut self, now: Instant, host: u32, shown: Instant, event: &Event) {
        self.desk.at(now, host);
        match event {
            Event::Member { change, member, evidence } => {
                self.told((host, shown), *change, member, evidence);
            }
            Event::Refuted { incarnation, evidence } => {
                evidence::refuted(&mut self.desk, *incarnation, evidence);
            }
            Event::Completed { request, .. } => {
                self.requests.completed(&mut self.desk, host, *request);
            }
            Event::Conflict { .. }
            | Event::Health { .. }
            | Event::UserMessage { .. }
            | Event::UserState { .. }
            | Event::Reconnect { .. }
            | Event::LinkDegraded { .. }
            | Event::LinkRestored { .. }
            | Event::Pong { .. } => {}
        }
        if !self.is_large {
            self.shadows.event(&mut self.desk, host, event);
        }
    }

    fn handled(&mut self, now: Instant, host: u32, shown: Instant, node: &Node) {
        self.desk.at(now, host);
        self.incarnations.handled(&mut self.desk, host, node);
        bounds::handled(&mut self.desk, node);
        self.requests.handled(&mut self.desk, host, node.config());
        Progress::handled(&mut self.desk, shown, node);
        if self.is_woken {
            self.progress.woken(&mut self.desk, host, shown, node);
        }
        self.exchanges.handled(&mut self.desk, host, node);
        if !self.is_large {
            self.shadows.handled(&mut self.desk, host, shown, node);
        }
    }

    fn corruption_accepted(&mut self, now: Instant, host: u32, to: SocketAddr) {
        self.desk.at(now, host);
        self.desk.check(Checker::Corruption, false, || {
            format!("what it sent to {to} was changed on its way and not refused")
        });
    }
}
