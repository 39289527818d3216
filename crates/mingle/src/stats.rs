use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mingle_proto::{Change, Counter, Counters, Node};
use mingle_wire::{DecodeError, OpenError, State};
use tracing::{debug, trace};

use crate::histogram::{Durations, Histogram};

macro_rules! tallies {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// Something that the driver counts.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Tally {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Tally {
            const ALL: &[Self] = &[$(Self::$variant,)+];

            const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            const fn help(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+),)+ }
            }
        }
    };
}

tallies! {
    /// Datagrams taken from the socket.
    DatagramsIn = "datagrams_in",
    /// Bytes of datagrams taken from the socket.
    DatagramBytesIn = "datagram_bytes_in",
    /// Datagrams given to the socket.
    DatagramsOut = "datagrams_out",
    /// Bytes of datagrams given to the socket.
    DatagramBytesOut = "datagram_bytes_out",
    /// Datagrams that the system did not take.
    DatagramsUnsent = "datagrams_unsent",
    /// Errors on receiving datagrams.
    ReceiveErrors = "receive_errors",
    /// Bytes read from streams.
    StreamBytesIn = "stream_bytes_in",
    /// Bytes written to streams.
    StreamBytesOut = "stream_bytes_out",
    /// Streams accepted.
    StreamsAccepted = "streams_accepted",
    /// Times that as many streams as allowed were open, and others waited.
    StreamsDelayed = "streams_delayed",
    /// Errors on accepting streams.
    AcceptErrors = "accept_errors",
    /// Streams dropped because the bytes buffered for all of them reached the bound.
    StreamsOverBudget = "streams_over_budget",
    /// Dials not tried because as many as allowed were under way.
    DialsRefused = "dials_refused",
    /// Dials that did not reach anybody.
    DialsFailed = "dials_failed",
    /// Streams that broke before their message was whole.
    StreamsBroken = "streams_broken",
    /// Streams that took too long.
    StreamsTimedOut = "streams_timed_out",
    /// Streams that were encrypted although we have no key.
    EncryptedUnexpectedly = "streams_encrypted_unexpectedly",
    /// Messages on streams that were refused before the node saw them.
    StreamMessagesRefused = "stream_messages_refused",
    /// User messages sent on kept streams, and acknowledged.
    KeptMessagesOut = "kept_stream_messages_sent",
    /// User messages received on kept streams.
    KeptMessagesIn = "kept_stream_messages_received",
    /// Changes that slow watches did not get one by one.
    WatchChangesMissed = "watch_changes_missed",
    /// User messages that slow subscribers did not get.
    MessagesMissed = "messages_missed",
    /// User messages that came while nobody had subscribed.
    MessagesUnheard = "messages_unheard",
    /// Application states that came while nobody had subscribed.
    UserStatesUnheard = "user_states_unheard",
    /// Application states that slow subscribers did not get.
    UserStatesMissed = "user_states_missed",
    /// Notices that slow subscribers did not get.
    NoticesMissed = "notices_missed",
    /// Decisions that the flight recorder does not have any more, because newer ones took their room.
    DecisionsDropped = "decisions_dropped",
    /// Decisions that slow subscribers did not get.
    DecisionsMissed = "decisions_missed",
    /// Bytes written into recordings.
    RecordedBytes = "recorded_bytes",
    /// Gaps in recordings: the disk was slower than what came, or one message too large.
    RecordingGaps = "recording_gaps",
    /// Recordings given up because they could not be written.
    RecordingsStopped = "recordings_stopped",
    /// Times the state file was written.
    StateFileWrites = "state_file_writes",
    /// Times the state file could not be written.
    StateFileErrors = "state_file_errors",
}

/// The driver's counters; written by every task of the node.
#[derive(Debug)]
pub(crate) struct Tallies {
    counts: Vec<AtomicU64>,
    unopened: Vec<AtomicU64>,
    changes: Vec<AtomicU64>,
    round_trips: Durations,
    lags: Durations,
    last_lag: AtomicU64,
    worst_lag: AtomicU64,
}

/// How members change, as it is counted.
const CHANGES: [&str; 9] = [
    "joined",
    "returned",
    "suspected",
    "recovered",
    "updated",
    "renewed",
    "failed",
    "left",
    "reaped",
];

/// Whoever comes back from the dead is told apart from who is new: that is what flapping shows in.
const fn place(change: Change, before: Option<State>) -> usize {
    match (change, before) {
        (Change::Joined, Some(State::Dead)) => 1,
        (Change::Joined, _) => 0,
        (Change::Suspected, _) => 2,
        (Change::Recovered, _) => 3,
        (Change::Updated, _) => 4,
        (Change::Renewed, _) => 5,
        (Change::Failed, _) => 6,
        (Change::Left, _) => 7,
        (Change::Reaped, _) => 8,
    }
}

