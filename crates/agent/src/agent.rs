use std::convert::Infallible;
use std::future::pending;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime};

use mingle::{Cluster, StartError, StateFile};
use tokio::sync::{mpsc, oneshot};
use tracing::level_filters::LevelFilter;
use tracing::{Instrument, Metadata, info, info_span, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterFn, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::access::Access;
use crate::api::LeaveAnswer;
use crate::cli::{AgentArgs, LogFormat, LogLevel, Profile};
use crate::endpoint::{self, Place};
use crate::exit::Failure;
use crate::feed::Feed;
use crate::http::{self, Connections, Server};
use crate::logs::Logs;
use crate::otel::{Export, Exporting};
use crate::plan::{Goodbyes, Plan, Recording, Statement};
use crate::reload::{Changing, Source, reload};
use crate::signals::{Hangups, Signal, Signals};
use crate::timing::Timing;
use crate::{config, joining, output, ready, supervisor};

/// Runs an agent until it is told to end.
pub(crate) fn run(args: &AgentArgs, source: Source) -> Result<ExitCode, Failure> {
    let plan = Plan::new(args)?;
    let export = plan.collector.as_ref().map(|collector| collector.export(&plan.name));
    let logs = Arc::default();
    let set_level = start_logging(args.log_level, args.log_format, export.as_ref(), &logs);
    for sentence in config::strange_variables(std::env::vars_os()) {
        warn!("{sentence}");
    }
    let changing =
        Changing { settings: Some((source, set_level)), keyring_file: args.keyring_file.clone() };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::No(format!("the runtime does not start: {error}")))?;
    let announce = if args.json { ready::json } else { ready::text };
    let result = runtime.block_on(live(&plan, changing, export, logs, announce));
    // A lookup that hangs must not keep the process.
    runtime.shutdown_background();
    result
}

/// Changes what is logged from now on.
pub(crate) type SetLevel = Box<dyn Fn(LogLevel) + Send>;

fn start_logging(
    level: LogLevel,
    format: LogFormat,
    export: Option<&Export>,
    logs: &Arc<Logs>,
) -> SetLevel {
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .log_internal_errors(false);
    let (filter, handle) = tracing_subscriber::reload::Layer::new(lines_of(level));
    let registry =
        tracing_subscriber::registry().with(export.map(Export::layer)).with(logs.layer());
    match format {
        LogFormat::Text => registry.with(lines.with_filter(filter)).init(),
        LogFormat::Json => registry.with(lines.json().with_filter(filter)).init(),
    }
    // What is reloaded lives as long as the process.
    Box::new(move |level| drop(handle.reload(lines_of(level))))
}

/// Lines are of events alone. Without an export nobody wants spans, and none is made.
fn lines_of(level: LogLevel) -> FilterFn<impl Fn(&Metadata<'_>) -> bool> {
    let level = filter(level);
    filter_fn(move |it| it.is_event() && *it.level() <= level).with_max_level_hint(level)
}

pub(crate) const fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// An agent that runs, for all who look at it.
pub(crate) struct Running {
    pub(crate) cluster: Cluster,
    pub(crate) http: Place,
    /// Who may ask there.
    pub(crate) access: Arc<Access>,
    pub(crate) profile: Profile,
    pub(crate) timing: Timing,
    pub(crate) label: String,
    pub(crate) security: Security,
    pub(crate) recording: Option<Recording>,
    pub(crate) started: Instant,
    /// Whether it was told of somebody to join.
    pub(crate) has_seeds: AtomicBool,
    /// For those who watch.
    pub(crate) feed: Arc<Feed>,
    /// For those who follow its log.
    pub(crate) logs: Arc<Logs>,
    /// Whether it states tags, as Serf agents do.
    pub(crate) states_tags: bool,
    /// Held by who changes anything.
    pub(crate) changing: tokio::sync::Mutex<Changing>,
    /// Where to ask for the end. The answer comes when the goodbye is over.
    pub(crate) leave: mpsc::Sender<oneshot::Sender<LeaveAnswer>>,
}

/// Who can take part in the gossip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    /// Whoever has a key.
    Encrypted,
    /// Programs on this machine.
    Loopback,
    /// Whoever reaches the port.
    Open,
}

impl Running {
    /// An agent with nothing but what every agent has, that only its own process ends.
    pub(crate) fn new(cluster: Cluster, http: Place, profile: Profile, security: Security) -> Self {
        let (leave, _) = mpsc::channel(1);
        Self {
            cluster,
            http,
            access: Arc::new(Access::loopback()),
            profile,
            timing: Timing::default(),
            label: String::new(),
            security,
            recording: None,
            started: Instant::now(),
            has_seeds: AtomicBool::new(false),
            feed: Feed::new(SystemTime::now()),
            logs: Arc::default(),
            states_tags: true,
            changing: tokio::sync::Mutex::default(),
            leave,
        }
    }

