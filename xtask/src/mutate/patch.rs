use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::shell::{output, root};

/// One deliberate fault.
#[derive(Debug)]
pub(super) struct Patch {
    /// Its file without the extension.
    pub(super) name: String,
    /// What is broken, in a sentence.
    pub(super) breaks: String,
    /// What should notice it.
    pub(super) noticed_by: String,
    /// Whether it is known that nothing does yet.
    pub(super) is_gap: bool,
    path: PathBuf,
    files: Vec<String>,
}

/// Who is asked where the swarm finds nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Witness {
    /// This test of the machine.
    Test(String),
    /// This scenario of the simulator.
    Scenario(String),
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Test(name) => write!(f, "test `{name}`"),
            Self::Scenario(name) => write!(f, "scenario `{name}`"),
        }
    }
}

/// Where they are.
pub(super) fn folder() -> PathBuf {
    root().join("crates/sim/mutations")
}

/// In the folder: faults that a checker should notice and none does yet.
pub(super) const GAPS: &str = "unnoticed";

impl Patch {
    /// All there are, in the order of their names.
    pub(super) fn all() -> Result<Vec<Self>> {
        let mut patches = Self::all_in(&folder())?;
        let gaps = folder().join(GAPS);
        if gaps.is_dir() {
            let gaps = Self::all_in(&gaps)?;
            patches.extend(gaps.into_iter().map(|patch| Self { is_gap: true, ..patch }));
        }
        patches.sort_by(|a, b| (a.number(), &a.name).cmp(&(b.number(), &b.name)));
        Ok(patches)
    }

    fn number(&self) -> Option<u32> {
        self.name.split_once('-').and_then(|(number, _)| number.parse().ok())
    }

    /// Whoever its header names as `test NAME.` or `scenario NAME.`: a rule that only they can see.
    pub(super) fn witness(&self) -> Option<Witness> {
        let (kind, name) = self.noticed_by.strip_suffix('.')?.split_once(' ')?;
        let name = (!name.contains(' ')).then(|| name.to_owned())?;
        match kind {
            "test" => Some(Witness::Test(name)),
            "scenario" => Some(Witness::Scenario(name)),
            _ => None,
        }
    }

    fn all_in(folder: &Path) -> Result<Vec<Self>> {
        let mut patches = Vec::new();
        let entries =
            fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "patch") {
                let text = fs::read_to_string(&path)?;
                let patch = Self::parse(path.clone(), &text);
                patches.push(patch.with_context(|| path.display().to_string())?);
            }
        }
        Ok(patches)
    }

    /// A header of two sentences, an empty line, and a unified diff of the machine or the wire.
    fn parse(path: PathBuf, text: &str) -> Result<Self> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let numbered =
            name.split_once('-').is_some_and(|(number, _)| number.parse::<u32>().is_ok());
        ensure!(numbered, "its name must be NN-what.patch");
        let mut lines = text.lines();
        let mut header = |start: &str| {
            let rest = lines.next().and_then(|line| line.strip_prefix(start));
            let sentence = rest.map(str::trim).filter(|rest| rest.len() > 9 && rest.ends_with('.'));
            sentence.map(str::to_owned).with_context(|| format!("needs a line `{start} sentence.`"))
        };
        let breaks = header("Breaks:")?;
        let noticed_by = header("Noticed by:")?;
        ensure!(lines.next() == Some(""), "needs an empty line between its header and the diff");
        let files: Vec<String> =
            lines.filter_map(|line| line.strip_prefix("+++ b/")).map(str::to_owned).collect();
        ensure!(!files.is_empty(), "changes no file");
        for file in &files {
            let known = FOLDERS.iter().any(|folder| file.starts_with(folder));
            ensure!(known, "changes {file}, which is not of the protocol");
        }
        Ok(Self { name, breaks, noticed_by, is_gap: false, path, files })
    }

    /// Whether it applies to the sources in this folder.
    pub(super) fn check(&self, tree: &Path) -> Result<()> {
        for file in &self.files {
            ensure!(tree.join(file).is_file(), "{} changes {file}, which is not there", self.name);
        }
        self.git(tree, &["--check"])
    }

    /// Breaks the sources in this folder.
    pub(super) fn apply(&self, tree: &Path) -> Result<()> {
        self.git(tree, &[])
    }

    /// Mends them again.
    pub(super) fn revert(&self, tree: &Path) -> Result<()> {
        self.git(tree, &["--reverse"])
    }

    /// A tree is a plain folder to git, whatever repository may be around it.
    fn git(&self, tree: &Path, arguments: &[&str]) -> Result<()> {
        let mut git = Command::new("git");
        git.arg("apply").args(arguments).arg(&self.path).current_dir(tree);
        git.env("GIT_CEILING_DIRECTORIES", tree.parent().unwrap_or(tree));
        output(&mut git).with_context(|| format!("{} does not apply", self.name)).map(drop)
    }
}

const FOLDERS: [&str; 2] = ["crates/proto/src/", "crates/wire/src/"];

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Breaks: the law is ignored.\nNoticed by: the law itself.\n\n\
                        --- a/crates/proto/src/law.rs\n+++ b/crates/proto/src/law.rs\n";

    fn parse(name: &str, text: &str) -> Result<Patch> {
        Patch::parse(name.into(), text)
    }

    #[test]
    fn a_patch_says_what_it_breaks_and_where() {
        let patch = parse("01-law.patch", GOOD).unwrap();
        assert_eq!((patch.name.as_str(), patch.breaks.as_str()), ("01-law", "the law is ignored."));
        assert_eq!(patch.files, ["crates/proto/src/law.rs"]);
    }

    #[test]
    fn a_patch_without_its_header_or_of_something_else_is_refused() {
        assert!(parse("law.patch", GOOD).is_err());
        for (from, to) in [
            ("Breaks: the law is ignored.", "Breaks: it."),
            ("Noticed by", "By"),
            ("\n\n", "\n"),
            ("crates/proto/src", "crates/sim/src"),
            ("+++", "---"),
        ] {
            assert!(parse("01-law.patch", &GOOD.replace(from, to)).is_err(), "{from}");
        }
    }

    #[test]
    fn a_patch_names_a_test_or_a_scenario_that_sees_what_the_swarm_does_not() {
        let witness = |by: &str| {
            parse("01-law.patch", &GOOD.replace("the law itself", by)).unwrap().witness()
        };
        assert_eq!(witness("test law::a"), Some(Witness::Test("law::a".to_owned())));
        assert_eq!(witness("scenario r10"), Some(Witness::Scenario("r10".to_owned())));
        assert_eq!(witness("test of the law"), None);
        assert_eq!(witness("the law itself"), None);
    }

    #[test]
    fn every_mutation_changes_files_that_exist_and_has_a_number_of_its_own() {
        let patches = Patch::all().unwrap();
        for (i, patch) in patches.iter().enumerate() {
            for file in &patch.files {
                assert!(root().join(file).is_file(), "{}: {file}", patch.name);
            }
            let twin = patches.iter().skip(i + 1).find(|other| other.number() == patch.number());
            assert!(twin.is_none(), "{} and {twin:?}", patch.name);
        }
    }
}
