//! The real programs: where they are, how to get them, how to run them.

mod debian;
mod golang;
mod gopeer;
mod install;
mod key;
mod memberlist;
mod metrics;
mod mingle;
mod node;
mod ports;
mod process;
mod serf;

use std::env;
use std::fmt;
use std::path::{self, Path, PathBuf};

use anyhow::{Result, ensure};

pub(crate) use self::mingle::mingle_program;
pub use self::mingle::{MingleAgent, MingleMember, MingleOptions};
pub use gopeer::{DelegateVersions, GoEvent, GoMember, GoPeer, GoPeerOptions};
pub use install::install;
pub use key::Key;
pub use memberlist::{Crowd, CrowdProgram, crowds};
pub use metrics::Metrics;
pub use node::{Ack, MingleNode, NodeMessage, NodeOptions, UserState, Way};
pub use ports::{free_address, loopback_v4, loopback_v6};
pub use process::Process;
pub(crate) use process::run_to_end;
pub use serf::{SerfAgent, SerfMember, SerfOptions, SerfProtocol};

/// The folder in which the peers are, or will be, unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peers {
    root: PathBuf,
}

impl Peers {
    /// The folder that the environment variable `MINGLE_PEERS` names, by default `target/interop/peers` of this workspace.
    #[must_use]
    pub fn from_env() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let default = || here.parent().unwrap_or(here).join("target/interop/peers");
        Self::at(&env::var_os("MINGLE_PEERS").map_or_else(default, PathBuf::from))
    }

    /// The peers in `root`.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Self { root: path::absolute(root).unwrap_or_else(|_| root.to_owned()) }
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The program of that Serf release.
    #[must_use]
    pub fn serf(&self, version: SerfVersion) -> PathBuf {
        self.serf_folder(version).join("usr/bin/serf")
    }

    /// The program of ours on memberlist.
    #[must_use]
    pub fn gopeer(&self) -> PathBuf {
        self.gopeer_folder().join("gopeer")
    }

    /// Makes sure that all peers are there.
    ///
    /// # Errors
    ///
    /// Names the first peer that is missing, and how to get it.
    pub fn require_all(&self) -> Result<()> {
        let serfs = SerfVersion::ALL.map(|version| (format!("serf {version}"), self.serf(version)));
        for (peer, path) in serfs.into_iter().chain([("gopeer".to_owned(), self.gopeer())]) {
            ensure!(
                path.is_file(),
                "the peer {peer} is missing: there is no {}. Run `cargo run -p mingle-interop -- install` first, \
                 or set MINGLE_PEERS to the folder of an earlier install",
                path.display()
            );
        }
        Ok(())
    }

    fn serf_folder(&self, version: SerfVersion) -> PathBuf {
        self.root.join(format!("serf-{version}"))
    }

    fn go_folder(&self) -> PathBuf {
        self.root.join("go")
    }

    fn gopeer_folder(&self) -> PathBuf {
        self.root.join("gopeer")
    }
}

/// A release of Serf that Debian has packaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SerfVersion {
    /// 0.9.4 of 2020, from Debian 12, on memberlist 0.2.2.
    V0_9_4,
    /// 0.10.1 of 2022, from Debian 13, on memberlist 0.5.0.
    V0_10_1,
}

impl SerfVersion {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V0_9_4, Self::V0_10_1];

    fn suite(self) -> &'static str {
        match self {
            Self::V0_9_4 => "bookworm",
            Self::V0_10_1 => "trixie",
        }
    }
}

impl fmt::Display for SerfVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V0_9_4 => "0.9.4",
            Self::V0_10_1 => "0.10.1",
        })
    }
}

/// The timing that a peer runs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// Many hosts in one place.
    Lan,
    /// Many places.
    Wan,
    /// One host: the quickest, and what tests want.
    #[default]
    Local,
}

impl Profile {
    fn flag(self) -> &'static str {
        match self {
            Self::Lan => "lan",
            Self::Wan => "wan",
            Self::Local => "local",
        }
    }
}

/// Whether a peer compresses what it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// As the programs do by default.
    #[default]
    On,
    /// Plain bodies.
    Off,
}
