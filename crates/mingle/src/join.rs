use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mingle_proto::{Done, ExchangeEnd, RequestError};
use mingle_wire::StreamError;
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, info, warn};

use crate::cluster::Failed;
use crate::driver::Command;
use crate::exchange::Detail;
use crate::transport::canonical;

/// What happened at each address of a join.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JoinReport {
    /// One for each text that was given, in that order.
    pub targets: Vec<JoinTarget>,
}

/// What became of one text that was given to a join.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JoinTarget {
    /// The text.
    pub given: String,
    /// What happened at each address that it stands for; or why it stands for none.
    pub result: Result<Vec<JoinAttempt>, ResolveError>,
}

/// What happened at one address.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JoinAttempt {
    /// The address.
    pub address: SocketAddr,
    /// How many live members the view there had.
    pub result: Result<u32, JoinError>,
}

/// Why a text stands for no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// It is no host and port.
    #[error("{text:?} is no address; write an IP, a host name, host:port or [v6]:port")]
    Malformed {
        /// The text.
        text: String,
    },
    /// The resolver failed.
    #[error("{host:?} can't be resolved: {reason}")]
    Lookup {
        /// The host name.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// The resolver knows no address.
    #[error("{host:?} has no addresses")]
    Empty {
        /// The host name.
        host: String,
    },
}

/// Why a join at one address failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// Nobody could be reached there.
    #[error("can't reach it: {kind}; check that an agent listens there and no firewall is between")]
    Unreachable {
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// The peer closed the stream instead of answering.
    #[error("it closed the stream without an answer; compare the keys and labels of both nodes")]
    Unanswered,
    /// The peer answered with an error.
    #[error("it refused: {text:?}")]
    Remote {
        /// Its words.
        text: String,
    },
    /// The peer's answer was refused here.
    #[error("its answer was refused: {reason}")]
    Refused {
        /// Why.
        reason: StreamError,
    },
    /// The node could not do it.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The node does not run any more.
    #[error("the node has stopped")]
    Stopped,
}

impl From<Failed> for JoinError {
    fn from(failed: Failed) -> Self {
        match (failed.error, failed.detail) {
            (RequestError::Exchange { end: ExchangeEnd::Unreachable, .. }, Detail::Io(kind)) => {
                Self::Unreachable { kind }
            }
            (RequestError::Exchange { end: ExchangeEnd::Closed, .. }, _)
            | (_, Detail::Io(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)) => {
                Self::Unanswered
            }
            (RequestError::Remote { text, .. }, _) => Self::Remote { text },
            (_, Detail::Refused(reason)) => Self::Refused { reason },
            (error, Detail::Io(_) | Detail::None) => Self::Request(error),
        }
    }
}

impl JoinReport {
    /// Whether at least one address answered, which is enough to be in the cluster.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.contacted() > 0
    }

    /// How many addresses answered.
    #[must_use]
    pub fn contacted(&self) -> usize {
        let results = self.targets.iter().filter_map(|target| target.result.as_ref().ok());
        results.flatten().filter(|attempt| attempt.result.is_ok()).count()
    }
}

impl JoinReport {
    /// Whether no further attempt makes sense, because this node has left or stopped.
    fn is_over(&self) -> bool {
        let results = self.targets.iter().filter_map(|target| target.result.as_ref().ok());
        results.flatten().any(|attempt| {
            matches!(
                attempt.result,
                Err(JoinError::Stopped | JoinError::Request(RequestError::Leaving))
            )
        })
    }
}

/// One line per address, for people.
impl fmt::Display for JoinReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for target in &self.targets {
            match &target.result {
                Err(error) => write!(f, "{separator}{:?}: {error}", target.given)?,
                Ok(attempts) => {
                    for JoinAttempt { address, result } in attempts {
                        write!(f, "{separator}{:?} at {address}: ", target.given)?;
                        match result {
                            Ok(members) => write!(f, "joined, {members} live members there")?,
                            Err(error) => write!(f, "{error}")?,
                        }
                        separator = "\n";
                    }
                }
            }
            separator = "\n";
        }
        Ok(())
    }
}

