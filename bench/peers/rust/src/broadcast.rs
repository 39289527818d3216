//! Broadcasts by node 0.

use anyhow::{Result, ensure};
use rand::RngExt as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::board::{Key, Nanos};
use crate::crowd::{Crowd, millis, seconds, until};
use crate::systems::System;

/// So many messages, one after another.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Broadcast {
    count: usize,
    per_second: f64,
    bytes: usize,
    limit_s: f64,
}

impl Broadcast {
    pub(crate) async fn run<S: System>(self, crowd: &mut Crowd<S>) -> Result<Value> {
        let (pace, limit) = (seconds(1.0 / self.per_second)?, seconds(self.limit_s)?);
        let board = crowd.board();
        let round = board.begin_round(self.count);
        let mut next = Instant::now();
        for message in 0..self.count {
            let key = round.key(message);
            let payload = payload(key, self.bytes)?;
            sleep_until(next).await;
            next += pace;
            round.sends(message, board.now());
            crowd.node(0)?.broadcast(key, payload).await?;
        }
        let of = self.count * (board.running().count() - 1);
        until(limit, || round.arrivals() >= of).await;
        let spread = round.spread(board);
        let spelled = |time: Option<Nanos>| time.map(millis);
        Ok(json!({
            "all_p50_ms": spelled(spread.to_all(50)),
            "all_p99_ms": spelled(spread.to_all(99)),
            "each_p50_ms": spelled(spread.to_each(50)),
            "each_p99_ms": spelled(spread.to_each(99)),
            "lost": spread.lost,
            "of": of,
            "whole": spread.all.len(),
        }))
    }
}

/// A message: its key, and then bytes that nothing compresses.
pub(crate) fn payload(key: Key, bytes: usize) -> Result<Vec<u8>> {
    ensure!(bytes >= Key::LENGTH, "a message has at least {} bytes", Key::LENGTH);
    let mut payload = vec![0; bytes];
    rand::rng().fill(&mut payload[..]);
    payload[..Key::LENGTH].copy_from_slice(&key.bytes());
    Ok(payload)
}
