//! A cluster in one process: hosts, a network, one generator, and time that jumps to whatever comes
//! next. No runtime, no thread.

mod clock;
mod corruption;
mod host;
mod mail;
mod queue;
mod sending;
mod streams;
mod transcript;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hashbrown::HashMap;
use mingle_proto::{
    Activity, Command, Config, ConfigError, Done, Event, ExchangeEnd, ExchangeId, Input, Instant,
    Local, Member, Node, Recipient, Reconnects, RequestError, RequestId, Room, SeedKind,
};
use mingle_wire::Incarnation;

pub(crate) use host::{Condition, Host};
pub(crate) use transcript::Transcript;

use crate::network::Network;
use crate::rng::Rng;
use crate::watch::{Onlooker as _, Stop, Watch};
use corruption::Seal;
use mail::{Bag, Content, Mail};
use queue::{Happening, Queue};
use sending::Sending;
use streams::{End, Streams};

/// Nodes, what is between them, and what is under way.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) hosts: Vec<Host>,
    pub(crate) network: Network,
    pub(crate) rng: Rng,
    pub(crate) watch: Watch,
    pub(crate) transcript: Transcript,
    config: Config,
    room: usize,
    book: HashMap<SocketAddr, u32, foldhash::quality::FixedState>,
    queue: Queue,
    bag: Bag,
    streams: Streams,
    seal: Seal,
    /// How many inputs nodes have taken in.
    pub(crate) inputs: u64,
    next_address: u32,
    buffer: Vec<u8>,
}

/// Everybody listens here.
const PORT: u16 = 7946;
/// How long a join that failed waits before it is tried again, as the agent does it.
pub(crate) const JOIN_AGAIN: Duration = Duration::from_secs(30);
/// Packets that a driver takes before it lets deadlines fire, as the real one does.
const PACKETS_AT_ONCE: u32 = 256;

/// How a process is started.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// The first incarnation.
    pub(crate) incarnation: Incarnation,
    /// Whether at an address where nobody has been before.
    pub(crate) elsewhere: bool,
    /// Whom to join.
    pub(crate) seeds: Vec<u32>,
}

