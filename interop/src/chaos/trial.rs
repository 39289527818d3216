//! One case as it runs: the cluster, what is done to it, and what has to come of that by when.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::beliefs::{Change, Excuse, Origin, Record, Share};
use super::cluster::{Cluster, Company};
use super::machine::SmallDisk;
use super::network::Cut;
use crate::context::Context;
use crate::interrupt;
use crate::peers::MingleAgent;
use crate::poll::{Attempt, wait_until};
use crate::view::{Expectation, MemberState, View, complaint, wait_until_views_agree};

/// A case that runs.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) cluster: Cluster,
    /// Gone only after the cluster, in which somebody writes to it.
    pub(super) disk: Option<Arc<SmallDisk>>,
    pub(super) context: Context,
    began: Instant,
    excuses: Vec<Excuse>,
    subjects: BTreeSet<String>,
    bounds: Vec<Bound>,
    findings: Vec<String>,
}

/// A time by which something has to be so.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Bound {
    pub(super) what: String,
    pub(super) limit_seconds: f64,
    /// `None` when it did not come at all while somebody waited.
    pub(super) took_seconds: Option<f64>,
    /// What was seen last in place of it.
    pub(super) seen: Option<String>,
}

impl Bound {
    pub(super) fn is_met(&self) -> bool {
        self.took_seconds.is_some_and(|took| took <= self.limit_seconds)
    }
}

/// What happened on the way, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Counts {
    /// Deaths in the views of mingle agents.
    pub(super) deaths: Share,
    /// Those of them that the same agent declared.
    pub(super) declared: Share,
    /// Accusations that mingle agents raised themselves.
    pub(super) suspicions: Share,
    /// False claims that mingle agents contradicted.
    pub(super) refutations: usize,
    /// Deaths in the views of Serf agents and memberlist nodes, whether true or not.
    pub(super) deaths_at_go: usize,
    /// How late the latest timer of any living agent was: above some hundreds, the machine was too slow to judge by.
    pub(super) lag_millis: f64,
}

/// What is known in the end.
#[derive(Debug, Clone, Default)]
pub(super) struct Findings {
    pub(super) bounds: Vec<Bound>,
    pub(super) findings: Vec<String>,
    pub(super) counts: Counts,
}

impl Trial {
    /// Forms a cluster that agrees.
    pub(super) fn begin(context: &Context, prefix: &str, company: Company) -> Result<Self> {
        let mut trial = Self {
            cluster: Cluster::start(context, prefix, company)?,
            disk: None,
            context: context.clone(),
            began: Instant::now(),
            excuses: Vec::new(),
            subjects: BTreeSet::new(),
            bounds: Vec::new(),
            findings: Vec::new(),
        };
        trial.note("everybody has started")?;
        trial.cluster.gather()?;
        let (views, names) = (trial.cluster.views(), trial.cluster.names());
        let everybody = Expectation::alive(names.iter().map(String::as_str));
        wait_until_views_agree(&views, &everybody, FORMING).context("before the fault")?;
        trial.note("everybody agrees")?;
        Ok(trial)
    }

    /// Writes a line into `timeline.txt`, beside the logs.
    pub(super) fn note(&mut self, what: &str) -> Result<()> {
        let now = humantime::format_rfc3339_millis(SystemTime::now());
        let path = timeline(&self.context);
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let mut file = file.with_context(|| format!("opening {}", path.display()))?;
        writeln!(file, "{now} {:7.1} s  {what}", self.began.elapsed().as_secs_f32())?;
        Ok(())
    }

    /// Something was so that must not be.
    pub(super) fn find(&mut self, finding: String) -> Result<()> {
        self.note(&format!("WRONG: {finding}"))?;
        self.findings.push(finding);
        Ok(())
    }

    /// Begins to drop packets.
    pub(super) fn cut(&mut self, what: &str, cuts: &[Cut]) -> Result<()> {
        self.cluster.network.cut(cuts, self.context.log_dir())?;
        self.note(what)
    }

    /// Lets everything pass again, and tells since when it does.
    pub(super) fn heal(&mut self) -> Result<Instant> {
        let dropped = self.cluster.network.heal()?;
        let healed = Instant::now();
        self.note(&format!("everything passes again; {dropped} packets were dropped"))?;
        if dropped == 0 {
            self.find("nothing was dropped, so that nothing was tested".to_owned())?;
        }
        Ok(healed)
    }

