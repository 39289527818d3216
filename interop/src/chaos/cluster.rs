//! Clusters of mingle agents, Serf agents and memberlist nodes, each on a host of its own.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};

use super::network::{Cut, Host, Network, Traffic};
use crate::context::Context;
use crate::peers::{
    GoEvent, GoPeer, GoPeerOptions, MingleAgent, MingleOptions, Process, Profile, SerfAgent,
    SerfOptions, SerfVersion,
};
use crate::view::{MemberSeen, View};

/// Who is in a cluster: so many of each kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Company {
    /// mingle agents: `a1`, `a2` and so on.
    pub(super) agents: u8,
    /// Agents of Serf 0.10.1: `s1` and so on.
    pub(super) serfs: u8,
    /// Nodes of bare memberlist: `g1` and so on.
    pub(super) gopeers: u8,
    /// What mingle agents keep.
    pub(super) memory: Memory,
}

/// What a mingle agent knows when it starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    /// Nothing.
    Nothing,
    /// What it has kept with `--state`, in a folder beside the logs.
    State,
}

/// A running cluster and the network between its nodes.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) agents: Vec<Agent>,
    pub(super) serfs: Vec<Placed<SerfAgent>>,
    pub(super) gopeers: Vec<Placed<GoPeer>>,
    pub(super) network: Network,
    context: Context,
}

/// A node on its host.
#[derive(Debug)]
pub(super) struct Placed<T> {
    peer: T,
    host: Arc<Host>,
}

/// A mingle agent, perhaps in its second life.
#[derive(Debug)]
pub(super) struct Agent {
    options: MingleOptions,
    lives: u32,
    placed: Placed<MingleAgent>,
}

impl Cluster {
    /// Starts everybody. All join the first agent.
    pub(super) fn start(context: &Context, prefix: &str, company: Company) -> Result<Self> {
        let network = Network::create(prefix)?;
        let mut cluster = Self {
            agents: Vec::new(),
            serfs: Vec::new(),
            gopeers: Vec::new(),
            network,
            context: context.clone(),
        };
        for number in 1..=company.agents {
            cluster.add_agent(&format!("a{number}"), company.memory)?;
        }
        for number in 1..=company.serfs {
            cluster.add_serf(&format!("s{number}"))?;
        }
        for number in 1..=company.gopeers {
            cluster.add_gopeer(&format!("g{number}"))?;
        }
        Ok(cluster)
    }

    /// One more mingle agent.
    pub(super) fn add_agent(&mut self, name: &str, memory: Memory) -> Result<()> {
        match memory {
            Memory::Nothing => self.add_agent_with(name, Vec::new()),
            Memory::State => {
                let folder = self.context.log_dir().join(format!("{name}.state"));
                fs::create_dir_all(&folder)
                    .with_context(|| format!("creating {}", folder.display()))?;
                self.add_agent_with(name, vec![format!("--state={}", folder.display())])
            }
        }
    }

    /// One more mingle agent, with these flags.
    pub(super) fn add_agent_with(&mut self, name: &str, flags: Vec<String>) -> Result<()> {
        let join = self.seed();
        self.add(MingleOptions { join, extra: flags, ..MingleOptions::named(name) })
    }

    /// One more mingle agent, which looks for others under a name that this resolver knows.
    pub(super) fn add_by_name(&mut self, name: &str, seed: &str, resolver: PathBuf) -> Result<()> {
        self.add(MingleOptions {
            resolver: Some(resolver),
            extra: vec![format!("--retry-join={seed}")],
            ..MingleOptions::named(name)
        })
    }

    fn add(&mut self, options: MingleOptions) -> Result<()> {
        let host = self.network.add_host()?;
        let mut extra = vec!["--log-format=json".to_owned()];
        extra.extend(options.extra);
        let options = MingleOptions {
            bind: Some(gossip(&host)),
            http: Some(CONTROL),
            profile: PROFILE,
            extra,
            ..options
        };
        let peer = host.namespace.run(|| MingleAgent::start(&self.context, &options))?;
        self.agents.push(Agent { options, lives: 1, placed: Placed { peer, host } });
        Ok(())
    }

