//! Whole messages on streams: views, pings and user messages.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use mingle_wire::{
    Ack, Dead, Incarnation, NodeState, Ping, PushPull, SeqNo, State, StreamMessage, memberlist,
};
use serde::{Deserialize, Serialize};

use super::Node;
use super::writing::Intent;
use crate::law::{Belief, Judgement, judge};
use crate::members::{MemberKey, Slot};
use crate::{
    Cause, Content, Counter, Done, Event, ExchangeEnd, ExchangeId, Hearsay, Instant, Refutations,
    RequestError, RequestId, Sought, StreamPing, Via,
};

/// Exchanges that we may have under way at once.
pub(super) const MAX_EXCHANGES: usize = 1024;

/// So that a peer that accuses without end does not make us dial without end.
const BETWEEN_SHOWINGS: Duration = Duration::from_secs(1);

/// What we dialled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Purpose {
    Join {
        request: RequestId,
        to: SocketAddr,
    },
    PushPull {
        with: SocketAddr,
    },
    /// Somebody is missing there.
    Reconnect {
        to: SocketAddr,
        sought: Sought,
    },
    Ping {
        seq: SeqNo,
    },
    /// A ping besides the probe's.
    Inquiry {
        seq: SeqNo,
    },
    /// The last resort of a goodbye.
    Goodbye {
        with: MemberKey,
    },
    User {
        request: RequestId,
        to: SocketAddr,
    },
}

/// Who beside ourselves lives in a view.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    Nobody,
    /// Nobody but one of our name, at another address.
    Namesake,
    Some,
}

impl Node {
    /// A number for an exchange; `None` when too many are under way.
    pub(super) fn open(&mut self, purpose: Purpose) -> Option<ExchangeId> {
        if self.exchanges.len() >= MAX_EXCHANGES {
            self.counters.count(Counter::ExchangesRefused);
            return None;
        }
        let number = self.next_exchange;
        self.next_exchange += 1;
        self.exchanges.insert(number, purpose);
        Some(ExchangeId::Ours(number))
    }

    /// A peer dialled.
    pub(super) fn on_exchange(&mut self, exchange: ExchangeId, from: SocketAddr, body: &[u8]) {
        match memberlist::decode_stream(body) {
            Ok(StreamMessage::Ping(ping)) => self.answer_ping(exchange, &ping),
            Ok(StreamMessage::PushPull(view)) => self.answer_view(exchange, from, &view),
            Ok(StreamMessage::User(payload) | StreamMessage::Numbered { payload, .. }) => {
                self.counters.count(Counter::UserMessagesReceived);
                let payload = payload.to_vec();
                self.emit(Event::UserMessage { from, via: Via::Stream(from), payload });
            }
            Ok(StreamMessage::Ack(_) | StreamMessage::Error(_)) => {
                self.counters.count(Counter::ExchangesRefused);
            }
            Err(reason) => self.counters.refuse(reason),
        }
        self.intents.push_back(Intent::Close { exchange });
    }

    /// Spec 5.3: a ping for another name is not answered at all.
    fn answer_ping(&mut self, exchange: ExchangeId, ping: &Ping<'_>) {
        self.counters.count(Counter::StreamPingsReceived);
        if self.is_for_another(ping.node) {
            self.counters.count(Counter::PingsForOthers);
            return;
        }
        let mut message = Vec::new();
        StreamMessage::Ack(Ack { seq: ping.seq, payload: &[] }).encode(&mut message);
        self.intents.push_back(Intent::Reply { exchange, message, content: Content::Whole });
    }

    /// Spec 5.4: the answer is our view before theirs is merged.
    fn answer_view(&mut self, exchange: ExchangeId, from: SocketAddr, view: &PushPull<'_>) {
        self.counters.count(Counter::PushPullsReceived);
        let mut message = Vec::new();
        self.write_view(view.join, Some(view), &mut message);
        let content = Content::PushPull { join: view.join };
        self.intents.push_back(Intent::Reply { exchange, message, content });
        // A refusal is counted in there; the peer finds the same in our answer.
        let _ = self.merge(from, view);
    }

