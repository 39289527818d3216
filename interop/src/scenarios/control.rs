//! The control group: real peers among themselves, without mingle.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Result, bail, ensure};

use super::patience;
use crate::context::Context;
use crate::peers::{
    GoEvent, GoPeer, GoPeerOptions, Key, SerfAgent, SerfOptions, SerfVersion, loopback_v6,
};
use crate::poll::{Attempt, wait_until};
use crate::view::{Attributes, Expectation, View, wait_until_views_agree};

const ALL: [&str; 3] = ["old", "new", "go"];

pub(super) fn plain(context: &Context) -> Result<()> {
    one_is_killed(&Trio::start(context, None)?)
}

pub(super) fn sealed(context: &Context) -> Result<()> {
    one_is_killed(&Trio::start(context, Some(&Key::of_32_bytes(1)))?)
}

fn one_is_killed(trio: &Trio) -> Result<()> {
    trio.wait_until_together()?;
    trio.new.kill()?;
    let expected = Expectation::alive(["old", "go"]).failed("new");
    wait_until_views_agree(&[&trio.old, &trio.go], &expected, patience::DETECTION)?;
    Ok(())
}

pub(super) fn wrong_key(context: &Context) -> Result<()> {
    let trio = Trio::start(context, Some(&Key::of_32_bytes(1)))?;
    trio.wait_until_together()?;
    let options =
        GoPeerOptions { key: Some(Key::of_32_bytes(2)), ..GoPeerOptions::among_serf("stranger") };
    let stranger = GoPeer::start(context, &options)?;
    for addr in trio.addresses() {
        ensure!(stranger.join(addr).is_err(), "a node with another key could join {addr}");
    }
    wait_until_views_agree(&[&stranger], &Expectation::alive(["stranger"]), patience::JOIN)?;
    trio.wait_until_together()
}

pub(super) fn ipv6_label(context: &Context) -> Result<()> {
    let new = SerfOptions { bind: Some(loopback_v6()?), ..SerfOptions::named("new") };
    let new = SerfAgent::start(context, SerfVersion::V0_10_1, &new)?;
    let go = GoPeerOptions { bind: Some(loopback_v6()?), ..GoPeerOptions::among_serf("go") };
    let go = GoPeer::start(context, &go)?;
    go.join(new.addr())?;
    wait_until_views_agree(&[&new, &go], &Expectation::alive(["new", "go"]), patience::JOIN)?;
    ensure!(
        new.view()?["go"].addr == go.addr(),
        "serf sees the memberlist node elsewhere than at {}",
        go.addr()
    );

    let labelled = |name: &str| -> Result<_> {
        let options = GoPeerOptions {
            label: "here".to_owned(),
            bind: Some(loopback_v6()?),
            ..GoPeerOptions::named(name)
        };
        GoPeer::start(context, &options)
    };
    let (one, two) = (labelled("one")?, labelled("two")?);
    one.join(two.addr())?;
    wait_until_views_agree(&[&one, &two], &Expectation::alive(["one", "two"]), patience::JOIN)?;
    one.send("two", "under a label")?;
    wait_for_text(&two, "under a label")?;
    ensure!(go.join(one.addr()).is_err(), "a node without the label could join");
    Ok(())
}

pub(super) fn leave(context: &Context) -> Result<()> {
    let trio = Trio::start(context, None)?;
    trio.wait_until_together()?;
    trio.old.leave()?;
    let expected = Expectation::alive(["new", "go"]).left("old");
    wait_until_views_agree(&[&trio.new, &trio.go], &expected, patience::DETECTION)?;
    Ok(())
}

/// Serf tells leaving from failing by its own intent message; memberlist's announcement alone does not count.
pub(super) fn bare_leave(context: &Context) -> Result<()> {
    let trio = Trio::start(context, None)?;
    trio.wait_until_together()?;
    trio.go.leave()?;
    let expected = Expectation::alive(["old", "new"]).failed("go");
    wait_until_views_agree(&[&trio.old, &trio.new], &expected, patience::DETECTION)?;
    Ok(())
}

pub(super) fn pause(context: &Context) -> Result<()> {
    let trio = Trio::start(context, None)?;
    trio.wait_until_together()?;
    trio.old.process().pause()?;
    let expected = Expectation::alive(["new", "go"]).failed("old");
    wait_until_views_agree(&[&trio.new, &trio.go], &expected, patience::DETECTION)?;
    trio.old.process().resume()?;
    wait_until_views_agree(&trio.views(), &Expectation::alive(ALL), patience::DETECTION)?;
    Ok(())
}

