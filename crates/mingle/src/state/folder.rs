use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tracing::warn;

use super::saved::{Saved, Unreadable, VERSION};
use crate::StartError;
use crate::files::{create_file, create_folder, stem};

/// Where one node keeps its state. Nobody else has it while this is there.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    lock: Option<File>,
}

/// What state files are called at the end.
const SUFFIX: &str = ".state";
/// What is written first and then takes the place of the file.
const DRAFT: &str = "draft.tmp";
/// Who has locked it has the folder.
const LOCK: &str = "mingle.lock";
/// Damaged files that are kept beside; one more is not set aside, and the node does not start.
const MOST_ASIDE: u32 = 9;
/// Far above what is ever written; nobody reads a larger file.
const MOST_BYTES: u64 = 64 << 20;

impl Folder {
    /// Takes the folder, which is made if it is missing, and reads what the node of this name and
    /// label has kept there. Without a name it is the one that has a file there.
    ///
    /// A damaged file is set aside, which is told, and the node begins without it.
    pub(crate) fn open(
        path: &Path,
        name: Option<&str>,
        label: &str,
    ) -> Result<(Self, Option<Saved>), StartError> {
        let refused = |error: io::Error| refused(path, &error);
        create_folder(path).map_err(refused)?;
        let folder = Self { lock: Some(lock(path).map_err(refused)?), path: path.to_owned() };
        let mut found: Option<Saved> = None;
        for file in folder.files().map_err(refused)? {
            let Some(saved) = folder.load(&file)? else { continue };
            let given = name.or(found.as_ref().map(|found| found.name.as_str()));
            check(&file, &saved, given.unwrap_or(&saved.name), label)?;
            if found.as_ref().is_none_or(|found| found.incarnation < saved.incarnation) {
                found = Some(saved);
            }
        }
        Ok((folder, found))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The node's file.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(stem(name) + SUFFIX)
    }

    /// The state files that are there, in the order of their names.
    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            if path.to_string_lossy().ends_with(SUFFIX) {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }

    /// `None` for a file that was set aside.
    fn load(&self, file: &Path) -> Result<Option<Saved>, StartError> {
        let bytes = read(file).map_err(|error| refused(&self.path, &error))?;
        match Saved::decode(&bytes) {
            Ok(saved) => Ok(Some(saved)),
            Err(Unreadable::Newer { version }) => {
                Err(StartError::StateVersion { file: file.to_owned(), version, known: VERSION })
            }
            Err(Unreadable::Damaged) => {
                self.set_aside(file)?;
                Ok(None)
            }
        }
    }

    fn set_aside(&self, file: &Path) -> Result<(), StartError> {
        let refused = |error: io::Error| refused(&self.path, &error);
        for number in 1..=MOST_ASIDE {
            let mut aside = file.as_os_str().to_owned();
            aside.push(format!(".damaged-{number}"));
            let aside = PathBuf::from(aside);
            // Nobody else makes files here: the folder is locked.
            if aside.symlink_metadata().is_ok() {
                continue;
            }
            fs::rename(file, &aside).and_then(|()| self.sync()).map_err(refused)?;
            warn!(
                ?file,
                kept_as = ?aside,
                "the state file is damaged; the last incarnation and the members that it \
                 remembered are lost, and the node begins without them"
            );
            return Ok(());
        }
        Err(StartError::StateDamaged { file: file.to_owned(), aside: MOST_ASIDE })
    }

    /// Puts the state in the place of the last one, and gives its size. Whatever happens meanwhile,
    /// one of them is there, whole.
    pub(crate) fn write(&self, saved: &Saved) -> io::Result<u64> {
        let bytes = saved.encode();
        let draft = self.path.join(DRAFT);
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let written = write_all(&draft, &bytes)
            .and_then(|()| fs::rename(&draft, self.file(&saved.name)))
            .and_then(|()| self.sync());
        if written.is_err() {
            // A full disk has more use for the room.
            let _ = fs::remove_file(&draft);
        }
        written.map(|()| u64::try_from(bytes.len()).unwrap_or(u64::MAX))
    }

    /// Takes the folder anew, which may have been replaced by another one.
    pub(super) fn take_again(&mut self) -> io::Result<()> {
        // The lock that is held would keep out this one too.
        self.lock = None;
        self.lock = Some(lock(&self.path)?);
        Ok(())
    }

    /// Waits until the disk has the names of the files.
    #[cfg(unix)]
    fn sync(&self) -> io::Result<()> {
        match File::open(&self.path)?.sync_all() {
            // Some network file systems do not know it for folders.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
                ) =>
            {
                Ok(())
            }
            synced => synced,
        }
    }

    #[cfg(not(unix))]
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether this is what the node may go on with.
fn check(file: &Path, saved: &Saved, name: &str, label: &str) -> Result<(), StartError> {
    if saved.name != name {
        return Err(StartError::StateOfOtherName {
            file: file.to_owned(),
            held: saved.name.clone(),
            given: name.to_owned(),
        });
    }
    if saved.label != label {
        return Err(StartError::StateOfOtherLabel {
            file: file.to_owned(),
            held: saved.label.clone(),
            given: label.to_owned(),
        });
    }
    Ok(())
}

pub(super) fn refused(folder: &Path, error: &io::Error) -> StartError {
    let folder = folder.to_owned();
    match error.kind() {
        io::ErrorKind::WouldBlock => StartError::StateInUse { folder },
        kind => StartError::State { folder, kind },
    }
}

/// [`io::ErrorKind::WouldBlock`] when another process, or another node of this one, has it.
fn lock(folder: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(folder.join(LOCK))?;
    file.try_lock()?;
    Ok(file)
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn write_all(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create_file(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
