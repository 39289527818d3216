//! Which addresses the seeds stand for. Names are looked up again and again, because what they stand
//! for changes while a cluster lives.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use mingle_proto::Reconnects;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{debug, warn};

use crate::driver::Command;
use crate::{JoinAddress, ResolveError, join};

/// Where a node looks for others from its start on.
pub(crate) struct Seeds<'a> {
    /// As they are configured.
    pub(crate) given: Vec<String>,
    /// Where members were before a restart.
    pub(crate) remembered: &'a [SocketAddr],
    pub(crate) default_port: u16,
    pub(crate) interval: Duration,
}

impl Seeds<'_> {
    /// Starts the task that looks names up, where there is something to look up.
    pub(crate) fn start(
        self,
        reconnects: Reconnects,
        commands: mpsc::WeakSender<Command>,
    ) -> JoinSet<()> {
        let Self { given, remembered, default_port, interval } = self;
        let mut tasks = JoinSet::new();
        match reconnects {
            Reconnects::BuiltIn if given.is_empty() => {}
            Reconnects::BuiltIn => {
                tasks.spawn(keep(commands, given, default_port, interval));
            }
            Reconnects::LeftToUsers if given.is_empty() && remembered.is_empty() => {}
            Reconnects::LeftToUsers => {
                let remembered = remembered.iter().map(ToString::to_string);
                let seeds = given.into_iter().chain(remembered).collect();
                tasks.spawn(join::join_seeds(commands, seeds, default_port, interval));
            }
        }
        tasks
    }
}

/// Tells the node where its seeds are, at once and after each look-up that gave something else.
async fn keep(
    commands: mpsc::WeakSender<Command>,
    given: Vec<String>,
    default_port: u16,
    interval: Duration,
) {
    let mut found: BTreeMap<&str, BTreeSet<SocketAddr>> = BTreeMap::new();
    let mut told: BTreeSet<SocketAddr> = BTreeSet::new();
    for attempt in 1_u64.. {
        for text in &given {
            match look_up(text, default_port).await {
                Ok(addresses) => {
                    found.insert(text, addresses.into_iter().collect());
                }
                // What it stood for before still counts. Told the first, second, fourth, ... time.
                Err(error) if attempt.is_power_of_two() => {
                    warn!(seed = ?text, %error, again_in = ?interval, "a seed can't be looked up");
                }
                Err(error) => debug!(seed = ?text, %error, "a seed can't be looked up"),
            }
        }
        let now: BTreeSet<SocketAddr> = found.values().flatten().copied().collect();
        let add: Vec<_> = now.difference(&told).copied().collect();
        let remove: Vec<_> = told.difference(&now).copied().collect();
        if !(add.is_empty() && remove.is_empty()) {
            debug!(?add, ?remove, "seeds");
            let Some(sender) = commands.upgrade() else { return };
            if sender.send(Command::Seeds { add, remove }).await.is_err() {
                return;
            }
            told = now;
        }
        tokio::time::sleep(interval).await;
    }
}

async fn look_up(text: &str, default_port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
    text.parse::<JoinAddress>()?.resolve(default_port).await
}
