//! The goodbye, and who has heard it (spec section 11).

use std::collections::BTreeSet;
use std::sync::Arc;

use mingle_wire::{Dead, Message, State};
use serde::{Deserialize, Serialize};

use super::Node;
use super::exchanges::Purpose;
use super::inquiries::Namesake;
use super::writing::Intent;
use crate::law::Belief;
use crate::members::{MemberKey, Slot};
use crate::timers::Timer;
use crate::{Cause, Change, Done, Goodbyes, Instant, RequestError, RequestId, Via};

/// So many members have to confirm a goodbye.
const RECEIPTS: usize = 3;

/// How far the goodbye has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Leaving {
    /// Not asked for.
    No,
    /// Under way.
    Saying(Farewell),
    /// Said, as well as it could be.
    Gone,
}

/// A goodbye under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Farewell {
    request: RequestId,
    since: Instant,
    asked: BTreeSet<MemberKey>,
    /// How many of them have neither answered nor been silent for long enough.
    open: usize,
    receipts: Vec<Arc<str>>,
    /// Whether the last resort was tried.
    is_last: bool,
}

impl Node {
    pub(super) fn leave(&mut self, request: RequestId) {
        if self.leaving != Leaving::No {
            return self.complete(request, Err(RequestError::Leaving));
        }
        let incarnation = self.local_incarnation();
        // Where others hold somebody else under our name, a goodbye would be taken for his.
        if let Some(Namesake { at, .. }) = self.living_namesake().filter(|_| !self.is_held) {
            self.leaving = Leaving::Gone;
            self.forget_all_inquiries();
            return self.complete(request, Err(RequestError::NameHeld { at }));
        }
        let evidence = self.evidence(MemberKey::LOCAL, incarnation, Cause::Goodbye, Via::Own);
        let belief = Belief { incarnation, state: State::Left };
        self.members.set_belief(MemberKey::LOCAL, belief, self.now, &mut self.rng);
        let local = self.members.local().profile.clone();
        self.broadcasts.push(MemberKey::LOCAL, |out| {
            let name = local.name();
            Message::Dead(Dead { incarnation, node: name, from: name }).encode(out);
        });
        self.emit_change(Change::Left, MemberKey::LOCAL, evidence);
        if self.members.live_others() == 0 {
            self.leaving = Leaving::Gone;
            return self.complete(request, Ok(Done::Left { confirmed: Vec::new() }));
        }
        self.leaving = Leaving::Saying(Farewell {
            request,
            since: self.now,
            asked: BTreeSet::new(),
            open: 0,
            receipts: Vec::new(),
            is_last: false,
        });
        self.timers.set(Timer::Gossip, self.now);
        self.forget_all_inquiries();
        match self.config.rules.goodbyes {
            Goodbyes::Sent => self.timers.set(Timer::Leave, self.now + self.config.leave_timeout),
            Goodbyes::Receipted => {
                self.timers.set(Timer::Leave, self.now + self.config.leave_timeout / 2);
                self.ask_for_receipts();
            }
        }
    }

    /// Says a goodbye for a member that is dead and can't. Should it live after all, it refutes this like
    /// any other claim.
    pub(super) fn force_leave(&mut self, request: RequestId, name: &str) {
        if self.leaving != Leaving::No {
            return self.complete(request, Err(RequestError::Leaving));
        }
        let key = self.members.find(name);
        let held = key.map(|key| (key, self.members.get(key).belief()));
        let result = match held {
            Some((_, Belief { state: State::Left, .. })) => Ok(Done::ForcedOut),
            Some((key, Belief { state: State::Dead, incarnation })) => {
                let evidence = self.evidence(key, incarnation, Cause::Forced, Via::Own);
                self.declare(key, State::Left, incarnation, name, evidence);
                Ok(Done::ForcedOut)
            }
            Some((_, Belief { state: State::Alive | State::Suspect, .. })) | None => {
                let state = held.map(|(_, belief)| belief.state);
                Err(RequestError::NotDead { name: name.into(), state })
            }
        };
        self.complete(request, result);
    }

