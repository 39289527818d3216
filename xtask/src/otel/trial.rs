//! A real agent, and a real collector that comes and goes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::collector::{Collector, URL};
use super::told::{Samples, page};
use crate::alerts::agents::{Agent, Place, get};
use crate::shell::output;

/// For whatever is waited for.
const LIMIT: Duration = Duration::from_secs(30);
/// What an agent may take to end, its goodbye and its last words included.
const ENDS_WITHIN: Duration = Duration::from_secs(4);

const A: Place = Place { cluster: 1, agent: 1 };
const B: Place = Place { cluster: 1, agent: 2 };
const C: Place = Place { cluster: 1, agent: 3 };

/// Starts an agent without a collector, and then everything else that may happen to the two.
///
/// # Errors
///
/// When something does not arrive that should, or the log says it not once.
pub(super) fn run(program: &Path, collector: &Path, folder: &Path) -> Result<()> {
    output(Command::new("ip").args(["link", "set", "lo", "up"]))?;
    let exports = ["--otlp-endpoint", URL];
    let mut a = Agent::start(program, folder, A, &exports)?;
    said(folder, A, GONE, 1)?;
    let b = Agent::start(program, folder, B, &["--join", &A.gossip().to_string()])?;
    until("a has seen b join", || Ok(a.metrics()?.contains("members{state=\"alive\"} 2")))?;
    until("some turns are over", || Ok(page(&a.metrics()?)["mingle_uptime_seconds"] >= 2.0))?;
    said(folder, A, GONE, 1)?;
    println!("without a collector the agent says so once");

    let first = Collector::start(collector, folder, 1)?;
    said(folder, A, BACK, 1)?;
    until("the spans of before are told", || {
        let told = first.told()?;
        Ok(told.has_span("member joined", "member: Str(1-2)")
            && told.has_span("exchange", "content: Str(join)"))
    })?;
    let samples = agree(&a, &first)?;
    println!(
        "a collector that comes later is told what was before, and {samples} values agree with /metrics"
    );

    said(folder, A, GONE, 1)?;
    drop(first);
    said(folder, A, GONE, 2)?;
    let second = Collector::start(collector, folder, 2)?;
    said(folder, A, BACK, 2)?;
    agree(&a, &second)?;
    println!("one that was killed and came back is told again");

    wrong_endpoints(program, folder)?;
    work(program, &a, &b)?;
    drop(b);
    until("spans of all that was done are told", || {
        let told = second.told()?;
        Ok(SPANS.iter().all(|(name, attribute)| told.has_span(name, attribute)))
    })?;
    second.signal("-STOP")?;
    for _ in 0..5 {
        // An export has a turn meanwhile.
        thread::sleep(Duration::from_millis(300));
        let began = Instant::now();
        a.metrics()?;
        ensure!(began.elapsed() < Duration::from_secs(1), "the agent waits for the collector");
    }
    second.signal("-CONT")?;
    println!(
        "{} kinds of spans are told, and a collector that stands still holds up nothing",
        SPANS.len()
    );

    ends(&mut a)?;
    until("the goodbye is told", || Ok(second.told()?.has_span("leave", "")))?;
    drop(second);

    let mut c = Agent::start(program, folder, C, &exports)?;
    said(folder, C, GONE, 1)?;
    ends(&mut c)?;
    println!("the last words arrive, and nobody waits for a collector that is away");
    Ok(())
}

const GONE: &str = "metrics and traces can't be exported";
const BACK: &str = "metrics and traces are exported again";

/// Each with what it says.
const SPANS: [(&str, &str); 8] = [
    ("POST /v1/join", "http.response.status_code: Int(200)"),
    ("GET /metrics", "http.route: Str(/metrics)"),
    ("GET elsewhere", "http.response.status_code: Int(404)"),
    (
        "join",
        "report: Str(\"127.7.1.9:7946\" at 127.7.1.9:7946: can't reach it: connection refused",
    ),
    ("exchange", "error: Str(connection refused)"),
    ("exchange", "side: Str(accepted)"),
    ("reload", ""),
    ("member failed", "text: Str(failed: not heard of for"),
];

/// What makes these spans, but for the failure.
fn work(program: &Path, a: &Agent, b: &Agent) -> Result<()> {
    let ask = |agent: &Agent, words: &[&str]| {
        let http = agent.place.http().to_string();
        output(Command::new(program).args(words).args(["--http", &http]))
    };
    ask(a, &["reload"])?;
    ask(b, &["join", &A.gossip().to_string()])?;
    ensure!(ask(a, &["join", "127.7.1.9:7946"]).is_err(), "somebody is where nobody is");
    ensure!(get(a.place.http(), "/nowhere").is_err(), "something is where nothing is");
    Ok(())
}

