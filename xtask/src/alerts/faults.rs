//! What is done to each cluster of a trial, and which alerts say so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::agents::{Agent, Place, Stutter};
use crate::shell::output;

/// A cluster and its fault.
pub(super) struct Case {
    pub(super) cluster: &'static str,
    /// Agents from the beginning.
    agents: u8,
    /// Agents that the fault brings.
    late: u8,
    flags: &'static [&'static str],
    fault: fn(&mut Ground) -> Result<()>,
    /// The alerts that have to fire.
    pub(super) fires: &'static [&'static str],
}

/// The cluster that nothing is done to, and in which nothing may fire.
pub(super) const HEALTHY: &str = "healthy";

pub(super) const CASES: [Case; 13] = [
    Case {
        cluster: HEALTHY,
        agents: 3,
        late: 0,
        flags: &["--encrypt", KEY],
        fault: |_| Ok(()),
        fires: &[],
    },
    Case { agents: 4, fault: split, ..one("split", &["MingleSplitBrain", "MingleMemberMissing"]) },
    Case { agents: 3, fault: small_packets, ..one("small_packets", &["MingleViewsDiffer"]) },
    Case { agents: 3, fault: streams_only, ..one("streams_only", &["MingleLinksDegraded"]) },
    Case { agents: 3, fault: lossy, ..one("lossy", &["MingleDoubtsItself"]) },
    Case { agents: 3, fault: flapping, ..one("flapping", &["MingleFlapping"]) },
    Case { agents: 2, fault: paused, ..one("paused", &["MinglePaused"]) },
    Case { agents: 2, fault: starved, ..one("starved", &["MingleLoopLate", "MingleAccused"]) },
    Case {
        late: 1,
        flags: &["--encrypt", KEY],
        fault: other_key,
        ..one("other_key", &["MingleRefusing", "MingleAlone", "MingleSeedMissing"])
    },
    Case { agents: 2, fault: walled, ..one("walled", &["MingleDropping"]) },
    Case { fault: no_folder, ..one("no_folder", &["MingleStateFileFailing"]) },
    Case { agents: 0, late: 1, fault: open, ..one("open", &["MingleInsecure"]) },
    Case { agents: 2, late: 1, fault: namesake, ..one("namesake", &["MingleNameConflict"]) },
];

