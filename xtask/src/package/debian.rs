//! The Debian package: built, and installed, run, removed and purged in a fresh Debian.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::agent::Agent;
use super::room::Room;
use super::{build, folder, fresh, megabytes};
use crate::shell::{output, root, run as shell, target_folder};
use crate::{notices, tools};

/// Builds the package and leads it through its life.
///
/// # Errors
///
/// When it can't be built, does not work where it is installed, or leaves something behind.
pub(super) fn check() -> Result<()> {
    let package = packaged()?;
    println!("{}: {}", package.display(), megabytes(&package)?);
    lint(&package)?;
    let root = debian("debian")?;
    let room = Room::new(&root);
    let before = listed(&root)?;
    install(&room, &package)?;
    works(&room)?;
    unit_is_sound(&room)?;
    keeps_settings(&room, &package)?;
    shell(&mut room.command(["dpkg", "--purge", "mingle"]))?;
    let after = listed(&root)?;
    let left: Vec<_> = before.symmetric_difference(&after).collect();
    ensure!(left.is_empty(), "after a purge there is a difference:\n{left:#?}");
    println!("installed, run, removed and purged; nothing is left of it");
    serves(&package)
}

/// Compiles the agent, lets it write what it knows about itself, and packs all of it.
fn packaged() -> Result<PathBuf> {
    let program = build(None)?;
    describe(&program)?;
    versions_agree()?;
    let deb = tools::crate_installed(&target_folder().join("tools"), "cargo-deb", "3.8.0", &[])?;
    let mut pack = Command::new(deb);
    pack.args(["--locked", "--no-build", "--profile", "dist", "--package", "mingle-agent"]);
    pack.arg("--output").arg(fresh("deb")?).current_dir(root());
    shell(&mut pack)?;
    let found = fs::read_dir(folder().join("deb"))?.next().context("no package was made")??;
    Ok(found.path())
}

/// Manual pages, completions and settings, as the program itself has them, and the notices, where the manifest looks for them.
fn describe(program: &Path) -> Result<()> {
    let folder = target_folder().join("dist/described");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(folder.join("man"))?;
    let say = |words: &[&str]| output(Command::new(program).args(words));
    let mut pages = vec![folder.join("man/mingle.1")];
    fs::write(&pages[0], say(&["man"])?)?;
    for command in commands(&say(&["--help"])?) {
        let page = folder.join(format!("man/mingle-{command}.1"));
        fs::write(&page, say(&["man", command])?)?;
        pages.push(page);
    }
    shell(Command::new("gzip").args(["--best", "--no-name"]).args(pages))?;
    for shell in ["bash", "fish", "zsh"] {
        fs::write(folder.join(format!("mingle.{shell}")), say(&["completions", shell])?)?;
    }
    fs::write(folder.join("mingle.toml"), say(&["config", "init"])?)?;
    for file in notices::FILES {
        fs::copy(super::folder().join(file), folder.join(file))?;
    }
    Ok(())
}

/// The commands that a help text lists.
fn commands(help: &str) -> Vec<&str> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = listed.take_while(|line| !line.is_empty());
    let names = lines.filter(|line| !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).collect()
}

/// Debian's changelog, which is written by hand, begins with the version that is packed.
fn versions_agree() -> Result<()> {
    let changelog = fs::read_to_string(root().join("deploy/debian/changelog"))?;
    let version = format!("mingle ({}-1)", env!("CARGO_PKG_VERSION"));
    ensure!(
        changelog.starts_with(&version),
        "deploy/debian/changelog does not begin with {version}"
    );
    Ok(())
}

/// Debian's own check of packages. That ours answers no wish of Debian's users, and that its first word is "the", is
/// nothing to mend.
fn lint(package: &Path) -> Result<()> {
    let mut lint = Command::new("lintian");
    lint.args(["--allow-root", "--fail-on", "error,warning", "--suppress-tags"]);
    lint.arg("initial-upload-closes-no-bugs,description-synopsis-starts-with-article");
    shell(lint.arg(package))
}

/// The root of a fresh Debian, of the same release as this machine: the package fits the libraries that it was linked
/// with. What was fetched is kept for the next time.
fn debian(name: &str) -> Result<PathBuf> {
    let release = fs::read_to_string("/etc/os-release")?;
    let release = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let release = release.context("/etc/os-release names no release; this needs a Debian")?;
    let archive = folder().join(format!("debian-{release}.tar"));
    if !archive.is_file() {
        let partial = folder().join("debian.partial.tar");
        let mut make = Command::new("mmdebstrap");
        make.args(["--quiet", "--variant=minbase", "--include=procps,systemd-sysv", release]);
        shell(make.arg(&partial))?;
        fs::rename(partial, &archive)?;
    }
    let root = fresh(name)?;
    shell(
        Command::new("tar")
            .args(["--extract", "--numeric-owner", "--file"])
            .arg(archive)
            .arg("--directory")
            .arg(&root),
    )?;
    Ok(root)
}

