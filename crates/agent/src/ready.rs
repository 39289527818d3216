use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::access::Reach;
use crate::agent::{Running, Security};
use crate::cli::Profile;
use crate::endpoint::{Place, next_port};
use crate::output::{escape, json_line};
use crate::size;

/// One line for programs.
pub(crate) fn json(running: &Running) -> String {
    let cluster = &running.cluster;
    json_line(&Ready {
        event: "ready",
        name: cluster.name(),
        address: cluster.local().address,
        gossip: cluster.local_addr(),
        http: running.http.to_string(),
        encrypted: running.security == Security::Encrypted,
        recording: running.recording.as_ref().map(|to| to.folder.as_path()),
        state_file: cluster.state_file().map(|file| file.path),
        warnings: running.warnings(),
    })
}

#[derive(Serialize)]
struct Ready<'a> {
    event: &'static str,
    name: &'a str,
    address: SocketAddr,
    gossip: SocketAddr,
    http: String,
    encrypted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    recording: Option<&'a Path>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_file: Option<PathBuf>,
    warnings: Vec<String>,
}

/// What people need to go on: where it listens, how to join it, and how to open it up.
pub(crate) fn text(running: &Running) -> String {
    let cluster = &running.cluster;
    let (name, gossip) = (escape(cluster.name()), cluster.local_addr());
    let reach = match running.security {
        Security::Encrypted => "encrypted",
        Security::Loopback => "not encrypted, this machine only",
        Security::Open => "NOT ENCRYPTED",
    };
    let mut text = format!("mingle {}: {name} is ready\n", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(text, "  gossip  {gossip} (UDP and TCP, {reach})");
    let _ = writeln!(text, "  HTTP    {}", http(running));
    if let Some(file) = cluster.state_file() {
        let path = escape(&file.path.to_string_lossy());
        let _ = writeln!(text, "  state   {path} (incarnation and members, over restarts)");
    }
    if let Some(to) = &running.recording {
        let (folder, most) = (escape(&to.folder.to_string_lossy()), size::spell(to.bytes));
        let _ = writeln!(
            text,
            "  record  {folder} (at most {most}: what peers say, in plain text; no keys)"
        );
    }
    for warning in running.warnings() {
        let _ = writeln!(text, "  warning: {warning}");
    }
    if gossip.ip().to_canonical().is_loopback() {
        let _ = writeln!(text, "To join it from another agent on this machine:");
        let _ = writeln!(text, "  {}", neighbour(running));
        let (key, remedy) = match running.security {
            Security::Encrypted => ("", ""),
            Security::Loopback | Security::Open => (" --encrypt KEY", " (KEY: mingle keygen)"),
        };
        let _ = writeln!(text, "To be reached from other machines, start it with{remedy}:");
        let port = gossip.port();
        let name = quoted(cluster.name());
        let _ = writeln!(
            text,
            "  mingle agent --name {name} --bind 0.0.0.0:{port}{}{key}",
            alike(running)
        );
    } else {
        let address = cluster.local().address;
        let _ = writeln!(text, "To join it from another machine:");
        let bind = format!("0.0.0.0:{}", gossip.port());
        let _ = writeln!(text, "  mingle agent --bind {bind} --join {address}{}", alike(running));
    }
    text
}

/// Where it answers HTTP, and whom.
fn http(running: &Running) -> String {
    let place = escape(&running.http.to_string());
    let is_secure = running.access.tls().is_some();
    match running.access.reach {
        Reach::Socket => format!("{place} (this user only)"),
        Reach::Loopback if is_secure => format!("https://{place} (this machine only)"),
        Reach::Loopback => format!("http://{place} (this machine only)"),
        Reach::Network if is_secure => format!("https://{place} (with the token)"),
        Reach::Network => format!("http://{place} (with the token, NOT ENCRYPTED)"),
    }
}

/// A command that starts a second agent on this machine.
fn neighbour(running: &Running) -> String {
    let gossip = running.cluster.local_addr();
    let members = running.cluster.members();
    let is_free = |name: &String| members.iter().all(|member| *member.name != **name);
    let name = ('b'..='z').map(String::from).find(is_free).unwrap_or_else(|| "NAME".to_owned());
    let http = match &running.http {
        Place::Address(address) => Place::Address(next_port(*address)).to_string(),
        Place::Socket(_) => "127.0.0.1:0".to_owned(),
    };
    format!(
        "mingle agent --name {name} --bind {} --http {http} --join {gossip}{}",
        next_port(gossip),
        alike(running)
    )
}

/// As a shell takes it for one word.
fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", escape(text).replace('\'', "'\\''"))
}

/// The flags that must be the same on all members.
fn alike(running: &Running) -> String {
    let mut flags = String::new();
    if running.security == Security::Encrypted {
        let changing = running.changing.try_lock().ok();
        let file = changing.and_then(|changing| changing.keyring_file.clone());
        match file {
            Some(file) => {
                let _ = write!(flags, " --keyring-file {}", quoted(&file.to_string_lossy()));
            }
            None => flags.push_str(" --encrypt KEY"),
        }
    }
    if !running.label.is_empty() {
        let _ = write!(flags, " --label {}", quoted(&running.label));
    }
    if running.profile != Profile::Lan {
        let _ = write!(flags, " --profile {}", running.profile.as_str());
    }
    flags.push_str(&running.timing.flags());
    flags
}
