use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use mingle::{Change, Decision, Diff, Member, Snapshot};
use serde::Serialize;
use tokio::sync::broadcast;

use super::event::Event;
use crate::api::{ChangeEvent, GapEvent, SnapshotEvent, StatusEvent};
use crate::http::views;
use crate::output::timestamp_millis;

/// Events that wait for a slow watcher before it has a gap.
const MAX_WAITING: usize = 1024;
/// Events that are kept for those who come back, and their bytes.
const MAX_PAST: usize = 1024;
const MAX_PAST_BYTES: usize = 1 << 20;

/// What watchers have been told so far, and what they would be told first.
pub(super) struct Book {
    /// Sets the numbers of this process apart from those of another one.
    epoch: u64,
    /// Of the last event that can be asked for again.
    number: u64,
    /// Of the view, after that event.
    version: u64,
    members: BTreeMap<String, Arc<Member>>,
    past: VecDeque<Event>,
    past_bytes: usize,
    statuses: u32,
    ended: bool,
    told: broadcast::Sender<Event>,
}

impl Book {
    pub(super) fn new(epoch: SystemTime) -> Self {
        let epoch = epoch.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        Self {
            epoch: u64::try_from(epoch).unwrap_or(u64::MAX),
            number: 0,
            version: 0,
            members: BTreeMap::new(),
            past: VecDeque::new(),
            past_bytes: 0,
            statuses: 0,
            ended: false,
            told: broadcast::Sender::new(MAX_WAITING),
        }
    }

    /// Everything anew: at the start, and when changes went by.
    pub(super) fn replace(&mut self, snapshot: &Snapshot) {
        self.version = snapshot.version;
        let members = snapshot.members.iter();
        self.members = members.map(|member| (member.name.clone(), Arc::clone(member))).collect();
        self.number += 1;
        // Nobody can go on from before it.
        self.past.clear();
        self.past_bytes = 0;
        self.tell(self.snapshot());
    }

    pub(super) fn change(&mut self, diff: &Diff) {
        let member = &diff.member;
        self.version = diff.version;
        if diff.change == Change::Reaped {
            self.members.remove(&member.name);
        } else {
            self.members.insert(member.name.clone(), Arc::clone(member));
        }
        let change = ChangeEvent {
            version: diff.version,
            member: views::member(member),
            decision: views::decision(&diff.decision()),
        };
        self.keep("change", &change);
    }

    pub(super) fn decision(&mut self, decision: &Decision) {
        self.keep("decision", &views::decision(decision));
    }

    pub(super) fn gap(&mut self, missed: u64) {
        self.keep("gap", &GapEvent { missed });
    }

    /// How the agent is; nobody asks for that again.
    pub(super) fn status(&mut self, status: &StatusEvent) {
        self.statuses = self.statuses.wrapping_add(1);
        self.tell(Event::new("status", None, status));
    }

    /// How often it was told how the agent is.
    pub(super) const fn statuses(&self) -> u32 {
        self.statuses
    }

    /// The last round trip times, in milliseconds by name.
    pub(super) fn rtts(&mut self) {
        let members = self.members.values();
        let rtts: BTreeMap<_, _> = members
            .filter_map(|member| Some((member.name.as_str(), views::rtt_ms(member)?)))
            .collect();
        let event = Event::new("rtts", None, &rtts);
        self.tell(event);
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
        self.tell(Event::new("end", None, &serde_json::json!({})));
        // Without a sender, receivers end after what waits for them.
        self.told = broadcast::Sender::new(1);
    }

    /// From where a watcher goes on: what it is told first, and then each event.
    pub(super) fn subscribe(&self, after: Option<(u64, u64)>) -> Subscription {
        let past = after.and_then(|after| self.since(after));
        let first = past.unwrap_or_else(|| [self.snapshot()].into());
        Subscription { first, then: (!self.ended).then(|| self.told.subscribe()) }
    }

    /// What came after an event, if all of it is still kept.
    fn since(&self, (epoch, number): (u64, u64)) -> Option<VecDeque<Event>> {
        let oldest = self.past.front().and_then(|event| event.number).unwrap_or(self.number + 1);
        let is_kept = epoch == self.epoch && number <= self.number && oldest <= number + 1;
        let is_later = |event: &&Event| event.number > Some(number);
        is_kept.then(|| self.past.iter().filter(is_later).cloned().collect())
    }

    fn snapshot(&self) -> Event {
        let members = self.members.values().map(|member| views::member(member)).collect();
        let now = timestamp_millis(SystemTime::now());
        let snapshot = SnapshotEvent { version: self.version, now, members };
        Event::new("snapshot", Some((self.epoch, self.number)), &snapshot)
    }

    fn keep(&mut self, kind: &str, data: &impl Serialize) {
        self.number += 1;
        let event = Event::new(kind, Some((self.epoch, self.number)), data);
        self.past_bytes += event.bytes.len();
        self.past.push_back(event.clone());
        while self.past.len() > MAX_PAST || self.past_bytes > MAX_PAST_BYTES {
            let Some(oldest) = self.past.pop_front() else { break };
            self.past_bytes -= oldest.bytes.len();
        }
        self.tell(event);
    }

    fn tell(&self, event: Event) {
        // An error says that nobody watches.
        let _ = self.told.send(event);
    }
}

/// What a watcher is told first, and then each event; `None` where nothing follows.
pub(super) struct Subscription {
    pub(super) first: VecDeque<Event>,
    pub(super) then: Option<broadcast::Receiver<Event>>,
}
