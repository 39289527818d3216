//! A folder that a program takes for the whole machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::folder;

/// A root folder, whose programs find no network but a loopback and an interface that leads nowhere. Both are gone with
/// the program, and so is whatever was mounted for it.
#[derive(Debug, Clone)]
pub(super) struct Room {
    root: PathBuf,
    /// `user:group`, in numbers.
    user: String,
    /// The one folder in which programs may write, if they may write in one only.
    writable: Option<String>,
    variables: Vec<(String, String)>,
}

impl Room {
    /// One in which root runs programs and may write everywhere.
    pub(super) fn new(root: &Path) -> Self {
        let (root, user) = (root.to_owned(), "0:0".to_owned());
        Self { root, user, writable: None, variables: Vec::new() }
    }

    /// One in which this user runs programs, which can write in one folder at most: none if it is empty.
    pub(super) fn locked(root: &Path, user: &str, writable: &str) -> Self {
        let (user, writable) = (user.to_owned(), Some(writable.to_owned()));
        Self { user, writable, ..Self::new(root) }
    }

    /// With a variable for its programs.
    pub(super) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// A program of this room, by its path there. It is the process that is started, not a child of it.
    pub(super) fn command<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--net", "--", "bash"]).arg(script());
        command.arg(&self.root).arg(&self.user);
        match &self.writable {
            Some(writable) => command.args(["locked", writable]),
            None => command.args(["open", ""]),
        };
        self.surround(&mut command);
        command.args(words);
        command
    }

    /// A program of this room, in the network and among the mounts of one that runs there.
    pub(super) fn beside<'a>(
        &self,
        process: u32,
        words: impl IntoIterator<Item = &'a str>,
    ) -> Command {
        let (user, group) = self.user.split_once(':').unwrap_or((&self.user, &self.user));
        let mut command = Command::new("nsenter");
        command.args(["--target", &process.to_string(), "--mount", "--net", "--root", "--wd"]);
        command.args(["--setuid", user, "--setgid", group, "--"]);
        self.surround(&mut command);
        command.args(words);
        command
    }

    /// Nothing of our own surroundings is handed on.
    fn surround(&self, command: &mut Command) {
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
    }
}

/// A program of this machine, in the network of a process.
pub(super) fn in_network_of<'a>(process: u32, words: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["--target", &process.to_string(), "--net", "--"]).args(words);
    command
}

/// Puts the script there that enters a room. Before any program of a room is started.
pub(super) fn prepare() -> Result<()> {
    Ok(fs::write(script(), ENTER)?)
}

fn script() -> PathBuf {
    folder().join("enter.sh")
}

/// Enters a root in namespaces that exist already, and becomes a program there.
const ENTER: &str = r#"set -e
root=$1 user=$2 kind=$3 writable=$4
shift 4
ip link set lo up
ip link add name eth0 type veth peer name nowhere
ip address add 10.66.77.1/24 dev eth0
ip link set eth0 up
ip link set nowhere up
ip route add default dev eth0
if [ "$kind" = locked ]; then
    mount --bind "$root" "$root"
    if [ -n "$writable" ]; then mount --bind "$root$writable" "$root$writable"; fi
    mount -o remount,bind,ro "$root"
fi
exec chroot --userspec="$user" --groups= "$root" "$@"
"#;
