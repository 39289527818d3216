use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::files::{create_file, create_folder, stem};

/// The files of one node's recordings: the oldest go so that all of them together keep to a bound.
///
/// Recordings hold what peers said in plain text, so nobody but the user of this process may read
/// them.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    stem: String,
    limit: u64,
    /// Oldest first. The last one is open.
    files: VecDeque<Stored>,
    open: File,
}

#[derive(Debug)]
struct Stored {
    number: u64,
    bytes: u64,
}

/// What files of recordings are called at the end.
const SUFFIX: &str = ".mgl";
/// Numbers have as many digits, so that names sort as they were written.
const DIGITS: usize = 8;

impl Folder {
    /// Makes the folder if it is missing, and a new file in it. Files of earlier runs count, and are
    /// the first to go.
    pub(crate) fn open(path: &Path, name: &str, limit: u64) -> io::Result<Self> {
        create_folder(path)?;
        let stem = stem(name);
        let mut files = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            if let Some(number) = number(&stem, &entry.file_name().to_string_lossy()) {
                files.push(Stored { number, bytes: entry.metadata()?.len() });
            }
        }
        files.sort_by_key(|file| file.number);
        let next = files.last().map_or(1, |last| last.number + 1);
        let open = create_file(&path.join(file_name(&stem, next)))?;
        let mut files = VecDeque::from(files);
        files.push_back(Stored { number: next, bytes: 0 });
        Ok(Self { path: path.to_owned(), stem, limit, files, open })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Begins the next file, unless nothing was written into the one that is open.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        let last = self.last();
        if last.bytes == 0 {
            return Ok(());
        }
        let number = last.number + 1;
        self.open = create_file(&self.path.join(file_name(&self.stem, number)))?;
        self.files.push_back(Stored { number, bytes: 0 });
        Ok(())
    }

    /// Appends to the open file.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let more = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.make_room(more)?;
        self.open.write_all(bytes)?;
        self.last().bytes += more;
        Ok(())
    }

    fn last(&mut self) -> &mut Stored {
        self.files.back_mut().expect("there is always the open one")
    }

    fn make_room(&mut self, more: u64) -> io::Result<()> {
        let mut all: u64 = self.files.iter().map(|file| file.bytes).sum();
        while all.saturating_add(more) > self.limit {
            if self.files.len() == 1 {
                return Err(io::Error::other("the view alone is larger than recordings may be"));
            }
            let Some(oldest) = self.files.pop_front() else { break };
            match fs::remove_file(self.path.join(file_name(&self.stem, oldest.number))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => all -= oldest.bytes,
            }
        }
        Ok(())
    }
}

fn file_name(stem: &str, number: u64) -> String {
    format!("{stem}-{number:0DIGITS$}{SUFFIX}")
}

fn number(stem: &str, file_name: &str) -> Option<u64> {
    let digits = file_name.strip_prefix(stem)?.strip_prefix('-')?.strip_suffix(SUFFIX)?;
    let all_digits = digits.len() >= DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &Path) -> Vec<String> {
        let names = fs::read_dir(path).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_oldest_files_go_and_the_bound_holds_over_restarts() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("new");
        let mut folder = Folder::open(&path, "a", 100).unwrap();
        for _ in 0..4 {
            folder.begin().unwrap();
            folder.append(&[1; 30]).unwrap();
        }
        assert_eq!(names(&path), ["a-00000002.mgl", "a-00000003.mgl", "a-00000004.mgl"]);
        fs::write(path.join("a-b-00000001.mgl"), [0; 90]).unwrap();
        let mut folder = Folder::open(&path, "a", 100).unwrap();
        folder.append(&[1; 45]).unwrap();
        assert_eq!(names(&path), ["a-00000004.mgl", "a-00000005.mgl", "a-b-00000001.mgl"]);
        assert!(folder.append(&[1; 56]).is_err(), "the open file stays");
    }

    #[test]
    fn files_are_numbered() {
        assert_eq!(file_name(&stem("../a b\u{1b}"), 7), "___a_b_-00000007.mgl");
        assert_eq!(number("a", "a-00000012.mgl"), Some(12));
        assert_eq!(number("a", "a-123456789.mgl"), Some(123_456_789));
        for other in ["a-12.mgl", "b-00000012.mgl", "a-00000012", "a-0000001x.mgl"] {
            assert_eq!(number("a", other), None, "{other}");
        }
    }
}
