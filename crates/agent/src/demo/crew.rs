use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mingle::transport::NetTransport;
use mingle::{Change, Cluster, Config, Decided, Item, State, Stats};
use tokio::sync::mpsc;

use super::link::{Cuts, Link};
use crate::access::Access;
use crate::agent::{Running, Security};
use crate::cli::Profile;
use crate::endpoint::Place;
use crate::exit::Failure;
use crate::http::{self, Server};

/// The agents of the demonstration.
pub(super) struct Crew {
    pub(super) agents: Vec<Agent>,
    pub(super) cuts: Cuts,
    pub(super) decided: mpsc::UnboundedReceiver<Told>,
    tell: mpsc::UnboundedSender<Told>,
    /// Numbers of agents that have ended.
    ended: Vec<Stats>,
}

/// One agent, or where it was.
pub(super) struct Agent {
    pub(super) name: String,
    pub(super) live: Option<Live>,
}

pub(super) struct Live {
    pub(super) cluster: Cluster,
    pub(super) http: Place,
    server: Server,
}

/// A change of a member, as one agent decided it.
pub(super) struct Told {
    pub(super) by: Arc<str>,
    pub(super) when: Instant,
    pub(super) about: Arc<str>,
    pub(super) change: Change,
    pub(super) text: String,
}

impl Crew {
    pub(super) fn new(nodes: u8) -> Self {
        let (tell, decided) = mpsc::unbounded_channel();
        let name = |n: u8| match nodes {
            0..=26 => char::from(b'a' + n).to_string(),
            _ => format!("n{}", n + 1),
        };
        let agents = (0..nodes).map(|n| Agent { name: name(n), live: None }).collect();
        Self { agents, cuts: Cuts::default(), decided, tell, ended: Vec::new() }
    }

    /// Starts an agent that knows the address of another one, if there is any.
    pub(super) async fn start(&mut self, index: usize) -> Result<SocketAddr, Failure> {
        let seed = self.live().next().map(|live| live.cluster.local_addr());
        let name = self.agents[index].name.clone();
        let live = start(&name, seed, self.cuts.clone()).await?;
        self.listen(&live.cluster);
        let address = live.cluster.local_addr();
        self.agents[index].live = Some(live);
        Ok(address)
    }

    /// Passes on what the agent decides of members.
    fn listen(&self, cluster: &Cluster) {
        let (by, tell): (Arc<str>, _) = (cluster.name().into(), self.tell.clone());
        let mut decisions = cluster.decisions();
        tokio::spawn(async move {
            while let Some(item) = decisions.next().await {
                let Item::Item(decision) = item else { continue };
                let text = decision.what.to_string();
                let Decided::Member(change) = decision.what else { continue };
                let (about, change) = (change.name, change.change);
                let told = Told { by: Arc::clone(&by), when: Instant::now(), about, change, text };
                if tell.send(told).is_err() {
                    return;
                }
            }
        });
    }

    /// Ends an agent without a word to the others.
    pub(super) async fn kill(&mut self, index: usize) {
        if let Some(live) = self.agents[index].live.take() {
            live.cluster.stop().await;
            self.ended.push(live.cluster.stats().await);
            live.server.stop().await;
        }
    }

    /// All agents that run.
    pub(super) fn live(&self) -> impl Iterator<Item = &Live> {
        self.agents.iter().filter_map(|agent| agent.live.as_ref())
    }

    /// Whether every agent that runs, but the member itself, sees it in this state.
    pub(super) fn all_see(&self, member: &str, state: State) -> bool {
        let mut others = self.live().filter(|live| live.cluster.name() != member);
        others.all(|live| live.cluster.member(member).is_some_and(|seen| seen.state == state))
    }

    /// Every number of all agents, those that have ended among them.
    pub(super) async fn stats(&self) -> Vec<Stats> {
        let mut all = self.ended.clone();
        for live in self.live() {
            all.push(live.cluster.stats().await);
        }
        all
    }

    pub(super) async fn end(&mut self) {
        for index in 0..self.agents.len() {
            self.kill(index).await;
        }
    }
}

async fn start(name: &str, seed: Option<SocketAddr>, cuts: Cuts) -> Result<Live, Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::No(format!("{name} can't start: {error}"));
    let place = Place::Address((Ipv4Addr::LOCALHOST, 0).into());
    let access = Arc::new(Access::loopback());
    let listener = http::bind(&place, access).await.map_err(|error| failed(&error))?;
    let bind = "127.0.0.1:0".parse().expect("it is an address");
    let net = NetTransport::bind(bind).await.map_err(|error| failed(&error))?;
    let builder = Cluster::builder(name).config(Config::local()).join(seed);
    let cluster = builder.start_on(Link { net, cuts }).map_err(|error| failed(&error))?;
    if seed.is_some() && tokio::time::timeout(JOIN, cluster.joined()).await != Ok(true) {
        return Err(failed(&"nobody of the others answers"));
    }
    let http = listener.place().clone();
    let running = Running::new(cluster.clone(), http.clone(), Profile::Local, Security::Loopback);
    let server = Server::start(listener, Arc::new(running));
    Ok(Live { cluster, http, server })
}

/// How long a join on one machine may take.
const JOIN: Duration = Duration::from_secs(30);
