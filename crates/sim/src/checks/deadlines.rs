use std::collections::BTreeMap;
use std::time::Duration;

use mingle_proto::{Cause, Change, Config, Counter, Instant};
use mingle_wire::{Incarnation, Message, State};

use super::desk::{Checker, Desk};
use super::formulas::Bounds;
use super::names::{NameId, Names};
use super::shadows::Handled;
use super::verdicts::Case;

/// What nodes must do in time: end suspicions, and forget who went down.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    hosts: Vec<Host>,
    /// Accusations that came in this step.
    accusations: Vec<Accusation>,
    /// Steps of all hosts.
    steps: u64,
}

#[derive(Debug, Default)]
struct Host {
    /// When those who are down are forgotten.
    down: BTreeMap<NameId, Instant>,
    suspicions: BTreeMap<NameId, Suspicion>,
    /// The first of all these; `None` when it has to be looked for, or there is none.
    first: Option<(Instant, NameId)>,
    /// How many suspicions it has told again, as it counts them.
    retold: u64,
}

#[derive(Clone, Copy, Debug)]
struct Accusation {
    about: NameId,
    incarnation: Incarnation,
    by: NameId,
}

/// A suspicion as it is seen from outside.
#[derive(Debug)]
struct Suspicion {
    /// The step in which it began.
    step: u64,
    since: Instant,
    incarnation: Incarnation,
    bounds: Bounds,
    /// Who accused in packets, the first accuser first. Our own accusations are not seen from here.
    accusers: Vec<NameId>,
    /// Whether the observer is the first of them, and may tell it once more while it is the only one.
    is_own: bool,
    is_retold: bool,
    /// What the accused got on top because the observer was late.
    granted: Duration,
    /// How long it lasts at the least once its suspect was asked, and until when that answer counts.
    patience: Duration,
    asked: Option<Instant>,
    /// Until when it runs at the least because its suspect answered; some other question, perhaps.
    spared: Instant,
    /// When it has run out whatever else happened.
    ends: Instant,
}

/// The formulas give milliseconds.
const ROUNDING: Duration = Duration::from_millis(1);

impl Deadlines {
    pub(super) fn started(&mut self, host: u32) {
        let host = host as usize;
        if self.hosts.len() <= host {
            self.hosts.resize_with(host + 1, Host::default);
        }
        self.hosts[host] = Host::default();
    }

    /// A host is about to take something in.
    pub(super) fn before(&mut self) {
        self.steps += 1;
        self.accusations.clear();
    }

    /// A packet says something; only what it says of suspects matters.
    pub(super) fn heard(&mut self, names: &mut Names, host: u32, message: &Message<'_>) {
        let Message::Suspect(claim) = message else { return };
        if self.hosts.get(host as usize).is_some_and(|host| !host.suspicions.is_empty()) {
            let (about, by) = (names.id(claim.node), names.id(claim.from));
            self.accusations.push(Accusation { about, incarnation: claim.incarnation, by });
        }
    }

    pub(super) fn told(
        &mut self,
        desk: &mut Desk,
        names: &mut Names,
        config: &Config,
        case: Case<'_>,
    ) {
        let Case { about, change, member, shown, .. } = case;
        let Some(host) = self.hosts.get_mut(case.host as usize) else { return };
        if about == case.me {
            return;
        }
        if change == Change::Reaped {
            let no_room = host.down.len() > config.max_gone as usize
                || case.count >= config.max_members as usize;
            let first = host.down.values().min().copied();
            let deadline = host.down.remove(&about);
            let early = no_room && deadline == first;
            desk.check(Checker::Deadlines, deadline.is_some_and(|at| early || shown >= at), || {
                let whom = member.name();
                format!(
                    "{whom} is forgotten at {shown:?}, and was to be kept until {deadline:?}; \
                     the first until {first:?}"
                )
            });
        } else if member.state.is_live() {
            host.down.remove(&about);
        } else {
            host.down.entry(about).or_insert(shown + config.reap_time);
        }
        if member.state != State::Suspect {
            host.suspicions.remove(&about);
        } else if matches!(change, Change::Suspected | Change::Renewed) {
            let suspicion = Suspicion::new(names, config, case, self.steps);
            host.suspicions.insert(about, suspicion);
        }
        host.changed(about);
    }

    /// A suspect was asked whether it is there.
    pub(super) fn asked(&mut self, host: u32, about: NameId, shown: Instant) {
        let Some(host) = self.hosts.get_mut(host as usize) else { return };
        if let Some(suspicion) = host.suspicions.get_mut(&about) {
            suspicion.asked = Some(shown);
            suspicion.set_end();
            host.first = None;
        }
    }

    /// It has answered.
    pub(super) fn answered(&mut self, host: u32, about: NameId, shown: Instant) {
        let Some(host) = self.hosts.get_mut(host as usize) else { return };
        if let Some(suspicion) = host.suspicions.get_mut(&about) {
            let least = suspicion.bounds.least(suspicion.bounds.wanted);
            suspicion.spared = shown + least;
            suspicion.set_end();
            host.first = None;
        }
    }

