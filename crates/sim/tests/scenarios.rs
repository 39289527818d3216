//! The regression scenarios at the size that every check of the sources can afford, and what the
//! binary says of input that is wrong.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mingle_sim::{Progress, Scenario, ScenarioError, Verdict, cores, repeat, summary};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

fn all() -> Vec<(String, Scenario)> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let scenario = Scenario::from_toml(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, scenario)
    };
    paths.into_iter().map(read).collect()
}

/// The first seed runs twice, and must give the same both times.
#[test]
fn every_regression_scenario_comes_out_as_it_must_and_repeats() {
    let mut wrong = Vec::new();
    for (name, scenario) in all() {
        let first = scenario.seed;
        let others = (1..u64::from(scenario.repetitions)).map(|n| first + n);
        let seeds: Vec<u64> = [first, first].into_iter().chain(others).collect();
        let outcomes = repeat(&scenario, &seeds, cores(), &Progress::default()).unwrap();
        assert_eq!(outcomes[0].transcript, outcomes[1].transcript, "{name}");
        assert_eq!(outcomes[0].measured, outcomes[1].measured, "{name}");
        assert_ne!(outcomes[0].transcript.0, 0, "{name}");
        if !Verdict::of(&scenario, &outcomes[1..]).is_good() {
            let again = format!("mingle-sim run crates/sim/scenarios/{name} --repetitions 1");
            wrong.push(summary(&scenario, &outcomes[1..], &again));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_regression_scenario_has_a_full_size_that_can_be_run() {
    for (name, scenario) in all() {
        assert!(!scenario.name.is_empty() && !scenario.about.is_empty(), "{name}");
        assert!(scenario.full.is_some(), "{name}");
        scenario.at_full_size().check().unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn the_page_on_simulation_has_every_key_and_every_scenario() {
    let page = include_str!("../../../docs/simulation.md");
    let every_key = include_str!("../src/scenario/every-key.toml");
    let keys = every_key.lines().filter_map(|line| line.split_once(" = "));
    for (key, value) in keys.filter(|(key, _)| !key.starts_with('#')) {
        let spelled = page.contains(&format!("`{key}`")) || page.contains(&format!("{key} = "));
        assert!(spelled, "docs/simulation.md does not say what {key} is");
        if matches!(key, "do" | "effect") {
            assert!(page.contains(&format!("`{value}`")), "nor what {key} = {value} does");
        }
    }
    for (name, _) in all() {
        assert!(page.contains(&format!("`{name}`")), "docs/simulation.md does not have {name}");
    }
    let smallest = Scenario::from_toml("nodes = 2\nduration = \"1s\"").unwrap();
    for tally in smallest.run(1).unwrap().checks {
        let row = format!("| {} |", tally.checker);
        assert!(page.contains(&row), "docs/simulation.md does not say what {row} checks");
    }
}

fn mingle_sim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mingle-sim")).args(arguments).output().unwrap()
}

/// Runs a scenario of this text; gives the exit code, what was said on stderr, and on stdout.
fn run_text(name: &str, text: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    let output = mingle_sim(&[&["run", path.to_str().unwrap()], more].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stderr), text(&output.stdout))
}

const GOOD: &str = "nodes = 3\nduration = \"1s\"\n";

/// A scenario of this text is refused in one sentence with the file, the line and the remedy.
fn refused(name: &str, text: &str, line: usize, remedy: &str) {
    let (code, said, _) = run_text(name, text, &[]);
    assert_eq!(code, Some(2), "{text}\n{said}");
    assert!(said.contains(&format!("{name}: line {line}: ")), "{text}\n{said}");
    assert!(said.contains(remedy), "{text}\n{said}");
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
}

#[test]
fn what_contradicts_itself_is_refused() {
    for (i, (text, line, remedy)) in [
        (
            format!("{GOOD}[[fault]]\ndo = \"slow\"\nat = \"1s\"\nnodes = \"1\""),
            3,
            "set timers",
        ),
        (
            format!("{GOOD}[[fault]]\ndo = \"pause\"\nat = \"0s\"\nfor = \"2s\"\nagain = \"1s\"\nnodes = \"1\""),
            7,
            "longer than the fault lasts",
        ),
        (
            format!("{GOOD}[[fault]]\ndo = \"partition\"\nat = \"1s\"\nsides = [\"0-1\", \"1-2\"]"),
            6,
            "one side at most",
        ),
        (
            format!("{GOOD}[network]\nregions = [\"us-east\"]\n[network.latency]\nshape = \"fixed\"\ntime = \"1s\""),
            4,
            "regions have their own",
        ),
        (
            format!("{GOOD}[network]\nlatency = {{ shape = \"uniform\", low = \"2s\", high = \"1s\" }}"),
            4,
            "set it to high at most",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        refused(&format!("contradiction-{i}.toml"), &text, line, remedy);
    }
}

#[test]
fn wrong_input_is_one_sentence_with_file_line_and_remedy() {
    for (i, (text, line, remedy)) in [
        ("nodes = 3\nduratoin = \"1s\"".to_owned(), 2, "duration is, write that"),
        ("nodes = 0\nduration = \"1s\"".to_owned(), 1, "set it from 1 to"),
        ("nodes = 3\nduration = \"-1s\"".to_owned(), 2, "write it as"),
        (format!("{GOOD}[[fault]]\ndo = \"crash\"\nat = \"-1s\"\nnodes = \"1\""), 5, "write it as"),
        (
            format!("{GOOD}[[fault]]\ndo = \"crash\"\nat = \"1s\"\nnodes = \"3\""),
            6,
            "the last one is 2",
        ),
        (
            format!("{GOOD}[[fault]]\ndo = \"crash\"\nat = \"5s\"\nnodes = \"1\""),
            5,
            "within the duration",
        ),
        (
            format!("{GOOD}[[fault]]\ndo = \"crash\"\nat = \"1s\"\nnode = \"1\""),
            6,
            "nodes is, write that",
        ),
        (format!("{GOOD}[[fault]]\nat = \"1s\"\nnodes = \"1\""), 3, "do is missing"),
        (
            format!("{GOOD}[[fault]]\ndo = \"crsh\"\nat = \"1s\"\nnodes = \"1\""),
            4,
            "\"crash\" is, write that",
        ),
        ("nodes = 3\nduration = \"0s\"".to_owned(), 2, "set it to the time"),
        (format!("{GOOD}[config]\nprobe_interval = \"0s\""), 4, "set it between"),
        (format!("{GOOD}[config]\nprobe_intervall = \"1s\""), 4, "probe_interval is"),
        (
            format!("{GOOD}[network]\ndisturbance = [{{ effect = \"loss\", share = 1.5 }}]"),
            4,
            "from 0 to 1",
        ),
        (
            format!("{GOOD}[crowd]\npeers = 10\npercent_per_minute = 1\ndown = \"1s\""),
            1,
            "set it to 1",
        ),
        ("nodes = 3\nduration = \"1s\"\nx = [".to_owned(), 3, ""),
    ]
    .into_iter()
    .enumerate()
    {
        refused(&format!("wrong-{i}.toml"), &text, line, remedy);
    }
    let output = mingle_sim(&["run", "no-such-file.toml"]);
    assert_eq!(output.status.code(), Some(2));
    let (code, said, _) = run_text("small.toml", GOOD, &["--full"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("has no [full]"), "{said}");
}

#[test]
fn a_world_that_would_not_fit_into_memory_is_not_begun() {
    let text = "nodes = 100000\nduration = \"1s\"";
    let (code, said, _) = run_text("huge.toml", text, &[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("GiB are free") && said.contains("--force"), "{said}");
}

#[test]
fn expectations_that_are_not_met_are_told_and_a_known_shortfall_is_good() {
    let cut = "nodes = 4\nduration = \"1s\"\ncalm = \"1s\"\n[[fault]]\ndo = \"crash\"\nat = \"1s\"\nnodes = \"1\"\n";
    let (code, _, said) = run_text("unmet.toml", cut, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("n0 sees n1 alive") && said.contains("--seed 1"), "{said}");
    assert!(said.trim_end().ends_with("failed in 1 of 1 world"), "{said}");
    assert!(said.contains("checkers, had nothing to check: "), "{said}");
    let agreed = said.lines().find(|line| line.starts_with("agreed")).unwrap();
    assert_eq!(agreed.split_whitespace().skip(4).collect::<Vec<_>>(), ["never", "never"]);

    let (_, _, said) = run_text("told.toml", cut, &["--events"]);
    for line in ["do = \"crash\", nodes = \"1\"", "n1 *      crashes", "all faults end"] {
        assert!(said.contains(line), "{said}");
    }
    assert!(!said.contains("ping"), "only what nodes tell: {said}");

    let known = format!("{cut}[expect]\nshortfall = \"deaths take time\"\n");
    let (code, _, said) = run_text("known.toml", &known, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("known shortfall: deaths take time"), "{said}");

    let only_full = format!("{cut}[full]\nnodes = 5\nshortfall = \"only at full size\"\n");
    let (code, _, said) = run_text("only-full.toml", &only_full, &["--full"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("known shortfall: only at full size"), "{said}");
    let (code, _, said) = run_text("only-full.toml", &only_full, &[]);
    assert_eq!(code, Some(1), "{said}");

    let none = "nodes = 4\nduration = \"1s\"\n[expect]\nshortfall = \"none at all\"\n";
    let (code, said, _) = run_text("none.toml", none, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("take expect.shortfall out"), "{said}");

    let (code, _, said) = run_text("lines.toml", cut, &["--json", "--repetitions", "3"]);
    assert_eq!(code, Some(1), "{said}");
    let worlds: Vec<serde_json::Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seeds: Vec<u64> = worlds.iter().map(|world| world["seed"].as_u64().unwrap()).collect();
    assert_eq!(seeds, [1, 2, 3]);
    assert_eq!(worlds[0]["transcript"].as_str().map(str::len), Some(16), "{said}");
}

#[test]
fn a_swarm_that_can_not_be_run_or_written_down_does_not_begin() {
    for arguments in [["--seeds", "0"], ["--write", "no-such-folder/worse.toml"]] {
        let output = mingle_sim(&[&["swarm"][..], &arguments[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(arguments[0]), "{said}");
    }
}

#[test]
fn a_comparison_tells_what_is_more_than_noise() {
    let write = |name: &str, interval: &str| {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let crash = "[[fault]]\ndo = \"crash\"\nat = \"5s\"\nnodes = \"3\"";
        let text = format!(
            "nodes = 12\nduration = \"40s\"\n[config]\nprobe_interval = \"{interval}\"\n{crash}\n"
        );
        std::fs::write(&path, text).unwrap();
        path
    };
    let (slow, fast) = (write("slow.toml", "2s"), write("fast.toml", "1s"));
    let output = mingle_sim(&["compare", slow.to_str().unwrap(), fast.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let row = |name: &str| {
        let row = said.lines().find(|line| line.trim_start().starts_with(name));
        row.unwrap_or_else(|| panic!("no {name} in {said}")).to_owned()
    };
    assert!(row("detected: median").contains("yes, lower"), "{said}");
    assert!(row("packets per node and second").contains("yes, higher"), "{said}");
    assert!(row("crashes").ends_with("no"), "{said}");
}

#[test]
fn what_happens_again_happens_until_the_faults_end() {
    let crashes = |again: &str| {
        let fault = "[[fault]]\ndo = \"crash\"\nat = \"5s\"\nfor = \"1s\"\nnodes = \"2\"\n";
        let text = format!("nodes = 3\nduration = \"34s\"\n{fault}{again}");
        Scenario::from_toml(&text).unwrap().run(1).unwrap().measured.crashes
    };
    assert_eq!(crashes(""), 1);
    assert_eq!(crashes("again = \"10s\""), 3);
}

#[test]
fn a_run_that_is_stopped_has_the_worlds_that_have_ended() {
    let scenario = Scenario::from_toml("nodes = 3\nduration = \"1s\"\n").unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let progress = Progress::until(Arc::clone(&stop));
    let seeds: Vec<u64> = (0..4_000_000).collect();
    let outcomes = std::thread::scope(|scope| {
        scope.spawn(|| {
            while progress.done() == 0 {
                std::thread::yield_now();
            }
            stop.store(true, Ordering::Relaxed);
        });
        repeat(&scenario, &seeds, 2, &progress).unwrap()
    });
    assert!((1..seeds.len()).contains(&outcomes.len()), "{}", outcomes.len());
    assert!(outcomes.iter().all(|outcome| outcome.simulated >= 1.0), "none is half of a world");
    assert!(matches!(scenario.run_told(1, &progress), Err(ScenarioError::Stopped)));
}
