//! What a node hears, decides and says, in words. What peers chose is quoted and escaped.

use std::fmt::Write;
use std::net::SocketAddr;

use mingle_proto::{
    Command, Done, Event, Evidence, ExchangeEnd, ExchangeId, Input, LinkKind, Output, Recipient,
    SeedKind, SendFailure,
};
use mingle_wire::{Incarnation, Message, PushPull, State, StreamMessage, memberlist};
use serde::Serialize;

/// Which way something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// It was taken in.
    In,
    /// It was decided.
    Event,
    /// It was sent.
    Out,
}

impl Direction {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Event => "event",
            Self::Out => "out",
        }
    }
}

/// One thing that a node heard, decided or said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Which way it goes.
    pub direction: Direction,
    /// What it is, in one word or two.
    pub kind: &'static str,
    /// The other end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<SocketAddr>,
    /// All that there is to say of it.
    pub text: String,
    /// The nodes that it names.
    pub names: Vec<String>,
}

impl Line {
    fn new(direction: Direction, kind: &'static str, peer: Option<SocketAddr>) -> Self {
        Self { direction, kind, peer, text: String::new(), names: Vec::new() }
    }

    /// What was taken in.
    #[must_use]
    pub fn of_input(input: &Input<'_>) -> Self {
        let line = |kind, peer| Self::new(Direction::In, kind, peer);
        match input {
            Input::Packet { from, body, .. } => line("packet", Some(*from)).packet(body),
            Input::Exchange { exchange, from, body } => {
                line("stream", Some(*from)).say(stream(*exchange)).stream_message(body)
            }
            Input::ExchangeMessage { exchange, body } => {
                line("stream", None).say(stream(*exchange)).stream_message(body)
            }
            Input::ExchangeEnded { exchange, end } => {
                line("end", None).say(stream(*exchange)).say(ended(*end))
            }
            Input::SendFailed { to, kind } => line("unsent", Some(*to)).say(unsent(*kind)),
            Input::Timeout => line("timer", None),
            Input::Command(command) => line("command", None).command(command),
        }
    }

    /// What was decided, or sent, with the bytes of what was sent.
    #[must_use]
    pub fn of_output(output: &Output, body: &[u8]) -> Self {
        let line = |kind, peer| Self::new(Direction::Out, kind, peer);
        match output {
            Output::Packet { to, .. } => line("packet", Some(*to)).packet(body),
            Output::Dial { exchange, to, .. } => {
                line("dial", Some(*to)).say(stream(*exchange)).stream_message(body)
            }
            Output::Reply { exchange, .. } => {
                line("stream", None).say(stream(*exchange)).stream_message(body)
            }
            Output::Close { exchange } => line("close", None).say(stream(*exchange)),
            Output::Event(event) => Self::of_event(event),
        }
    }

    fn of_event(event: &Event) -> Self {
        let line = |kind| Self::new(Direction::Event, kind, None);
        match event {
            Event::Member { change, member, evidence } => {
                let (address, incarnation) = (member.address(), member.incarnation);
                line(change.as_str())
                    .name(member.name())
                    .say(format!("at {address}, incarnation {incarnation}: "))
                    .evidence(evidence, incarnation)
            }
            Event::Conflict { member, other } => line("conflict")
                .name(member.name())
                .say(format!("is at {}, and {other} claims the name too", member.address())),
            Event::Refuted { incarnation, evidence } => line("refuted")
                .say(format!("this node's incarnation is {incarnation} now: "))
                .evidence(evidence, *incarnation),
            Event::Health { score } => line("health").say(format!("score {score}; 0 is healthy")),
            Event::UserMessage { from, via: _, payload } => {
                line("message").from(*from).say(bytes(payload))
            }
            Event::UserState { from, join: _, state } => {
                line("state").from(*from).say(bytes(state))
            }
            Event::Pong { member, rtt, payload: _ } => {
                line("pong").name(member.name()).say(format!("answered in {rtt:.1?}"))
            }
            Event::LinkDegraded { member, kind, since: _ } => line("degraded")
                .name(member.name())
                .say(format!("is heard by {} only", link_in_words(*kind))),
            Event::LinkRestored { member, kind: _, since: _ } => {
                line("restored").name(member.name()).say("answers direct packets again")
            }
            Event::Reconnect { to, sought, result } => {
                let line = line("reconnect").from(*to).say(format!("{}:", sought.as_str()));
                match result {
                    Ok(done) => line.say(done_in_words(done)),
                    Err(error) => line.say(error.to_string()),
                }
            }
            Event::Completed { request, result } => line("done").say(match result {
                Ok(done) => format!("request {}: {}", request.0, done_in_words(done)),
                Err(error) => format!("request {} failed: {error}", request.0),
            }),
        }
    }

