//! The machine. All control flow is here, one file per concern; the components it asks do not know
//! each other.

mod agreement;
mod claims;
mod commands;
mod corrections;
mod exchanges;
mod gossip;
mod inquiries;
mod joining;
mod leaving;
mod links;
mod packets;
mod probing;
mod reconnecting;
mod writing;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use mingle_wire::{Alive, Incarnation, SeqNo};
use serde::{Deserialize, Serialize};

use crate::awareness::Awareness;
use crate::broadcasts::Broadcasts;
use crate::credit::Credit;
use crate::members::{MemberKey, Members};
use crate::probe::Probe;
use crate::rng::Rng;
use crate::seeds::Seeds;
use crate::suspicion::Suspicion;
use crate::timers::{Activity, Timer, Timers};
use crate::tombstones::Tombstones;
use crate::{
    Config, ConfigError, Counter, Counters, Event, Evidence, Input, Instant, Lateness, Local,
    Member, Output, Profile, Room,
};

use corrections::Corrections;
use exchanges::Purpose;
use inquiries::{Inquiry, Namesake};
use joining::Comparing;
use leaving::Leaving;
use links::Link;
use packets::Relay;
use writing::Intent;

/// One participant of the protocol, as a machine.
///
/// There are four kinds of methods. *Queries* read. [`Node::handle`] takes in one input at an
/// instant that is not before the last one. [`Node::poll_output`] gives out, one by one, what is to
/// be done about it; drain it until it gives `None` after every `handle`. [`Node::poll_timeout`]
/// says when the node wants [`Input::Timeout`]; a spurious one does nothing.
///
/// ```
/// use mingle_proto::{Config, Input, Instant, Local, Node, Room};
///
/// let local = Local::new("web-1", "10.0.0.1:7946".parse::<std::net::SocketAddr>()?.into());
/// let mut node = Node::new(Config::lan(), local, 42, Instant::ORIGIN)?;
/// let mut buffer = Vec::new();
/// let at = node.poll_timeout().expect("a node always waits for something");
/// node.handle(at, Input::Timeout);
/// while let Some(output) = node.poll_output(Room::of_packet(1400), &mut buffer) {
///     println!("{output:?} with {} bytes", buffer.len());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Node {
    config: Config,
    bind_port: u16,
    now: Instant,
    rng: Rng,
    members: Members,
    tombstones: Tombstones,
    timers: Timers,
    /// The next tick of gossip, if there is anything to tick for by then.
    next_gossip: Instant,
    awareness: Awareness,
    broadcasts: Broadcasts,
    probe: Option<Probe>,
    probe_due: bool,
    /// Whom to probe next, out of turn.
    probe_again: Option<MemberKey>,
    credit: Credit,
    links: BTreeMap<MemberKey, Link>,
    suspicions: BTreeMap<MemberKey, Suspicion>,
    relays: BTreeMap<SeqNo, Relay>,
    exchanges: BTreeMap<u64, Purpose>,
    next_exchange: u64,
    inquiries: BTreeMap<SeqNo, Inquiry>,
    /// Suspects that are asked for their last word.
    last_words: BTreeMap<SeqNo, MemberKey>,
    inquiry_seq: u32,
    /// Members whose name two nodes answer to, and when that was found.
    contested: BTreeMap<MemberKey, Instant>,
    namesake: Option<Namesake>,
    /// Whether anybody has shown us ourselves: who holds our name for another's does not.
    is_held: bool,
    seq: SeqNo,
    leaving: Leaving,
    ack_payload: Vec<u8>,
    corrections: Corrections,
    /// When a refutation was last shown to somebody in particular.
    last_shown: Option<Instant>,
    seeds: Seeds,
    /// The next pause between attempts to reach whoever is missing.
    reconnect_pause: Duration,
    /// When the view last changed.
    changed: Instant,
    /// When views were last exchanged because they differed, our version of it then, and the pause
    /// until that may be done again.
    reconciled: Option<(Instant, u64, Duration)>,
    /// Since a join, until somebody has the same view.
    comparing: Option<Comparing>,
    /// How many acks in a row told of the view that we have.
    same_in_a_row: u32,
    /// How many periodic exchanges in a row were spared.
    spared_in_a_row: u32,
    /// Whether any view that came had a user state beside it.
    user_states: bool,
    /// Empty whenever a checkpoint is taken.
    #[serde(skip)]
    intents: VecDeque<Intent>,
    view_version: u64,
    counters: Counters,
    #[serde(skip)]
    scratch: Scratch,
}