    /// What an operator should change.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let open = match self.security {
            Security::Encrypted | Security::Loopback => None,
            Security::Open => Some(format!(
                "gossip on {} is not encrypted, so whoever reaches that port can read and change \
                 the membership: give all agents one key with --encrypt or --keyring-file",
                self.cluster.local_addr()
            )),
        };
        let unwritten = self.cluster.state_file().and_then(|file| {
            let StateFile { path, error, .. } = file;
            error.map(|kind| {
                format!(
                    "the state file {path:?} can't be written ({kind}), so a restart may not know \
                     what is new: make room on its disk, and let the agent write there"
                )
            })
        });
        let certificate = self.access.warning(SystemTime::now());
        let namesake = self.cluster.namesake().map(|at| {
            format!(
                "the node at {at} has the name of this agent too, so that others see one of the two \
                 and not the other: give one of them another --name"
            )
        });
        open.into_iter().chain(namesake).chain(unwritten).chain(certificate).collect()
    }
}

/// Says on stdout that the agent is ready.
type Announce = fn(&Running) -> String;

async fn live(
    plan: &Plan,
    changing: Changing,
    export: Option<Export>,
    logs: Arc<Logs>,
    announce: Announce,
) -> Result<ExitCode, Failure> {
    let mut signals = Signals::listen()?;
    let mut hangups = Hangups::listen()?;
    joining::resolve(&plan.join).await?;
    let listener = listen(plan).await?;
    let cluster = start(plan).await?;
    let (leave, asked) = mpsc::channel(1);
    let security = security(plan, cluster.local_addr());
    let running = Arc::new(Running {
        label: plan.label.clone(),
        timing: plan.timing,
        has_seeds: AtomicBool::new(plan.has_seeds()),
        recording: plan.recording.clone(),
        states_tags: matches!(plan.statement, Statement::Serf(_)),
        changing: tokio::sync::Mutex::new(changing),
        leave,
        logs,
        access: Arc::clone(&plan.access),
        ..Running::new(cluster, listener.place().clone(), plan.profile, security)
    });
    for warning in running.warnings() {
        warn!("{warning}");
    }
    if let Some(Recording { folder, bytes }) = &running.recording {
        info!(?folder, bytes, "recording what peers say, in plain text and without keys");
    }
    if let Some(StateFile { path, .. }) = running.cluster.state_file() {
        info!(file = ?path, "keeping the incarnation and the members over restarts");
    }
    let server = Server::start(listener, Arc::clone(&running));
    let exporting = export.map(|export| export.start(&running));
    // Ends with the node.
    tokio::spawn(supervisor::keep_telling(running.cluster.clone()));
    let ending = tokio::select! {
        failure = work(plan, &running, announce) => Ending::Failed(failure),
        ending = told_to_end(&running.cluster, &mut signals, asked) => ending,
        never = reload_when_told(&running, &mut hangups) => match never {},
    };
    tokio::select! {
        result = end(ending, plan.goodbyes, &running.cluster, server, exporting) => result,
        second = signals.next() => {
            warn!(signal = second.as_str(), "ending at once");
            Ok(ExitCode::from(second.exit_code()))
        }
    }
}

async fn listen(plan: &Plan) -> Result<Connections, Failure> {
    let place = plan.http();
    http::bind(&place, Arc::clone(&plan.access)).await.map_err(|error| {
        match (error.kind(), &place) {
            (io::ErrorKind::AddrInUse, Place::Address(address)) => taken(plan, "--http", *address),
            (io::ErrorKind::AddrInUse, Place::Socket(_)) => Failure::No(format!(
                "another agent answers at {place}; choose another path with --http"
            )),
            (kind, _) => {
                let reason = output::reason(&error);
                let sentence = format!(
                    "can't listen on {place}: {reason}; choose another address with --http"
                );
                // It may only be late.
                let late = [io::ErrorKind::AddrNotAvailable, io::ErrorKind::StorageFull];
                if late.contains(&kind) { Failure::No(sentence) } else { Failure::Input(sentence) }
            }
        }
    })
}

async fn start(plan: &Plan) -> Result<Cluster, Failure> {
    plan.builder().start().await.map_err(|error| match error {
        StartError::AddressInUse { address } => taken(plan, "--bind", address),
        error if error.is_transient() => Failure::No(error.to_string()),
        error => Failure::Input(error.to_string()),
    })
}

