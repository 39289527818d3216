//! What handles ask of the node, and its answers.

use std::net::SocketAddr;
use std::sync::Arc;

use mingle_proto::{Input, RequestId, SeedKind};
use tokio::sync::{mpsc, oneshot};

use super::{Driver, MOST_REMEMBERED, take_in};
use crate::cluster::{Recipient, Reply};
use crate::lanes::{self, Lane};
use crate::stats::Stats;
use crate::transport::Transport;

/// What a handle wants.
pub(crate) enum Command {
    Join {
        to: SocketAddr,
        reply: Reply,
    },
    Leave(Reply),
    SetMeta {
        meta: Vec<u8>,
        reply: Reply,
    },
    SetAckPayload(Vec<u8>),
    SetUserState(Vec<u8>),
    /// What the seeds stand for has changed.
    Seeds {
        add: Vec<SocketAddr>,
        remove: Vec<SocketAddr>,
    },
    SendStream {
        to: Recipient,
        payload: Vec<u8>,
        reply: Reply,
    },
    /// Asks for the stream that is kept to somebody; `None` where it is not done.
    Lane {
        to: Recipient,
        reply: oneshot::Sender<Option<Lane>>,
    },
    ForceLeave {
        name: String,
        reply: Reply,
    },
    Stats(oneshot::Sender<Stats>),
}

impl<T: Transport> Driver<T> {
    pub(super) fn on_command(&mut self, command: Command) {
        use mingle_proto::Command as Order;
        let now = self.clock.now();
        let order = match &command {
            Command::Join { to, .. } => Order::Join { request: self.request(), to: *to },
            Command::Leave(_) => Order::Leave { request: self.request() },
            Command::SetMeta { meta, .. } => Order::SetMeta { request: self.request(), meta },
            Command::SetAckPayload(payload) => Order::SetAckPayload(payload),
            Command::SendStream { to, payload, .. } => {
                Order::SendStream { request: self.request(), to: to.into(), payload }
            }
            Command::ForceLeave { name, .. } => Order::ForceLeave { request: self.request(), name },
            Command::SetUserState(_)
            | Command::Lane { .. }
            | Command::Stats(_)
            | Command::Seeds { .. } => return self.on_own_command(command),
        };
        take_in(&mut self.node, self.recorder.as_mut(), now, Input::Command(order));
        let request = RequestId(self.next_request);
        match command {
            Command::Join { reply, .. }
            | Command::Leave(reply)
            | Command::SetMeta { reply, .. }
            | Command::SendStream { reply, .. }
            | Command::ForceLeave { reply, .. } => {
                self.requests.insert(request, reply);
            }
            Command::SetAckPayload(_)
            | Command::SetUserState(_)
            | Command::Lane { .. }
            | Command::Seeds { .. }
            | Command::Stats(_) => {}
        }
        self.drain();
    }

    /// The stream that is kept to somebody, opened now if there is none.
    fn lane(&mut self, to: &Recipient) -> Option<Lane> {
        let to = self.node.keeps_streams(to.into())?;
        if let Some(lane) = self.shared.lanes.get(to) {
            return Some(lane);
        }
        let place = Arc::clone(&self.shared.limits.lanes).try_acquire_owned().ok()?;
        let (lane, parcels) = mpsc::channel(lanes::MAX_PARCELS);
        self.shared.lanes.insert(to, lane.clone());
        let within = self.node.config().tcp_timeout;
        let (transport, shared) = (Arc::clone(&self.transport), Arc::clone(&self.shared));
        // Those that have ended since are forgotten.
        while self.helpers.try_join_next().is_some() {}
        self.helpers.spawn(async move {
            let _place = place;
            lanes::run(&*transport, &shared, (to, within), parcels).await;
        });
        Some(lane)
    }

    fn change_seeds(&mut self, add: &[SocketAddr], remove: &[SocketAddr]) {
        use mingle_proto::Command as Order;
        let kind = SeedKind::Configured;
        let removed = remove.iter().map(|&address| Order::RemoveSeed { address });
        let added = add.iter().map(|&address| Order::AddSeed { address, kind });
        for order in removed.chain(added) {
            self.handle(self.clock.now(), Input::Command(order));
        }
    }

    /// Those that were members before a restart, the likeliest to be there first.
    pub(super) fn remember(&mut self) {
        let kind = SeedKind::Remembered;
        for address in std::mem::take(&mut self.remembered).into_iter().take(MOST_REMEMBERED) {
            let order = mingle_proto::Command::AddSeed { address, kind };
            self.handle(self.clock.now(), Input::Command(order));
        }
    }

    /// What the node need not know.
    fn on_own_command(&mut self, command: Command) {
        match command {
            Command::SetUserState(state) => self.user_state = state,
            Command::Seeds { add, remove } => self.change_seeds(&add, &remove),
            // Whoever asked may have gone away by now.
            Command::Lane { to, reply } => drop(reply.send(self.lane(&to))),
            Command::Stats(reply) => drop(reply.send(self.stats())),
            Command::Join { .. }
            | Command::Leave(_)
            | Command::SetMeta { .. }
            | Command::SetAckPayload(_)
            | Command::SendStream { .. }
            | Command::ForceLeave { .. } => {}
        }
    }

    pub(super) fn request(&mut self) -> RequestId {
        self.next_request += 1;
        RequestId(self.next_request)
    }
}
