//! One run of one system at one size.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::crowd::{Crowd, Recipe, address};
use super::gauge::{Gauge, resident_kib};

/// What is done in it.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) nodes: u32,
    pub(super) pace_ms: f64,
    pub(super) equal: bool,
    /// How long it rests after the join, and then how long that is measured.
    pub(super) settle: Duration,
    pub(super) rest: Duration,
    pub(super) parts: Vec<Part>,
}

/// A part of a run; those that are not chosen are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Part {
    /// What it costs while nothing happens
    Rest,
    /// 200 messages of 64 bytes from one node to all
    Broadcast,
    /// One node is gone, and then five at once
    Kill,
    /// Messages of 64 bytes between two nodes, as fast as they go
    Pour,
}

/// How long a join may take after the last one was begun.
const JOINED_WITHIN: u64 = 120;
/// How long a death may take to be known.
const KNOWN_WITHIN: u64 = 90;
/// Beyond what a command takes by itself.
const SLACK: Duration = Duration::from_secs(30);

/// Carries a plan out, and tells what came of it; a part that fails has `error`, and ends the run.
pub(super) fn carry_out(recipe: &Recipe, plan: &Plan) -> Map<String, Value> {
    let mut told = Map::new();
    told.insert("system".to_owned(), json!(recipe.system));
    told.insert("nodes".to_owned(), json!(plan.nodes));
    told.insert("pace_ms".to_owned(), json!(plan.pace_ms));
    told.insert("equal".to_owned(), json!(plan.equal));
    if let Err(error) = go_through(recipe, plan, &mut told) {
        told.insert("error".to_owned(), json!(format!("{error:#}")));
    }
    told
}

fn go_through(recipe: &Recipe, plan: &Plan, told: &mut Map<String, Value>) -> Result<()> {
    let mut crowd = Crowd::start(recipe)?;
    let mut tell = |what: &str, value: Value| told.insert(what.to_owned(), value);
    let before_kib = resident_kib(crowd.process())?;
    crowd.ask(&json!({"do": "create", "nodes": plan.nodes, "equal": plan.equal}), SLACK)?;
    tell("hello", crowd.ask(&json!({"do": "hello"}), SLACK)?);
    if plan.parts == [Part::Pour] {
        tell("pour", pour(&mut crowd)?);
        return Ok(());
    }
    tell("join", join(&mut crowd, plan)?);
    if plan.parts.contains(&Part::Rest) {
        sleep(plan.settle);
        let mut rest = measured(&mut crowd, plan.nodes, |crowd| {
            let seconds = plan.rest.as_secs();
            crowd.ask(&json!({"do": "rest", "seconds": seconds}), plan.rest + SLACK)
        })?;
        let grown = resident_kib(crowd.process())?.saturating_sub(before_kib);
        rest["rss_kib_per_node"] = json!(super::gauge::to_f64(grown) / f64::from(plan.nodes));
        tell("rest", rest);
    }
    if plan.parts.contains(&Part::Broadcast) {
        let command =
            json!({"do": "broadcast", "count": 200, "per_second": 50, "bytes": 64, "limit_s": 10});
        tell(
            "broadcast",
            measured(&mut crowd, plan.nodes, |crowd| crowd.ask(&command, SLACK + SLACK))?,
        );
    }
    if plan.parts.contains(&Part::Kill) {
        tell("kill", kill(&mut crowd, &[plan.nodes / 2])?);
        sleep(BETWEEN_KILLS);
        let five: Vec<u32> = (1..6).map(|k| k * plan.nodes / 8 + 1).collect();
        tell("kill_five", kill(&mut crowd, &five)?);
    }
    Ok(())
}

/// So that one death is told before the next ones.
const BETWEEN_KILLS: Duration = Duration::from_secs(3);

/// Asks, and says beside the answer what it cost.
fn measured(
    crowd: &mut Crowd,
    nodes: u32,
    ask: impl FnOnce(&mut Crowd) -> Result<Value>,
) -> Result<Value> {
    let before = Gauge::read(crowd.process())?;
    let mut answer = ask(crowd)?;
    answer["cost"] = Gauge::read(crowd.process())?.since(&before, nodes);
    Ok(answer)
}

fn join(crowd: &mut Crowd, plan: &Plan) -> Result<Value> {
    let launching = Duration::from_secs_f64(plan.pace_ms / 1000.0 * f64::from(plan.nodes));
    let patience = launching + Duration::from_secs(JOINED_WITHIN) + SLACK;
    let command = json!({"do": "join", "pace_ms": plan.pace_ms, "limit_s": JOINED_WITHIN});
    measured(crowd, plan.nodes, |crowd| crowd.ask(&command, patience))
}

fn kill(crowd: &mut Crowd, nodes: &[u32]) -> Result<Value> {
    for &node in nodes {
        crowd.silence(&address(node))?;
    }
    let command = json!({"do": "kill", "nodes": nodes, "limit_s": KNOWN_WITHIN});
    crowd.ask(&command, Duration::from_secs(KNOWN_WITHIN) + SLACK)
}

/// Best effort and reliable, each with one sender and with four.
fn pour(crowd: &mut Crowd) -> Result<Value> {
    let mut all = Map::new();
    crowd.ask(&json!({"do": "join", "pace_ms": 1.0, "limit_s": 20}), SLACK + SLACK)?;
    for (mode, senders) in
        [("best_effort", 1), ("best_effort", 4), ("reliable", 1), ("reliable", 4), ("reliable", 64)]
    {
        let command =
            json!({"do": "pour", "mode": mode, "senders": senders, "bytes": 64, "seconds": 5});
        let begin = Instant::now();
        let mut answer = measured(crowd, 2, |crowd| crowd.ask(&command, SLACK))?;
        answer["took_s"] = json!(begin.elapsed().as_secs_f64());
        all.insert(format!("{mode}_{senders}"), answer);
    }
    Ok(Value::Object(all))
}
