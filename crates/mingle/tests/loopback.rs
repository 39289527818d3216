//! Clusters on UDP and TCP over the loopback.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{all_see_alive, eventually, eventually_stats, loopback, states, stop_all};
use mingle::{
    BindAddress, Cluster, Config, ConfigError, Delegate, Item, JoinError, Key, KeyError, Keyring,
    Mark, ResolveError, StartError, State, Versions, Via,
};

fn key(byte: u8) -> Key {
    Key::from_bytes(&[byte; 32]).unwrap()
}

fn keyring(byte: u8) -> Keyring {
    Keyring::new(vec![key(byte)])
}

async fn pair(first: mingle::Builder, second: mingle::Builder) -> [Cluster; 2] {
    let nodes = [first.start().await.unwrap(), second.start().await.unwrap()];
    let report = nodes[1].join([nodes[0].local_addr()]).await;
    assert!(report.succeeded(), "{report}");
    eventually("both see both", 5, || all_see_alive(&nodes, 2)).await;
    nodes
}

/// The error of a join that must fail, and the node that was asked.
async fn refused(first: mingle::Builder, second: mingle::Builder) -> (JoinError, [Cluster; 2]) {
    let nodes = [first.start().await.unwrap(), second.start().await.unwrap()];
    let report = nodes[1].join([nodes[0].local_addr()]).await;
    assert!(!report.succeeded(), "{report}");
    let attempts = report.targets[0].result.clone().unwrap();
    let error = attempts[0].result.clone().unwrap_err();
    (error, nodes)
}

#[tokio::test]
async fn three_nodes_meet_talk_and_part() {
    let nodes = pair(loopback("a"), loopback("b").tag("role", "db")).await;
    let third = loopback("c").join([nodes[0].local_addr()]).start().await.unwrap();
    assert!(third.joined().await);
    let nodes = [nodes[0].clone(), nodes[1].clone(), third];
    eventually("all see all", 5, || all_see_alive(&nodes, 3)).await;
    assert_eq!(nodes[2].member("b").unwrap().tags["role"], "db");
    assert_eq!(nodes[2].member("b").unwrap().address, nodes[1].local_addr());
    eventually("round trips are measured", 5, || nodes[0].rtt("b").is_some()).await;

    let mut messages = nodes[0].messages();
    nodes[2].send("a", "packet").await.unwrap();
    let Some(Item::Item(message)) = messages.next().await else { panic!("no message") };
    assert_eq!((&*message.payload, message.from), (b"packet".as_slice(), nodes[2].local_addr()));
    let big = vec![7; 1 << 20];
    nodes[2].send_reliable("a", big.clone()).await.unwrap();
    let Some(Item::Item(message)) = messages.next().await else { panic!("no message") };
    assert!(*message.payload == *big && matches!(message.via, Via::Stream(_)));

    nodes[1].leave().await.unwrap();
    let left = |node: &Cluster| states(node)["b"] == State::Left;
    eventually("all know who left", 5, || nodes.iter().all(left)).await;
    stop_all(&nodes).await;
}

#[tokio::test]
async fn ipv6_works_where_the_host_has_it() {
    let bind = |name| loopback(name).bind("[::1]:0");
    let Ok(first) = bind("a").start().await else { return };
    let second = bind("b").start().await.unwrap();
    let address = first.local_addr().to_string();
    assert!(address.starts_with("[::1]:"));
    assert!(second.join([address]).await.succeeded());
    let nodes = [first, second];
    eventually("both see both", 5, || all_see_alive(&nodes, 2)).await;
    eventually("packets pass", 5, || nodes[0].rtt("b").is_some()).await;
    stop_all(&nodes).await;
}

#[tokio::test]
async fn a_node_on_every_address_serves_both_families() {
    let any =
        loopback("any").bind(":0").advertise("127.0.0.1".parse::<std::net::IpAddr>().unwrap());
    let any = any.start().await.unwrap();
    let port = any.local_addr().port();
    let v4 = loopback("v4").start().await.unwrap();
    assert!(v4.join([format!("127.0.0.1:{port}")]).await.succeeded());
    if let Ok(v6) = loopback("v6").bind("[::1]:0").start().await {
        assert!(v6.join([format!("[::1]:{port}")]).await.succeeded());
        v6.leave().await.unwrap();
        v6.stop().await;
    }
    eventually("pings pass to it", 5, || v4.rtt("any").is_some()).await;
    eventually("pings pass from it", 5, || any.rtt("v4").is_some()).await;
    assert_eq!(any.local().address, SocketAddr::from(([127, 0, 0, 1], port)));
    stop_all(&[any, v4]).await;
}

