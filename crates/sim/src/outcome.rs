use std::fmt;
use std::time::Duration;

use mingle_proto::Instant;
use serde::Serialize;

use crate::agreement::{self, Disagreement};
use crate::checks::{Finding, Tally};
use crate::measure::{Distribution, Measured};
use crate::network::Traffic;
use crate::scenario::{Expect, Scenario};
use crate::tape::Tape;
use crate::world::{Transcript, World};

/// What came of one world.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// The hash of all that nodes took in and put out.
    pub transcript: Hash,
    /// How long after the faults all agreed, in seconds; `None` when they did not.
    pub agreed_after: Option<f64>,
    /// Who disagreed about whom in the end.
    pub disagreements: Vec<Disagreement>,
    /// What did not hold; the world ended with the first of it.
    pub findings: Vec<Finding>,
    /// How often each checker had something to check.
    pub checks: Vec<Tally>,
    /// How fast, how accurate, how dear.
    pub measured: Measured,
    /// What went over the network.
    pub traffic: Traffic,
    /// Inputs of all nodes together.
    pub inputs: u64,
    /// How long the world went on, in seconds of its own time.
    pub simulated: f64,
    /// What was expected and did not come out.
    pub unmet: Vec<Unmet>,
    /// What happened, line by line: faults, processes, and what nodes told. Only where that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
}

/// A hash, written as sixteen hexadecimal digits: as a number, readers of JSON would round it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Hash(pub u64);

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.to_string()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:016x}", self.0))
    }
}

/// What a world leaves behind.
#[derive(Debug)]
pub(crate) struct Came {
    pub(crate) transcript: Transcript,
    pub(crate) inputs: u64,
    pub(crate) end: Instant,
    pub(crate) traffic: Traffic,
    pub(crate) measured: Measured,
    pub(crate) findings: Vec<Finding>,
    pub(crate) checks: Vec<Tally>,
    pub(crate) events: Vec<String>,
}

impl Came {
    pub(crate) fn of(mut world: World) -> Self {
        let events = world.watch.tape.as_mut().map(Tape::take).unwrap_or_default();
        let nodes = world.hosts.iter().filter_map(|host| host.node.as_ref());
        let refused = nodes.map(|node| node.counters().refused_in_all()).sum();
        let traffic = world.network.traffic;
        Self {
            transcript: world.transcript,
            inputs: world.inputs,
            end: world.now,
            traffic,
            findings: world.watch.checks.findings().to_vec(),
            checks: world.watch.checks.tallies(&traffic),
            measured: world.watch.measures.finish(world.now, refused),
            events,
        }
    }
}

impl Outcome {
    pub(crate) fn of(
        scenario: &Scenario,
        seed: u64,
        came: Came,
        agreed: Result<Duration, Vec<Disagreement>>,
    ) -> Self {
        let (agreed_after, disagreements) = match agreed {
            Ok(after) => (Some(after.as_secs_f64()), Vec::new()),
            Err(found) => (None, found),
        };
        let mut outcome = Self {
            seed,
            transcript: Hash(came.transcript.hash()),
            agreed_after,
            disagreements,
            findings: came.findings,
            checks: came.checks,
            traffic: came.traffic,
            inputs: came.inputs,
            simulated: came.end.since(Instant::ORIGIN).as_secs_f64(),
            measured: came.measured,
            unmet: Vec::new(),
            events: came.events,
        };
        outcome.unmet = outcome.against(&scenario.expect);
        outcome
    }

    /// Whether something has to be told of it.
    pub(crate) fn is_wrong(&self) -> bool {
        !self.unmet.is_empty() || !self.findings.is_empty()
    }

    /// What was expected and did not come out.
    fn against(&self, expect: &Expect) -> Vec<Unmet> {
        let is = &self.measured;
        let mut unmet = Vec::new();
        if expect.agreement && self.agreed_after.is_none() {
            let (count, first) = (self.disagreements.len(), self.disagreements.first());
            let first = first.map_or_else(String::new, |first| format!("; {first}"));
            let at_least = if count >= agreement::MOST { "at least " } else { "" };
            let came = format!("{at_least}{count} disagreements{first}");
            unmet.push(Unmet::new("agreement", came, "none"));
        }
        let mut within = |name, time: Option<f64>, missing: u64, most: Option<Duration>| {
            let Some(most) = most else { return };
            let bound = humantime::format_duration(most);
            if missing > 0 {
                unmet.push(Unmet::new(name, format!("never, {missing} times"), bound));
            } else if time.is_some_and(|time| time > most.as_secs_f64()) {
                unmet.push(Unmet::new(name, format!("{:.2}s", time.unwrap_or_default()), bound));
            }
        };
        let longest = |times: &Distribution| times.longest;
        let never = u64::from(self.agreed_after.is_none());
        within("agreement_within", self.agreed_after, never, expect.agreement_within);
        within("detected_within", longest(&is.detected), is.missed_deaths, expect.detected_within);
        let (time, bound) = (longest(&is.dead_everywhere), expect.dead_everywhere_within);
        within("dead_everywhere_within", time, is.missed_deaths, bound);
        let (time, bound) = (longest(&is.joined_everywhere), expect.joined_everywhere_within);
        within("joined_everywhere_within", time, is.missed_joins, bound);
        within("goodbye_within", longest(&is.goodbye), 0, expect.goodbye_within);
        let (time, bound) = (longest(&is.left_everywhere), expect.left_everywhere_within);
        within("left_everywhere_within", time, is.missed_goodbyes, bound);
        let (time, bound) = (longest(&is.recovered), expect.recovered_within);
        within("recovered_within", time, is.unrecovered, bound);
        unmet.extend(self.counts_against(expect));
        unmet
    }

