//! A disk without room.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result};

use super::cluster::{Cluster, Memory};
use super::machine::SmallDisk;
use super::trial::Trial;

/// What one agent keeps is on a disk of its own. While that is full, others come, so that there is something to write down.
pub(super) fn full(trial: &mut Trial) -> Result<()> {
    trial.suffer(&[KEEPER]);
    let disk = Arc::new(SmallDisk::mount(DISK_BYTES)?);
    trial.disk = Some(Arc::clone(&disk));
    let state = disk.folder().join("state");
    fs::create_dir(&state)?;
    trial.cluster.add_agent_with(KEEPER, vec![format!("--state={}", state.display())])?;
    trial.one_view("the one with the small disk is in", Instant::now(), LIMIT)?;
    let before = complaints(&trial.cluster)?.len();
    disk.fill()?;
    trial.note("the disk is full")?;
    trial.cluster.add_agent("a7", Memory::Nothing)?;
    trial.one_view("one view while the disk is full", Instant::now(), LIMIT)?;
    trial.hold("while the disk is full", Duration::from_secs(15))?;
    let said = complaints(&trial.cluster)?.split_off(before);
    if said.len() != 1 {
        let times = said.len();
        trial
            .find(format!("{KEEPER} has said {times} times, and not once, that it can't write"))?;
    }
    for line in said {
        trial.note(&format!("{KEEPER} says: {line}"))?;
    }
    disk.clear()?;
    let (cleared, cleared_at) = (Instant::now(), SystemTime::now());
    trial.note("there is room again")?;
    trial.cluster.add_agent("a8", Memory::Nothing)?;
    trial.within("it is written again", cleared, LIMIT, |_| unwritten(&state, cleared_at))?;
    restart(trial)
}

/// What was written is good.
fn restart(trial: &mut Trial) -> Result<()> {
    trial.excuse_all(&[KEEPER]);
    trial.cluster.agent(KEEPER)?.kill()?;
    trial.cluster.restart(KEEPER, Vec::new())?;
    trial.end_excuses();
    trial.note("it was killed and is back, knowing what it kept")?;
    trial.one_view("one view after that", Instant::now(), LIMIT)
}

const KEEPER: &str = "a6";
const DISK_BYTES: u64 = 1024 * 1024;
const LIMIT: Duration = Duration::from_secs(30);

/// The warnings and errors that the agent has logged.
fn complaints(cluster: &Cluster) -> Result<Vec<String>> {
    let log = cluster.process(KEEPER)?.log()?;
    let is_complaint =
        |line: &&str| line.contains(r#""level":"WARN""#) || line.contains(r#""level":"ERROR""#);
    Ok(log.lines().filter(is_complaint).map(str::to_owned).collect())
}

fn unwritten(state: &Path, since: SystemTime) -> Result<Option<String>> {
    let mut files = fs::read_dir(state).with_context(|| format!("reading {}", state.display()))?;
    let is_new = files.any(|file| {
        let Ok(file) = file else { return false };
        let written = file.metadata().and_then(|metadata| metadata.modified());
        let is_state = file.path().extension().is_some_and(|extension| extension == "state");
        is_state && written.is_ok_and(|written| written > since)
    });
    Ok((!is_new).then(|| "the file is older than the room".to_owned()))
}
