//! Recordings replay bit for bit, and say what is wrong with them.

use crate::replay::{ROOM, drive_noting, line, node};
use crate::world::address;
use mingle_proto::{
    Advance, Begin, End, Ending, Input, Instant, Journal, Node, Origin, RecordingError, Room,
    Segment, SendFailure,
};

fn origin(number: u32, begin: Begin, now: Instant) -> Origin {
    let (name, program) = ("n2".to_owned(), "test".to_owned());
    Origin { name, program, run: 7, number, begin, now, unix_nanos: 1_000_000_000 }
}

/// Two segments of one run, and what the node put out meanwhile.
fn recorded() -> ([Vec<u8>; 2], Vec<String>, Node) {
    let mut node = node();
    let mut journal = Journal::new();
    journal.begin(&origin(1, Begin::Start, Instant::from_millis(45_000)), &node);
    let mut lines = drive_noting(&mut node, 900, 1400, &mut journal);
    journal.end(End::Continued);
    let first = journal.take();
    journal.begin(&origin(2, Begin::Continued, Instant::from_millis(70_000)), &node);
    lines.extend(drive_noting(&mut node, 1400, 2000, &mut journal));
    journal.end(End::Stopped);
    ([first, journal.take()], lines, node)
}

/// Replays a segment to where it ends, or goes wrong.
fn replay(bytes: &[u8]) -> Result<(Vec<String>, Vec<u8>, Ending), RecordingError> {
    let segment = Segment::read(bytes)?;
    let mut replay = segment.replay()?;
    let mut lines = Vec::new();
    loop {
        match replay.advance()? {
            Advance::Step(step) => {
                lines.extend(step.outputs.iter().map(|(out, body)| line(step.now, out, body)));
            }
            Advance::Ended(ending) => return Ok((lines, replay.node().checkpoint(), ending)),
        }
    }
}

/// Bytes before the first entry.
fn beginning(bytes: &[u8]) -> usize {
    (0..).find(|&length| Segment::read(&bytes[..length]).is_ok()).unwrap()
}

#[test]
fn a_recording_replays_bit_for_bit_over_its_segments() {
    let ([first, second], lines, node) = recorded();
    let (mut replayed, between, ending) = replay(&first).unwrap();
    assert_eq!(ending, Ending::Whole(End::Continued));
    assert_eq!(Segment::read(&second).unwrap().checkpoint(), between);
    let (rest, after, ending) = replay(&second).unwrap();
    assert_eq!(ending, Ending::Whole(End::Stopped));
    replayed.extend(rest);
    assert!(lines.len() > 100);
    assert_eq!(replayed, lines);
    assert_eq!(after, node.checkpoint());
}

#[test]
fn what_a_segment_says_of_itself_comes_back() {
    let ([first, second], ..) = recorded();
    let origin = |bytes| Segment::read(bytes).unwrap().origin().clone();
    assert_eq!(origin(&first), self::origin(1, Begin::Start, Instant::from_millis(45_000)));
    assert_eq!(origin(&second), self::origin(2, Begin::Continued, Instant::from_millis(70_000)));
}

#[test]
fn wherever_a_process_dies_the_rest_replays_to_there() {
    let ([first, _], lines, _) = recorded();
    let beginning = beginning(&first);
    for length in (beginning..first.len()).step_by(997) {
        let (replayed, _, ending) = replay(&first[..length]).unwrap();
        assert!(lines.starts_with(&replayed), "cut at {length}");
        let Ending::Cut { at } = ending else { panic!("cut at {length}: {ending:?}") };
        assert!(at <= length && length - at < 2000, "cut at {length}: {at}");
    }
    // A file system may have made the file longer before it wrote into it.
    let mut bytes = first[..beginning + 5000].to_vec();
    bytes.extend([0; 4096]);
    assert!(matches!(replay(&bytes), Ok((_, _, Ending::Cut { .. }))));
    for length in [0, 3, 4, 5, 20, beginning - 1] {
        let refused = replay(&first[..length]).map(|_| ());
        assert_eq!(refused, Err(RecordingError::Empty { at: length }));
    }
}

#[test]
fn damage_anywhere_is_found_where_it_is() {
    let ([first, _], ..) = recorded();
    for place in (5..first.len()).step_by(331) {
        let mut bytes = first.clone();
        bytes[place] ^= 1;
        let Err(RecordingError::Damaged { at }) = replay(&bytes) else { panic!("{place}") };
        assert!(at <= place, "{place}: {at}");
    }
}

#[test]
fn foreign_and_newer_recordings_are_refused() {
    let ([mut bytes, _], ..) = recorded();
    let known = bytes[4];
    let found = known + 1;
    bytes[4] = found;
    let refused = |bytes: &[u8]| replay(bytes).map(|_| ()).unwrap_err();
    assert_eq!(refused(&bytes), RecordingError::Version { found, known });
    assert_eq!(refused(b"mgl"), RecordingError::Empty { at: 3 });
    assert_eq!(refused(b"something else"), RecordingError::Foreign);
}

#[test]
fn a_program_that_decides_differently_is_found_out() {
    let mut node = node();
    let mut journal = Journal::new();
    let now = Instant::from_millis(45_000);
    journal.begin(&origin(1, Begin::Start, now), &node);
    drive_noting(&mut node, 900, 1000, &mut journal);
    // Another program would have written something else into one packet.
    let (at, room) = (Instant::from_millis(60_000), Room::of_packet(ROOM));
    let mut buffer = Vec::new();
    journal.input(at, &Input::Timeout);
    node.handle(at, Input::Timeout);
    while let Some(output) = node.poll_output(room, &mut buffer) {
        buffer.push(0);
        journal.output(room, &output, &buffer);
    }
    journal.drained(room);
    let place = journal.waiting();
    let Err(RecordingError::Differs { at: found, now }) = replay(&journal.take()) else { panic!() };
    assert_eq!(now, at);
    assert!(found < place && place - found < 100);
}

#[test]
fn things_that_came_before_anybody_polled_replay_as_they_were() {
    let mut node = node();
    let mut journal = Journal::new();
    let now = Instant::from_millis(45_000);
    journal.begin(&origin(1, Begin::Start, now), &node);
    let (small, large) = (Room::of_packet(Room::LEAST), Room::of_packet(ROOM));
    let (mut lines, mut buffer) = (Vec::new(), Vec::new());
    for second in 45..200 {
        let now = Instant::from_millis(second * 1000);
        let failed = Input::SendFailed { to: address(1), kind: SendFailure::NoRoom };
        for input in [Input::Timeout, failed, Input::Timeout] {
            journal.input(now, &input);
            node.handle(now, input);
        }
        // The keys change while the node is asked, and with them the room; some is left for later.
        for room in [small, large] {
            let Some(output) = node.poll_output(room, &mut buffer) else {
                journal.drained(room);
                break;
            };
            journal.output(room, &output, &buffer);
            lines.push(line(now, &output, &buffer));
        }
    }
    while let Some(output) = node.poll_output(large, &mut buffer) {
        journal.output(large, &output, &buffer);
        lines.push(line(now, &output, &buffer));
    }
    journal.drained(large);
    journal.end(End::Stopped);
    let (replayed, after, ending) = replay(&journal.take()).unwrap();
    assert!(lines.len() > 40, "{}", lines.len());
    assert_eq!(ending, Ending::Whole(End::Stopped));
    let without_time = |lines: Vec<String>| -> Vec<_> {
        lines.iter().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
    };
    assert_eq!(without_time(replayed), without_time(lines));
    assert_eq!(after, node.checkpoint());
}
