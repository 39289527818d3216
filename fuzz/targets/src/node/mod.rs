mod inputs;
mod oracle;

use std::net::SocketAddr;
use std::time::Duration;

use mingle_proto::{
    Command, Config, ExchangeEnd, ExchangeId, Input, Instant, Local, Node, Recipient, RequestId,
    Rules, SeedKind, SendFailure,
};

use crate::bytes::Bytes;
use oracle::{Oracle, Transcript};

/// Any bytes as the history of a node.
///
/// The first byte chooses rules and room; then each byte is a step with its choices behind it:
/// packets, exchanges, commands, failures, and time that passes. What must hold after each step is in
/// `Oracle`. Some histories run twice, the second time from checkpoint to
/// checkpoint, and give the same.
pub fn node(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let settings = bytes.byte();
    if settings & TWICE == TWICE {
        let once = run(settings, bytes, Transcript::Kept, Restarts::Never);
        let again = run(settings, bytes, Transcript::Kept, Restarts::Often);
        assert_eq!(once, again, "the same inputs give the same outputs, checkpoints or not");
    } else {
        run(settings, bytes, Transcript::Dropped, Restarts::Never);
    }
}

/// With these bits a history runs twice.
const TWICE: u8 = 0xc0;

/// Whether the node is put into a checkpoint and taken out again while it runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Restarts {
    Never,
    Often,
}

/// Plays one history and gives a hash of all that came out.
fn run(settings: u8, mut bytes: Bytes<'_>, transcript: Transcript, restarts: Restarts) -> u64 {
    let mut run = Run::new(settings, transcript);
    for count in 0..MOST_STEPS {
        let Some(step) = bytes.next() else { break };
        run.step(step, &mut bytes);
        if restarts == Restarts::Often && count % 8 == 7 {
            run.node = Node::restore(&run.node.checkpoint()).expect("it was just taken");
        }
    }
    run.oracle.transcript()
}

/// So that no input is slow.
const MOST_STEPS: usize = 200;

struct Run {
    node: Node,
    now: Instant,
    oracle: Oracle,
    body: Vec<u8>,
    requests: u64,
    theirs: u64,
}

impl Run {
    fn new(settings: u8, transcript: Transcript) -> Self {
        let config = config(settings);
        let local = Local::new(inputs::NAMES[0], inputs::address(0));
        let node = Node::new(config, local, settings.into(), Instant::ORIGIN).expect("it is sound");
        let room = [1024, 1400, 65_507][usize::from(settings >> 3 & 3) % 3];
        let oracle = Oracle::new(&node, room, transcript);
        Self { node, now: Instant::ORIGIN, oracle, body: Vec::new(), requests: 0, theirs: 0 }
    }

    fn step(&mut self, step: u8, bytes: &mut Bytes<'_>) {
        let detail = step >> 4;
        match step & 0x0f {
            0 | 1 => self.wake(),
            2 => {
                self.pass(detail);
                self.wake();
            }
            3 => self.pass(detail),
            4..=7 => self.claims(detail, bytes),
            8 => self.answer(detail, bytes),
            9 => {
                let from = inputs::source(detail);
                self.packet(from, bytes.slice());
            }
            10 => self.they_dial(detail, bytes),
            11 => {
                let body = bytes.slice();
                self.exchange(detail, body);
            }
            12 => self.exchange_answered(detail, bytes),
            13 => self.exchange_ended(detail, bytes.byte()),
            14 => {
                let (to, kind) = (inputs::source(detail), failure(bytes.byte()));
                self.handle(Input::SendFailed { to, kind }, 1);
            }
            _ => self.command(detail, bytes),
        }
    }

    fn handle(&mut self, input: Input<'_>, items: usize) {
        self.node.handle(self.now, input);
        self.oracle.check(&mut self.node, items);
    }

    fn pass(&mut self, detail: u8) {
        self.now = self.now + Duration::from_millis(PAUSES[usize::from(detail)]);
    }

    /// Time goes on to the next deadline, unless it has passed. Whatever is due fires, and a node that
    /// has been woken has nothing more to do at once.
    fn wake(&mut self) {
        let due = self.node.poll_timeout().expect("a node always waits for something");
        self.now = self.now.max(due);
        for _ in 0..4 {
            self.handle(Input::Timeout, 0);
            if self.node.poll_timeout().is_some_and(|next| next > self.now) {
                return;
            }
        }
        panic!("the node wants to be woken again and again at {:?}", self.now);
    }

    fn packet(&mut self, from: SocketAddr, body: &[u8]) {
        let items = mingle_wire::memberlist::messages(body).count();
        self.handle(Input::Packet { from, received: self.now, body }, items);
    }

    fn claims(&mut self, detail: u8, bytes: &mut Bytes<'_>) {
        let mut body = std::mem::take(&mut self.body);
        inputs::claims(detail & 3, bytes, &mut body);
        self.packet(inputs::source(detail), &body);
        self.body = body;
    }

