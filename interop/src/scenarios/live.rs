//! The life of a cluster of mingle and its peers: joins, news, messages, a freeze and deaths; and goodbyes in a small one.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use super::cluster::{Cluster, Company, Kit, Pair, Setting};
use super::goodbyes;
use super::patience;
use super::record::{
    ensure_clean_go_log, ensure_clean_mingle_log, ensure_clean_record, ensure_clean_stats,
};
use crate::context::Context;
use crate::peers::{GoEvent, GoPeer, NodeMessage, Process, Way};
use crate::view::{Expectation, View, wait_until_views_agree};

/// With Serf agents and memberlist nodes.
pub(super) fn with_everybody(context: &Context, setting: Setting) -> Result<()> {
    live(Kit { context, company: Company::Everybody, setting })
}

/// With memberlist nodes alone.
pub(super) fn with_memberlist(context: &Context, setting: Setting) -> Result<()> {
    live(Kit { context, company: Company::Memberlist, setting })
}

fn live(kit: Kit<'_>) -> Result<()> {
    let context = kit.context;
    let mut cluster = context.step("start and join", || Cluster::start(kit))?;
    context.step("everybody sees everybody", || cluster.wait_until_together())?;
    context.step("addresses and tags are known", || cluster.wait_until_described())?;
    context.step("version bytes are known", || cluster.check_versions())?;
    context.step("tags change", || change_tags(&mut cluster))?;
    context.step("messages", || exchange_messages(&cluster))?;
    context.step("freeze two and let them go on", || freeze(&cluster))?;
    context.step("kill one of each kind", || kill_one_of_each_kind(&cluster))?;
    context.step("nothing is left over", || ensure_clean_end(&cluster))?;
    context.step("goodbyes", || goodbyes::say(&cluster.kit))
}

fn change_tags(cluster: &mut Cluster<'_>) -> Result<()> {
    cluster.change_roles()?;
    cluster.wait_until_described()
}

/// Short texts, a packet of 1 KB and a stream of 100 KB, both ways.
fn exchange_messages(cluster: &Cluster<'_>) -> Result<()> {
    let (node, go) = (&cluster.node, &cluster.go.steady);
    let messages =
        [(Way::Packet, 50), (Way::Packet, 1000), (Way::Stream, 50), (Way::Stream, 100_000)];
    for (way, length) in messages {
        let to_go = text("to go, ", length);
        node.send(way, go.name(), to_go.as_bytes())?;
        wait_for_text(go, &to_go)?;

        let to_node = text("to mingle, ", length);
        match way {
            Way::Packet => go.send(node.name(), &to_node)?,
            Way::Stream => go.send_reliable(node.name(), &to_node)?,
        }
        let message = NodeMessage { way, payload: to_node.into_bytes() };
        node.wait_for_message(&message, patience::MESSAGE)?;
    }
    Ok(())
}

fn text(beginning: &str, length: usize) -> String {
    let rest = ('a'..='z').cycle().take(length - beginning.len());
    beginning.chars().chain(rest).collect()
}

pub(super) fn wait_for_text(peer: &GoPeer, wanted: &str) -> Result<()> {
    let is_it = |event: &GoEvent| matches!(event, GoEvent::Message { text, .. } if text == wanted);
    peer.wait_for_event("a message", patience::MESSAGE, is_it).map(drop)
}

/// A mingle agent and a real peer stand still until they are declared dead, and come back by refutation.
fn freeze(cluster: &Cluster<'_>) -> Result<()> {
    let agent = &cluster.agents.victim;
    let (peer, peer_process): (&dyn View, &Process) = match cluster.serfs.last() {
        Some(Pair { victim, .. }) => (victim, victim.process()),
        None => (&cluster.go.victim, cluster.go.victim.process()),
    };
    let names = [agent.name(), peer.name()];
    let before = incarnations(cluster)?;
    agent.process().pause()?;
    peer_process.pause()?;
    let others = cluster.views_without(&names);
    let expected =
        Expectation::alive(others.iter().map(|view| view.name())).failed(names[0]).failed(names[1]);
    let verdict = wait_until_views_agree(&others, &expected, patience::DETECTION);
    agent.process().resume()?;
    peer_process.resume()?;
    verdict?;
    let expected = cluster.all_alive();
    wait_until_views_agree(&cluster.views(), &expected, patience::DETECTION)?;
    let after = incarnations(cluster)?;
    for (viewer, name) in before.keys().filter(|(_, name)| names.contains(&name.as_str())) {
        let key = (*viewer, name.clone());
        let (old, new) = (before.get(&key), after.get(&key));
        ensure!(new > old, "{viewer} sees {name} return at incarnation {new:?} after {old:?}");
    }
    Ok(())
}

/// What three programs hold of everybody's incarnations.
fn incarnations(cluster: &Cluster<'_>) -> Result<BTreeMap<(&'static str, String), u32>> {
    let mut held = BTreeMap::new();
    for member in cluster.agents.steady.members()? {
        held.insert(("the mingle agent", member.name), member.incarnation);
    }
    for member in cluster.go.steady.members()? {
        held.insert(("memberlist", member.name), member.incarnation);
    }
    for view in cluster.views() {
        if let Some(member) = cluster.node.member(view.name()) {
            held.insert(("the mingle node", member.name.clone()), member.incarnation.get());
        }
    }
    Ok(held)
}

fn kill_one_of_each_kind(cluster: &Cluster<'_>) -> Result<()> {
    ensure_clean_record(&cluster.agents.victim)?;
    for Pair { victim, .. } in &cluster.serfs {
        victim.kill()?;
    }
    cluster.go.victim.kill()?;
    cluster.agents.victim.kill()?;
    let survivors = cluster.steady();
    let victims = cluster.views().into_iter().map(View::name);
    let victims = victims.filter(|name| survivors.iter().all(|view| view.name() != *name));
    let alive = Expectation::alive(survivors.iter().map(|view| view.name()));
    let expected = victims.fold(alive, Expectation::failed);
    wait_until_views_agree(&survivors, &expected, patience::DETECTION).map(drop)
}

/// Whoever was not killed runs still; nobody complained; mingle refused nothing.
fn ensure_clean_end(cluster: &Cluster<'_>) -> Result<()> {
    for Pair { steady, victim } in &cluster.serfs {
        steady.process().ensure_running()?;
        ensure_clean_go_log(steady.name(), &steady.logs()?)?;
        ensure_clean_go_log(victim.name(), &victim.logs()?)?;
    }
    cluster.go.steady.process().ensure_running()?;
    cluster.agents.steady.process().ensure_running()?;
    for go in [&cluster.go.steady, &cluster.go.victim] {
        ensure_clean_go_log(go.name(), &go.logs()?)?;
    }
    for agent in [&cluster.agents.steady, &cluster.agents.victim] {
        ensure_clean_mingle_log(agent.name(), &agent.logs()?)?;
    }
    ensure_clean_record(&cluster.agents.steady)?;
    ensure_clean_stats(&cluster.node)?;
    ensure_clean_mingle_log(cluster.node.name(), &cluster.node.logs()?)
}
