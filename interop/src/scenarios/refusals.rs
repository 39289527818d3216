//! Nodes with other keys or labels stay apart, and mingle says why.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::patience;
use crate::context::Context;
use crate::peers::{
    GoPeer, GoPeerOptions, Key, MingleAgent, MingleOptions, SerfAgent, SerfOptions, SerfVersion,
    loopback_v4,
};
use crate::poll::{Attempt, wait_until};
use crate::view::{Expectation, View, wait_until_views_agree};

/// What differs between mingle and the peers, and how that must show.
#[derive(Debug, Clone, Copy)]
pub(super) struct Difference {
    ours: Settings,
    theirs: Settings,
    /// What mingle counts when a peer joins it.
    on_stream: Metric,
    /// What mingle counts when a peer sends it packets.
    in_packets: Metric,
    /// Words of the one line in mingle's log.
    words: &'static [&'static str],
}

#[derive(Debug, Clone, Copy)]
struct Settings {
    key: Option<u8>,
    label: &'static str,
}

#[derive(Debug, Clone, Copy)]
enum Metric {
    Envelope(&'static str),
    Sum(&'static str),
}

const BARE: Settings = Settings { key: None, label: "" };
const KEY: Settings = Settings { key: Some(1), ..BARE };
const OTHER_KEY: Settings = Settings { key: Some(2), ..BARE };
const LABEL: Settings = Settings { label: "here", ..BARE };
const OTHER_LABEL: Settings = Settings { label: "there", ..BARE };

const NOT_OUR_LABEL: Metric = Metric::Envelope("label_mismatch");

pub(super) const WRONG_KEY: Difference = Difference {
    ours: OTHER_KEY,
    theirs: KEY,
    on_stream: Metric::Envelope("decrypt"),
    in_packets: Metric::Envelope("decrypt"),
    words: &["no key here opens them", "key"],
};
pub(super) const NO_KEY: Difference = Difference {
    ours: BARE,
    theirs: KEY,
    on_stream: Metric::Sum("mingle_streams_encrypted_unexpectedly_total"),
    in_packets: Metric::Sum("mingle_messages_refused_total"),
    words: &["encrypt", "key"],
};
pub(super) const KEY_AGAINST_PLAINTEXT: Difference = Difference {
    ours: KEY,
    theirs: BARE,
    on_stream: Metric::Envelope("not_encrypted"),
    in_packets: Metric::Envelope("not_encrypted"),
    words: &["does not encrypt", "key"],
};
pub(super) const WRONG_LABEL: Difference = Difference {
    ours: LABEL,
    theirs: OTHER_LABEL,
    on_stream: NOT_OUR_LABEL,
    in_packets: NOT_OUR_LABEL,
    words: &["label"],
};
pub(super) const NO_LABEL: Difference = Difference { ours: BARE, ..WRONG_LABEL };
pub(super) const LABEL_AGAINST_NONE: Difference = Difference { theirs: BARE, ..WRONG_LABEL };

/// First mingle and the peers try to join each other; then mingle comes back to a cluster with the wrong settings.
pub(super) fn refuse(context: &Context, difference: Difference) -> Result<()> {
    context.step("joins are refused", || joins_are_refused(context, difference))?;
    context.step("packets are refused", || packets_are_refused(context, difference))
}

fn joins_are_refused(context: &Context, difference: Difference) -> Result<()> {
    let agent = start_agent(context, "ours", loopback_v4()?, difference.ours)?;
    let peers = start_peers(context, difference.theirs)?;
    let began = Instant::now();
    for peer in &peers {
        let (name, addr) = (peer.view().name(), peer.addr());
        ensure!(agent.join(addr).is_err(), "mingle could join {name}");
        let before = count(&agent, difference.on_stream)?;
        ensure!(peer.join(agent.addr()).is_err(), "{name} could join mingle");
        wait_until_count_rises(&agent, difference.on_stream, before)?;
    }
    let mut views: Vec<&dyn View> = vec![&agent];
    views.extend(peers.iter().map(Peer::view));
    for view in views {
        wait_until_views_agree(&[view], &Expectation::alive([view.name()]), patience::JOIN)?;
    }
    ensure_told_once(&agent, difference.words, began)
}

/// mingle was in the cluster, was killed, and comes back at the same address with other settings: the others still ping it.
fn packets_are_refused(context: &Context, difference: Difference) -> Result<()> {
    let bind = loopback_v4()?;
    let former = start_agent(context, "returning", bind, difference.theirs)?;
    let peer = GoPeerOptions {
        key: difference.theirs.key(),
        label: difference.theirs.label.to_owned(),
        ..GoPeerOptions::among_serf("go-in-cluster")
    };
    let peer = GoPeer::start(context, &peer)?;
    peer.join(former.addr())?;
    let together = Expectation::alive(["returning", "go-in-cluster"]);
    wait_until_views_agree(&[&former, &peer], &together, patience::JOIN)?;
    former.kill()?;
    let began = Instant::now();
    let returned = start_agent(context, "returned", bind, difference.ours)?;
    wait_until_count_rises(&returned, difference.in_packets, 0.0)?;
    let without = Expectation::alive(["go-in-cluster"]).failed("returning");
    wait_until_views_agree(&[&peer], &without, patience::DETECTION)?;
    wait_until_views_agree(&[&returned], &Expectation::alive(["returned"]), patience::JOIN)?;
    ensure_told_once(&returned, difference.words, began)
}

/// One line for each reason and source, and again after ten seconds if it goes on. All peers are at one address here.
fn ensure_told_once(agent: &MingleAgent, words: &[&str], since: Instant) -> Result<()> {
    let log = agent.logs()?;
    let warnings: Vec<_> =
        log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect();
    let most = 1 + since.elapsed().as_secs() / PAUSE.as_secs();
    let readable = warnings.iter().all(|line| words.iter().all(|word| line.contains(word)));
    let count = u64::try_from(warnings.len())?;
    ensure!(
        readable && (1..=most).contains(&count),
        "{} logs {warnings:#?} instead of one line with {words:?}, or at most {most} of them",
        agent.name()
    );
    Ok(())
}

/// How long mingle is silent after such a line.
const PAUSE: Duration = Duration::from_secs(10);

fn wait_until_count_rises(agent: &MingleAgent, metric: Metric, before: f64) -> Result<()> {
    wait_until(&format!("{metric:?} of {} to rise", agent.name()), patience::MESSAGE, || {
        let now = count(agent, metric)?;
        Ok(if now > before { Attempt::Done(()) } else { Attempt::NotYet(format!("{now}")) })
    })
}

fn count(agent: &MingleAgent, metric: Metric) -> Result<f64> {
    let metrics = agent.metrics()?;
    match metric {
        Metric::Envelope(reason) => metrics.by_reason("mingle_envelopes_refused_total", reason),
        Metric::Sum(name) => metrics.sum(name),
    }
}

impl Settings {
    fn key(self) -> Option<Key> {
        self.key.map(Key::of_32_bytes)
    }
}

fn start_agent(
    context: &Context,
    name: &str,
    bind: SocketAddr,
    settings: Settings,
) -> Result<MingleAgent> {
    let options = MingleOptions {
        bind: Some(bind),
        key: settings.key(),
        label: settings.label.to_owned(),
        ..MingleOptions::named(name)
    };
    MingleAgent::start(context, &options)
}

/// A memberlist node, and where there is no label a Serf agent of each release.
fn start_peers(context: &Context, settings: Settings) -> Result<Vec<Peer>> {
    let go = GoPeerOptions {
        key: settings.key(),
        label: settings.label.to_owned(),
        ..GoPeerOptions::among_serf("go")
    };
    let mut peers = vec![Peer::Go(GoPeer::start(context, &go)?)];
    if settings.label.is_empty() {
        for version in SerfVersion::ALL {
            let name = format!("serf-{version}");
            let options = SerfOptions { key: settings.key(), ..SerfOptions::named(&name) };
            peers.push(Peer::Serf(SerfAgent::start(context, version, &options)?));
        }
    }
    Ok(peers)
}

enum Peer {
    Go(GoPeer),
    Serf(SerfAgent),
}

impl Peer {
    fn view(&self) -> &dyn View {
        match self {
            Self::Go(go) => go,
            Self::Serf(serf) => serf,
        }
    }

    fn addr(&self) -> SocketAddr {
        match self {
            Self::Go(go) => go.addr(),
            Self::Serf(serf) => serf.addr(),
        }
    }

    fn join(&self, addr: SocketAddr) -> Result<()> {
        match self {
            Self::Go(go) => go.join(addr),
            Self::Serf(serf) => serf.join(addr),
        }
    }
}