#[tokio::test]
async fn host_names_and_node_names_are_join_addresses() {
    let nodes = [loopback("a").start().await.unwrap(), loopback("b").start().await.unwrap()];
    let port = nodes[0].local_addr().port();
    let report = nodes[1].join([format!("a/localhost:{port}")]).await;
    assert!(report.succeeded(), "{report}");
    eventually("both see both", 5, || all_see_alive(&nodes, 2)).await;
    stop_all(&nodes).await;
}

#[tokio::test]
async fn a_report_says_what_happened_at_each_address() {
    let gone = loopback("gone").start().await.unwrap();
    let nobody = gone.local_addr();
    gone.stop().await;
    let nodes = [loopback("a").start().await.unwrap(), loopback("b").start().await.unwrap()];
    let there = nodes[0].local_addr().to_string();
    let given = [nobody.to_string(), "no port:x".to_owned(), "nowhere.invalid".to_owned(), there];
    let report = nodes[1].join(given.clone()).await;
    assert!(report.succeeded());
    assert_eq!(report.contacted(), 1);
    let [unreachable, malformed, unknown, joined] = &report.targets[..] else { panic!("four") };
    let kind = std::io::ErrorKind::ConnectionRefused;
    let attempt = &unreachable.result.as_ref().unwrap()[0];
    assert_eq!((attempt.address, &attempt.result), (nobody, &Err(JoinError::Unreachable { kind })));
    let text = given[1].clone();
    assert_eq!(malformed.result, Err(ResolveError::Malformed { text }));
    assert!(matches!(unknown.result, Err(ResolveError::Lookup { .. })), "{unknown:?}");
    assert_eq!(joined.result.as_ref().unwrap()[0].result, Ok(1));
    assert_eq!(report.to_string().lines().count(), 4);
    stop_all(&nodes).await;
}

#[tokio::test]
async fn an_encrypted_cluster_works_and_changes_its_key() {
    let secret = |name| loopback(name).label("prod").keyring(keyring(1)).compress(true);
    let nodes = pair(secret("a"), secret("b")).await;
    let mut messages = nodes[0].messages();
    for node in &nodes {
        node.install_key(key(2)).unwrap();
    }
    for node in &nodes {
        node.use_key(&key(2)).unwrap();
    }
    for node in &nodes {
        assert_eq!(node.remove_key(&key(2)), Err(KeyError::PrimaryRemoved));
        node.remove_key(&key(1)).unwrap();
        assert_eq!(node.list_keys(), [key(2)]);
    }
    for node in &nodes {
        assert_eq!(node.set_keyring(Keyring::default()), Err(KeyError::PrimaryRemoved));
        node.set_keyring(Keyring::new(vec![key(2), key(3)])).unwrap();
        assert_eq!(node.list_keys(), [key(2), key(3)]);
    }
    nodes[1].send("a", "still here").await.unwrap();
    assert!(matches!(messages.next().await, Some(Item::Item(_))));
    assert!(nodes[1].stats().await.get("messages_sealed_under_key").unwrap() > 0);
    assert!(all_see_alive(&nodes, 2));
    stop_all(&nodes).await;
}

#[tokio::test]
async fn another_key_is_refused_and_counted() {
    let (error, nodes) =
        refused(loopback("a").keyring(keyring(1)), loopback("b").keyring(keyring(2))).await;
    assert_eq!(error, JoinError::Unanswered);
    nodes[1].send(nodes[0].local_addr(), "hello").await.unwrap();
    eventually_stats("stream and packet counted", 5, &nodes[0], |stats| {
        stats.get_reason("envelopes_refused", "decrypt") == Some(2)
    })
    .await;
    stop_all(&nodes).await;
}