    fn from(mut self, peer: SocketAddr) -> Self {
        self.peer = Some(peer);
        self
    }

    fn say(mut self, text: impl AsRef<str>) -> Self {
        if !self.text.is_empty() && !self.text.ends_with(' ') {
            self.text.push(' ');
        }
        self.text.push_str(text.as_ref());
        self
    }

    /// Names a node. Empty names are ones that the wire did not have.
    fn name(mut self, name: &str) -> Self {
        if name.is_empty() {
            return self;
        }
        self.names.push(name.to_owned());
        self.say(format!("{name:?}"))
    }

    fn evidence(mut self, evidence: &Evidence, known: Incarnation) -> Self {
        let Evidence { incarnation, before, cause, via, last_ack, lag } = evidence;
        let before = before.map_or("unknown", State::as_str);
        self = self.say(cause.to_string());
        // A string takes everything.
        let _ = write!(self.text, " ({via}); before: {before}");
        if *incarnation != known {
            let _ = write!(self.text, "; claimed of incarnation {incarnation}");
        }
        if let Some(ago) = last_ack {
            let _ = write!(self.text, "; last answered us {ago:.1?} ago");
        }
        if !lag.is_zero() {
            let _ = write!(self.text, "; our own timers were up to {lag:.1?} late");
        }
        self
    }

    fn packet(mut self, body: &[u8]) -> Self {
        for (place, message) in memberlist::messages(body).enumerate() {
            if place > 0 {
                self.text.push(';');
            }
            self = match message {
                Ok(message) => self.message(&message),
                Err(error) => self.say(format!("refused: {error}")),
            };
        }
        self
    }

    fn message(self, message: &Message<'_>) -> Self {
        match message {
            Message::Ping(ping) => self
                .say(format!("ping {:?} to", ping.seq))
                .name(ping.node)
                .say("by")
                .name(ping.source.node),
            Message::IndirectPing(ping) => self
                .say(format!("request {:?} to ping", ping.seq))
                .name(ping.node)
                .say(format!("at {} by", ping.target))
                .name(ping.source.node),
            Message::Ack(ack) => self.say(format!("ack {:?}", ack.seq)),
            Message::Nack(nack) => self.say(format!("nack {:?}", nack.seq)),
            Message::Suspect(suspect) => self
                .say("suspect")
                .name(suspect.node)
                .say(format!("{} by", suspect.incarnation))
                .name(suspect.from),
            Message::Alive(alive) => self
                .say("alive")
                .name(alive.node)
                .say(format!("{} at {}", alive.incarnation, alive.address)),
            Message::Dead(dead) if dead.node == dead.from => {
                self.say("left").name(dead.node).say(dead.incarnation.to_string())
            }
            Message::Dead(dead) => self
                .say("dead")
                .name(dead.node)
                .say(format!("{} by", dead.incarnation))
                .name(dead.from),
            Message::User(payload) => self.say("user message of").say(bytes(payload)),
        }
    }

    fn stream_message(self, body: &[u8]) -> Self {
        match memberlist::decode_stream(body) {
            Ok(StreamMessage::Ping(ping)) => self.message(&Message::Ping(ping)),
            Ok(StreamMessage::Ack(ack)) => self.message(&Message::Ack(ack)),
            Ok(StreamMessage::User(payload) | StreamMessage::Numbered { payload, .. }) => {
                self.message(&Message::User(payload))
            }
            Ok(StreamMessage::PushPull(view)) => self.view(&view),
            Ok(StreamMessage::Error(text)) => self.say(format!("error {text:?}")),
            Err(error) => self.say(format!("refused: {error}")),
        }
    }

