//! `cargo xtask bench peers`: mingle and what else there is, on real sockets, in the same hour.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::crowd::Recipe;
use super::table;
use super::trial::{Part, Plan, carry_out};
use crate::interop::INTEROP;
use crate::shell::{cargo, output, root, run as shell, target_folder};

/// What to run.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask bench peers                                     # everything; some hours
  cargo xtask bench peers --nodes 16,128 --runs 1 --parts rest
  cargo xtask bench peers --parts pour --systems mingle,memberlist
  cargo xtask bench peers --from docs/benchmarks/peers.jsonl  # the tables of runs of before")]
pub(super) struct Options {
    /// Sizes, one experiment each.
    #[arg(long, value_delimiter = ',', default_value = "16,64,128,256,1000", value_parser = clap::value_parser!(u32).range(8..=2000))]
    nodes: Vec<u32>,
    /// Who takes part [default: all].
    #[arg(long, value_delimiter = ',', value_name = "SYSTEM")]
    systems: Vec<System>,
    /// How often everything is run, one system after another.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// What is done beside the join [default: all].
    #[arg(long, value_delimiter = ',', value_name = "PART")]
    parts: Vec<Part>,
    /// Milliseconds between two joins [default: 1 up to 128 nodes, 20 up to 256, 50 above].
    #[arg(long, value_name = "MS")]
    pace: Option<f64>,
    /// Equal constants in place of each system's defaults for a data centre.
    #[arg(long)]
    equal: bool,
    /// Seconds that a rest is measured, once it has settled for ten.
    #[arg(long, default_value_t = 20, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=600))]
    rest: u64,
    /// Where records go, a line of JSON for each run; more are added to those that are there.
    #[arg(long, value_name = "FILE")]
    raw: Option<PathBuf>,
    /// Run nothing, and take the records from a file.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["raw", "systems", "parts"])]
    from: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum System {
    /// Ours
    Mingle,
    /// foca, in Rust
    Foca,
    /// memberlist, in Rust
    Memberlist,
    /// chitchat, in Rust
    Chitchat,
    /// hashicorp/memberlist, in Go, each version that is at hand
    MemberlistGo,
    /// Two UDP sockets, for what the machine can
    Raw,
}

impl System {
    fn name(self) -> String {
        let value = self.to_possible_value().expect("no system is hidden");
        value.get_name().to_owned()
    }
}

/// More than this share of the machine spent by others is said beside the figures.
const NOISY: f64 = 0.1;

/// # Errors
///
/// When there is nobody to measure, or records can't be kept.
pub(super) fn run(options: &Options) -> Result<()> {
    if let Some(path) = &options.from {
        print!("{}", table::all(&read(path)?));
        return Ok(());
    }
    let recipes = recipes(options);
    ensure!(!recipes.is_empty(), "nobody is left to measure: see what was said above");
    let path = options.raw.clone().unwrap_or_else(|| target_folder().join("bench/peers.jsonl"));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    }
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("writing {}", path.display()))?;
    let machine = machine();
    let mut records = Vec::new();
    for number in 1..=options.runs {
        for plan in plans(options) {
            for recipe in turned(&recipes, number) {
                if !concerns(&recipe.system, &plan) {
                    continue;
                }
                let record = told(&recipe, &plan, number, &machine);
                writeln!(file, "{record}")
                    .with_context(|| format!("writing {}", path.display()))?;
                records.push(record);
            }
        }
    }
    print!("{}", table::all(&records));
    println!("records: {}", path.display());
    Ok(())
}

/// Two sockets have nobody to join.
fn concerns(system: &str, plan: &Plan) -> bool {
    system != System::Raw.name() || plan.parts == [Part::Pour]
}

fn told(recipe: &Recipe, plan: &Plan, number: u32, machine: &Value) -> Value {
    eprintln!("run {number}: {}, {} nodes", recipe.system, plan.nodes);
    let mut record = carry_out(recipe, plan);
    record.insert("run".to_owned(), json!(number));
    record.insert("machine".to_owned(), machine.clone());
    let record = rates(Value::Object(record));
    if let Some(error) = record["error"].as_str() {
        eprintln!("  {error}");
    }
    let foreign = record.pointer("/rest/cost/foreign_cpu").and_then(Value::as_f64);
    if let Some(share) = foreign.filter(|share| *share > NOISY) {
        eprintln!("  the machine was busy with something else: {:.0} % of it", 100.0 * share);
    }
    record
}

/// What was poured, in a second, and the share of it that was lost.
fn rates(mut record: Value) -> Value {
    let Some(pours) = record.get_mut("pour").and_then(Value::as_object_mut) else { return record };
    for pour in pours.values_mut() {
        let figure = |what: &str| pour[what].as_f64();
        if let (Some(sent), Some(delivered), Some(seconds)) =
            (figure("sent"), figure("delivered"), figure("seconds"))
        {
            pour["delivered_per_s"] = json!(delivered / seconds.max(1e-9));
            pour["lost"] = json!(1.0 - delivered / sent.max(1.0));
        }
    }
    record
}

