use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mingle_proto::{Cause, Change, Config, Evidence, Instant, Lateness, Member};
use mingle_wire::{Incarnation, Message, State};

use super::desk::{Checker, Desk};
use super::formulas::Bounds;
use super::names::{NameId, Names};

/// What was claimed on the wire, and which suspicions run.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    /// The highest incarnation at which somebody accused somebody in a packet: (accused, accuser).
    accused: BTreeMap<(NameId, NameId), Incarnation>,
    /// Incarnations at which a member was accused in a packet, by whomever.
    spread: BTreeSet<(NameId, Incarnation)>,
    /// Who holds whom for dead, or is forged to: (member, incarnation, by).
    declared: BTreeSet<(NameId, Incarnation, NameId)>,
    /// Who said goodbye at which incarnation, or is forged to have.
    goodbyes: BTreeSet<(NameId, Incarnation)>,
    /// (observer, member).
    running: BTreeMap<(u32, NameId), Running>,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    since: Instant,
    incarnation: Incarnation,
    /// How many members the observer knew.
    count: usize,
    first: NameId,
}

/// One change in one view.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    pub(super) host: u32,
    pub(super) me: NameId,
    pub(super) about: NameId,
    pub(super) change: Change,
    pub(super) member: &'a Member,
    pub(super) evidence: &'a Evidence,
    pub(super) shown: Instant,
    /// How many members the observer knows.
    pub(super) count: usize,
}

/// The formulas give milliseconds.
const ROUNDING: Duration = Duration::from_millis(1);

impl Verdicts {
    pub(super) fn stopped(&mut self, host: u32) {
        self.running.retain(|&(of, _), _| of != host);
    }

    /// A claim was written into a packet, by a node that believes it.
    pub(super) fn sent(&mut self, names: &mut Names, message: &Message<'_>) {
        if let Message::Suspect(claim) = message {
            let (about, by) = (names.id(claim.node), names.id(claim.from));
            let held = self.accused.entry((about, by)).or_insert(claim.incarnation);
            *held = claim.incarnation.max(*held);
            self.spread.insert((about, claim.incarnation));
        }
    }

    /// A claim came from where no node is: somebody forges. It is excused, and no other.
    pub(super) fn forged(&mut self, names: &mut Names, message: &Message<'_>) {
        self.sent(names, message);
        if let Message::Dead(claim) = message {
            let (about, by) = (names.id(claim.node), names.id(claim.from));
            if about == by {
                self.goodbyes.insert((about, claim.incarnation));
            } else {
                self.declared.insert((about, claim.incarnation, by));
            }
        }
    }

    pub(super) fn told(
        &mut self,
        desk: &mut Desk,
        names: &mut Names,
        config: &Config,
        case: Case<'_>,
    ) {
        let key = (case.host, case.about);
        match case.change {
            Change::Failed => self.failed(desk, names, config, case),
            Change::Left => self.left(desk, case),
            Change::Renewed if case.member.state == State::Dead => {
                let at = case.member.incarnation;
                self.declared.insert((case.about, at, case.me));
            }
            Change::Joined
            | Change::Suspected
            | Change::Recovered
            | Change::Updated
            | Change::Renewed
            | Change::Reaped => {}
        }
        let begins = matches!(case.change, Change::Suspected | Change::Renewed);
        if case.member.state != State::Suspect {
            self.running.remove(&key);
        } else if begins {
            let first = match &case.evidence.cause {
                Cause::Accused { by } => names.id(by),
                _ => case.me,
            };
            let (since, incarnation) = (case.shown, case.member.incarnation);
            self.running.insert(key, Running { since, incarnation, count: case.count, first });
        }
    }

    fn left(&mut self, desk: &mut Desk, case: Case<'_>) {
        let at = case.member.incarnation;
        if case.about == case.me {
            self.goodbyes.insert((case.about, at));
            return;
        }
        let said = self.goodbyes.contains(&(case.about, at));
        desk.check(Checker::Verdicts, said, || {
            format!("{} has left at {at} without having said so", case.member.name())
        });
    }

    fn failed(&mut self, desk: &mut Desk, names: &mut Names, config: &Config, case: Case<'_>) {
        let (whom, at) = (case.member.name(), case.member.incarnation);
        match &case.evidence.cause {
            Cause::SuspicionExpired { accusers, ran } => {
                let accusers: Vec<NameId> = accusers.iter().map(|name| names.id(name)).collect();
                self.expired(desk, names, config, case, &accusers, *ran);
            }
            Cause::Superseded { .. } => {}
            Cause::Declared { by } => {
                let declared = self.declared.contains(&(case.about, at, names.id(by)));
                desk.check(Checker::Verdicts, declared, || {
                    format!("{whom} at {at} is dead for {by}, whose suspicion never ran out")
                });
            }
            cause => desk.check(Checker::Verdicts, false, || format!("{whom} is dead: {cause}")),
        }
        // Whoever holds it for dead may say so, where it is claimed to be elsewhere.
        self.declared.insert((case.about, at, case.me));
    }

    fn expired(
        &self,
        desk: &mut Desk,
        names: &Names,
        config: &Config,
        case: Case<'_>,
        accusers: &[NameId],
        ran: Duration,
    ) {
        let Case { host, me, about, member, evidence, shown, .. } = case;
        let (whom, at) = (member.name(), member.incarnation);
        let running = self.running.get(&(host, about)).copied();
        desk.check(Checker::Verdicts, running.is_some(), || format!("{whom} was not suspected"));
        let Some(running) = running else { return };

        let stood = shown.since(running.since);
        desk.check(Checker::Verdicts, stood == ran && running.incarnation == at, || {
            let of = running.incarnation;
            format!("{whom} at {at} was suspected at {of} for {stood:?}; the evidence says {ran:?}")
        });
        let bounds = Bounds::of(config, running.count);
        let confirmed = u32::try_from(accusers.len()).unwrap_or(u32::MAX).saturating_sub(1);
        let least = bounds.least(confirmed);
        let long_enough = confirmed <= bounds.wanted && ran + ROUNDING >= least;
        desk.check(Checker::Verdicts, long_enough, || {
            let (wanted, count) = (bounds.wanted, running.count);
            format!(
                "{whom} was suspected for {ran:?} after {confirmed} of {wanted} confirmations \
                 among {count} members, at least {least:?} it must be"
            )
        });
        desk.check(Checker::Verdicts, accusers.first() == Some(&running.first), || {
            let first = names.name(running.first);
            format!("{whom} was accused by {first} first; the evidence begins with another one")
        });
        for &by in accusers.iter().filter(|&&by| by != me) {
            let said = self.accused.get(&(about, by)).is_some_and(|&claimed| claimed >= at);
            desk.check(Checker::Verdicts, said, || {
                format!("{whom} at {at} was never accused by {}", names.name(by))
            });
        }
        // Who ignores being late may sleep through the whole suspicion, as Go does.
        let asleep =
            config.rules.lateness == Lateness::Ignored && evidence.lag >= config.gossip_interval;
        if !asleep {
            desk.check(Checker::Verdicts, self.spread.contains(&(about, at)), || {
                format!("{whom} is dead at {at}, and nobody was told that it is suspected")
            });
        }
    }
}
