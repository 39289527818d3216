//! What no file may have. The words looked for are put together here, so that this file has none.

use super::finding::Finding;
use super::rust::{code, product_code, test_modules};
use super::tree::{File, Tree};

/// A test that is not run is none.
pub(super) fn no_ignored_tests(tree: &Tree) -> Vec<Finding> {
    let ignores = [concat!("#[", "ignore]"), concat!("#[", "ignore ")];
    in_code(tree, &ignores, "run the test, or remove it")
}

/// Nothing is left for later.
pub(super) fn no_placeholders(tree: &Tree) -> Vec<Finding> {
    let macros = [concat!("to", "do!("), concat!("unimple", "mented!("), concat!("d", "bg!(")];
    in_code(tree, &macros, "finish it, or do not begin it")
}

fn in_code(tree: &Tree, words: &[&str], remedy: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.find("", ".rs") {
        for (number, line) in code(file) {
            for word in words.iter().filter(|word| line.contains(**word)) {
                findings.push(Finding::new(&file.path, number, format!("{word} in code"), remedy));
            }
        }
    }
    findings
}

/// The pure crates panic only where they say why it can't happen.
pub(super) fn no_unwraps(tree: &Tree) -> Vec<Finding> {
    let unwraps =
        pure_code(tree).into_iter().filter(|(_, _, line)| line.contains(concat!(".unw", "rap()")));
    unwraps
        .map(|(file, number, _)| {
            let remedy = "handle it, or `expect` with the reason why it holds";
            Finding::new(&file.path, number, "an unwrap", remedy)
        })
        .collect()
}

/// The lines of the pure crates that are not for tests.
fn pure_code(tree: &Tree) -> Vec<(&File, usize, &str)> {
    let mut lines = Vec::new();
    for folder in ["crates/wire/src/", "crates/proto/src/"] {
        let for_tests: Vec<_> =
            tree.find(folder, ".rs").flat_map(|file| test_modules(file.text())).collect();
        for file in tree.find(folder, ".rs").filter(|file| !is_of(file, folder, &for_tests)) {
            lines.extend(product_code(file).map(|(number, line)| (file, number, line)));
        }
    }
    lines
}

fn is_of(file: &File, folder: &str, modules: &[&str]) -> bool {
    let path = file.path.trim_start_matches(folder).trim_end_matches(".rs");
    path.split('/').any(|part| modules.contains(&part))
}

/// The pure crates touch nothing of the machine that they run on. Clippy bans the types and calls that
/// tests need no less than the product; this is what only tests may have.
pub(super) fn pure_crates_touch_nothing(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, number, line) in pure_code(tree) {
        for word in MACHINE.iter().filter(|word| line.contains(**word)) {
            let remedy = "take it as an input, or give it as an output";
            let what = format!("{word} in a pure crate");
            findings.push(Finding::new(&file.path, number, what, remedy));
        }
    }
    findings
}

const MACHINE: [&str; 13] = [
    "std::env",
    "std::fs",
    "std::io",
    "std::process",
    "std::thread",
    "ToSocketAddrs",
    "SystemTime",
    "std::time::Instant",
    "thread_local!",
    "async ",
    ".await",
    "print!(",
    "println!(",
];

/// No tabs, no blanks at ends of lines, and a newline at the end.
pub(super) fn no_stray_whitespace(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let endings = [".rs", ".md", ".toml"];
    for file in tree.files().filter(|file| endings.iter().any(|end| file.path.ends_with(end))) {
        for (number, line) in file.lines() {
            if line.contains('\t') {
                findings.push(Finding::new(&file.path, number, "a tab", "use spaces"));
            }
            if line.ends_with(char::is_whitespace) {
                findings.push(Finding::new(&file.path, number, "a blank at the end", "remove it"));
            }
        }
        if !file.text().is_empty() && !file.text().ends_with('\n') {
            let last = file.lines().count();
            findings.push(Finding::new(&file.path, last, "no newline at the end", "add it"));
        }
    }
    findings
}

/// Nothing names a folder that only one machine has.
pub(super) fn no_machine_paths(tree: &Tree) -> Vec<Finding> {
    let folders = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    let mut findings = Vec::new();
    for file in tree.files() {
        for (number, line) in file.lines() {
            for folder in folders.iter().filter(|folder| starts_in(line, folder)) {
                let what = format!("{folder} is a folder of one machine");
                let remedy = "name it from the root of the repository";
                findings.push(Finding::new(&file.path, number, what, remedy));
            }
        }
    }
    findings
}

fn starts_in(line: &str, folder: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || "._-~}".contains(c);
    line.match_indices(folder).any(|(at, _)| !line[..at].ends_with(is_part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::places;

    #[test]
    fn a_test_that_is_not_run_is_found() {
        let reason = concat!("#[", "ignore = \"slow\"]\n");
        let plain = concat!("// #[", "ignore]\n    #[", "ignore]\nfn ignore() {}\n");
        let tree = Tree::of(&[("a.rs", reason), ("b.rs", plain), ("c.md", plain)]);
        assert_eq!(places(&no_ignored_tests(&tree)), ["a.rs:1", "b.rs:2"]);
    }

    #[test]
    fn unfinished_code_is_found() {
        let text = concat!(
            "fn a() {\n    to",
            "do!()\n}\nfn b() { unimple",
            "mented!(\"x\") }\nd",
            "bg!(1);\n"
        );
        let tree = Tree::of(&[("a.rs", text)]);
        assert_eq!(places(&no_placeholders(&tree)), ["a.rs:2", "a.rs:4", "a.rs:5"]);
    }

    #[test]
    fn an_unwrap_outside_of_tests_is_found() {
        let unwrap = concat!("a.unw", "rap();\n");
        let tests = format!("{unwrap}/// {unwrap}#[cfg(test)]\nmod tests {{\n{unwrap}}}\n");
        let tree = Tree::of(&[
            ("crates/wire/src/lib.rs", "#[cfg(test)]\nmod samples;\nmod a;\n"),
            ("crates/wire/src/a.rs", &tests),
            ("crates/wire/src/samples.rs", unwrap),
            ("crates/wire/tests/a.rs", unwrap),
            ("crates/agent/src/a.rs", unwrap),
        ]);
        assert_eq!(places(&no_unwraps(&tree)), ["crates/wire/src/a.rs:1"]);
    }

    #[test]
    fn a_pure_crate_that_touches_the_machine_is_found() {
        let text = "use std::fs;\nfn a() { eprintln!(\"x\") }\n#[cfg(test)]\nmod tests {\nuse std::fs;\n}\n";
        let tree = Tree::of(&[("crates/proto/src/a.rs", text), ("crates/mingle/src/a.rs", text)]);
        let found = places(&pure_crates_touch_nothing(&tree));
        assert_eq!(found, ["crates/proto/src/a.rs:1", "crates/proto/src/a.rs:2"]);
    }

    #[test]
    fn stray_whitespace_is_found() {
        let tree = Tree::of(&[("a.rs", "good\n\tbad\nbad \n"), ("b.md", "bad"), ("c.go", "\t")]);
        assert_eq!(places(&no_stray_whitespace(&tree)), ["a.rs:2", "a.rs:3", "b.md:1"]);
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        let bad = concat!("see /ho", "me/ann/x\n");
        let good = concat!("https://example.org/ro", "ot/x and target/wo", "rk/y\n");
        let tree = Tree::of(&[("a.sh", bad), ("b.md", good)]);
        assert_eq!(places(&no_machine_paths(&tree)), ["a.sh:1"]);
    }
}
