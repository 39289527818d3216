//! How fast, how accurate, how dear.

mod measured;
mod sights;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use mingle_proto::{
    Cause, Change, Command, Done, Event, Evidence, Instant, Member, Node, RequestError, RequestId,
};
use mingle_wire::{Incarnation, State};

pub use measured::{Distribution, Measured, Times};

use crate::scenario::Scenario;
use crate::watch::{Onlooker, Sent, Stop};
use sights::Sights;

/// What is measured of one world.
#[derive(Debug)]
pub(crate) struct Measures {
    subjects: Vec<Subject>,
    /// Who has whom as alive or suspect.
    live: Sights,
    /// Who has whom so in its present life.
    present: Sights,
    up: u32,
    /// Those whose end or beginning is not known to all yet.
    pending: BTreeSet<usize>,
    /// How long a fault concerns a node when it is over.
    aftermath: Duration,
    verdicts: BTreeMap<usize, u64>,
    times: Recorded,
    so_far: Measured,
}

impl Default for Measures {
    fn default() -> Self {
        Self::of(0, Duration::ZERO)
    }
}

/// Times of each kind.
#[derive(Debug, Default)]
struct Recorded {
    detected: Vec<Duration>,
    dead_everywhere: Vec<Duration>,
    joined_everywhere: Vec<Duration>,
    goodbye: Vec<Duration>,
    left_everywhere: Vec<Duration>,
    recovered: Vec<Duration>,
}

/// What is so of one host.
#[derive(Debug, Default)]
struct Subject {
    up_since: Option<Instant>,
    was_up: Duration,
    /// The incarnation that this life began with.
    first: Option<Incarnation>,
    /// The highest of this life.
    highest: Option<Incarnation>,
    /// The highest of the life before.
    before: Option<Incarnation>,
    leaving: Option<Instant>,
    departure: Option<Departure>,
    /// When it started, until all see it.
    arrival: Option<Instant>,
    /// Since when somebody has it as down although it is up.
    doubted: Option<Instant>,
    ill: Concern,
    cut: Concern,
    health: u32,
    health_since: Option<Instant>,
    health_seconds: f64,
    packets: u64,
    bytes: u64,
}

/// How a node went, until all know.
#[derive(Clone, Copy, Debug)]
struct Departure {
    at: Instant,
    kind: Kind,
    detected: bool,
    everywhere: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Crash,
    Goodbye,
}

/// Whether a fault concerns a node.
#[derive(Clone, Copy, Debug, Default)]
struct Concern {
    /// How many do now.
    faults: u32,
    /// Until when the last one that is over still does.
    until: Option<Instant>,
}

/// How a fault concerns nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Impairment {
    /// They do not run as they should.
    Ill,
    /// Others do not reach them as they should.
    Cut,
}

impl Concern {
    fn holds(&self, now: Instant) -> bool {
        self.faults > 0 || self.until.is_some_and(|until| now < until)
    }
}

impl Subject {
    fn concern(&mut self, impairment: Impairment) -> &mut Concern {
        match impairment {
            Impairment::Ill => &mut self.ill,
            Impairment::Cut => &mut self.cut,
        }
    }

    fn is_concerned(&self, now: Instant) -> bool {
        self.ill.holds(now) || self.cut.holds(now)
    }

    /// Whether news at this incarnation are about a life that is over.
    fn is_news_of_before(&self, incarnation: Incarnation) -> bool {
        self.before.is_some_and(|before| incarnation <= before)
    }

    fn settle_health(&mut self, now: Instant) {
        if let Some(since) = self.health_since.replace(now) {
            self.health_seconds += f64::from(self.health) * now.since(since).as_secs_f64();
        }
    }
}

