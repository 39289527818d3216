//! Streams that are kept for messages of the application.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use common::{cluster, eventually, eventually_stats, in_memory, memory_address, stop_all};
use mingle::transport::{MemoryNetwork, Transport};
use mingle::{Builder, Cluster, Item, Key, Keyring, Mark, Messages, RequestError, SendError};
use mingle_wire::{Ack, Envelope, SeqNo, Side, StreamDecoder, StreamMessage, memberlist};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

async fn count(node: &Cluster, name: &str) -> u64 {
    node.stats().await.get(name).unwrap()
}

/// A node on the loopback with settings of a LAN.
fn loopback(name: &str) -> Builder {
    Cluster::builder(name).bind("127.0.0.1:0")
}

/// Two nodes on the loopback that see each other, both with this key if there is one.
async fn pair(key: Option<&Key>) -> [Cluster; 2] {
    let builder = |name: &str| match key {
        None => loopback(name),
        Some(key) => loopback(name).label("lbl").keyring(Keyring::new(vec![key.clone()])),
    };
    let nodes = [builder("a").start().await.unwrap(), builder("b").start().await.unwrap()];
    assert!(nodes[1].join([nodes[0].local_addr()]).await.succeeded());
    eventually("both see both", 10, || nodes.iter().all(|node| node.members().len() == 2)).await;
    nodes
}

/// So many messages, as numbers.
async fn take(messages: &mut Messages, many: u32) -> Vec<u32> {
    let mut taken = Vec::new();
    while taken.len() < many as usize {
        match messages.next().await.unwrap() {
            Item::Item(message) => {
                taken.push(u32::from_be_bytes(message.payload[..4].try_into().unwrap()));
            }
            Item::Gap { missed } => panic!("{missed} were lost after {}", taken.len()),
        }
    }
    taken
}

#[tokio::test]
async fn many_messages_take_one_stream_and_come_once_each() {
    const MANY: u32 = 5_000;
    let [a, b] = pair(None).await;
    let accepted = count(&b, "streams_accepted").await;
    let mut messages = b.messages();
    let taking = tokio::spawn(async move { take(&mut messages, MANY).await });
    let mut sending = JoinSet::new();
    for number in 0..MANY {
        let a = a.clone();
        sending.spawn(async move { a.send_reliable("b", number.to_be_bytes()).await });
    }
    for sent in sending.join_all().await {
        assert_eq!(sent, Ok(()));
    }
    let mut taken = taking.await.unwrap();
    taken.sort_unstable();
    assert_eq!(taken, (0..MANY).collect::<Vec<_>>());
    assert_eq!(count(&a, "kept_stream_messages_sent").await, MANY.into());
    assert_eq!(count(&b, "kept_stream_messages_received").await, MANY.into());
    let others = count(&b, "push_pulls_received").await + count(&b, "stream_pings_received").await;
    assert!(count(&b, "streams_accepted").await - accepted <= 1 + others);
    assert_eq!(count(&b, "user_messages_received").await, 0, "none came on a stream of its own");
    stop_all(&[a, b]).await;
}

#[tokio::test]
async fn messages_of_one_sender_come_in_their_order_whatever_their_size() {
    const MANY: u32 = 200;
    let key = Key::from_bytes(&[7; 16]).unwrap();
    let [a, b] = pair(Some(&key)).await;
    let mut messages = b.messages();
    let taking = tokio::spawn(async move { take(&mut messages, MANY).await });
    for number in 0..MANY {
        let mut payload = number.to_be_bytes().to_vec();
        payload.resize(4 + (number as usize % 7) * 40_000, 0x5a);
        a.send_reliable(b.local_addr(), payload).await.unwrap();
    }
    assert_eq!(taking.await.unwrap(), (0..MANY).collect::<Vec<_>>());
    stop_all(&[a, b]).await;
}

