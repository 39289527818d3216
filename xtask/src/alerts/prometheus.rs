//! A Prometheus that scrapes the agents of a trial, and hurries.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::RULES;
use super::agents::{Place, get};
use crate::shell::root;

/// How many seconds stand for each minute of the rules. An agent with the profile `local` is as fast as others, so that less than two
/// scrapes a minute would be too few.
pub(super) const SECONDS_PER_MINUTE: u32 = 2;

/// An alert as Prometheus tells of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Alert {
    pub(super) name: String,
    pub(super) cluster: String,
}

/// A Prometheus that runs. Killed when dropped.
#[derive(Debug)]
pub(super) struct Prometheus {
    child: Child,
    address: SocketAddr,
}

impl Prometheus {
    /// Starts one that scrapes these places, by cluster, and evaluates the rules with minutes made short.
    pub(super) fn start(folder: &Path, clusters: &[(&str, Vec<Place>)]) -> Result<Self> {
        let rules = fs::read_to_string(root().join(RULES))?;
        fs::write(folder.join("rules.yml"), hurried(&rules)?)?;
        let config = folder.join("prometheus.yml");
        fs::write(&config, configuration(clusters))?;
        let address = SocketAddr::from(([127, 0, 0, 1], 9090));
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .args(["--log.level=warn"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.join("prometheus.log"))?);
        let child = command.spawn().context("can't start prometheus")?;
        let prometheus = Self { child, address };
        let began = Instant::now();
        while let Err(error) = get(address, "/-/ready") {
            ensure!(
                began.elapsed() < STARTS_WITHIN,
                "prometheus is not ready: {error:#}; see its log"
            );
            thread::sleep(Duration::from_millis(200));
        }
        Ok(prometheus)
    }

    /// The alerts that fire, and their annotations.
    pub(super) fn firing(&self) -> Result<Vec<(Alert, Value)>> {
        let answer = self.ask("/api/v1/alerts")?;
        let alerts = answer["alerts"].as_array().context("no alerts")?;
        let firing = alerts.iter().filter(|alert| alert["state"] == "firing");
        firing.map(|alert| Ok((named(&alert["labels"])?, alert["annotations"].clone()))).collect()
    }

    /// Every alert that has fired since it was started.
    pub(super) fn fired(&self) -> Result<Vec<Alert>> {
        let expression =
            "count by (alertname, cluster) (count_over_time(ALERTS{alertstate=\"firing\"}[1h]))";
        let answer = self.query(expression)?;
        let found = answer["result"].as_array().context("no result")?;
        found.iter().map(|sample| named(&sample["metric"])).collect()
    }

    /// Every rule that is an alert.
    pub(super) fn alerts(&self) -> Result<Vec<Value>> {
        let answer = self.ask("/api/v1/rules?type=alert")?;
        let groups = answer["groups"].as_array().context("no groups")?;
        Ok(groups.iter().filter_map(|group| group["rules"].as_array()).flatten().cloned().collect())
    }

    fn query(&self, expression: &str) -> Result<Value> {
        self.ask(&format!("/api/v1/query?query={}", escaped(expression)))
    }

    fn ask(&self, path: &str) -> Result<Value> {
        let answer: Value = serde_json::from_str(&get(self.address, path)?)?;
        ensure!(answer["status"] == "success", "{path}: {answer}");
        Ok(answer["data"].clone())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const STARTS_WITHIN: Duration = Duration::from_secs(30);

fn named(labels: &Value) -> Result<Alert> {
    let of = |label: &str| labels[label].as_str().map(str::to_owned);
    let name = of("alertname").context("an alert without a name")?;
    let cluster = of("cluster").with_context(|| format!("{name} does not say of which cluster"))?;
    Ok(Alert { name, cluster })
}

fn configuration(clusters: &[(&str, Vec<Place>)]) -> String {
    let mut text = "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\n  evaluation_interval: 1s\n\
                    rule_files: [rules.yml]\nscrape_configs:\n  - job_name: mingle\n    static_configs:\n"
        .to_owned();
    for (cluster, places) in clusters {
        let targets: Vec<_> = places.iter().map(|place| format!("\"{}\"", place.http())).collect();
        let targets = targets.join(", ");
        let _ =
            writeln!(text, "      - targets: [{targets}]\n        labels: {{cluster: {cluster}}}");
    }
    text
}

/// The rules with seconds in place of minutes. Hours and days stay: those rules have made-up numbers for a test.
fn hurried(rules: &str) -> Result<String> {
    let mut text = String::new();
    let mut rest = rules;
    let mut changed = 0;
    while let Some((at, opening)) =
        ["for: ", "["].into_iter().filter_map(|opening| Some((rest.find(opening)?, opening))).min()
    {
        let (before, after) = rest.split_at(at + opening.len());
        text += before;
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = after.split_at(digits);
        rest = match (number.parse::<u32>(), unit.strip_prefix('m')) {
            (Ok(minutes), Some(unit)) if unit.starts_with([']', '\n']) => {
                changed += 1;
                let _ = write!(text, "{}s", minutes * SECONDS_PER_MINUTE);
                unit
            }
            _ => after,
        };
    }
    ensure!(changed > 0, "{RULES} has no minutes to shorten");
    Ok(text + rest)
}

/// For the query of an address.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        let _ = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => write!(escaped, "{}", char::from(byte)),
            _ => write!(escaped, "%{byte:02X}"),
        };
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_of_rules_become_seconds_and_nothing_else_does() {
        let rules = "# [5 m] for: a while\nexpr: max(x[15m]) > y[1h] + z[90d]\nfor: 5m\nfor: 1h\n\
                     description: for 5m, [5months]\n";
        let wanted = "# [5 m] for: a while\nexpr: max(x[30s]) > y[1h] + z[90d]\nfor: 10s\nfor: 1h\n\
                      description: for 5m, [5months]\n";
        assert_eq!(hurried(rules).unwrap(), wanted);
        assert!(hurried("for: 1h\n").is_err());
    }

    #[test]
    fn queries_are_escaped() {
        assert_eq!(escaped("a{b=\"c\"}[1h]"), "a%7Bb%3D%22c%22%7D%5B1h%5D");
    }

    #[test]
    fn targets_have_the_label_of_their_cluster() {
        let place = Place { cluster: 3, agent: 1 };
        let text = configuration(&[("split", vec![place, Place { agent: 2, ..place }])]);
        let wanted = "      - targets: [\"127.7.3.1:7374\", \"127.7.3.2:7374\"]\n        labels: {cluster: split}\n";
        assert!(text.ends_with(wanted), "{text}");
    }
}