/// All files, with kind, mode, owner and size, but for the package manager's own records and what a start clears.
fn listed(root: &Path) -> Result<BTreeSet<String>> {
    let mut find = Command::new("find");
    find.arg(root).args(["-xdev", "-regextype", "egrep"]);
    find.args(["-regex", r".*/debian/(proc|run|var/(cache|log|lib/dpkg))", "-prune"]);
    find.args(["-o", "-type", "d", "-printf", r"%y %m %U:%G %P\n"]);
    find.args(["-o", "-printf", r"%y %m %U:%G %s %P\n"]);
    Ok(output(&mut find)?.lines().map(str::to_owned).collect())
}

fn install(room: &Room, package: &Path) -> Result<()> {
    fs::copy(package, room.root().join("tmp/mingle.deb"))?;
    let installed = shell(&mut room.command(["dpkg", "--install", "/tmp/mingle.deb"]));
    fs::remove_file(room.root().join("tmp/mingle.deb"))?;
    installed
}

/// The program runs as installed, and as the unit starts it.
fn works(room: &Room) -> Result<()> {
    shell(&mut room.command(["dpkg", "--verify", "mingle"]))?;
    let version = output(&mut room.command(["mingle", "version"]))?;
    let wanted = format!("mingle {} ({})\n", env!("CARGO_PKG_VERSION"), super::commit()?);
    ensure!(version.starts_with(&wanted), "`mingle version` says {version:?}");
    shell(&mut room.command(["mingle", "config", "check", SETTINGS]))?;
    shell(&mut room.command(["bash", "-n", "/usr/share/bash-completion/completions/mingle"]))?;
    let unit = fs::read_to_string(room.root().join("usr/lib/systemd/system/mingle.service"))?;
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart="));
    let start = start.context("the unit starts nothing")?;
    let words = start.split_whitespace().chain(["--json"]);
    let agent = Agent::start(room.command(words)).context("as the unit starts it")?;
    agent.check(room, "/usr/bin/mingle")?;
    agent.leave("TERM").map(drop)
}

const SETTINGS: &str = "/etc/mingle/mingle.toml";

/// Systemd finds nothing wrong in the unit, and little that it could do to the machine; and nobody has enabled it.
fn unit_is_sound(room: &Room) -> Result<()> {
    let analyze = |words: &[&str]| room.command([&["systemd-analyze"], words].concat());
    shell(&mut analyze(&["verify", "mingle.service"]))?;
    let security = ["security", "--offline=true", "--no-pager", "mingle.service"];
    let strict = ["--threshold=1"];
    ensure!(
        output(&mut analyze(&[&security[..], &strict].concat())).is_err(),
        "no threshold is too strict for systemd-analyze"
    );
    let text = output(&mut analyze(&[&security[..], &["--threshold=15"]].concat()))?;
    println!("{}", text.lines().last().unwrap_or_default());
    let enabled = room.command(["systemctl", "is-enabled", "mingle.service"]).output()?;
    let enabled = String::from_utf8_lossy(&enabled.stdout).into_owned();
    ensure!(enabled.trim() == "disabled", "the unit is {enabled}");
    Ok(())
}

/// What an operator has written survives an installation over the old one, and a removal.
fn keeps_settings(room: &Room, package: &Path) -> Result<()> {
    let settings = room.root().join(&SETTINGS[1..]);
    let text = fs::read_to_string(&settings)? + "label = \"kept\"\n";
    fs::write(&settings, &text)?;
    let is_kept = || Ok::<_, std::io::Error>(fs::read_to_string(&settings)? == text);
    install(room, package)?;
    ensure!(is_kept()?, "an upgrade changes {SETTINGS}");
    shell(&mut room.command(["dpkg", "--remove", "mingle"]))?;
    ensure!(is_kept()?, "a removal changes {SETTINGS}");
    ensure!(!room.root().join("usr/bin/mingle").exists(), "a removal leaves the program");
    Ok(())
}

/// Under a systemd that has booted, the service starts, is reloaded, upgraded, stopped and purged as it should be.
fn serves(package: &Path) -> Result<()> {
    let root = debian("booted")?;
    install(&Room::new(&root), package)?;
    fs::copy(package, root.join("mingle.deb"))?;
    fs::write(root.join("boot.sh"), include_str!("boot.sh"))?;
    let units = root.join("etc/systemd/system");
    fs::write(units.join("life.service"), LIFE)?;
    symlink("../life.service", units.join("multi-user.target.wants/life.service"))?;
    let mut boot = Command::new("timeout");
    boot.args(["300", "systemd-nspawn", "--quiet", "--register=no", "--keep-unit"]);
    boot.args(["--private-network", "--boot", "--directory"]).arg(&root);
    // It draws on the terminal what it starts; what matters is in the script's log.
    boot.stdin(Stdio::null()).stdout(Stdio::null());
    let booted = shell(&mut boot);
    let log = fs::read_to_string(root.join("boot.log")).unwrap_or_default();
    ensure!(log.ends_with("all is well\n+ systemctl poweroff --force\n"), "under systemd:\n{log}");
    println!("the service starts, is reloaded, upgraded, stopped and purged under systemd");
    booted
}

const LIFE: &str = "\
[Unit]
After=basic.target
[Service]
Type=oneshot
ExecStart=/bin/bash /boot.sh
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_in_a_help_text() {
        let help = "Usage: x\n\nCommands:\n  one    Does it\n         at once\n  two-b  Too\n\nOptions:\n  -h\n";
        assert_eq!(commands(help), ["one", "two-b"]);
    }
}
