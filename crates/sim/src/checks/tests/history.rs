use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use mingle_proto::{Command, Event, ExchangeEnd, ExchangeId, Input, Instant, Node, RequestId};

use crate::scenario::Fault;
use crate::watch::{Onlooker, Sent, Stop, Turn};

/// Something that an onlooker is told.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) now: Instant,
    pub(super) host: u32,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Started {
        shown: Instant,
        node: Rc<Node>,
    },
    Stopped(Stop),
    Fault(Fault),
    Calm,
    /// A command, of which only its number matters.
    Asked(RequestId),
    Packet {
        from: SocketAddr,
        received: Instant,
        body: Vec<u8>,
    },
    Opened {
        exchange: ExchangeId,
        from: SocketAddr,
        body: Vec<u8>,
    },
    Answered {
        exchange: ExchangeId,
        body: Vec<u8>,
    },
    Ended {
        exchange: ExchangeId,
        end: ExchangeEnd,
    },
    Woken,
    Commanded,
    Sent {
        to: SocketAddr,
        room: usize,
        is_busy: bool,
        body: Vec<u8>,
    },
    Said {
        to: SocketAddr,
        body: Vec<u8>,
    },
    Turn(ExchangeId, Turn),
    Event {
        shown: Instant,
        event: Event,
    },
    Handled {
        shown: Instant,
        node: Rc<Node>,
    },
    Corrupted {
        to: SocketAddr,
    },
}

/// All that an onlooker was told, to be told to another one.
#[derive(Clone, Debug, Default)]
pub(crate) struct History(Rc<RefCell<Vec<Call>>>);

thread_local! {
    /// What worlds of this thread are recorded into.
    static UNDER_WAY: RefCell<Option<History>> = const { RefCell::new(None) };
}

impl History {
    /// What the world that begins now is recorded into, if somebody wants that.
    pub(crate) fn under_way() -> Option<Self> {
        UNDER_WAY.with_borrow(Clone::clone)
    }

    /// All that is told while `run` runs a world.
    pub(super) fn of<T>(run: impl FnOnce() -> T) -> (Vec<Call>, T) {
        let history = Self::default();
        UNDER_WAY.set(Some(history.clone()));
        let result = run();
        UNDER_WAY.set(None);
        (history.calls(), result)
    }

    fn calls(&self) -> Vec<Call> {
        self.0.borrow().clone()
    }

    fn add(&self, now: Instant, host: u32, what: What) {
        self.0.borrow_mut().push(Call { now, host, what });
    }
}

impl Call {
    pub(super) fn tell(&self, onlooker: &mut impl Onlooker) {
        let Self { now, host, what } = self;
        let (now, host) = (*now, *host);
        let node = SocketAddr::from(([10, 0, 0, 1], 7946));
        match what {
            What::Started { shown, node } => onlooker.started(now, host, *shown, node),
            What::Stopped(how) => onlooker.stopped(now, host, *how),
            What::Fault(fault) => onlooker.fault(now, fault),
            What::Calm => onlooker.calm(now),
            What::Asked(request) => {
                let command = Command::Join { request: *request, to: node };
                onlooker.asked(now, host, *request, &command);
            }
            What::Packet { from, received, body } => {
                let input = Input::Packet { from: *from, received: *received, body };
                onlooker.before(now, host, &input);
            }
            What::Opened { exchange, from, body } => {
                let input = Input::Exchange { exchange: *exchange, from: *from, body };
                onlooker.before(now, host, &input);
            }
            What::Answered { exchange, body } => {
                let input = Input::ExchangeMessage { exchange: *exchange, body };
                onlooker.before(now, host, &input);
            }
            What::Ended { exchange, end } => {
                let input = Input::ExchangeEnded { exchange: *exchange, end: *end };
                onlooker.before(now, host, &input);
            }
            What::Woken => onlooker.before(now, host, &Input::Timeout),
            What::Commanded => {
                let input = Input::Command(Command::SetAckPayload(&[]));
                onlooker.before(now, host, &input);
            }
            What::Sent { to, room, is_busy, body } => {
                let (to, room, is_busy) = (*to, *room, *is_busy);
                onlooker.sent(now, Sent { host, to, room, is_busy, body });
            }
            What::Said { to, body } => onlooker.sent_message(now, host, *to, body),
            What::Turn(exchange, turn) => onlooker.exchange(now, host, *exchange, *turn),
            What::Event { shown, event } => onlooker.event(now, host, *shown, event),
            What::Handled { shown, node } => onlooker.handled(now, host, *shown, node),
            What::Corrupted { to } => onlooker.corruption_accepted(now, host, *to),
        }
    }
}

impl Onlooker for History {
    fn started(&mut self, now: Instant, host: u32, shown: Instant, node: &Node) {
        self.add(now, host, What::Started { shown, node: Rc::new(node.clone()) });
    }

    fn stopped(&mut self, now: Instant, host: u32, how: Stop) {
        self.add(now, host, What::Stopped(how));
    }

    fn fault(&mut self, now: Instant, fault: &Fault) {
        self.add(now, 0, What::Fault(fault.clone()));
    }

    fn calm(&mut self, now: Instant) {
        self.add(now, 0, What::Calm);
    }

    fn asked(&mut self, now: Instant, host: u32, request: RequestId, _what: &Command<'_>) {
        self.add(now, host, What::Asked(request));
    }

    fn before(&mut self, now: Instant, host: u32, input: &Input<'_>) {
        let what = match *input {
            Input::Packet { from, received, body } => {
                What::Packet { from, received, body: body.to_vec() }
            }
            Input::Exchange { exchange, from, body } => {
                What::Opened { exchange, from, body: body.to_vec() }
            }
            Input::ExchangeMessage { exchange, body } => {
                What::Answered { exchange, body: body.to_vec() }
            }
            Input::ExchangeEnded { exchange, end } => What::Ended { exchange, end },
            Input::Timeout => What::Woken,
            Input::Command(_) => What::Commanded,
            Input::SendFailed { .. } => unreachable!("no network here tells of failures"),
        };
        self.add(now, host, what);
    }

    fn sent(&mut self, now: Instant, packet: Sent<'_>) {
        let Sent { host, to, room, is_busy, body } = packet;
        self.add(now, host, What::Sent { to, room, is_busy, body: body.to_vec() });
    }

    fn sent_message(&mut self, now: Instant, host: u32, to: SocketAddr, body: &[u8]) {
        self.add(now, host, What::Said { to, body: body.to_vec() });
    }

    fn exchange(&mut self, now: Instant, host: u32, exchange: ExchangeId, turn: Turn) {
        self.add(now, host, What::Turn(exchange, turn));
    }

    fn event(&mut self, now: Instant, host: u32, shown: Instant, event: &Event) {
        self.add(now, host, What::Event { shown, event: event.clone() });
    }

    fn handled(&mut self, now: Instant, host: u32, shown: Instant, node: &Node) {
        self.add(now, host, What::Handled { shown, node: Rc::new(node.clone()) });
    }

    fn corruption_accepted(&mut self, now: Instant, host: u32, to: SocketAddr) {
        self.add(now, host, What::Corrupted { to });
    }
}