const fn one(cluster: &'static str, fires: &'static [&'static str]) -> Case {
    Case { cluster, agents: 1, late: 0, flags: &[], fault: |_| Ok(()), fires }
}

/// Keys of nobody else's.
const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAA==";
const OTHER_KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQ==";

/// A cluster that runs, for its fault.
pub(super) struct Ground {
    program: PathBuf,
    folder: PathBuf,
    number: u8,
    pub(super) agents: Vec<Agent>,
    stutters: Vec<Stutter>,
}

impl Case {
    /// Where its agents are, those of the fault included.
    pub(super) fn places(&self, number: u8) -> Vec<Place> {
        (1..=self.agents + self.late).map(|agent| Place { cluster: number, agent }).collect()
    }

    /// Starts the agents of the beginning; each joins the first.
    pub(super) fn start(&self, program: &Path, folder: &Path, number: u8) -> Result<Ground> {
        let (program, folder) = (program.to_owned(), folder.to_owned());
        let (agents, stutters) = (Vec::new(), Vec::new());
        let mut ground = Ground { program, folder, number, agents, stutters };
        for agent in 1..=self.agents {
            let first = ground.place(1).gossip().to_string();
            let join: &[&str] = if agent == 1 { &[] } else { &["--join", &first] };
            ground.add(agent, &[self.flags, join].concat())?;
        }
        Ok(ground)
    }

    pub(super) fn induce(&self, ground: &mut Ground) -> Result<()> {
        (self.fault)(ground)
    }
}

impl Ground {
    fn place(&self, agent: u8) -> Place {
        Place { cluster: self.number, agent }
    }

    fn ip(&self, agent: u8) -> String {
        self.place(agent).ip().to_string()
    }

    fn state(&self, agent: u8) -> PathBuf {
        self.folder.join(format!("state-{}-{agent}", self.number))
    }

    fn add(&mut self, agent: u8, flags: &[&str]) -> Result<()> {
        let state = self.state(agent).display().to_string();
        let flags = [&["--state", &state], flags].concat();
        let started = Agent::start(&self.program, &self.folder, self.place(agent), &flags)?;
        self.agents.push(started);
        Ok(())
    }

    /// Makes an agent state a tag.
    fn tag(&self, agent: u8, tag: &str) -> Result<()> {
        let http = self.place(agent).http().to_string();
        let mut command = Command::new(&self.program);
        output(command.args(["tags", "--set", tag, "--http", &http])).map(drop)
    }

    /// Drops packets that come in without a word, as a network does.
    fn lose(&self, what: &str) -> Result<()> {
        filter(&format!("add rule inet mingle in {what} drop"))
    }

    /// No stream of the cluster gets through. The system chooses where one comes from, so that sides can't be told apart.
    fn lose_streams(&self) -> Result<()> {
        self.lose(&format!("ip daddr 127.7.{}.0/24 tcp dport 7946", self.number))
    }

    fn stutter(&mut self, still: Duration, run: Duration) {
        if let Some(agent) = self.agents.pop() {
            self.stutters.push(Stutter::start(agent, still, run));
        }
    }
}

/// Makes room for what faults drop.
pub(super) fn prepare() -> Result<()> {
    output(Command::new("ip").args(["link", "set", "lo", "up"]))?;
    filter("add table inet mingle")?;
    filter("add chain inet mingle in { type filter hook input priority 0 ; }")?;
    filter("add chain inet mingle out { type filter hook output priority 0 ; }")
}

fn filter(rule: &str) -> Result<()> {
    output(Command::new("nft").arg(rule)).map(drop)
}

/// Two halves of two do not hear each other.
fn split(ground: &mut Ground) -> Result<()> {
    let half = |a, b| format!("{{ {}, {} }}", ground.ip(a), ground.ip(b));
    for (from, to) in [(half(1, 2), half(3, 4)), (half(3, 4), half(1, 2))] {
        ground.lose(&format!("ip saddr {from} ip daddr {to} udp dport 7946"))?;
    }
    ground.lose_streams()
}

/// The path takes small packets only: pings pass, and the news that one of them has a long tag does not.
fn small_packets(ground: &mut Ground) -> Result<()> {
    ground.lose(&format!("ip daddr 127.7.{}.0/24 udp length > 300", ground.number))?;
    ground.lose_streams()?;
    ground.tag(1, &format!("long={}", "x".repeat(400)))
}

/// A firewall around one agent lets TCP pass, and not UDP.
fn streams_only(ground: &mut Ground) -> Result<()> {
    for side in ["saddr", "daddr"] {
        ground.lose(&format!("ip {side} {} udp dport 7946", ground.ip(3)))?;
    }
    Ok(())
}

/// Two of three packets to one agent get lost.
fn lossy(ground: &mut Ground) -> Result<()> {
    let to = ground.ip(1);
    ground.lose(&format!("ip daddr {to} udp dport 7946 numgen random mod 3 < 2"))?;
    ground.lose_streams()
}

/// One agent is paused for long enough to be suspected, and runs for long enough to refute.
fn flapping(ground: &mut Ground) -> Result<()> {
    ground.stutter(Duration::from_secs(5), Duration::from_secs(3));
    Ok(())
}

/// One agent is paused for longer than a probe interval, and runs for long enough to be scraped.
fn paused(ground: &mut Ground) -> Result<()> {
    ground.stutter(Duration::from_millis(1300), Duration::from_millis(1700));
    Ok(())
}

/// One agent gets too little time to act and to answer.
fn starved(ground: &mut Ground) -> Result<()> {
    ground.stutter(Duration::from_millis(1500), Duration::from_millis(1000));
    Ok(())
}

/// Somebody with another key wants to join.
fn other_key(ground: &mut Ground) -> Result<()> {
    let seed = ground.place(1).gossip().to_string();
    ground.add(2, &["--encrypt", OTHER_KEY, "--retry-join", &seed])
}

/// The firewall of an agent's own machine forbids it to send.
fn walled(ground: &mut Ground) -> Result<()> {
    filter(&format!("add rule inet mingle out ip saddr {} udp sport 7946 drop", ground.ip(1)))
}

/// The folder of the state file goes, and there is something to write.
fn no_folder(ground: &mut Ground) -> Result<()> {
    fs::remove_dir_all(ground.state(1))?;
    ground.tag(1, "role=web")
}

/// An agent listens everywhere, without a key.
fn open(ground: &mut Ground) -> Result<()> {
    let ip = ground.ip(1);
    ground.add(1, &["--bind", "0.0.0.0:17946", "--advertise", &ip])
}

/// Another agent takes the name of one that lives.
fn namesake(ground: &mut Ground) -> Result<()> {
    let (name, seed) = (format!("{}-1", ground.number), ground.place(2).gossip().to_string());
    ground.add(3, &["--name", &name, "--retry-join", &seed])
}
