//! Messages and events in words.

use std::net::SocketAddr;

use mingle_proto::{Cause, Change, Done, Event, Evidence, ExchangeEnd, LinkKind, Sought, Via};
use mingle_wire::{
    Address, Alive, Dead, IndirectPing, Message, Nack, NodeState, Ping, StreamMessage, Suspect,
    memberlist,
};

use super::book::Book;

pub(super) fn message(message: &Message<'_>, book: &Book) -> String {
    match message {
        Message::Ping(Ping { seq, .. }) => format!("ping {seq:?}"),
        Message::IndirectPing(IndirectPing { seq, node, nack, .. }) => {
            let nack = if *nack { ", or nack" } else { "" };
            format!("ping {node} for me {seq:?}{nack}")
        }
        Message::Ack(ack) => format!("ack {:?}", ack.seq),
        Message::Nack(Nack { seq }) => format!("nack {seq:?}"),
        Message::Suspect(Suspect { incarnation, node, from }) => {
            format!("{node} suspect at {incarnation}, says {from}")
        }
        Message::Alive(claim) => alive(claim, book),
        Message::Dead(Dead { incarnation, node, from }) if node == from => {
            format!("{node} left at {incarnation}")
        }
        Message::Dead(Dead { incarnation, node, from }) => {
            format!("{node} dead at {incarnation}, says {from}")
        }
        Message::User(payload) => format!("user message of {} bytes", payload.len()),
    }
}

fn alive(claim: &Alive<'_>, book: &Book) -> String {
    let Alive { incarnation, node, .. } = claim;
    format!("{node} alive at {incarnation}{}", details(claim, book))
}

/// Where it is and what its meta is, unless both are as everybody expects.
fn details(claim: &Alive<'_>, book: &Book) -> String {
    let place = place(claim.address, book);
    let place = if place == claim.node { String::new() } else { format!(" on {place}") };
    let meta = claim.meta.escape_ascii();
    if claim.meta.is_empty() { place } else { format!("{place} with meta \"{meta}\"") }
}

fn place(address: Address, book: &Book) -> String {
    book.place(address.socket_addr())
}

pub(super) fn stream_message(body: &[u8], book: &Book) -> String {
    match memberlist::decode_stream(body) {
        Ok(StreamMessage::Ping(ping)) => format!("ping {:?}", ping.seq),
        Ok(StreamMessage::Ack(ack)) => format!("ack {:?}", ack.seq),
        Ok(StreamMessage::PushPull(view)) => {
            let mut records: Vec<String> = view
                .records()
                .map(|record| match record {
                    Ok(record) => self::record(&record, book),
                    Err(reason) => format!("refused: {reason}"),
                })
                .collect();
            records.sort();
            let join = if view.join { "join" } else { "push/pull" };
            format!("{join}: {}", records.join(", "))
        }
        Ok(StreamMessage::User(payload) | StreamMessage::Numbered { payload, .. }) => {
            format!("user message of {} bytes", payload.len())
        }
        Ok(StreamMessage::Error(text)) => format!("error {text:?}"),
        Err(reason) => format!("refused: {reason}"),
    }
}

fn record(record: &NodeState<'_>, book: &Book) -> String {
    let NodeState { state, alive } = record;
    format!("{} {state} at {}{}", alive.node, alive.incarnation, details(alive, book))
}

pub(super) const fn end(end: ExchangeEnd) -> &'static str {
    match end {
        ExchangeEnd::Closed => "closed without an answer",
        ExchangeEnd::Unreachable => "refused",
        ExchangeEnd::TimedOut => "no answer in time",
        ExchangeEnd::Broken => "broken",
        ExchangeEnd::NoRoom => "too many are open",
    }
}

/// What a node tells; `None` where another event tells the same.
pub(super) fn event(event: &Event, teller: Option<&str>, book: &Book) -> Option<String> {
    Some(match event {
        Event::Member { change: Change::Renewed, member, .. } if Some(member.name()) == teller => {
            return None;
        }
        Event::Member { change, member, evidence } => {
            let (name, incarnation) = (member.name(), member.incarnation);
            let was = match evidence.before {
                Some(state) if *change == Change::Joined => format!(", was {state}"),
                Some(_) | None => String::new(),
            };
            let why = why(*change, evidence, book);
            format!("{name} {} at {incarnation}{was}: {why}", change.as_str())
        }
        Event::Conflict { member, other } => {
            let (held, other) = (place(member.address(), book), place(*other, book));
            format!("conflict: {} is on {held}, and another one on {other}", member.name())
        }
        Event::Refuted { incarnation, evidence } => {
            let Evidence { cause, via, incarnation: claimed, .. } = evidence;
            format!("refutes at {incarnation}: {cause} at {claimed}{}", self::via(*via, book))
        }
        Event::Health { score } => format!("health score {score}"),
        Event::UserMessage { from, payload, .. } => {
            let from = book.place(*from);
            format!("hears a user message of {} bytes from {from}", payload.len())
        }
        Event::UserState { .. } => return None,
        Event::Pong { member, rtt, .. } => format!("{} answered in {rtt:.1?}", member.name()),
        Event::LinkDegraded { member, kind, since: _ } => {
            let way = match kind {
                LinkKind::StreamsOnly => "on streams",
                LinkKind::HelpersOnly => "by helpers",
            };
            format!("hears {} only {way}", member.name())
        }
        Event::LinkRestored { member, .. } => {
            format!("hears {} by direct packets again", member.name())
        }
        Event::Reconnect { to, sought, result } => {
            let whom = match sought {
                Sought::Seed => "a seed",
                Sought::Remembered => "a member of before",
                Sought::Failed => "a failed member",
            };
            let place = book.place(*to);
            match result {
                Ok(Done::Joined { members }) => {
                    format!("has found {whom} on {place}, with {members} live")
                }
                // In vain is the rule while somebody is down.
                Ok(Done::Left { .. } | Done::MetaSet | Done::Sent | Done::ForcedOut) | Err(_) => {
                    return None;
                }
            }
        }
        Event::Completed { result: Ok(done), .. } => match done {
            Done::Joined { members } => format!("has joined {members} live"),
            Done::Left { confirmed } if confirmed.is_empty() => "has said goodbye".to_owned(),
            Done::Left { confirmed } => {
                format!("has said goodbye, as {} confirmed", confirmed.join(", "))
            }
            Done::MetaSet => "has set its meta".to_owned(),
            Done::Sent => "has sent it".to_owned(),
            Done::ForcedOut => "has said it for the dead".to_owned(),
        },
        Event::Completed { result: Err(error), .. } => format!("can't: {error}"),
    })
}

fn why(change: Change, evidence: &Evidence, book: &Book) -> String {
    let Evidence { cause, via, last_ack, lag, .. } = evidence;
    let mut text = format!("{cause}{}", self::via(*via, book));
    let accused = matches!(change, Change::Suspected | Change::Failed);
    if let Some(age) = last_ack.filter(|_| accused && !matches!(cause, Cause::Goodbye)) {
        text.push_str(&format!("; last ack {age:.1?} ago"));
    }
    if !lag.is_zero() {
        text.push_str(&format!("; own timers {lag:.1?} late"));
    }
    text
}

fn via(via: Via, book: &Book) -> String {
    let place = |address: SocketAddr| book.place(address);
    match via {
        Via::Own => String::new(),
        Via::Packet(from) => format!(" (packet from {})", place(from)),
        Via::Stream(with) => format!(" (stream with {})", place(with)),
    }
}
