//! Whether all nodes see what is so.

use std::fmt;
use std::time::Duration;

use mingle_proto::{Config, Member, Node, Reconnects};
use mingle_wire::State;
use serde::Serialize;

use crate::run::SEEDS;
use crate::world::{Host, JOIN_AGAIN, World};

/// Somebody sees something that is not so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Disagreement {
    /// Who.
    pub viewer: String,
    /// About whom.
    pub about: String,
    /// What it sees.
    pub sees: String,
    /// What is so.
    pub truth: String,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { viewer, about, sees, truth } = self;
        write!(f, "{viewer} sees {about} {sees}; it is {truth}")
    }
}

/// As many are told; more would help nobody.
pub(crate) const MOST: usize = 50;

/// Whether there is no disagreement.
pub(crate) fn all_agree(world: &World) -> bool {
    up_to(1, world).is_empty()
}

/// Every node that is up sees exactly those that are up as they are, accuses nobody, and has nothing
/// more to tell; who does not, and about whom.
pub(crate) fn disagreements(world: &World) -> Vec<Disagreement> {
    up_to(MOST, world)
}

fn up_to(most: usize, world: &World) -> Vec<Disagreement> {
    let mut found = Vec::new();
    let up: Vec<(&Host, &Node)> =
        world.hosts.iter().filter_map(|host| Some((host, host.node.as_ref()?))).collect();
    let Some(&(_, first)) = up.first() else { return found };
    let print = first.view_fingerprint();
    for (i, &(host, node)) in up.iter().enumerate() {
        // Equal fingerprints are equal views; the checkers see to that. So who agrees with the first
        // is looked at only when that one is wrong.
        if i == 0 || !found.is_empty() || node.view_fingerprint() != print || node.suspected() > 0 {
            compare(world, host, node, &mut found);
        }
        // Who is alone has nobody to tell it to.
        if node.queued() > 0 && up.len() > 1 && found.len() < most {
            found.push(Disagreement {
                viewer: host.name.clone(),
                about: "its queue".to_owned(),
                sees: format!("with {} claims", node.queued()),
                truth: "time for it to be empty".to_owned(),
            });
        }
        if found.len() >= most {
            break;
        }
    }
    found
}

fn compare(world: &World, viewer: &Host, node: &Node, found: &mut Vec<Disagreement>) {
    let mut live = 0;
    for host in &world.hosts {
        let seen = node.member(&host.name);
        live += usize::from(seen.as_ref().is_some_and(|member| member.state.is_live()));
        let problem = match (&host.node, seen) {
            (None, Some(member)) if member.state.is_live() => {
                Some((member.state.to_string(), "down".to_owned()))
            }
            (None, _) => None,
            (Some(subject), None) => Some(("not at all".to_owned(), truth(subject))),
            (Some(subject), Some(member)) => {
                let is = subject.local();
                let same = member.state == State::Alive
                    && member.incarnation == is.incarnation
                    && member.profile == is.profile;
                (!same).then(|| (sight(&member), truth(subject)))
            }
        };
        if let Some((sees, truth)) = problem {
            let (viewer, about) = (viewer.name.clone(), host.name.clone());
            found.push(Disagreement { viewer, about, sees, truth });
        }
    }
    if node.live_count() != live {
        found.push(Disagreement {
            viewer: viewer.name.clone(),
            about: "the cluster".to_owned(),
            sees: format!("with {} live members", node.live_count()),
            truth: format!("one where {live} of its nodes are seen live"),
        });
    }
}

fn sight(member: &Member) -> String {
    format!(
        "{} at incarnation {} at {} with {} bytes of meta",
        member.state,
        member.incarnation.get(),
        member.address(),
        member.meta().len()
    )
}

fn truth(node: &Node) -> String {
    let local = node.local();
    format!(
        "up at incarnation {} at {} with {} bytes of meta",
        local.incarnation.get(),
        local.address(),
        local.meta().len()
    )
}

/// How long a calm world may take until all agree, by its configuration: until each of the dead was
/// probed by somebody and its suspicion ran out, twice, as a first verdict may be of before; until
/// the news was pushed and pulled to those whom gossip missed; and until joins were tried again.
pub(crate) fn settling_time(world: &World) -> Duration {
    let config: &Config = world.config();
    let count = u32::try_from(world.hosts.len().max(2)).unwrap_or(u32::MAX);
    let doublings = u32::BITS - count.leading_zeros();
    let slowed = config.awareness_max_multiplier;
    let probing = config.probe_interval * slowed * (3 + doublings);
    let log = libm::log10(f64::from(count)).max(1.0);
    let shortest = config.probe_interval.mul_f64(f64::from(config.suspicion_mult) * log);
    let suspicion = shortest * config.suspicion_max_timeout_mult;
    let exchange = config.push_pull_interval * (1 + doublings.saturating_sub(5));
    let joining = (JOIN_AGAIN + config.tcp_timeout * SEEDS) * 2;
    (probing + suspicion) * 2 + exchange * (2 + doublings) + joining
}

/// How much longer it may take where nobody joins anybody in the end, and nodes have to find each other:
/// about one attempt in an interval looks for each of the missing, and no more are made at once than
/// end while those time out that nobody refuses. With sixteen of them one in ten million is missed.
pub(crate) fn finding_time(world: &World) -> Duration {
    let config = world.config();
    match config.rules.reconnects {
        Reconnects::BuiltIn => config.reconnect_interval.max(config.tcp_timeout) * 16,
        Reconnects::LeftToUsers => Duration::ZERO,
    }
}
