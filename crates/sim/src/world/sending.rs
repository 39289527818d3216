//! What nodes want done, and what the network makes of it.

use std::net::SocketAddr;
use std::time::Duration;

use mingle_proto::{Answer, Content as Kind, ExchangeEnd, ExchangeId, Instant, Output};
use mingle_wire::memberlist;

use super::World;
use super::mail::Content;
use super::streams::{End, Stream};
use crate::network::Link;
use crate::watch::{Onlooker as _, Sent, Turn};

/// Something that a process could not send yet.
#[derive(Debug)]
pub(super) enum Sending {
    Packet { to: SocketAddr, body: Vec<u8> },
    Dial { dial: Dial, body: Vec<u8> },
    Reply { exchange: ExchangeId, body: Vec<u8> },
    Close { exchange: ExchangeId },
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Dial {
    exchange: ExchangeId,
    to: SocketAddr,
    deadline: Instant,
    answer: Answer,
}

/// Bytes of the packets that open a stream.
const HANDSHAKE: usize = 60;

impl World {
    pub(super) fn perform(&mut self, host: u32, output: Output, buffer: &mut Vec<u8>) {
        let blocked = self.host(host).condition.is_mute();
        match output {
            Output::Packet { to, .. } => {
                let is_busy =
                    self.host(host).node.as_ref().is_some_and(mingle_proto::Node::is_busy);
                let packet = Sent { host, to, room: self.room, is_busy, body: buffer };
                self.watch.sent(self.now, packet);
                if blocked {
                    let body = self.bag.copy(buffer);
                    return self.wait(host, Sending::Packet { to, body });
                }
                self.send_packet(host, to, buffer);
            }
            Output::Dial { exchange, to, deadline, answer, content } => {
                finish(content, buffer);
                let dial = Dial { exchange, to, deadline, answer };
                self.watch.exchange(self.now, host, exchange, Turn::Dial);
                self.watch.sent_message(self.now, host, to, buffer);
                if blocked {
                    let body = self.bag.copy(buffer);
                    return self.wait(host, Sending::Dial { dial, body });
                }
                self.dial(host, dial, buffer);
            }
            Output::Reply { exchange, content } => {
                finish(content, buffer);
                self.watch.exchange(self.now, host, exchange, Turn::Reply);
                if let Some((_, stream)) = self.streams.find(host, exchange) {
                    let to = self.host(stream.dialer.host).address;
                    self.watch.sent_message(self.now, host, to, buffer);
                }
                if blocked {
                    let body = self.bag.copy(buffer);
                    return self.wait(host, Sending::Reply { exchange, body });
                }
                self.reply(host, exchange, buffer);
            }
            Output::Close { exchange } => {
                self.watch.exchange(self.now, host, exchange, Turn::Close);
                if blocked {
                    return self.wait(host, Sending::Close { exchange });
                }
                self.close(host, exchange);
            }
            Output::Event(event) => self.on_event(host, &event),
        }
    }

    fn wait(&mut self, host: u32, sending: Sending) {
        self.host_mut(host).outbox.push_back(sending);
    }

    /// Sends what could not be sent before.
    pub(super) fn send_waiting(&mut self, host: u32) {
        while let Some(sending) = self.host_mut(host).outbox.pop_front() {
            match sending {
                Sending::Packet { to, body } => {
                    self.send_packet(host, to, &body);
                    self.bag.give_back(body);
                }
                Sending::Dial { dial, body } => {
                    self.dial(host, dial, &body);
                    self.bag.give_back(body);
                }
                Sending::Reply { exchange, body } => {
                    self.reply(host, exchange, &body);
                    self.bag.give_back(body);
                }
                Sending::Close { exchange } => self.close(host, exchange),
            }
        }
    }

    fn send_packet(&mut self, host: u32, to: SocketAddr, body: &[u8]) {
        self.network.traffic.packets += 1;
        self.network.traffic.packet_bytes += body.len() as u64;
        self.transcript.add_bytes(body);
        let Some(&target) = self.book.get(&to) else {
            self.network.traffic.packets_undeliverable += 1;
            return self.watch.lost(self.now, host, to);
        };
        let link = Link { from: host, to: target };
        let passage = self.network.packet(link, body.len(), self.now, &mut self.rng);
        let Some(passage) = passage else { return self.watch.lost(self.now, host, to) };
        if passage.corrupt {
            self.watch.lost(self.now, host, to);
            self.network.traffic.packets_corrupted += 1;
            if !self.seal.refuses_corrupted_packet(body, &mut self.rng) {
                self.watch.corruption_accepted(self.now, host, to);
            }
            return;
        }
        let from = self.host(host).address;
        for after in [Some(passage.after), passage.copy].into_iter().flatten() {
            let body = self.bag.copy(body);
            self.mail(target, self.now + after, Content::Packet { from, body });
        }
    }

