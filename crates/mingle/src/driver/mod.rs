//! The one task that owns the node: it waits, tells the node what has come, and does what the node
//! wants done. Doing so never waits for anything.

mod commands;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mingle_proto::{
    Answer, Content, Counter, Done, ExchangeEnd, ExchangeId, Input, Instant, Node, Output,
    RequestError, RequestId, Room, SendFailure, Sought,
};
use mingle_wire::{Checksum, OpenError, Scratch, StreamError, memberlist};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tracing::{debug, error, info, trace, warn};

use crate::clock::Clock;
use crate::cluster::{Failed, Message, Notice, PeerState, Reply};
use crate::conflicts::Conflicts;
use crate::decision::Decided;
use crate::events::LastEvidence;
use crate::exchange::{self, Detail, Dial, Finished, Held, Limits, Outcome};
use crate::flag::Flag;
use crate::flight::FlightRecorder;
use crate::join;
use crate::lanes::Lanes;
use crate::member::{LastRtt, Link, Member};
use crate::nonces::Nonces;
use crate::outlet::Outlet;
use crate::queue::{Topic, lock};
use crate::recorder::{self, Recorder};
use crate::refusals::Refusals;
use crate::sealer::Sealer;
use crate::seeds::Seeds;
use crate::state::{self, Keeper};
use crate::stats::{Stats, Tallies, Tally};
use crate::transport::{self, Transport};
use crate::view::View;
use crate::{Cluster, events, inbox};

pub(crate) use commands::Command;

/// What a node starts with.
pub(crate) struct Launch {
    pub(crate) node: Node,
    pub(crate) clock: Clock,
    pub(crate) sealer: Sealer,
    pub(crate) join_port: u16,
    pub(crate) packet_size: usize,
    pub(crate) seeds: Vec<String>,
    pub(crate) retry_interval: Duration,
    pub(crate) record: Option<recorder::Plan>,
    pub(crate) state: Option<state::Plan>,
    /// Where others were before a restart.
    pub(crate) remembered: Vec<SocketAddr>,
}

/// What handles, the driver and the tasks of streams have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) name: String,
    pub(crate) local_addr: SocketAddr,
    pub(crate) join_port: u16,
    pub(crate) view: View,
    /// The last decisions, for those who ask why.
    pub(crate) flight: FlightRecorder,
    pub(crate) conflicts: Conflicts,
    pub(crate) last_evidence: LastEvidence,
    pub(crate) messages: Topic<Message>,
    pub(crate) user_states: Topic<PeerState>,
    pub(crate) notices: Topic<Notice>,
    pub(crate) sealer: Sealer,
    /// Where to look for others.
    pub(crate) seeds: watch::Sender<Vec<String>>,
    pub(crate) tallies: Tallies,
    pub(crate) limits: Limits,
    pub(crate) lanes: Lanes,
    pub(crate) outlet: Outlet,
    /// Of the state file, if there is one.
    pub(crate) state: Option<Arc<state::Status>>,
    refusals: Refusals,
    /// Raised by whoever wants the node to stop.
    pub(crate) stop: Flag,
    /// Raised when it has.
    pub(crate) stopped: Flag,
    /// Raised by the first join that succeeds; lowered for good when the node stops before.
    pub(crate) joined: Flag,
    last_stats: Mutex<Stats>,
}

impl Shared {
    /// The numbers as the driver left them.
    pub(crate) fn last_stats(&self) -> Stats {
        lock(&self.last_stats).clone()
    }

    /// Counts a stream that was refused, and lets the operator know why.
    pub(crate) fn refused_stream(&self, peer: SocketAddr, error: StreamError) {
        match error {
            StreamError::Envelope(reason) => self.tallies.unopened(reason, 1),
            StreamError::RemotePlaintext => self.tallies.unopened(OpenError::NotEncrypted, 1),
            StreamError::RemoteEncrypted => self.tallies.count(Tally::EncryptedUnexpectedly),
            StreamError::Truncated => self.tallies.count(Tally::StreamsBroken),
            StreamError::FrameTooLong | StreamError::MessageTooLong | StreamError::Message(_) => {
                self.tallies.count(Tally::StreamMessagesRefused);
            }
        }
        self.refusals.tell_stream(peer, error);
    }
}

