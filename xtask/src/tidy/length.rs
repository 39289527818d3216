//! A ratchet on the length of files: new ones stay short, long ones only get shorter.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::finding::Finding;
use super::rust::lines_before_tests;
use super::tree::Tree;

/// What a file of ours may have without its tests.
const LIMIT: usize = 800;

/// The files above the limit with their lengths.
const TABLE: &str = "xtask/lengths.txt";

/// No file is longer than the limit, or than the table says.
pub(super) fn ratchet(tree: &Tree) -> Vec<Finding> {
    let lengths = lengths(tree);
    let table = table(tree);
    let long = lengths.iter().filter_map(|(&path, &length)| too_long(path, length, &table));
    let stale = table.iter().filter_map(|(&path, &(line, ceiling))| {
        let length = lengths.get(path).copied().unwrap_or_default();
        (length < ceiling).then(|| {
            let what = format!("{path} has {length} lines by now, not {ceiling}");
            Finding::new(TABLE, line, what, "run `cargo xtask tidy --bless`")
        })
    });
    long.chain(stale).collect()
}

fn too_long(path: &str, length: usize, table: &Table<'_>) -> Option<Finding> {
    let ceiling = table.get(path).map_or(LIMIT, |&(_, ceiling)| ceiling);
    (length > ceiling).then(|| {
        let what = format!("{length} lines without tests, above its ceiling of {ceiling}");
        let remedy = format!("split it by concern, or argue for a line in {TABLE}");
        Finding::new(path, ceiling + 1, what, remedy)
    })
}

/// By path the line in the table, and the ceiling.
type Table<'a> = BTreeMap<&'a str, (usize, usize)>;

fn table(tree: &Tree) -> Table<'_> {
    let lines = tree.get(TABLE).into_iter().flat_map(|file| file.lines());
    lines
        .filter(|(_, line)| !line.starts_with('#'))
        .filter_map(|(number, line)| {
            let (length, path) = line.split_once(' ')?;
            Some((path, (number, length.parse().ok()?)))
        })
        .collect()
}

fn lengths(tree: &Tree) -> BTreeMap<&str, usize> {
    tree.find("", ".rs").map(|file| (file.path.as_str(), lines_before_tests(file.text()))).collect()
}

/// Writes down what has become shorter. Nothing becomes longer by this.
///
/// # Errors
///
/// When the files can't be read or the table not written.
pub(super) fn bless(root: &Path) -> Result<()> {
    let text = blessed(&Tree::read(root)?);
    fs::write(root.join(TABLE), text).with_context(|| format!("writing {TABLE}"))
}

fn blessed(tree: &Tree) -> String {
    let lengths = lengths(tree);
    let mut text = format!(
        "# Files above {LIMIT} lines without their tests, and what they may have. Lengths only go down:\n\
         # `cargo xtask tidy --bless` writes down what has become shorter.\n"
    );
    for (path, (_, ceiling)) in table(tree) {
        let length = lengths.get(path).copied().unwrap_or_default().min(ceiling);
        if length > LIMIT {
            text += &format!("{length} {path}\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::places;

    fn lines(count: usize) -> String {
        "x\n".repeat(count)
    }

    #[test]
    fn a_new_long_file_is_found() {
        let tests = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", lines(800), lines(500));
        let tree = Tree::of(&[("a.rs", &lines(801)), ("b.rs", &tests), ("c.md", &lines(900))]);
        assert_eq!(places(&ratchet(&tree)), ["a.rs:801"]);
    }

    #[test]
    fn growth_and_unwritten_shrinkage_of_long_files_are_found() {
        let tree = Tree::of(&[
            (TABLE, "# words\n900 a.rs\n900 b.rs\n900 c.rs\n900 gone.rs\n"),
            ("a.rs", &lines(901)),
            ("b.rs", &lines(900)),
            ("c.rs", &lines(899)),
        ]);
        let table = [format!("{TABLE}:4"), format!("{TABLE}:5")];
        assert_eq!(places(&ratchet(&tree)), ["a.rs:901", &table[0], &table[1]]);
    }

    #[test]
    fn blessing_lowers_ceilings_and_raises_none() {
        let tree = Tree::of(&[
            (TABLE, "900 a.rs\n900 b.rs\n900 c.rs\n"),
            ("a.rs", &lines(901)),
            ("b.rs", &lines(850)),
            ("c.rs", &lines(700)),
        ]);
        let text = blessed(&tree);
        assert!(text.ends_with("\n900 a.rs\n850 b.rs\n"), "{text}");
    }
}