    fn answer(&mut self, detail: u8, bytes: &mut Bytes<'_>) {
        let mut body = std::mem::take(&mut self.body);
        let back = bytes.byte();
        let seq = self.oracle.last_ping().wrapping_sub(u32::from(back >> 5));
        inputs::answer(back & 7, seq, bytes, &mut body);
        self.packet(inputs::source(detail), &body);
        self.body = body;
    }

    fn exchange(&mut self, detail: u8, body: &[u8]) {
        self.theirs += 1;
        let (exchange, from) = (ExchangeId::Theirs(self.theirs), inputs::source(detail));
        self.handle(Input::Exchange { exchange, from, body }, items(body));
    }

    fn they_dial(&mut self, detail: u8, bytes: &mut Bytes<'_>) {
        let mut body = std::mem::take(&mut self.body);
        inputs::stream_message(bytes, self.oracle.last_ping(), &mut body);
        self.exchange(detail, &body);
        self.body = body;
    }

    fn exchange_answered(&mut self, detail: u8, bytes: &mut Bytes<'_>) {
        let exchange = self.dialled(detail);
        let mut body = std::mem::take(&mut self.body);
        inputs::stream_message(bytes, self.oracle.last_ping(), &mut body);
        self.handle(Input::ExchangeMessage { exchange, body: &body }, items(&body));
        self.body = body;
    }

    fn exchange_ended(&mut self, detail: u8, choice: u8) {
        let ends = [
            ExchangeEnd::Closed,
            ExchangeEnd::Unreachable,
            ExchangeEnd::TimedOut,
            ExchangeEnd::Broken,
            ExchangeEnd::NoRoom,
        ];
        let end = ends[usize::from(choice) % ends.len()];
        self.handle(Input::ExchangeEnded { exchange: self.dialled(detail), end }, 1);
    }

    /// One of the last exchanges that we dialled, or will dial.
    fn dialled(&self, detail: u8) -> ExchangeId {
        ExchangeId::Ours(self.oracle.dials().wrapping_sub(u64::from(detail)))
    }

    fn command(&mut self, detail: u8, bytes: &mut Bytes<'_>) {
        let request = RequestId(self.requests);
        let choice = bytes.byte();
        let to = match choice & 0x80 {
            0 => Recipient::Member(inputs::NAMES[usize::from(detail)]),
            _ => Recipient::Address(inputs::source(detail)),
        };
        let address = inputs::source(detail);
        let command = match choice & 0x0f {
            0..=2 => Command::Join { request, to: inputs::source(detail) },
            3 => Command::SetMeta { request, meta: inputs::meta(detail) },
            4 => Command::SetAckPayload(inputs::meta(detail)),
            5 => Command::Send { request, to, payload: bytes.slice() },
            6 => Command::SendStream { request, to, payload: bytes.slice() },
            7 => Command::Leave { request },
            8..=10 => Command::AddSeed { address, kind: SeedKind::Configured },
            11..=13 => Command::AddSeed { address, kind: SeedKind::Remembered },
            _ => Command::RemoveSeed { address },
        };
        match command {
            Command::SetAckPayload(_) | Command::AddSeed { .. } | Command::RemoveSeed { .. } => {}
            _ => {
                self.requests += 1;
                self.oracle.requested(request);
            }
        }
        self.handle(Input::Command(command), 1);
    }
}

/// Milliseconds that may pass at once: from nothing to a day.
const PAUSES: [u64; 16] = [
    0, 1, 10, 50, 100, 200, 500, 600, 1_000, 1_500, 5_000, 15_000, 31_000, 60_000, 3_600_000,
    86_400_000,
];

/// Few members, so that they are met again and again, and few tombstones where that is chosen.
fn config(settings: u8) -> Config {
    let rules = match settings & 3 {
        0 | 3 => Rules::MINGLE,
        1 => Rules::MEMBERLIST,
        _ => Rules { beliefs: Rules::MINGLE.beliefs, ..Rules::MEMBERLIST },
    };
    let few = settings & 4 != 0;
    Config {
        max_members: 8,
        max_tombstones: if few { 2 } else { u32::MAX },
        tombstone_time: Duration::from_secs(if few { 60 } else { 10 * 365 * 24 * 60 * 60 }),
        dead_node_reclaim_time: Duration::from_secs(u64::from(settings >> 5 & 1)),
        stream_pings: settings & 0x40 == 0,
        rules,
        ..Config::lan()
    }
}

const fn failure(byte: u8) -> SendFailure {
    match byte % 3 {
        0 => SendFailure::Unreachable,
        1 => SendFailure::NoRoom,
        _ => SendFailure::Other,
    }
}

/// How many things an exchange's message tells the node.
fn items(body: &[u8]) -> usize {
    match mingle_wire::memberlist::decode_stream(body) {
        Ok(mingle_wire::StreamMessage::PushPull(view)) => 1 + view.records().count(),
        Ok(_) | Err(_) => 1,
    }
}
