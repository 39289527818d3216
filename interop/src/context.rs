//! What a scenario gets from the runner.

use std::path::{Path, PathBuf};

use crate::peers::Peers;

/// The surroundings of one scenario: the installed peers, and a folder for its logs.
#[derive(Debug, Clone)]
pub struct Context {
    peers: Peers,
    log_dir: PathBuf,
}

impl Context {
    /// A context whose processes log into `log_dir`, which must exist.
    #[must_use]
    pub fn new(peers: Peers, log_dir: PathBuf) -> Self {
        Self { peers, log_dir }
    }

    /// The installed peers.
    #[must_use]
    pub fn peers(&self) -> &Peers {
        &self.peers
    }

    /// The folder for the logs of this scenario's processes, one `NAME.log` each.
    #[must_use]
    pub fn log_dir(&self) -> &Path {
        &self.log_dir
    }
}
