//! What is claimed of members, and what becomes of it: the only place where beliefs change.

use std::cmp::Ordering;
use std::net::SocketAddr;
use std::time::Duration;

use mingle_wire::{Alive, Dead, Incarnation, Message, State, Suspect};

use super::corrections::speaks_for_itself;
use super::{Leaving, Node};
use crate::law::{Belief, Judgement, judge};
use crate::members::MemberKey;
use crate::suspicion::{Bounds, Suspicion};
use crate::timers::Timer;
use crate::{
    Addresses, Beliefs, Cause, Change, Confirmations, Counter, Event, Evidence, Names, Profile,
    Verdicts, Via, formulas,
};

impl Node {
    pub(super) fn on_alive_packet(&mut self, from: SocketAddr, alive: &Alive<'_>) {
        if !self.config.allows(from.ip()) {
            self.counters.count(Counter::NetworksRefused);
            return;
        }
        self.on_alive(alive, Via::Packet(from));
    }

    /// Spec 7.1.
    pub(super) fn on_alive(&mut self, alive: &Alive<'_>, via: Via) {
        if !alive.versions.is_sane() {
            self.counters.count(Counter::VersionsRefused);
            return;
        }
        let ip = alive.address.ip.canonical();
        if ip.is_unspecified() || ip.is_multicast() || !self.config.allows(ip) {
            self.counters.count(Counter::NetworksRefused);
            return;
        }
        let port = self.port_or_own(alive.address.port);
        match self.members.find(alive.node) {
            None => self.on_newcomer(alive, port, via),
            Some(MemberKey::LOCAL) => self.on_alive_about_us(alive, port, via),
            Some(key) => self.on_alive_about(key, alive, port, via),
        }
    }

    fn on_newcomer(&mut self, alive: &Alive<'_>, port: u16, via: Via) {
        let buried = self.tombstones.get(alive.node).map(|tombstone| tombstone.belief);
        if let Some(belief) = buried.filter(|belief| belief.incarnation >= alive.incarnation) {
            self.counters.count(Counter::ClaimsBuried);
            if speaks_for_itself(alive, port, via) {
                self.correct(alive, port, belief, None);
            }
            return;
        }
        let most = self.config.max_members as usize;
        if self.members.len() >= most {
            self.reap_early();
        }
        if self.members.len() >= most {
            self.counters.count(Counter::MembersRefused);
            return;
        }
        self.tombstones.remove(alive.node);
        let profile = Profile::of(alive, port);
        let key = self.members.insert(profile, alive.incarnation, self.now, &mut self.rng);
        let evidence = Evidence {
            incarnation: alive.incarnation,
            before: None,
            cause: Cause::Announced,
            via,
            last_ack: None,
            lag: Duration::ZERO,
        };
        self.queue_alive(key);
        self.note_place(key);
        self.emit_change(Change::Joined, key, evidence);
    }

    fn on_alive_about_us(&mut self, alive: &Alive<'_>, port: u16, via: Via) {
        if self.leaving != Leaving::No {
            self.counters.count(Counter::NewsOfLeaver);
            return;
        }
        if !self.is_at(MemberKey::LOCAL, alive, port) {
            match self.config.rules.names {
                Names::FirstComes => self.conflict(MemberKey::LOCAL, alive, port),
                Names::Challenged => self.ask_for_our_name(alive, port, via),
            }
            return;
        }
        self.is_held = true;
        let local = self.members.local();
        let same = local.profile.meta() == alive.meta && local.profile.versions() == alive.versions;
        match alive.incarnation.cmp(&local.incarnation) {
            Ordering::Less => self.counters.count(Counter::ClaimsStale),
            Ordering::Equal if same => self.counters.count(Counter::ClaimsKnown),
            Ordering::Equal | Ordering::Greater => {
                self.refute(alive.incarnation, Cause::Announced, via);
            }
        }
    }

