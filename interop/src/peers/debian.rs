//! Debian's archive: packages of any suite, fetched beside the system and unpacked without being installed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::process::run_to_end;

/// Where this machine gets Debian's packages from, and which keys it trusts for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mirror {
    uri: String,
    signed_by: String,
}

impl Mirror {
    /// The mirror that this machine's own configuration names.
    pub(super) fn of_this_machine() -> Result<Self> {
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let codename = release
            .lines()
            .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
            .unwrap_or_default()
            .to_owned();
        let found = source_files().iter().filter_map(|path| Self::in_file(path, &codename)).next();
        found.with_context(|| {
            format!(
                "no source of the suite {codename:?} in /etc/apt/sources.list or /etc/apt/sources.list.d: \
                 the peers come from Debian's archive, so that this needs a Debian machine with a configured mirror"
            )
        })
    }

    fn in_file(path: &Path, codename: &str) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let is_deb822 = path.extension().is_some_and(|extension| extension == "sources");
        if is_deb822 { Self::in_stanzas(&text, codename) } else { Self::in_lines(&text, codename) }
    }

    /// Reads the format of `*.sources`: stanzas of `Field: value` lines.
    fn in_stanzas(text: &str, codename: &str) -> Option<Self> {
        text.split("\n\n").find_map(|stanza| {
            let fields: BTreeMap<_, _> = stanza
                .lines()
                .filter(|line| !line.starts_with('#'))
                .filter_map(|line| line.split_once(':'))
                .map(|(field, value)| (field.trim().to_lowercase(), value.trim()))
                .collect();
            let has = |field: &str, word: &str| {
                fields.get(field).is_some_and(|value| value.split_whitespace().any(|w| w == word))
            };
            let wanted = has("types", "deb")
                && has("suites", codename)
                && has("components", "main")
                && !has("enabled", "no");
            let uri = fields
                .get("uris")
                .and_then(|uris| uris.split_whitespace().next())
                .filter(|_| wanted)?;
            Some(Self::new(uri, fields.get("signed-by").copied()))
        })
    }

    /// Reads the format of `*.list`: lines `deb [options] uri suite components`.
    fn in_lines(text: &str, codename: &str) -> Option<Self> {
        text.lines().find_map(|line| {
            let rest = line.trim().strip_prefix("deb ")?.trim();
            let (options, rest) =
                rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).unwrap_or(("", rest));
            let mut words = rest.split_whitespace();
            let (uri, suite) = (words.next()?, words.next()?);
            let signed_by =
                options.split_whitespace().find_map(|option| option.strip_prefix("signed-by="));
            (suite == codename && words.any(|word| word == "main"))
                .then(|| Self::new(uri, signed_by))
        })
    }

    fn new(uri: &str, signed_by: Option<&str>) -> Self {
        let signed_by =
            signed_by.filter(|keyring| keyring.starts_with('/')).unwrap_or(ARCHIVE_KEYRING);
        Self { uri: uri.to_owned(), signed_by: signed_by.to_owned() }
    }
}

const ARCHIVE_KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

fn source_files() -> Vec<PathBuf> {
    let listed = fs::read_dir("/etc/apt/sources.list.d")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let known = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "sources" || extension == "list")
    };
    let mut files: Vec<_> = listed.filter(known).collect();
    files.sort();
    files.push("/etc/apt/sources.list".into());
    files
}

/// One suite of the archive, with lists and configuration of its own: the system's are neither read nor changed.
#[derive(Debug)]
pub(super) struct Suite {
    name: String,
    config: PathBuf,
    archives: PathBuf,
}

impl Suite {
    /// Fetches the suite's list of packages into `folder`.
    pub(super) fn open(name: &str, mirror: &Mirror, folder: &Path) -> Result<Self> {
        let archives = folder.join("archives");
        for path in
            [folder.join("lists/partial"), folder.join("cache/archives/partial"), archives.clone()]
        {
            fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
        }
        let folder = folder.canonicalize()?;
        let source = format!(
            "Types: deb\nURIs: {}\nSuites: {name}\nComponents: main\nSigned-By: {}\n",
            mirror.uri, mirror.signed_by
        );
        fs::write(folder.join("suite.sources"), source)?;
        fs::write(folder.join("status"), "")?;
        fs::write(folder.join("apt.conf"), apt_config(&folder))?;
        let suite = Self {
            name: name.to_owned(),
            config: folder.join("apt.conf"),
            archives: archives.canonicalize()?,
        };
        let hint = || {
            format!(
                "fetching the list of packages of Debian {name} from {}: is the mirror reachable, and does {} know the keys of \
                 {name}? (if not, update the package debian-archive-keyring)",
                mirror.uri, mirror.signed_by
            )
        };
        run_to_end(suite.apt("apt-get").args(["--error-on=any", "update"]), FETCH_TIMEOUT)
            .with_context(hint)?;
        Ok(suite)
    }

