//! Who looks on while a world goes on: checkers, measures, and a tape for transcripts.

use std::net::SocketAddr;

use mingle_proto::{Command, Event, ExchangeId, Input, Instant, Node, RequestId};

use crate::checks::Checks;
use crate::experiments::Ledger;
use crate::measure::Measures;
use crate::scenario::{Fault, Scenario};
use crate::tape::Tape;

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
    /// Whether the node is under load once it has written this.
    pub(crate) is_busy: bool,
    pub(crate) body: &'a [u8],
}

/// What a node does with an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It dials, and says the first message.
    Dial,
    /// It answers.
    Reply,
    /// It says no more.
    Close,
}

/// What an onlooker is told. `now` is the world's time, `shown` what the host's own clock shows.
#[expect(unused_variables, reason = "an onlooker looks at what it cares about")]
pub(crate) trait Onlooker {
    /// A process runs from now on.
    fn started(&mut self, now: Instant, host: u32, shown: Instant, node: &Node) {}

    /// It does not run any more.
    fn stopped(&mut self, now: Instant, host: u32, how: Stop) {}

    /// A fault begins.
    fn fault(&mut self, now: Instant, fault: &Fault) {}

    /// All faults have ended.
    fn calm(&mut self, now: Instant) {}

    /// Somebody wants something of a node.
    fn asked(&mut self, now: Instant, host: u32, request: RequestId, what: &Command<'_>) {}

    /// A node is about to take something in.
    fn before(&mut self, now: Instant, host: u32, input: &Input<'_>) {}

    /// A node has written a packet.
    fn sent(&mut self, now: Instant, packet: Sent<'_>) {}

    /// A node has written a message for a stream.
    fn sent_message(&mut self, now: Instant, host: u32, to: SocketAddr, body: &[u8]) {}

    /// What a node has just sent there does not arrive.
    fn lost(&mut self, now: Instant, host: u32, to: SocketAddr) {}

    /// A node opens, answers or closes an exchange.
    fn exchange(&mut self, now: Instant, host: u32, exchange: ExchangeId, turn: Turn) {}

    /// A node tells something.
    fn event(&mut self, now: Instant, host: u32, shown: Instant, event: &Event) {}

    /// A node has taken something in and put everything out.
    fn handled(&mut self, now: Instant, host: u32, shown: Instant, node: &Node) {}

    /// Something was changed on its way and not refused.
    fn corruption_accepted(&mut self, now: Instant, host: u32, to: SocketAddr) {}
}

/// Those who look on.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pub(crate) checks: Checks,
    pub(crate) measures: Measures,
    pub(crate) tape: Option<Tape>,
    /// Of an experiment, who declared whom dead; then nobody else looks on. The checkers know no process of
    /// which only a part is stuck.
    pub(crate) ledger: Option<Ledger>,
    /// Keeps all that is told, for tests of those who look on.
    #[cfg(test)]
    pub(crate) history: Option<crate::checks::tests::History>,
}

impl Watch {
    /// Those who look on at this scenario.
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self {
            checks: Checks::new(scenario),
            measures: Measures::new(scenario),
            tape: None,
            ledger: None,
            #[cfg(test)]
            history: crate::checks::tests::History::under_way(),
        }
    }

    /// Whether what was seen is reason enough to go no further.
    pub(crate) fn wants_to_stop(&self) -> bool {
        self.checks.has_findings()
    }
}

macro_rules! everybody {
    ($($method:ident($($name:ident: $type:ty),*);)+) => {
        impl Onlooker for Watch {
            $(fn $method(&mut self, $($name: $type),*) {
                if let Some(ledger) = &mut self.ledger {
                    return ledger.$method($($name),*);
                }
                self.checks.$method($($name),*);
                self.measures.$method($($name),*);
                if let Some(tape) = &mut self.tape {
                    tape.$method($($name),*);
                }
                #[cfg(test)]
                if let Some(history) = &mut self.history {
                    history.$method($($name),*);
                }
            })+
        }
    };
}

everybody! {
    started(now: Instant, host: u32, shown: Instant, node: &Node);
    stopped(now: Instant, host: u32, how: Stop);
    fault(now: Instant, fault: &Fault);
    calm(now: Instant);
    asked(now: Instant, host: u32, request: RequestId, what: &Command<'_>);
    before(now: Instant, host: u32, input: &Input<'_>);
    sent(now: Instant, packet: Sent<'_>);
    sent_message(now: Instant, host: u32, to: SocketAddr, body: &[u8]);
    lost(now: Instant, host: u32, to: SocketAddr);
    exchange(now: Instant, host: u32, exchange: ExchangeId, turn: Turn);
    event(now: Instant, host: u32, shown: Instant, event: &Event);
    handled(now: Instant, host: u32, shown: Instant, node: &Node);
    corruption_accepted(now: Instant, host: u32, to: SocketAddr);
}
