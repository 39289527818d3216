//! What comes in packets, but for claims.

use std::net::SocketAddr;

use mingle_wire::{Ack, Address, IndirectPing, Message, Nack, Ping, SeqNo, Source, memberlist};
use serde::{Deserialize, Serialize};

use super::Node;
use super::writing::Intent;
use crate::timers::Timer;
use crate::{Counter, Event, Instant, Nacks, Via};

/// Pings on behalf of others that may be under way at once.
pub(super) const MAX_RELAYS: usize = 1024;

/// A ping on behalf of somebody else (spec 8.3).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Relay {
    requester: SocketAddr,
    /// The requester's number.
    seq: SeqNo,
    /// Whether it wants to know when there is no answer.
    nack: bool,
}

impl Node {
    pub(super) fn on_packet(&mut self, from: SocketAddr, received: Instant, body: &[u8]) {
        for message in memberlist::messages(body) {
            match message {
                Ok(message) => self.on_message(from, received, message),
                Err(reason) => self.counters.refuse(reason),
            }
        }
    }

    fn on_message(&mut self, from: SocketAddr, received: Instant, message: Message<'_>) {
        match message {
            Message::Ping(ping) => self.on_ping(from, &ping),
            Message::IndirectPing(ping) => self.on_indirect_ping(from, &ping),
            Message::Ack(ack) => self.on_ack(from, &ack, received),
            Message::Nack(nack) => self.on_nack(nack),
            Message::Alive(alive) => {
                self.counters.count(Counter::AlivesReceived);
                self.on_alive_packet(from, &alive);
            }
            Message::Suspect(suspect) => {
                self.counters.count(Counter::SuspectsReceived);
                self.on_suspect(&suspect, Via::Packet(from));
            }
            Message::Dead(dead) => {
                self.counters.count(Counter::DeadsReceived);
                self.on_dead(&dead, Via::Packet(from));
            }
            Message::User(payload) => {
                self.counters.count(Counter::UserMessagesReceived);
                let payload = payload.to_vec();
                self.emit(Event::UserMessage { from, via: Via::Packet(from), payload });
            }
        }
    }

    fn on_ping(&mut self, from: SocketAddr, ping: &Ping<'_>) {
        self.counters.count(Counter::PingsReceived);
        if self.is_for_another(ping.node) || self.is_from_ourselves(&ping.source) {
            self.counters.count(Counter::PingsForOthers);
            return;
        }
        let to = answer_address(&ping.source, from);
        let asker = self.members.find(ping.source.node);
        let noted = asker.is_some_and(|key| self.tells(self.members.get(key).profile.versions()));
        self.intents.push_back(Intent::Ack { to, seq: ping.seq, noted });
    }

    /// Pings name their target, so that who reuses an address does not answer for its last holder.
    pub(super) fn is_for_another(&self, name: &str) -> bool {
        !name.is_empty() && name != self.members.local().profile.name()
    }

    /// Who asks for its own name at an address that is its own too must not hear itself.
    fn is_from_ourselves(&self, source: &Source<'_>) -> bool {
        let local = &self.members.local().profile;
        source.node == local.name()
            && source.address.is_some_and(|address| address.same_endpoint(&local.address()))
    }

    fn on_indirect_ping(&mut self, from: SocketAddr, ping: &IndirectPing<'_>) {
        self.counters.count(Counter::IndirectPingsReceived);
        if self.relays.len() >= MAX_RELAYS {
            self.counters.count(Counter::RelaysRefused);
            return;
        }
        let seq = self.next_seq();
        let patience = match self.config.rules.nacks {
            Nacks::AtTimeout => self.config.probe_timeout,
            // Others may ask for one all the same.
            Nacks::InTime | Nacks::Never => self.config.probe_timeout * 4 / 5,
        };
        let requester = answer_address(&ping.source, from);
        self.relays.insert(seq, Relay { requester, seq: ping.seq, nack: ping.nack });
        self.timers.set(Timer::Relay(seq), self.now + patience);
        let port = self.port_or_own(ping.target.port);
        let to = Address { port, ..ping.target }.socket_addr();
        self.intents.push_back(Intent::RelayPing { to, seq, node: ping.node.into() });
    }

    /// Port 0 in what peers say means our own bind port (spec 2.7).
    pub(super) fn port_or_own(&self, port: u16) -> u16 {
        if port == 0 { self.bind_port } else { port }
    }

    fn on_ack(&mut self, from: SocketAddr, ack: &Ack<'_>, received: Instant) {
        self.counters.count(Counter::AcksReceived);
        if self.probe.as_ref().is_some_and(|probe| probe.seq == ack.seq) {
            self.on_probe_ack(from, ack, received);
        } else if self.on_inquiry_ack(ack.seq, ack.payload) {
            // It is done.
        } else if let Some(relay) = self.relays.remove(&ack.seq) {
            self.timers.cancel(Timer::Relay(ack.seq));
            self.intents.push_back(Intent::RelayAck { to: relay.requester, seq: relay.seq });
        } else {
            self.counters.count(Counter::AnswersUnasked);
        }
    }

    fn on_nack(&mut self, nack: Nack) {
        self.counters.count(Counter::NacksReceived);
        match &mut self.probe {
            Some(probe) if probe.seq == nack.seq => {
                probe.nacks = (probe.nacks + 1).min(probe.nacks_expected);
            }
            Some(_) | None => self.counters.count(Counter::AnswersUnasked),
        }
    }

    pub(super) fn on_relay_timeout(&mut self, seq: SeqNo) {
        if let Some(relay) = self.relays.remove(&seq).filter(|relay| relay.nack) {
            self.intents.push_back(Intent::Nack { to: relay.requester, seq: relay.seq });
        }
    }
}

/// Acks go to the address that the ping states, else to where it came from (spec 2.7).
fn answer_address(source: &Source<'_>, from: SocketAddr) -> SocketAddr {
    source.address.map_or(from, |address| address.socket_addr())
}
