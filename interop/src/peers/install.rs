//! Getting the peers: fetched from Debian and unpacked beside the system.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::debian::{Mirror, Suite};
use super::process::run_to_end;
use super::{Peers, SerfVersion};

/// Gets all peers that are not there yet, with a line on standard error for each step, and gives one line per peer: what it is, and
/// what it says of itself when it is run.
///
/// A second call finds everything in place. Two at the same time wait for each other.
///
/// # Errors
///
/// When a peer cannot be fetched, unpacked, compiled or run; the error names it and what to do.
pub fn install(peers: &Peers) -> Result<Vec<String>> {
    installing(peers, |installer| {
        let mut lines = Vec::new();
        for version in SerfVersion::ALL {
            lines.push(
                installer
                    .serf(version)
                    .with_context(|| format!("installing the peer serf {version}"))?,
            );
        }
        lines.push(installer.gopeer().context("compiling the peer gopeer")?);
        Ok(lines)
    })
}

/// Does some installing while nobody else does.
pub(super) fn installing<T>(
    peers: &Peers,
    work: impl FnOnce(&mut Installer<'_>) -> Result<T>,
) -> Result<T> {
    fs::create_dir_all(peers.root())
        .with_context(|| format!("creating {}", peers.root().display()))?;
    let lock = File::create(peers.root().join("lock"))?;
    lock.lock().context("waiting for another install")?;
    let done = work(&mut Installer { peers, suites: BTreeMap::new() })?;
    remove(&peers.root().join("apt"))?;
    Ok(done)
}

pub(super) struct Installer<'a> {
    pub(super) peers: &'a Peers,
    suites: BTreeMap<&'static str, Suite>,
}

impl Installer<'_> {
    fn serf(&mut self, version: SerfVersion) -> Result<String> {
        let folder = self.peers.serf_folder(version);
        self.unpack_once(version.suite(), &format!("serf {version}"), &folder, |_| {
            Ok(vec!["serf".to_owned()])
        })?;
        let package = package_version(&folder, "serf")?;
        ensure!(
            package.starts_with(&format!("{version}~"))
                || package.starts_with(&format!("{version}-")),
            "Debian {} has serf {package} by now; the scenarios are written for {version}",
            version.suite()
        );
        let says = run_to_end(Command::new(self.peers.serf(version)).arg("version"), RUN_TIMEOUT)?;
        let says = says.lines().map(str::trim).collect::<Vec<_>>().join(", ");
        Ok(format!("serf {version}: package {package}, says \"{says}\""))
    }

    /// Fetches packages of a suite and unpacks them into `folder`, unless there is one.
    pub(super) fn unpack_once(
        &mut self,
        suite: &'static str,
        what: &str,
        folder: &Path,
        packages: impl FnOnce(&Suite) -> Result<Vec<String>>,
    ) -> Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        let suite = self.suite(suite)?;
        eprintln!("fetching {what}");
        unpack_whole(suite, &packages(suite)?, folder)
    }

    fn suite(&mut self, name: &'static str) -> Result<&Suite> {
        if !self.suites.contains_key(name) {
            eprintln!("fetching the list of packages of Debian {name}");
            let suite = Suite::open(
                name,
                &Mirror::of_this_machine()?,
                &self.peers.root().join("apt").join(name),
            )?;
            self.suites.insert(name, suite);
        }
        self.suites.get(name).context("the suite was just opened")
    }
}

const RUN_TIMEOUT: Duration = Duration::from_secs(20);

/// Unpacks into `folder`, which is there only when it is whole, and notes the versions in it.
fn unpack_whole(suite: &Suite, packages: &[String], folder: &Path) -> Result<()> {
    let partial = folder.with_added_extension("partial");
    remove(&partial)?;
    fs::create_dir_all(&partial)?;
    let versions = suite.unpack(packages, &partial)?;
    fs::write(partial.join(VERSIONS_FILE), serde_json::to_string_pretty(&versions)?)?;
    fs::rename(&partial, folder)?;
    Ok(())
}

/// The version of a package that was unpacked into `folder`.
pub(super) fn package_version(folder: &Path, package: &str) -> Result<String> {
    let path = folder.join(VERSIONS_FILE);
    let remedy = || format!("{} is damaged: remove it and install again", folder.display());
    let text = fs::read_to_string(path).with_context(remedy)?;
    let mut versions: BTreeMap<String, String> =
        serde_json::from_str(&text).with_context(remedy)?;
    versions.remove(package).with_context(remedy)
}

const VERSIONS_FILE: &str = "packages.json";

pub(super) fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    Ok(())
}