/// Joins at every address of every text, one after another. Holds no handle while it waits, so that
/// it does not keep the node from being dropped.
pub(crate) async fn join(
    commands: &mpsc::WeakSender<Command>,
    given: Vec<String>,
    default_port: u16,
) -> JoinReport {
    let mut targets = Vec::with_capacity(given.len());
    for given in given {
        let result = match resolve(&given, default_port).await {
            Err(error) => Err(error),
            Ok(addresses) => {
                let mut results = Vec::with_capacity(addresses.len());
                for address in addresses {
                    let result = join_one(commands, address).await;
                    debug!(%address, given = ?given, ?result, "join");
                    results.push(JoinAttempt { address, result });
                }
                Ok(results)
            }
        };
        targets.push(JoinTarget { given, result });
    }
    JoinReport { targets }
}

pub(crate) async fn join_one(
    commands: &mpsc::WeakSender<Command>,
    to: SocketAddr,
) -> Result<u32, JoinError> {
    let (reply, answer) = oneshot::channel();
    let sender = commands.upgrade().ok_or(JoinError::Stopped)?;
    sender.send(Command::Join { to, reply }).await.map_err(|_| JoinError::Stopped)?;
    drop(sender);
    match answer.await.map_err(|_| JoinError::Stopped)?? {
        Done::Joined { members } => Ok(members),
        Done::Left { .. } | Done::MetaSet | Done::Sent => Ok(0),
    }
}

/// Tries the seeds until one of them answers, or the node is gone.
pub(crate) async fn join_seeds(
    commands: mpsc::WeakSender<Command>,
    seeds: Vec<String>,
    default_port: u16,
    retry_interval: Duration,
) {
    while commands.strong_count() > 0 {
        let report = join(&commands, seeds.clone(), default_port).await;
        if report.succeeded() {
            info!(contacted = report.contacted(), "joined");
            return;
        }
        if report.is_over() {
            return;
        }
        warn!(%report, ?retry_interval, "no seed answered; trying again");
        tokio::time::sleep(retry_interval).await;
    }
}

/// A text, read but not looked up.
#[derive(Debug, PartialEq, Eq)]
enum Target<'a> {
    Ip(SocketAddr),
    Host(&'a str, u16),
}

/// Takes `ip`, `host`, `host:port`, `[v6]:port`, each perhaps after `name/`.
fn parse(text: &str, default_port: u16) -> Result<Target<'_>, ResolveError> {
    let malformed = || ResolveError::Malformed { text: text.to_owned() };
    let rest = text.rsplit_once('/').map_or(text, |(_name, rest)| rest).trim();
    if let Ok(address) = rest.parse::<SocketAddr>() {
        let mut address = canonical(address);
        if address.port() == 0 {
            address.set_port(default_port);
        }
        return Ok(Target::Ip(address));
    }
    let bare = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(rest);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(Target::Ip((ip.to_canonical(), default_port).into()));
    }
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| malformed())?),
        None => (rest, default_port),
    };
    if host.is_empty() || host.contains([':', '[', ']']) {
        return Err(malformed());
    }
    Ok(Target::Host(host, port))
}

async fn resolve(text: &str, default_port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
    let (host, port) = match parse(text, default_port)? {
        Target::Ip(address) => return Ok(vec![address]),
        Target::Host(host, port) => (host, port),
    };
    let found = tokio::net::lookup_host((host, port)).await;
    let found = found.map_err(|error| ResolveError::Lookup {
        host: host.to_owned(),
        reason: error.to_string(),
    })?;
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found.map(canonical) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return Err(ResolveError::Empty { host: host.to_owned() });
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_join_address_is_understood() {
        let ip = |text: &str| Some(Target::Ip(text.parse().unwrap()));
        let table = [
            ("10.0.0.1", ip("10.0.0.1:7946")),
            ("10.0.0.1:80", ip("10.0.0.1:80")),
            ("web-1/10.0.0.1:80", ip("10.0.0.1:80")),
            ("[::1]:80", ip("[::1]:80")),
            ("[::1]", ip("[::1]:7946")),
            ("::1", ip("[::1]:7946")),
            ("::ffff:10.0.0.1", ip("10.0.0.1:7946")),
            ("example.org", Some(Target::Host("example.org", 7946))),
            ("web-1/example.org:80", Some(Target::Host("example.org", 80))),
            ("example.org:http", None),
            ("", None),
            (":80", None),
            ("[::1:80", None),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text, 7946).ok(), expected, "{text:?}");
        }
    }
}