impl Measures {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let aftermath = scenario
            .config
            .apply(scenario.profile, scenario.rules)
            .map_or(Duration::ZERO, |config| longest_doubt(&config, scenario.nodes));
        Self::of(scenario.nodes as usize, aftermath)
    }

    fn of(nodes: usize, aftermath: Duration) -> Self {
        Self {
            subjects: (0..nodes).map(|_| Subject::default()).collect(),
            live: Sights::new(nodes),
            present: Sights::new(nodes),
            up: 0,
            pending: BTreeSet::new(),
            aftermath,
            verdicts: BTreeMap::new(),
            times: Recorded::default(),
            so_far: Measured::default(),
        }
    }

    /// A fault concerns these nodes from now on.
    pub(crate) fn impair(&mut self, hosts: &[u32], impairment: Impairment) {
        for &host in hosts {
            if let Some(subject) = self.subjects.get_mut(host as usize) {
                subject.concern(impairment).faults += 1;
            }
        }
    }

    /// It is over.
    pub(crate) fn relieve(&mut self, now: Instant, hosts: &[u32], impairment: Impairment) {
        for &host in hosts {
            if let Some(subject) = self.subjects.get_mut(host as usize) {
                let concern = subject.concern(impairment);
                concern.faults = concern.faults.saturating_sub(1);
                concern.until = concern.until.max(Some(now + self.aftermath));
            }
        }
    }

    /// An envelope has refused a hostile datagram.
    pub(crate) fn datagram_refused(&mut self) {
        self.so_far.messages_refused += 1;
    }

    /// All of it, at the end of the world. `refused` are the messages that nodes have refused.
    pub(crate) fn finish(mut self, now: Instant, refused: u64) -> Measured {
        let mut health_seconds = 0.0;
        let (mut packets, mut bytes) = (0, 0);
        let mut seconds = 0.0;
        for subject in &mut self.subjects {
            if let Some(since) = subject.up_since {
                subject.was_up += now.since(since);
                subject.settle_health(now);
            }
            let up = subject.was_up.as_secs_f64();
            seconds += up;
            health_seconds += subject.health_seconds;
            packets += subject.packets;
            bytes += subject.bytes;
            let rate = share(subject.bytes, up);
            self.so_far.busiest_bytes_per_second = self.so_far.busiest_bytes_per_second.max(rate);
            let gone = subject.departure.filter(|gone| !gone.everywhere && self.up > 0);
            match gone.map(|gone| gone.kind) {
                Some(Kind::Crash) => self.so_far.missed_deaths += 1,
                Some(Kind::Goodbye) => self.so_far.missed_goodbyes += 1,
                None => {}
            }
            self.so_far.missed_joins += u64::from(subject.arrival.is_some());
            self.so_far.unrecovered += u64::from(subject.doubted.is_some());
        }
        let mut measured = self.so_far;
        measured.node_hours = seconds / 3600.0;
        measured.packets_per_node_second = share(packets, seconds);
        measured.bytes_per_node_second = share(bytes, seconds);
        measured.health = if seconds > 0.0 { health_seconds / seconds } else { 0.0 };
        measured.messages_refused += refused;
        measured.detected = Distribution::of(&self.times.detected);
        measured.dead_everywhere = Distribution::of(&self.times.dead_everywhere);
        measured.joined_everywhere = Distribution::of(&self.times.joined_everywhere);
        measured.goodbye = Distribution::of(&self.times.goodbye);
        measured.left_everywhere = Distribution::of(&self.times.left_everywhere);
        measured.recovered = Distribution::of(&self.times.recovered);
        let mut by: Vec<Times> = self
            .verdicts
            .iter()
            .map(|(host, &times)| Times { node: format!("n{host}"), times })
            .collect();
        by.sort_by_key(|by| std::cmp::Reverse(by.times));
        by.truncate(MOST_NAMED);
        measured.false_verdicts_by = by;
        measured
    }

    fn changed(
        &mut self,
        now: Instant,
        observer: usize,
        change: Change,
        member: &Member,
        evidence: &Evidence,
    ) {
        let Some(subject) = number(member.name()).filter(|&n| n < self.subjects.len()) else {
            return;
        };
        if subject == observer {
            return;
        }
        match change {
            Change::Joined | Change::Recovered | Change::Updated | Change::Renewed => {
                self.seen_live(subject, observer, change, member, evidence);
            }
            Change::Suspected => {
                self.live.set(observer, subject);
                if matches!(evidence.cause, Cause::ProbeFailed(_)) {
                    self.accused(now, observer, subject, member.incarnation);
                }
            }
            Change::Failed => self.seen_dead(now, observer, subject, member, evidence),
            Change::Left => self.seen_leaving(now, observer, subject, member),
            Change::Reaped => {
                self.live.clear(observer, subject);
                self.present.clear(observer, subject);
            }
        }
        if self.pending.contains(&subject) {
            self.settle(now, subject);
        }
    }

    fn seen_live(
        &mut self,
        subject: usize,
        observer: usize,
        change: Change,
        member: &Member,
        evidence: &Evidence,
    ) {
        if member.state.is_live() {
            self.live.set(observer, subject);
        }
        let is = &self.subjects[subject];
        match is.departure.filter(|_| is.up_since.is_none()) {
            Some(gone) => {
                let had_it_down = matches!(evidence.before, Some(State::Dead | State::Left));
                if change == Change::Joined && (gone.everywhere || had_it_down) {
                    self.so_far.returns_of_the_dead += 1;
                }
            }
            None if is.first.is_some_and(|first| member.incarnation >= first) => {
                self.present.set(observer, subject);
            }
            None => {}
        }
    }

    fn accused(&mut self, now: Instant, observer: usize, subject: usize, incarnation: Incarnation) {
        let is = &self.subjects[subject];
        if is.up_since.is_none() || is.leaving.is_some() || is.is_news_of_before(incarnation) {
            return;
        }
        if is.is_concerned(now) || self.subjects[observer].cut.holds(now) {
            self.so_far.suspicions_of_concerned += 1;
        } else {
            self.so_far.suspicions += 1;
        }
    }

    fn seen_dead(
        &mut self,
        now: Instant,
        observer: usize,
        subject: usize,
        member: &Member,
        evidence: &Evidence,
    ) {
        self.live.clear(observer, subject);
        self.present.clear(observer, subject);
        let is = &mut self.subjects[subject];
        if is.up_since.is_none() {
            if let Some(gone) = &mut is.departure
                && gone.kind == Kind::Crash
                && !gone.detected
            {
                gone.detected = true;
                self.times.detected.push(now.since(gone.at));
            }
            return;
        }
        if is.leaving.is_some() {
            return;
        }
        if is.is_news_of_before(member.incarnation) {
            self.so_far.late_failures += 1;
            return;
        }
        is.doubted.get_or_insert(now);
        self.pending.insert(subject);
        if matches!(evidence.cause, Cause::SuspicionExpired { .. }) {
            *self.verdicts.entry(observer).or_default() += 1;
        }
        let concerned = self.subjects[subject].is_concerned(now);
        let by = &self.subjects[observer];
        if concerned || by.cut.holds(now) {
            self.so_far.failures_of_concerned += 1;
        } else {
            self.so_far.false_failures += 1;
            self.so_far.false_failures_at_concerned += u64::from(by.ill.holds(now));
        }
    }

    fn seen_leaving(&mut self, now: Instant, observer: usize, subject: usize, member: &Member) {
        self.live.clear(observer, subject);
        self.present.clear(observer, subject);
        let is = &mut self.subjects[subject];
        let stays = is.up_since.is_some() && is.leaving.is_none();
        if stays && !is.is_news_of_before(member.incarnation) {
            is.doubted.get_or_insert(now);
            self.pending.insert(subject);
            self.so_far.false_goodbyes += 1;
        }
    }

    /// Looks whether what is pending about the subject has come about.
    fn settle(&mut self, now: Instant, subject: usize) {
        let others = self.up - u32::from(self.subjects[subject].up_since.is_some());
        let is = &mut self.subjects[subject];
        if let Some(gone) = &mut is.departure
            && !gone.everywhere
            && self.live.of(subject) == 0
        {
            gone.everywhere = true;
            match gone.kind {
                Kind::Crash => self.times.dead_everywhere.push(now.since(gone.at)),
                Kind::Goodbye => self.times.left_everywhere.push(now.since(gone.at)),
            }
        }
        if let Some(since) = is.arrival
            && self.present.of(subject) == others
        {
            is.arrival = None;
            self.times.joined_everywhere.push(now.since(since));
        }
        if let Some(since) = is.doubted
            && self.live.of(subject) == others
        {
            is.doubted = None;
            self.times.recovered.push(now.since(since));
        }
        let gone = is.departure.is_some_and(|gone| !gone.everywhere);
        if !gone && is.arrival.is_none() && is.doubted.is_none() {
            self.pending.remove(&subject);
        }
    }

    fn settle_all(&mut self, now: Instant) {
        for subject in self.pending.clone() {
            self.settle(now, subject);
        }
    }
}

