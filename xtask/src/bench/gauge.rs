//! What the kernel says of a process and of its network namespace.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// Everything at one moment.
#[derive(Clone, Debug)]
pub(super) struct Gauge {
    at: Instant,
    /// Nanoseconds on a processor, by thread: those that end take theirs with them.
    threads: BTreeMap<u32, u64>,
    /// Hundredths of a second that all processors of the machine were not idle.
    busy: u64,
    /// UDP datagrams sent, TCP connections opened, and bytes of IP sent, headers included, by the whole namespace.
    datagrams: u64,
    opens: u64,
    octets: u64,
}

impl Gauge {
    /// Reads all of it.
    ///
    /// # Errors
    ///
    /// When the process is gone.
    pub(super) fn read(process: u32) -> Result<Self> {
        let net = |file: &str| read(&format!("/proc/{process}/net/{file}"));
        let (snmp, netstat) = (net("snmp")?, net("netstat")?);
        Ok(Self {
            at: Instant::now(),
            threads: threads(process)?,
            busy: busy()?,
            datagrams: counter(&snmp, "Udp", "OutDatagrams")?,
            opens: counter(&snmp, "Tcp", "ActiveOpens")?,
            octets: counter(&netstat, "IpExt", "OutOctets")?,
        })
    }

    /// What was spent since `before`, by each of so many nodes.
    pub(super) fn since(&self, before: &Self, nodes: u32) -> Value {
        let elapsed = self.at.duration_since(before.at);
        let own = self.on_processor_since(before);
        let each_second = |count: u64| to_f64(count) / f64::from(nodes) / elapsed.as_secs_f64();
        json!({
            "seconds": elapsed.as_secs_f64(),
            "cpu_s": own.as_secs_f64(),
            "cpu_us_per_node_s": own.as_secs_f64() * 1e6 / f64::from(nodes) / elapsed.as_secs_f64(),
            "datagrams_per_node_s": each_second(self.datagrams - before.datagrams),
            "opens_per_node_s": each_second(self.opens - before.opens),
            "ip_bytes_per_node_s": each_second(self.octets - before.octets),
            "ip_bytes_per_node": to_f64(self.octets - before.octets) / f64::from(nodes),
            "foreign_cpu": self.foreign_since(before, elapsed, own),
        })
    }

    fn on_processor_since(&self, before: &Self) -> Duration {
        let spent = |(thread, &now): (&u32, &u64)| {
            now.saturating_sub(before.threads.get(thread).copied().unwrap_or(0))
        };
        Duration::from_nanos(self.threads.iter().map(spent).sum())
    }

    /// The share of all processors that was spent on something else.
    fn foreign_since(&self, before: &Self, elapsed: Duration, own: Duration) -> f64 {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let all = elapsed.as_secs_f64() * to_f64(processors as u64);
        let busy = to_f64(self.busy.saturating_sub(before.busy)) / TICKS;
        ((busy - own.as_secs_f64()) / all).max(0.0)
    }
}

/// Of `/proc/stat`, in a second.
const TICKS: f64 = 100.0;

/// Kilobytes of memory that a process has.
///
/// # Errors
///
/// When the process is gone.
pub(super) fn resident_kib(process: u32) -> Result<u64> {
    let status = read(&format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.with_context(|| format!("/proc/{process}/status has no VmRSS"))
}

fn threads(process: u32) -> Result<BTreeMap<u32, u64>> {
    let mut threads = BTreeMap::new();
    let folder = format!("/proc/{process}/task");
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {folder}"))? {
        let name = entry?.file_name();
        let Some(thread) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        // It may have ended since.
        let Ok(line) = fs::read_to_string(format!("{folder}/{thread}/schedstat")) else { continue };
        let spent = line.split_whitespace().next().and_then(|word| word.parse().ok());
        threads.insert(thread, spent.unwrap_or(0));
    }
    Ok(threads)
}

/// All but idle, waiting for disks, and what guests are counted twice for.
fn busy() -> Result<u64> {
    let stat = read("/proc/stat")?;
    let line = stat.lines().next().and_then(|line| line.strip_prefix("cpu "));
    let words = line.context("/proc/stat begins with another line than cpu")?.split_whitespace();
    let numbers: Vec<u64> = words.filter_map(|word| word.parse().ok()).collect();
    Ok(numbers
        .iter()
        .take(8)
        .enumerate()
        .filter(|(i, _)| ![3, 4].contains(i))
        .map(|(_, n)| n)
        .sum())
}

/// A number of a table whose lines are pairs: names, then values.
fn counter(table: &str, group: &str, name: &str) -> Result<u64> {
    let mut lines =
        table.lines().filter_map(|line| line.split_once(": ")).filter(|(of, _)| *of == group);
    let found = lines.next().zip(lines.next()).and_then(|((_, names), (_, values))| {
        let place = names.split_whitespace().position(|other| other == name)?;
        values.split_whitespace().nth(place)?.parse().ok()
    });
    found.with_context(|| format!("the kernel does not count {group} {name}"))
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading {path}"))
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(super) fn to_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_their_names() {
        let table = "Ip: A B\nIp: 1 2\nUdp: InDatagrams OutDatagrams\nUdp: 7 9\n";
        assert_eq!(counter(table, "Udp", "OutDatagrams").unwrap(), 9);
        let error = counter(table, "Udp", "Else").unwrap_err().to_string();
        assert_eq!(error, "the kernel does not count Udp Else");
    }

    #[test]
    fn what_we_spend_is_ours() {
        let before = Gauge::read(std::process::id()).unwrap();
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(30) {
            std::hint::black_box(0);
        }
        let spent = Gauge::read(std::process::id()).unwrap().on_processor_since(&before);
        assert!(spent >= Duration::from_millis(5), "{spent:?}");
        assert!(resident_kib(std::process::id()).unwrap() > 500);
    }
}