    fn view(self, view: &PushPull<'_>) -> Self {
        let purpose = if view.join { "view, to join," } else { "view" };
        let mut line = self.say(format!("{purpose} of {}:", view.nodes));
        for (place, record) in view.records().enumerate() {
            line = match record {
                // Whole views are long; who looks for a name finds it nevertheless.
                Ok(record) if place >= MOST_RECORDS => {
                    line.names.push(record.alive.node.to_owned());
                    line
                }
                Ok(record) => line
                    .name(record.alive.node)
                    .say(format!("{} {},", record.state, record.alive.incarnation)),
                Err(error) => line.say(format!("(refused: {error}),")),
            };
        }
        if view.nodes as usize > MOST_RECORDS {
            return line.say("...");
        }
        line.text.truncate(line.text.trim_end_matches(',').len());
        line
    }

    fn command(self, command: &Command<'_>) -> Self {
        match command {
            Command::Join { request, to } => self.say(format!("{}: join {to}", request.0)),
            Command::Leave { request } => self.say(format!("{}: leave", request.0)),
            Command::SetMeta { request, meta } => {
                self.say(format!("{}: new meta of {}", request.0, bytes(meta)))
            }
            Command::SetAckPayload(payload) => self.say("new payload of acks,").say(bytes(payload)),
            Command::AddSeed { address, kind } => self.say(match kind {
                SeedKind::Configured => format!("look for members at {address}"),
                SeedKind::Remembered => format!("look for who was at {address}"),
            }),
            Command::RemoveSeed { address } => self.say(format!("do not look at {address}")),
            Command::Send { request, to, payload } => {
                self.say(format!("{}: send {} to", request.0, bytes(payload))).recipient(to)
            }
            Command::SendStream { request, to, payload } => self
                .say(format!("{}: send {} on a stream to", request.0, bytes(payload)))
                .recipient(to),
            Command::ForceLeave { request, name } => {
                self.say(format!("{}: say that it has left:", request.0)).name(name)
            }
        }
    }

    fn recipient(self, to: &Recipient<'_>) -> Self {
        match to {
            Recipient::Member(name) => self.name(name),
            Recipient::Address(address) => self.say(address.to_string()),
        }
    }
}

/// Members that a line with a whole view shows.
const MOST_RECORDS: usize = 8;

fn bytes(bytes: &[u8]) -> String {
    format!("{} bytes", bytes.len())
}

fn stream(exchange: ExchangeId) -> String {
    match exchange {
        ExchangeId::Ours(number) => format!("[ours {number}]"),
        ExchangeId::Theirs(number) => format!("[theirs {number}]"),
    }
}

const fn ended(end: ExchangeEnd) -> &'static str {
    match end {
        ExchangeEnd::Closed => "closed in order",
        ExchangeEnd::Unreachable => "the peer can't be reached",
        ExchangeEnd::TimedOut => "no answer in time",
        ExchangeEnd::Broken => "broken, or its bytes were refused",
        ExchangeEnd::NoRoom => "not started: too many are open",
    }
}

const fn unsent(kind: SendFailure) -> &'static str {
    match kind {
        SendFailure::NoRoom => "the socket's buffer is full",
        SendFailure::Unreachable => "unreachable",
        SendFailure::Other => "the system refused",
    }
}

const fn link_in_words(kind: LinkKind) -> &'static str {
    match kind {
        LinkKind::StreamsOnly => "streams",
        LinkKind::HelpersOnly => "helpers",
    }
}

fn done_in_words(done: &Done) -> String {
    match done {
        Done::Joined { members } => format!("joined; {members} live members are there"),
        Done::Left { confirmed } if confirmed.is_empty() => "left".to_owned(),
        Done::Left { confirmed } => format!("left, as {confirmed:?} confirm"),
        Done::MetaSet => "the meta is set".to_owned(),
        Done::Sent => "sent".to_owned(),
        Done::ForcedOut => "it counts as left".to_owned(),
    }
}