    fn dial(&mut self, host: u32, dial: Dial, body: &[u8]) {
        let Dial { exchange, to, deadline, answer } = dial;
        self.network.traffic.streams += 1;
        self.network.traffic.stream_bytes += body.len() as u64;
        self.transcript.add_bytes(body);
        let life = self.host(host).life;
        let stream = self.streams.dial(End { host, life, exchange }, deadline);
        self.plan_to_give_up(stream);

        let Some(&target) = self.book.get(&to) else {
            return self.watch.lost(self.now, host, to);
        };
        let Some(open) = self.handshake(host, target) else {
            return self.watch.lost(self.now, host, to);
        };
        let target_is_up = self.host(target).is_up();
        if !target_is_up && self.host(target).refuses {
            let end = ExchangeEnd::Unreachable;
            return self.mail(host, self.now + open, Content::Ended { stream, exchange, end });
        }
        if !target_is_up {
            return;
        }
        let Some(after) = self.message_passage(host, target, stream, body) else { return };
        let at = self.now + open + after;
        let from = self.host(host).address;
        let copy = self.bag.copy(body);
        self.mail(target, at, Content::Opened { stream, from, body: copy });
        if answer == Answer::None {
            let end = ExchangeEnd::Closed;
            self.mail(host, at, Content::Ended { stream, exchange, end });
        }
    }

    /// The dialer waits no longer than until its deadline, whatever its clock shows.
    pub(super) fn plan_to_give_up(&mut self, stream: u64) {
        let Some(Stream { dialer: End { host, exchange, .. }, deadline, .. }) =
            self.streams.get(stream)
        else {
            return;
        };
        let at = self.host(host).clock.when(deadline).max(self.now);
        self.mail(host, at, Content::Ended { stream, exchange, end: ExchangeEnd::TimedOut });
    }

    /// How long it takes until a stream is open; `None` when it never is.
    fn handshake(&mut self, host: u32, target: u32) -> Option<Duration> {
        let (there, back) = (Link { from: host, to: target }, Link { from: target, to: host });
        let there = self.network.message(there, HANDSHAKE, self.now, &mut self.rng)?;
        let back = self.network.message(back, HANDSHAKE, self.now, &mut self.rng)?;
        Some(there.after + back.after)
    }

    /// How long a message takes; `None` when it does not arrive as it was.
    fn message_passage(
        &mut self,
        from: u32,
        to: u32,
        stream: u64,
        body: &[u8],
    ) -> Option<Duration> {
        let link = Link { from, to };
        let passage = self.network.message(link, body.len(), self.now, &mut self.rng);
        if let Some(passage) = passage.filter(|passage| !passage.corrupt) {
            return Some(passage.after);
        }
        self.watch.lost(self.now, from, self.host(to).address);
        let passage = passage?;
        self.network.traffic.streams_corrupted += 1;
        if !self.seal.refuses_corrupted_message(body, &mut self.rng) {
            let to = self.host(to).address;
            self.watch.corruption_accepted(self.now, from, to);
        }
        self.end_for_dialer(stream, ExchangeEnd::Broken, passage.after);
        None
    }

    fn reply(&mut self, host: u32, exchange: ExchangeId, body: &[u8]) {
        let Some((id, stream)) = self.streams.find(host, exchange) else { return };
        self.streams.answered(id);
        self.network.traffic.stream_bytes += body.len() as u64;
        self.transcript.add_bytes(body);
        let dialer = stream.dialer;
        if let Some(after) = self.message_passage(host, dialer.host, id, body) {
            let body = self.bag.copy(body);
            let what = Content::Answered { stream: id, exchange: dialer.exchange, body };
            self.mail(dialer.host, self.now + after, what);
        }
    }

    /// A listener closes. Where it has answered, the dialer has what it wants.
    fn close(&mut self, host: u32, exchange: ExchangeId) {
        if let Some((id, _)) = self.streams.find(host, exchange) {
            self.streams.answered(id);
            self.end_for_dialer(id, ExchangeEnd::Closed, Duration::ZERO);
        }
    }

    /// The process at the other end of a stream is gone before it could answer.
    pub(super) fn refuse_stream(&mut self, host: u32, stream: u64) {
        if self.host(host).refuses {
            self.end_for_dialer(stream, ExchangeEnd::Broken, Duration::ZERO);
        }
    }

    /// A process that had one end of the stream is gone.
    pub(super) fn break_stream(&mut self, host: u32, stream: u64) {
        let Some(open) = self.streams.get(stream) else { return };
        if open.dialer.host == host {
            self.streams.close(stream);
        } else {
            self.refuse_stream(host, stream);
        }
    }

    fn end_for_dialer(&mut self, stream: u64, end: ExchangeEnd, after: Duration) {
        let Some(open) = self.streams.get(stream) else { return };
        let End { host, life, exchange } = open.dialer;
        if self.host(host).life == life {
            let back = open.listener.map_or(after, |listener| {
                let link = Link { from: listener.host, to: host };
                let passage = self.network.message(link, HANDSHAKE, self.now, &mut self.rng);
                passage.map_or(after, |passage| after + passage.after)
            });
            self.mail(host, self.now + back, Content::Ended { stream, exchange, end });
        }
    }
}

/// The layer above adds its state to a view; here that is none.
fn finish(content: Kind, buffer: &mut Vec<u8>) {
    if let Kind::PushPull { .. } = content {
        memberlist::append_user_state(buffer, &[]);
    }
}
