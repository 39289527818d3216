//! What happens in the demonstration.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mingle::{Change, LinkKind, State};

use super::crew::{Crew, Told};
use super::stage::Stage;
use crate::exit::Failure;

/// How long anything may take before the demonstration gives up; far above what it takes.
const PATIENCE: Duration = Duration::from_secs(90);

/// Starts all agents, and waits until each sees all.
pub(super) async fn form(crew: &mut Crew, stage: &Stage) -> Result<(), Failure> {
    let count = crew.agents.len();
    stage.act(&format!("{count} agents start on the loopback, each on its own port"))?;
    let start = Instant::now();
    for index in 0..count {
        crew.start(index).await?;
        stage.show(crew);
    }
    until(crew, stage, "all see each other", |crew| {
        crew.live().all(|live| live.cluster.members().len() == count)
    })
    .await?;
    stage.say(&format!("all {count} see each other after {}", seconds(start.elapsed())))
}

/// Something dies, comes back, gets cut off and heals, and somebody leaves.
pub(super) async fn acts(crew: &mut Crew, stage: &Stage) -> Result<(), Failure> {
    let count = crew.agents.len();
    death(crew, stage, count - 2).await?;
    return_elsewhere(crew, stage, count - 2).await?;
    cut(crew, stage).await?;
    goodbye(crew, stage, count - 1).await
}

async fn death(crew: &mut Crew, stage: &Stage, victim: usize) -> Result<(), Failure> {
    let name = crew.agents[victim].name.clone();
    stage.act(&format!("{name} is killed: its sockets close, and it says nothing"))?;
    drain(crew);
    let start = Instant::now();
    crew.kill(victim).await;
    let told = follow(crew, stage, &name, State::Dead).await?;
    let first = |change| told.iter().find(|told: &&Told| told.change == change);
    for change in [Change::Suspected, Change::Failed] {
        if let Some(Told { by, when, text, .. }) = first(change) {
            stage.say(&format!("after {} {by} decided: {text}", since(start, *when)))?;
        }
    }
    stage.say(&spread(start, &told, Change::Failed, "had it dead"))
}

async fn return_elsewhere(crew: &mut Crew, stage: &Stage, index: usize) -> Result<(), Failure> {
    let name = crew.agents[index].name.clone();
    stage.act(&format!("{name} comes back under its name, on another port"))?;
    drain(crew);
    let start = Instant::now();
    let address = crew.start(index).await?;
    let told = follow(crew, stage, &name, State::Alive).await?;
    stage.say(&spread(start, &told, Change::Joined, &format!("had it at {address}")))
}

async fn cut(crew: &mut Crew, stage: &Stage) -> Result<(), Failure> {
    let [one, other] = [0, 1].map(|index| crew.agents[index].name.clone());
    stage.act(&format!("packets between {one} and {other} are dropped; streams still pass"))?;
    let places: Vec<_> = crew.live().map(|live| live.cluster.local_addr()).take(2).collect();
    let [first, second] = places[..] else { return Ok(()) };
    drain(crew);
    let start = Instant::now();
    crew.cuts.cut(first, second);
    let degraded = |crew: &Crew, name: &str| {
        let mut others = crew.live().filter_map(|live| live.cluster.member(name));
        others.find_map(|member| member.degraded())
    };
    until(crew, stage, "the link is degraded", |crew| {
        degraded(crew, &one).or_else(|| degraded(crew, &other)).is_some()
    })
    .await?;
    let kind = degraded(crew, &one).or_else(|| degraded(crew, &other)).map(|link| link.kind);
    let how = match kind {
        Some(LinkKind::HelpersOnly) => "others hear it",
        Some(LinkKind::StreamsOnly) | None => "streams pass",
    };
    let after = seconds(start.elapsed());
    let told = std::iter::from_fn(|| crew.decided.try_recv().ok());
    let suspected = match told.filter(|told| told.change == Change::Suspected).count() {
        0 => "nobody is suspected".to_owned(),
        count => format!("{count} suspicions meanwhile"),
    };
    stage.say(&format!("after {after} the link is told as degraded ({how}); {suspected}"))?;
    crew.cuts.heal(first, second);
    let start = Instant::now();
    until(crew, stage, "the link is restored", |crew| {
        degraded(crew, &one).is_none() && degraded(crew, &other).is_none()
    })
    .await?;
    stage.say(&format!(
        "{} after it is mended, the link is told as restored",
        seconds(start.elapsed())
    ))
}

