//! Whether the mark in mingle's version bytes survives being passed on.

use anyhow::{Context as _, Result, ensure};

use super::cluster::{Company, Kit, Setting};
use super::patience;
use crate::context::Context;
use crate::peers::{GoPeer, MingleAgent, SerfVersion};
use crate::view::{Expectation, View, wait_until_views_agree};

/// A memberlist node learns of mingle from one of each kind, while mingle itself stands still and cannot say a word.
pub(super) fn relayed(context: &Context) -> Result<()> {
    let kit = Kit { context, company: Company::Everybody, setting: Setting::PLAIN };
    let old = kit.serf(SerfVersion::V0_9_4, "old", &[])?;
    relayed_by(&kit, &old, |agent| old.join(agent.addr()), |witness| witness.join(old.addr()))?;
    let new = kit.serf(SerfVersion::V0_10_1, "new", &[])?;
    relayed_by(&kit, &new, |agent| new.join(agent.addr()), |witness| witness.join(new.addr()))?;
    let go = kit.go("go")?;
    relayed_by(&kit, &go, |agent| go.join(agent.addr()), |witness| witness.join(go.addr()))
}

fn relayed_by(
    kit: &Kit<'_>,
    relay: &dyn View,
    meet: impl Fn(&MingleAgent) -> Result<()>,
    introduce: impl Fn(&GoPeer) -> Result<()>,
) -> Result<()> {
    let agent = kit.agent(&format!("mingle-of-{}", relay.name()), &[])?;
    let witness = kit.go(&format!("witness-of-{}", relay.name()))?;
    meet(&agent)?;
    let expected = Expectation::alive([agent.name(), relay.name()]);
    wait_until_views_agree(&[&agent, relay], &expected, patience::JOIN)?;
    agent.process().pause()?;
    introduce(&witness)?;
    let members = witness.members()?;
    let seen = members.iter().find(|member| member.name == agent.name());
    let seen = seen.with_context(|| format!("{} did not pass mingle on", relay.name()))?.versions();
    let wanted = kit.company.mingle_versions();
    ensure!(seen == wanted, "{} passed the versions {seen:?} on", relay.name());
    Ok(())
}
