use std::collections::BTreeMap;

use mingle_proto::{ExchangeId, Input, Node};

use super::desk::{Checker, Desk};
use crate::watch::Turn;

/// Exchanges that are open, by host.
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    open: BTreeMap<(u32, ExchangeId), Progress>,
    /// The last number that each process dialled with, and how many of its dials are open.
    dialled: Vec<Dialled>,
    /// What a peer has dialled in this step.
    theirs: Option<ExchangeId>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Dialled {
    last: Option<u64>,
    open: usize,
}

/// How far an exchange has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// One message was said, and the other side may answer.
    Asked,
    /// The other side has answered: no message comes any more.
    Answered,
}

/// Dials that a node may have under way, as it tells with [`mingle_proto::RequestError::TooMany`].
const MOST_DIALS: usize = 1024;

impl Exchanges {
    pub(super) fn stopped(&mut self, host: u32) {
        self.open.retain(|&(of, _), _| of != host);
        if let Some(dialled) = self.dialled.get_mut(host as usize) {
            *dialled = Dialled::default();
        }
    }

    /// What comes in opens, answers or ends an exchange.
    pub(super) fn before(&mut self, host: u32, input: &Input<'_>) {
        self.theirs = None;
        match *input {
            Input::Exchange { exchange, .. } => {
                self.theirs = Some(exchange);
                self.open.insert((host, exchange), Progress::Asked);
            }
            Input::ExchangeMessage { exchange, .. } => {
                if let Some(progress) = self.open.get_mut(&(host, exchange)) {
                    *progress = Progress::Answered;
                }
            }
            Input::ExchangeEnded { exchange, .. } => self.end(host, exchange),
            Input::Packet { .. }
            | Input::SendFailed { .. }
            | Input::Timeout
            | Input::Command(_) => {}
        }
    }

    fn end(&mut self, host: u32, exchange: ExchangeId) {
        if self.open.remove(&(host, exchange)).is_some()
            && let ExchangeId::Ours(_) = exchange
            && let Some(dialled) = self.dialled.get_mut(host as usize)
        {
            dialled.open = dialled.open.saturating_sub(1);
        }
    }

    pub(super) fn turn(&mut self, desk: &mut Desk, host: u32, exchange: ExchangeId, turn: Turn) {
        match turn {
            Turn::Dial => self.dial(desk, host, exchange),
            Turn::Reply => {
                let theirs = matches!(exchange, ExchangeId::Theirs(_));
                let before = self.open.insert((host, exchange), Progress::Answered);
                let in_turn = theirs && before == Some(Progress::Asked);
                desk.check(Checker::Exchanges, in_turn, || {
                    format!("it answers {exchange:?}, which is at {before:?}")
                });
            }
            Turn::Close => {
                let open = self.open.contains_key(&(host, exchange));
                desk.check(Checker::Exchanges, open, || {
                    format!("it closes {exchange:?}, which is not open")
                });
                self.end(host, exchange);
            }
        }
    }

    fn dial(&mut self, desk: &mut Desk, host: u32, exchange: ExchangeId) {
        let place = host as usize;
        if self.dialled.len() <= place {
            self.dialled.resize(place + 1, Dialled::default());
        }
        let dialled = &mut self.dialled[place];
        let number = match exchange {
            ExchangeId::Ours(number) => Some(number),
            ExchangeId::Theirs(_) => None,
        };
        let last = dialled.last;
        let new = number.is_some_and(|number| last.is_none_or(|last| number > last));
        desk.check(Checker::Exchanges, new, || {
            format!("it dials as {exchange:?}, after {last:?}: numbers are not used twice")
        });
        dialled.last = number.max(last);
        dialled.open += 1;
        let open = dialled.open;
        desk.check(Checker::Bounds, open <= MOST_DIALS, || {
            format!("it has {open} dials open, at most {MOST_DIALS} may be")
        });
        self.open.insert((host, exchange), Progress::Asked);
    }

    /// What a peer has dialled is over by now, and the node counts what is open as it is.
    pub(super) fn handled(&mut self, desk: &mut Desk, host: u32, node: &Node) {
        if let Some(theirs) = self.theirs.take() {
            let open = self.open.contains_key(&(host, theirs));
            desk.check(Checker::Exchanges, !open, || {
                format!("it has said what it has to say on {theirs:?}, and leaves it open")
            });
        }
        let open = self.dialled.get(host as usize).map_or(0, |dialled| dialled.open);
        let counted = node.open_exchanges();
        desk.check(Checker::Exchanges, counted == open, || {
            format!("{open} exchanges of its own are open, and it has {counted} on its books")
        });
    }
}