/// Buffers that are used again.
#[derive(Clone, Debug, Default)]
struct Scratch {
    message: Vec<u8>,
    payload: Vec<u8>,
    chosen: Vec<MemberKey>,
}

impl Node {
    /// A node that knows only itself.
    ///
    /// # Errors
    ///
    /// The first thing in `config` or `local` that no node can run with.
    pub fn new(config: Config, local: Local, seed: u64, now: Instant) -> Result<Self, ConfigError> {
        config.check()?;
        local.check()?;
        let Local { name, address, bind_port, meta, versions, incarnation } = local;
        let alive = Alive { incarnation, node: &name, address, meta: &meta, versions };
        let profile = Profile::of(&alive, address.port);
        let mut rng = Rng::new(seed);
        let index_seed = rng.next();
        let mut node = Self {
            bind_port,
            now,
            members: Members::new(profile, incarnation, index_seed, now),
            tombstones: Tombstones::default(),
            timers: Timers::default(),
            next_gossip: now,
            awareness: Awareness::new(config.awareness_max_multiplier),
            broadcasts: Broadcasts::default(),
            probe: None,
            probe_due: false,
            probe_again: None,
            credit: Credit::new(now),
            links: BTreeMap::new(),
            suspicions: BTreeMap::new(),
            relays: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            next_exchange: 0,
            inquiries: BTreeMap::new(),
            last_words: BTreeMap::new(),
            inquiry_seq: 0,
            contested: BTreeMap::new(),
            namesake: None,
            is_held: false,
            seq: SeqNo(0),
            leaving: Leaving::No,
            ack_payload: Vec::new(),
            corrections: Corrections::default(),
            last_shown: None,
            seeds: Seeds::default(),
            reconnect_pause: config.probe_interval,
            changed: now,
            reconciled: None,
            comparing: None,
            same_in_a_row: 0,
            spared_in_a_row: 0,
            user_states: false,
            intents: VecDeque::new(),
            view_version: 0,
            counters: Counters::default(),
            scratch: Scratch::default(),
            rng,
            config,
        };
        node.start();
        Ok(node)
    }

