//! An address of one cluster that a node of another one gets: nothing is merged, and it is said why
//! (R6 of `docs/simulation.md`).

mod common;

use common::{eventually, eventually_stats, memory_address, quick, states, stop_all};
use mingle::transport::MemoryNetwork;
use mingle::{Builder, Cluster, Decided, Key, Keyring, State};

fn start(network: &MemoryNetwork, n: u8, name: &str, of: impl Fn(Builder) -> Builder) -> Cluster {
    let transport = network.transport(memory_address(n)).expect("nobody is there");
    of(Cluster::builder(name).config(quick())).start_on(transport).expect("it starts")
}

/// What was said of attempts to reach a member.
fn attempts(node: &Cluster, name: &str) -> Vec<String> {
    let timeline = node.why(name).expect("it is known").timeline;
    let is_attempt = |what: &Decided| matches!(what, Decided::Reconnect { .. });
    timeline
        .iter()
        .map(|one| &one.what)
        .filter(|what| is_attempt(what))
        .map(Decided::to_string)
        .collect()
}

/// Both clusters are as before after the strangers have heard of each other often.
async fn strangers_stay_strangers(
    blue: impl Fn(Builder) -> Builder,
    green: impl Fn(Builder) -> Builder,
    reason: &'static str,
    words: &str,
) {
    let network = MemoryNetwork::new();
    let [first, second] = [(1, "a"), (2, "b")].map(|(n, name)| start(&network, n, name, &blue));
    let other = start(&network, 3, "c", &green);
    assert!(second.join([memory_address(1)]).await.succeeded());
    eventually("a sees b", 10, || states(&first).len() == 2).await;
    second.stop().await;
    let reuser = start(&network, 2, "d", &green);
    assert!(reuser.join([memory_address(3)]).await.succeeded());
    let both = [("c".to_owned(), State::Alive), ("d".to_owned(), State::Alive)];
    let is_dead = || first.member("b").is_some_and(|member| member.state == State::Dead);
    eventually("b is dead to a", 20, is_dead).await;
    eventually("a has tried to reach b again", 20, || {
        attempts(&first, "b").iter().any(|one| one.contains(words))
    })
    .await;
    eventually_stats("d has refused it", 10, &reuser, |stats| {
        stats.get_reason("envelopes_refused", reason) > Some(3)
    })
    .await;
    assert_eq!(states(&first).into_keys().collect::<Vec<_>>(), ["a", "b"]);
    for node in [&other, &reuser] {
        assert_eq!(states(node), both.clone().into());
    }
    stop_all(&[first, other, reuser]).await;
}

#[tokio::test]
async fn a_label_keeps_clusters_apart() {
    let of = |label: &'static str| move |builder: Builder| builder.label(label);
    strangers_stay_strangers(of("blue"), of("green"), "label_mismatch", "label").await;
}

#[tokio::test]
async fn a_key_keeps_clusters_apart() {
    let key = |byte: u8| Key::from_bytes(&[byte; 16]).expect("16 bytes are a key");
    let of = |byte: u8| move |builder: Builder| builder.keyring(Keyring::new(vec![key(byte)]));
    strangers_stay_strangers(of(1), of(2), "decrypt", "key").await;
}
