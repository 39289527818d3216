//! Which addresses the seeds stand for. Names are looked up again and again, because what they stand
//! for changes while a cluster lives.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use mingle_proto::Reconnects;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::{debug, warn};

use crate::driver::Command;
use crate::{JoinAddress, ResolveError, join};

/// Where a node looks for others from its start on.
pub(crate) struct Seeds<'a> {
    /// As they are configured, and as they are configured anew.
    pub(crate) given: watch::Receiver<Vec<String>>,
    /// Where members were before a restart.
    pub(crate) remembered: &'a [SocketAddr],
    pub(crate) default_port: u16,
    pub(crate) interval: Duration,
}

impl Seeds<'_> {
    /// Starts the task that looks names up.
    pub(crate) fn start(
        self,
        reconnects: Reconnects,
        commands: mpsc::WeakSender<Command>,
    ) -> JoinSet<()> {
        let Self { given, remembered, default_port, interval } = self;
        let mut tasks = JoinSet::new();
        match reconnects {
            Reconnects::BuiltIn => tasks.spawn(keep(commands, given, default_port, interval)),
            Reconnects::LeftToUsers => {
                let remembered = remembered.iter().map(ToString::to_string).collect();
                tasks.spawn(join_once(commands, given, remembered, default_port, interval))
            }
        };
        tasks
    }
}

/// The pause after a look-up that failed; after each further one it is twice as long, up to the interval.
/// A name that appears with the cluster is found soon, and one that never does costs nothing.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// Tells the node where its seeds are, at once and after each look-up that gave something else.
async fn keep(
    commands: mpsc::WeakSender<Command>,
    mut given: watch::Receiver<Vec<String>>,
    default_port: u16,
    interval: Duration,
) {
    let mut found: BTreeMap<String, BTreeSet<SocketAddr>> = BTreeMap::new();
    let mut told: BTreeSet<SocketAddr> = BTreeSet::new();
    // Rounds in a row in which something could not be looked up.
    let mut failures = 0_u32;
    loop {
        let texts = given.borrow_and_update().clone();
        found.retain(|text, _| texts.contains(text));
        let retry = interval.min(FIRST_RETRY * (1 << failures.min(16)));
        let mut failed = false;
        for text in &texts {
            match look_up(text, default_port).await {
                Ok(addresses) => {
                    found.insert(text.clone(), addresses.into_iter().collect());
                }
                // What it stood for before still counts. Told the first, second, fourth, ... time.
                Err(error) => {
                    failed = true;
                    if (failures + 1).is_power_of_two() {
                        warn!(seed = ?text, %error, again_in = ?retry, "a seed can't be looked up");
                    } else {
                        debug!(seed = ?text, %error, "a seed can't be looked up");
                    }
                }
            }
        }
        let pause = if failed { retry } else { interval };
        failures = if failed { failures.saturating_add(1) } else { 0 };
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
        tokio::select! {
            () = tokio::time::sleep(pause), if !texts.is_empty() => {}
            changed = given.changed() => match changed {
                Ok(()) => failures = 0,
                Err(_) => return,
            },
        }
    }
}

/// Joins the seeds until one of them answers, and again when others are given.
async fn join_once(
    commands: mpsc::WeakSender<Command>,
    mut given: watch::Receiver<Vec<String>>,
    remembered: Vec<String>,
    default_port: u16,
    interval: Duration,
) {
    loop {
        let seeds = given.borrow_and_update().iter().chain(&remembered).cloned().collect();
        let joining = async {
            join::join_seeds(&commands, seeds, default_port, interval).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = joining => {}
            changed = given.changed() => if changed.is_err() { return },
        }
    }
}

async fn look_up(text: &str, default_port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
    text.parse::<JoinAddress>()?.resolve(default_port).await
}