    /// Asks as many live members as receipts are missing, none twice; when there is nobody left to ask
    /// and nobody to wait for, that is it.
    fn ask_for_receipts(&mut self) {
        let Leaving::Saying(farewell) = &self.leaving else { return };
        let missing = RECEIPTS.saturating_sub(farewell.receipts.len() + farewell.open);
        let mut chosen = std::mem::take(&mut self.scratch.chosen);
        let asked = &farewell.asked;
        let pass = |key: MemberKey, slot: &Slot| slot.state.is_live() && !asked.contains(&key);
        self.members.pick(&mut self.rng, missing, pass, &mut chosen);
        for &key in &chosen {
            self.ask_for_receipt(key);
        }
        if let Leaving::Saying(farewell) = &mut self.leaving {
            farewell.asked.extend(&chosen);
            farewell.open += chosen.len();
            if farewell.open == 0 {
                self.end_of_asking();
            }
        }
        self.scratch.chosen = chosen;
    }

    pub(super) fn on_receipt(&mut self, from: MemberKey) {
        let is_known = self.members.holds(from);
        let Leaving::Saying(farewell) = &mut self.leaving else { return };
        farewell.open = farewell.open.saturating_sub(1);
        if is_known {
            let name = self.members.get(from).profile.name();
            farewell.receipts.push(name.into());
        }
        if farewell.receipts.len() >= RECEIPTS || farewell.open == 0 {
            self.ask_for_receipts();
        }
    }

    pub(super) fn on_no_receipt(&mut self) {
        if let Leaving::Saying(farewell) = &mut self.leaving {
            farewell.open = farewell.open.saturating_sub(1);
            self.ask_for_receipts();
        }
    }

    /// Nobody is left to ask: whoever has confirmed is enough; if nobody has, one gets our whole view
    /// on a stream.
    fn end_of_asking(&mut self) {
        let Leaving::Saying(farewell) = &mut self.leaving else { return };
        if !farewell.receipts.is_empty() {
            return self.end_goodbye();
        }
        if farewell.is_last {
            return;
        }
        farewell.is_last = true;
        let end = farewell.since + self.config.leave_timeout;
        self.timers.set(Timer::Leave, end);
        let mut chosen = std::mem::take(&mut self.scratch.chosen);
        self.members.pick(&mut self.rng, 1, |_, slot| slot.state.is_live(), &mut chosen);
        if let Some(&with) = chosen.first()
            && let Some(exchange) = self.open(Purpose::Goodbye { with })
        {
            let to = self.members.get(with).profile.address().socket_addr();
            self.intents.push_back(Intent::PushPull { exchange, to, join: false });
        }
        self.scratch.chosen = chosen;
    }

    fn end_goodbye(&mut self) {
        let Leaving::Saying(farewell) = std::mem::replace(&mut self.leaving, Leaving::Gone) else {
            return;
        };
        self.timers.cancel(Timer::Leave);
        let Farewell { request, since, asked, receipts, .. } = farewell;
        let result = if receipts.is_empty() && self.config.rules.goodbyes == Goodbyes::Receipted {
            let (waited, asked) = (self.now.since(since), asked.len());
            Err(RequestError::LeaveUnconfirmed { waited, asked })
        } else {
            Ok(Done::Left { confirmed: receipts })
        };
        self.complete(request, result);
    }

    /// Called after packets were written: the goodbye may have been sent for the last time.
    pub(super) fn note_goodbye(&mut self) {
        let is_sent = !self.broadcasts.holds(MemberKey::LOCAL);
        if is_sent
            && self.config.rules.goodbyes == Goodbyes::Sent
            && matches!(self.leaving, Leaving::Saying(_))
        {
            self.end_goodbye();
        }
    }

    pub(super) fn on_leave_timeout(&mut self) {
        let Leaving::Saying(farewell) = &self.leaving else { return };
        match self.config.rules.goodbyes {
            Goodbyes::Receipted if !farewell.is_last => self.end_of_asking(),
            Goodbyes::Receipted => self.end_goodbye(),
            Goodbyes::Sent => {
                let (request, waited) = (farewell.request, self.now.since(farewell.since));
                self.leaving = Leaving::Gone;
                let error = RequestError::LeaveUnconfirmed { waited, asked: 0 };
                self.complete(request, Err(error));
            }
        }
    }
}
