use std::collections::BTreeMap;
use std::time::Duration;

use mingle_proto::{Cause, Change, Config, Hearsay, Instant, Node, Verdicts};
use mingle_wire::{Message, SeqNo, State};

use super::desk::{Checker, Desk};
use super::names::{NameId, Names};
use super::verdicts::Case;

/// Pings besides those of probes: before a node believes that somebody is not there whom it held for
/// alive, or whose time runs out, it has asked, and had no answer for long enough.
#[derive(Debug, Default)]
pub(super) struct Inquiries {
    /// Those without an answer, by (observer, number).
    open: BTreeMap<(u32, SeqNo), Asked>,
    /// Those of this step.
    sent: Vec<(SeqNo, NameId)>,
}

/// Whom a node asked, and when.
#[derive(Clone, Copy, Debug)]
struct Asked {
    about: NameId,
    at: Instant,
}

/// What was asked before that is forgotten.
const KEPT: Duration = Duration::from_secs(600);

/// Whether this is the number of an inquiry.
pub(super) fn is_inquiry(seq: SeqNo) -> bool {
    seq.0 & Node::INQUIRIES != 0
}

impl Inquiries {
    pub(super) fn stopped(&mut self, host: u32) {
        self.open.retain(|&(of, _), _| of != host);
    }

    /// A node writes something of its own accord.
    pub(super) fn sent(&mut self, names: &mut Names, message: &Message<'_>) {
        if let Message::Ping(ping) = message
            && is_inquiry(ping.seq)
        {
            self.sent.push((ping.seq, names.id(ping.node)));
        }
    }

    /// An ack came; gives whom an inquiry that it answers is about.
    pub(super) fn acked(&mut self, host: u32, message: &Message<'_>) -> Option<NameId> {
        let Message::Ack(ack) = message else { return None };
        self.open.remove(&(host, ack.seq)).map(|asked| asked.about)
    }

    pub(super) fn told(&self, desk: &mut Desk, config: &Config, case: Case<'_>) {
        let Case { host, about, change, member, evidence, shown, .. } = case;
        let must_ask = match (&evidence.cause, change) {
            (Cause::SuspicionExpired { .. }, Change::Failed) => {
                config.rules.verdicts == Verdicts::Asked
            }
            (Cause::Superseded { .. }, Change::Failed) => true,
            (Cause::HeardDown { .. }, Change::Suspected) => {
                config.rules.hearsay == Hearsay::Asked && evidence.before == Some(State::Alive)
            }
            _ => return,
        };
        let is_silent = |(&(of, _), asked): (&(u32, SeqNo), &Asked)| {
            let waited = shown.since(asked.at);
            of == host && asked.about == about && waited >= config.probe_timeout
        };
        let of_host = self.open.range((host, SeqNo(0))..=(host, SeqNo(u32::MAX)));
        let asked = !must_ask || of_host.into_iter().any(is_silent);
        desk.check(Checker::Inquiries, asked, || {
            let whom = member.name();
            format!("{whom} {}: {}, and was not asked before", change.as_str(), evidence.cause)
        });
    }

    /// Gives whom this step has asked.
    pub(super) fn handled(&mut self, host: u32, shown: Instant) -> Vec<NameId> {
        if !self.sent.is_empty() {
            self.open.retain(|&(of, _), asked| of != host || shown.since(asked.at) < KEPT);
        }
        let asked = self.sent.drain(..).map(|(seq, about)| {
            self.open.insert((host, seq), Asked { about, at: shown });
            about
        });
        asked.collect()
    }
}
