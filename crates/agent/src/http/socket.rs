//! A socket of the file system, for who may open its file.

use std::fs::{File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};

/// Listens until it is dropped, and then takes its file away.
pub(super) struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and number of the file.
    identity: (u64, u64),
}

impl Socket {
    /// Takes the place of a socket on which nobody listens any more.
    pub(super) async fn bind(path: &Path) -> io::Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let _alone = alone(folder).await;
        let found = std::fs::symlink_metadata(path);
        if found.is_ok_and(|data| data.file_type().is_socket()) {
            match UnixStream::connect(path).await {
                Ok(_) => return Err(io::ErrorKind::AddrInUse.into()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    std::fs::remove_file(path)?;
                }
                Err(error) => return Err(error),
            }
        }
        // It has its name only when nobody else may open it.
        let hidden = tempfile::Builder::new().prefix(".mingle-").tempdir_in(folder)?;
        let first = hidden.path().join("socket");
        let listener = UnixListener::bind(&first)?;
        std::fs::set_permissions(&first, Permissions::from_mode(0o600))?;
        std::fs::hard_link(&first, path)?;
        let identity = identity(&first)?;
        Ok(Self { listener, path: path.to_owned(), identity })
    }

    pub(super) async fn accept(&self) -> UnixStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return stream,
                // The process may be out of descriptors for a while.
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

/// Of two that find the same stale socket, one takes its place: the other waits until it listens. Whoever can't
/// have the lock goes on without it.
async fn alone(folder: &Path) -> Option<File> {
    let folder = File::open(folder).ok()?;
    for _ in 0..100 {
        match folder.try_lock() {
            Ok(()) => return Some(folder),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(TryLockError::Error(_)) => return None,
        }
    }
    None
}

/// Before the next attempt to take a connection, when one could not be taken.
const PAUSE: Duration = Duration::from_secs(1);

impl Drop for Socket {
    fn drop(&mut self) {
        // It may be gone by now, or another's.
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = std::fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}
