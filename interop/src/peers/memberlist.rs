//! Go memberlist: the releases that programs of ours are compiled against, and those programs.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use super::Peers;
use super::golang::{GoProgram, Toolchain};
use super::install::{Installer, installing, package_version};
use super::process::run_to_end;

/// The crowd of one release of Go memberlist: the program that runs many of its nodes in one process, to be measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Crowd {
    /// What its nodes are.
    pub system: &'static str,
    /// The version of Debian's package, or that of memberlist if there was no package to be had.
    pub version: String,
    /// What came of it.
    #[serde(flatten)]
    pub program: CrowdProgram,
}

/// Where a crowd's program is, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CrowdProgram {
    /// Compiled here.
    Path(PathBuf),
    /// Not to be compiled or run, because of this.
    Error(String),
}

/// Compiles the crowds against all releases of Go memberlist, where that was not done yet with the same source, and fetches what it
/// needs for that.
///
/// # Errors
///
/// When the folder of the peers cannot be used. What goes wrong with one crowd is in its value.
pub fn crowds(peers: &Peers) -> Result<Vec<Crowd>> {
    installing(peers, |installer| Ok(MemberlistVersion::ALL.map(|v| installer.crowd(v)).into()))
}

/// A release of memberlist that Debian has packaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MemberlistVersion {
    /// Of 2020, from Debian 12.
    V0_2_2,
    /// Of 2022, from Debian 13, where the toolchain comes from too.
    V0_5_0,
}

impl MemberlistVersion {
    const ALL: [Self; 2] = [Self::V0_5_0, Self::V0_2_2];

    fn number(self) -> &'static str {
        match self {
            Self::V0_2_2 => "0.2.2",
            Self::V0_5_0 => "0.5.0",
        }
    }

    fn suite(self) -> &'static str {
        match self {
            Self::V0_2_2 => "bookworm",
            Self::V0_5_0 => GO_SUITE,
        }
    }

    /// Where its package and those that it needs are unpacked.
    fn folder(self, peers: &Peers) -> PathBuf {
        match self {
            Self::V0_2_2 => peers.root().join("memberlist-0.2.2"),
            Self::V0_5_0 => peers.go_folder(),
        }
    }
}