    /// From now on, these may take those for dead.
    pub(super) fn excuse(&mut self, observers: &[&str], subjects: &[&str]) {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let (observers, subjects) = (names(observers), names(subjects));
        self.excuses.push(Excuse { observers, subjects, from: SystemTime::now(), until: None });
    }

    /// From now on, everybody may take these for dead.
    pub(super) fn excuse_all(&mut self, subjects: &[&str]) {
        let names = self.cluster.names();
        self.excuse(&names.iter().map(String::as_str).collect::<Vec<_>>(), subjects);
    }

    /// In a moment, nobody may be taken for dead any more: a suspicion that runs out at once cannot have been contradicted.
    pub(super) fn end_excuses(&mut self) {
        self.excuse_until(SystemTime::now() + GRACE);
    }

    /// From now on, nobody may be taken for dead any more.
    pub(super) fn end_excuses_at_once(&mut self) {
        self.excuse_until(SystemTime::now());
    }

    fn excuse_until(&mut self, until: SystemTime) {
        for excuse in self.excuses.iter_mut().filter(|excuse| excuse.until.is_none()) {
            excuse.until = Some(until);
        }
    }

    /// Whose story is told in the end.
    pub(super) fn suffer(&mut self, names: &[&str]) {
        self.subjects.extend(names.iter().map(|&name| name.to_owned()));
    }

