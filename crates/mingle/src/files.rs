//! What recordings and the state file have in common: nobody but the user of this process may read
//! them, and their names come from the node's.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// Names of nodes may be longer than a file system bears.
const LONGEST_STEM: usize = 64;

/// The part of the node's name that every file system bears. Different names may have the same.
pub(crate) fn stem(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
    name.chars().take(LONGEST_STEM).map(plain).collect()
}

/// Makes the folder, and those that it is in, unless it is there.
#[cfg(unix)]
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes the folder, and those that it is in, unless it is there.
#[cfg(not(unix))]
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// Makes a file that was not there, to be written from its beginning to its end.
pub(crate) fn create_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_nodes_become_names_of_files() {
        assert_eq!(stem("../a b\u{1b}"), "___a_b_");
        assert_eq!(stem(&"x".repeat(255)).len(), LONGEST_STEM);
    }
}
