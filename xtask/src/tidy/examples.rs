//! Examples are shown and run.

use super::finding::Finding;
use super::tree::{File, Tree};

const FOLDER: &str = "crates/mingle/examples/";
const README: &str = "README.md";

/// Each example of the library is in the README, and a test runs it.
pub(super) fn listed_and_run(tree: &Tree) -> Vec<Finding> {
    let readme = tree.get(README).map_or("", File::text);
    let mut findings = Vec::new();
    for example in tree.find(FOLDER, ".rs") {
        let name = example.stem();
        if !is_listed(readme, name) {
            let what = format!("the example {name} is not in {README}");
            let remedy = format!("list it there: `cargo run -p mingle --example {name}`");
            findings.push(Finding::new(&example.path, 1, what, remedy));
        }
        if !tree.files().any(|file| is_test(file) && runs(file.text(), name)) {
            let what = format!("no test runs the example {name}");
            let remedy = format!("run \"{name}\" in a test under crates/mingle/tests");
            findings.push(Finding::new(&example.path, 1, what, remedy));
        }
    }
    findings
}

fn is_listed(readme: &str, name: &str) -> bool {
    readme.contains(&format!("examples/{name}.rs"))
        || readme.lines().any(|line| {
            line.split_once("--example ").is_some_and(|(_, rest)| {
                rest.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').next()
                    == Some(name)
            })
        })
}

fn is_test(file: &File) -> bool {
    file.path.starts_with("crates/") && file.path.contains("/tests/") && file.path.ends_with(".rs")
}

fn runs(test: &str, name: &str) -> bool {
    test.contains("example")
        && (test.contains(&format!("\"{name}\"")) || test.contains(&format!("examples/{name}.rs")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_that_is_not_shown_or_not_run_is_found() {
        let tree = Tree::of(&[
            ("crates/mingle/examples/basic.rs", ""),
            ("crates/mingle/examples/events.rs", ""),
            ("crates/mingle/examples/keys.rs", ""),
            (
                "crates/mingle/tests/examples.rs",
                "fn all_examples() { run(\"basic\"); run(\"keys\"); }",
            ),
            (
                README,
                "`cargo run -p mingle --example basic`, [events](crates/mingle/examples/events.rs)",
            ),
        ]);
        let found: Vec<_> = listed_and_run(&tree).iter().map(Finding::to_string).collect();
        assert_eq!(found.len(), 2);
        assert!(found[0].contains("no test runs the example events"), "{found:?}");
        assert!(found[1].contains("the example keys is not in README.md"), "{found:?}");
    }
}