impl Installer<'_> {
    /// Compiles our single node and tells about it.
    pub(super) fn gopeer(&mut self) -> Result<String> {
        let toolchain = self.toolchain()?;
        let libraries = self.memberlist(MemberlistVersion::V0_5_0)?;
        let program = GoProgram {
            name: "gopeer",
            folder: self.peers.gopeer_folder(),
            source: &GOPEER_SOURCE,
            libraries: libraries.path,
            linker_flags: String::new(),
        };
        program.build(&toolchain)?;
        run_to_end(Command::new(program.path()).arg("-help"), RUN_TIMEOUT)
            .context("running gopeer -help")?;
        let (memberlist, go) = (libraries.package, toolchain.says()?);
        Ok(format!("gopeer: memberlist package {memberlist}, compiled by \"{go}\""))
    }

    fn crowd(&mut self, version: MemberlistVersion) -> Crowd {
        let libraries = self.memberlist(version);
        let shown = libraries.as_ref().map_or(version.number(), |found| &found.package).to_owned();
        let program = match libraries.and_then(|found| self.crowd_program(version, found)) {
            Ok(path) => CrowdProgram::Path(path),
            Err(error) => CrowdProgram::Error(format!("{error:#}")),
        };
        Crowd { system: "memberlist-go", version: shown, program }
    }

    fn crowd_program(
        &mut self,
        version: MemberlistVersion,
        libraries: Libraries,
    ) -> Result<PathBuf> {
        let program = GoProgram {
            name: "crowd",
            folder: self.peers.root().join(format!("crowd-{}", version.number())),
            source: &CROWD_SOURCE,
            libraries: libraries.path,
            linker_flags: format!("-X main.memberlistVersion={}", libraries.package),
        };
        program.build(&self.toolchain()?)?;
        run_to_end(&mut Command::new(program.path()), RUN_TIMEOUT)
            .context("running the crowd without commands")?;
        Ok(program.path())
    }

    /// The toolchain, fetched when it is missing.
    fn toolchain(&mut self) -> Result<Toolchain> {
        self.go().context("installing Go and memberlist")?;
        Ok(Toolchain {
            root: self.peers.go_folder().join(GO_ROOT),
            cache: self.peers.root().join("go-cache"),
        })
    }

    /// memberlist with what it needs, fetched when it is missing.
    fn memberlist(&mut self, version: MemberlistVersion) -> Result<Libraries> {
        match version {
            MemberlistVersion::V0_5_0 => self.go(),
            MemberlistVersion::V0_2_2 => self.libraries(version),
        }
        .with_context(|| format!("installing memberlist {}", version.number()))?;
        let folder = version.folder(self.peers);
        let package = package_version(&folder, MEMBERLIST_PACKAGE)?;
        ensure!(
            package.starts_with(&format!("{}-", version.number())),
            "Debian {} has memberlist {package} by now; {} was expected",
            version.suite(),
            version.number()
        );
        Ok(Libraries { path: folder.join("usr/share/gocode"), package })
    }

    /// Debian 13's toolchain and libraries, which share a folder.
    fn go(&mut self) -> Result<()> {
        self.unpack_once(GO_SUITE, "Go and memberlist", &self.peers.go_folder(), |suite| {
            let mut packages = suite.closure(GO_PACKAGE, is_toolchain)?;
            packages.extend(suite.closure(MEMBERLIST_PACKAGE, is_needed_library)?);
            Ok(packages)
        })
    }

    fn libraries(&mut self, version: MemberlistVersion) -> Result<()> {
        let what = format!("memberlist {}", version.number());
        self.unpack_once(version.suite(), &what, &version.folder(self.peers), |suite| {
            suite.closure(MEMBERLIST_PACKAGE, is_needed_library)
        })
    }
}

/// A tree of libraries with memberlist among them.
#[derive(Debug)]
struct Libraries {
    path: PathBuf,
    /// The version of memberlist's package.
    package: String,
}

const RUN_TIMEOUT: Duration = Duration::from_secs(20);

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

const GOPEER_SOURCE: [(&str, &str); 3] = [
    ("main.go", include_str!("../../gopeer/main.go")),
    ("delegate.go", include_str!("../../gopeer/delegate.go")),
    ("private.go", include_str!("../../gopeer/private.go")),
];

const CROWD_SOURCE: [(&str, &str); 8] = [
    ("board.go", include_str!("../../../bench/peers/go/board.go")),
    ("clock.go", include_str!("../../../bench/peers/go/clock.go")),
    ("crowd.go", include_str!("../../../bench/peers/go/crowd.go")),
    ("main.go", include_str!("../../../bench/peers/go/main.go")),
    ("node.go", include_str!("../../../bench/peers/go/node.go")),
    ("pour.go", include_str!("../../../bench/peers/go/pour.go")),
    ("settings.go", include_str!("../../../bench/peers/go/settings.go")),
    ("spread.go", include_str!("../../../bench/peers/go/spread.go")),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn line(program: CrowdProgram) -> String {
        let crowd = Crowd { system: "memberlist-go", version: "0.5.0-1".to_owned(), program };
        serde_json::to_string(&crowd).expect("JSON")
    }

    #[test]
    fn a_crowd_has_a_path_or_an_error() {
        assert_eq!(
            line(CrowdProgram::Path("/peers/crowd".into())),
            r#"{"system":"memberlist-go","version":"0.5.0-1","path":"/peers/crowd"}"#
        );
        assert_eq!(
            line(CrowdProgram::Error("no mirror".to_owned())),
            r#"{"system":"memberlist-go","version":"0.5.0-1","error":"no mirror"}"#
        );
    }
}
