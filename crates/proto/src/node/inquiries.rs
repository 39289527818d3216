//! Pings besides the probe: to ask a member about itself before something is believed of it, and to
//! have a goodbye acknowledged.

use std::net::SocketAddr;
use std::time::Duration;

use mingle_wire::memberlist::ViewNote;
use mingle_wire::{Alive, Capabilities, Incarnation, SeqNo, State};
use serde::{Deserialize, Serialize};

use super::exchanges::Purpose;
use super::writing::Intent;
use super::{Leaving, Node};
use crate::members::{MemberKey, Slot};
use crate::timers::Timer;
use crate::{Cause, Counter, Instant, Profile, Via};

/// Inquiries that may be under way at once, last words not counted: of those there is one at most for
/// each suspicion.
pub(super) const MAX_INQUIRIES: usize = 256;
/// For so long two nodes that both answer to one name are not asked again.
const CONTESTED: Duration = Duration::from_secs(30);

/// For so long at least somebody who has answered to our name is taken to live: he is asked again when
/// anybody tells us of him, in a push/pull if not before.
const NAMESAKE: Duration = Duration::from_secs(120);

/// Somebody else who answers to our name.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Namesake {
    pub(super) at: SocketAddr,
    answered: Instant,
}

/// A ping that is none of the probe's, and what its answer decides.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Inquiry {
    /// Whom it is about; ourselves where our own name is claimed elsewhere.
    about: MemberKey,
    question: Question,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Question {
    /// A higher incarnation of it claims to be elsewhere: is it still where it was?
    StillThere { claimed: Profile, incarnation: Incarnation, via: Via },
    /// A peer's view has it suspect or dead: is it there?
    Hearsay { state: State, incarnation: Incarnation, via: Via },
    /// We say goodbye: has it heard?
    Goodbye,
    /// We have joined: which view does it have?
    View,
    /// Somebody has our name at another address: does anybody answer to it there?
    OurName { at: SocketAddr, incarnation: Incarnation, via: Via },
}

impl Node {
    /// Inquiries count in the upper half of all numbers, probes and relays in the lower one.
    fn next_inquiry(&mut self) -> SeqNo {
        self.inquiry_seq = self.inquiry_seq.wrapping_add(1);
        SeqNo(self.inquiry_seq | Self::INQUIRIES)
    }

    /// The bit that sets the numbers of inquiries apart from those of probes.
    pub const INQUIRIES: u32 = 1 << 31;

    /// Begins an inquiry, unless too many are under way; that is counted.
    pub(super) fn inquire(&mut self, about: MemberKey, question: Question) -> Option<SeqNo> {
        if self.inquiries.len() >= MAX_INQUIRIES {
            self.counters.count(Counter::InquiriesRefused);
            return None;
        }
        self.counters.count(Counter::Inquiries);
        let seq = self.next_inquiry();
        self.timers.set(Timer::Inquiry(seq), self.now + self.config.probe_timeout);
        self.inquiries.insert(seq, Inquiry { about, question });
        Some(seq)
    }

    fn is_asked(&self, about: MemberKey, alike: impl Fn(&Question) -> bool) -> bool {
        self.inquiries.values().any(|inquiry| inquiry.about == about && alike(&inquiry.question))
    }

    /// A member that is not known to be gone is claimed to be elsewhere, at a higher incarnation. Whoever
    /// is leaving does not look into that.
    pub(super) fn challenge(&mut self, key: MemberKey, alive: &Alive<'_>, port: u16, via: Via) {
        if self.leaving != Leaving::No {
            return self.counters.count(Counter::NewsOfLeaver);
        }
        let now = self.now;
        let is_contested = |at: &Instant| now.since(*at) < CONTESTED;
        if self.contested.get(&key).is_some_and(is_contested) {
            return self.conflict(key, alive, port);
        }
        if self.is_asked(key, |question| matches!(question, Question::StillThere { .. })) {
            return;
        }
        let (claimed, incarnation) = (Profile::of(alive, port), alive.incarnation);
        let Some(seq) = self.inquire(key, Question::StillThere { claimed, incarnation, via })
        else {
            return self.conflict(key, alive, port);
        };
        self.intents.push_back(Intent::Inquiry { to: key, seq, beside: None });
        self.ask_others(key, seq);
        self.ask_on_stream(key, seq);
    }

    /// Where packets get lost it is asked on a stream too.
    fn ask_on_stream(&mut self, target: MemberKey, seq: SeqNo) {
        let profile = &self.members.get(target).profile;
        let to = profile.address().socket_addr();
        let understands = Capabilities::of(profile.versions()).stream_ping;
        if self.config.stream_pings
            && understands
            && let Some(exchange) = self.open(Purpose::Inquiry { seq })
        {
            let deadline = self.now + self.config.probe_timeout;
            self.intents.push_back(Intent::StreamPing { exchange, to, deadline, target, seq });
        }
    }

    /// A member is reaped: nothing that was asked of it matters any more.
    pub(super) fn forget_inquiries(&mut self, key: MemberKey) {
        self.contested.remove(&key);
        let timers = &mut self.timers;
        self.inquiries.retain(|&seq, inquiry| {
            let stays = inquiry.about != key;
            if !stays {
                timers.cancel(Timer::Inquiry(seq));
            }
            stays
        });
    }

    /// Whoever leaves wants to know nothing any more.
    pub(super) fn forget_all_inquiries(&mut self) {
        for (seq, _) in std::mem::take(&mut self.inquiries) {
            self.timers.cancel(Timer::Inquiry(seq));
        }
    }

