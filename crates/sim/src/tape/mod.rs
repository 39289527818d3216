//! What happened, line by line, for transcripts.

mod book;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use mingle_proto::{Event, ExchangeEnd, Input, Instant, Node};
use mingle_wire::{Ack, DecodeError, Message, Nack, SeqNo, memberlist};

use crate::scenario::Fault;
use crate::watch::{Onlooker, Sent, Stop};
use book::Book;

/// What a line is about, so that a transcript can have it or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topic {
    /// Pings that were answered at once, and their answers.
    Idle,
    /// Other pings and answers, those for others among them.
    Probes,
    /// Packets with claims.
    Claims,
    /// Packets with user messages.
    User,
    /// Messages on streams, and streams that came to no answer.
    Streams,
    /// What nodes tell, but for round trips.
    Events,
    /// Round trips.
    Pongs,
    /// Processes that start and end.
    Processes,
    /// Faults of a scenario.
    Faults,
}

impl Topic {
    pub(crate) const ALL: [(&'static str, Self); 8] = [
        ("idle", Self::Idle),
        ("probes", Self::Probes),
        ("claims", Self::Claims),
        ("user", Self::User),
        ("streams", Self::Streams),
        ("events", Self::Events),
        ("pongs", Self::Pongs),
        ("processes", Self::Processes),
    ];
}

/// What was seen since it was last taken.
#[derive(Debug)]
pub(crate) struct Tape {
    shown: BTreeSet<Topic>,
    /// Only what concerns one of these, unless that is empty.
    about: BTreeSet<u32>,
    book: Book,
    /// Whom a host has asked about, by the number of the ping.
    asked: BTreeMap<(u32, u32), String>,
    notes: Vec<Note>,
    /// Who did something last that is not noted, since nobody wants to see it.
    left_out: BTreeSet<u32>,
}

#[derive(Debug)]
struct Note {
    at: Instant,
    /// Who acts; `None` is somebody unknown.
    host: Option<u32>,
    way: Way,
    parts: Vec<Part>,
}

/// One message of a packet, or the only thing that a note says.
#[derive(Debug)]
struct Part {
    topic: Topic,
    text: String,
    /// Whom it is about, by name.
    about: Option<String>,
    /// Of a ping or an ack.
    seq: Option<SeqNo>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It stays where it happens.
    Here,
    Packet {
        to: SocketAddr,
        lost: bool,
    },
    Stream {
        to: SocketAddr,
        lost: bool,
    },
}

impl Tape {
    /// One that shows what nodes tell, and processes that start and end.
    pub(crate) fn new() -> Self {
        Self {
            shown: BTreeSet::from([Topic::Events, Topic::Processes]),
            about: BTreeSet::new(),
            book: Book::default(),
            asked: BTreeMap::new(),
            notes: Vec::new(),
            left_out: BTreeSet::new(),
        }
    }

    pub(crate) fn show(&mut self, topics: &[Topic]) {
        self.shown.extend(topics);
    }

    pub(crate) fn hide(&mut self, topics: &[Topic]) {
        self.shown.retain(|topic| !topics.contains(topic));
    }

    /// From now on only what concerns one of these; all, when there are none.
    pub(crate) fn keep_to(&mut self, hosts: &[u32]) {
        self.about = hosts.iter().copied().collect();
    }

    /// What is to be shown of what has happened since the last time, in fixed columns.
    pub(crate) fn take(&mut self) -> Vec<String> {
        let notes = std::mem::take(&mut self.notes);
        notes.iter().filter(|note| self.is_shown(note)).map(|note| self.line(note)).collect()
    }

    fn is_shown(&self, note: &Note) -> bool {
        note.parts.iter().any(|part| self.shown.contains(&part.topic))
            && (self.about.is_empty() || self.about.iter().any(|&host| self.concerns(note, host)))
    }

    fn concerns(&self, note: &Note, host: u32) -> bool {
        let to = match note.way {
            Way::Here => None,
            Way::Packet { to, .. } | Way::Stream { to, .. } => self.book.host_at(to),
        };
        let name = self.book.name_of(host);
        note.host == Some(host)
            || to == Some(host)
            || note.parts.iter().any(|part| part.about.as_deref() == name)
    }