    fn counts_against(&self, expect: &Expect) -> Vec<Unmet> {
        let is = &self.measured;
        let mut unmet = Vec::new();
        for (name, count, most) in [
            ("false_failures", is.false_failures, expect.false_failures),
            ("suspicions", is.suspicions + is.suspicions_of_concerned, expect.suspicions),
            ("refutations", is.refutations, expect.refutations),
            ("false_goodbyes", is.false_goodbyes, expect.false_goodbyes),
            ("returns_of_the_dead", is.returns_of_the_dead, expect.returns_of_the_dead),
            ("longest_queue", is.longest_queue, expect.longest_queue),
            ("largest_packet", is.largest_packet, expect.largest_packet),
        ] {
            if let Some(most) = most.filter(|&most| count > most) {
                unmet.push(Unmet::new(name, count, most));
            }
        }
        for (name, count, least) in [
            ("requests_refused_at_least", is.requests_refused, expect.requests_refused_at_least),
            ("messages_refused_at_least", is.messages_refused, expect.messages_refused_at_least),
        ] {
            if let Some(least) = least.filter(|&least| count < least) {
                unmet.push(Unmet::new(name, count, least));
            }
        }
        let bytes = is.bytes_per_node_second;
        if let Some(most) = expect.bytes_per_node_second.filter(|&most| bytes > most) {
            unmet.push(Unmet::new("bytes_per_node_second", format!("{bytes:.0}"), most));
        }
        unmet
    }
}

/// Something that was expected and did not come out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unmet {
    /// What was expected: a key of `[expect]`.
    pub expected: &'static str,
    /// What came out.
    pub came: String,
    /// Its bound.
    pub bound: String,
}

impl Unmet {
    fn new(expected: &'static str, came: impl fmt::Display, bound: impl fmt::Display) -> Self {
        Self { expected, came: came.to_string(), bound: bound.to_string() }
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expected, came, bound } = self;
        write!(f, "{expected}: {came}, expected {bound}")
    }
}

/// Whether a scenario passes, by all of its repetitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All came out as expected.
    Passed,
    /// It fails as is known and stated, and counts as passed.
    KnownShortfall {
        /// What is missing, as the scenario says.
        shortfall: String,
        /// In how many repetitions it shows.
        fails: usize,
    },
    /// Something did not come out as expected, or a checker has found something.
    Failed {
        /// In how many repetitions.
        fails: usize,
        /// Of how many.
        worlds: usize,
    },
    /// It states a shortfall that is none any more.
    NoShortfall,
}

impl Verdict {
    /// The verdict over these worlds of the scenario. What a checker has found is no shortfall.
    #[must_use]
    pub fn of(scenario: &Scenario, outcomes: &[Outcome]) -> Self {
        let fails = outcomes.iter().filter(|outcome| !outcome.unmet.is_empty()).count();
        let wrong = outcomes.iter().filter(|outcome| outcome.is_wrong()).count();
        let failed = Self::Failed { fails: wrong, worlds: outcomes.len() };
        let broken = outcomes.iter().any(|outcome| !outcome.findings.is_empty());
        match &scenario.expect.shortfall {
            _ if broken => failed,
            None if fails == 0 => Self::Passed,
            None => failed,
            Some(_) if fails == 0 => Self::NoShortfall,
            Some(shortfall) => Self::KnownShortfall { shortfall: shortfall.clone(), fails },
        }
    }

    /// Whether nothing has to be done.
    #[must_use]
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Passed | Self::KnownShortfall { .. })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::KnownShortfall { shortfall, .. } => write!(f, "known shortfall: {shortfall}"),
            Self::Failed { fails, worlds } => {
                write!(f, "failed in {fails} of {}", crate::report::worlds(*worlds))
            }
            Self::NoShortfall => f.write_str("passed; no world shows the shortfall that it states"),
        }
    }
}