/// Whatever ends the driver, those who wait for its end are told.
struct Farewell(Arc<Shared>);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.view.close();
        self.0.flight.close();
        self.0.messages.close();
        self.0.user_states.close();
        self.0.notices.close();
        self.0.joined.settle(false);
        self.0.stopped.settle(true);
    }
}

/// Commands that may wait; handles wait for room.
const MAX_COMMANDS: usize = 256;

/// Starts the driver, and gives the first handle.
pub(crate) fn launch<T: Transport>(transport: T, launch: Launch) -> Cluster {
    let Launch { node, clock, sealer, join_port, packet_size, record, state, .. } = launch;
    let local = node.local();
    let transport = Arc::new(transport);
    let (seeds, given) = watch::channel(launch.seeds);
    let shared = Arc::new(Shared {
        name: local.name().to_owned(),
        local_addr: transport.local_addr(),
        join_port,
        view: View::new(Member::new(&local, LastRtt::default(), Link::default(), &clock)),
        flight: FlightRecorder::new(),
        conflicts: Conflicts::default(),
        last_evidence: LastEvidence::default(),
        messages: Topic::new(),
        user_states: Topic::new(),
        notices: Topic::new(),
        sealer,
        seeds,
        tallies: Tallies::new(),
        limits: Limits::new(),
        lanes: Lanes::default(),
        outlet: Outlet::new(&transport, packet_size),
        state: state.as_ref().map(|plan| Arc::new(state::Status::new(plan))),
        refusals: Refusals::default(),
        stop: Flag::new(),
        stopped: Flag::new(),
        joined: Flag::new(),
        last_stats: Mutex::default(),
    });
    let (sender, commands) = mpsc::channel(MAX_COMMANDS);
    let seeds = Seeds {
        given,
        remembered: &launch.remembered,
        default_port: join_port,
        interval: launch.retry_interval,
    };
    let helpers = seeds.start(node.config().rules.reconnects, sender.downgrade());
    let start = |plan| Recorder::start(plan, &shared.name, &clock, Arc::clone(&shared));
    let driver = Driver {
        recorder: record.map(start),
        remembered: launch.remembered,
        attempts: 0,
        namesake: None,
        keeper: state.map(|plan| Keeper::start(plan, &shared)),
        node,
        clock,
        transport,
        shared: Arc::clone(&shared),
        commands,
        packet_size,
        exchanges: BTreeMap::new(),
        steps: JoinSet::new(),
        helpers,
        replies: Vec::new(),
        failures: Vec::new(),
        requests: BTreeMap::new(),
        next_request: 0,
        next_theirs: 0,
        is_crowded: false,
        detail: Detail::None,
        user_state: Vec::new(),
        nonces: Nonces::default(),
        body: Vec::new(),
        outbox: Vec::new(),
        scratch: Scratch::default(),
    };
    tokio::spawn(driver.run(Farewell(Arc::clone(&shared))));
    Cluster { commands: sender, shared }
}

struct Driver<T: Transport> {
    node: Node,
    recorder: Option<Recorder>,
    /// Where members were before a restart, until the node is told.
    remembered: Vec<SocketAddr>,
    /// How often somebody who is missing was not reached.
    attempts: u64,
    /// Who has our name too, as the handles know.
    namesake: Option<SocketAddr>,
    keeper: Option<Keeper>,
    clock: Clock,
    transport: Arc<T>,
    shared: Arc<Shared>,
    commands: mpsc::Receiver<Command>,
    packet_size: usize,
    exchanges: BTreeMap<ExchangeId, Slot<T::Stream>>,
    steps: JoinSet<Finished<T::Stream>>,
    helpers: JoinSet<()>,
    /// Replies that the node may yet say are the last ones.
    replies: Vec<(ExchangeId, Held<T::Stream>, Vec<u8>)>,
    /// What came of outputs at once, to be told when all outputs are done.
    failures: Vec<Failure>,
    requests: BTreeMap<RequestId, Reply>,
    next_request: u64,
    next_theirs: u64,
    /// Whether as many streams as allowed were open when we last looked.
    is_crowded: bool,
    /// More about the end of the exchange that is being told to the node.
    detail: Detail,
    user_state: Vec<u8>,
    nonces: Nonces,
    body: Vec<u8>,
    outbox: Vec<u8>,
    scratch: Scratch,
}