    /// Our own exchange was answered.
    pub(super) fn on_exchange_message(&mut self, exchange: ExchangeId, body: &[u8]) {
        let ExchangeId::Ours(number) = exchange else { return };
        let Some(purpose) = self.exchanges.remove(&number) else { return };
        self.intents.push_back(Intent::Close { exchange });
        let message = memberlist::decode_stream(body);
        if let Err(reason) = message {
            self.counters.refuse(reason);
        }
        match (purpose, message) {
            (Purpose::Join { request, to }, message) => {
                let result = self.on_join_answer(to, message.ok());
                self.complete(request, result);
            }
            (Purpose::Reconnect { to, sought }, message) => {
                let result = self.on_join_answer(to, message.ok());
                self.on_reconnected(to, sought, result);
            }
            (Purpose::PushPull { with }, Ok(StreamMessage::PushPull(view))) => {
                self.counters.count(Counter::PushPullsReceived);
                let before = self.members.live_others();
                // A refusal is counted in there, and nobody waits for it.
                let _ = self.merge_answer(with, &view);
                self.on_exchanged(exchange, before);
            }
            (Purpose::Ping { seq }, Ok(StreamMessage::Ack(ack))) if ack.seq == seq => {
                self.on_stream_ping(seq, StreamPing::Answered);
            }
            (Purpose::Inquiry { seq }, Ok(StreamMessage::Ack(ack))) if ack.seq == seq => {
                self.on_inquiry_ack(seq, ack.payload);
            }
            (Purpose::Goodbye { with }, Ok(StreamMessage::PushPull(_))) => self.on_receipt(with),
            (Purpose::Ping { seq }, _) => self.on_stream_ping(seq, StreamPing::Failed),
            (
                Purpose::PushPull { .. }
                | Purpose::Inquiry { .. }
                | Purpose::Goodbye { .. }
                | Purpose::User { .. },
                _,
            ) => {
                self.counters.count(Counter::ExchangesRefused);
            }
        }
    }

    fn on_join_answer(
        &mut self,
        to: SocketAddr,
        message: Option<StreamMessage<'_>>,
    ) -> Result<Done, RequestError> {
        match message {
            Some(StreamMessage::PushPull(view)) => {
                self.counters.count(Counter::PushPullsReceived);
                let others = self.others_in(&view);
                let before = self.members.live_others();
                if others == Others::Nobody {
                    return Err(RequestError::Ourselves { to });
                }
                let members = self.merge_answer(to, &view)?;
                if others == Others::Namesake {
                    let name = self.members.local().profile.name().into();
                    return Err(RequestError::Namesake { to, name });
                }
                self.begin_comparing(to, before);
                Ok(Done::Joined { members })
            }
            Some(StreamMessage::Error(text)) => {
                Err(RequestError::Remote { to, text: text.to_owned() })
            }
            Some(
                StreamMessage::Ping(_)
                | StreamMessage::Ack(_)
                | StreamMessage::User(_)
                | StreamMessage::Numbered { .. },
            )
            | None => Err(RequestError::Malformed { to }),
        }
    }

    pub(super) fn on_exchange_ended(&mut self, exchange: ExchangeId, end: ExchangeEnd) {
        let ExchangeId::Ours(number) = exchange else { return };
        let Some(purpose) = self.exchanges.remove(&number) else { return };
        match purpose {
            Purpose::User { request, .. } if end == ExchangeEnd::Closed => {
                self.complete(request, Ok(Done::Sent));
            }
            Purpose::Reconnect { to, sought } => {
                self.on_reconnected(to, sought, Err(RequestError::Exchange { to, end }));
            }
            Purpose::Join { request, to } | Purpose::User { request, to } => {
                self.complete(request, Err(RequestError::Exchange { to, end }));
            }
            Purpose::Ping { seq } => {
                let silent = end == ExchangeEnd::TimedOut;
                let outcome = if silent { StreamPing::Silent } else { StreamPing::Failed };
                self.on_stream_ping(seq, outcome);
            }
            Purpose::PushPull { .. } | Purpose::Inquiry { .. } | Purpose::Goodbye { .. } => {}
        }
    }

    /// Takes in a peer's view (spec section 10), and says how many live members it has.
    fn merge(&mut self, from: SocketAddr, view: &PushPull<'_>) -> Result<u32, RequestError> {
        if let Some(node) = self.incompatible(view) {
            self.counters.count(Counter::PushPullsIncompatible);
            return Err(RequestError::Versions { node });
        }
        let mut live = 0;
        for record in view.records() {
            match record {
                Ok(record) => {
                    live += u32::from(record.state.is_live());
                    self.take_record(&record, Via::Stream(from));
                }
                Err(reason) => {
                    self.counters.count(Counter::RecordsRefused);
                    self.counters.refuse(reason);
                }
            }
        }
        if !view.user_state.is_empty() {
            self.user_states = true;
            let state = view.user_state.to_vec();
            self.emit(Event::UserState { from, join: view.join, state });
        }
        Ok(live)
    }

    /// Every view has its owner in it, so one in which nobody else lives is ours.
    fn others_in(&self, view: &PushPull<'_>) -> Others {
        let mut others = Others::Nobody;
        for record in view.records().flatten().filter(|record| record.state.is_live()) {
            if self.members.find(record.alive.node) != Some(MemberKey::LOCAL) {
                return Others::Some;
            }
            let port = self.port_or_own(record.alive.address.port);
            if !self.is_at(MemberKey::LOCAL, &record.alive, port) {
                others = Others::Namesake;
            }
        }
        others
    }

    /// Takes in the view of a peer that we dialled. If it made us refute something, the peer is shown.
    fn merge_answer(&mut self, from: SocketAddr, view: &PushPull<'_>) -> Result<u32, RequestError> {
        let before = self.local_incarnation();
        let live = self.merge(from, view)?;
        if self.local_incarnation() > before {
            self.show_refutation(from);
        }
        Ok(live)
    }

