//! What is done to clusters, one function each.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::cluster::{Company, Memory};
use super::network::Traffic;
use super::trial::Trial;
use super::{disk, dns};

/// One thing that happens to a cluster.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    /// The name, by which it is selected.
    pub(super) name: &'static str,
    /// What happens, and what has to come of it.
    pub(super) shows: &'static str,
    /// Whether it is run when nobody asks for it.
    pub(super) length: Length,
    /// Who is in the cluster.
    pub(super) company: Company,
    /// What is done.
    pub(super) run: fn(&mut Trial) -> Result<()>,
    /// What `mingle why` tells in the end.
    pub(super) tells: &'static [Tale],
}

/// Words that an agent has in its answer to `mingle why`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tale {
    /// Who is asked.
    pub(super) witness: &'static str,
    /// About whom.
    pub(super) about: &'static str,
    /// What must stand there.
    pub(super) words: &'static str,
}

const fn tale(witness: &'static str, about: &'static str, words: &'static str) -> Tale {
    Tale { witness, about, words }
}

/// How long a case takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Length {
    /// Two minutes at most, three when a limit is missed.
    Short,
    /// Longer than anybody waits for a check.
    Long,
}

/// All cases; the longest of the short ones come first, so that they are not waited for in the end.
pub(super) const CASES: &[Case] = &[
    Case {
        name: "partition-long",
        shows: "two halves, with Serf in both, for ten minutes: they find together by themselves",
        length: Length::Long,
        company: HALVES,
        run: |trial| partition(trial, Duration::from_secs(600), Duration::from_secs(60)),
        tells: &[tale("a1", "a2", "failed: ")],
    },
    Case {
        name: "partition-long-no-serf",
        shows: "the same where no Serf agent dials those that it has lost",
        length: Length::Long,
        company: Company { serfs: 0, ..HALVES },
        run: |trial| partition(trial, Duration::from_secs(600), Duration::from_secs(60)),
        tells: &[tale("a1", "a2", "failed: ")],
    },
    Case {
        name: "new-address",
        shows: "a killed agent is back at once under its name at another address",
        run: new_address,
        tells: &[tale("a1", "a3", "failed: ")],
        ..PLAIN
    },
    Case {
        name: "pause-30s",
        shows: "an agent and a memberlist node stand still for 30 s and go on",
        run: pause,
        tells: &[tale("a1", "a4", "failed: "), tale("a4", "a4", "late: this node could not run")],
        ..PLAIN
    },
    Case {
        name: "udp-block",
        shows: "UDP between two agents is dropped for 60 s: nobody is seen as down",
        run: udp_block,
        tells: &[tale("a2", "a3", "link degraded")],
        ..PLAIN
    },
    Case {
        name: "udp-block-one",
        shows: "UDP of one agent with everybody is dropped for 60 s: it does not flap",
        run: udp_block_one,
        tells: &[tale("a1", "a3", "answers on streams (TCP) only")],
        ..PLAIN
    },
    Case {
        name: "one-way",
        shows: "packets from one agent to another are dropped for 45 s, and not back: nobody is seen as down",
        run: one_way,
        tells: &[tale("a2", "a3", "link degraded")],
        ..PLAIN
    },
    Case {
        name: "partition-10s",
        shows: "two halves, with Serf in both, for ten seconds",
        company: HALVES,
        run: |trial| partition(trial, Duration::from_secs(10), Duration::from_secs(45)),
        tells: &[tale("a1", "a2", "suspected: ")],
        ..PLAIN
    },
    Case {
        name: "mass-restart",
        shows: "all agents but one are killed and back at once, knowing nothing but the one",
        run: |trial| mass_restart(trial, Memory::Nothing),
        ..PLAIN
    },
    Case {
        name: "mass-restart-state",
        shows: "all agents but one are killed and back at once, knowing what they kept",
        company: Company { memory: Memory::State, ..EVERYBODY },
        run: |trial| mass_restart(trial, Memory::State),
        tells: &[tale("a1", "a2", "renewed: ")],
        ..PLAIN
    },
    Case {
        name: "disk-full",
        shows: "the disk with an agent's state is full for a while: it goes on and says so once",
        run: disk::full,
        ..PLAIN
    },
    Case {
        name: "dns-moves",
        shows: "names stand for nobody, then for a cluster, then for where it has moved as a whole: who knows only them finds it each time",
        company: Company { agents: 3, serfs: 0, gopeers: 0, memory: Memory::Nothing },
        run: dns::moves,
        tells: &[tale("a4", "a1", "failed: ")],
        ..PLAIN
    },
];

const PLAIN: Case = Case {
    name: "",
    shows: "",
    length: Length::Short,
    company: EVERYBODY,
    run: |_| Ok(()),
    tells: &[],
};

const EVERYBODY: Company = Company { agents: 5, serfs: 1, gopeers: 2, memory: Memory::Nothing };
const HALVES: Company = Company { serfs: 2, ..EVERYBODY };

/// Longer than the 30 s until the next push/pull of whoever is missed by gossip.
const SOON: Duration = Duration::from_secs(40);

/// Pings between the two fail; helpers and streams get through.
fn udp_block(trial: &mut Trial) -> Result<()> {
    trial.suffer(&["a2", "a3"]);
    let cluster = &trial.cluster;
    let cuts = [
        cluster.cut(&["a2"], &["a3"], Traffic::Udp)?,
        cluster.cut(&["a3"], &["a2"], Traffic::Udp)?,
    ];
    trial.cut("UDP between a2 and a3 is dropped", &cuts)?;
    trial.hold("while UDP is dropped", Duration::from_secs(60))?;
    let healed = trial.heal()?;
    trial.one_view("one view after UDP passes", healed, SOON)
}

