//! What operators can set and call is written down.

use std::collections::BTreeSet;

use super::finding::Finding;
use super::tree::{File, Tree};

const CONFIG: &str = "crates/proto/src/config.rs";
pub(super) const OPERATING: &str = "docs/operating.md";
const PROTOCOL: &str = "docs/protocol.md";

/// Each field of `Config` and `Rules` is in a page, set as code.
pub(super) fn config_fields(tree: &Tree) -> Vec<Finding> {
    let fields = tree.get(CONFIG).map(fields).unwrap_or_default();
    if fields.is_empty() {
        let remedy = "tell xtask/src/tidy/docs.rs where they are";
        return vec![Finding::new(CONFIG, 1, "no fields of Config", remedy)];
    }
    let mut findings = missing_page(tree, OPERATING);
    let pages = [OPERATING, PROTOCOL].into_iter().filter_map(|page| tree.get(page));
    let words: BTreeSet<_> = pages.flat_map(|page| code_words(page.text())).collect();
    findings.extend(fields.into_iter().filter(|(_, field)| !words.contains(field)).map(
        |(line, field)| {
            let what = format!("the field {field} is in no page");
            Finding::new(CONFIG, line, what, format!("describe `{field}` in {OPERATING}"))
        },
    ));
    findings
}

fn fields(file: &File) -> Vec<(usize, &str)> {
    let mut inside = false;
    let mut fields = Vec::new();
    for (number, line) in file.lines() {
        match line {
            "pub struct Config {" | "pub struct Rules {" => inside = true,
            "}" => inside = false,
            _ if inside => {
                let field = line.trim().strip_prefix("pub ").and_then(|rest| rest.split_once(':'));
                fields.extend(field.map(|(name, _)| (number, name)));
            }
            _ => {}
        }
    }
    fields
}

/// The words in code spans and code blocks.
pub(super) fn code_words(markdown: &str) -> impl Iterator<Item = &str> {
    markdown
        .split('`')
        .skip(1)
        .step_by(2)
        .flat_map(|span| span.split(|c: char| !c.is_alphanumeric() && c != '_'))
}

const HTTP_SOURCE: &str = "crates/agent/src/http";
const HTTP: &str = "docs/http.md";

/// Each route of the agent is in its page.
pub(super) fn http_routes(tree: &Tree) -> Vec<Finding> {
    let mut findings = missing_page(tree, HTTP);
    let page = tree.get(HTTP).map_or("", File::text);
    let mut count = 0;
    for file in tree.find(HTTP_SOURCE, ".rs") {
        for (line, path) in routes(file.text()) {
            count += 1;
            let Some(path) = path else {
                let what = "a route whose path is not on its line";
                let remedy = "write .route(\"/path\", ...) with the whole path";
                findings.push(Finding::new(&file.path, line, what, remedy));
                continue;
            };
            if !has_path(page, path) {
                let what = format!("the route {path} is not in {HTTP}");
                findings.push(Finding::new(&file.path, line, what, "describe it there"));
            }
        }
    }
    if count == 0 {
        let remedy = "register with .route(\"/path\", ...), or tell xtask/src/tidy/docs.rs how";
        findings.push(Finding::new(HTTP_SOURCE, 1, "no routes found", remedy));
    }
    findings
}

/// The lines of `.route(` and `.nest(`, each with its path where that is plain to see.
fn routes(source: &str) -> Vec<(usize, Option<&str>)> {
    let calls = source.match_indices(".route(").chain(source.match_indices(".nest("));
    calls
        .map(|(at, call)| {
            let line = source[..at].lines().count().max(1);
            let path = source[at + call.len()..]
                .trim_start()
                .strip_prefix('"')
                .and_then(|rest| rest.split_once('"'))
                .map(|(path, _)| path)
                .filter(|_| call == ".route(");
            (line, path)
        })
        .collect()
}

/// Whether a page has this path, and not just a longer one that starts or ends with it.
fn has_path(page: &str, path: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || "/_-{}".contains(c);
    page.match_indices(path).any(|(at, _)| {
        !page[..at].ends_with(is_part) && !page[at + path.len()..].starts_with(is_part)
    })
}

fn missing_page(tree: &Tree, path: &str) -> Vec<Finding> {
    if tree.has(path) {
        return Vec::new();
    }
    vec![Finding::new(path, 1, "the page is missing", "write it")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::places;

    const SOURCE: &str = "pub struct Config {\n    /// X.\n    pub probe_interval: Duration,\n    \
                          pub rules: Rules,\n}\npub struct Rules {\n    pub beliefs: Beliefs,\n}\n\
                          pub struct Local {\n    pub name: String,\n}\n";

    #[test]
    fn an_undescribed_field_is_found() {
        let operating =
            "Set `probe_interval`. The rules and beliefs are:\n\n```toml\nrules = 1\n```\n";
        let tree = Tree::of(&[(CONFIG, SOURCE), (OPERATING, operating)]);
        assert_eq!(places(&config_fields(&tree)), [format!("{CONFIG}:7")]);
    }

    #[test]
    fn a_missing_page_is_found() {
        let protocol = "`probe_interval` `rules` `rules.beliefs`";
        let tree = Tree::of(&[(CONFIG, SOURCE), (PROTOCOL, protocol)]);
        assert_eq!(places(&config_fields(&tree)), [format!("{OPERATING}:1")]);
    }

    #[test]
    fn fields_that_have_moved_are_missed() {
        assert_eq!(places(&config_fields(&Tree::default())), [format!("{CONFIG}:1")]);
    }

    const ROUTES: &str = "fn a() {\n    r.route(\"/v1/member\", get(x))\n        .route(\n            \
                          \"/v1/members\",\n            get(y),\n        )\n        .route(PATH, z)\n}\n";

    #[test]
    fn an_undescribed_route_is_found() {
        let tree = Tree::of(&[
            ("crates/agent/src/http/mod.rs", ROUTES),
            (HTTP, "## GET `/v1/members`\n## GET `/v1/member/{name}`\n"),
        ]);
        let at = |line| format!("crates/agent/src/http/mod.rs:{line}");
        assert_eq!(places(&http_routes(&tree)), [at(2), at(7)]);
    }

    #[test]
    fn an_agent_without_routes_is_found() {
        let tree = Tree::of(&[("crates/agent/src/main.rs", ROUTES), (HTTP, "")]);
        assert_eq!(places(&http_routes(&tree)), [format!("{HTTP_SOURCE}:1")]);
    }
}