    /// Helpers ping it too: one answer by any way is enough.
    fn ask_others(&mut self, target: MemberKey, seq: SeqNo) {
        let mut chosen = std::mem::take(&mut self.scratch.chosen);
        let pass = |key, slot: &Slot| key != target && slot.state == State::Alive;
        let helpers = self.config.indirect_checks as usize;
        self.members.pick(&mut self.rng, helpers, pass, &mut chosen);
        for &helper in &chosen {
            self.intents.push_back(Intent::IndirectPing { helper, target, seq, nack: false });
        }
        self.scratch.chosen = chosen;
    }

    /// Somebody has our name at another address.
    pub(super) fn ask_for_our_name(&mut self, alive: &Alive<'_>, port: u16, via: Via) {
        let now = self.now;
        let is_contested = |at: &Instant| now.since(*at) < CONTESTED;
        let at = mingle_wire::Address { port, ..alive.address }.socket_addr();
        let is_same = |question: &Question| matches!(question, Question::OurName { .. });
        if self.contested.get(&MemberKey::LOCAL).is_some_and(is_contested)
            || self.is_asked(MemberKey::LOCAL, is_same)
        {
            return;
        }
        let incarnation = alive.incarnation;
        let question = Question::OurName { at, incarnation, via };
        if let Some(seq) = self.inquire(MemberKey::LOCAL, question) {
            let name = self.members.local().profile.name().into();
            self.intents.push_back(Intent::RelayPing { to: at, seq, node: name });
        }
    }

    /// Who else answers to our name, as far as is known.
    pub(super) fn living_namesake(&self) -> Option<Namesake> {
        // Asked after each packet: nothing is computed where there is none.
        self.namesake.filter(|namesake| {
            let lasting = NAMESAKE.max(self.push_pull_interval().saturating_mul(4));
            self.now.since(namesake.answered) < lasting
        })
    }

    /// Nobody of our name is there any more.
    fn forget_namesake(&mut self, at: SocketAddr) {
        self.namesake = self.namesake.filter(|namesake| namesake.at != at);
    }

    /// A peer's view has a member suspect or dead, whom we hold for alive. It is asked, and told, so
    /// that it can refute; only its silence is believed.
    pub(super) fn ask_about_hearsay(
        &mut self,
        key: MemberKey,
        state: State,
        incarnation: Incarnation,
        via: Via,
    ) {
        if self.is_asked(key, |question| matches!(question, Question::Hearsay { .. })) {
            return;
        }
        if let Some(seq) = self.inquire(key, Question::Hearsay { state, incarnation, via }) {
            self.intents.push_back(Intent::Inquiry { to: key, seq, beside: Some(incarnation) });
        }
    }

    /// The last word of a suspect, before the verdict.
    pub(super) fn ask_for_last_word(&mut self, key: MemberKey) -> SeqNo {
        self.counters.count(Counter::Inquiries);
        let seq = self.next_inquiry();
        self.last_words.insert(seq, key);
        let incarnation = self.members.get(key).incarnation;
        self.intents.push_back(Intent::Inquiry { to: key, seq, beside: Some(incarnation) });
        seq
    }

    /// Says goodbye to one member, and wants to know that it heard.
    pub(super) fn ask_for_receipt(&mut self, key: MemberKey) {
        if let Some(seq) = self.inquire(key, Question::Goodbye) {
            self.intents.push_back(Intent::Goodbye { to: key, seq });
        }
    }

    /// An ack came whose number may be one of these; says whether it is.
    pub(super) fn on_inquiry_ack(&mut self, seq: SeqNo, payload: &[u8]) -> bool {
        if let Some(key) = self.last_words.remove(&seq) {
            self.spare(key);
            return true;
        }
        let Some(Inquiry { about, question }) = self.inquiries.remove(&seq) else { return false };
        self.timers.cancel(Timer::Inquiry(seq));
        match question {
            Question::StillThere { claimed, .. } => {
                self.members.heard(about, self.now);
                self.contested.insert(about, self.now);
                self.conflict_with(about, claimed.address());
            }
            Question::Hearsay { .. } => self.members.heard(about, self.now),
            Question::Goodbye => self.on_receipt(about),
            Question::View => {
                self.members.heard(about, self.now);
                self.on_compared(about, ViewNote::split(payload).1);
            }
            Question::OurName { at, .. } => {
                self.contested.insert(MemberKey::LOCAL, self.now);
                self.namesake = Some(Namesake { at, answered: self.now });
                self.conflict_with(MemberKey::LOCAL, at.into());
            }
        }
        true
    }

    /// Nobody answered.
    pub(super) fn on_inquiry_timeout(&mut self, seq: SeqNo) {
        let Some(Inquiry { about, question }) = self.inquiries.remove(&seq) else { return };
        match question {
            Question::StillThere { claimed, incarnation, via } => {
                self.supersede(about, &claimed, incarnation, via);
            }
            Question::Hearsay { state, incarnation, via } => {
                let cause = Cause::HeardDown { state };
                self.accuse(about, incarnation, cause, via, Duration::ZERO);
            }
            Question::Goodbye => self.on_no_receipt(),
            // Whoever compares asks again.
            Question::View => {}
            Question::OurName { at, incarnation, via } => {
                self.forget_namesake(at);
                // What is said of us is of a former life; nobody lives there any more.
                self.on_accused(incarnation, Cause::Announced, via);
            }
        }
    }
}
