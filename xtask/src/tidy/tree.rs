use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

/// The files of the repository, without what `.gitignore` names. Git itself is not asked: a source
/// archive has none.
#[derive(Debug, Default)]
pub(super) struct Tree {
    files: Vec<File>,
}

/// One file; its path is relative to the root, with slashes.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: String,
    pub(super) bytes: Vec<u8>,
}

impl File {
    /// Its text; empty when it is not text.
    pub(super) fn text(&self) -> &str {
        str::from_utf8(&self.bytes).unwrap_or_default()
    }

    /// Its lines, counted from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text().lines())
    }

    /// Its name without folders and extension.
    pub(super) fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.split_once('.').map_or(name, |(stem, _)| stem)
    }
}

impl Tree {
    /// Reads all files.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let ignored = Ignored::parse(&fs::read_to_string(root.join(".gitignore"))?)?;
        let mut tree = Self::default();
        tree.read_folder(root, "", &ignored)?;
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    fn read_folder(&mut self, root: &Path, folder: &str, ignored: &Ignored) -> Result<()> {
        for entry in fs::read_dir(root.join(folder))? {
            let entry = entry?;
            let path = format!("{folder}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type()?;
            if path == ".git" || ignored.covers(&path) {
                continue;
            }
            if kind.is_dir() {
                self.read_folder(root, &format!("{path}/"), ignored)?;
            } else if kind.is_file() {
                let bytes = fs::read(entry.path()).with_context(|| format!("reading {path}"))?;
                self.files.push(File { path, bytes });
            }
        }
        Ok(())
    }

    /// All files.
    pub(super) fn files(&self) -> impl Iterator<Item = &File> {
        self.files.iter()
    }

    /// Those whose path starts and ends so.
    pub(super) fn find(&self, start: &str, end: &str) -> impl Iterator<Item = &File> {
        self.files().filter(move |file| file.path.starts_with(start) && file.path.ends_with(end))
    }

    /// The file at a path.
    pub(super) fn get(&self, path: &str) -> Option<&File> {
        self.files().find(|file| file.path == path)
    }

    /// Whether a file or a folder is there; the root is the empty path.
    pub(super) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        self.files().any(|file| {
            path.is_empty()
                || file.path.strip_prefix(path).is_some_and(|r| r.is_empty() || r.starts_with('/'))
        })
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let file = |&(path, text): &(&str, &str)| File {
            path: path.to_owned(),
            bytes: text.as_bytes().to_vec(),
        };
        Self { files: files.iter().map(file).collect() }
    }

    #[cfg(test)]
    pub(super) fn with_bytes(mut self, path: &str, bytes: &[u8]) -> Self {
        self.files.push(File { path: path.to_owned(), bytes: bytes.to_vec() });
        self
    }
}

/// The two forms of `.gitignore` lines that we use: `/path` and `*.extension`.
struct Ignored {
    paths: Vec<String>,
    endings: Vec<String>,
}

impl Ignored {
    fn parse(text: &str) -> Result<Self> {
        let mut ignored = Self { paths: Vec::new(), endings: Vec::new() };
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let path = line.strip_prefix('/').map(|path| path.trim_end_matches('/'));
            let ending = line.strip_prefix('*');
            ensure!(
                path.or(ending).is_some_and(|rest| !rest.contains(['*', '?', '[', '!'])),
                ".gitignore has {line:?}; write it as /path or *.extension, or teach xtask/src/tidy/tree.rs"
            );
            ignored.paths.extend(path.map(str::to_owned));
            ignored.endings.extend(ending.map(str::to_owned));
        }
        Ok(ignored)
    }

    fn covers(&self, path: &str) -> bool {
        self.paths.iter().any(|ignored| ignored == path)
            || self.endings.iter().any(|ending| path.ends_with(ending.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_files_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["target/x.rs", "a/target/y.rs", "a/z.profraw", ".git/head", "b.rs"] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "text").unwrap();
        }
        fs::write(folder.path().join(".gitignore"), "/target\n*.profraw\n").unwrap();
        let tree = Tree::read(folder.path()).unwrap();
        let paths: Vec<_> = tree.files().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, [".gitignore", "a/target/y.rs", "b.rs"]);
    }

    #[test]
    fn a_pattern_that_is_not_understood_is_refused() {
        assert!(Ignored::parse("docs/**/x\n").is_err());
        assert!(Ignored::parse("name\n").is_err());
    }

    #[test]
    fn folders_and_files_are_there_but_no_beginnings_of_names() {
        let tree = Tree::of(&[("docs/http.md", "")]);
        assert!(tree.has("docs") && tree.has("docs/") && tree.has("docs/http.md") && tree.has(""));
        assert!(!tree.has("doc") && !tree.has("docs/http"));
    }
}
