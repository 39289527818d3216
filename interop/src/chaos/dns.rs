//! A real name server, and what its names stand for changes.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::network::Host;
use super::trial::Trial;
use crate::context::Context;
use crate::peers::Process;
use crate::poll::{Attempt, wait_until};

/// Two agents know nothing but names, which stand for nothing yet; then for the cluster, which moves away as a whole. No host of it
/// is where it was, and nobody of it knows the two.
pub(super) fn moves(trial: &mut Trial) -> Result<()> {
    trial.suffer(&BY_NAME);
    let host = trial.cluster.network.add_host()?;
    let mut server = NameServer::start(&trial.context, host)?;
    for (name, seed) in BY_NAME.into_iter().zip([HOST, SERVICE]) {
        trial.cluster.add_by_name(name, seed, server.resolver())?;
    }
    trial.note("a4 and a5 have started, and their seeds' names are unknown")?;
    trial.within("the look-ups fail", Instant::now(), LIMIT, |cluster| {
        let is_told = |name| Ok(cluster.process(name)?.log()?.contains("can't be looked up"));
        let told: Result<Vec<bool>> = BY_NAME.into_iter().map(is_told).collect();
        Ok((told? != [true; 2]).then(|| "nothing is said of it".to_owned()))
    })?;
    server.answer_with(first_address(trial)?)?;
    trial.note("the names stand for a1")?;
    trial.one_view("they are found", Instant::now(), SOON)?;

    trial.excuse_all(&MOVERS);
    for name in MOVERS {
        trial.cluster.agent(name)?.kill()?;
    }
    for name in MOVERS {
        let seed = if name == MOVERS[0] { Vec::new() } else { trial.cluster.seed() };
        trial.cluster.restart_elsewhere(name, seed)?;
    }
    trial.note("all others were killed and are back, each at another address")?;
    server.answer_with(first_address(trial)?)?;
    let moved = Instant::now();
    trial.note("the names stand for the new a1")?;
    trial.one_view("they are found again", moved, LIMIT)?;
    trial.end_excuses_at_once();
    Ok(())
}

const BY_NAME: [&str; 2] = ["a4", "a5"];
const MOVERS: [&str; 3] = ["a1", "a2", "a3"];
/// A look-up that fails is repeated after 1 s, 2 s, 4 s and so on.
const SOON: Duration = Duration::from_secs(30);
/// The 30 s until names are looked up again, and a join.
const LIMIT: Duration = Duration::from_secs(45);

const DOMAIN: &str = "chaos.test";
const HOST: &str = "nodes.chaos.test";
const SERVICE: &str = "srv+_mingle._udp.chaos.test";

fn first_address(trial: &Trial) -> Result<Ipv4Addr> {
    match trial.cluster.seed().first() {
        Some(SocketAddr::V4(address)) => Ok(*address.ip()),
        Some(SocketAddr::V6(_)) | None => bail!("the cluster has no first agent"),
    }
}

/// dnsmasq on a host of its own.
struct NameServer {
    process: Process,
    host: Arc<Host>,
    context: Context,
}

impl NameServer {
    /// Starts one that knows that the names do not exist.
    fn start(context: &Context, host: Arc<Host>) -> Result<Self> {
        let resolver = context.log_dir().join(RESOLVER);
        fs::write(&resolver, format!("nameserver {}\n", host.ip))
            .with_context(|| format!("writing {}", resolver.display()))?;
        let process = serve(context, &host, None)?;
        Ok(Self { process, host, context: context.clone() })
    }

    /// From now on the names stand for this address.
    fn answer_with(&mut self, address: Ipv4Addr) -> Result<()> {
        self.process.kill()?;
        self.process = serve(&self.context, &self.host, Some(address))?;
        Ok(())
    }

    /// What stands in the place of `/etc/resolv.conf` for those who ask it.
    fn resolver(&self) -> PathBuf {
        self.context.log_dir().join(RESOLVER)
    }
}

const RESOLVER: &str = "resolv.conf";

fn serve(context: &Context, host: &Host, address: Option<Ipv4Addr>) -> Result<Process> {
    let mut text = format!(
        "no-resolv\nno-hosts\nlocal=/{DOMAIN}/\nlocal-ttl=0\nlisten-address={}\nbind-interfaces\nuser=root\nlog-queries\n",
        host.ip
    );
    if let Some(address) = address {
        let service = SERVICE.trim_start_matches("srv+");
        let _ = writeln!(text, "host-record={HOST},{address}\nsrv-host={service},{HOST},7946");
    }
    let settings = context.log_dir().join("dnsmasq.conf");
    fs::write(&settings, text).with_context(|| format!("writing {}", settings.display()))?;
    let mut command = Command::new("dnsmasq");
    command.args(["--keep-in-foreground", "--log-facility=-", "--pid-file"]);
    command.arg(format!("--conf-file={}", settings.display()));
    let before = context.log_dir().join("dnsmasq.log");
    let starts = |text: &str| text.matches("started, version").count();
    let earlier = fs::read_to_string(before).map_or(0, |text| starts(&text));
    let process =
        host.namespace.run(|| Process::spawn("dnsmasq", &mut command, context.log_dir()))?;
    wait_until("dnsmasq to answer", Duration::from_secs(10), || {
        process.ensure_running()?;
        let is_up = starts(&process.log()?) > earlier;
        Ok(if is_up { Attempt::Done(()) } else { Attempt::NotYet("it starts".into()) })
    })?;
    Ok(process)
}
