//! What mingle agents came to believe of others, read from their logs, and which of it was wrong.

use std::collections::BTreeSet;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// A time in which it is right that some believe others to be down: they cannot reach them, or there is nobody.
#[derive(Debug, Clone)]
pub(super) struct Excuse {
    pub(super) observers: BTreeSet<String>,
    pub(super) subjects: BTreeSet<String>,
    pub(super) from: SystemTime,
    /// Still running when `None`.
    pub(super) until: Option<SystemTime>,
}

impl Excuse {
    fn covers(&self, belief: &Belief) -> bool {
        self.observers.contains(&belief.observer)
            && self.subjects.contains(&belief.subject)
            && self.from <= belief.at
            && self.until.is_none_or(|until| belief.at <= until)
    }
}

/// A change for the worse of what one agent believes of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Belief {
    pub(super) at: SystemTime,
    pub(super) observer: String,
    pub(super) subject: String,
    pub(super) change: Change,
    pub(super) origin: Origin,
    pub(super) why: String,
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It is accused.
    Suspected,
    /// It is dead.
    Failed,
}

/// Whose doing it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The agent's own.
    Here,
    /// It came from another node.
    Elsewhere,
}

/// How often something was believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(super) struct Share {
    /// Of members that were up and within reach.
    pub(super) wrong: usize,
    /// Of whomever.
    pub(super) all: usize,
}

/// What the logs of all agents say.
#[derive(Debug, Default)]
pub(super) struct Record {
    beliefs: Vec<Belief>,
    /// How often agents have contradicted what was believed of them.
    pub(super) refutations: usize,
}

impl Record {
    /// Adds the log of one life of one agent, as `--log-format json` writes it.
    pub(super) fn add(&mut self, observer: &str, log: &str) -> Result<()> {
        for line in log.lines().filter(|line| line.starts_with("{\"timestamp\"")) {
            // Whoever is killed may leave half a line.
            let Ok(line) = serde_json::from_str::<Line>(line) else { continue };
            match line.fields.message.as_str() {
                "refuted" => self.refutations += 1,
                "membership" => self.beliefs.extend(line.belief(observer)?),
                _ => {}
            }
        }
        Ok(())
    }

    /// How many of the beliefs that are meant there are.
    pub(super) fn share(&self, excuses: &[Excuse], meant: impl Fn(&Belief) -> bool) -> Share {
        let all: Vec<_> = self.beliefs.iter().filter(|belief| meant(belief)).collect();
        let is_wrong = |belief: &&&Belief| !excuses.iter().any(|excuse| excuse.covers(belief));
        Share { wrong: all.iter().filter(is_wrong).count(), all: all.len() }
    }

    /// The deaths of nodes that lived, in words, the first one first.
    pub(super) fn false_deaths(&self, excuses: &[Excuse]) -> Vec<String> {
        let mut deaths: Vec<_> = self
            .beliefs
            .iter()
            .filter(|belief| belief.change == Change::Failed)
            .filter(|belief| !excuses.iter().any(|excuse| excuse.covers(belief)))
            .collect();
        deaths.sort_by_key(|belief| belief.at);
        let words = |belief: &&Belief| {
            let at = humantime::format_rfc3339_millis(belief.at);
            format!("{at} {} took {} for dead: {}", belief.observer, belief.subject, belief.why)
        };
        deaths.iter().map(words).collect()
    }
}

#[derive(Deserialize)]
struct Line {
    timestamp: String,
    fields: Fields,
}

#[derive(Deserialize)]
struct Fields {
    #[serde(default)]
    message: String,
    #[serde(default)]
    change: String,
    #[serde(default)]
    member: String,
    #[serde(default)]
    why: String,
    #[serde(default)]
    via: String,
}

impl Line {
    fn belief(self, observer: &str) -> Result<Option<Belief>> {
        let change = match self.fields.change.as_str() {
            "suspected" => Change::Suspected,
            "failed" => Change::Failed,
            _ => return Ok(None),
        };
        let at = humantime::parse_rfc3339(&self.timestamp)
            .with_context(|| format!("{:?} is no time", self.timestamp))?;
        let here = self.fields.via == "here";
        Ok(Some(Belief {
            at,
            observer: observer.to_owned(),
            subject: self.fields.member.trim_matches('"').to_owned(),
            change,
            origin: if here { Origin::Here } else { Origin::Elsewhere },
            why: self.fields.why,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = concat!(
        r#"{"event":"ready"}"#,
        "\n",
        r#"{"timestamp":"2026-01-01T00:00:05.5Z","level":"INFO","fields":{"message":"membership","change":"failed","#,
        r#""member":"\"b\"","why":"not heard of","via":"here"},"target":"mingle::events"}"#,
        "\n",
        r#"{"timestamp":"2026-01-01T00:00:09Z","level":"INFO","fields":{"message":"membership","change":"joined","#,
        r#""member":"\"b\"","why":"it said so itself","via":"here"},"target":"mingle::events"}"#,
        "\n",
        r#"{"timestamp":"2026-01-01T00:00:10Z","level":"INFO","fields":{"message":"refuted"},"target":"x"}"#,
        "\n{\"timestamp\":\"2026",
    );

    fn record() -> Record {
        let mut record = Record::default();
        record.add("a", LOG).unwrap();
        record
    }

    fn excuse(observer: &str, from: &str, until: Option<&str>) -> Excuse {
        let time = |text: &str| humantime::parse_rfc3339(text).unwrap();
        Excuse {
            observers: BTreeSet::from([observer.to_owned()]),
            subjects: BTreeSet::from(["b".to_owned()]),
            from: time(from),
            until: until.map(time),
        }
    }

    #[test]
    fn verdicts_are_read_from_logs() {
        let record = record();
        let share = record.share(&[], |belief| belief.change == Change::Failed);
        assert_eq!(share, Share { wrong: 1, all: 1 });
        assert_eq!(record.refutations, 1);
        let words = ["2026-01-01T00:00:05.500Z a took b for dead: not heard of"];
        assert_eq!(record.false_deaths(&[]), words);
    }

    #[test]
    fn a_verdict_is_excused_only_for_those_and_while_it_is_right() {
        let wrong = |excuse: Excuse| record().share(&[excuse], |_| true).wrong;
        let (before, after) = ("2026-01-01T00:00:05Z", "2026-01-01T00:00:06Z");
        assert_eq!(wrong(excuse("a", before, Some(after))), 0);
        assert_eq!(wrong(excuse("a", before, None)), 0);
        assert_eq!(wrong(excuse("a", before, Some(before))), 1);
        assert_eq!(wrong(excuse("a", after, None)), 1);
        assert_eq!(wrong(excuse("c", before, None)), 1);
    }
}
