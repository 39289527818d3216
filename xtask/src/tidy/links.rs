//! Links between pages lead somewhere.

use super::finding::Finding;
use super::tree::{File, Tree};

/// Each link of a page to a file of the repository, or to a heading, resolves.
pub(super) fn resolve(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for page in tree.find("", ".md") {
        for (line, target) in links(page) {
            if let Err(what) = follow(tree, &page.path, target) {
                findings.push(Finding::new(&page.path, line, what, "correct the link"));
            }
        }
    }
    findings
}

fn links(page: &File) -> Vec<(usize, &str)> {
    targets(page.text())
}

/// Where the links of a page lead that stay in the repository, each with its line.
pub(crate) fn targets(text: &str) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        let spans = line.split('`').step_by(2);
        let inline = spans.flat_map(|text| text.split("](").skip(1));
        links.extend(inline.filter_map(|rest| Some((number, rest.split([')', ' ']).next()?))));
        if let Some((_, target)) = line.strip_prefix('[').and_then(|line| line.split_once("]: ")) {
            links.push((number, target.trim()));
        }
    }
    links.retain(|(_, target)| !is_elsewhere(target));
    links
}

fn is_elsewhere(target: &str) -> bool {
    target.contains("://") || target.starts_with("mailto:")
}

/// The lines outside of fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        !fenced && !is_fence
    })
}

/// Whether a link from a page leads somewhere, or what is missing.
pub(super) fn follow(tree: &Tree, from: &str, target: &str) -> Result<(), String> {
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() { Some(from.to_owned()) } else { join(from, path) };
    let path = path.ok_or_else(|| format!("{target} leads out of the repository"))?;
    if !tree.has(&path) {
        return Err(format!("{path} is not there"));
    }
    match tree.get(&path) {
        Some(page) if !heading.is_empty() && path.ends_with(".md") => {
            let found = prose(page.text()).any(|(_, line)| slug(line).as_deref() == Some(heading));
            found.then_some(()).ok_or_else(|| format!("{path} has no heading #{heading}"))
        }
        _ => Ok(()),
    }
}

/// A path relative to a file's folder, as one from the root.
pub(crate) fn join(from: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// What the anchor of a heading is called.
fn slug(line: &str) -> Option<String> {
    let heading = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?.trim();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    Some(kept.collect::<String>().to_lowercase().replace(' ', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::places;

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let page = "[good](http.md) [good](../README.md#the-way-in), [bad](htp.md)\n\
                    [`code`](gone.rs) [web](https://example.org/x.md)\n\
                    ```\n[not a link](nowhere)\n```\n`[nor this](nowhere)`\n\
                    [here](#one) [bad](#two) [folder](../docs/) [out](../../x)\n\
                    ## One\n[reference]: missing.md\n";
        let tree = Tree::of(&[
            ("docs/a.md", page),
            ("docs/http.md", ""),
            ("README.md", "# The way: in\n# `The` way in\n"),
        ]);
        let lines = [1, 2, 7, 7, 9].map(|line| format!("docs/a.md:{line}"));
        assert_eq!(places(&resolve(&tree)), lines);
    }

    #[test]
    fn headings_have_the_anchors_that_hosts_give_them() {
        assert_eq!(slug("## What `Node` does, and why").as_deref(), Some("what-node-does-and-why"));
        assert_eq!(slug("#hash"), None);
    }
}
