//! Every story in `tests/scripts` still goes as it is recorded.
//!
//! After a change of the protocol that is meant: `RECORD=1 cargo test -p mingle-sim --test scripts`,
//! then read the difference as what it is, a claim that this is right.

use std::path::{Path, PathBuf};

use mingle_sim::script;

const COMMAND: &str = "RECORD=1 cargo test -p mingle-sim --test scripts";

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let entries = std::fs::read_dir(folder).expect("the folder is part of the package").flatten();
    let paths = entries.map(|entry| entry.path());
    let mut scripts: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "txt")).collect();
    scripts.sort();
    scripts
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[test]
fn every_story_goes_as_it_is_recorded() {
    let record = std::env::var_os("RECORD").is_some_and(|value| value != "0");
    let mut told = Vec::new();
    for path in scripts() {
        let recorded = std::fs::read_to_string(&path).unwrap();
        match script::replay(&name(&path), &recorded) {
            Err(error) => told.push(error.to_string()),
            Ok(replayed) if record => std::fs::write(&path, replayed).unwrap(),
            Ok(replayed) => {
                let difference = script::difference(&recorded, &replayed);
                told.extend(difference.map(|lines| format!("{}:\n{lines}", name(&path))));
            }
        }
    }
    assert!(
        told.is_empty(),
        "stories go otherwise now; where that is meant: {COMMAND}\n\n{}",
        told.join("\n\n")
    );
}

#[test]
fn every_story_begins_with_what_it_shows() {
    assert!(!scripts().is_empty());
    for path in scripts() {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# "), "{} has no comment at its top", name(&path));
        assert!(text.lines().count() <= 80, "{} is longer than a page", name(&path));
    }
}