impl Tallies {
    pub(crate) fn new() -> Self {
        let zeros = |length: usize| (0..length).map(|_| AtomicU64::new(0)).collect();
        Self {
            counts: zeros(Tally::ALL.len()),
            unopened: zeros(OpenError::ALL.len()),
            changes: zeros(CHANGES.len()),
            round_trips: Durations::default(),
            lags: Durations::default(),
            last_lag: AtomicU64::default(),
            worst_lag: AtomicU64::default(),
        }
    }

    pub(crate) fn count(&self, tally: Tally) {
        self.add(tally, 1);
    }

    pub(crate) fn add(&self, tally: Tally, times: usize) {
        let times = u64::try_from(times).unwrap_or(u64::MAX);
        self.counts[tally as usize].fetch_add(times, Ordering::Relaxed);
    }

    /// A datagram of so many bytes was given to the socket, which took it or did not.
    pub(crate) fn sent(
        &self,
        result: io::Result<()>,
        length: usize,
        to: SocketAddr,
    ) -> io::Result<()> {
        match &result {
            Ok(()) => {
                trace!(%to, length, "packet out");
                self.count(Tally::DatagramsOut);
                self.add(Tally::DatagramBytesOut, length);
            }
            Err(error) => {
                debug!(%to, %error, "sending");
                self.count(Tally::DatagramsUnsent);
            }
        }
        result
    }

    pub(crate) fn unopened(&self, reason: OpenError, times: u32) {
        self.unopened[reason.index()].fetch_add(times.into(), Ordering::Relaxed);
    }

    /// What is believed of a member has changed.
    pub(crate) fn changed(&self, change: Change, before: Option<State>) {
        self.changes[place(change, before)].fetch_add(1, Ordering::Relaxed);
    }

    /// A direct ping was answered.
    pub(crate) fn answered(&self, rtt: Duration) {
        self.round_trips.add(rtt);
    }

    /// A deadline of the node has fired, so late.
    pub(crate) fn fired(&self, lag: Duration) {
        self.lags.add(lag);
        let microseconds = u64::try_from(lag.as_micros()).unwrap_or(u64::MAX);
        self.last_lag.store(microseconds, Ordering::Relaxed);
        self.worst_lag.fetch_max(microseconds, Ordering::Relaxed);
    }
}

/// Whether a number only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// One number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stat {
    /// Its name, in snake case; stable.
    pub name: &'static str,
    /// For numbers that are counted by reason, or by change: which of them, in snake case.
    pub reason: Option<&'static str>,
    /// What it is, in one line.
    pub help: &'static str,
    /// Whether it only grows.
    pub kind: Kind,
    /// The number.
    pub value: u64,
}

/// The numbers of a node at one moment, in a stable order. Those counted by reason stand together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    stats: Vec<Stat>,
    histograms: Vec<Histogram>,
}

impl Stats {
    /// Each of them in turn.
    pub fn iter(&self) -> impl Iterator<Item = &Stat> {
        self.stats.iter()
    }

    /// Each histogram in turn.
    pub fn histograms(&self) -> impl Iterator<Item = &Histogram> {
        self.histograms.iter()
    }

