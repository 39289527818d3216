use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::patch::{GAPS, Patch, Witness};

/// What came of one mutation.
#[derive(Debug)]
pub(super) struct Line {
    name: String,
    breaks: String,
    verdict: Verdict,
    took: Duration,
}

#[derive(Debug)]
pub(super) enum Verdict {
    /// A checker found something at the last of so many seeds.
    Caught { checker: String, what: String, seeds: u64 },
    /// No checker found anything, and this test or scenario did.
    Seen(Witness),
    /// Nobody found anything.
    Unnoticed,
    /// It does not compile.
    Broken(String),
}

impl Line {
    pub(super) fn new(patch: &Patch, verdict: Verdict, took: Duration) -> Self {
        let (name, breaks) = (patch.name.clone(), patch.breaks.clone());
        Self { name, breaks, verdict, took }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn is_caught(&self) -> bool {
        matches!(self.verdict, Verdict::Caught { .. } | Verdict::Seen(_))
    }

    pub(super) fn json(&self) -> Value {
        let (checker, what, seeds) = match &self.verdict {
            Verdict::Caught { checker, what, seeds } => {
                (Some(checker.clone()), Some(what), Some(*seeds))
            }
            Verdict::Seen(witness) => (Some(witness.to_string()), None, None),
            Verdict::Unnoticed => (None, None, None),
            Verdict::Broken(why) => (None, Some(why), None),
        };
        json!({
            "name": self.name, "breaks": self.breaks, "caught": self.is_caught(),
            "checker": checker, "what": what, "seeds": seeds, "seconds": self.took.as_secs_f64(),
        })
    }

    fn row(&self) -> String {
        let (by, after) = match &self.verdict {
            Verdict::Caught { checker, seeds, .. } => (checker.clone(), seeds.to_string()),
            Verdict::Seen(witness) => (witness.to_string(), "-".to_owned()),
            Verdict::Unnoticed => ("**nobody**".to_owned(), "-".to_owned()),
            Verdict::Broken(_) => ("**does not compile**".to_owned(), "-".to_owned()),
        };
        let (name, breaks, took) = (&self.name, &self.breaks, self.took.as_secs());
        format!("| [{name}]({name}.patch) | {breaks} | {by} | {after} | {took} |\n")
    }
}

/// What is shown while it goes on.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        match &self.verdict {
            Verdict::Caught { checker, what, seeds } => {
                write!(f, "  caught by {checker} at seed {seeds} ({seconds:.0} s): {what}")
            }
            Verdict::Seen(witness) => write!(f, "  seen by {witness} alone ({seconds:.0} s)"),
            Verdict::Unnoticed => write!(f, "  NOT NOTICED ({seconds:.0} s)"),
            Verdict::Broken(why) => write!(f, "  DOES NOT COMPILE ({seconds:.0} s): {why}"),
        }
    }
}

/// All of them as a page, and which of `patches` nothing notices yet.
pub(super) fn page(lines: &[Line], patches: &[Patch], seeds: u64) -> String {
    let caught = lines.iter().filter(|line| line.is_caught()).count();
    let all = lines.len();
    let rows: String = lines.iter().map(Line::row).collect();
    let gaps: String = patches.iter().filter(|patch| patch.is_gap).map(gap).collect();
    let mut page = format!(
        "# What notices which fault\n\n\
         Written by `cargo xtask mutate --all`: each patch of this folder applied to a copy of the sources, and \
         the swarm run on it from seed 1, for {seeds} seeds at most. Without a patch the swarm finds nothing in \
         them. {caught} of {all} faults are caught. Seconds include compiling. Where no checker has found \
         anything, a test of the machine or a scenario has that the patch names, and it passes without it.\n\n\
         | mutation | what it breaks | caught by | after seeds | seconds |\n\
         |---|---|---|--:|--:|\n{rows}"
    );
    if !gaps.is_empty() {
        page += &format!(
            "\n## What nothing notices yet\n\n\
             A checker or a workload is missing. Whoever adds it runs `cargo xtask mutate NAME` and moves the \
             patch up.\n\n| mutation | what it breaks | what should notice it |\n|---|---|---|\n{gaps}"
        );
    }
    page
}

fn gap(patch: &Patch) -> String {
    let Patch { name, breaks, noticed_by, .. } = patch;
    format!("| [{name}]({GAPS}/{name}.patch) | {breaks} | {noticed_by} |\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(verdict: Verdict) -> Line {
        let (name, breaks) = ("01-law".to_owned(), "the law.".to_owned());
        Line { name, breaks, verdict, took: Duration::from_secs(9) }
    }

    #[test]
    fn the_page_says_who_caught_what_and_what_nobody_did() {
        let caught = Verdict::Caught { checker: "law".to_owned(), what: String::new(), seeds: 4 };
        let seen = Verdict::Seen(Witness::Test("law::a".to_owned()));
        let page = page(&[line(caught), line(seen), line(Verdict::Unnoticed)], &[], 50);
        assert!(page.contains("2 of 3 faults"), "{page}");
        assert!(page.contains("| the law. | test `law::a` | - | 9 |\n"), "{page}");
        assert!(page.contains("| [01-law](01-law.patch) | the law. | law | 4 | 9 |\n"), "{page}");
        assert!(page.contains("| **nobody** | - | 9 |\n"), "{page}");
    }
}
