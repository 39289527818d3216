//! Leaving, from either side.
//!
//! Nobody has more than two others here: with local timing a goodbye is sent twice, and where there are more, memberlist itself does
//! not always reach all of them before they suspect the one who has left.

use anyhow::{Result, ensure};

use super::cluster::{Company, Kit, Setting};
use super::patience;
use super::record::{ensure_clean_go_log, ensure_clean_mingle_log, ensure_clean_record};
use crate::context::Context;
use crate::peers::{GoEvent, GoPeer, SerfVersion};
use crate::poll::{Attempt, wait_until};
use crate::view::{Expectation, MemberState, View, wait_until_views_agree};

/// A mingle agent leaves memberlist and Serf, and they leave a mingle node.
pub(super) fn say(kit: &Kit<'_>) -> Result<()> {
    let go = kit.go("go-staying")?;
    match kit.company {
        Company::Memberlist => {
            agent_leaves(kit, &go, &[])?;
            go_leaves(kit, &go)
        }
        Company::Everybody => {
            for version in SerfVersion::ALL {
                serf_is_left_and_leaves(kit, version)?;
            }
            go_leaves(kit, &go)
        }
    }
}

/// Serf sees the mingle agent as failed: to see it as left takes an intent of Serf's own layer, which mingle does not speak.
fn serf_is_left_and_leaves(kit: &Kit<'_>, version: SerfVersion) -> Result<()> {
    let serf = kit.serf(version, &format!("serf-{version}"), &[])?;
    let go = kit.go(&format!("go-beside-{version}"))?;
    go.join(serf.addr())?;
    agent_leaves(kit, &go, &[&serf])?;
    go.leave()?;

    let node = kit.node(&format!("node-beside-{version}"))?;
    node.join(serf.addr())?;
    wait_until_met(&[&node, &serf])?;
    serf.leave()?;
    wait_for(&node, serf.name(), MemberState::Left)?;
    ensure_clean_go_log(serf.name(), &serf.logs()?)?;
    ensure_clean_mingle_log(node.name(), &node.logs()?)
}

fn agent_leaves(kit: &Kit<'_>, go: &GoPeer, serfs: &[&dyn View]) -> Result<()> {
    let agent = kit.agent(&format!("agent-leaving-{}", go.name()), &[go.addr()])?;
    let mut views: Vec<&dyn View> = vec![&agent, go];
    views.extend(serfs);
    wait_until_met(&views)?;
    ensure_clean_record(&agent)?;
    agent.leave()?;
    wait_for_goodbye(go, agent.name())?;
    for serf in serfs {
        wait_for(*serf, agent.name(), MemberState::Failed)?;
    }
    ensure_clean_go_log(go.name(), &go.logs()?)?;
    ensure_clean_mingle_log(agent.name(), &agent.logs()?)
}

fn go_leaves(kit: &Kit<'_>, go: &GoPeer) -> Result<()> {
    let node = kit.node("node-staying")?;
    go.join(node.addr())?;
    wait_until_met(&[&node, go])?;
    go.leave()?;
    wait_for(&node, go.name(), MemberState::Left)?;
    ensure_clean_mingle_log(node.name(), &node.logs()?)
}

/// The goodbye of a mingle agent reaches the living, not those that died a moment ago.
pub(super) fn beside_the_dead(context: &Context) -> Result<()> {
    let kit = Kit { context, company: Company::Memberlist, setting: Setting::PLAIN };
    let go = kit.go("go")?;
    let agent = kit.agent("agent", &[go.addr()])?;
    let dying: Vec<_> = ["dying-1", "dying-2"]
        .into_iter()
        .map(|name| {
            let peer = kit.go(name)?;
            peer.join(go.addr())?;
            peer.join(agent.addr())?;
            Ok(peer)
        })
        .collect::<Result<_>>()?;
    let all = ["go", "agent", "dying-1", "dying-2"];
    wait_until_views_agree(&[&go, &agent], &Expectation::alive(all), patience::JOIN)?;
    for peer in &dying {
        peer.kill()?;
    }
    let expected =
        dying.iter().map(View::name).fold(Expectation::alive(["go", "agent"]), Expectation::failed);
    wait_until_views_agree(&[&go, &agent], &expected, patience::DETECTION)?;
    agent.leave()?;
    wait_for_goodbye(&go, agent.name())
}

fn wait_for_goodbye(go: &GoPeer, name: &str) -> Result<()> {
    let is_it = |event: &GoEvent| matches!(event, GoEvent::Leave(member) if member.name == name);
    let event = go.wait_for_event("a goodbye", patience::DETECTION, is_it)?;
    let left = matches!(&event, GoEvent::Leave(member) if member.state == MemberState::Left);
    ensure!(left, "{} sees {event:?} instead of a goodbye", go.name());
    Ok(())
}

/// Waits until each view shows the others alive, whoever has been there before.
fn wait_until_met(views: &[&dyn View]) -> Result<()> {
    for view in views {
        for other in views {
            wait_for(*view, other.name(), MemberState::Alive)?;
        }
    }
    Ok(())
}

fn wait_for(view: &dyn View, member: &str, wanted: MemberState) -> Result<()> {
    let what = format!("{} to see {member} as {wanted:?}", view.name());
    wait_until(&what, patience::DETECTION, || {
        let state = view.view()?.remove(member).map(|member| member.state);
        let met = state == Some(wanted);
        Ok(if met { Attempt::Done(()) } else { Attempt::NotYet(format!("{state:?}")) })
    })
}
