//! Experiments that others have published, carried out with our machines.

pub mod lifeguard;
mod page;
mod statistics;
pub mod swim;
mod text;

use mingle_proto::{Change, Config, Event, Instant};

use crate::run::SEEDS;
use crate::scenario::Standing;
use crate::watch::{Onlooker, Watch};
use crate::world::World;

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
        let list = match change {
            Change::Suspected => &mut self.accusations,
            Change::Failed => &mut self.verdicts,
            _ => return,
        };
        let Some(subject) = member.name().strip_prefix('n').and_then(|name| name.parse().ok())
        else {
            return;
        };
        list.push(Verdict { at: now, observer: host, subject });
    }
}