    /// One by name. For numbers counted by reason, or by change, their sum.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<u64> {
        let mut named = self.stats.iter().filter(|stat| stat.name == name).peekable();
        named.peek()?;
        Some(named.map(|stat| stat.value).sum())
    }

    /// One of those counted by reason, or by change.
    #[must_use]
    pub fn get_reason(&self, name: &str, reason: &str) -> Option<u64> {
        let mut stats = self.stats.iter();
        stats.find(|stat| stat.name == name && stat.reason == Some(reason)).map(|stat| stat.value)
    }

    pub(crate) fn gauge(&mut self, name: &'static str, help: &'static str, value: u64) {
        self.stats.push(Stat { name, reason: None, help, kind: Kind::Gauge, value });
    }

    pub(crate) fn counter(&mut self, name: &'static str, help: &'static str, value: u64) {
        self.stats.push(Stat { name, reason: None, help, kind: Kind::Counter, value });
    }

    fn reason(&mut self, name: &'static str, reason: &'static str, help: &'static str, value: u64) {
        let reason = Some(reason);
        self.stats.push(Stat { name, reason, help, kind: Kind::Counter, value });
    }

    pub(crate) fn add_node(&mut self, node: &Node) {
        let size = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        self.gauge("members", "Members known, in whatever state.", size(node.member_count()));
        let live = node.live_count();
        self.gauge("members_live", "Members alive or suspect, this node included.", size(live));
        let suspected = node.suspected();
        self.gauge("members_suspected", "Members accused and not heard yet.", size(suspected));
        let degraded = node.degraded_links().count();
        let help = "Live members that answer, and not to direct packets.";
        self.gauge("members_degraded", help, size(degraded));
        self.gauge("view_version", "Changes of the view so far.", node.view_version());
        let help = "Equal on nodes that see the same live members saying the same.";
        self.gauge("view_fingerprint", help, node.view_fingerprint());
        let help = "The health score; 0 is healthy.";
        self.gauge("health_score", help, node.health().into());
        let (same, told) = node.agreement();
        let help =
            "Live members whose last ack told the same view as ours; only mingle nodes tell.";
        self.gauge("view_agreeing", help, size(same));
        let help = "Live members whose last ack told which view they have.";
        self.gauge("view_told", help, size(told));
        let missing = node.missing();
        self.gauge(
            "missing_failed",
            "Members that failed and did not leave.",
            size(missing.failed),
        );
        let help = "Configured seeds at whose address no live member is.";
        self.gauge("missing_seeds", help, size(missing.seeds));
        let help = "Addresses of members of before a restart at which nobody has answered yet.";
        self.gauge("missing_remembered", help, size(missing.remembered));
        self.gauge("claims_queued", "Claims that wait to be gossiped.", size(node.queued()));
        self.add_counters(node.counters());
    }

    fn add_counters(&mut self, counters: &Counters) {
        for &counter in Counter::ALL {
            self.counter(counter.name(), counter.help().trim(), counters.get(counter));
        }
        for &reason in DecodeError::ALL {
            let help = "Messages refused because they could not be decoded, by reason.";
            self.reason("messages_refused", reason.as_str(), help, counters.refused(reason));
        }
    }

    pub(crate) fn add_driver(&mut self, tallies: &Tallies) {
        for &tally in Tally::ALL {
            let value = tallies.counts[tally as usize].load(Ordering::Relaxed);
            self.counter(tally.name(), tally.help().trim(), value);
        }
        for &reason in OpenError::ALL {
            let help = "Datagrams and stream messages whose envelope was refused, by reason.";
            let value = tallies.unopened[reason.index()].load(Ordering::Relaxed);
            self.reason("envelopes_refused", reason.as_str(), help, value);
        }
        for (change, count) in CHANGES.into_iter().zip(&tallies.changes) {
            let help = "Changes of what is believed of members, by change.";
            self.reason("changes", change, help, count.load(Ordering::Relaxed));
        }
        self.add_lags(tallies);
        let help = "How long members took to answer direct pings.";
        self.histograms.push(tallies.round_trips.read("round_trip_seconds", help));
    }

    fn add_lags(&mut self, tallies: &Tallies) {
        let last = tallies.last_lag.load(Ordering::Relaxed);
        self.gauge("loop_lag_microseconds", "How late the last deadline fired.", last);
        let worst = tallies.worst_lag.load(Ordering::Relaxed);
        let help = "How late a deadline has fired at the worst.";
        self.gauge("loop_lag_max_microseconds", help, worst);
        self.histograms.push(tallies.lags.read("loop_lag_seconds", "How late deadlines fired."));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGED: [Change; 8] = [
        Change::Joined,
        Change::Suspected,
        Change::Recovered,
        Change::Updated,
        Change::Renewed,
        Change::Failed,
        Change::Left,
        Change::Reaped,
    ];

    #[test]
    fn changes_are_counted_under_their_words() {
        for change in CHANGED {
            assert_eq!(CHANGES[place(change, Some(State::Alive))], change.as_str());
        }
        assert_eq!(CHANGES[place(Change::Joined, None)], "joined");
        assert_eq!(CHANGES[place(Change::Joined, Some(State::Left))], "joined");
        assert_eq!(CHANGES[place(Change::Joined, Some(State::Dead))], "returned");
    }

    #[test]
    fn the_last_lag_and_the_worst_are_told() {
        let tallies = Tallies::new();
        for millis in [3, 20, 5] {
            tallies.fired(Duration::from_millis(millis));
        }
        let mut stats = Stats::default();
        stats.add_driver(&tallies);
        assert_eq!(stats.get("loop_lag_microseconds"), Some(5_000));
        assert_eq!(stats.get("loop_lag_max_microseconds"), Some(20_000));
        let mut histograms = stats.histograms();
        let lags = histograms.find(|histogram| histogram.name == "loop_lag_seconds").unwrap();
        assert_eq!((lags.count, lags.sum), (3, Duration::from_millis(28)));
    }
}
