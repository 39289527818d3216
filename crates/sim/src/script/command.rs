//! What scripts can say.

use std::time::Duration;

use mingle_proto::Counter;
use mingle_wire::{Incarnation, State};

use super::forgery::Forgery;
use super::words::{Words, number};
use crate::network::Carrier;
use crate::scenario::{Address, Memory, Profile, Rules};
use crate::tape::Topic;
use crate::watch::Stop;

/// A line of a script.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Command {
    Config { name: String, value: String },
    Nodes(Setup),
    Name { host: Hosts, name: String },
    Start { hosts: Hosts, incarnation: Incarnation },
    Join { hosts: Hosts, with: Hosts },
    Leave(Hosts),
    Crash { hosts: Hosts, how: Stop },
    Restart { hosts: Hosts, place: Address, memory: Memory },
    Freeze(Hosts),
    Block(Hosts),
    Slow { hosts: Hosts, late: Duration, cost: Duration },
    Go(Hosts),
    Leap { hosts: Hosts, by: Duration },
    Cut(Cut),
    Heal,
    Forge(Forgery),
    Meta { hosts: Hosts, meta: String },
    Run(Duration),
    Until { condition: Condition, within: Duration },
    View { hosts: Hosts, full: bool },
    Count { hosts: Hosts, counters: Vec<Counter> },
    Show(Vec<Topic>),
    Hide(Vec<Topic>),
    About(Hosts),
}

/// What there is from the beginning.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Setup {
    pub(super) count: u32,
    pub(super) latency: Duration,
    pub(super) profile: Profile,
    pub(super) rules: Rules,
    pub(super) seed: u64,
    /// Whether all run and know each other.
    pub(super) converged: bool,
}

/// A way on which nothing gets through.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cut {
    pub(super) from: Hosts,
    pub(super) to: Hosts,
    pub(super) carrier: Carrier,
    pub(super) both_ways: bool,
}

/// Some hosts, by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hosts {
    All,
    List(Vec<u32>),
}

/// What may be so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Each of them sees the other one so; `None` is not at all.
    Sees { viewers: Hosts, about: u32, state: Option<State> },
    /// Their health score is this.
    Health { hosts: Hosts, score: u32 },
    /// All that run see exactly those that run.
    Agree,
}

/// Every command with how it is written, in the order of the alphabet.
const USAGES: [&str; 24] = [
    "about HOSTS",
    "block HOSTS",
    "config FIELD=VALUE",
    "count HOSTS COUNTER...",
    "crash HOSTS [machine]",
    "cut HOSTS HOSTS [packets|streams] [one-way]",
    "forge alive|moved|suspect|dead|left HOST to HOSTS [incarnation=N] [by=NAME] [own]",
    "freeze HOSTS",
    "go HOSTS",
    "heal",
    "hide TOPIC...",
    "join HOSTS HOST",
    "leap HOSTS TIME",
    "leave HOSTS",
    "meta HOSTS \"TEXT\"",
    "name HOST NAME",
    "nodes COUNT [latency=TIME] [profile=lan|wan|local] [rules=mingle|memberlist] [seed=N] [converged]",
    "restart HOSTS [new-address] [forgets]",
    "run TIME",
    "show TOPIC...",
    "slow HOSTS [timers=TIME] [per-packet=TIME]",
    "start HOSTS [incarnation=N]",
    "until HOSTS sees HOST alive|suspect|dead|left|unknown | HOSTS health N | all agree within TIME",
    "view HOSTS [full]",
];

impl Command {
    /// The command on a line.
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        let named = |usage: &&&str| usage.split(' ').next() == Some(name);
        let Some(usage) = USAGES.iter().find(named) else {
            let names: Vec<&str> = USAGES.iter().filter_map(|u| u.split(' ').next()).collect();
            return Err(format!("there is no command {name}; there are {}", names.join(", ")));
        };
        let mut words = Words::new(rest, usage);
        let command = Self::of(name, &mut words)?;
        words.end()?;
        Ok(command)
    }

    fn of(name: &str, words: &mut Words<'_>) -> Result<Self, String> {
        Ok(match name {
            "about" => Self::About(hosts(words)?),
            "block" => Self::Block(hosts(words)?),
            "config" => {
                let word = words.next()?;
                let (name, value) = word.split_once('=').ok_or_else(|| words.misplaced(word))?;
                Self::Config { name: name.to_owned(), value: value.to_owned() }
            }
            "count" => {
                let hosts = hosts(words)?;
                let counters = words.rest().into_iter().map(counter).collect::<Result<_, _>>()?;
                Self::Count { hosts, counters }
            }
            "crash" => {
                let machine = words.flag("machine");
                let how = if machine { Stop::MachineCrashed } else { Stop::ProcessCrashed };
                Self::Crash { hosts: hosts(words)?, how }
            }
            "cut" => Self::Cut(Cut::parse(words)?),
            "forge" => Self::Forge(Forgery::parse(words)?),
            "freeze" => Self::Freeze(hosts(words)?),
            "go" => Self::Go(hosts(words)?),
            "heal" => Self::Heal,
            "hide" => Self::Hide(topics(words)?),
            "join" => Self::Join { hosts: hosts(words)?, with: hosts(words)? },
            "leap" => Self::Leap { hosts: hosts(words)?, by: words.duration()? },
            "leave" => Self::Leave(hosts(words)?),
            "meta" => Self::Meta { hosts: hosts(words)?, meta: words.next()?.to_owned() },
            "name" => Self::Name { host: hosts(words)?, name: words.next()?.to_owned() },
            "nodes" => Self::Nodes(Setup::parse(words)?),
            "restart" => {
                let place = if words.flag("new-address") { Address::New } else { Address::Same };
                let memory = if words.flag("forgets") { Memory::Lost } else { Memory::Kept };
                Self::Restart { hosts: hosts(words)?, place, memory }
            }
            "run" => Self::Run(words.duration()?),
            "show" => Self::Show(topics(words)?),
            "slow" => {
                let late = words.duration_option("timers")?.unwrap_or_default();
                let cost = words.duration_option("per-packet")?.unwrap_or_default();
                Self::Slow { hosts: hosts(words)?, late, cost }
            }
            "start" => {
                let incarnation = words.incarnation_option()?.unwrap_or(Incarnation::FIRST);
                Self::Start { hosts: hosts(words)?, incarnation }
            }
            "until" => {
                let condition = Condition::parse(words)?;
                words.expect("within")?;
                Self::Until { condition, within: words.duration()? }
            }
            "view" => Self::View { full: words.flag("full"), hosts: hosts(words)? },
            other => unreachable!("{other} has a usage"),
        })
    }
}