#[tokio::test]
async fn another_label_is_refused_and_counted() {
    let (error, nodes) = refused(loopback("a").label("prod"), loopback("b").label("test")).await;
    assert_eq!(error, JoinError::Unanswered);
    nodes[1].send(nodes[0].local_addr(), "hello").await.unwrap();
    eventually_stats("stream and packet counted", 5, &nodes[0], |stats| {
        stats.get_reason("envelopes_refused", "label_mismatch") == Some(2)
    })
    .await;
    stop_all(&nodes).await;
}

#[tokio::test]
async fn plaintext_among_encryption_is_refused_on_both_sides() {
    let (error, nodes) = refused(loopback("a").keyring(keyring(1)), loopback("b")).await;
    // The refusal itself is encrypted, as Go's is.
    assert!(matches!(error, JoinError::Refused { .. }), "{error}");
    nodes[1].send(nodes[0].local_addr(), "hello").await.unwrap();
    eventually_stats("stream and packet counted", 5, &nodes[0], |stats| {
        stats.get_reason("envelopes_refused", "not_encrypted") == Some(2)
    })
    .await;
    nodes[0].send(nodes[1].local_addr(), "hello").await.unwrap();
    eventually_stats("both counted there", 5, &nodes[1], |stats| {
        stats.get("streams_encrypted_unexpectedly") == Some(1)
            && stats.get("messages_refused") == Some(1)
    })
    .await;
    stop_all(&nodes).await;
}

#[tokio::test]
async fn encryption_can_be_rolled_in() {
    let first = loopback("a").keyring(keyring(1)).verify_incoming(false).verify_outgoing(false);
    let nodes = pair(first, loopback("b")).await;
    stop_all(&nodes).await;
}

#[tokio::test]
async fn bare_memberlist_nodes_have_opaque_meta() {
    let bare =
        |name| loopback(name).delegate(Delegate::NONE).mark(Mark::Plain).meta(*b"\x01\x02\xff");
    let nodes = pair(bare("a"), bare("b")).await;
    let member = nodes[0].member("b").unwrap();
    assert_eq!((&*member.meta, member.tags.len()), (b"\x01\x02\xff".as_slice(), 0));
    assert_eq!(member.versions, Versions([1, 5, 2, 0, 0, 0]));
    nodes[1].set_meta("new").await.unwrap();
    eventually("the new meta is seen", 5, || nodes[0].member("b").unwrap().meta == b"new").await;
    stop_all(&nodes).await;
}

#[tokio::test]
async fn mistakes_of_operators_are_named_before_anything_is_bound() {
    let taken = loopback("taken").start().await.unwrap();
    let address = taken.local_addr();
    let table = [
        (loopback(""), StartError::Config(ConfigError::NameEmpty)),
        (
            loopback("a").label("x".repeat(256)),
            StartError::LabelTooLong { length: 256, limit: 255 },
        ),
        (
            loopback("a").tag("k", "x".repeat(600)),
            StartError::TagsTooLong { length: 607, limit: 512 },
        ),
        (
            loopback("a").meta(vec![0; 513]),
            StartError::Config(ConfigError::MetaTooLong { length: 513 }),
        ),
        (loopback("a").tag("k", "v").meta("m"), StartError::TagsAndMeta),
        (loopback("a").bind("here"), StartError::BindAddress { text: "here".to_owned() }),
        (loopback("a").bind(address), StartError::AddressInUse { address }),
        (
            loopback("a").packet_size(100),
            StartError::PacketSize { size: 100, low: 1053, high: 65_507 },
        ),
    ];
    for (builder, expected) in table {
        assert_eq!(builder.start().await.unwrap_err(), expected);
    }
    let elsewhere: BindAddress = "192.0.2.77:0".parse().unwrap();
    let error = loopback("a").bind(elsewhere).start().await.unwrap_err();
    assert!(matches!(error, StartError::Bind { .. }), "{error}");
    taken.stop().await;
    loopback("again").bind(address).start().await.unwrap().stop().await;
}

#[tokio::test]
async fn a_node_without_a_name_gets_one() {
    let node = Cluster::builder_unnamed().bind("127.0.0.1:0").start().await.unwrap();
    assert!(!node.name().is_empty());
    assert_eq!(node.local().name, node.name());
    node.stop().await;
}

