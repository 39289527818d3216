use std::sync::Arc;
use std::time::SystemTime;

use axum::response::Response;
use mingle::{Cluster, Decision, Dropped, Member, State as MemberState};

use super::members::{json, named, unknown};
use super::openapi::Refusals;
use super::problem::Refusal;
use super::{Name, Running, views};
use crate::api::{DecisionView, DroppedView, RecorderView, WhyView};
use crate::hints;
use crate::output::timestamp_millis;

/// `GET /v1/members/{name}/why`: why a member is in its state.
#[utoipa::path(
    get,
    path = "/v1/members/{name}/why",
    params(("name" = String, Path, description = "The member's name")),
    responses((status = 200, description = "What is asked for", body = WhyView), Refusals)
)]
pub(crate) fn of(running: &Running, name: Name) -> Result<Response, Refusal> {
    let name = named(name)?;
    let why = answer(&running.cluster, &name).ok_or_else(|| unknown(&name))?;
    Ok(json(&why))
}

fn answer(cluster: &Cluster, name: &str) -> Option<WhyView> {
    let why = cluster.why(name)?;
    let local = cluster.name();
    let witnesses = witnesses(&cluster.members(), &[local, name]);
    let age = |member: &Arc<Member>| why.now.duration_since(member.since).unwrap_or_default();
    Some(WhyView {
        name: name.to_owned(),
        itself: name == local,
        now: timestamp_millis(why.now),
        member: why.member.as_deref().map(views::member),
        state_seconds: why.member.as_ref().map(|member| age(member).as_secs()),
        timeline: decisions(&why.timeline),
        ourselves: decisions(&why.ourselves),
        hints: hints::of(&why, local, witnesses),
        dropped: why.dropped.map(dropped),
    })
}

/// How many live members there are but these.
fn witnesses(members: &[Arc<Member>], without: &[&str]) -> usize {
    let is_witness = |member: &&Arc<Member>| match member.state {
        MemberState::Alive | MemberState::Suspect => !without.contains(&member.name.as_str()),
        MemberState::Dead | MemberState::Left => false,
    };
    members.iter().filter(is_witness).count()
}

/// `GET /v1/recorder`: the last decisions of the agent.
#[utoipa::path(
    get,
    path = "/v1/recorder",
    responses((status = 200, description = "What is asked for", body = RecorderView), Refusals)
)]
pub(crate) fn recorder(running: &Running) -> Response {
    let cluster = &running.cluster;
    json(&RecorderView {
        now: timestamp_millis(SystemTime::now()),
        decisions: decisions(&cluster.recorder()),
        dropped: cluster.dropped_decisions().map(dropped),
    })
}

fn dropped(dropped: Dropped) -> DroppedView {
    DroppedView { count: dropped.count, until: timestamp_millis(dropped.until) }
}

fn decisions(decisions: &[Decision]) -> Vec<DecisionView> {
    decisions.iter().map(views::decision).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mingle::transport::MemoryNetwork;
    use mingle::{Config, Item, Notice, Notices};

    use super::*;
    use crate::why;

    fn start(network: &MemoryNetwork, name: &str, n: u8) -> Cluster {
        let config = Config {
            probe_interval: Duration::from_millis(200),
            probe_timeout: Duration::from_millis(100),
            ..Config::local()
        };
        let transport = network.transport(([10, 0, 0, n], 7946).into()).unwrap();
        Cluster::builder(name).config(config).start_on(transport).unwrap()
    }

    async fn wait_for(notices: &mut Notices, is_it: impl Fn(&Notice) -> bool) {
        let found = async {
            while let Some(item) = notices.next().await {
                if matches!(&item, Item::Item(notice) if is_it(notice)) {
                    return;
                }
            }
            panic!("the node has stopped");
        };
        tokio::time::timeout(Duration::from_secs(20), found).await.expect("the notice in 20 s");
    }

    #[tokio::test]
    async fn a_link_on_which_packets_get_lost_is_told_in_json_and_in_words() {
        let network = MemoryNetwork::new();
        let (a, b) = (start(&network, "a", 1), start(&network, "b", 2));
        assert!(b.join([a.local_addr()]).await.succeeded());
        let mut notices = a.notices();
        network.cut_packets(a.local_addr(), b.local_addr());
        wait_for(&mut notices, |notice| matches!(notice, Notice::LinkDegraded { .. })).await;

        let view = answer(&a, "b").unwrap();
        let link = view.member.as_ref().unwrap().degraded.as_ref().unwrap();
        assert_eq!(link.kind, "streams_only");
        let of_kind =
            |decision: &&DecisionView| matches!(&*decision.kind, "link_degraded" | "link_restored");
        let decision = view.timeline.iter().rfind(of_kind).unwrap();
        let recorded = decision.link_degraded.as_ref().unwrap();
        assert_eq!((recorded.name.as_str(), recorded.kind.as_str()), ("b", "streams_only"));
        let hint = "packets get lost, streams work: open UDP on the way, and check the MTU";
        assert!(view.hints.iter().any(|other| other == hint), "{:?}", view.hints);
        let text = why::text(&view);
        for expected in [" (streams only): packets to it or", "  link degraded: ", "  it began at "]
        {
            assert!(text.contains(expected), "{expected:?}: {text}");
        }

        network.mend(a.local_addr(), b.local_addr());
        wait_for(&mut notices, |notice| matches!(notice, Notice::LinkRestored { .. })).await;
        let view = answer(&a, "b").unwrap();
        assert_eq!(view.member.as_ref().unwrap().degraded, None);
        assert!(!view.hints.iter().any(|other| other == hint), "{:?}", view.hints);
        let decision = view.timeline.iter().rfind(of_kind).unwrap();
        let restored = decision.link_restored.as_ref().unwrap();
        assert_eq!((restored.name.as_str(), restored.kind.as_str()), ("b", "streams_only"));
        a.stop().await;
        b.stop().await;
    }
}