    fn add_serf(&mut self, name: &str) -> Result<()> {
        let host = self.network.add_host()?;
        let options = SerfOptions {
            bind: Some(gossip(&host)),
            rpc: Some(CONTROL),
            profile: PROFILE,
            join: self.seed(),
            ..SerfOptions::named(name)
        };
        let start = || SerfAgent::start(&self.context, SerfVersion::V0_10_1, &options);
        let peer = host.namespace.run(start)?;
        self.serfs.push(Placed { peer, host });
        Ok(())
    }

    fn add_gopeer(&mut self, name: &str) -> Result<()> {
        let host = self.network.add_host()?;
        let options = GoPeerOptions {
            bind: Some(gossip(&host)),
            profile: PROFILE,
            ..GoPeerOptions::among_serf(name)
        };
        let peer = host.namespace.run(|| GoPeer::start(&self.context, &options))?;
        for seed in self.seed() {
            peer.join(seed)?;
        }
        self.gopeers.push(Placed { peer, host });
        Ok(())
    }

    /// Everybody exchanges views with the first agent, whom everybody has joined: gossip alone misses some.
    pub(super) fn gather(&self) -> Result<()> {
        for seed in self.seed() {
            for agent in self.agents.iter().skip(1) {
                agent.ask(|agent| agent.join(seed))?;
            }
            for serf in &self.serfs {
                serf.host.namespace.run(|| serf.peer.join(seed))?;
            }
            for gopeer in &self.gopeers {
                gopeer.peer.join(seed)?;
            }
        }
        Ok(())
    }

    /// Whom all others join.
    pub(super) fn seed(&self) -> Vec<SocketAddr> {
        self.agents.first().map(|agent| gossip(&agent.placed.host)).into_iter().collect()
    }

    /// Every node, by its view.
    pub(super) fn views(&self) -> Vec<&dyn View> {
        let mut views = self.mingle_views();
        views.extend(self.serfs.iter().map(|serf| -> &dyn View { serf }));
        views.extend(self.gopeers.iter().map(|gopeer| -> &dyn View { gopeer }));
        views
    }

    /// The mingle agents, by their views.
    pub(super) fn mingle_views(&self) -> Vec<&dyn View> {
        self.agents.iter().map(|agent| -> &dyn View { &agent.placed }).collect()
    }

    /// The names of all nodes.
    pub(super) fn names(&self) -> Vec<String> {
        self.views().into_iter().map(|view| view.name().to_owned()).collect()
    }

    /// Where each node listens.
    pub(super) fn addresses(&self) -> BTreeMap<String, SocketAddr> {
        let mut addresses = BTreeMap::new();
        let mut note = |name: &str, host: &Host| addresses.insert(name.to_owned(), gossip(host));
        for agent in &self.agents {
            note(agent.name(), &agent.placed.host);
        }
        for serf in &self.serfs {
            note(serf.name(), &serf.host);
        }
        for gopeer in &self.gopeers {
            note(gopeer.name(), &gopeer.host);
        }
        addresses
    }

    /// The agent of that name.
    pub(super) fn agent(&self, name: &str) -> Result<&Agent> {
        let found = self.agents.iter().find(|agent| agent.name() == name);
        found.with_context(|| format!("there is no agent {name}"))
    }

    /// The process of any node.
    pub(super) fn process(&self, name: &str) -> Result<&Process> {
        let agents = self.agents.iter().map(|agent| (agent.name(), agent.placed.peer.process()));
        let serfs = self.serfs.iter().map(|serf| (serf.name(), serf.peer.process()));
        let gopeers = self.gopeers.iter().map(|gopeer| (gopeer.name(), gopeer.peer.process()));
        let found = agents.chain(serfs).chain(gopeers).find(|(known, _)| *known == name);
        found.map(|(_, process)| process).with_context(|| format!("there is no node {name}"))
    }

    /// Drops packets from the first nodes to the second ones, and not back.
    pub(super) fn cut(&self, from: &[&str], to: &[&str], traffic: Traffic) -> Result<Cut> {
        Ok(Cut { from: self.ips(from)?, to: self.ips(to)?, traffic })
    }

