//! As many messages as go from node 0 to node 1.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::{JoinSet, coop};
use tokio::time::{Instant, sleep};

use crate::broadcast::payload;
use crate::crowd::{Crowd, seconds};
use crate::systems::{Ability, Mode, System};

/// Senders in closed loops.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pour {
    mode: Mode,
    senders: usize,
    bytes: usize,
    seconds: f64,
}

/// How long after the last was sent it is looked what has come.
const TAIL: Duration = Duration::from_millis(500);
/// The pause after an error, so that a sender that gets nothing but errors does not spin.
const PAUSE: Duration = Duration::from_millis(1);

impl Pour {
    pub(crate) const fn needs(&self) -> Ability {
        match self.mode {
            Mode::BestEffort => Ability::Packets,
            Mode::Reliable => Ability::Streams,
        }
    }

    pub(crate) async fn run<S: System>(self, crowd: &mut Crowd<S>) -> Result<Value> {
        ensure!(self.senders > 0, "a pour needs a sender");
        let length = seconds(self.seconds)?;
        let (from, _) = (crowd.node(0)?, crowd.node(1)?);
        let payload = Bytes::from(payload(crowd.board().begin_pour(), self.bytes)?);
        let begin = Instant::now();
        let mut senders = JoinSet::new();
        for _ in 0..self.senders {
            let (from, payload) = (Arc::clone(from), payload.clone());
            senders.spawn(send_until(begin + length, from, self.mode, payload));
        }
        let sent: usize = senders.join_all().await.into_iter().sum();
        let took = begin.elapsed();
        sleep(TAIL).await;
        let delivered = crowd.board().delivered();
        Ok(json!({ "sent": sent, "delivered": delivered, "seconds": took.as_secs_f64() }))
    }
}

/// Sends one message after another; gives how many were sent without an error.
async fn send_until<S: System>(end: Instant, from: Arc<S>, mode: Mode, payload: Bytes) -> usize {
    let (mut sent, mut failed) = (0, 0);
    while Instant::now() < end {
        // A system whose sending never waits would keep the other tasks from running.
        coop::consume_budget().await;
        match from.send(mode, &payload).await {
            Ok(()) => sent += 1,
            Err(error) => {
                if failed == 0 {
                    eprintln!("a message was not sent: {error:#}");
                }
                failed += 1;
                sleep(PAUSE).await;
            }
        }
    }
    if failed > 0 {
        eprintln!("{failed} messages were not sent");
    }
    sent
}