/// What is sealed with a key that is used no more is refused on streams that were open before, too.
#[tokio::test]
async fn keys_change_under_a_stream_that_is_kept() {
    let [old, new] = [7, 8].map(|byte| Key::from_bytes(&[byte; 16]).unwrap());
    let [a, b] = pair(Some(&old)).await;
    let mut messages = b.messages();
    a.send_reliable("b", 0_u32.to_be_bytes()).await.unwrap();
    for node in [&a, &b] {
        node.install_key(new.clone()).unwrap();
    }
    for node in [&a, &b] {
        node.use_key(&new).unwrap();
    }
    for node in [&a, &b] {
        node.remove_key(&old).unwrap();
    }
    a.send_reliable("b", 1_u32.to_be_bytes()).await.unwrap();
    assert_eq!(take(&mut messages, 2).await, [0, 1]);
    let failed = count(&a, "streams_broken").await;
    assert_eq!(failed, 0, "it went on the same stream");

    let third = Key::from_bytes(&[9; 16]).unwrap();
    b.install_key(third.clone()).unwrap();
    b.use_key(&third).unwrap();
    b.remove_key(&new).unwrap();
    let error = a.send_reliable("b", 2_u32.to_be_bytes()).await.unwrap_err();
    assert!(matches!(error, SendError::Request(RequestError::Exchange { .. })), "{error}");
    stop_all(&[a, b]).await;
}

#[tokio::test]
async fn whoever_is_no_mingle_node_gets_a_stream_for_each_message() {
    let (a, b) = (loopback("a").start(), loopback("b").mark(Mark::Plain).start());
    let [a, b] = [a.await.unwrap(), b.await.unwrap()];
    assert!(b.join([a.local_addr()]).await.succeeded());
    eventually("a sees b", 10, || a.member("b").is_some()).await;
    for (from, to) in [(&a, &b), (&b, &a)] {
        let mut messages = to.messages();
        for number in 0..3_u32 {
            from.send_reliable(to.name(), number.to_be_bytes()).await.unwrap();
        }
        let mut taken = take(&mut messages, 3).await;
        taken.sort_unstable();
        assert_eq!(taken, [0, 1, 2]);
        assert_eq!(count(to, "user_messages_received").await, 3);
        assert_eq!(count(from, "kept_stream_messages_sent").await, 0);
    }
    stop_all(&[a, b]).await;
}

#[tokio::test]
async fn a_node_that_comes_back_is_dialled_again() {
    let network = MemoryNetwork::new();
    let mut nodes = cluster(&network, 2).await;
    nodes[0].send_reliable(memory_address(2), "before").await.unwrap();
    nodes.pop().unwrap().stop().await;
    let error = nodes[0].send_reliable(memory_address(2), "lost").await.unwrap_err();
    assert!(matches!(error, SendError::Request(RequestError::Exchange { .. })), "{error}");

    let again = in_memory(&network, 2);
    let mut messages = again.messages();
    nodes[0].send_reliable(memory_address(2), "after").await.unwrap();
    let Some(Item::Item(message)) = messages.next().await else { panic!("no message") };
    assert_eq!(&*message.payload, b"after");
    stop_all(&[nodes.pop().unwrap(), again]).await;
}

/// The queue of a subscriber holds 1,024; whoever sends waits until there is room, for a second.
#[tokio::test]
async fn senders_wait_for_a_subscriber_that_is_slow() {
    const MANY: u32 = 4_000;
    let [a, b] = pair(None).await;
    let mut messages = b.messages();
    let sending = tokio::spawn({
        let a = a.clone();
        async move {
            let mut sends = JoinSet::new();
            for number in 0..MANY {
                let a = a.clone();
                sends.spawn(async move { a.send_reliable("b", number.to_be_bytes()).await });
            }
            sends.join_all().await
        }
    });
    eventually_stats("the queue is full", 10, &b, |stats| {
        stats.get("kept_stream_messages_received").is_some_and(|came| came >= 1_024)
    })
    .await;
    let mut taken = take(&mut messages, MANY).await;
    taken.sort_unstable();
    assert_eq!(taken, (0..MANY).collect::<Vec<_>>());
    assert!(sending.await.unwrap().iter().all(Result::is_ok));
    stop_all(&[a, b]).await;
}

fn numbered(number: u32) -> Vec<u8> {
    let (mut message, mut sealed) = (Vec::new(), Vec::new());
    StreamMessage::Numbered { number: SeqNo(number), payload: b"raw" }.encode(&mut message);
    let side = if number == 1 { Side::Dialer } else { Side::Listener };
    Envelope::default().seal_stream(&message, side, [0; 12], &mut sealed);
    sealed
}

/// What the listener says, up to the first message.
fn answered(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut decoder = StreamDecoder::new(Side::Listener);
    let mut chunk = [0; 256];
    loop {
        if let Some(body) = decoder.poll(&Envelope::default()).unwrap() {
            return Some(body);
        }
        match stream.read(&mut chunk).unwrap() {
            0 => return None,
            length => decoder.push(&chunk[..length]),
        }
    }
}