/// Those with most false verdicts that are named.
const MOST_NAMED: usize = 10;

/// How long a probe that began with a fault may take, and the suspicion after it.
fn longest_doubt(config: &mingle_proto::Config, nodes: u32) -> Duration {
    let log = libm::log10(f64::from(nodes.max(1))).max(1.0);
    let shortest = config.probe_interval.mul_f64(f64::from(config.suspicion_mult) * log);
    config.probe_interval * config.awareness_max_multiplier
        + shortest * config.suspicion_max_timeout_mult
}

fn number(name: &str) -> Option<usize> {
    name.strip_prefix('n')?.parse().ok()
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn share(count: u64, of: f64) -> f64 {
    if of > 0.0 { count as f64 / of } else { 0.0 }
}

impl Onlooker for Measures {
    fn started(&mut self, now: Instant, host: u32, _: Instant, node: &Node) {
        let host = host as usize;
        if host >= self.subjects.len() {
            return;
        }
        self.up += 1;
        let converged = now == Instant::ORIGIN && node.live_count() >= self.subjects.len();
        let is = &mut self.subjects[host];
        let gone = is.departure.take();
        let overtaken = gone.is_some_and(|gone| gone.kind == Kind::Crash && !gone.everywhere);
        self.so_far.overtaken += u64::from(overtaken);
        is.up_since = Some(now);
        is.before = is.highest.max(is.before);
        is.first = Some(node.local().incarnation);
        is.highest = is.first;
        is.leaving = None;
        (is.health, is.health_since) = (0, Some(now));
        if converged {
            self.live.set_all(host);
            self.present.set_all(host);
        } else {
            is.arrival = Some(now);
            self.pending.insert(host);
            // What others hold of the life before can't be told from this one where that began as low.
            if is.first > is.before {
                self.present.clear_subject(host);
            } else {
                self.present.copy_subject(host, &self.live);
            }
        }
        self.settle_all(now);
    }

    fn stopped(&mut self, now: Instant, host: u32, how: Stop) {
        let host = host as usize;
        let Some(is) = self.subjects.get_mut(host) else { return };
        self.up -= 1;
        is.settle_health(now);
        is.was_up += is.up_since.take().map_or(Duration::ZERO, |since| now.since(since));
        (is.arrival, is.doubted) = (None, None);
        match how {
            Stop::Left => {
                self.times.goodbye.extend(is.leaving.take().map(|since| now.since(since)));
            }
            Stop::ProcessCrashed | Stop::MachineCrashed => {
                self.so_far.crashes += 1;
                let kind = Kind::Crash;
                is.departure =
                    Some(Departure { at: now, kind, detected: false, everywhere: false });
                self.pending.insert(host);
            }
        }
        self.live.clear_observer(host);
        self.present.clear_observer(host);
        self.settle_all(now);
    }

    fn asked(&mut self, now: Instant, host: u32, _: RequestId, what: &Command<'_>) {
        if let (Command::Leave { .. }, Some(is)) = (what, self.subjects.get_mut(host as usize)) {
            let kind = Kind::Goodbye;
            is.leaving = Some(now);
            is.departure = Some(Departure { at: now, kind, detected: false, everywhere: false });
            is.doubted = None;
            self.pending.insert(host as usize);
        }
    }

    fn sent(&mut self, _: Instant, packet: Sent<'_>) {
        let bytes = packet.body.len() as u64;
        self.so_far.largest_packet = self.so_far.largest_packet.max(bytes);
        if let Some(is) = self.subjects.get_mut(packet.host as usize) {
            is.packets += 1;
            is.bytes += bytes;
        }
    }

    fn sent_message(&mut self, _: Instant, host: u32, _: SocketAddr, body: &[u8]) {
        let bytes = body.len() as u64;
        self.so_far.largest_message = self.so_far.largest_message.max(bytes);
        if let Some(is) = self.subjects.get_mut(host as usize) {
            is.bytes += bytes;
        }
    }

    fn event(&mut self, now: Instant, host: u32, _: Instant, event: &Event) {
        let observer = host as usize;
        if observer >= self.subjects.len() {
            return;
        }
        match event {
            Event::Member { change, member, evidence } => {
                self.changed(now, observer, *change, member, evidence);
            }
            Event::Refuted { incarnation, .. } => {
                self.so_far.refutations += 1;
                self.subjects[observer].highest = Some(*incarnation);
            }
            Event::Health { score } => {
                self.subjects[observer].settle_health(now);
                self.subjects[observer].health = *score;
                self.so_far.worst_health = self.so_far.worst_health.max(*score);
            }
            Event::Completed { result: Err(error), .. } => {
                let refused = !matches!(error, RequestError::Exchange { .. });
                self.so_far.requests_refused += u64::from(refused);
            }
            Event::Completed { result: Ok(Done::MetaSet), .. } => {
                let is = &mut self.subjects[observer];
                is.highest = is.highest.map(Incarnation::next);
            }
            Event::Completed { .. }
            | Event::Conflict { .. }
            | Event::UserMessage { .. }
            | Event::UserState { .. }
            | Event::Reconnect { .. }
            | Event::LinkDegraded { .. }
            | Event::LinkRestored { .. }
            | Event::Pong { .. } => {}
        }
    }

    fn handled(&mut self, _: Instant, host: u32, _: Instant, node: &Node) {
        let queued = node.queued() as u64;
        if queued > self.so_far.longest_queue {
            self.so_far.longest_queue = queued;
            self.so_far.longest_queue_of = format!("n{host}");
        }
    }
}