async fn goodbye(crew: &mut Crew, stage: &Stage, index: usize) -> Result<(), Failure> {
    let name = crew.agents[index].name.clone();
    stage.act(&format!("{name} leaves with a goodbye"))?;
    drain(crew);
    let Some(live) = &crew.agents[index].live else { return Ok(()) };
    let start = Instant::now();
    let receipt = live.cluster.leave().await;
    let took = seconds(start.elapsed());
    match receipt {
        Ok(receipt) => {
            let names = receipt.confirmed.join(", ");
            stage.say(&format!("{names} confirmed it within {took}"))?;
        }
        Err(error) => stage.say(&format!("{error} ({took})"))?,
    }
    crew.kill(index).await;
    let told = follow(crew, stage, &name, State::Left).await?;
    stage.say(&spread(start, &told, Change::Left, "had it as left"))
}

/// What all of that has cost.
pub(super) async fn costs(crew: &Crew, stage: &Stage) -> Result<(), Failure> {
    stage.act("what it cost")?;
    let stats = crew.stats().await;
    let sum = |name| stats.iter().filter_map(|stats| stats.get(name)).sum::<u64>();
    let elapsed = stage.elapsed().as_secs_f64();
    let agents = crew.agents.len();
    let bytes = sum("datagram_bytes_out") + sum("stream_bytes_out");
    #[expect(clippy::cast_precision_loss, reason = "counts of a minute, shown with few digits")]
    let rate = bytes as f64 / elapsed / agents as f64;
    stage.say(&format!(
        "{} packets and {bytes} bytes sent in {elapsed:.0} s, {rate:.0} bytes per agent and second",
        sum("datagrams_out"),
    ))?;
    if let Some(cpu) = cpu_time() {
        let share = cpu.as_secs_f64() / elapsed * 100.0;
        stage.say(&format!("{share:.1} % of one core for all {agents} agents and this display"))?;
    }
    let (dead, refuted) = (sum("deaths_declared"), sum("refutations"));
    stage.say(&format!("{dead} agents came to a verdict themselves; {refuted} false accusations"))
}

/// Where the agents are, for those who want to ask them.
pub(super) fn places(crew: &Crew, stage: &Stage) -> Result<(), Failure> {
    stage.act("the agents go on until Ctrl-C; ask them")?;
    for live in crew.live() {
        let (name, http) = (live.cluster.name(), &live.http);
        stage.say(&format!("{name}: mingle members --http {http}, http://{http}/"))?;
    }
    Ok(())
}

#[cfg(unix)]
fn cpu_time() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?);
    Some(Duration::new(seconds, nanos))
}

#[cfg(not(unix))]
fn cpu_time() -> Option<Duration> {
    None
}

/// Forgets what was told before.
fn drain(crew: &mut Crew) {
    while crew.decided.try_recv().is_ok() {}
}

/// What is told about a member until all others see it in a state.
async fn follow(
    crew: &mut Crew,
    stage: &Stage,
    name: &str,
    state: State,
) -> Result<Vec<Told>, Failure> {
    until(crew, stage, &format!("all see {name} {}", state.as_str()), |crew| {
        crew.all_see(name, state)
    })
    .await?;
    // Each agent shows a change before it tells of it.
    tokio::time::sleep(LOOK).await;
    let told = std::iter::from_fn(|| crew.decided.try_recv().ok());
    Ok(told.filter(|told| &*told.about == name && &*told.by != name).collect())
}

/// How often to look.
const LOOK: Duration = Duration::from_millis(20);

async fn until(
    crew: &Crew,
    stage: &Stage,
    what: &str,
    holds: impl Fn(&Crew) -> bool,
) -> Result<(), Failure> {
    let start = Instant::now();
    while !holds(crew) {
        if start.elapsed() > PATIENCE {
            return Err(Failure::No(format!(
                "not within {PATIENCE:?}: {what}; see \"mingle why\""
            )));
        }
        stage.show(crew);
        tokio::time::sleep(LOOK).await;
    }
    stage.show(crew);
    Ok(())
}

/// When the first and the last agent came to it.
fn spread(start: Instant, told: &[Told], change: Change, what: &str) -> String {
    let mut times: BTreeMap<Arc<str>, Duration> = BTreeMap::new();
    for told in told.iter().filter(|told| told.change == change) {
        times.entry(Arc::clone(&told.by)).or_insert(told.when.saturating_duration_since(start));
    }
    let (first, last) = (times.values().min(), times.values().max());
    match (first, last) {
        (Some(first), Some(last)) => {
            let (first, last) = (seconds(*first), seconds(*last));
            format!("the first {what} after {first}, all {} after {last}", times.len())
        }
        _ => format!("all {what}"),
    }
}

fn since(start: Instant, when: Instant) -> String {
    seconds(when.saturating_duration_since(start))
}

fn seconds(duration: Duration) -> String {
    match duration.as_millis() {
        0 => "less than 1 ms".to_owned(),
        millis @ 1..1000 => format!("{millis} ms"),
        1000.. => format!("{:.1} s", duration.as_secs_f64()),
    }
}
