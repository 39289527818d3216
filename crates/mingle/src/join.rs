use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mingle_proto::{Done, ExchangeEnd, RequestError};
use mingle_wire::StreamError;
use tokio::sync::{mpsc, oneshot};
use tracing::field::{self, Empty};
use tracing::{Instrument, debug, info, info_span, warn};

use crate::cluster::Failed;
use crate::driver::Command;
use crate::exchange::Detail;
use crate::{JoinAddress, ResolveError};

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

/// Bytes of a peer's words that are kept.
const MAX_WORDS: usize = 256;

impl JoinError {
    /// The same with no more of a peer's words than may be kept.
    pub(crate) fn cut_off(&self) -> Self {
        match self {
            Self::Remote { text } => {
                let end = text.floor_char_boundary(MAX_WORDS);
                Self::Remote { text: text[..end].to_owned() }
            }
            Self::Unreachable { .. }
            | Self::Unanswered
            | Self::Refused { .. }
            | Self::Request(_)
            | Self::Stopped => self.clone(),
        }
    }
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
    let span = info_span!("join", addresses = given.join(" "), report = Empty);
    let report = join_each(commands, given, default_port).instrument(span.clone()).await;
    span.record("report", field::display(&report));
    report
}

async fn join_each(
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
        Done::Left { .. } | Done::MetaSet | Done::Sent | Done::ForcedOut => Ok(0),
    }
}

/// Tries the seeds until one of them answers, or the node is gone.
pub(crate) async fn join_seeds(
    commands: &mpsc::WeakSender<Command>,
    seeds: Vec<String>,
    default_port: u16,
    retry_interval: Duration,
) {
    while !seeds.is_empty() && commands.strong_count() > 0 {
        let report = join(commands, seeds.clone(), default_port).await;
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

async fn resolve(text: &str, default_port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
    text.parse::<JoinAddress>()?.resolve(default_port).await
}
