use std::hint::black_box;
use std::net::SocketAddrV4;
use std::num::NonZeroU32;
use std::time::Duration;

use foca::{
    Codec as _, Config, Foca, Header, Incarnation, Member, Message, NoCustomBroadcast,
    Notification, PostcardCodec, Runtime, State, Timer,
};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use serde::{Deserialize, Serialize};

use crate::{PACKET, Subject, address};

/// Who a member is: an address, and a number to come back with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    address: SocketAddrV4,
    bump: u16,
}

impl foca::Identity for Identity {
    type Addr = SocketAddrV4;

    fn renew(&self) -> Option<Self> {
        Some(Self { bump: self.bump.wrapping_add(1), ..*self })
    }

    fn addr(&self) -> SocketAddrV4 {
        self.address
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        self.bump > adversary.bump
    }
}

/// foca's node with its own compact codec, and a runtime that keeps what it is given.
#[expect(missing_debug_implementations, reason = "foca's node has none")]
pub struct Theirs {
    node: Foca<Identity, PostcardCodec, SmallRng, NoCustomBroadcast>,
    incarnations: Vec<Incarnation>,
    outputs: Outputs,
}

impl Theirs {
    /// A node that knows so many members, itself included; nothing waits to be passed on.
    #[must_use]
    pub fn new(members: usize) -> Self {
        let size = u32::try_from(members).ok().and_then(NonZeroU32::new).expect("few members");
        let config = Config::new_lan(size);
        assert_eq!(config.max_packet_size.get(), PACKET, "the same room as ours");
        let node = Foca::new(identity(0), config, SmallRng::seed_from_u64(42), PostcardCodec);
        let outputs = Outputs::default();
        let mut theirs = Self { node, incarnations: vec![0; members.max(2)], outputs };
        theirs.apply((1..members).map(identity).map(Member::alive));
        theirs.settle();
        assert_eq!(theirs.node.num_members() + 1, members, "everybody is known");
        theirs
    }

    /// Takes in members that came from elsewhere, which is foca's way to take in a whole view.
    pub fn apply(&mut self, members: impl Iterator<Item = Member<Identity>>) {
        self.node.apply_many(members, true, &mut self.outputs).expect("none of them is us");
        self.outputs.drain();
    }

    /// All members one after another, as a peer's application would send them.
    #[must_use]
    pub fn view(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for member in 1..self.incarnations.len() {
            self.write_claim(member, &mut body);
        }
        body
    }

    /// Writes all that the node knows, as it would be sent to a peer.
    #[must_use]
    pub fn write_state(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for member in self.node.iter_membership_state() {
            PostcardCodec.encode_member(member, &mut body).expect("there is room");
        }
        body
    }

    /// Reads what [`Theirs::view`] wrote, and takes it in.
    pub fn apply_view(&mut self, mut body: &[u8]) {
        let claims = std::iter::from_fn(|| PostcardCodec.decode_member(&mut body).ok());
        self.apply(claims);
    }

    fn write_claim(&self, member: usize, body: &mut Vec<u8>) {
        let claim = Member::new(identity(member), self.incarnations[member], State::Alive);
        PostcardCodec.encode_member(&claim, body).expect("there is room");
    }

    fn ping(&self, members: &[usize]) -> Vec<u8> {
        let (src, dst) = (identity(1), identity(0));
        let message = Message::Ping(47);
        let header = Header { src, src_incarnation: self.incarnations[1], dst, message };
        let mut body = Vec::new();
        PostcardCodec.encode_header(&header, &mut body).expect("there is room");
        if members.is_empty() {
            return body;
        }
        let count = u16::try_from(members.len()).expect("few claims");
        body.extend_from_slice(&count.to_be_bytes());
        for &member in members {
            self.write_claim(member, &mut body);
        }
        body
    }
}

impl Subject for Theirs {
    fn take(&mut self, packet: &[u8]) {
        self.node.handle_data(packet, &mut self.outputs).expect("the packet is sound");
        self.outputs.drain();
    }

    fn known(&mut self, members: &[usize]) -> Vec<u8> {
        self.ping(members)
    }

    fn fresh(&mut self, members: &[usize]) -> Vec<u8> {
        for &member in members {
            let incarnation = &mut self.incarnations[member];
            *incarnation = incarnation.checked_add(1).expect("fewer rounds than incarnations");
        }
        self.ping(members)
    }

    fn queued(&self) -> usize {
        self.node.updates_backlog()
    }
}

fn identity(member: usize) -> Identity {
    Identity { address: address(member), bump: 0 }
}

/// A runtime that costs as little as ours: the packet in one buffer, and counts of the rest.
#[derive(Default)]
struct Outputs {
    packet: Vec<u8>,
    packets: usize,
    others: usize,
}

impl Outputs {
    fn drain(&mut self) {
        black_box(&self.packet);
        black_box((self.packets, self.others));
    }
}

impl Runtime<Identity> for Outputs {
    fn notify(&mut self, notification: Notification<'_, Identity>) {
        black_box(&notification);
        self.others += 1;
    }

    fn send_to(&mut self, to: Identity, data: &[u8]) {
        black_box(&to);
        self.packet.clear();
        self.packet.extend_from_slice(data);
        self.packets += 1;
    }

    fn submit_after(&mut self, event: Timer<Identity>, after: Duration) {
        black_box((&event, after));
        self.others += 1;
    }
}
