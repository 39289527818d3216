//! Experiments that others have published, carried out with our machines.

pub mod lifeguard;
mod page;
pub mod plan;
pub mod rapid;
pub mod scale;
mod statistics;
pub mod swim;
mod text;

use mingle_proto::{Change, Config, Event, Instant};

use crate::run::SEEDS;
use crate::scenario::Standing;
use crate::watch::{Onlooker, Watch};
use crate::world::World;

pub(crate) use statistics::to_f64;
pub use statistics::{Interval, mean_with_interval, quantile, sum_with_interval};

/// A world of nodes that know each other, where a ledger is kept and nobody else looks on.
///
/// # Panics
///
/// When no node can run with the configuration.
pub(crate) fn converged(config: &Config, nodes: u32, network: &Standing, seed: u64) -> World {
    let room = network.packet_room as usize;
    let mut world = World::new(config.clone(), room, network.build(nodes), seed);
    world.watch = Watch { ledger: Some(Ledger::default()), ..Watch::default() };
    world.add_hosts(nodes);
    world.start_converged(SEEDS).expect("the configuration was checked");
    world
}

/// Who suspected and who declared whom dead, and when.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) accusations: Vec<Verdict>,
    pub(crate) verdicts: Vec<Verdict>,
    /// How often each observer was told that somebody is a member now, or is one no more.
    pub(crate) changes: Vec<u64>,
    /// Whose arrivals are written down.
    pub(crate) newcomer: Option<u32>,
    /// When somebody first saw it as a member.
    pub(crate) arrivals: Vec<Instant>,
}

/// One member became suspect or dead in one view.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    pub(crate) at: Instant,
    pub(crate) observer: u32,
    pub(crate) subject: u32,
}

impl Onlooker for Ledger {
    fn event(&mut self, now: Instant, host: u32, _: Instant, event: &Event) {
        let Event::Member { change, member, .. } = event else { return };
        let subject = || member.name().strip_prefix('n')?.parse().ok();
        if matches!(change, Change::Joined | Change::Failed | Change::Left) {
            let observer = host as usize;
            self.changes.resize(self.changes.len().max(observer + 1), 0);
            self.changes[observer] += 1;
        }
        let list = match change {
            Change::Suspected => &mut self.accusations,
            Change::Failed => &mut self.verdicts,
            Change::Joined if self.newcomer.is_some() && self.newcomer == subject() => {
                return self.arrivals.push(now);
            }
            _ => return,
        };
        if let Some(subject) = subject() {
            list.push(Verdict { at: now, observer: host, subject });
        }
    }
}
