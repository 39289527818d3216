use std::time::Duration;

use super::network::{carrier, disturbance};
use super::{list, one, some};
use crate::nodes::Nodes;
use crate::rng::{Chance, Rng};
use crate::scenario::{Address, Claim, Fault, Hostile, Memory, Timed};

/// Where a process is when it starts again. Elsewhere, a name whose old process is not known to be
/// dead is a conflict: it is refused.
const SAME: Address = Address::Same;

/// What kinds of faults there are; each seed has some of them.
const KINDS: [fn(&mut Rng, u32) -> Fault; 15] = [
    |rng, nodes| Fault::Crash {
        nodes: some(rng, nodes),
        machine: rng.chance(Chance::of(0.5)),
        address: SAME,
        memory: memory(rng),
    },
    |rng, nodes| Fault::Leave { nodes: some(rng, nodes), address: SAME, memory: memory(rng) },
    |rng, nodes| Fault::RollingRestart {
        nodes: some(rng, nodes),
        every: millis(rng, 50, 5000),
        down: millis(rng, 10, 10_000),
        address: SAME,
        memory: memory(rng),
        goodbye: rng.chance(Chance::of(0.5)),
    },
    |rng, nodes| Fault::Churn {
        nodes: some(rng, nodes),
        percent_per_minute: f64::from(u32::try_from(rng.within(1, 400)).expect("it is small")),
        down: millis(rng, 10, 10_000),
        address: SAME,
        memory: memory(rng),
    },
    |rng, nodes| Fault::Pause { nodes: some(rng, nodes) },
    |rng, nodes| Fault::Block { nodes: some(rng, nodes) },
    |rng, nodes| Fault::Slow {
        nodes: some(rng, nodes),
        timers: millis(rng, 0, 1500),
        per_packet: millis(rng, 0, 30),
    },
    |rng, nodes| Fault::Drift {
        nodes: some(rng, nodes),
        millionths: i32::try_from(rng.below(200_000)).expect("it is small") - 100_000,
    },
    |rng, nodes| Fault::Leap { nodes: some(rng, nodes), by: millis(rng, 0, 60_000) },
    |rng, nodes| Fault::Partition { sides: sides(rng, nodes), carrier: carrier(rng) },
    |rng, nodes| Fault::Link {
        from: some(rng, nodes),
        to: if rng.chance(Chance::of(0.5)) { Nodes::All } else { some(rng, nodes) },
        carrier: carrier(rng),
        both_ways: rng.chance(Chance::of(0.5)),
        disturbance: disturbance(rng),
    },
    |rng, nodes| Fault::Meta {
        nodes: some(rng, nodes),
        bytes: u32::try_from(rng.below(513)).expect("it is at most 512"),
    },
    |rng, nodes| Fault::Join { nodes: some(rng, nodes), with: one(rng, nodes) },
    |rng, nodes| {
        let stream = rng.chance(Chance::of(0.5));
        let most = if stream { 100_000 } else { 2000 };
        let bytes = u32::try_from(rng.below(most)).expect("it is small");
        Fault::Send { nodes: some(rng, nodes), to: some(rng, nodes), bytes, stream }
    },
    |rng, nodes| {
        let kinds = [Hostile::Garbage, Hostile::HugeCount, Hostile::Bomb, Hostile::FarFuture];
        Fault::Hostile { to: some(rng, nodes), packet: kinds[rng.index(kinds.len())] }
    },
];

/// What goes wrong, and what nodes have to do meanwhile.
pub(super) fn draw(rng: &mut Rng, nodes: u32, duration: Duration) -> Vec<Timed> {
    let mut faults = rumours(rng, nodes, duration);
    let kinds: Vec<_> = KINDS.iter().filter(|_| rng.chance(Chance::of(0.4))).collect();
    if !kinds.is_empty() {
        let seconds = duration.as_secs();
        for _ in 0..rng.within(1, 8) {
            let at = millis(rng, 0, seconds * 1000 - 1);
            let lasts = millis(rng, 100, seconds * 600);
            let fault = kinds[rng.index(kinds.len())](rng, nodes);
            let ends = rng.chance(Chance::of(0.8));
            faults.push(Timed { at, lasts: ends.then_some(lasts), again: None, fault });
        }
    }
    faults.sort_by_key(|timed| timed.at);
    faults
}

fn millis(rng: &mut Rng, low: u64, high: u64) -> Duration {
    Duration::from_millis(rng.within(low, high))
}

/// Two sides or three, and perhaps some on none of them, who see everybody.
fn sides(rng: &mut Rng, nodes: u32) -> Vec<Nodes> {
    let mut all: Vec<u32> = (0..nodes).collect();
    rng.shuffle(&mut all);
    if all.len() > 2 && rng.chance(Chance::of(0.3)) {
        all.truncate(2 + rng.index(all.len() - 2));
    }
    let cut = 1 + rng.index(all.len() - 1);
    let (one, other) = all.split_at(cut);
    if other.len() > 1 && rng.chance(Chance::of(0.3)) {
        let (other, third) = other.split_at(1 + rng.index(other.len() - 1));
        return vec![list(one), list(other), list(third)];
    }
    vec![list(one), list(other)]
}