/// What is no URL is refused at the start; what is no collector is told in the log.
fn wrong_endpoints(program: &Path, folder: &Path) -> Result<()> {
    let agent =
        Command::new(program).args(["agent", "--otlp-endpoint", "collector:4318"]).output()?;
    let told = String::from_utf8_lossy(&agent.stderr);
    let is_refused = agent.status.code() == Some(2);
    ensure!(is_refused && told.contains("\"collector:4318\" is no URL"), "it is taken: {told}");
    let elsewhere = format!("{URL}/elsewhere");
    let place = Place { agent: 4, ..A };
    let _agent = Agent::start(program, folder, place, &["--otlp-endpoint", &elsewhere])?;
    said(folder, place, "/v1/metrics answers with 404", 1)
}

/// Every value that is exported between two looks at `/metrics` is one of between, under its name.
fn agree(agent: &Agent, collector: &Collector) -> Result<usize> {
    let mut differ = String::new();
    let mut values = 0;
    let agreed = until("values agree", || {
        let seen = collector.told()?.metrics.len();
        let before = page(&agent.metrics()?);
        // The first that comes now may have been read before.
        until("metrics are told", || Ok(collector.told()?.metrics.len() > seen + 2))?;
        let after = page(&agent.metrics()?);
        let told = collector.told()?;
        let message = &told.metrics[seen + 1];
        about(&message.resource)?;
        values = message.samples.len();
        differ = difference(&before, &message.samples, &after).unwrap_or_default();
        Ok(differ.is_empty())
    });
    agreed.with_context(|| differ)?;
    Ok(values)
}

fn about(resource: &[String]) -> Result<()> {
    for wanted in
        ["service.name: Str(mingle)", "service.instance.id: Str(1-1)", "service.version: Str("]
    {
        let is_there = resource.iter().any(|line| line.starts_with(wanted));
        ensure!(is_there, "no {wanted} in {resource:?}");
    }
    Ok(())
}

fn difference(before: &Samples, told: &Samples, after: &Samples) -> Option<String> {
    let names = |samples: &Samples| samples.keys().cloned().collect::<BTreeSet<_>>();
    if let Some(name) = names(before).symmetric_difference(&names(told)).next() {
        return Some(format!("{name} is on one side only"));
    }
    let differs = told.iter().find(|(name, value)| {
        let (one, other) = (before[*name], after.get(*name).copied().unwrap_or(f64::NAN));
        !(one.min(other)..=one.max(other)).contains(value)
    });
    differs.map(|(name, value)| format!("{name} is told as {value}, and is {}", before[name]))
}

/// It says goodbye and ends in time, whatever the collector does.
fn ends(agent: &mut Agent) -> Result<()> {
    let began = Instant::now();
    agent.signal("-TERM")?;
    let status = agent.end()?;
    ensure!(
        status.success() && began.elapsed() < ENDS_WITHIN,
        "{status} after {:?}",
        began.elapsed()
    );
    Ok(())
}

/// Waits until an agent has logged something so often, and no more often.
fn said(folder: &Path, place: Place, text: &str, times: usize) -> Result<()> {
    until(text, || Ok(count(folder, place, text)? >= times))?;
    let count = count(folder, place, text)?;
    ensure!(count == times, "{text:?} is said {count} times instead of {times}");
    Ok(())
}

fn count(folder: &Path, place: Place, text: &str) -> Result<usize> {
    let log = folder.join(format!("{}-{}.log", place.cluster, place.agent));
    Ok(fs::read_to_string(log)?.matches(text).count())
}

fn until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let began = Instant::now();
    while !holds()? {
        ensure!(began.elapsed() < LIMIT, "not within {LIMIT:?}: {what}");
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_not_between_is_found() {
        let samples = |text| page(text);
        let difference = |told| {
            difference(&samples("a_total 3\nb 5\n"), &samples(told), &samples("a_total 4\nb 2\n"))
        };
        assert_eq!(difference("a_total 4\nb 3\n"), None);
        assert_eq!(difference("a_total 5\nb 3\n").unwrap(), "a_total is told as 5, and is 3");
        assert_eq!(difference("b 3\n").unwrap(), "a_total is on one side only");
        assert_eq!(difference("a_total 3\nb 5\nc 0\n").unwrap(), "c is on one side only");
    }
}
