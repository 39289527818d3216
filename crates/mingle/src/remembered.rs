//! Finding again, after a restart, those that a node knew before.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mingle_proto::RequestError;
use mingle_wire::State;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use crate::driver::{Command, Shared};
use crate::join::join_one;
use crate::{JoinError, Member};

/// How many are called at the same time.
const AT_ONCE: usize = 8;
/// How many more are called after one has answered. Nodes that are started again together may find
/// each other in pairs at first; with so many calls each, the pairs find each other too.
const AFTER_SUCCESS: usize = 64;

/// Whether there is a point in calling again.
enum Next {
    GoOn,
    /// The node has left or stopped.
    Over,
}

/// Calls those at these addresses in this order, some at a time, until one has answered, and then
/// some more that the view does not have yet. Begins anew as long as the view has nobody.
pub(crate) async fn join(
    commands: mpsc::WeakSender<Command>,
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    retry_interval: Duration,
) {
    for attempt in 1_u64.. {
        if commands.strong_count() == 0 {
            return;
        }
        match call_all(&commands, &shared, &addresses).await {
            Next::Over => return,
            Next::GoOn => {}
        }
        if live(&shared).any(|member| member.name != shared.name) {
            return info!("joined those that were known before the restart");
        }
        // The first, second, fourth, eighth, ... time: they may be gone for good.
        if attempt.is_power_of_two() {
            let (addresses, again_in) = (addresses.len(), retry_interval);
            warn!(
                attempt,
                addresses,
                ?again_in,
                "nobody answers that was known before the restart"
            );
        }
        tokio::time::sleep(retry_interval).await;
    }
}

async fn call_all(
    commands: &mpsc::WeakSender<Command>,
    shared: &Shared,
    addresses: &[SocketAddr],
) -> Next {
    let mut calls = JoinSet::new();
    let mut waiting = addresses.iter().copied();
    let mut left = usize::MAX;
    loop {
        let met: BTreeSet<_> = live(shared).map(|member| member.address).collect();
        while calls.len() < AT_ONCE
            && left > 0
            && let Some(to) = waiting.find(|address| !met.contains(address))
        {
            let commands = commands.clone();
            left -= 1;
            calls.spawn(async move { (to, join_one(&commands, to).await) });
        }
        let Some(called) = calls.join_next().await else { return Next::GoOn };
        let Ok((address, answer)) = called else { continue };
        debug!(%address, ?answer, "call");
        match answer {
            Ok(_) => left = left.min(AFTER_SUCCESS),
            Err(JoinError::Stopped | JoinError::Request(RequestError::Leaving)) => {
                return Next::Over;
            }
            Err(_) => {}
        }
    }
}

/// Those that the view has as alive or suspect, this node among them.
fn live(shared: &Shared) -> impl Iterator<Item = Arc<Member>> {
    shared.view.members().into_iter().filter(|member| match member.state {
        State::Alive | State::Suspect => true,
        State::Dead | State::Left => false,
    })
}