fn dial(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dialer_that_counts_wrongly_or_says_something_else_is_hung_up_on() {
    let node = loopback("a").start().await.unwrap();
    let mut ping = Vec::new();
    StreamMessage::Ack(Ack { seq: SeqNo(1), payload: &[] }).encode(&mut ping);
    let garbage = [numbered(3), numbered(1), ping, b"\x63 nothing that is known".to_vec()];
    for (before, wrong) in garbage.into_iter().enumerate() {
        let to = node.local_addr();
        let hung_up = tokio::task::spawn_blocking(move || {
            let mut stream = dial(to);
            stream.write_all(&numbered(1)).unwrap();
            let body = answered(&mut stream).unwrap();
            let Ok(StreamMessage::Ack(ack)) = memberlist::decode_stream(&body) else {
                panic!("no ack")
            };
            assert_eq!((ack.seq, ack.payload), (SeqNo(1), &b"keeps"[..]));
            stream.write_all(&wrong).unwrap();
            answered(&mut stream).is_none()
        });
        assert!(hung_up.await.unwrap());
        let refused = count(&node, "stream_messages_refused").await;
        assert_eq!(refused, before as u64 + 1);
    }
    node.stop().await;
}

/// The stream is acknowledged and closed, and the next message needs one of its own: nothing is lost.
#[tokio::test]
async fn whoever_comes_when_enough_streams_are_kept_sends_each_message_on_its_own() {
    const MOST: usize = 1_024;
    let network = MemoryNetwork::new();
    let node = in_memory(&network, 1);
    let crowd = network.transport(memory_address(2)).unwrap();
    let mut streams = Vec::new();
    for place in 0..=MOST {
        let mut stream = crowd.dial(memory_address(1)).await.unwrap();
        stream.write_all(&numbered(1)).await.unwrap();
        let mut answer = [0; 64];
        let length = stream.read(&mut answer).await.unwrap();
        let Ok(StreamMessage::Ack(ack)) = memberlist::decode_stream(&answer[..length]) else {
            panic!("no ack")
        };
        assert_eq!(ack.payload == b"keeps", place < MOST, "the {place}th");
        streams.push(stream);
    }
    assert_eq!(streams.last_mut().unwrap().read(&mut [0]).await.unwrap(), 0, "it is closed");
    let other = in_memory(&network, 3);
    assert!(other.join([memory_address(1)]).await.succeeded());
    let mut messages = node.messages();
    for number in 0..3_u32 {
        other.send_reliable(memory_address(1), number.to_be_bytes()).await.unwrap();
    }
    assert_eq!(take(&mut messages, 3).await, [0, 1, 2]);
    stop_all(&[node, other]).await;
}

/// Not as long as one may be idle: what has come of a message takes room.
#[tokio::test(start_paused = true)]
async fn a_message_that_does_not_come_whole_ends_its_stream_in_time() {
    let network = MemoryNetwork::new();
    let node = in_memory(&network, 1);
    let crowd = network.transport(memory_address(2)).unwrap();
    let mut stream = crowd.dial(memory_address(1)).await.unwrap();
    stream.write_all(&numbered(1)).await.unwrap();
    assert_ne!(stream.read(&mut [0; 64]).await.unwrap(), 0, "the ack");
    let next = numbered(2);
    stream.write_all(&next[..next.len() - 1]).await.unwrap();
    let begun = tokio::time::Instant::now();
    assert_eq!(stream.read(&mut [0; 64]).await.unwrap(), 0, "it is closed");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(count(&node, "streams_timed_out").await, 1);
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_idle_is_closed_and_dialled_again_when_there_is_something_to_say() {
    let network = MemoryNetwork::new();
    let nodes = cluster(&network, 2).await;
    let mut messages = nodes[1].messages();
    for number in 0..2_u32 {
        let before = count(&nodes[1], "streams_accepted").await;
        nodes[0].send_reliable(memory_address(2), number.to_be_bytes()).await.unwrap();
        assert!(count(&nodes[1], "streams_accepted").await > before, "a new one");
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert_eq!(count(&nodes[1], "exchanges_open").await, 0);
    }
    assert_eq!(take(&mut messages, 2).await, [0, 1]);
    stop_all(&nodes).await;
}