    fn on_alive_about(&mut self, key: MemberKey, alive: &Alive<'_>, port: u16, via: Via) {
        let claim = Belief { incarnation: alive.incarnation, state: State::Alive };
        let held = self.members.get(key).belief();
        let mut judgement = judge(self.config.rules.beliefs, held, claim);
        if !self.is_at(key, alive, port) {
            match self.at_new_address(key, judgement) {
                Some(admitted) => judgement = admitted,
                None => return self.claimed_elsewhere(key, alive, port, via),
            }
        }
        match judgement {
            Judgement::Adopt => self.adopt_alive(key, alive, port, via),
            Judgement::Known | Judgement::Stale => self.weigh_old_news(key, alive, port, via),
        }
    }

    /// What becomes of a claim for a known name at another address; `None` is a conflict.
    ///
    /// Go: whoever left may come back from anywhere, the dead after a while (spec 7.1). Law: the
    /// dead and the left may, above the incarnation that they went down with.
    fn at_new_address(&self, key: MemberKey, judgement: Judgement) -> Option<Judgement> {
        let slot = self.members.get(key);
        match (self.config.rules.beliefs, slot.state) {
            (_, State::Alive | State::Suspect) => None,
            (Beliefs::Law, State::Dead | State::Left) => Some(judgement),
            (Beliefs::Memberlist, State::Left) => Some(Judgement::Adopt),
            (Beliefs::Memberlist, State::Dead) => {
                let wait = self.config.dead_node_reclaim_time;
                let free = !wait.is_zero() && self.now.since(slot.since()) > wait;
                free.then_some(Judgement::Adopt)
            }
        }
    }

    /// A live member is claimed to be at another address.
    fn claimed_elsewhere(&mut self, key: MemberKey, alive: &Alive<'_>, port: u16, via: Via) {
        let held = self.members.get(key).incarnation;
        match (self.config.rules.names, alive.incarnation.cmp(&held)) {
            (Names::FirstComes, _) | (Names::Challenged, Ordering::Equal) => {
                self.conflict(key, alive, port);
            }
            (Names::Challenged, Ordering::Greater) => self.challenge(key, alive, port, via),
            (Names::Challenged, Ordering::Less) => {
                self.counters.count(Counter::ClaimsStale);
                self.answer_old_news(key, alive, port, via);
            }
        }
    }

    pub(super) fn is_at(&self, key: MemberKey, alive: &Alive<'_>, port: u16) -> bool {
        let held = self.members.get(key).profile.address();
        let claimed = mingle_wire::Address { port, ..alive.address };
        // Nearly always it is the same spelling.
        held == claimed
            || match self.config.rules.addresses {
                Addresses::Spelling => false,
                Addresses::Endpoint => held.same_endpoint(&claimed),
            }
    }

    pub(super) fn conflict(&mut self, key: MemberKey, alive: &Alive<'_>, port: u16) {
        self.conflict_with(key, mingle_wire::Address { port, ..alive.address });
    }

    /// Two nodes have one name.
    pub(super) fn conflict_with(&mut self, key: MemberKey, other: mingle_wire::Address) {
        self.counters.count(Counter::Conflicts);
        let member = self.members.member(key);
        self.emit(Event::Conflict { member, other });
    }

    fn adopt_alive(&mut self, key: MemberKey, alive: &Alive<'_>, port: u16, via: Via) {
        let evidence = self.evidence(key, alive.incarnation, Cause::Announced, via);
        self.end_suspicion(key);
        self.timers.cancel(Timer::Reap(key));
        let held = self.members.get(key).belief();
        let moved = !held.state.is_live() && !self.is_at(key, alive, port);
        let updated = self.take_profile(key, alive, port);
        let before = self.believe(key, State::Alive, alive.incarnation);
        if moved && self.config.rules.names == Names::Challenged {
            self.queue_move(key, held);
        } else {
            self.queue_alive(key);
        }
        self.note_place(key);
        match before {
            State::Dead | State::Left => self.emit_change(Change::Joined, key, evidence),
            State::Suspect => {
                self.emit_change(Change::Recovered, key, evidence.clone());
                if updated {
                    self.emit_change(Change::Updated, key, evidence);
                }
            }
            State::Alive if updated => self.emit_change(Change::Updated, key, evidence),
            State::Alive => self.emit_change(Change::Renewed, key, evidence),
        }
    }