    /// Waits.
    pub(super) fn pass(&self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            interrupt::ensure_not_asked()?;
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Watches all views for some time: everybody must be seen as up by everybody, though perhaps accused.
    pub(super) fn hold(&mut self, what: &str, time: Duration) -> Result<()> {
        let names = self.cluster.names();
        let expected = Expectation::up(names.iter().map(String::as_str));
        let end = Instant::now() + time;
        let mut complained = BTreeSet::new();
        while Instant::now() < end {
            self.pass(HOLD_INTERVAL)?;
            let views = self.cluster.views();
            let complaints: Vec<_> =
                views.into_iter().filter_map(|view| complaint(view, &expected)).collect();
            for complaint in complaints {
                if complained.insert(complaint.clone()) {
                    self.find(format!("{what}: {complaint}"))?;
                }
            }
        }
        Ok(())
    }

    /// Everybody must see everybody as alive where they are, and nobody else.
    pub(super) fn one_view(&mut self, what: &str, since: Instant, limit: Duration) -> Result<()> {
        self.within(what, since, limit, |cluster| discord(cluster, &cluster.views()))
    }

    /// All mingle agents but one must see this member as alive where it is. That one may be missed by gossip, and hears of it in a
    /// push/pull.
    pub(super) fn seen_by_mingle(
        &mut self,
        what: &str,
        name: &str,
        since: Instant,
        limit: Duration,
    ) -> Result<()> {
        self.within(what, since, limit, |cluster| {
            let wanted = cluster.addresses().remove(name).context("there is no such node")?;
            let mut complaints = Vec::new();
            for view in cluster.mingle_views() {
                let seen = view.view()?.remove(name).map(|seen| (seen.state, seen.addr));
                if seen != Some((MemberState::Alive, wanted)) {
                    complaints.push(format!("{} sees {name} as {seen:?}", view.name()));
                }
            }
            Ok((complaints.len() > 1).then(|| complaints.join("; ")))
        })
    }

    /// `look` must find nothing to complain of before `limit` has passed since then; an error is a complaint too. Waits for longer, so
    /// that it is known by how much a limit is missed.
    pub(super) fn within(
        &mut self,
        what: &str,
        since: Instant,
        limit: Duration,
        look: impl Fn(&Cluster) -> Result<Option<String>>,
    ) -> Result<()> {
        let patience = (limit + limit.max(LEAST_PATIENCE)).saturating_sub(since.elapsed());
        let found = wait_until(what, patience, || {
            let complaint = look(&self.cluster).unwrap_or_else(|error| Some(format!("{error:#}")));
            Ok(complaint.map_or(Attempt::Done(since.elapsed()), Attempt::NotYet))
        });
        interrupt::ensure_not_asked()?;
        let (took, seen) = match found {
            Ok(took) => (Some(took.as_secs_f64()), None),
            Err(error) => (None, Some(format!("{error:#}"))),
        };
        let bound = Bound {
            what: what.to_owned(),
            limit_seconds: limit.as_secs_f64(),
            took_seconds: took,
            seen,
        };
        let end = took.map_or("did not come".to_owned(), |took| format!("after {took:.1} s"));
        self.note(&format!("{what}: {end}, of {:.0} s", limit.as_secs_f64()))?;
        self.bounds.push(bound);
        Ok(())
    }

    /// Nobody may be seen as down any more, and nothing of ours may have ended. If views never came together, that is said already.
    pub(super) fn settle(&mut self) -> Result<()> {
        if self.bounds.iter().all(|bound| bound.took_seconds.is_some()) {
            self.hold("afterwards", SETTLING)?;
        }
        for name in self.cluster.names() {
            if let Err(error) = self.cluster.process(&name)?.ensure_running() {
                self.find(format!("{error:#}"))?;
            }
        }
        Ok(())
    }

    /// Whose story is told.
    pub(super) fn subjects(&self) -> impl Iterator<Item = &str> {
        self.subjects.iter().map(String::as_str)
    }

    /// What is known by now.
    pub(super) fn findings(&self) -> Result<Findings> {
        let record = self.record()?;
        let excuses = &self.excuses;
        let mut findings = self.findings.clone();
        findings.extend(record.false_deaths(excuses));
        let counts = Counts {
            deaths: record.share(excuses, |belief| belief.change == Change::Failed),
            declared: record.share(excuses, |belief| {
                belief.change == Change::Failed && belief.origin == Origin::Here
            }),
            suspicions: record.share(excuses, |belief| {
                belief.change == Change::Suspected && belief.origin == Origin::Here
            }),
            refutations: record.refutations,
            deaths_at_go: self.cluster.deaths_at_go()?,
            lag_millis: self.lag_millis(),
        };
        Ok(Findings { bounds: self.bounds.clone(), findings, counts })
    }

    fn record(&self) -> Result<Record> {
        let mut record = Record::default();
        for agent in &self.cluster.agents {
            for log in agent.logs() {
                let text =
                    std::fs::read(&log).with_context(|| format!("reading {}", log.display()))?;
                record.add(agent.name(), &String::from_utf8_lossy(&text))?;
            }
        }
        Ok(record)
    }

    /// Of those that answer.
    fn lag_millis(&self) -> f64 {
        let metrics =
            self.cluster.agents.iter().filter_map(|agent| agent.ask(MingleAgent::metrics).ok());
        let lags =
            metrics.filter_map(|metrics| metrics.sum("mingle_loop_lag_max_microseconds").ok());
        lags.fold(0.0, f64::max) / 1000.0
    }
}

/// Where the story of a case is written down, with times.
pub(super) fn timeline(context: &Context) -> PathBuf {
    context.log_dir().join("timeline.txt")
}

/// Longer than joining and the first push/pulls take with the timing of LANs.
const FORMING: Duration = Duration::from_secs(90);
/// Two probes: the accused hears of it from whoever pings it, and contradicts.
const GRACE: Duration = Duration::from_secs(2);
const HOLD_INTERVAL: Duration = Duration::from_millis(500);
const SETTLING: Duration = Duration::from_secs(5);
const LEAST_PATIENCE: Duration = Duration::from_secs(30);

/// Who of these does not see everybody as alive where they are, in words.
fn discord(cluster: &Cluster, views: &[&dyn View]) -> Result<Option<String>> {
    let addresses = cluster.addresses();
    let everybody = Expectation::alive(addresses.keys().map(String::as_str));
    let mut complaints = Vec::new();
    for view in views {
        if let Some(complaint) = complaint(*view, &everybody) {
            complaints.push(complaint);
            continue;
        }
        let elsewhere =
            view.view()?.into_iter().find(|(name, seen)| addresses.get(name) != Some(&seen.addr));
        complaints.extend(
            elsewhere.map(|(name, seen)| format!("{} sees {name} at {}", view.name(), seen.addr)),
        );
    }
    Ok((!complaints.is_empty()).then(|| complaints.join("; ")))
}