impl World {
    pub(crate) fn new(config: Config, room: usize, network: Network, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        Self {
            now: Instant::ORIGIN,
            hosts: Vec::new(),
            network,
            watch: Watch::default(),
            transcript: Transcript::default(),
            config,
            room,
            book: HashMap::with_hasher(foldhash::quality::FixedState::with_seed(0)),
            queue: Queue::new(),
            bag: Bag::default(),
            streams: Streams::default(),
            seal: Seal::new(rng.next()),
            inputs: 0,
            next_address: 0,
            buffer: Vec::new(),
            rng,
        }
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Adds machines without processes.
    pub(crate) fn add_hosts(&mut self, count: u32) {
        for _ in 0..count {
            let number = self.hosts.len();
            let address = self.new_address();
            self.hosts.push(Host::new(format!("n{number}"), address));
            self.book.insert(address, u32_of(number));
        }
    }

    fn new_address(&mut self) -> SocketAddr {
        self.next_address += 1;
        let ip = Ipv4Addr::from(0x0a00_0000 + self.next_address);
        SocketAddr::new(ip.into(), PORT)
    }

    /// Starts all that are down, each knowing all others and known by them; the first few are the seeds
    /// of everybody.
    pub(crate) fn start_converged(&mut self, seeds: u32) -> Result<(), ConfigError> {
        let down: Vec<u32> = self.all().filter(|&host| !self.host(host).is_up()).collect();
        let members: Vec<Member> = down
            .iter()
            .map(|&host| Ok(Node::new(self.config.clone(), self.local(host), 0, self.now)?.local()))
            .collect::<Result<_, ConfigError>>()?;
        for &host in &down {
            let seed = self.rng.next();
            let (config, local) = (self.config.clone(), self.local(host));
            let node =
                Node::among(config, local, seed, self.host(host).clock.read(self.now), &members)?;
            self.run_process(host, node);
            let others = (0..seeds.min(u32_of(self.hosts.len()))).filter(|&seed| seed != host);
            self.host_mut(host).seeds = others.collect();
            if self.config.rules.reconnects == Reconnects::BuiltIn {
                self.name_seeds(host);
            }
        }
        Ok(())
    }

    /// Starts a process on a machine where none runs.
    pub(crate) fn start(&mut self, host: u32, launch: Launch) -> Result<(), ConfigError> {
        assert!(!self.host(host).is_up(), "one process on a machine");
        if launch.elsewhere {
            let address = self.new_address();
            let before = self.host(host).address;
            self.book.remove(&before);
            self.book.insert(address, host);
            self.host_mut(host).address = address;
        }
        let seed = self.rng.next();
        let here = self.host_mut(host);
        here.saved = launch.incarnation;
        here.seeds = launch.seeds;
        here.seeds.retain(|&seed| seed != host);
        let now = self.host(host).clock.read(self.now);
        let node = Node::new(self.config.clone(), self.local(host), seed, now)?;
        self.run_process(host, node);
        match self.config.rules.reconnects {
            Reconnects::BuiltIn => self.name_seeds(host),
            Reconnects::LeftToUsers if self.host(host).seeds.is_empty() => {}
            Reconnects::LeftToUsers => self.mail(host, self.now, Content::Join),
        }
        Ok(())
    }

    /// Tells a node which addresses it is configured with.
    fn name_seeds(&mut self, host: u32) {
        for seed in self.host(host).seeds.clone() {
            let address = self.host(seed).address;
            let command = Command::AddSeed { address, kind: SeedKind::Configured };
            self.input(host, Input::Command(command));
        }
        self.plan_wake(host);
    }

    /// Gives a process other seeds than it had.
    pub(crate) fn set_seeds(&mut self, host: u32, mut seeds: Vec<u32>) {
        seeds.retain(|&seed| seed != host);
        let before = std::mem::replace(&mut self.host_mut(host).seeds, seeds);
        self.host_mut(host).turn = 0;
        if self.config.rules.reconnects == Reconnects::LeftToUsers {
            return;
        }
        for seed in before {
            if self.host(host).seeds.contains(&seed) {
                continue;
            }
            let address = self.host(seed).address;
            self.input(host, Input::Command(Command::RemoveSeed { address }));
        }
        self.name_seeds(host);
    }

    fn local(&self, host: u32) -> Local {
        let host = self.host(host);
        Local {
            meta: host.meta.clone(),
            incarnation: host.saved,
            ..Local::new(host.name.clone(), host.address.into())
        }
    }

    fn run_process(&mut self, host: u32, node: Node) {
        let now = self.now;
        let here = self.host_mut(host);
        here.life += 1;
        (here.turn, here.joining, here.joined) = (0, None, false);
        here.condition = Condition::default();
        here.stuck.clear();
        here.refuses = true;
        here.busy_until = now;
        here.wake = None;
        let shown = here.clock.read(now);
        self.watch.started(now, host, shown, &node);
        self.host_mut(host).node = Some(node);
        self.drain(host);
        self.plan_wake(host);
    }

    /// Ends a process without a word. A machine that goes with it does not even refuse streams.
    pub(crate) fn stop(&mut self, host: u32, how: Stop) {
        let here = self.host_mut(host);
        let Some(node) = here.node.take() else { return };
        here.saved = here.saved.max(node.local().incarnation);
        here.refuses = how != Stop::MachineCrashed;
        here.outbox.clear();
        here.inbox_bytes = 0;
        let waiting: Vec<Mail> = here.inbox.drain(..).collect();
        for mail in waiting {
            self.discard(mail);
        }
        for stream in self.streams.of(host) {
            self.break_stream(host, stream);
        }
        self.watch.stopped(self.now, host, how);
    }

    /// Lets the world go on until `end`.
    pub(crate) fn run_until(&mut self, end: Instant) {
        while let Some((at, what)) = self.queue.pop(end) {
            self.now = self.now.max(at);
            match what {
                Happening::Wake(host) => self.on_wake(host, at),
                Happening::Arrival(place) => {
                    let mail = self.bag.take(place);
                    self.on_arrival(mail);
                }
            }
            if self.watch.wants_to_stop() {
                return;
            }
        }
        self.now = self.now.max(end);
    }

    /// A command from whoever embeds the node. Its request number comes back in the event.
    pub(crate) fn command<'c>(
        &mut self,
        host: u32,
        command: impl FnOnce(RequestId) -> Command<'c>,
    ) -> Option<RequestId> {
        if !self.host(host).is_up() {
            return None;
        }
        let request = self.next_request(host);
        self.ask(host, request, command(request));
        Some(request)
    }