pub(super) fn tags(context: &Context) -> Result<()> {
    let trio = Trio::start(context, None)?;
    trio.wait_until_together()?;
    trio.old.set_tag("role", "web")?;
    let as_tags = Attributes::Tags(BTreeMap::from([("role".to_owned(), "web".to_owned())]));
    wait_for_attributes(&trio.new, "old", &as_tags)?;
    let as_meta = Attributes::Meta(b"\xff\x81\xa4role\xa3web".to_vec());
    wait_for_attributes(&trio.go, "old", &as_meta)?;

    trio.go.set_meta(b"\xff\x81\xa4role\xa2db")?;
    let as_tags = Attributes::Tags(BTreeMap::from([("role".to_owned(), "db".to_owned())]));
    wait_for_attributes(&trio.old, "go", &as_tags)?;
    wait_for_attributes(&trio.new, "go", &as_tags)
}

fn wait_for_attributes(view: &dyn View, member: &str, wanted: &Attributes) -> Result<()> {
    wait_until(&format!("{} to see {wanted:?} of {member}", view.name()), patience::MESSAGE, || {
        let seen = view.view()?.remove(member).map(|member| member.attributes);
        Ok(if seen.as_ref() == Some(wanted) {
            Attempt::Done(())
        } else {
            Attempt::NotYet(format!("{seen:?}"))
        })
    })
}

pub(super) fn memberlist_delegates(context: &Context) -> Result<()> {
    let options = |name: &str| GoPeerOptions {
        state: format!("state of {name}"),
        ack: format!("ack of {name}"),
        ..GoPeerOptions::named(name)
    };
    let (one, two) =
        (GoPeer::start(context, &options("one"))?, GoPeer::start(context, &options("two"))?);
    one.join(two.addr())?;
    wait_until_views_agree(&[&one, &two], &Expectation::alive(["one", "two"]), patience::JOIN)?;
    two.wait_for_event("the state of one", patience::MESSAGE, |event| {
        matches!(event, GoEvent::RemoteState { text, join: true, .. } if text == "state of one")
    })?;
    two.wait_for_event("the ack of one", patience::MESSAGE, |event| {
        matches!(event, GoEvent::PingComplete { name, payload, .. } if name == "one" && payload == "ack of one")
    })?;
    one.send("two", "in a packet")?;
    wait_for_text(&two, "in a packet")?;
    one.send_reliable("two", "on a stream")?;
    wait_for_text(&two, "on a stream")?;
    one.broadcast("by gossip")?;
    wait_for_text(&two, "by gossip")?;
    one.leave()?;
    wait_until_views_agree(&[&two], &Expectation::alive(["two"]).left("one"), patience::DETECTION)?;
    let GoEvent::Leave(member) = two.wait_for_event("the leave", patience::MESSAGE, |event| {
        matches!(event, GoEvent::Leave(_))
    })?
    else {
        bail!("another event than was waited for");
    };
    ensure!(member.name == "one", "{} has left instead of one", member.name);
    Ok(())
}

fn wait_for_text(peer: &GoPeer, wanted: &str) -> Result<()> {
    let is_it = |event: &GoEvent| matches!(event, GoEvent::Message { text, .. } if text == wanted);
    peer.wait_for_event(wanted, patience::MESSAGE, is_it).map(drop)
}

/// One peer of each kind in one cluster.
struct Trio {
    old: SerfAgent,
    new: SerfAgent,
    go: GoPeer,
}

impl Trio {
    fn start(context: &Context, key: Option<&Key>) -> Result<Self> {
        let old = SerfOptions { key: key.cloned(), ..SerfOptions::named("old") };
        let old = SerfAgent::start(context, SerfVersion::V0_9_4, &old)?;
        let new =
            SerfOptions { key: key.cloned(), join: vec![old.addr()], ..SerfOptions::named("new") };
        let new = SerfAgent::start(context, SerfVersion::V0_10_1, &new)?;
        let go = GoPeerOptions { key: key.cloned(), ..GoPeerOptions::among_serf("go") };
        let go = GoPeer::start(context, &go)?;
        go.join(new.addr())?;
        Ok(Self { old, new, go })
    }

    fn views(&self) -> [&dyn View; 3] {
        [&self.old, &self.new, &self.go]
    }

    fn addresses(&self) -> [SocketAddr; 3] {
        [self.old.addr(), self.new.addr(), self.go.addr()]
    }

    fn wait_until_together(&self) -> Result<()> {
        wait_until_views_agree(&self.views(), &Expectation::alive(ALL), patience::JOIN).map(drop)
    }
}
