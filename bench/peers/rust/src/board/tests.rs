use super::round::Spread;
use super::*;

fn see_all(board: &Board, nodes: usize) {
    for observer in 0..nodes {
        for subject in 0..nodes {
            board.saw(observer, subject);
        }
    }
}

#[test]
fn most_comes_before_all() {
    let board = Board::new(40);
    board.begin_join();
    see_all(&board, 39);
    assert_eq!(board.joined(), Joined { all: None, most: None, seen: 39 * 38, of: 40 * 39 });
    for other in 0..38 {
        board.saw(39, other);
        board.saw(other, 39);
    }
    // 1558 of 1560 pairs are less than 99.9 %, 1559 are more.
    assert_eq!(board.joined().most, None);
    board.saw(39, 38);
    let most = board.joined().most.expect("1559 pairs");
    assert_eq!(board.joined().all, None);
    board.saw(38, 39);
    let all = board.joined().all.expect("all pairs");
    assert!(most <= all);
    assert_eq!(board.joined().seen, board.joined().of);
}

#[test]
fn a_node_is_seen_once_and_not_by_itself() {
    let board = Board::new(2);
    board.begin_join();
    for _ in 0..3 {
        board.saw(0, 1);
        board.saw(1, 1);
        board.saw(0, 2);
    }
    assert_eq!(board.joined().seen, 1);
}

#[test]
fn the_first_time_that_all_saw_all_stays() {
    let board = Board::new(2);
    board.begin_join();
    see_all(&board, 2);
    let all = board.joined().all;
    assert!(all.is_some());
    board.down(0, 1);
    assert_eq!(board.joined().seen, 1);
    board.saw(0, 1);
    assert_eq!(board.joined().all, all);
}

#[test]
fn reports_about_nodes_that_run_are_false() {
    let board = Board::new(4);
    board.down(0, 1);
    assert_eq!(board.false_downs(), 0, "it was not seen");
    see_all(&board, 4);
    board.down(0, 1);
    board.down(0, 1);
    assert_eq!(board.false_downs(), 1);
    board.begin_kill(&[2]);
    board.down(0, 2);
    board.down(2, 0);
    assert_eq!(board.false_downs(), 1, "2 is gone, and what it says does not count");
}

#[test]
fn a_kill_is_over_when_all_that_saw_them_have_reported_all() {
    let board = Board::new(5);
    board.begin_join();
    see_all(&board, 5);
    board.down(1, 4);
    board.begin_kill(&[3, 4]);
    assert_eq!(board.missing(), 5, "1 does not see 4");
    for (observer, subject) in [(0, 3), (0, 4), (1, 3), (2, 3), (2, 3), (4, 3)] {
        board.down(observer, subject);
    }
    assert_eq!((board.missing(), board.all_reported()), (1, None));
    board.down(2, 4);
    assert_eq!(board.missing(), 0);
    let (first, all) = (board.first_report(3), board.all_reported());
    assert!(first.is_some() && first <= all);
    assert!(board.first_report(4) < all);
    assert_eq!(board.joined().seen, 6, "three survivors");
}

#[test]
fn a_join_after_a_kill_is_about_survivors() {
    let board = Board::new(3);
    see_all(&board, 3);
    board.begin_kill(&[2]);
    board.begin_join();
    let joined = board.joined();
    assert_eq!((joined.seen, joined.of), (2, 2));
    assert!(joined.all.is_some());
}

#[test]
fn a_round_counts_each_arrival_once() {
    let board = Board::new(3);
    let round = board.begin_round(2);
    round.sends(0, board.now());
    let key = round.key(0);
    assert!(board.received(1, &key.bytes()));
    assert!(!board.received(1, &key.bytes()));
    assert!(!board.received(0, &key.bytes()), "the sender has it");
    assert!(!board.received(1, &[1, 2, 3]));
    assert!(!board.received_key(1, Key { index: 2, ..key }));
    let other = board.begin_round(1);
    assert!(!board.received_key(2, key), "that round is over");
    assert_eq!((round.arrivals(), other.arrivals()), (1, 0));
}

#[test]
fn a_spread_is_over_messages_and_over_pairs() {
    let board = Board::new(4);
    board.begin_kill(&[3]);
    let round = board.begin_round(3);
    round.sends(0, 100);
    round.sends(1, 200);
    for (message, node, at) in [(0, 1, 150), (0, 2, 110), (1, 1, 230), (1, 3, 900)] {
        assert!(round.arrived(round.key(message), node, || at));
    }
    let spread = round.spread(&board);
    assert_eq!(spread, Spread { all: vec![50], each: vec![10, 30, 50], lost: 1 });
    assert_eq!((spread.to_all(99), spread.to_each(50)), (Some(50), Some(30)));
}

#[test]
fn a_pour_counts_its_own_messages() {
    let board = Board::new(2);
    let first = board.begin_pour();
    board.received_key(1, first);
    let second = board.begin_pour();
    for key in [first, second, second] {
        assert!(!board.received(1, &key.bytes()));
    }
    assert_eq!(board.delivered(), 2);
}
