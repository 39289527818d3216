use std::fmt::Write;
use std::net::SocketAddr;

use serde_json::json;

use crate::agent::{Running, Security};
use crate::cli::Profile;
use crate::output::{escape, json_line};

/// One line for programs.
pub(crate) fn json(running: &Running) -> String {
    let cluster = &running.cluster;
    json_line(&json!({
        "event": "ready",
        "name": cluster.name(),
        "address": cluster.local().address,
        "gossip": cluster.local_addr(),
        "http": running.http,
        "encrypted": running.security == Security::Encrypted,
        "warnings": running.warnings(),
    }))
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
    let _ = writeln!(text, "  HTTP    http://{} (this machine only)", running.http);
    for warning in running.warnings() {
        let _ = writeln!(text, "  warning: {warning}");
    }
    if gossip.ip().to_canonical().is_loopback() {
        let _ = writeln!(text, "To join it from another agent on this machine:");
        let _ = writeln!(text, "  {}", neighbour(running));
        let _ = writeln!(text, "To be reached from other machines, start it on every address:");
        let _ = writeln!(text, "  {}", opened(running));
    } else {
        let address = cluster.local().address;
        let _ = writeln!(text, "To join it from another machine:");
        let bind = format!("0.0.0.0:{}", gossip.port());
        let _ = writeln!(text, "  mingle agent --bind {bind} --join {address}{}", alike(running));
    }
    text
}

/// A command that starts a second agent on this machine.
fn neighbour(running: &Running) -> String {
    let gossip = running.cluster.local_addr();
    let name = if running.cluster.name() == "b" { "c" } else { "b" };
    format!(
        "mingle agent --name {name} --bind {} --http {} --join {gossip}{}",
        next(gossip),
        next(running.http),
        alike(running)
    )
}

/// The same address with a port that is probably free.
fn next(mut address: SocketAddr) -> SocketAddr {
    address.set_port(address.port().checked_add(1).unwrap_or(0));
    address
}

/// A command that starts this agent for other machines too.
fn opened(running: &Running) -> String {
    let key = match running.security {
        Security::Encrypted => String::new(),
        Security::Loopback | Security::Open => " --encrypt KEY (from \"mingle keygen\")".to_owned(),
    };
    let port = running.cluster.local_addr().port();
    format!("mingle agent --bind 0.0.0.0:{port}{}{key}", alike(running))
}

/// The flags that must be the same on all members.
fn alike(running: &Running) -> String {
    let mut flags = String::new();
    if running.security == Security::Encrypted {
        flags.push_str(" --encrypt KEY");
    }
    if !running.label.is_empty() {
        let _ = write!(flags, " --label '{}'", escape(&running.label).replace('\'', "'\\''"));
    }
    if running.profile != Profile::Lan {
        let _ = write!(flags, " --profile {}", running.profile.as_str());
    }
    flags
}