    fn line(&self, note: &Note) -> String {
        let nobody = if note.way == Way::Here { "" } else { "?" };
        let host = note.host.map_or_else(|| nobody.to_owned(), label);
        let (arrow, to) = match note.way {
            Way::Here => ("*", None),
            Way::Packet { to, lost } => (if lost { "-x" } else { "->" }, Some(to)),
            Way::Stream { to, lost } => (if lost { "=x" } else { "=>" }, Some(to)),
        };
        let to = to.map(|to| self.book.place(to)).unwrap_or_default();
        let parts: Vec<&str> = note.parts.iter().map(|part| part.text.as_str()).collect();
        line(note.at, &host, arrow, &to, &parts.join(" + "))
    }

    fn note(&mut self, at: Instant, host: Option<u32>, way: Way, parts: Vec<Part>) {
        // An answer may make a probe idle afterwards.
        let may_be_shown = |part: &Part| {
            let is_probe = part.topic == Topic::Probes && self.shown.contains(&Topic::Idle);
            is_probe || self.shown.contains(&part.topic)
        };
        if !parts.iter().any(may_be_shown) {
            self.left_out.extend(host);
            return;
        }
        if let Some(host) = host {
            self.left_out.remove(&host);
        }
        self.notes.push(Note { at, host, way, parts });
    }

    fn here(&mut self, at: Instant, host: u32, part: Part) {
        self.note(at, Some(host), Way::Here, vec![part]);
    }

    fn parts(&self, body: &[u8]) -> Vec<Part> {
        memberlist::messages(body)
            .map(|message| match message {
                Ok(message) => Part::of(&message, &self.book),
                Err(reason) => Part::new(Topic::Claims, format!("refused: {reason}")),
            })
            .collect()
    }

    /// Answers say a number only; whom they are about stands in what was asked.
    fn follow(
        &mut self,
        host: u32,
        to: SocketAddr,
        message: &Result<Message<'_>, DecodeError>,
        part: &mut Part,
    ) {
        let asker = self.book.host_at(to).unwrap_or(u32::MAX);
        match message {
            Ok(Message::Ping(ping)) => {
                self.asked.insert((host, ping.seq.0), ping.node.to_owned());
            }
            Ok(Message::Ack(Ack { seq, .. }) | Message::Nack(Nack { seq })) => {
                part.about = self.asked.get(&(asker, seq.0)).cloned();
            }
            Ok(_) | Err(_) => {}
        }
    }

    /// A ping was answered at once: it and its answer are nothing special.
    fn quiet(&mut self, asker: u32, answerer: SocketAddr) {
        if !self.shown.contains(&Topic::Idle) && !self.shown.contains(&Topic::Probes) {
            return;
        }
        let answers = self.book.host_at(answerer);
        let home = self.book.address_of(asker);
        let ping = self.notes.iter_mut().rev().find_map(|note| {
            let is_ping = note.host == Some(asker)
                && matches!(note.way, Way::Packet { to, .. } if to == answerer);
            note.parts.first_mut().filter(|part| is_ping && part.seq.is_some())
        });
        let Some(ping) = ping else { return };
        ping.topic = Topic::Idle;
        let seq = ping.seq;
        let ack = self.notes.iter_mut().rev().find_map(|note| {
            let is_ack = note.host == answers
                && matches!(note.way, Way::Packet { to, .. } if Some(to) == home);
            note.parts.first_mut().filter(|part| is_ack && part.seq == seq)
        });
        if let Some(ack) = ack {
            ack.topic = Topic::Idle;
        }
    }
}

impl Part {
    fn new(topic: Topic, text: impl Into<String>) -> Self {
        Self { topic, text: text.into(), about: None, seq: None }
    }

    fn of(message: &Message<'_>, book: &Book) -> Self {
        let text = words::message(message, book);
        let (topic, about, seq) = match *message {
            Message::Ping(ping) => (Topic::Probes, None, Some(ping.seq)),
            Message::Ack(ack) => (Topic::Probes, None, Some(ack.seq)),
            Message::IndirectPing(ping) => (Topic::Probes, Some(ping.node), None),
            Message::Nack(_) => (Topic::Probes, None, None),
            Message::Suspect(suspect) => (Topic::Claims, Some(suspect.node), None),
            Message::Alive(alive) => (Topic::Claims, Some(alive.node), None),
            Message::Dead(dead) => (Topic::Claims, Some(dead.node), None),
            Message::User(_) => (Topic::User, None, None),
        };
        Self { topic, text, about: about.map(str::to_owned), seq }
    }
}

/// One line of a transcript.
pub(crate) fn line(at: Instant, host: &str, arrow: &str, to: &str, what: &str) -> String {
    let tenths = at.as_nanos() / 100_000;
    let time = format!("{}.{}", tenths / 10, tenths % 10);
    format!("{time:>8}  {host:<2} {arrow:<3}{to:<3} {what}")
}

/// What a host is called in scripts, whatever its node's name.
pub(crate) fn label(host: u32) -> String {
    format!("n{host}")
}

impl Onlooker for Tape {
    fn started(&mut self, now: Instant, host: u32, _shown: Instant, node: &Node) {
        let local = node.local();
        self.book.started(host, local.name(), local.address().socket_addr());
        let mut text = format!("starts at {}, incarnation {}", local.address(), local.incarnation);
        if local.name() != label(host) {
            text = format!("{text}, as {}", local.name());
        }
        self.here(now, host, Part::new(Topic::Processes, text));
    }

