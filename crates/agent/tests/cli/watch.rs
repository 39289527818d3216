//! What those who watch an agent are given.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::process::{Agent, DEADLINE, mingle, run_refused, wait};

/// An open stream of events.
struct Events(BufReader<TcpStream>);

#[derive(Debug)]
struct Event {
    id: Option<String>,
    kind: String,
    data: Value,
}

impl Events {
    fn open(agent: &Agent, headers: &str) -> Self {
        Self::of(agent, "/v1/watch", headers)
    }

    fn of(agent: &Agent, path: &str, headers: &str) -> Self {
        let mut stream = TcpStream::connect(&agent.http).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut events = Self(BufReader::new(stream));
        let head: Vec<_> = std::iter::from_fn(|| events.line().filter(|l| !l.is_empty())).collect();
        assert_eq!(head[0], "HTTP/1.1 200 OK", "{head:?}");
        assert!(head.iter().any(|line| line == "content-type: text/event-stream"), "{head:?}");
        events
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        (self.0.read_line(&mut line).unwrap() > 0).then(|| line.trim_end().to_owned())
    }

    /// The next event; `None` at the end.
    fn next(&mut self) -> Option<Event> {
        let (mut id, mut kind) = (None, String::new());
        loop {
            // Lines that begin otherwise are sizes of chunks; the last chunk is empty.
            let line = self.line().filter(|line| line != "0")?;
            match line.split_once(": ") {
                Some(("id", text)) => id = Some(text.to_owned()),
                Some(("event", text)) => text.clone_into(&mut kind),
                Some(("data", text)) => {
                    let data = serde_json::from_str(text).unwrap();
                    return Some(Event { id, kind, data });
                }
                Some(_) | None => {}
            }
        }
    }

    fn find(&mut self, is_it: impl Fn(&Event) -> bool) -> Event {
        std::iter::from_fn(|| self.next()).find(is_it).expect("it comes before the end")
    }
}

fn is_change(event: &Event, name: &str, change: &str) -> bool {
    event.kind == "change"
        && event.data["member"]["name"] == name
        && event.data["decision"]["member"]["change"] == change
}

#[test]
fn commands_that_follow_end_when_nobody_reads_them_any_more() {
    let agent = Agent::start("a", &[]);
    for command in [&["members", "--watch"][..], &["monitor"]] {
        let all = [command, &["--http", &agent.http]].concat();
        let mut child = mingle(&all).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        assert!(!first.is_empty());
        let mut status = None;
        wait("it ends", || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        assert!(status.unwrap().success());
    }
}

#[test]
fn the_log_is_followed_at_a_level_of_its_own_until_the_agent_ends() {
    let agent = Agent::start("a", &["--log-level", "error"]);
    let mut events = Events::of(&agent, "/v1/logs?level=debug", "");
    let all = ["monitor", "--log-level", "debug", "--http", &agent.http];
    let mut child = mingle(&all).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(child.stdout.take().unwrap());
    let first_line = std::thread::spawn(move || {
        let mut line = String::new();
        told.read_line(&mut line).unwrap();
        line
    });
    wait("the command has told a line", || {
        run_refused(&["join", "127.0.0.1:1", "--http", &agent.http], 1);
        first_line.is_finished()
    });
    let told = first_line.join().unwrap();
    assert!(told.contains("Z DEBUG mingle"), "{told}");
    let line = events.find(|event| event.kind == "log" && event.data["message"] == "join");
    assert_eq!(
        (&line.data["level"], &line.data["target"]),
        (&"debug".into(), &"mingle::join".into())
    );
    agent.ask(&["leave"]);
    events.find(|event| event.data["message"] == "leaving, as asked");
    events.find(|event| event.kind == "end");
    assert!(events.next().is_none());
    // Nobody reads it any more, and it may end by that or by the agent's.
    wait("the command ends", || child.try_wait().unwrap().is_some());
}

#[test]
fn a_stream_ends_with_the_token_that_opened_it() {
    let folder = tempfile::tempdir().unwrap();
    let token = |text: &str| {
        use std::os::unix::fs::PermissionsExt;
        let path = folder.path().join("token");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let agent = Agent::start("a", &["--http-token-file", &token("0123456789abcdef")]);
    let mut old = Events::open(&agent, "Authorization: Bearer 0123456789abcdef\r\n");
    assert_eq!(old.next().unwrap().kind, "snapshot");
    token("fedcba9876543210");
    agent.signal("-HUP");
    agent.wait_for_log("http_token");
    let mut new = Events::open(&agent, "Authorization: Bearer fedcba9876543210\r\n");
    while old.next().is_some() {}
    for _ in 0..3 {
        assert!(new.next().is_some());
    }
}

#[test]
fn a_watcher_sees_all_members_then_each_change_and_goes_on_where_it_was() {
    let mut a = Agent::start("a", &[]);
    let mut events = Events::open(&a, "");
    let first = events.next().unwrap();
    assert_eq!(first.kind, "snapshot");
    assert_eq!(first.data["members"][0]["name"], "a");
    let status = events.find(|event| event.kind == "status");
    assert_eq!((&status.data["members"]["alive"], status.id), (&1.into(), None));

    let b = Agent::start("b", &["--join", &a.gossip()]);
    let joined = events.find(|event| is_change(event, "b", "joined"));
    assert_eq!(joined.data["version"], first.data["version"].as_u64().unwrap() + 1);
    assert!(joined.data["decision"]["member"]["evidence"]["cause"].is_string());
    let rtts = events.find(|event| event.kind == "rtts" && event.data["b"].is_number());
    assert!(rtts.data["b"].as_f64().unwrap() > 0.0);
    drop(events);

    assert_eq!(b.ask(&["leave"]), "left, as a confirmed\n");
    a.wait_for_state("b", "left");
    let last = format!("Last-Event-ID: {}\r\n", joined.id.unwrap());
    let mut again = Events::open(&a, &last);
    let left = again.find(|event| event.kind != "decision");
    assert!(is_change(&left, "b", "left"), "{left:?}");
    let mut stranger = Events::open(&a, "Last-Event-ID: 1-1\r\n");
    let snapshot = stranger.next().unwrap();
    assert_eq!((snapshot.kind.as_str(), &snapshot.id), ("snapshot", &left.id));
    assert_eq!(snapshot.data["members"][1]["state"], "left");

    assert_eq!(a.ask(&["leave"]), "left; nobody else was there\n");
    again.find(|event| event.kind == "end");
    assert!(again.next().is_none());
    assert_eq!(a.exit_code(), Some(0));
}
