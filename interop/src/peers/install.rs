//! Getting the peers: fetched from Debian, unpacked beside the system, and our own program compiled.

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
    fs::create_dir_all(peers.root())
        .with_context(|| format!("creating {}", peers.root().display()))?;
    let lock = File::create(peers.root().join("lock"))?;
    lock.lock().context("waiting for another install")?;
    let mut installer = Installer { peers, suites: BTreeMap::new() };
    let mut lines = Vec::new();
    for version in SerfVersion::ALL {
        lines.push(
            installer
                .serf(version)
                .with_context(|| format!("installing the peer serf {version}"))?,
        );
    }
    installer.go().context("installing Go and memberlist")?;
    lines.push(installer.gopeer().context("compiling the peer gopeer")?);
    remove(&peers.root().join("apt"))?;
    Ok(lines)
}

struct Installer<'a> {
    peers: &'a Peers,
    suites: BTreeMap<&'static str, Suite>,
}

impl Installer<'_> {
    fn serf(&mut self, version: SerfVersion) -> Result<String> {
        let folder = self.peers.serf_folder(version);
        if !folder.is_dir() {
            let suite = self.suite(version.suite())?;
            eprintln!("fetching serf {version}");
            unpack_whole(suite, &["serf".to_owned()], &folder)?;
        }
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

    fn go(&mut self) -> Result<()> {
        let folder = self.peers.go_folder();
        if folder.is_dir() {
            return Ok(());
        }
        let suite = self.suite(GO_SUITE)?;
        eprintln!("fetching Go and memberlist");
        let mut packages = suite.closure(GO_PACKAGE, is_toolchain)?;
        packages.extend(suite.closure(MEMBERLIST_PACKAGE, is_needed_library)?);
        unpack_whole(suite, &packages, &folder)
    }

    /// Compiles our program if its source has changed.
    fn gopeer(&self) -> Result<String> {
        let source = self.peers.gopeer_folder().join("source");
        let program = self.peers.gopeer();
        if !program.is_file() || !is_current(&source) {
            eprintln!("compiling gopeer");
            remove(&source)?;
            fs::create_dir_all(&source)?;
            let compiling = program.with_extension("partial");
            self.compile(&compiling)?;
            fs::rename(&compiling, &program)?;
            write_source(&source)?;
        }
        let memberlist = package_version(&self.peers.go_folder(), MEMBERLIST_PACKAGE)?;
        let says = run_to_end(self.go_command().arg("version"), RUN_TIMEOUT)?;
        run_to_end(Command::new(&program).arg("-help"), RUN_TIMEOUT)
            .context("running gopeer -help")?;
        Ok(format!("gopeer: memberlist package {memberlist}, compiled by \"{}\"", says.trim()))
    }

    /// Compiles from a copy, which becomes the mark of what was compiled only when that has worked.
    fn compile(&self, output: &Path) -> Result<()> {
        let copy = tempfile::tempdir_in(self.peers.gopeer_folder())?;
        write_source(copy.path())?;
        let mut command = self.go_command();
        command.args(["build", "-trimpath", "-o"]).arg(output).arg(".").current_dir(copy.path());
        run_to_end(&mut command, COMPILE_TIMEOUT).map(drop)
    }

    /// The unpacked toolchain, kept from the network, from modules and from the user's own settings.
    fn go_command(&self) -> Command {
        let go = self.peers.go_folder();
        let root = go.join(GO_ROOT);
        let mut command = Command::new(root.join("bin/go"));
        command
            .env("GOROOT", &root)
            .env("GOPATH", go.join("usr/share/gocode"))
            .env("GOCACHE", self.peers.gopeer_folder().join("cache"))
            .envs([
                ("GO111MODULE", "off"),
                ("GOENV", "off"),
                ("GOPROXY", "off"),
                ("GOTOOLCHAIN", "local"),
            ])
            .envs([("GOFLAGS", ""), ("CGO_ENABLED", "0"), ("GOTELEMETRY", "off")]);
        command
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
const COMPILE_TIMEOUT: Duration = Duration::from_secs(600);

const GO_SUITE: &str = "trixie";
const GO_PACKAGE: &str = "golang-1.24-go";
const GO_ROOT: &str = "usr/lib/go-1.24";
const MEMBERLIST_PACKAGE: &str = "golang-github-hashicorp-memberlist-dev";

fn is_toolchain(package: &str) -> bool {
    package.starts_with("golang-1.24-")
}

fn is_needed_library(package: &str) -> bool {
    package.starts_with("golang-")
        && package.ends_with("-dev")
        && !UNUSED_LIBRARIES.contains(&package)
}

/// What go-metrics can send its numbers to, and what go-msgpack is tested against. memberlist imports none of that, and it would
/// bring a hundred megabytes.
const UNUSED_LIBRARIES: [&str; 7] = [
    "golang-github-circonus-labs-circonus-gometrics-dev",
    "golang-github-datadog-datadog-go-dev",
    "golang-github-golang-protobuf-1-5-dev",
    "golang-github-prometheus-client-golang-dev",
    "golang-github-prometheus-client-model-dev",
    "golang-github-prometheus-common-dev",
    "golang-gopkg-vmihailenco-msgpack.v2-dev",
];

/// The source of our program, in this one so that it needs no checkout.
const GOPEER_SOURCE: [(&str, &str); 3] = [
    ("main.go", include_str!("../../gopeer/main.go")),
    ("delegate.go", include_str!("../../gopeer/delegate.go")),
    ("private.go", include_str!("../../gopeer/private.go")),
];

fn is_current(source: &Path) -> bool {
    GOPEER_SOURCE
        .iter()
        .all(|(name, text)| fs::read_to_string(source.join(name)).is_ok_and(|found| found == *text))
}

fn write_source(folder: &Path) -> Result<()> {
    for (name, text) in GOPEER_SOURCE {
        fs::write(folder.join(name), text)?;
    }
    Ok(())
}

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

fn package_version(folder: &Path, package: &str) -> Result<String> {
    let path = folder.join(VERSIONS_FILE);
    let remedy = || format!("{} is damaged: remove it and install again", folder.display());
    let text = fs::read_to_string(path).with_context(remedy)?;
    let mut versions: BTreeMap<String, String> =
        serde_json::from_str(&text).with_context(remedy)?;
    versions.remove(package).with_context(remedy)
}

const VERSIONS_FILE: &str = "packages.json";

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    Ok(())
}
