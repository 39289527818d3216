//! What is deployed beside the agent is about metrics that it has, and leads to its guide.

use std::collections::BTreeSet;

use super::docs::{OPERATING, code_words};
use super::finding::Finding;
use super::links::follow;
use super::tree::{File, Tree};

/// Each metric of ours in a rule or a board is in the operators' guide.
pub(super) fn metrics_are_explained(tree: &Tree) -> Vec<Finding> {
    let guide: BTreeSet<_> =
        tree.get(OPERATING).into_iter().flat_map(|g| code_words(g.text())).collect();
    let mut findings = Vec::new();
    for file in deployed(tree) {
        for (line, text) in file.lines() {
            let unknown = metrics(text).filter(|name| !is_explained(name, &guide));
            findings.extend(unknown.map(|name| {
                let what = format!("mingle_{name} is not in {OPERATING}");
                Finding::new(&file.path, line, what, "correct its name, or describe it there")
            }));
        }
    }
    findings
}

/// Each alert leads to a heading of the operators' guide.
pub(super) fn runbooks_resolve(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in deployed(tree) {
        for (line, text) in file.lines() {
            let Some(link) = text.trim().strip_prefix("runbook_url: ") else { continue };
            let target = link.strip_prefix(OURS);
            let target = target.ok_or_else(|| format!("it does not begin with {OURS}"));
            if let Err(what) = target.and_then(|target| follow(tree, "README.md", target)) {
                findings.push(Finding::new(&file.path, line, what, "correct the link"));
            }
        }
    }
    findings
}

/// Where the pages are on the web.
const OURS: &str = "https://github.com/mingle-rs/mingle/blob/main/";

fn deployed(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.find("deploy/prometheus/", ".yml").chain(tree.find("deploy/grafana/", ".json"))
}

/// The names of our metrics in a line, without the prefix. Names with colons are those of rules.
fn metrics(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':')
        .filter_map(|word| word.strip_prefix("mingle_"))
}

fn is_explained(name: &str, guide: &BTreeSet<&str>) -> bool {
    let endings = ["", "_total", "_bucket", "_sum", "_count"];
    endings.iter().any(|end| name.strip_suffix(end).is_some_and(|name| guide.contains(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::places;

    const RULES: &str = "deploy/prometheus/a.rules.yml";
    const BOARD: &str = "deploy/grafana/a.json";

    #[test]
    fn a_metric_that_nobody_has_is_found() {
        let rules = "expr: rate(mingle_acks_total[5m])\nexpr: mingle_asks > key:mingle_x:sum\n";
        let board = "{\n\"expr\": \"mingle_rtt_bucket / mingle_members{state=\\\"a\\\"}\",\n\"expr\": \"mingle_member\"\n}";
        let guide = "| `acks` | a |\n| `rtt` | b |\n| `members` | c |\n";
        let tree = Tree::of(&[(RULES, rules), (BOARD, board), (OPERATING, guide)]);
        let wanted = [format!("{RULES}:2"), format!("{BOARD}:3")];
        assert_eq!(places(&metrics_are_explained(&tree)), wanted);
    }

    #[test]
    fn a_runbook_that_leads_nowhere_is_found() {
        let rules = format!(
            "runbook_url: {OURS}docs/operating.md#keys\n  runbook_url: {OURS}docs/operating.md#locks\n\
             runbook_url: https://example.org/docs/operating.md#keys\n"
        );
        let tree = Tree::of(&[(RULES, &rules), (OPERATING, "## Keys\n")]);
        let wanted = [format!("{RULES}:2"), format!("{RULES}:3")];
        assert_eq!(places(&runbooks_resolve(&tree)), wanted);
    }
}