    /// Takes over what a member says of itself, and says whether it says anything new.
    fn take_profile(&mut self, key: MemberKey, alive: &Alive<'_>, port: u16) -> bool {
        if self.members.get(key).profile.says(alive, port) {
            self.members.confirm_profile(key, alive.incarnation);
            return false;
        }
        self.members.set_profile(key, Profile::of(alive, port), alive.incarnation);
        true
    }

    fn believe(&mut self, key: MemberKey, state: State, incarnation: Incarnation) -> State {
        let before = self.members.get(key).state;
        let belief = Belief { incarnation, state };
        self.members.set_belief(key, belief, self.now, &mut self.rng);
        if !state.is_live() {
            self.forget_link(key);
        }
        before
    }

    /// An alive claim that does not change the state may still say what the member says of itself
    /// at an incarnation of which only accusations were known.
    fn weigh_old_news(&mut self, key: MemberKey, alive: &Alive<'_>, port: u16, via: Via) {
        let slot = self.members.get(key);
        let (state, held) = (slot.state, slot.incarnation);
        let says = slot.profile.says(alive, port);
        let profile_from = slot.profile_incarnation;
        let law = self.config.rules.beliefs == Beliefs::Law;
        if law && alive.incarnation > profile_from {
            let evidence = self.evidence(key, alive.incarnation, Cause::Announced, via);
            if self.take_profile(key, alive, port) {
                self.emit_change(Change::Updated, key, evidence);
            }
        } else if alive.incarnation == profile_from && !says && self.is_at(key, alive, port) {
            self.counters.count(Counter::ClaimsContradicting);
        } else if alive.incarnation < held {
            self.counters.count(Counter::ClaimsStale);
        } else {
            self.counters.count(Counter::ClaimsKnown);
        }
        if !state.is_live() || alive.incarnation < held {
            self.answer_old_news(key, alive, port, via);
        }
    }

    /// Spec 7.2.
    pub(super) fn on_suspect(&mut self, suspect: &Suspect<'_>, via: Via) {
        let Suspect { incarnation, node, from } = *suspect;
        match self.members.find(node) {
            None => self.counters.count(Counter::ClaimsAboutStrangers),
            Some(MemberKey::LOCAL) => {
                self.on_accused(incarnation, Cause::Accused { by: from.into() }, via);
            }
            Some(key) => {
                self.weigh_accusation(key, incarnation, from, |node| {
                    node.evidence(key, incarnation, Cause::Accused { by: from.into() }, via)
                });
            }
        }
    }

    /// Accuses a member ourselves.
    pub(super) fn accuse(
        &mut self,
        key: MemberKey,
        incarnation: Incarnation,
        cause: Cause,
        via: Via,
        lag: Duration,
    ) {
        let local = self.members.local().profile.clone();
        let suspicions = self.suspicions.len();
        self.weigh_accusation(key, incarnation, local.name(), |node| Evidence {
            lag,
            ..node.evidence(key, incarnation, cause, via)
        });
        if self.suspicions.len() > suspicions {
            self.counters.count(Counter::SuspicionsRaised);
        }
    }

    fn weigh_accusation(
        &mut self,
        key: MemberKey,
        incarnation: Incarnation,
        from: &str,
        evidence: impl FnOnce(&Self) -> Evidence,
    ) {
        let claim = Belief { incarnation, state: State::Suspect };
        match judge(self.config.rules.beliefs, self.members.get(key).belief(), claim) {
            Judgement::Adopt => self.suspect(key, incarnation, from, evidence(self)),
            Judgement::Known => self.confirm(key, incarnation, from),
            Judgement::Stale => self.counters.count(Counter::ClaimsStale),
        }
    }

    fn suspect(
        &mut self,
        key: MemberKey,
        incarnation: Incarnation,
        from: &str,
        evidence: Evidence,
    ) {
        self.timers.cancel(Timer::Reap(key));
        let before = self.believe(key, State::Suspect, incarnation);
        self.queue_suspect(key, incarnation, from);
        let bounds = self.suspicion_bounds();
        let mut suspicion = Suspicion::new(incarnation, from.into(), bounds, self.now);
        suspicion.lag = evidence.lag;
        self.end_suspicion(key);
        self.suspicions.insert(key, suspicion);
        self.wait_for_suspicion(key);
        match before {
            State::Alive => self.emit_change(Change::Suspected, key, evidence),
            State::Suspect => self.emit_change(Change::Renewed, key, evidence),
            State::Dead | State::Left => {
                self.note_place(key);
                self.emit_change(Change::Joined, key, evidence.clone());
                self.emit_change(Change::Suspected, key, evidence);
            }
        }
    }