    /// `package` and all the packages that it needs, without those that `wanted` refuses and what only they need.
    pub(super) fn closure(
        &self,
        package: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<String>> {
        let mut command = self.apt("apt-cache");
        command.args([
            "depends",
            "--recurse",
            "--important",
            "--no-conflicts",
            "--no-breaks",
            "--no-replaces",
            package,
        ]);
        let graph = parse_depends(&run_to_end(&mut command, FETCH_TIMEOUT)?);
        let needed = reachable(&graph, package, wanted);
        ensure!(graph.contains_key(package), "Debian {} has no package {package}", self.name);
        Ok(needed)
    }

    /// Fetches packages and unpacks them all into one folder; gives their versions by name.
    pub(super) fn unpack(
        &self,
        packages: &[String],
        into: &Path,
    ) -> Result<BTreeMap<String, String>> {
        let mut download = self.apt("apt-get");
        download.arg("download").args(packages).current_dir(&self.archives);
        run_to_end(&mut download, FETCH_TIMEOUT).with_context(|| {
            format!("fetching {} from Debian {}", packages.join(" "), self.name)
        })?;
        let mut versions = BTreeMap::new();
        for entry in fs::read_dir(&self.archives)? {
            let archive = entry?.path();
            run_to_end(
                Command::new("dpkg-deb").arg("--extract").args([&archive, into]),
                UNPACK_TIMEOUT,
            )?;
            let fields = run_to_end(
                Command::new("dpkg-deb")
                    .args(["--show", "--showformat=${Package} ${Version}"])
                    .arg(&archive),
                UNPACK_TIMEOUT,
            )?;
            let (name, version) =
                fields.split_once(' ').context("dpkg-deb shows a name and a version")?;
            versions.insert(name.to_owned(), version.trim().to_owned());
            fs::remove_file(&archive)?;
        }
        Ok(versions)
    }

    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("-c").arg(&self.config).arg("-q").env("LC_ALL", "C.UTF-8");
        command
    }
}

const FETCH_TIMEOUT: Duration = Duration::from_secs(600);
const UNPACK_TIMEOUT: Duration = Duration::from_secs(120);

/// Keeps apt away from the system's lists, status and hooks. The sandbox user could not write into the folder.
fn apt_config(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "Dir::Etc::sourcelist \"{folder}/suite.sources\";\n\
         Dir::Etc::sourceparts \"-\";\n\
         Dir::Etc::preferences \"-\";\n\
         Dir::Etc::preferencesparts \"-\";\n\
         Dir::State::lists \"{folder}/lists\";\n\
         Dir::State::status \"{folder}/status\";\n\
         Dir::Cache \"{folder}/cache\";\n\
         APT::Sandbox::User \"root\";\n\
         Acquire::Languages \"none\";\n\
         Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n\
         Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled \"false\";\n\
         Acquire::Retries \"3\";\n\
         #clear APT::Update::Pre-Invoke;\n\
         #clear APT::Update::Post-Invoke;\n\
         #clear APT::Update::Post-Invoke-Success;\n"
    )
}

/// Reads `apt-cache depends --recurse`: package names at the margin, what they need indented below.
fn parse_depends(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut graph = BTreeMap::<String, Vec<String>>::new();
    let mut package = String::new();
    for line in text.lines() {
        if line.starts_with([' ', '|']) {
            let needed = line.split_once("Depends: ").map(|(_, needed)| needed.trim().to_owned());
            graph.entry(package.clone()).or_default().extend(needed);
        } else {
            package = line.trim().to_owned();
            graph.entry(package.clone()).or_default();
        }
    }
    graph
}

fn reachable(
    graph: &BTreeMap<String, Vec<String>>,
    start: &str,
    wanted: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![start];
    while let Some(package) = open.pop() {
        if wanted(package) && found.insert(package.to_owned()) {
            open.extend(graph.get(package).into_iter().flatten().map(String::as_str));
        }
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirror(uri: &str, signed_by: &str) -> Option<Mirror> {
        Some(Mirror { uri: uri.to_owned(), signed_by: signed_by.to_owned() })
    }

    #[test]
    fn a_mirror_is_found_in_stanzas() {
        let text = "Types: deb\nURIs: http://one/security\nSuites: bookworm-security\nComponents: main\n\n\
                    Types: deb deb-src\n# old: one\nURIs: http://two/debian http://three\nSuites: bookworm bookworm-updates\n\
                    Components: main\nSigned-By: /keys.gpg\n";
        assert_eq!(Mirror::in_stanzas(text, "bookworm"), mirror("http://two/debian", "/keys.gpg"));
        assert_eq!(Mirror::in_stanzas(text, "trixie"), None);
    }

    #[test]
    fn disabled_stanzas_are_passed_over() {
        let text =
            "Enabled: no\nTypes: deb\nURIs: http://one\nSuites: bookworm\nComponents: main\n";
        assert_eq!(Mirror::in_stanzas(text, "bookworm"), None);
    }

    #[test]
    fn a_mirror_is_found_in_lines() {
        let text = "# deb http://zero bookworm main\ndeb [arch=amd64 signed-by=/k.gpg] http://one bookworm main contrib\n";
        assert_eq!(Mirror::in_lines(text, "bookworm"), mirror("http://one", "/k.gpg"));
        assert_eq!(
            Mirror::in_lines("deb http://one bookworm main", "bookworm"),
            mirror("http://one", ARCHIVE_KEYRING)
        );
    }

    #[test]
    fn only_wanted_packages_and_their_needs_are_in_a_closure() {
        let text = "a\n  Depends: b\n |Depends: heavy\n  Depends: libc6\nb\n  Depends: c\nc\nheavy\n  Depends: heavier\n\
                    heavier\nlibc6\n";
        let graph = parse_depends(text);
        assert_eq!(
            reachable(&graph, "a", |name| name != "heavy" && name != "libc6"),
            ["a", "b", "c"]
        );
    }
}