/// No helper reaches it either. What is left are pings on streams.
fn udp_block_one(trial: &mut Trial) -> Result<()> {
    trial.suffer(&["a3"]);
    let names = others(trial, &["a3"]);
    let others: Vec<_> = names.iter().map(String::as_str).collect();
    let cluster = &trial.cluster;
    let cuts = [
        cluster.cut(&["a3"], &others, Traffic::Udp)?,
        cluster.cut(&others, &["a3"], Traffic::Udp)?,
    ];
    trial.cut("UDP of a3 is dropped, both ways", &cuts)?;
    trial.hold("while UDP is dropped", Duration::from_secs(60))?;
    let healed = trial.heal()?;
    trial.one_view("one view after UDP passes", healed, SOON)
}

fn one_way(trial: &mut Trial) -> Result<()> {
    trial.suffer(&["a2", "a3"]);
    let cuts = [trial.cluster.cut(&["a2"], &["a3"], Traffic::All)?];
    trial.cut("everything from a2 to a3 is dropped", &cuts)?;
    trial.hold("while one way is dropped", Duration::from_secs(45))?;
    let healed = trial.heal()?;
    trial.one_view("one view after both ways pass", healed, SOON)
}

/// Everybody with an odd number is in one half: some of each kind.
fn partition(trial: &mut Trial, lasting: Duration, limit: Duration) -> Result<()> {
    let names = trial.cluster.names();
    let is_odd = |name: &&str| name.ends_with(['1', '3', '5']);
    let (odd, even): (Vec<_>, Vec<_>) = names.iter().map(String::as_str).partition(is_odd);
    trial.suffer(&["a1", "a2"]);
    let cluster = &trial.cluster;
    let cuts = [cluster.cut(&odd, &even, Traffic::All)?, cluster.cut(&even, &odd, Traffic::All)?];
    trial.excuse(&odd, &even);
    trial.excuse(&even, &odd);
    trial.cut(&format!("{} and {} are cut apart", odd.join(" "), even.join(" ")), &cuts)?;
    trial.pass(lasting)?;
    // Suspicions of the other side still run out, and the news of it goes to both.
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    trial.excuse(&names, &names);
    let healed = trial.heal()?;
    trial.one_view("one view after the link returns", healed, limit)?;
    trial.end_excuses_at_once();
    Ok(())
}

/// The memberlist node may take its time: what it heard while it stood still is old by then.
fn pause(trial: &mut Trial) -> Result<()> {
    const ASLEEP: [&str; 2] = ["a4", "g2"];
    trial.suffer(&ASLEEP);
    trial.excuse_all(&ASLEEP);
    for name in ASLEEP {
        trial.cluster.process(name)?.pause()?;
    }
    trial.note("a4 and g2 stand still")?;
    trial.pass(Duration::from_secs(30))?;
    for name in ASLEEP {
        trial.cluster.process(name)?.resume()?;
    }
    let resumed = Instant::now();
    trial.end_excuses();
    trial.note("a4 and g2 go on")?;
    trial.seen_by_mingle("mingle sees a4 as alive", "a4", resumed, Duration::from_secs(10))?;
    trial.one_view("one view after they go on", resumed, Duration::from_secs(60))
}

/// Whoever finds nobody at the old address is right to say so, but must not take as long as a suspicion for it.
///
/// memberlist and Serf hold on to the old address until they have taken it for dead (24 s at most), have forgotten it (30 s), and hear
/// of the new one (30 s until the next push/pull).
fn new_address(trial: &mut Trial) -> Result<()> {
    trial.suffer(&["a3"]);
    trial.excuse_all(&["a3"]);
    trial.cluster.agent("a3")?.kill()?;
    let killed = Instant::now();
    trial.note("a3 is killed")?;
    let seed = trial.cluster.seed();
    trial.cluster.restart_elsewhere("a3", seed)?;
    trial.note("a3 has joined from another address")?;
    trial.seen_by_mingle("mingle has the new address", "a3", killed, Duration::from_secs(5))?;
    trial.end_excuses();
    trial.one_view("Serf and memberlist have it too", killed, Duration::from_secs(120))
}

/// Each is back before anybody has missed it, at a later incarnation.
fn mass_restart(trial: &mut Trial, memory: Memory) -> Result<()> {
    const KILLED: [&str; 4] = ["a2", "a3", "a4", "a5"];
    trial.suffer(&KILLED);
    let join = match memory {
        Memory::Nothing => trial.cluster.seed(),
        Memory::State => {
            // Members are written down every 10 s at most.
            trial.pass(Duration::from_secs(12))?;
            Vec::new()
        }
    };
    trial.excuse_all(&KILLED);
    for name in KILLED {
        trial.cluster.agent(name)?.kill()?;
    }
    trial.note("a2, a3, a4 and a5 are killed")?;
    for name in KILLED {
        trial.cluster.restart(name, join.clone())?;
    }
    let restarted = Instant::now();
    trial.end_excuses();
    trial.note("all of them are back")?;
    trial.one_view("one view after they are back", restarted, SOON)
}

fn others(trial: &Trial, without: &[&str]) -> Vec<String> {
    let names = trial.cluster.names().into_iter();
    names.filter(|name| !without.contains(&name.as_str())).collect()
}