    fn next_request(&mut self, host: u32) -> RequestId {
        let here = self.host_mut(host);
        here.next_request += 1;
        RequestId(here.next_request)
    }

    /// A command may bring a deadline forward, a goodbye's to now.
    fn ask(&mut self, host: u32, request: RequestId, command: Command<'_>) {
        self.watch.asked(self.now, host, request, &command);
        self.input(host, Input::Command(command));
        self.plan_wake(host);
    }

    /// Joins whoever is at `with` now.
    pub(crate) fn join(&mut self, host: u32, with: u32) {
        let to = self.host(with).address;
        self.command(host, |request| Command::Join { request, to });
    }

    /// A packet out of nowhere, as somebody hostile sends it.
    pub(crate) fn forge(&mut self, host: u32, from: SocketAddr, body: &[u8]) {
        let body = self.bag.copy(body);
        self.mail(host, self.now, Content::Packet { from, body });
    }

    /// Changes how well a process runs from now on.
    pub(crate) fn set_condition(&mut self, host: u32, change: impl FnOnce(&mut Condition)) {
        change(&mut self.host_mut(host).condition);
        if self.host(host).is_up() && !self.host(host).condition.is_mute() {
            self.host_mut(host).stuck.clear();
            self.send_waiting(host);
        }
        self.plan_wake(host);
    }

    pub(crate) fn set_clock(&mut self, host: u32, change: impl FnOnce(&mut clock::Clock, Instant)) {
        let now = self.now;
        change(&mut self.host_mut(host).clock, now);
        self.plan_wake(host);
        for stream in self.streams.of(host) {
            if self.streams.get(stream).is_some_and(|open| open.dialer.host == host) {
                self.plan_to_give_up(stream);
            }
        }
    }

    pub(crate) fn host(&self, host: u32) -> &Host {
        &self.hosts[host as usize]
    }

    fn host_mut(&mut self, host: u32) -> &mut Host {
        &mut self.hosts[host as usize]
    }

    /// The numbers of all hosts.
    pub(crate) fn all(&self) -> std::ops::Range<u32> {
        0..u32_of(self.hosts.len())
    }

    pub(crate) fn set_meta(&mut self, host: u32, meta: &[u8]) {
        meta.clone_into(&mut self.host_mut(host).meta);
        self.command(host, |request| Command::SetMeta { request, meta });
    }

    /// Sends a user message of so many bytes.
    pub(crate) fn send(&mut self, host: u32, to: u32, bytes: usize, stream: bool) {
        let name = self.host(to).name.clone();
        let to = Recipient::Member(&name);
        let payload = &vec![0x6d; bytes];
        self.command(host, |request| match stream {
            true => Command::SendStream { request, to, payload },
            false => Command::Send { request, to, payload },
        });
    }

    fn mail(&mut self, to: u32, at: Instant, what: Content) {
        let life = match what {
            Content::Packet { .. } => None,
            _ => Some(self.host(to).life),
        };
        let place = self.bag.put(Mail { to, life, what });
        self.queue.push(at, Happening::Arrival(place));
    }

