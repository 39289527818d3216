//! Recordings replay, and bad ones are refused in one sentence with exit code 2.

#![expect(clippy::unwrap_used, reason = "a test that can not set up its scene has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mingle_proto::{
    Begin, Config, End, Input, Instant, Journal, Local, Node, Origin, RequestId, Room,
};
use mingle_wire::{Address, Alive, Incarnation, Message, Suspect, Versions};
use tempfile::TempDir;

/// 2026-01-31 03:10:00 UTC.
const START: u64 = 1_769_829_000_000_000_000;
const PEER: &str = "10.0.0.2:7946";

/// A node in a room of its own, with a journal beside it.
struct Recorded {
    node: Node,
    journal: Journal,
    now: Instant,
    number: u32,
    folder: TempDir,
}

impl Recorded {
    fn new() -> Self {
        let local = Local::new("a", address("10.0.0.1:7946"));
        let node = Node::new(Config::lan(), local, 1, Instant::ORIGIN).unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self { node, journal: Journal::new(), now: Instant::ORIGIN, number: 0, folder }
    }

    fn begin(&mut self, begin: Begin) {
        self.number += 1;
        let origin = Origin {
            name: "a".to_owned(),
            program: "mingle test".to_owned(),
            run: START,
            number: self.number,
            begin,
            now: self.now,
            unix_nanos: START + self.now.as_nanos(),
        };
        self.journal.begin(&origin, &self.node);
    }

    fn input(&mut self, input: Input<'_>) {
        let room = Room::of_packet(1400);
        let mut buffer = Vec::new();
        self.journal.input(self.now, &input);
        self.node.handle(self.now, input);
        while let Some(output) = self.node.poll_output(room, &mut buffer) {
            self.journal.output(room, &output, &buffer);
        }
        self.journal.drained(room);
    }

    fn hear(&mut self, message: &Message<'_>) {
        let mut body = Vec::new();
        message.encode(&mut body);
        let (from, received) = (PEER.parse().unwrap(), self.now);
        self.input(Input::Packet { from, received, body: &body });
    }

    /// Lets time pass.
    fn run(&mut self, seconds: u64) {
        let end = self.now.as_nanos() + seconds * 1_000_000_000;
        while let Some(at) = self.node.poll_timeout().filter(|at| at.as_nanos() <= end) {
            self.now = at;
            self.input(Input::Timeout);
        }
        self.now = Instant::from_nanos(end);
    }

    fn write(&mut self) -> PathBuf {
        let path = self.folder.path().join(format!("a-{:08}.mgl", self.number));
        fs::write(&path, self.journal.take()).unwrap();
        path
    }

    fn files(&self) -> [PathBuf; 2] {
        [1, 2].map(|number| self.folder.path().join(format!("a-{number:08}.mgl")))
    }
}

fn address(text: &str) -> Address {
    text.parse::<std::net::SocketAddr>().unwrap().into()
}

/// A life in two files: a member comes, is accused by another, and dies without an answer.
fn life() -> Recorded {
    let mut life = Recorded::new();
    life.begin(Begin::Start);
    for (node, at) in [("b", PEER), ("c", "10.0.0.3:7946")] {
        let versions = Versions([1, 5, 2, 0, 0, 0]);
        let incarnation = Incarnation::FIRST;
        let (address, meta) = (address(at), b"".as_slice());
        life.hear(&Message::Alive(Alive { incarnation, node, address, meta, versions }));
    }
    let incarnation = Incarnation::FIRST;
    life.hear(&Message::Suspect(Suspect { incarnation, node: "c", from: "b\u{1b}[0m" }));
    life.hear(&Message::Suspect(Suspect { incarnation, node: "c", from: "b" }));
    life.journal.end(End::Continued);
    life.write();
    life.begin(Begin::Continued);
    life.run(20);
    let command = mingle_proto::Command::Leave { request: RequestId(1) };
    life.input(Input::Command(command));
    life.journal.end(End::Stopped);
    life.write();
    life
}

fn replay(paths: &[&Path], flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mingle-sim"));
    command.arg("replay").args(paths).args(flags).output().unwrap()
}

