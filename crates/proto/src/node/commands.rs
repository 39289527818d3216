//! What our own side wants.

use std::net::SocketAddr;

use mingle_wire::{Capabilities, Checksum, MAX_META, StreamMessage};

use super::exchanges::{MAX_EXCHANGES, Purpose};
use super::writing::Intent;
use super::{Leaving, Node};
use crate::members::MemberKey;
use crate::{
    Cause, Change, Command, Done, Event, MAX_ACK_PAYLOAD, MAX_STREAM_PAYLOAD, Profile, Recipient,
    RequestError, RequestId, Via, formulas,
};

/// A user message in a packet is no longer than a datagram can be; what fits is known when it is
/// written.
const MOST_IN_PACKET: usize = 65_507;

impl Node {
    pub(super) fn on_command(&mut self, command: Command<'_>) {
        match command {
            Command::Join { request, to } => self.join(request, to),
            Command::Leave { request } => self.leave(request),
            Command::SetMeta { request, meta } => self.set_meta(request, meta),
            Command::SetAckPayload(payload) if payload.len() > MAX_ACK_PAYLOAD => {}
            Command::SetAckPayload(payload) => payload.clone_into(&mut self.ack_payload),
            Command::AddSeed { address, kind } => self.add_seed(address, kind),
            Command::RemoveSeed { address } => self.remove_seed(address),
            Command::Send { request, to, payload } => self.send(request, to, payload),
            Command::SendStream { request, to, payload } => self.send_stream(request, to, payload),
            Command::ForceLeave { request, name } => self.force_leave(request, name),
        }
    }

    pub(super) fn complete(&mut self, request: RequestId, result: Result<Done, RequestError>) {
        self.emit(Event::Completed { request, result });
    }

    fn join(&mut self, request: RequestId, to: SocketAddr) {
        if self.leaving != Leaving::No {
            return self.complete(request, Err(RequestError::Leaving));
        }
        let ours = self.members.local().profile.address();
        if ours.same_endpoint(&to.into()) {
            return self.complete(request, Err(RequestError::Ourselves { to }));
        }
        match self.open(Purpose::Join { request, to }) {
            Some(exchange) => {
                self.intents.push_back(Intent::PushPull { exchange, to, join: true });
            }
            None => self.complete(request, Err(TOO_MANY)),
        }
    }

    pub(super) fn retransmit_limit(&self) -> u32 {
        formulas::retransmit_limit(self.config.retransmit_mult, self.members.len())
    }

    fn set_meta(&mut self, request: RequestId, meta: &[u8]) {
        if self.leaving != Leaving::No {
            return self.complete(request, Err(RequestError::Leaving));
        }
        if meta.len() > MAX_META {
            let (length, limit) = (meta.len(), MAX_META);
            let remedy = "shorten or drop tags";
            return self.complete(request, Err(RequestError::TooLong { length, limit, remedy }));
        }
        let held = self.members.local().profile.clone();
        if held.meta() == meta {
            return self.complete(request, Ok(Done::MetaSet));
        }
        let incarnation = self.local_incarnation().next();
        let alive = mingle_wire::Alive { meta, ..held.alive(incarnation) };
        let profile = Profile::of(&alive, alive.address.port);
        let evidence = self.evidence(MemberKey::LOCAL, incarnation, Cause::Announced, Via::Own);
        self.members.set_profile(MemberKey::LOCAL, profile, self.local_incarnation());
        self.raise_own(incarnation);
        self.emit_change(Change::Updated, MemberKey::LOCAL, evidence);
        self.complete(request, Ok(Done::MetaSet));
    }

    /// Where a message goes, and whether it may have a checksum. A name must be a live member's; an
    /// address may be anybody's.
    fn resolve(&self, to: Recipient<'_>) -> Result<(SocketAddr, Checksum), RequestError> {
        let name = match to {
            Recipient::Address(to) => return Ok((to, Checksum::Omit)),
            Recipient::Member(name) => name,
        };
        let slot = self.members.find(name).map(|key| self.members.get(key));
        let Some(slot) = slot.filter(|slot| slot.state.is_live()) else {
            return Err(RequestError::NoSuchMember { name: name.into() });
        };
        Ok((slot.profile.address().socket_addr(), checksum_for(slot.profile.versions())))
    }

    fn send(&mut self, request: RequestId, to: Recipient<'_>, payload: &[u8]) {
        let resolved = self.resolve(to).and_then(|resolved| {
            check_length(payload, MOST_IN_PACKET, "send it on a stream")?;
            Ok(resolved)
        });
        match resolved {
            Err(error) => self.complete(request, Err(error)),
            Ok((to, checksum)) => {
                let payload = payload.into();
                self.intents.push_back(Intent::User { request, to, checksum, payload });
            }
        }
    }

    /// Where a live member is that keeps streams for messages of the application, as mingle nodes do with each other.
    #[must_use]
    pub fn keeps_streams(&self, to: Recipient<'_>) -> Option<SocketAddr> {
        let key = match to {
            Recipient::Member(name) => self.members.find(name)?,
            Recipient::Address(address) => self.members.find_live_at(address)?,
        };
        let ours = self.members.local().profile.versions();
        let slot = self.members.get(key);
        let theirs = slot.profile.versions();
        let both = Capabilities::of(ours).mingle && Capabilities::of(theirs).mingle;
        (slot.state.is_live() && both).then(|| slot.profile.address().socket_addr())
    }

    fn send_stream(&mut self, request: RequestId, to: Recipient<'_>, payload: &[u8]) {
        let resolved = self.resolve(to).and_then(|(to, _)| {
            check_length(payload, MAX_STREAM_PAYLOAD, "split it")?;
            let purpose = Purpose::User { request, to };
            Ok((to, self.open(purpose).ok_or(TOO_MANY)?))
        });
        match resolved {
            Err(error) => self.complete(request, Err(error)),
            Ok((to, exchange)) => {
                let mut message = Vec::with_capacity(payload.len() + 32);
                StreamMessage::User(payload).encode(&mut message);
                self.intents.push_back(Intent::UserStream { exchange, to, message });
            }
        }
    }
}

const TOO_MANY: RequestError = RequestError::TooMany { limit: MAX_EXCHANGES };

fn check_length(payload: &[u8], limit: usize, remedy: &'static str) -> Result<(), RequestError> {
    let length = payload.len();
    if length > limit { Err(RequestError::TooLong { length, limit, remedy }) } else { Ok(()) }
}

/// Go adds a checksum to what it sends to a member that it has at hand (spec 2.3).
pub(super) fn checksum_for(versions: mingle_wire::Versions) -> Checksum {
    if Capabilities::of(versions).checksum { Checksum::Add } else { Checksum::Omit }
}