    /// Sends our view, with the refutation in it, to somebody who may not hear our gossip. On a
    /// stream, because its address is not verified.
    pub(super) fn show_refutation(&mut self, to: SocketAddr) {
        let rested = |shown: Instant| self.now.since(shown) >= BETWEEN_SHOWINGS;
        let due = self.last_shown.is_none_or(rested);
        if self.config.rules.refutations == Refutations::Gossiped || !due {
            return;
        }
        self.last_shown = Some(self.now);
        if let Some(exchange) = self.open(Purpose::PushPull { with: to }) {
            self.intents.push_back(Intent::PushPull { exchange, to, join: false });
        }
    }

    /// What a peer holds for dead is only suspected here; who left has left.
    fn take_record(&mut self, record: &NodeState<'_>, via: Via) {
        let NodeState { state, alive } = record;
        let incarnation = alive.incarnation;
        match state {
            State::Alive => self.on_alive(alive, via),
            State::Left => {
                let dead = Dead { incarnation, node: alive.node, from: alive.node };
                self.on_dead(&dead, via);
            }
            State::Suspect | State::Dead => {
                let cause = Cause::HeardDown { state: *state };
                match self.members.find(alive.node) {
                    None => self.counters.count(Counter::ClaimsAboutStrangers),
                    Some(MemberKey::LOCAL) => self.on_accused(incarnation, cause, via),
                    Some(key) => self.weigh_hearsay(key, *state, incarnation, via),
                }
            }
        }
    }

    /// A peer's view has a member suspect or dead.
    fn weigh_hearsay(&mut self, key: MemberKey, state: State, incarnation: Incarnation, via: Via) {
        let held = self.members.get(key).belief();
        let claim = Belief { incarnation, state: State::Suspect };
        let asked = self.config.rules.hearsay == Hearsay::Asked;
        match judge(self.config.rules.beliefs, held, claim) {
            Judgement::Adopt if asked && held.state == State::Alive => {
                self.ask_about_hearsay(key, state, incarnation, via);
            }
            Judgement::Known if asked => self.counters.count(Counter::ClaimsKnown),
            Judgement::Adopt | Judgement::Known | Judgement::Stale => {
                let cause = Cause::HeardDown { state };
                self.accuse(key, incarnation, cause, via, Duration::ZERO);
            }
        }
    }

    /// A node whose versions somebody alive does not understand (spec section 6).
    fn incompatible(&self, view: &PushPull<'_>) -> Option<std::sync::Arc<str>> {
        let mut understood = self.members.stated().understood();
        let mut stated = BTreeSet::new();
        let mut last = None;
        for record in view.records().flatten() {
            let versions = record.alive.versions;
            if record.state == State::Alive {
                understood.narrow(versions);
            }
            if last.replace(versions) != Some(versions) {
                stated.insert(versions);
            }
        }
        let mut all = stated.into_iter().chain(self.members.stated().all());
        let wrong = all.find(|&versions| !understood.holds(versions))?;
        let theirs = view.records().flatten().find(|record| record.alive.versions == wrong);
        match theirs {
            Some(record) => Some(record.alive.node.into()),
            None => {
                let ours = self.members.iter().find(|slot| slot.profile.versions() == wrong);
                ours.map(|slot| slot.profile.name().into())
            }
        }
    }

    /// Writes what we believe, ourselves included: of all who live, of those who went not long ago,
    /// and of those others whom the view that is answered has alive.
    pub(super) fn write_view(
        &self,
        join: bool,
        answered: Option<&PushPull<'_>>,
        out: &mut Vec<u8>,
    ) {
        let unaware = self.gone_but_alive_in(answered);
        let recent = self.config.gossip_to_the_dead_time;
        let is_told = |(key, slot): &(MemberKey, &Slot)| {
            let is_recent = self.now.since(slot.since()) <= recent;
            *key == MemberKey::LOCAL || slot.state.is_live() || is_recent || unaware.contains(key)
        };
        let told = self.members.entries().filter(is_told);
        let count = u32::try_from(told.clone().count()).unwrap_or(u32::MAX);
        let mut writer = memberlist::PushPullWriter::new(out, join, count);
        for (_, slot) in told {
            let alive = slot.profile.alive(slot.incarnation);
            writer.record(&NodeState { state: slot.state, alive });
        }
        writer.finish();
    }

    /// Members that are gone, and that this view has alive.
    fn gone_but_alive_in(&self, view: Option<&PushPull<'_>>) -> BTreeSet<MemberKey> {
        let Some(view) = view.filter(|_| self.members.gone() > 0) else { return BTreeSet::new() };
        let live = view.records().flatten().filter(|record| record.state.is_live());
        let known = live.filter_map(|record| self.members.find(record.alive.node));
        known.filter(|&key| !self.members.get(key).state.is_live()).collect()
    }
}