    fn suspicion_bounds(&self) -> Bounds {
        let n = self.members.len();
        let mult = self.config.suspicion_mult;
        let min = formulas::suspicion_min(mult, n, self.config.probe_interval);
        let max = min.saturating_mul(self.config.suspicion_max_timeout_mult);
        let wanted = match self.config.rules.confirmations {
            Confirmations::FromMult => mult.saturating_sub(2),
            Confirmations::Three => 3,
            Confirmations::Ignored => 0,
        };
        Bounds { wanted: formulas::confirmations_wanted(wanted, n), min, max }
    }

    /// A further accuser shortens a running suspicion, and is passed on if it did (spec 8.5).
    fn confirm(&mut self, key: MemberKey, incarnation: Incarnation, from: &str) {
        let Some(running) = self.suspicions.get_mut(&key).filter(|running| running.wants(from))
        else {
            self.counters.count(Counter::ClaimsKnown);
            return;
        };
        running.confirm(from);
        self.wait_for_suspicion(key);
        self.queue_suspect(key, incarnation, from);
    }

    /// Sets the timer of a suspicion that runs. What is over by now ends now: a deadline in the past
    /// would look as if we had been late.
    pub(super) fn wait_for_suspicion(&mut self, key: MemberKey) {
        let Some(suspicion) = self.suspicions.get(&key) else { return };
        let at = match self.config.rules.verdicts {
            Verdicts::AtDeadline => suspicion.deadline(),
            Verdicts::Asked => suspicion.next(self.config.probe_timeout),
        };
        let before = self.timers.deadline(Timer::Suspicion(key));
        let soonest = before.map_or(self.now, |before| before.min(self.now));
        self.timers.set(Timer::Suspicion(key), at.max(soonest));
    }

    pub(super) fn on_suspicion_timeout(&mut self, key: MemberKey) {
        let asked = self.suspicions.get(&key).map(|suspicion| suspicion.asked.is_some());
        if self.config.rules.verdicts == Verdicts::Asked && asked == Some(false) {
            let last_word = Some((self.now, self.ask_for_last_word(key)));
            if let Some(suspicion) = self.suspicions.get_mut(&key) {
                suspicion.asked = last_word;
            }
            return self.wait_for_suspicion(key);
        }
        if self.may_not_have_been_heard(key) {
            return self.retell(key);
        }
        self.pass_verdict(key);
    }

    /// Whether we are the only accuser and doubt ourselves: what we send may get lost, the accusation too, and then the
    /// accused could not refute it.
    fn may_not_have_been_heard(&self, key: MemberKey) -> bool {
        let local = self.members.local().profile.name();
        let is_ours_alone = |suspicion: &Suspicion| {
            suspicion.is_unseconded() && suspicion.accusers().iter().all(|by| **by == *local)
        };
        self.config.rules.verdicts == Verdicts::Asked
            && self.awareness.score() > 0
            && self.suspicions.get(&key).is_some_and(is_ours_alone)
    }

    fn retell(&mut self, key: MemberKey) {
        let local = self.members.local().profile.clone();
        let Some(suspicion) = self.suspicions.get_mut(&key) else { return };
        if let Some((_, seq)) = suspicion.asked {
            self.last_words.remove(&seq);
        }
        suspicion.retell(self.now);
        let incarnation = suspicion.incarnation;
        self.counters.count(Counter::SuspicionsRetold);
        self.queue_suspect(key, incarnation, local.name());
        self.wait_for_suspicion(key);
    }

    /// A suspect has answered.
    pub(super) fn spare(&mut self, key: MemberKey) {
        self.members.heard(key, self.now);
        if let Some(suspicion) = self.suspicions.get_mut(&key) {
            suspicion.spare(self.now);
            self.counters.count(Counter::Spared);
            self.wait_for_suspicion(key);
        }
    }