/// Where the stream of an exchange is.
enum Slot<S> {
    /// With a task.
    Running(AbortHandle),
    /// Here, until the node says what to do.
    Held(Held<S>),
}

#[derive(Clone, Copy)]
enum Failure {
    Send { to: SocketAddr, kind: SendFailure },
    Exchange(ExchangeId, ExchangeEnd),
}

/// Why the driver woke up.
enum Wake<S> {
    Stop,
    Command(Option<Command>),
    Packets(io::Result<()>),
    Accepted(io::Result<(S, SocketAddr)>),
    Step(Option<Result<Finished<S>, JoinError>>),
    Time,
}

/// Datagrams taken in one go, before anything else has its turn.
const DATAGRAMS_AT_ONCE: usize = 256;
/// Steps taken in one go.
const STEPS_AT_ONCE: usize = 256;
/// The longest sleep: tokio's clock stands still while the machine is suspended, and ours does not.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// Members from before a restart that are looked for, so that configured seeds have their place too.
const MOST_REMEMBERED: usize = 1024;
/// Further rounds of outputs because of what came of the ones before; the rest waits for the next
/// wake-up.
const MAX_ROUNDS: usize = 4;

impl<T: Transport> Driver<T> {
    async fn run(mut self, farewell: Farewell) {
        self.remember();
        self.drain();
        loop {
            match self.wait().await {
                Wake::Stop | Wake::Command(None) => break,
                Wake::Command(Some(command)) => self.on_command(command),
                Wake::Packets(Ok(())) => self.take_packets(),
                Wake::Packets(Err(error)) => self.on_receive_error(&error),
                Wake::Accepted(accepted) => self.on_accepted(accepted),
                Wake::Step(Some(finished)) => self.on_step(finished),
                Wake::Step(None) | Wake::Time => {}
            }
            self.fire().await;
            if let Some(recorder) = &mut self.recorder {
                recorder.tick();
            }
            if let Some(keeper) = &mut self.keeper {
                keeper.note(&self.node);
            }
        }
        if let Some(keeper) = self.keeper.take() {
            keeper.stop().await;
        }
        if let Some(recorder) = self.recorder.take() {
            recorder.stop().await;
        }
        *lock(&self.shared.last_stats) = self.stats();
        self.helpers.shutdown().await;
        self.steps.shutdown().await;
        debug!(name = &*self.shared.name, "stopped");
        // The sockets are closed before anybody is told that they are: a handle may be sending at this moment.
        let Self { mut transport, .. } = self;
        while let Err(shared) = Arc::try_unwrap(transport) {
            transport = shared;
            tokio::task::yield_now().await;
        }
        drop(farewell);
    }

