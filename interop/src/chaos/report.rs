//! What came of the cases, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use super::beliefs::Share;
use super::cases::Case;
use super::trial::{Bound, Counts, Findings};

/// What came of all cases that were selected.
#[derive(Debug, Default, Serialize)]
pub struct Results {
    pub(super) cases: Vec<Outcome>,
}

/// What came of one case.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) case: &'static str,
    pub(super) shows: &'static str,
    pub(super) verdict: Verdict,
    pub(super) seconds: f64,
    pub(super) bounds: Vec<Bound>,
    pub(super) counts: Counts,
    /// What was wrong besides bounds.
    pub(super) findings: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    Passed,
    Failed,
}

impl Outcome {
    /// Passed, when all bounds were met and nothing was wrong.
    pub(super) fn new(case: &Case, seconds: f64, found: Findings) -> Self {
        let Findings { bounds, findings, counts } = found;
        let passed = findings.is_empty() && bounds.iter().all(Bound::is_met);
        let verdict = if passed { Verdict::Passed } else { Verdict::Failed };
        let Case { name: case, shows, .. } = *case;
        Self { case, shows, verdict, seconds, bounds, counts, findings }
    }

    /// One line, and one for each thing that was wrong.
    pub(super) fn summary(&self) -> String {
        let Self { case, shows, .. } = self;
        let mut text =
            format!("{:8} {case:22} {:6.1} s  {shows}\n", self.verdict.word(), self.seconds);
        for bound in self.bounds.iter().filter(|bound| !bound.is_met()) {
            let _ = writeln!(text, "    {}", missed(bound));
        }
        for finding in self.findings.iter().take(MOST_FINDINGS) {
            let _ = writeln!(text, "    {finding}");
        }
        let more = self.findings.len().saturating_sub(MOST_FINDINGS);
        if more > 0 {
            let _ = writeln!(text, "    and {more} more of that kind");
        }
        text
    }
}

const MOST_FINDINGS: usize = 12;

fn missed(bound: &Bound) -> String {
    let Bound { what, limit_seconds: limit, took_seconds, seen } = bound;
    match took_seconds {
        Some(took) => format!("{what}: after {took:.1} s, {:.1} s too late", took - limit),
        None => format!("{what}: not within {limit:.0} s: {}", seen.as_deref().unwrap_or_default()),
    }
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Passed => "ok",
            Self::Failed => "FAILED",
        }
    }
}

impl Results {
    /// How many cases failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.count(Verdict::Failed)
    }

    /// For programs.
    ///
    /// # Errors
    ///
    /// Never, as all of it can be spelled.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    /// For people: one row for each bound, and a count in the end.
    #[must_use]
    pub fn table(&self) -> String {
        let mut rows = vec![HEADER.map(str::to_owned)];
        for outcome in &self.cases {
            rows.extend(outcome.rows());
        }
        let (passed, failed) = (self.count(Verdict::Passed), self.failed());
        aligned(&rows) + &format!("\n{KEY}\n{passed} passed, {failed} failed\n")
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.cases.iter().filter(|outcome| outcome.verdict == verdict).count()
    }
}

const COLUMNS: usize = 11;
const HEADER: [&str; COLUMNS] = [
    "case",
    "result",
    "what has to come",
    "limit",
    "took",
    "deaths",
    "declared",
    "accused",
    "refuted",
    "at Go",
    "lag",
];
const KEY: &str = "\
deaths: in the views of mingle agents; declared, accused: by mingle agents themselves; each: of members that were up and within reach / \
of all.
refuted: what mingle agents contradicted; at Go: all deaths in the views of Serf and memberlist; lag: the latest timer of an agent.";

impl Outcome {
    fn rows(&self) -> Vec<[String; COLUMNS]> {
        let counts = self.counts.cells();
        let bounds = self.bounds.iter().map(|bound| {
            let limit = format!("{:.0} s", bound.limit_seconds);
            let took = bound.took_seconds.map_or("never".to_owned(), |took| format!("{took:.1} s"));
            [bound.what.clone(), limit, took]
        });
        let mut bounds: Vec<_> = bounds.collect();
        if bounds.is_empty() {
            bounds.push(Default::default());
        }
        let mut rows = Vec::new();
        for (number, [what, limit, took]) in bounds.into_iter().enumerate() {
            let (case, verdict, counts) = if number == 0 {
                (self.case.to_owned(), self.verdict.word().to_owned(), counts.clone())
            } else {
                Default::default()
            };
            let [deaths, declared, accused, refuted, at_go, lag] = counts;
            rows.push([
                case, verdict, what, limit, took, deaths, declared, accused, refuted, at_go, lag,
            ]);
        }
        rows
    }
}

impl Counts {
    fn cells(&self) -> [String; 6] {
        let share = |share: Share| format!("{}/{}", share.wrong, share.all);
        [
            share(self.deaths),
            share(self.declared),
            share(self.suspicions),
            self.refutations.to_string(),
            self.deaths_at_go.to_string(),
            format!("{:.0} ms", self.lag_millis),
        ]
    }
}

fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
            let _ = write!(line, "{cell:width$}  ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::cases::CASES;
    use super::*;

    fn bound(took_seconds: Option<f64>) -> Bound {
        let seen = took_seconds.is_none().then(|| "a1 sees a2 as Failed".to_owned());
        Bound { what: "one view".to_owned(), limit_seconds: 30.0, took_seconds, seen }
    }

    fn outcome(bounds: Vec<Bound>, findings: Vec<String>) -> Outcome {
        Outcome::new(&CASES[0], 1.0, Findings { bounds, findings, counts: Counts::default() })
    }

    #[test]
    fn whoever_is_late_fails_and_it_is_said_by_how_much() {
        assert_eq!(outcome(vec![bound(Some(29.0))], Vec::new()).verdict, Verdict::Passed);
        let late = outcome(vec![bound(Some(31.5))], Vec::new());
        assert_eq!(late.verdict, Verdict::Failed);
        assert!(late.summary().contains("one view: after 31.5 s, 1.5 s too late"));
        let never = outcome(vec![bound(None)], Vec::new());
        assert!(never.summary().contains("one view: not within 30 s: a1 sees a2 as Failed"));
    }

    #[test]
    fn a_finding_fails_a_case_whose_bounds_are_met() {
        let outcome = outcome(vec![bound(Some(1.0))], vec!["a1 has ended".to_owned()]);
        assert_eq!(outcome.verdict, Verdict::Failed);
    }

    #[test]
    fn a_case_has_a_row_for_each_of_its_bounds() {
        let results =
            Results { cases: vec![outcome(vec![bound(Some(1.0)), bound(None)], Vec::new())] };
        assert_eq!(results.table().lines().filter(|line| line.contains("one view")).count(), 2);
    }
}