/// By size; messages between two nodes are a run of their own.
fn plans(options: &Options) -> Vec<Plan> {
    let all = [Part::Rest, Part::Broadcast, Part::Kill, Part::Pour];
    let parts = if options.parts.is_empty() { all.to_vec() } else { options.parts.clone() };
    let plan = |nodes, pace_ms, parts: Vec<Part>| Plan {
        nodes,
        pace_ms,
        equal: options.equal,
        settle: Duration::from_secs(10),
        rest: Duration::from_secs(options.rest),
        parts,
    };
    let mut plans = Vec::new();
    let beside: Vec<Part> = parts.iter().copied().filter(|&part| part != Part::Pour).collect();
    if !beside.is_empty() {
        let sizes = options.nodes.iter();
        plans.extend(sizes.map(|&nodes| {
            plan(nodes, options.pace.unwrap_or_else(|| usual_pace(nodes)), beside.clone())
        }));
    }
    if parts.contains(&Part::Pour) {
        plans.push(plan(2, 1.0, vec![Part::Pour]));
    }
    plans
}

/// At which most systems get through a join in one process.
fn usual_pace(nodes: u32) -> f64 {
    match nodes {
        0..=128 => 1.0,
        129..=256 => 20.0,
        _ => 50.0,
    }
}

/// Each run begins with another one.
fn turned(recipes: &[Recipe], number: u32) -> Vec<Recipe> {
    let mut turned = recipes.to_vec();
    turned.rotate_left(number as usize % recipes.len());
    turned
}

/// Who can be measured; who cannot is told, and left out.
fn recipes(options: &Options) -> Vec<Recipe> {
    let is_wanted =
        |system: System| options.systems.is_empty() || options.systems.contains(&system);
    let mut recipes = Vec::new();
    let ours = [System::Mingle, System::Foca, System::Memberlist, System::Chitchat, System::Raw];
    let wanted: Vec<_> = ours.into_iter().filter(|&system| is_wanted(system)).collect();
    if !wanted.is_empty() {
        match build_rust() {
            Ok(program) => recipes.extend(wanted.into_iter().map(|system| Recipe {
                system: system.name(),
                program: program.clone(),
                arguments: vec!["--system".to_owned(), system.name()],
            })),
            Err(error) => eprintln!("the crowds in Rust are left out: {error:#}"),
        }
    }
    if is_wanted(System::MemberlistGo) {
        match build_go() {
            Ok(found) => recipes.extend(found),
            Err(error) => eprintln!("the crowds in Go are left out: {error:#}"),
        }
    }
    recipes
}

/// Compiles the crowds of `bench/peers/rust`, and tells where they are.
fn build_rust() -> Result<PathBuf> {
    let manifest = root().join("bench/peers/rust/Cargo.toml");
    let target = target_folder().join("crowds");
    let mut command = cargo(["build", "--release", "--locked", "--manifest-path"]);
    shell(command.arg(&manifest).arg("--target-dir").arg(&target))?;
    Ok(target.join("release/crowd"))
}

/// Compiles those of `bench/peers/go`; each that does not compile is told.
fn build_go() -> Result<Vec<Recipe>> {
    let said = output(cargo(INTEROP).arg("crowds"))?;
    let mut recipes = Vec::new();
    for line in said.lines() {
        let crowd: Value =
            serde_json::from_str(line).with_context(|| format!("it said {line:?}"))?;
        let (system, version) = (crowd["system"].as_str(), crowd["version"].as_str());
        let (Some(system), Some(version)) = (system, version) else { bail!("it said {line:?}") };
        let version = version.split('-').next().unwrap_or(version);
        match crowd["path"].as_str() {
            Some(path) => recipes.push(Recipe {
                system: format!("{system} {version}"),
                program: path.into(),
                arguments: Vec::new(),
            }),
            None => eprintln!("{system} {version} is left out: {}", crowd["error"]),
        }
    }
    Ok(recipes)
}

/// What it was measured on, and which commit.
fn machine() -> Value {
    let first = |command: &mut Command| {
        let said = output(command).unwrap_or_default();
        said.lines().next().unwrap_or_default().to_owned()
    };
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor.lines().find_map(|line| line.strip_prefix("model name"));
    json!({
        "processor": processor.unwrap_or_default().trim_start_matches([' ', '\t', ':']),
        "processors": std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        "kernel": first(Command::new("uname").arg("-r")),
        "rustc": first(Command::new("rustc").arg("--version")),
        "commit": first(Command::new("git").args(["rev-parse", "HEAD"]).current_dir(root())),
    })
}

fn read(path: &Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty()).enumerate();
    lines
        .map(|(number, line)| {
            serde_json::from_str(line)
                .with_context(|| format!("{}:{}: it is no record", path.display(), number + 1))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_begins_with_another_system() {
        let recipe = |name: &str| Recipe {
            system: name.to_owned(),
            program: PathBuf::new(),
            arguments: Vec::new(),
        };
        let all = [recipe("a"), recipe("b"), recipe("c")];
        let firsts: Vec<_> = (1..=3).map(|number| turned(&all, number)[0].system.clone()).collect();
        assert_eq!(firsts, ["b", "c", "a"]);
    }

    #[test]
    fn what_was_poured_is_told_in_a_second() {
        let record =
            json!({"pour": {"reliable_1": {"sent": 100, "delivered": 90, "seconds": 5.0}}});
        let record = rates(record);
        assert_eq!(record.pointer("/pour/reliable_1/delivered_per_s"), Some(&json!(18.0)));
        let lost = record.pointer("/pour/reliable_1/lost").and_then(Value::as_f64).unwrap();
        assert!((lost - 0.1).abs() < 1e-12, "{lost}");
    }
}