    fn pass_verdict(&mut self, key: MemberKey) {
        let Some(suspicion) = self.suspicions.get(&key) else { return };
        let cause = Cause::SuspicionExpired {
            accusers: suspicion.accusers().to_vec(),
            ran: self.now.since(suspicion.started),
        };
        let lag = suspicion.lag;
        let incarnation = self.members.get(key).incarnation;
        let evidence = Evidence { lag, ..self.evidence(key, incarnation, cause, Via::Own) };
        let local = self.members.local().profile.clone();
        self.counters.count(Counter::DeathsDeclared);
        self.declare(key, State::Dead, incarnation, local.name(), evidence);
    }

    /// Whom we accused is gone indeed.
    fn note_accusation_true(&mut self, key: MemberKey) {
        let local = self.members.local().profile.name();
        let suspicion = self.suspicions.get(&key);
        if suspicion.is_some_and(|suspicion| suspicion.accusers().iter().any(|by| **by == *local)) {
            self.credit.give_back();
        }
    }

    fn end_suspicion(&mut self, key: MemberKey) {
        if let Some(suspicion) = self.suspicions.remove(&key) {
            self.timers.cancel(Timer::Suspicion(key));
            if let Some((_, seq)) = suspicion.asked {
                self.last_words.remove(&seq);
            }
        }
    }

    /// A member does not answer at its address any more, and was claimed to be at another one.
    pub(super) fn supersede(
        &mut self,
        key: MemberKey,
        claimed: &Profile,
        incarnation: Incarnation,
        via: Via,
    ) {
        let held = self.members.get(key).belief();
        if held.state.is_live() && incarnation > held.incarnation {
            self.counters.count(Counter::Superseded);
            let cause = Cause::Superseded { at: claimed.address().socket_addr() };
            let evidence = self.evidence(key, held.incarnation, cause, via);
            let local = self.members.local().profile.clone();
            self.declare(key, State::Dead, held.incarnation, local.name(), evidence);
        }
        if incarnation > held.incarnation {
            self.on_alive(&claimed.alive(incarnation), via);
        }
    }

    /// Spec 7.3.
    pub(super) fn on_dead(&mut self, dead: &Dead<'_>, via: Via) {
        let Dead { incarnation, node, from } = *dead;
        let state = if from == node { State::Left } else { State::Dead };
        let cause = || match state {
            State::Left => Cause::Goodbye,
            State::Dead | State::Alive | State::Suspect => Cause::Declared { by: from.into() },
        };
        let claim = Belief { incarnation, state };
        let Some(key) = self.members.find(node) else {
            self.counters.count(Counter::ClaimsAboutStrangers);
            self.bury(node, claim);
            return;
        };
        if key == MemberKey::LOCAL {
            if state == State::Left {
                // It is not we who said that.
                self.namesake = None;
            }
            self.on_declared_dead(incarnation, cause(), via);
            return;
        }
        match judge(self.config.rules.beliefs, self.members.get(key).belief(), claim) {
            Judgement::Adopt => {
                let evidence = self.evidence(key, incarnation, cause(), via);
                self.declare(key, state, incarnation, from, evidence);
            }
            Judgement::Known => self.counters.count(Counter::ClaimsKnown),
            Judgement::Stale => self.counters.count(Counter::ClaimsStale),
        }
    }

    /// Takes a member for dead or left, and passes it on.
    pub(super) fn declare(
        &mut self,
        key: MemberKey,
        state: State,
        incarnation: Incarnation,
        from: &str,
        evidence: Evidence,
    ) {
        self.note_accusation_true(key);
        self.end_suspicion(key);
        let before = self.believe(key, state, incarnation);
        if before.is_live() {
            self.timers.set(Timer::Reap(key), self.now + self.config.reap_time);
            self.look_for_the_missing();
        }
        let profile = &self.members.get(key).profile;
        self.broadcasts.push(key, |out| {
            Message::Dead(Dead { incarnation, node: profile.name(), from }).encode(out);
        });
        let change = match state {
            _ if before == state => Change::Renewed,
            State::Left => Change::Left,
            State::Dead | State::Alive | State::Suspect => Change::Failed,
        };
        self.emit_change(change, key, evidence);
        if self.members.gone() > self.config.max_gone as usize {
            self.reap_early();
        }
    }