#[tokio::test]
async fn streams_that_say_nothing_do_not_stay_for_ever() {
    let node = loopback("a").start().await.unwrap();
    let silent = tokio::net::TcpStream::connect(node.local_addr()).await.unwrap();
    eventually_stats("the silent stream is given up", 10, &node, |stats| {
        stats.get("streams_timed_out") == Some(1)
    })
    .await;
    drop(silent);
    node.stop().await;
}

#[tokio::test]
async fn more_streams_than_allowed_wait_and_are_counted() {
    let node = loopback("a").start().await.unwrap();
    let mut silent = Vec::new();
    for _ in 0..140 {
        silent.push(tokio::net::TcpStream::connect(node.local_addr()).await.unwrap());
    }
    eventually_stats("the rest waits", 5, &node, |stats| {
        stats.get("streams_delayed") == Some(1) && stats.get("streams_accepted") == Some(128)
    })
    .await;
    let peer = loopback("b").start().await.unwrap();
    let seed = node.local_addr();
    let join = async { peer.join([seed]).await };
    let (report, ()) = tokio::join!(join, async { drop(silent) });
    assert!(report.succeeded(), "it waits, and has its turn: {report}");
    stop_all(&[node, peer]).await;
}

#[tokio::test]
async fn bytes_of_all_streams_together_are_bounded() {
    use tokio::io::AsyncWriteExt;
    let patient = Config { tcp_timeout: Duration::from_secs(30), ..common::quick() };
    let node = loopback("a").config(patient).start().await.unwrap();
    let mut message = Vec::new();
    mingle_wire::StreamMessage::User(&vec![0; 20 << 20]).encode(&mut message);
    let unfinished = &message[..15 << 20];
    let mut streams = Vec::new();
    for _ in 0..10 {
        let mut stream = tokio::net::TcpStream::connect(node.local_addr()).await.unwrap();
        // The one that is over the bound is cut off while it writes.
        let _ = stream.write_all(unfinished).await;
        streams.push(stream);
    }
    eventually_stats("the bound is reached", 10, &node, |stats| {
        stats.get("streams_over_budget") >= Some(1)
    })
    .await;
    drop(streams);
    let peer = loopback("b").start().await.unwrap();
    eventually_stats("all is given back", 10, &node, |stats| {
        stats.get("exchanges_open") == Some(0)
    })
    .await;
    assert!(peer.join([node.local_addr()]).await.succeeded());
    stop_all(&[node, peer]).await;
}

/// What has arrived while this thread was busy counts, although its runtime has not looked yet.
#[tokio::test]
async fn answers_that_have_arrived_count_before_deadlines() {
    let (ready, address) = std::sync::mpsc::channel();
    let (done, finish) = tokio::sync::oneshot::channel::<()>();
    let elsewhere = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let peer = loopback("peer").start().await.unwrap();
            ready.send(peer.local_addr()).unwrap();
            // It answers late enough for the other one to be busy by then, and well in time.
            while finish.is_empty() {
                std::thread::sleep(Duration::from_millis(50));
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let lag = peer.stats().await.get("loop_lag_max_microseconds").unwrap();
            peer.stop().await;
            lag
        })
    });
    let config = Config {
        probe_interval: Duration::from_millis(400),
        probe_timeout: Duration::from_millis(300),
        ..common::quick().with_memberlist_rules()
    };
    let node = loopback("busy").config(config).start().await.unwrap();
    assert!(node.join([address.recv().unwrap()]).await.succeeded());
    let mut answered = 0;
    while answered < 4 {
        let before = node.stats().await.get("datagrams_out").unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        if node.stats().await.get("datagrams_out").unwrap() > before {
            std::thread::sleep(Duration::from_millis(800));
            answered += 1;
        }
    }
    let stats = node.stats().await;
    node.stop().await;
    done.send(()).unwrap();
    let lag_of_peer = elsewhere.join().unwrap();
    assert!(stats.get("loop_lag_max_microseconds") > Some(100_000));
    // On a machine so busy that the peer itself was late, its answers had not arrived.
    if lag_of_peer < 200_000 {
        assert_eq!(stats.get("probes_failed"), Some(0));
        assert_eq!(stats.get("suspicions_raised"), Some(0));
    }
}