    fn on_arrival(&mut self, mail: Mail) {
        let host = &mut self.hosts[mail.to as usize];
        if host.node.is_none() || mail.life.is_some_and(|life| life != host.life) {
            return self.discard(mail);
        }
        if host.inbox.is_empty() && host.attends(self.now) {
            return self.deliver(mail);
        }
        let bytes = mail.bytes();
        if bytes > 0 && host.inbox_bytes + bytes > host::SOCKET_BUFFER {
            self.network.traffic.packets_overflowed += 1;
            return self.discard(mail);
        }
        host.inbox_bytes += bytes;
        let to = mail.to;
        host.inbox.push_back(mail);
        self.plan_wake(to);
    }

    /// Nobody takes it.
    fn discard(&mut self, mail: Mail) {
        match mail.what {
            Content::Packet { body, .. } => {
                self.network.traffic.packets_undeliverable += 1;
                self.bag.give_back(body);
            }
            Content::Opened { stream, body, .. } => {
                self.bag.give_back(body);
                self.refuse_stream(mail.to, stream);
            }
            Content::Answered { body, .. } => self.bag.give_back(body),
            Content::Ended { .. } | Content::Join | Content::Exit => {}
        }
    }

    fn on_wake(&mut self, host: u32, at: Instant) {
        let here = self.host_mut(host);
        if here.wake != Some(at) {
            return;
        }
        here.wake = None;
        if here.node.is_none() || here.condition.frozen {
            return;
        }
        self.serve(host);
        self.plan_wake(host);
    }

    /// What the driver does when it wakes up: what has arrived first, then deadlines.
    fn serve(&mut self, host: u32) {
        for _ in 0..PACKETS_AT_ONCE {
            let now = self.now;
            let here = self.host_mut(host);
            if here.busy_until > now {
                return;
            }
            if here.condition.is_mute() {
                break;
            }
            let Some(mail) = here.inbox.pop_front() else { break };
            here.inbox_bytes -= mail.bytes();
            here.busy_until = now + here.condition.cost;
            self.deliver(mail);
            if !self.host(host).is_up() {
                return;
            }
        }
        if self.host(host).due().is_none_or(|due| due > self.now) {
            return;
        }
        if self.host(host).condition.stalled {
            self.fire_what_is_free(host);
        } else {
            self.input(host, Input::Timeout);
        }
    }

    /// What a process that stalls still does, each thread until it is about to send.
    fn fire_what_is_free(&mut self, host: u32) {
        for activity in Activity::ALL {
            let waiting = self.host(host).outbox.len();
            let here = &mut self.hosts[host as usize];
            let Some(node) = here.node.as_mut().filter(|_| !here.stuck.contains(&activity)) else {
                continue;
            };
            node.handle_timeout_of(here.clock.read(self.now), activity);
            self.drain(host);
            let is_stuck = self.host(host).outbox.len() > waiting;
            // Each suspicion waits on a thread of its own, and so does each ping for somebody else.
            if is_stuck && !matches!(activity, Activity::Suspecting | Activity::Upkeep) {
                self.host_mut(host).stuck.push(activity);
            }
        }
    }

    /// Makes sure that the host is woken when it next has something to do.
    fn plan_wake(&mut self, host: u32) {
        let now = self.now;
        let here = &mut self.hosts[host as usize];
        if here.node.is_none() || here.condition.frozen {
            return;
        }
        let due = here.due();
        let waiting = !here.inbox.is_empty() && !here.condition.is_mute();
        let next = due.into_iter().chain(waiting.then_some(now)).min();
        let Some(next) = next.map(|next| next.max(here.busy_until).max(now)) else { return };
        if here.wake.is_none_or(|wake| wake > next) {
            here.wake = Some(next);
            self.queue.push(next, Happening::Wake(host));
        }
    }