    fn stopped(&mut self, now: Instant, host: u32, how: Stop) {
        self.book.stopped(host);
        let text = match how {
            Stop::ProcessCrashed => "crashes",
            Stop::MachineCrashed => "crashes with its machine",
            Stop::Left => "ends",
        };
        self.here(now, host, Part::new(Topic::Processes, text));
    }

    fn fault(&mut self, now: Instant, fault: &Fault) {
        let text = toml::to_string(fault).expect("every fault can be written as TOML");
        let text = text.lines().collect::<Vec<_>>().join(", ");
        self.note(now, None, Way::Here, vec![Part::new(Topic::Faults, text)]);
    }

    fn calm(&mut self, now: Instant) {
        let part = Part::new(Topic::Faults, "all faults end");
        self.note(now, None, Way::Here, vec![part]);
    }

    fn before(&mut self, now: Instant, host: u32, input: &Input<'_>) {
        match *input {
            Input::Packet { from, body, .. } if self.book.host_at(from).is_none() => {
                let parts = self.parts(body);
                let to = self.book.address_of(host).unwrap_or(from);
                self.note(now, None, Way::Packet { to, lost: false }, parts);
            }
            Input::ExchangeEnded { end, .. } if end != ExchangeEnd::Closed => {
                let text = format!("its stream comes to nothing: {}", words::end(end));
                self.here(now, host, Part::new(Topic::Streams, text));
            }
            Input::Packet { .. }
            | Input::Exchange { .. }
            | Input::ExchangeMessage { .. }
            | Input::ExchangeEnded { .. }
            | Input::SendFailed { .. }
            | Input::Timeout
            | Input::Command(_) => {}
        }
    }

    fn sent(&mut self, now: Instant, packet: Sent<'_>) {
        let Sent { host, to, body, .. } = packet;
        let mut parts = self.parts(body);
        for (message, part) in memberlist::messages(body).zip(&mut parts) {
            self.follow(host, to, &message, part);
        }
        let lost = !self.book.is_up_at(to);
        self.note(now, Some(host), Way::Packet { to, lost }, parts);
    }

    fn sent_message(&mut self, now: Instant, host: u32, to: SocketAddr, body: &[u8]) {
        let lost = !self.book.is_up_at(to);
        let text = words::stream_message(body, &self.book);
        let part = Part::new(Topic::Streams, text);
        self.note(now, Some(host), Way::Stream { to, lost }, vec![part]);
    }

    fn lost(&mut self, _now: Instant, host: u32, to: SocketAddr) {
        if self.left_out.contains(&host) {
            return;
        }
        let last = self.notes.iter_mut().rev().find(|note| note.host == Some(host));
        match last.map(|note| &mut note.way) {
            Some(Way::Packet { to: there, lost } | Way::Stream { to: there, lost })
                if *there == to =>
            {
                *lost = true;
            }
            Some(Way::Here | Way::Packet { .. } | Way::Stream { .. }) | None => {}
        }
    }

    fn event(&mut self, now: Instant, host: u32, _shown: Instant, event: &Event) {
        if let Event::Pong { member, .. } = event {
            self.quiet(host, member.address().socket_addr());
        }
        let Some(text) = words::event(event, self.book.name_of(host), &self.book) else { return };
        let (topic, about) = match event {
            Event::Pong { member, .. } => (Topic::Pongs, Some(member.name())),
            Event::Member { member, .. } | Event::Conflict { member, .. } => {
                (Topic::Events, Some(member.name()))
            }
            Event::Refuted { .. }
            | Event::Health { .. }
            | Event::UserMessage { .. }
            | Event::UserState { .. }
            | Event::Reconnect { .. }
            | Event::LinkDegraded { .. }
            | Event::LinkRestored { .. }
            | Event::Completed { .. } => (Topic::Events, None),
        };
        let part = Part { about: about.map(str::to_owned), ..Part::new(topic, text) };
        self.here(now, host, part);
    }
}