impl Setup {
    fn parse(words: &mut Words<'_>) -> Result<Self, String> {
        let profile = match words.option("profile").unwrap_or("lan") {
            "lan" => Profile::Lan,
            "wan" => Profile::Wan,
            "local" => Profile::Local,
            other => return Err(words.misplaced(other)),
        };
        let rules = match words.option("rules").unwrap_or("mingle") {
            "mingle" => Rules::Mingle,
            "memberlist" => Rules::Memberlist,
            other => return Err(words.misplaced(other)),
        };
        let latency = words.duration_option("latency")?.unwrap_or(Duration::from_millis(1));
        let seed = words.number_option("seed")?.unwrap_or(1);
        let converged = words.flag("converged");
        let count = number(words.next()?)?;
        Ok(Self { count, latency, profile, rules, seed, converged })
    }
}

impl Cut {
    fn parse(words: &mut Words<'_>) -> Result<Self, String> {
        let carrier = match (words.flag("packets"), words.flag("streams")) {
            (true, false) => Carrier::Packets,
            (false, true) => Carrier::Streams,
            (true, true) | (false, false) => Carrier::Both,
        };
        let both_ways = !words.flag("one-way");
        Ok(Self { from: hosts(words)?, to: hosts(words)?, carrier, both_ways })
    }
}

impl Condition {
    fn parse(words: &mut Words<'_>) -> Result<Self, String> {
        let hosts = hosts(words)?;
        match words.next()? {
            "agree" if hosts == Hosts::All => Ok(Self::Agree),
            "health" => Ok(Self::Health { hosts, score: number(words.next()?)? }),
            "sees" | "see" => {
                let about = host(words.next()?)?;
                let state = match words.next()? {
                    "alive" => Some(State::Alive),
                    "suspect" => Some(State::Suspect),
                    "dead" => Some(State::Dead),
                    "left" => Some(State::Left),
                    "unknown" => None,
                    other => return Err(words.misplaced(other)),
                };
                Ok(Self::Sees { viewers: hosts, about, state })
            }
            other => Err(words.misplaced(other)),
        }
    }
}

pub(super) fn hosts(words: &mut Words<'_>) -> Result<Hosts, String> {
    let text = words.next()?;
    if text == "all" {
        return Ok(Hosts::All);
    }
    let mut list = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        list.extend(host(first)?..=host(last)?);
    }
    if list.is_empty() { Err(no_hosts(text)) } else { Ok(Hosts::List(list)) }
}

pub(super) fn host(text: &str) -> Result<u32, String> {
    let number = text.strip_prefix('n').and_then(|digits| digits.parse().ok());
    number.ok_or_else(|| no_hosts(text))
}

fn no_hosts(text: &str) -> String {
    format!("{text:?} names no nodes; write n0, n0,n2, n0-n4 or all")
}

fn topics(words: &mut Words<'_>) -> Result<Vec<Topic>, String> {
    let topic = |word: &str| {
        let found = Topic::ALL.iter().find(|(name, _)| *name == word);
        found.map(|&(_, topic)| topic).ok_or_else(|| {
            let names: Vec<&str> = Topic::ALL.iter().map(|&(name, _)| name).collect();
            format!("there is no topic {word}; there are {}", names.join(", "))
        })
    };
    words.rest().into_iter().map(topic).collect()
}

fn counter(word: &str) -> Result<Counter, String> {
    Counter::ALL.iter().copied().find(|counter| counter.name() == word).ok_or_else(|| {
        let names: Vec<&str> = Counter::ALL.iter().map(|counter| counter.name()).collect();
        format!("there is no counter {word}; there are {}", names.join(", "))
    })
}