    /// As many suspicions as the node says to have told again run on, of those for which that was due.
    pub(super) fn retold(&mut self, step: &Handled<'_>) -> Vec<(NameId, Incarnation)> {
        let Some(host) = self.hosts.get_mut(step.host as usize) else { return Vec::new() };
        let told = step.node.counters().get(Counter::SuspicionsRetold);
        let again = told - std::mem::replace(&mut host.retold, told);
        let again = usize::try_from(again).unwrap_or(usize::MAX);
        if again > 0 {
            host.first = None;
        }
        let due = host.suspicions.iter_mut().filter(|(_, it)| it.may_be_retold(step));
        let retold = due.take(again).map(|(&about, suspicion)| {
            suspicion.is_retold = true;
            suspicion.asked = None;
            suspicion.spared = step.shown + suspicion.bounds.least(suspicion.bounds.wanted);
            suspicion.set_end();
            (about, suspicion.incarnation)
        });
        retold.collect()
    }

    /// Whoever has a deadline wants to be woken for it.
    pub(super) fn handled(&mut self, desk: &mut Desk, names: &Names, step: Handled<'_>) {
        let Some(host) = self.hosts.get_mut(step.host as usize) else { return };
        if step.doubts_itself() {
            host.grant(step.lag, step.shown, self.steps);
        }
        for accusation in self.accusations.drain(..) {
            host.confirm(accusation, self.steps);
        }
        let due = step.node.poll_timeout();
        host.first = host.first.or_else(|| host.look_for_first());
        let Some((at, about)) = host.first else { return };
        let in_time = due.is_some_and(|due| due <= at.max(step.shown));
        desk.check(Checker::Deadlines, in_time, || {
            let whom = names.name(about);
            match host.suspicions.get(&about) {
                Some(runs) => format!("it sleeps until {due:?} while it suspects {whom}: {runs:?}"),
                None => format!("it sleeps until {due:?}, and knows {whom} until {at:?} only"),
            }
        });
    }
}

impl Host {
    /// What is to be done about a member, or when, has changed.
    fn changed(&mut self, about: NameId) {
        let Some((at, whom)) = self.first else { return };
        let down = self.down.get(&about).copied();
        let suspected = self.suspicions.get(&about).map(|runs| runs.ends);
        let first = down.into_iter().chain(suspected).min();
        if let Some(earlier) = first.filter(|&first| first <= at) {
            self.first = Some((earlier, about));
        } else if whom == about {
            self.first = None;
        }
    }

    fn look_for_first(&self) -> Option<(Instant, NameId)> {
        let down = self.down.iter().map(|(&about, &at)| (at, about));
        let suspected = self.suspicions.iter().map(|(&about, runs)| (runs.ends, about));
        down.chain(suspected).min()
    }

    fn grant(&mut self, lag: Duration, shown: Instant, step: u64) {
        for suspicion in self.suspicions.values_mut().filter(|it| it.step < step) {
            let lag = lag.min(shown.since(suspicion.since));
            suspicion.granted = suspicion.granted.saturating_add(lag);
            suspicion.spared = suspicion.spared + lag;
            suspicion.set_end();
        }
        self.first = None;
    }

    /// Counts an accuser of a suspicion that ran before this step.
    fn confirm(&mut self, accusation: Accusation, step: u64) {
        let Accusation { about, incarnation, by } = accusation;
        let Some(suspicion) = self.suspicions.get_mut(&about) else { return };
        let counts = suspicion.step < step && suspicion.incarnation == incarnation;
        if counts && !suspicion.accusers.contains(&by) {
            suspicion.accusers.push(by);
            suspicion.set_end();
            self.changed(about);
        }
    }
}

impl Suspicion {
    fn new(names: &mut Names, config: &Config, case: Case<'_>, step: u64) -> Self {
        let by = match &case.evidence.cause {
            Cause::Accused { by } => names.id(by),
            _ => case.me,
        };
        let mut suspicion = Self {
            step,
            since: case.shown,
            incarnation: case.member.incarnation,
            bounds: Bounds::of(config, case.count),
            accusers: vec![by],
            is_own: by == case.me,
            is_retold: false,
            granted: Duration::ZERO,
            patience: config.probe_timeout,
            asked: None,
            spared: Instant::ORIGIN,
            ends: case.shown,
        };
        suspicion.set_end();
        suspicion
    }

    /// Whether it is over, its observer its only accuser though others are wanted, and in doubt of itself.
    fn may_be_retold(&self, step: &Handled<'_>) -> bool {
        let is_alone = self.is_own && self.accusers.len() == 1 && self.bounds.wanted > 0;
        let is_over = self.asked.is_some() && self.ends <= step.shown + 2 * ROUNDING;
        is_alone && is_over && !self.is_retold && step.node.health() > 0
    }

    fn set_end(&mut self) {
        let confirmed = u32::try_from(self.accusers.len() - 1).unwrap_or(u32::MAX);
        let total = self.bounds.least(confirmed.min(self.bounds.wanted));
        let heard = self.asked.map(|asked| asked + self.patience);
        let ends = self.since + total + self.granted + ROUNDING;
        self.ends = ends.max(heard.unwrap_or(ends)).max(self.spared + ROUNDING);
    }
}