    /// Who holds us for dead may not gossip with us: it is shown the refutation itself.
    fn on_declared_dead(&mut self, incarnation: Incarnation, cause: Cause, via: Via) {
        let before = self.local_incarnation();
        self.on_accused(incarnation, cause, via);
        if let Via::Packet(from) = via
            && self.local_incarnation() > before
        {
            self.show_refutation(from);
        }
    }

    /// Somebody holds something against us.
    pub(super) fn on_accused(&mut self, incarnation: Incarnation, cause: Cause, via: Via) {
        if self.leaving != Leaving::No {
            self.counters.count(Counter::NewsOfLeaver);
        } else if incarnation < self.local_incarnation() {
            self.counters.count(Counter::ClaimsStale);
        } else {
            self.refute(incarnation, cause, via);
        }
    }

    /// Answers with an incarnation above the one that was claimed (spec 7.4).
    fn refute(&mut self, claimed: Incarnation, cause: Cause, via: Via) {
        // Whoever repeats what an earlier process of ours said of itself does not call us slow.
        let is_accusation =
            cause != Cause::Announced || self.config.rules.names == Names::FirstComes;
        let evidence = self.evidence(MemberKey::LOCAL, claimed, cause, via);
        let incarnation = self.local_incarnation().max(claimed).next();
        self.raise_own(incarnation);
        self.counters.count(Counter::Refutations);
        if is_accusation {
            self.worsen_health(1);
        }
        self.emit_change(Change::Renewed, MemberKey::LOCAL, evidence.clone());
        self.emit(Event::Refuted { incarnation, evidence });
    }

    /// Announces ourselves at a higher incarnation.
    pub(super) fn raise_own(&mut self, incarnation: Incarnation) {
        self.believe(MemberKey::LOCAL, State::Alive, incarnation);
        self.members.confirm_profile(MemberKey::LOCAL, incarnation);
        self.queue_alive(MemberKey::LOCAL);
    }

    pub(super) fn queue_alive(&mut self, key: MemberKey) {
        let slot = self.members.get(key);
        let (profile, incarnation) = (&slot.profile, slot.incarnation);
        self.broadcasts.push(key, |out| Message::Alive(profile.alive(incarnation)).encode(out));
    }

    /// Announces a member at another address, with the fall that has freed its name: whoever missed
    /// that would take it for a conflict.
    fn queue_move(&mut self, key: MemberKey, fall: Belief) {
        let local = self.members.local().profile.clone();
        let slot = self.members.get(key);
        let (profile, incarnation) = (&slot.profile, slot.incarnation);
        let node = profile.name();
        let from = if fall.state == State::Left { node } else { local.name() };
        let mut dead = Vec::new();
        Message::Dead(Dead { incarnation: fall.incarnation, node, from }).encode(&mut dead);
        if dead.len() + profile.name().len() + profile.meta().len() > LONGEST_MOVE {
            return self.queue_alive(key);
        }
        self.broadcasts.push_pair(
            key,
            |out| out.extend_from_slice(&dead),
            |out| Message::Alive(profile.alive(incarnation)).encode(out),
        );
    }

    fn queue_suspect(&mut self, key: MemberKey, incarnation: Incarnation, from: &str) {
        let profile = &self.members.get(key).profile;
        self.broadcasts.push(key, |out| {
            Message::Suspect(Suspect { incarnation, node: profile.name(), from }).encode(out);
        });
    }

    pub(super) fn evidence(
        &self,
        key: MemberKey,
        incarnation: Incarnation,
        cause: Cause,
        via: Via,
    ) -> Evidence {
        let slot = self.members.get(key);
        Evidence {
            incarnation,
            before: Some(slot.state),
            cause,
            via,
            last_ack: slot.last_ack_age(self.now),
            lag: Duration::ZERO,
        }
    }
}

/// A move that is longer would not fit into every packet.
const LONGEST_MOVE: usize = 800;