    async fn wait(&mut self) -> Wake<T::Stream> {
        let due = self.node.poll_timeout();
        let patience = self.recorder.as_ref().and_then(Recorder::patience);
        let longest = patience.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP);
        let nap = due.map_or(longest, |due| self.clock.until(due)).min(longest);
        let has_room = self.has_room_for_streams();
        tokio::select! {
            _ = self.shared.stop.wait() => Wake::Stop,
            command = self.commands.recv() => Wake::Command(command),
            ready = self.transport.readable() => Wake::Packets(ready),
            accepted = self.transport.accept(), if has_room => Wake::Accepted(accepted),
            step = self.steps.join_next(), if !self.steps.is_empty() => Wake::Step(step),
            () = tokio::time::sleep(nap) => Wake::Time,
        }
    }

    /// Lets the node's deadlines fire. What has arrived by now counts before anybody is accused.
    async fn fire(&mut self) {
        let now = self.clock.now();
        let Some(due) = self.node.poll_timeout().filter(|&due| due <= now) else { return };
        // The runtime looks at its sockets once before it comes back here; a thread that was busy
        // until now has not looked since. Deadlines that pass meanwhile wait for the next look.
        tokio::task::yield_now().await;
        self.take_packets();
        self.take_steps();
        let lag = now.since(due);
        self.shared.tallies.fired(lag);
        let late = self.node.counters().get(Counter::LateWakeups);
        self.handle(now, Input::Timeout);
        if self.node.counters().get(Counter::LateWakeups) > late {
            self.record(Decided::Late { by: lag });
        }
    }

    /// One input, and then all outputs.
    fn handle(&mut self, now: Instant, input: Input<'_>) {
        take_in(&mut self.node, self.recorder.as_mut(), now, input);
        self.drain();
    }

    fn take_packets(&mut self) {
        inbox::with(|inbox| {
            for _ in 0..DATAGRAMS_AT_ONCE {
                match self.transport.try_recv_from(inbox) {
                    Ok((length, from)) => self.on_datagram(&inbox[..length], from),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                    Err(error) => self.on_receive_error(&error),
                }
            }
        });
    }

    /// An ICMP message about an earlier packet, or nothing worth more than a count.
    fn on_receive_error(&self, error: &io::Error) {
        debug!(%error, "receiving");
        self.shared.tallies.count(Tally::ReceiveErrors);
    }

    fn on_datagram(&mut self, datagram: &[u8], from: SocketAddr) {
        let (now, length) = (self.clock.now(), datagram.len());
        trace!(%from, length, "packet in");
        self.shared.tallies.count(Tally::DatagramsIn);
        self.shared.tallies.add(Tally::DatagramBytesIn, length);
        let sealing = self.shared.sealer.current();
        let Self { node, recorder, scratch, .. } = self;
        let refused = node.counters().refused_in_all();
        let opened = sealing.envelope.open_packet(datagram, scratch, |body| {
            take_in(node, recorder.as_mut(), now, Input::Packet { from, received: now, body });
        });
        match opened {
            Ok(opened) => {
                if let Some(reason) = opened.reason {
                    self.shared.tallies.unopened(reason, opened.refused);
                }
                let refused = node.counters().refused_in_all() > refused;
                if refused && sealing.envelope.keyring.is_empty() {
                    self.shared.refusals.tell_garbled(from, datagram);
                }
            }
            Err(reason) => {
                self.shared.tallies.unopened(reason, 1);
                self.shared.refusals.tell_packet(from, reason);
            }
        }
        self.drain();
    }

    /// An attempt of the node to reach somebody who is missing. In vain is the rule while they are down,
    /// but who has met nobody at all wants to know why: at the first, second, fourth, ... time.
    fn on_reconnect(&mut self, to: SocketAddr, sought: Sought, result: Result<Done, RequestError>) {
        let detail = self.detail;
        let error = match result {
            Ok(done) => {
                let members = if let Done::Joined { members } = done { members } else { 0 };
                info!(%to, sought = sought.as_str(), members, "views exchanged with one that was missing");
                self.record(Decided::Reconnect { to, sought, error: None });
                return self.shared.joined.settle(true);
            }
            Err(error) => join::JoinError::from(Failed { error, detail }),
        };
        self.record(Decided::Reconnect { to, sought, error: Some(error.cut_off()) });
        let sought = sought.as_str();
        self.attempts += 1;
        let alone = self.node.live_count() <= 1;
        if alone && self.attempts.is_power_of_two() {
            let attempt = self.attempts;
            warn!(attempt, %to, sought, %error, "nobody could be joined yet; going on");
        } else {
            debug!(%to, sought, %error, "nobody there yet");
        }
    }

    fn record(&self, what: Decided) {
        events::record(&self.shared, self.clock.system_time(self.clock.now()), what);
    }

    /// Whether one more stream may be open. Where it may not, others wait in the system's queue: who is one of a thousand that join
    /// at once is answered a little later.
    fn has_room_for_streams(&mut self) -> bool {
        let has_room = self.shared.limits.theirs.available_permits() > 0;
        if !has_room && !self.is_crowded {
            debug!("as many streams as allowed are open; others wait");
            self.shared.tallies.count(Tally::StreamsDelayed);
        }
        self.is_crowded = !has_room;
        has_room
    }

    fn on_accepted(&mut self, accepted: io::Result<(T::Stream, SocketAddr)>) {
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                debug!(%error, "accepting");
                return self.shared.tallies.count(Tally::AcceptErrors);
            }
        };
        // Only this task takes places, and it had one before it accepted.
        let Ok(place) = Arc::clone(&self.shared.limits.theirs).try_acquire_owned() else {
            return;
        };
        self.shared.tallies.count(Tally::StreamsAccepted);
        self.next_theirs += 1;
        let exchange = ExchangeId::Theirs(self.next_theirs);
        let within = self.node.config().tcp_timeout;
        let shared = Arc::clone(&self.shared);
        self.run_step(exchange, exchange::accept(stream, from, shared, place, within));
    }

    /// Gives an exchange to a task until its next message, or its end.
    fn run_step(
        &mut self,
        exchange: ExchangeId,
        step: impl Future<Output = Outcome<T::Stream>> + Send + 'static,
    ) {
        let step = async move { Finished { exchange, outcome: step.await } };
        let task = self.steps.spawn(step);
        self.exchanges.insert(exchange, Slot::Running(task));
    }

    fn take_steps(&mut self) {
        for _ in 0..STEPS_AT_ONCE {
            let Some(finished) = self.steps.try_join_next() else { return };
            self.on_step(finished);
        }
    }

    fn on_step(&mut self, finished: Result<Finished<T::Stream>, JoinError>) {
        let Finished { exchange, outcome } = match finished {
            Ok(finished) => finished,
            Err(failed) if failed.is_panic() => return self.on_panic(&failed),
            Err(_aborted) => return,
        };
        let now = self.clock.now();
        // Without a slot, the node has closed the exchange, and wants to hear no more of it.
        let Some(Slot::Running(_)) = self.exchanges.remove(&exchange) else { return };
        match (outcome, exchange) {
            (Outcome::Message { open, body }, ExchangeId::Theirs(_)) => {
                let from = open.peer;
                self.exchanges.insert(exchange, Slot::Held(open));
                self.handle(now, Input::Exchange { exchange, from, body: &body });
            }
            (Outcome::Message { open, body }, ExchangeId::Ours(_)) => {
                self.exchanges.insert(exchange, Slot::Held(open));
                self.handle(now, Input::ExchangeMessage { exchange, body: &body });
            }
            (Outcome::Ended(end, detail), _) => {
                self.detail = detail;
                self.handle(now, Input::ExchangeEnded { exchange, end });
                self.detail = Detail::None;
            }
        }
    }

    /// A bug of ours; the exchange ends, and the node goes on.
    fn on_panic(&mut self, failed: &JoinError) {
        error!(%failed, "a stream's task panicked");
        let of_task = |slot: &Slot<T::Stream>| match slot {
            Slot::Running(task) => task.id() == failed.id(),
            Slot::Held(_) => false,
        };
        let found = self.exchanges.iter().find(|(_, slot)| of_task(slot));
        if let Some((&exchange, _)) = found {
            self.exchanges.remove(&exchange);
            let end = ExchangeEnd::Broken;
            self.handle(self.clock.now(), Input::ExchangeEnded { exchange, end });
        }
    }

    /// Does all that the node wants done, and tells it what came of it at once.
    fn drain(&mut self) {
        let namesake = self.node.namesake();
        if namesake != self.namesake {
            self.namesake = namesake;
            self.shared.conflicts.set_namesake(namesake);
        }
        for _ in 0..MAX_ROUNDS {
            self.drain_outputs();
            self.send_replies();
            if self.failures.is_empty() {
                return;
            }
            let now = self.clock.now();
            for failure in std::mem::take(&mut self.failures) {
                let input = match failure {
                    Failure::Send { to, kind } => Input::SendFailed { to, kind },
                    Failure::Exchange(exchange, end) => Input::ExchangeEnded { exchange, end },
                };
                take_in(&mut self.node, self.recorder.as_mut(), now, input);
            }
        }
    }

    fn drain_outputs(&mut self) {
        loop {
            let overhead = self.shared.sealer.current().envelope.overhead();
            let room = Room::of_packet(self.packet_size.saturating_sub(overhead));
            let output = self.node.poll_output(room, &mut self.body);
            if let Some(recorder) = &mut self.recorder {
                match &output {
                    Some(output) => recorder.output(room, output, &self.body),
                    None => recorder.drained(room),
                }
            }
            let Some(output) = output else { return };
            match output {
                Output::Packet { to, checksum, left: _ } => self.send_packet(to, checksum),
                Output::Dial { exchange, to, deadline, answer, content } => {
                    self.add_user_state(content);
                    self.dial(exchange, to, deadline, answer, content);
                }
                Output::Reply { exchange, content } => {
                    self.add_user_state(content);
                    self.reply(exchange, content);
                }
                Output::Close { exchange } => self.close(exchange),
                Output::Event(event) => self.on_event(event),
            }
        }
    }

    fn add_user_state(&mut self, content: Content) {
        match content {
            Content::PushPull { join: _ } if !self.user_state.is_empty() => {
                memberlist::append_user_state(&mut self.body, &self.user_state);
            }
            Content::PushPull { .. } | Content::Whole => {}
        }
    }

    fn send_packet(&mut self, to: SocketAddr, checksum: Checksum) {
        let sealing = self.shared.sealer.current();
        let nonce = sealing.nonce(|| self.nonces.draw());
        self.outbox.clear();
        let Self { body, scratch, outbox, .. } = self;
        sealing.envelope.seal_packet(body, checksum, nonce, scratch, outbox);
        let sent = self.transport.try_send_to(outbox, to);
        if let Err(error) = self.shared.tallies.sent(sent, outbox.len(), to) {
            self.failures.push(Failure::Send { to, kind: transport::failure_of(&error) });
        }
    }

    fn dial(
        &mut self,
        exchange: ExchangeId,
        to: SocketAddr,
        deadline: Instant,
        answer: Answer,
        content: Content,
    ) {
        let Ok(place) = Arc::clone(&self.shared.limits.ours).try_acquire_owned() else {
            self.shared.tallies.count(Tally::DialsRefused);
            return self.failures.push(Failure::Exchange(exchange, ExchangeEnd::NoRoom));
        };
        let message = std::mem::take(&mut self.body);
        let within = self.clock.until(deadline);
        let dial = Dial { to, message, answer, content, within, place };
        let (transport, shared) = (Arc::clone(&self.transport), Arc::clone(&self.shared));
        self.run_step(exchange, exchange::dial(transport, shared, dial));
    }

    fn reply(&mut self, exchange: ExchangeId, content: Content) {
        match self.exchanges.remove(&exchange) {
            Some(Slot::Held(open)) => {
                open.tell(content);
                self.replies.push((exchange, open, std::mem::take(&mut self.body)));
            }
            Some(Slot::Running(_)) => debug_assert!(false, "{exchange:?} has nothing to answer"),
            None => {}
        }
    }

    fn close(&mut self, exchange: ExchangeId) {
        let within = self.node.config().tcp_timeout;
        if let Some(place) = self.replies.iter().position(|(reply, ..)| *reply == exchange) {
            let (exchange, open, message) = self.replies.swap_remove(place);
            let step = exchange::reply_and_close(open, message, within);
            // It has no slot: nobody wants to hear of it any more.
            self.steps.spawn(async move { Finished { exchange, outcome: step.await } });
        }
        if let Some(Slot::Running(task)) = self.exchanges.remove(&exchange) {
            task.abort();
        }
    }

    /// Those that the node did not close wait for a further message.
    fn send_replies(&mut self) {
        let within = self.node.config().tcp_timeout;
        for (exchange, open, message) in std::mem::take(&mut self.replies) {
            self.run_step(exchange, exchange::reply(open, message, within));
        }
    }

    fn on_event(&mut self, event: mingle_proto::Event) {
        use mingle_proto::Event;
        match event {
            Event::Completed { request, result } => {
                if let Ok(Done::Joined { .. }) = result {
                    self.shared.joined.settle(true);
                }
                if let Some(reply) = self.requests.remove(&request) {
                    // Whoever asked may have gone away by now.
                    let detail = self.detail;
                    let _ = reply.send(result.map_err(|error| Failed { error, detail }));
                }
            }
            Event::Reconnect { to, sought, result } => self.on_reconnect(to, sought, result),
            event => events::publish(&self.shared, event, &self.clock),
        }
    }

    fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        stats.add_node(&self.node);
        stats.add_driver(&self.shared.tallies);
        self.shared.sealer.add_to(&mut stats);
        stats.gauge(
            "exchanges_open",
            "Streams that are open.",
            self.exchanges.len().try_into().unwrap_or(u64::MAX),
        );
        if let Some(state) = &self.shared.state {
            state.add_to(&mut stats);
        }
        stats
    }
}

/// The only way into the node. What goes in is recorded before, so that a recording has what a node
/// died of.
fn take_in(node: &mut Node, recorder: Option<&mut Recorder>, now: Instant, input: Input<'_>) {
    if let Some(recorder) = recorder {
        recorder.input(node, now, &input);
    }
    node.handle(now, input);
}