    fn deliver(&mut self, mail: Mail) {
        let Mail { to, what, .. } = mail;
        match what {
            Content::Packet { from, body } => {
                let received = self.host(to).clock.read(self.now);
                self.transcript.add(u64::from(to) << 32 | u64::from(from.port()));
                self.transcript.add_bytes(&body);
                self.input(to, Input::Packet { from, received, body: &body });
                self.bag.give_back(body);
            }
            Content::Opened { stream, from, body } => {
                let here = self.host_mut(to);
                let exchange = ExchangeId::Theirs(here.next_theirs);
                here.next_theirs += 1;
                let life = here.life;
                self.streams.accept(stream, End { host: to, life, exchange });
                self.transcript.add_bytes(&body);
                self.input(to, Input::Exchange { exchange, from, body: &body });
                self.bag.give_back(body);
            }
            Content::Answered { stream, exchange, body } => {
                if self.streams.close(stream).is_some() {
                    self.transcript.add_bytes(&body);
                    self.input(to, Input::ExchangeMessage { exchange, body: &body });
                }
                self.bag.give_back(body);
            }
            Content::Ended { stream, exchange, end } => {
                // A clock that was set since has another time for it, and that is planned too.
                let is_early = end == ExchangeEnd::TimedOut && {
                    let shown = self.host(to).clock.read(self.now);
                    self.streams.get(stream).is_some_and(|open| open.deadline > shown)
                };
                if !is_early && self.streams.close(stream).is_some() {
                    if end != ExchangeEnd::Closed {
                        self.network.traffic.streams_failed += 1;
                    }
                    self.input(to, Input::ExchangeEnded { exchange, end });
                }
            }
            Content::Join => self.try_join(to),
            Content::Exit => self.stop(to, Stop::Left),
        }
        self.plan_wake(to);
    }

    /// As users of memberlist do it: all seeds one after another, and again after a while when none
    /// answered.
    fn try_join(&mut self, host: u32) {
        let here = self.host_mut(host);
        if let Some(&seed) = here.seeds.get(here.turn) {
            here.turn += 1;
            let request = self.next_request(host);
            self.host_mut(host).joining = Some(request);
            let to = self.host(seed).address;
            self.ask(host, request, Command::Join { request, to });
        } else if !here.joined {
            here.turn = 0;
            self.mail(host, self.now + JOIN_AGAIN, Content::Join);
        }
    }

    /// The only way into a node: one input, and then all outputs.
    fn input(&mut self, host: u32, input: Input<'_>) {
        let here = &mut self.hosts[host as usize];
        let Some(node) = here.node.as_mut() else { return };
        let now = here.clock.read(self.now);
        self.inputs += 1;
        self.transcript.add(self.now.as_nanos());
        self.transcript.add(u64::from(host));
        self.watch.before(self.now, host, &input);
        node.handle(now, input);
        self.drain(host);
        if let Some(node) = &self.hosts[host as usize].node {
            self.watch.handled(self.now, host, now, node);
        }
    }

    fn drain(&mut self, host: u32) {
        let room = Room::of_packet(self.room);
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some(node) = &mut self.hosts[host as usize].node {
            let Some(output) = node.poll_output(room, &mut buffer) else { break };
            self.perform(host, output, &mut buffer);
        }
        self.buffer = buffer;
    }

    fn on_event(&mut self, host: u32, event: &Event) {
        let shown = self.host(host).clock.read(self.now);
        self.watch.event(self.now, host, shown, event);
        let Event::Completed { request, result } = event else { return };
        // Whoever leaves goes, heard or not.
        if let Ok(Done::Left { .. }) | Err(RequestError::LeaveUnconfirmed { .. }) = result {
            self.mail(host, self.now, Content::Exit);
        }
        let here = self.host_mut(host);
        if here.joining == Some(*request) {
            here.joined |= result.is_ok();
            here.joining = None;
            self.mail(host, self.now, Content::Join);
        }
    }
}

fn u32_of(number: usize) -> u32 {
    u32::try_from(number).expect("a world has far fewer than 2^32 hosts")
}

#[cfg(test)]
mod tests;
