//! The law of beliefs, held against whole nodes: in whatever order the claims arrive, the belief is
//! the same.

use crate::world::{address, name};
use mingle_proto::{Config, Input, Instant, Local, Node, Room};
use mingle_wire::{Alive, Dead, Delegate, Incarnation, Mark, Message, State, Suspect, Versions};
use proptest::{collection, prop_assert_eq, proptest};

/// A claim about one member: state, incarnation.
type Claim = (State, u32);

fn encode((state, number): Claim) -> Vec<u8> {
    let incarnation = Incarnation::new(number).unwrap();
    let subject = name(1);
    let (node, from) = (subject.as_str(), "n3");
    // What a node says of itself differs from one incarnation to the next.
    let meta = number.to_be_bytes();
    let versions = Versions::ours(Delegate::SERF, Mark::Plain);
    let message = match state {
        State::Alive => Message::Alive(Alive {
            incarnation,
            node,
            address: address(1).into(),
            meta: &meta,
            versions,
        }),
        State::Suspect => Message::Suspect(Suspect { incarnation, node, from }),
        State::Dead => Message::Dead(Dead { incarnation, node, from }),
        State::Left => Message::Dead(Dead { incarnation, node, from: node }),
    };
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes
}

/// What a node that knows the member at incarnation 1 believes after the claims.
fn believe(config: &Config, claims: &[Claim]) -> (State, u32, Vec<u8>) {
    let local = Local::new(name(0), address(0).into());
    let mut node = Node::new(config.clone(), local, 7, Instant::ORIGIN).unwrap();
    let mut buffer = Vec::new();
    for &claim in [(State::Alive, 1)].iter().chain(claims) {
        let (from, body) = (address(3), encode(claim));
        node.handle(
            Instant::ORIGIN,
            Input::Packet { from, received: Instant::ORIGIN, body: &body },
        );
        while node.poll_output(Room::of_packet(1400), &mut buffer).is_some() {}
    }
    let member = node.member(&name(1)).unwrap();
    (member.state, member.incarnation.get(), member.meta().to_vec())
}

const STATES: [State; 4] = [State::Alive, State::Suspect, State::Dead, State::Left];

fn all() -> Vec<Claim> {
    STATES.into_iter().flat_map(|state| (1..=3).map(move |number| (state, number))).collect()
}

#[test]
fn all_pairs_and_triples_of_claims_give_the_same_belief_in_any_order() {
    let config = Config::lan();
    let believe = |claims: &[Claim]| believe(&config, claims);
    for a in all() {
        assert_eq!(believe(&[a]), believe(&[a, a]), "{a:?} twice");
        for b in all() {
            assert_eq!(believe(&[a, b]), believe(&[b, a]), "{a:?} and {b:?}");
            for c in all() {
                let expected = believe(&[a, b, c]);
                for order in [[a, c, b], [b, a, c], [b, c, a], [c, a, b], [c, b, a]] {
                    assert_eq!(believe(&order), expected, "{order:?}");
                }
            }
        }
    }
}

#[test]
fn go_depends_on_the_order_and_its_preset_says_so() {
    let config = Config::lan().with_memberlist_rules();
    let (down, accused) = ((State::Dead, 1), (State::Suspect, 2));
    let one = believe(&config, &[down, accused]);
    let other = believe(&config, &[accused, down]);
    assert_eq!((one.0, other.0), (State::Dead, State::Suspect));
}

proptest! {
    #[test]
    fn any_shuffle_of_any_claims_gives_the_same_belief(
        claims in collection::vec((0usize..4, 1u32..9), 0..12),
        turn in 0usize..12,
    ) {
        let mut claims: Vec<Claim> = claims.into_iter().map(|(s, i)| (STATES[s], i)).collect();
        let config = Config::lan();
        let expected = believe(&config, &claims);
        let length = claims.len().max(1);
        claims.rotate_left(turn % length);
        prop_assert_eq!(&believe(&config, &claims), &expected);
        claims.reverse();
        prop_assert_eq!(&believe(&config, &claims), &expected);
    }
}