fn shown(paths: &[&Path], flags: &[&str]) -> String {
    let output = replay(paths, flags);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The one sentence, which names the file.
fn refused(paths: &[&Path], file: &Path) -> String {
    let output = replay(paths, &[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let start = format!("mingle-sim: {}: ", file.display());
    said.strip_prefix(&start).unwrap_or_else(|| panic!("{said}")).trim_end().to_owned()
}

#[test]
fn a_death_is_shown_with_what_led_to_it() {
    let life = life();
    let text = shown(&[life.folder.path()], &["--about", "c"]);
    let events: Vec<_> = text.lines().filter(|line| line.contains("  event")).collect();
    let [joined, suspected, failed, ..] = events.as_slice() else { panic!("{text}") };
    assert!(joined.contains(r#"joined"#) && joined.contains(r#""c" at 10.0.0.3:7946"#), "{text}");
    let accused = r#"accused by "b\u{1b}[0m" (packet from 10.0.0.2:7946); before: alive"#;
    assert!(suspected.contains(accused), "{text}");
    assert!(failed.contains("failed") && failed.contains("not heard of for"), "{text}");
    assert!(text.contains("2026-01-31T03:10:00.000Z  in       packet     10.0.0.2:7946"), "{text}");
    assert!(text.contains(r#"suspect "c" 1 by "b\u{1b}[0m""#), "{text}");
    assert!(text.contains("# the node was stopped here"), "{text}");
    assert!(text.contains(r#"members          3  "a" left, "b" dead, "c" dead"#), "{text}");
    assert!(text.contains("command 1, packet 4, timer "), "{text}");
}

#[test]
fn lines_can_be_chosen() {
    let life = life();
    let folder = life.folder.path();
    let kinds = |flags: &[&str]| -> Vec<String> {
        let text = shown(&[folder], flags);
        let words = |line: &str| line.split_whitespace().nth(1).map(str::to_owned);
        let mut kinds: Vec<_> =
            text.lines().filter(|l| l.starts_with("2026-")).filter_map(words).collect();
        kinds.sort();
        kinds.dedup();
        kinds
    };
    assert_eq!(kinds(&[]), ["event", "in"]);
    assert_eq!(kinds(&["--node-events-only"]), ["event"]);
    assert_eq!(kinds(&["--all"]), ["event", "in", "out"]);
    let lines = |flags: &[&str]| {
        shown(&[folder], flags).lines().filter(|line| line.starts_with("2026-")).count()
    };
    let (all, late) = (lines(&["--all"]), lines(&["--all", "--from", "9s"]));
    let early = lines(&["--all", "--until", "2026-01-31 03:10:09"]);
    assert!(late > 0 && early > 0);
    assert_eq!(late + early, all, "nothing happens at the very second between them");
}

#[test]
fn as_json_every_line_is_an_object() {
    let life = life();
    let text = shown(&[life.folder.path()], &["--json", "--all"]);
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let failed = lines.iter().find(|line| line["kind"] == "failed" && line["names"][0] == "c");
    assert_eq!(failed.unwrap()["node"], "a");
    let summary = &lines.last().unwrap()["summary"];
    assert_eq!(summary["members"]["c"]["state"], "dead");
}

#[test]
fn a_recording_of_a_process_that_died_replays_to_there_and_says_so() {
    let life = life();
    let [_, last] = life.files();
    let bytes = fs::read(&last).unwrap();
    fs::write(&last, &bytes[..bytes.len() - 5]).unwrap();
    let text = shown(&[life.folder.path()], &[]);
    assert!(text.contains("failed") && text.contains("cut at byte"), "{text}");
    assert!(!text.contains("was stopped here"), "{text}");
    fs::write(life.folder.path().join("a-00000003.mgl"), "").unwrap();
    assert!(shown(&[life.folder.path()], &[]).contains("nothing was recorded in it"));
}

#[test]
fn a_recording_that_is_cut_though_it_goes_on_is_refused() {
    let life = life();
    let [first, second] = life.files();
    let bytes = fs::read(&first).unwrap();
    fs::write(&first, &bytes[..bytes.len() - 5]).unwrap();
    let said = refused(&[life.folder.path()], &first);
    assert!(said.starts_with("the recording is cut in the middle, at byte "), "{said}");
    assert!(said.contains("a-00000002.mgl goes on") && said.contains("copy the file"), "{said}");
    shown(&[&second], &[]);
}

#[test]
fn damage_is_told_with_its_place() {
    let life = life();
    let [first, _] = life.files();
    let mut bytes = fs::read(&first).unwrap();
    let place = bytes.len() - 60;
    bytes[place] ^= 1;
    fs::write(&first, bytes).unwrap();
    let said = refused(&[life.folder.path()], &first);
    let at = said.strip_prefix("the recording is damaged at byte ").unwrap();
    let at: usize = at.split_once(';').unwrap().0.parse().unwrap();
    assert!(at <= place && place - at < 200, "{said}");
    assert!(said.contains("copy it once more"), "{said}");
}

#[test]
fn what_is_no_recording_or_of_another_version_is_refused() {
    let life = life();
    let [first, _] = life.files();
    let bytes = fs::read(&first).unwrap();
    let place = life.folder.path().join("other.mgl");
    let said = |bytes: &[u8]| {
        fs::write(&place, bytes).unwrap();
        refused(&[&place], &place)
    };
    assert!(said(b"GIF89a").starts_with("this is no recording; give a file"));
    let mut newer = bytes.clone();
    newer[4] = 9;
    let newer = said(&newer);
    let reads = bytes[4];
    let sentence = format!("the recording has version 9 and this program reads version {reads}");
    assert!(newer.starts_with(&sentence), "{newer}");
    assert!(newer.contains("replay it with the version of mingle that recorded it"));
    for cut in [0, 3, 40] {
        assert!(said(&bytes[..cut]).starts_with(&format!("the recording is cut at byte {cut}")));
    }
    fs::remove_file(&place).unwrap();
    assert!(refused(&[&place], &place).contains("not found; name files that"));
    let empty = tempfile::tempdir().unwrap();
    assert!(refused(&[empty.path()], empty.path()).starts_with("no recordings are in this folder"));
}

#[test]
fn a_program_that_decides_differently_says_so() {
    let mut life = Recorded::new();
    life.begin(Begin::Start);
    // What another program would have done with the same: nothing.
    life.journal.input(Instant::from_millis(60_000), &Input::Timeout);
    let nothing = &mut life.journal;
    nothing.output(Room::of_packet(1400), &close(), &[]);
    nothing.drained(Room::of_packet(1400));
    let path = life.write();
    let said = refused(&[&path], &path);
    assert!(said.contains("this program decides differently from the one that recorded"), "{said}");
    assert!(said.contains("60.000s after its start"), "{said}");
}

fn close() -> mingle_proto::Output {
    mingle_proto::Output::Close { exchange: mingle_proto::ExchangeId::Theirs(1) }
}

#[test]
fn files_of_two_lives_do_not_follow_each_other() {
    let (one, mut other) = (life(), Recorded::new());
    other.begin(Begin::Start);
    other.run(1);
    other.journal.end(End::Continued);
    let foreign = other.write();
    let [_, second] = one.files();
    let said = refused(&[&foreign, &second], &second);
    assert!(said.starts_with("it does not begin where "), "{said}");
}