    /// A node that begins in the midst of these members, alive and known to each other, as if it had
    /// met them long ago. What they say of themselves is shared with them, not copied.
    ///
    /// For simulations and tests of large clusters, which would else begin with every node telling
    /// everything to every other one.
    ///
    /// # Errors
    ///
    /// As [`Node::new`].
    pub fn among<'m>(
        config: Config,
        local: Local,
        seed: u64,
        now: Instant,
        members: impl IntoIterator<Item = &'m Member>,
    ) -> Result<Self, ConfigError> {
        let mut node = Self::new(config, local, seed, now)?;
        node.broadcasts.remove(MemberKey::LOCAL);
        let members = members.into_iter();
        node.members.reserve(members.size_hint().0.min(node.config.max_members as usize));
        for member in members {
            let is_new = node.members.find_bytes(member.profile.name_bytes()).is_none();
            if is_new && node.members.len() < node.config.max_members as usize {
                let (profile, incarnation) = (member.profile.clone(), member.incarnation);
                node.members.insert(profile, incarnation, now, &mut node.rng);
            }
        }
        node.wait_for_push_pull();
        Ok(node)
    }

    /// Announces the node and starts its periods, each after a random part of it (spec 8.1).
    fn start(&mut self) {
        self.queue_alive(MemberKey::LOCAL);
        let probe_at = self.after_part(self.config.probe_interval);
        self.timers.set(Timer::Probe, probe_at);
        self.next_gossip = self.after_part(self.config.gossip_interval);
        self.wait_for_gossip();
        self.wait_for_push_pull();
    }

    fn wait_for_push_pull(&mut self) {
        if !self.config.push_pull_interval.is_zero() {
            let at = self.after_part(self.push_pull_interval());
            self.timers.set(Timer::PushPull, at);
        }
    }

    fn after_part(&mut self, interval: Duration) -> Instant {
        let nanos = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX).max(1);
        self.now + Duration::from_nanos(self.rng.below(nanos))
    }

    /// Takes in one input at `now`, which is not before any earlier one.
    ///
    /// Deadlines fire only on [`Input::Timeout`].
    ///
    /// # Panics
    ///
    /// Never because of what a peer sent.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.now = self.now.max(now);
        match input {
            Input::Packet { from, received, body } => self.on_packet(from, received, body),
            Input::Exchange { exchange, from, body } => self.on_exchange(exchange, from, body),
            Input::ExchangeMessage { exchange, body } => self.on_exchange_message(exchange, body),
            Input::ExchangeEnded { exchange, end } => self.on_exchange_ended(exchange, end),
            Input::SendFailed { to, kind } => self.on_send_failed(to, kind),
            Input::Timeout => self.on_timeout(),
            Input::Command(command) => self.on_command(command),
        }
        self.wait_for_gossip();
        #[cfg(debug_assertions)]
        if self.members.len() <= SMALL_ENOUGH_TO_CHECK {
            self.check();
        }
    }

    fn on_timeout(&mut self) {
        let due = self.timers.next().unwrap_or(self.now);
        self.note_lag(self.now.since(due));
        // Timers that are set while others fire wait for the next call, unless they are due by then.
        for _ in 0..MOST_TIMERS_AT_ONCE {
            let Some(timer) = self.timers.pop(self.now) else { return };
            self.fire(timer);
        }
    }

    /// When [`Node::handle_timeout_of`] has something to do.
    #[must_use]
    pub fn poll_timeout_of(&self, activity: Activity) -> Option<Instant> {
        self.timers.next_of(activity).map(|(at, _)| at)
    }

    /// Lets only those deadlines fire that belong to an activity. It is for models of processes whose threads
    /// get stuck one by one; a driver that runs gives [`Input::Timeout`].
    pub fn handle_timeout_of(&mut self, now: Instant, activity: Activity) {
        self.now = self.now.max(now);
        for _ in 0..MOST_TIMERS_AT_ONCE {
            let next = self.timers.next_of(activity).filter(|&(at, _)| at <= self.now);
            let Some((_, timer)) = next else { break };
            self.timers.cancel(timer);
            self.fire(timer);
        }
        self.wait_for_gossip();
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Probe => self.on_probe_tick(),
            Timer::ProbeTimeout => self.on_probe_timeout(),
            Timer::ProbeDeadline => self.on_probe_deadline(),
            Timer::Relay(seq) => self.on_relay_timeout(seq),
            Timer::Inquiry(seq) => self.on_inquiry_timeout(seq),
            Timer::Suspicion(key) => self.on_suspicion_timeout(key),
            Timer::Gossip => self.on_gossip_tick(),
            Timer::PushPull => self.on_push_pull_tick(),
            Timer::Leave => self.on_leave_timeout(),
            Timer::Reap(key) => self.reap(key),
            Timer::Tombstone => self.on_tombstone_timeout(),
            Timer::Reconnect => self.on_reconnect_tick(),
            Timer::Compare => self.on_compare_tick(),
        }
    }

    /// Keeps how late we were as evidence, and doubts ourselves where the rules say so.
    fn note_lag(&mut self, lag: Duration) {
        if lag < WORTH_NOTING {
            return;
        }
        if let Some(probe) = &mut self.probe {
            probe.lag = probe.lag.max(lag);
        }
        for suspicion in self.suspicions.values_mut() {
            suspicion.note_lag(lag, self.now);
        }
        if lag > self.config.probe_interval {
            self.counters.count(Counter::LateWakeups);
            if self.config.rules.lateness == Lateness::DoubtsItself {
                self.doubt_ourselves(lag);
            }
        }
    }

    /// Whatever seemed to happen while we slept may have been our sleeping.
    fn doubt_ourselves(&mut self, slept: Duration) {
        if self.probe.take().is_some() {
            self.counters.count(Counter::ProbesVoided);
            self.timers.cancel(Timer::ProbeTimeout);
            self.timers.cancel(Timer::ProbeDeadline);
        }
        self.worsen_health(1);
        for suspicion in self.suspicions.values_mut() {
            suspicion.grant(slept, self.now);
            suspicion.asked = None;
        }
        self.last_words.clear();
        let suspects: Vec<MemberKey> = self.suspicions.keys().copied().collect();
        for key in suspects {
            self.timers.cancel(Timer::Suspicion(key));
            self.wait_for_suspicion(key);
        }
    }

    /// The next thing for the driver to do; `None` when all is done.
    ///
    /// For packets and stream messages `buffer` is cleared and filled. Packets are written now, with
    /// as many claims beside them as `room` has space for.
    pub fn poll_output(&mut self, room: Room, buffer: &mut Vec<u8>) -> Option<Output> {
        loop {
            let Some(intent) = self.intents.pop_front() else {
                if self.intents.capacity() > MOST_INTENTS_KEPT {
                    self.intents = VecDeque::new();
                }
                return None;
            };
            if let Some(output) = self.write(intent, room, buffer) {
                return Some(output);
            }
        }
    }

    /// When the node wants [`Input::Timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// All members that are known, in whatever state, the local one included. In no particular order,
    /// but the same for the same history.
    pub fn members(&self) -> impl Iterator<Item = Member> + '_ {
        self.members.iter().map(|slot| Member {
            profile: slot.profile.clone(),
            state: slot.state,
            incarnation: slot.incarnation,
            since: slot.since(),
        })
    }

    /// The member of this name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<Member> {
        self.members.find(name).map(|key| self.members.member(key))
    }

    /// The smoothed round trip time of direct pings to the member of this name, at the address that it
    /// has now (RFC 6298, section 2); off by 1/2048 at most.
    #[must_use]
    pub fn rtt(&self, name: &str) -> Option<Duration> {
        self.members.get(self.members.find(name)?).rtt.smoothed()
    }

    /// How long ago the member of this name last answered a ping of ours.
    #[must_use]
    pub fn last_ack_age(&self, name: &str) -> Option<Duration> {
        self.members.get(self.members.find(name)?).last_ack_age(self.now)
    }

    /// Ourselves.
    #[must_use]
    pub fn local(&self) -> Member {
        self.members.member(MemberKey::LOCAL)
    }

    /// Our own incarnation.
    #[must_use]
    pub fn local_incarnation(&self) -> Incarnation {
        self.members.local().incarnation
    }

    /// Where another node is that answers to our name: it was asked not long ago.
    #[must_use]
    pub fn namesake(&self) -> Option<SocketAddr> {
        self.living_namesake().map(|namesake| namesake.at)
    }

    /// How many members are known, in whatever state, ourselves included.
    #[must_use]
    pub fn member_count(&self) -> usize {
        self.members.len()
    }

    /// How many members are alive or suspect, ourselves included unless we have left.
    #[must_use]
    pub fn live_count(&self) -> usize {
        self.members.live()
    }

    /// How many members are accused and have not been heard yet.
    #[must_use]
    pub fn suspected(&self) -> usize {
        self.suspicions.len()
    }

    /// How often the view has changed.
    #[must_use]
    pub fn view_version(&self) -> u64 {
        self.view_version
    }

    /// A number that is equal exactly when two nodes see the same live members at the same
    /// incarnations saying the same of themselves (but for chance: one in 2^64).
    #[must_use]
    pub fn view_fingerprint(&self) -> u64 {
        self.members.fingerprint()
    }

    /// The health score; 0 is healthy.
    #[must_use]
    pub fn health(&self) -> u32 {
        self.awareness.score()
    }

    /// How many claims wait to be gossiped.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.broadcasts.len()
    }

    /// How many names are kept of members that were reaped, and of strangers that are dead.
    #[must_use]
    pub fn buried(&self) -> usize {
        self.tombstones.len()
    }

    /// How many exchanges are under way that we dialled, or are about to dial.
    #[must_use]
    pub fn open_exchanges(&self) -> usize {
        self.exchanges.len()
    }

    /// What has been counted.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What the node was made with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn has_outputs(&self) -> bool {
        !self.intents.is_empty()
    }

    fn emit(&mut self, event: Event) {
        self.intents.push_back(Intent::Event(Box::new(event)));
    }

    fn emit_change(&mut self, change: crate::Change, key: MemberKey, evidence: Evidence) {
        self.view_version += 1;
        self.changed = self.now;
        if change == crate::Change::Joined {
            self.note_crowd();
        }
        let member = self.members.member(key);
        self.emit(Event::Member { change, member, evidence });
    }

    fn better_health(&mut self) {
        if self.awareness.better() {
            self.emit(Event::Health { score: self.awareness.score() });
        }
    }

    fn worsen_health(&mut self, by: u32) {
        if self.awareness.worse(by) {
            self.emit(Event::Health { score: self.awareness.score() });
        }
    }

    fn next_seq(&mut self) -> SeqNo {
        self.seq = SeqNo(self.seq.0.wrapping_add(1));
        self.seq
    }

    /// Holds everything that is derived against what it is derived from.
    #[cfg(debug_assertions)]
    fn check(&self) {
        self.members.check();
        for (&key, suspicion) in &self.suspicions {
            assert_eq!(self.members.get(key).state, mingle_wire::State::Suspect);
            let deadline = self.timers.deadline(Timer::Suspicion(key));
            let is_asked = self.config.rules.verdicts == crate::Verdicts::Asked;
            let is_last = !is_asked || suspicion.asked.is_some();
            assert!(deadline >= Some(suspicion.deadline()) || !is_last, "nobody falls too early");
            assert!(deadline.is_some(), "every suspicion ends");
        }
        let suspects = self.members.iter().filter(|s| s.state == mingle_wire::State::Suspect);
        assert_eq!(suspects.count(), self.suspicions.len(), "every suspect has a suspicion");
        assert!(self.members.len() <= self.config.max_members as usize);
        assert!(self.relays.len() <= packets::MAX_RELAYS);
        assert!(self.exchanges.len() <= exchanges::MAX_EXCHANGES);
        assert!(self.inquiries.len() <= inquiries::MAX_INQUIRIES);
        assert!(self.last_words.len() <= self.suspicions.len());
    }
}

/// Above this many members the checks of debug builds would dwarf what they check.
#[cfg(debug_assertions)]
const SMALL_ENOUGH_TO_CHECK: usize = 300;
/// A whole view brings about as many intents as it has members; the space for them is not kept.
const MOST_INTENTS_KEPT: usize = 64;
/// Lag below this is nobody's concern.
const WORTH_NOTING: Duration = Duration::from_millis(20);
/// So that a wake-up after long sleep ends; what is left fires on the next call, which is at once.
const MOST_TIMERS_AT_ONCE: usize = 10_000;