/// What is said of nodes and is not so, be it forged or of a life that they have forgotten.
fn rumours(rng: &mut Rng, nodes: u32, duration: Duration) -> Vec<Timed> {
    let millis = duration.as_secs() * 1000 - MOST_BEHIND;
    let mut faults = Vec::new();
    if rng.chance(Chance::of(0.2)) {
        for _ in 0..rng.within(1, 4) {
            let at = Duration::from_millis(rng.below(millis));
            faults.push(Timed { at, lasts: None, again: None, fault: forgery(rng, nodes) });
        }
    }
    if rng.chance(Chance::of(0.15)) {
        let at = Duration::from_millis(rng.below(millis));
        faults.extend(accused_of_the_next(rng, nodes, at));
    }
    if rng.chance(Chance::of(0.15)) {
        faults.extend(begun_below(rng, nodes, millis));
    }
    if rng.chance(Chance::of(0.15)) {
        faults.extend(buried_after_a_goodbye(rng, nodes, millis));
    }
    faults
}

fn forgery(rng: &mut Rng, nodes: u32) -> Fault {
    let claims = [Claim::Left, Claim::Dead, Claim::Suspect, Claim::Moved];
    Fault::Forge {
        to: some(rng, nodes),
        claim: claims[rng.index(claims.len())],
        about: u32::try_from(rng.below(nodes.into())).expect("it is below a u32"),
        ahead: u32::try_from(rng.below(4)).expect("it is small"),
    }
}

/// How many milliseconds news may be behind the accusation that overtakes it.
const MOST_BEHIND: u64 = 20;

/// An accusation is faster than the incarnation that it is about, at which the accused has news.
fn accused_of_the_next(rng: &mut Rng, nodes: u32, at: Duration) -> [Timed; 2] {
    let about = u32::try_from(rng.below(nodes.into())).expect("it is below a u32");
    let (to, claim) = (some(rng, nodes), Claim::Suspect);
    let bytes = u32::try_from(rng.below(513)).expect("it is at most 512");
    let accused = Fault::Forge { to, claim, about, ahead: 1 };
    let news = Fault::Meta { nodes: Nodes::one(about), bytes };
    let later = at + Duration::from_millis(rng.below(MOST_BEHIND));
    [
        Timed { at, lasts: None, again: None, fault: accused },
        Timed { at: later, lasts: None, again: None, fault: news },
    ]
}

/// Whoever has said goodbye is called dead at the incarnation that it went with.
fn buried_after_a_goodbye(rng: &mut Rng, nodes: u32, millis: u64) -> [Timed; 2] {
    let about = u32::try_from(rng.below(nodes.into())).expect("it is below a u32");
    let gone = Fault::Leave { nodes: Nodes::one(about), address: SAME, memory: memory(rng) };
    let (to, claim) = (some(rng, nodes), Claim::Dead);
    let buried = Fault::Forge { to, claim, about, ahead: 0 };
    let first = rng.below(millis / 2);
    let second = first + rng.within(100, 5000);
    let (first, second) = (Duration::from_millis(first), Duration::from_millis(second));
    let away = rng.chance(Chance::of(0.5)).then(|| Duration::from_millis(rng.within(2000, 20_000)));
    [
        Timed { at: first, lasts: away, again: None, fault: gone },
        Timed { at: second, lasts: None, again: None, fault: buried },
    ]
}

/// Processes begin by their wall clocks, and again when those were set back.
fn begun_below(rng: &mut Rng, nodes: u32, millis: u64) -> [Timed; 3] {
    let hosts = some(rng, nodes);
    let first = rng.below(millis / 2);
    let second = Duration::from_millis(rng.within(first + 3000, millis));
    let first = Duration::from_millis(first);
    let seconds = -i64::try_from(rng.within(100, 1000)).expect("it is small");
    let mut crash = |at, longest| {
        let (nodes, address, memory) = (hosts.clone(), Address::Same, Memory::Lost);
        let lasts = Some(Duration::from_millis(rng.within(100, longest)));
        Timed {
            at,
            lasts,
            again: None,
            fault: Fault::Crash { nodes, machine: false, address, memory },
        }
    };
    let (once, again) = (crash(first, 2000), crash(second, 10_000));
    let back = Fault::WallClock { nodes: hosts, seconds };
    [once, Timed { at: second, lasts: None, again: None, fault: back }, again]
}

fn memory(rng: &mut Rng) -> Memory {
    if rng.chance(Chance::of(0.5)) { Memory::Lost } else { Memory::Kept }
}