    fn ips(&self, names: &[&str]) -> Result<Vec<Ipv4Addr>> {
        let addresses = self.addresses();
        let ip = |name: &&str| match addresses.get(*name) {
            Some(SocketAddr::V4(address)) => Ok(*address.ip()),
            Some(SocketAddr::V6(_)) | None => anyhow::bail!("there is no node {name}"),
        };
        names.iter().map(ip).collect()
    }

    /// Starts an agent that was killed once more, joining these and nobody else.
    pub(super) fn restart(&mut self, name: &str, join: Vec<SocketAddr>) -> Result<()> {
        let host = Arc::clone(&self.agent(name)?.placed.host);
        self.restart_at(name, host, join)
    }

    /// The same on another host, as another machine would take the name over.
    pub(super) fn restart_elsewhere(&mut self, name: &str, join: Vec<SocketAddr>) -> Result<()> {
        let host = self.network.add_host()?;
        self.restart_at(name, host, join)
    }

    fn restart_at(&mut self, name: &str, host: Arc<Host>, join: Vec<SocketAddr>) -> Result<()> {
        let found = self.agents.iter_mut().find(|agent| agent.name() == name);
        let agent = found.with_context(|| format!("there is no agent {name}"))?;
        // A life has a log of its own: whether an agent is ready is read from there.
        let log = self.context.log_dir().join(format!("{name}.log"));
        fs::rename(&log, log.with_file_name(former_log(name, agent.lives)))?;
        agent.lives += 1;
        agent.options = MingleOptions { bind: Some(gossip(&host)), join, ..agent.options.clone() };
        let peer = host.namespace.run(|| MingleAgent::start(&self.context, &agent.options))?;
        agent.placed = Placed { peer, host };
        Ok(())
    }

    /// How many deaths memberlist nodes and Serf agents have told of.
    pub(super) fn deaths_at_go(&self) -> Result<usize> {
        let mut deaths = 0;
        for gopeer in &self.gopeers {
            let events = gopeer.peer.events();
            deaths += events.iter().filter(|event| matches!(event, GoEvent::Leave(_))).count();
        }
        for serf in &self.serfs {
            deaths += serf.peer.logs()?.matches("serf: EventMemberFailed").count();
        }
        Ok(deaths)
    }
}

/// The name of the log of a life that is over.
fn former_log(name: &str, life: u32) -> String {
    format!("{name}.life-{life}.log")
}

const PROFILE: Profile = Profile::Lan;
const GOSSIP_PORT: u16 = 7946;

/// Where agents answer commands: every host has a loopback of its own.
const CONTROL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7374);

fn gossip(host: &Host) -> SocketAddr {
    SocketAddr::from((host.ip, GOSSIP_PORT))
}

impl Agent {
    /// The name of the node.
    pub(super) fn name(&self) -> &str {
        self.placed.name()
    }

    /// The agent itself, to be asked on its host.
    pub(super) fn ask<T: Send>(
        &self,
        ask: impl FnOnce(&MingleAgent) -> Result<T> + Send,
    ) -> Result<T> {
        self.placed.host.namespace.run(|| ask(&self.placed.peer))
    }

    /// Kills it as a power cut would.
    pub(super) fn kill(&self) -> Result<()> {
        self.placed.peer.kill()
    }

    /// Where it is.
    pub(super) fn host(&self) -> &Host {
        &self.placed.host
    }

    /// Where it answers commands, on its host.
    pub(super) fn http(&self) -> SocketAddr {
        CONTROL
    }

    /// The logs of all its lives, the first one first.
    pub(super) fn logs(&self) -> Vec<PathBuf> {
        let log = self.placed.peer.process().log_path();
        let former = (1..self.lives).map(|life| log.with_file_name(former_log(self.name(), life)));
        former.chain([log.to_owned()]).collect()
    }
}

impl<T: View + Sync> View for Placed<T> {
    fn name(&self) -> &str {
        self.peer.name()
    }

    fn view(&self) -> Result<BTreeMap<String, MemberSeen>> {
        self.host.namespace.run(|| self.peer.view())
    }

    fn remembers_departed(&self) -> bool {
        self.peer.remembers_departed()
    }
}
