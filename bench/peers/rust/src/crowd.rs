//! The nodes of one system, and what is done to all of them alike.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::board::{Board, Nanos};
use crate::place::{self, Place};
use crate::systems::{Constants, System};

/// All nodes of one system, and what they tell.
#[derive(Debug)]
pub(crate) struct Crowd<S> {
    /// `None` for those that were killed.
    nodes: Vec<Option<Arc<S>>>,
    board: Arc<Board>,
}

/// How often it is looked whether all is done; times are taken when things happen, not when somebody looks.
const LOOK: Duration = Duration::from_millis(5);

impl<S: System> Crowd<S> {
    /// Binds all sockets and starts all nodes, alone each.
    pub(crate) async fn create(network: u8, nodes: usize, constants: Constants) -> Result<Self> {
        ensure!((2..=place::MOST).contains(&nodes), "from 2 to {} nodes", place::MOST);
        let board = Arc::new(Board::new(nodes));
        let mut started = Vec::with_capacity(nodes);
        for index in 0..nodes {
            let place = Place { network, index };
            let node = S::start(place, nodes, constants, Arc::clone(&board)).await;
            started.push(Some(Arc::new(node.with_context(|| place.name())?)));
        }
        Ok(Self { nodes: started, board })
    }

    pub(crate) fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// A node that was not killed.
    pub(crate) fn node(&self, index: usize) -> Result<&Arc<S>> {
        let node = self.nodes.get(index).context("there is no such node")?;
        node.as_ref().with_context(|| format!("node {index} was killed"))
    }

    /// All but node 0 join by it, one each `pace_ms`.
    pub(crate) async fn join(&mut self, pace_ms: f64, limit_s: f64) -> Result<Value> {
        let (pace, limit) = (seconds(pace_ms / 1000.0)?, seconds(limit_s)?);
        self.node(0)?;
        self.board.begin_join();
        let refused = Arc::new(AtomicUsize::new(0));
        let (begin, mut next) = (self.board.now(), Instant::now());
        for node in self.nodes[1..].iter().flatten() {
            sleep_until(next).await;
            next += pace;
            let (node, refused) = (Arc::clone(node), Arc::clone(&refused));
            tokio::spawn(async move {
                if let Err(error) = node.join().await {
                    eprintln!("a join was refused: {error:#}");
                    refused.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        until(limit, || self.board.joined().all.is_some()).await;
        let joined = self.board.joined();
        let since = |at: Option<Nanos>| at.map(|at| millis(at.saturating_sub(begin)));
        Ok(json!({
            "all_ms": since(joined.all),
            "most_ms": since(joined.most),
            "seen": joined.seen,
            "of": joined.of,
            "refused": refused.load(Ordering::Relaxed),
        }))
    }

    /// Nothing, for so long.
    pub(crate) async fn rest(&mut self, length_s: f64) -> Result<Value> {
        let before = self.board.false_downs();
        sleep(seconds(length_s)?).await;
        Ok(json!({ "false_downs": self.board.false_downs() - before }))
    }

    /// Ends these nodes without a goodbye, and waits until their deaths are known.
    pub(crate) async fn kill(&mut self, nodes: &[usize], limit_s: f64) -> Result<Value> {
        let limit = seconds(limit_s)?;
        for (place, &node) in nodes.iter().enumerate() {
            self.node(node)?;
            ensure!(!nodes[..place].contains(&node), "node {node} is named twice");
        }
        let before = self.board.false_downs();
        let begin = self.board.now();
        self.board.begin_kill(nodes);
        let mut ends = JoinSet::new();
        for node in nodes.iter().filter_map(|&node| self.nodes[node].take()) {
            ends.spawn(async move { node.kill().await });
        }
        ends.join_all().await;
        until(limit, || self.board.missing() == 0).await;
        let since = |at: Option<Nanos>| at.map(|at| millis(at.saturating_sub(begin)));
        let firsts: Vec<_> = nodes.iter().map(|&node| self.board.first_report(node)).collect();
        Ok(json!({
            "first_ms": since(firsts.iter().flatten().min().copied()),
            "all_ms": since(self.board.all_reported()),
            "each_ms": firsts.into_iter().map(since).collect::<Vec<_>>(),
            "false_downs": self.board.false_downs() - before,
        }))
    }
}

/// Waits until it is done, or until the limit.
pub(crate) async fn until(limit: Duration, done: impl Fn() -> bool) {
    let end = Instant::now() + limit;
    while !done() && Instant::now() < end {
        sleep(LOOK).await;
    }
}

/// A duration that the driver has spelled in seconds.
pub(crate) fn seconds(number: f64) -> Result<Duration> {
    Duration::try_from_secs_f64(number).with_context(|| format!("{number} s is no length of time"))
}

/// A duration as the driver reads it.
pub(crate) fn millis(nanos: Nanos) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "2^53 ns are a hundred days")]
    let nanos = nanos as f64;
    nanos / 1e6
}