/// An address is taken. For who chose none, the first agent of this machine has both.
fn taken(plan: &Plan, flag: &str, address: SocketAddr) -> Failure {
    let remedy = if plan.bind.is_some() || plan.http.is_some() {
        format!("{flag} {}", endpoint::next_port(address))
    } else {
        "--bind 127.0.0.1:7947 --http 127.0.0.1:7375".to_owned()
    };
    Failure::No(format!(
        "{address} is taken, perhaps by another agent; choose another port, as {remedy}"
    ))
}

fn security(plan: &Plan, bound: SocketAddr) -> Security {
    match &plan.keyring {
        Some(_) => Security::Encrypted,
        None if bound.ip().to_canonical().is_loopback() => Security::Loopback,
        None => Security::Open,
    }
}

/// What an agent does until it is told to end. Returns only when it can't.
async fn work(plan: &Plan, running: &Running, announce: Announce) -> Failure {
    if let Err(failure) = joining::at_start(&running.cluster, &plan.join).await {
        return failure;
    }
    if let Err(failure) = output::print(&announce(running)) {
        return failure;
    }
    supervisor::ready();
    pending().await
}

/// SIGHUP makes an agent read its settings again.
async fn reload_when_told(running: &Arc<Running>, hangups: &mut Hangups) -> Infallible {
    loop {
        hangups.next().await;
        if let Err(Failure::No(why) | Failure::Input(why) | Failure::Unreachable(why)) =
            reload(running).await
        {
            warn!(why, "the settings were not taken over");
        }
    }
}

/// Why an agent ends.
enum Ending {
    Signal(Signal),
    /// `POST /v1/leave` waits for the answer.
    Asked(oneshot::Sender<LeaveAnswer>),
    /// The node has ended by itself.
    Stopped,
    Failed(Failure),
}

async fn told_to_end(
    cluster: &Cluster,
    signals: &mut Signals,
    mut asked: mpsc::Receiver<oneshot::Sender<LeaveAnswer>>,
) -> Ending {
    tokio::select! {
        signal = signals.next() => Ending::Signal(signal),
        Some(answer) = asked.recv() => Ending::Asked(answer),
        () = cluster.stopped() => Ending::Stopped,
    }
}

async fn end(
    ending: Ending,
    goodbyes: Goodbyes,
    cluster: &Cluster,
    server: Server,
    exporting: Option<Exporting>,
) -> Result<ExitCode, Failure> {
    supervisor::stopping();
    let result = match ending {
        Ending::Signal(signal) if !signal.says_goodbye(goodbyes) => {
            info!(signal = signal.as_str(), "ending without a goodbye");
            Ok(ExitCode::SUCCESS)
        }
        Ending::Signal(signal) => {
            info!(signal = signal.as_str(), "leaving");
            goodbye(cluster).await;
            Ok(ExitCode::SUCCESS)
        }
        Ending::Asked(answer) => {
            info!("leaving, as asked");
            // Whoever asked may have gone.
            let _ = answer.send(goodbye(cluster).await);
            Ok(ExitCode::SUCCESS)
        }
        Ending::Stopped => Err(Failure::No("the node has stopped; its log says why".to_owned())),
        Ending::Failed(failure) => {
            // Who has met nobody has nobody to take leave of.
            if cluster.members().len() > 1 {
                goodbye(cluster).await;
            }
            Err(failure)
        }
    };
    server.stop().await;
    if let Some(exporting) = exporting {
        exporting.stop().await;
    }
    cluster.stop().await;
    result
}

/// Above the time that the library allows a goodbye.
const GOODBYE: Duration = Duration::from_secs(6);

async fn goodbye(cluster: &Cluster) -> LeaveAnswer {
    say_goodbye(cluster).instrument(info_span!("leave")).await
}

async fn say_goodbye(cluster: &Cluster) -> LeaveAnswer {
    let error = match tokio::time::timeout(GOODBYE, cluster.leave()).await {
        Ok(Ok(receipt)) => {
            let confirmed: Vec<_> = receipt.confirmed.iter().map(ToString::to_string).collect();
            info!(?confirmed, "left");
            return LeaveAnswer { left: true, confirmed, error: None };
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("nobody confirmed the goodbye within {GOODBYE:?}"),
    };
    warn!(error, "no goodbye was confirmed; others may see this agent as dead instead of left");
    LeaveAnswer { left: false, confirmed: Vec::new(), error: Some(error) }
}
