//! `cargo xtask ci`: all checks in order, up to the first that fails.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use clap::Args;

use crate::shell::{cargo, run as shell};
use crate::{bench, chaos, deny, e2e, interop, mutate, tidy, tools};

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Leave out these steps.
    #[arg(long, value_name = "STEPS", value_delimiter = ',')]
    skip: Vec<String>,
    /// Show the steps and run nothing.
    #[arg(long)]
    list: bool,
}

struct Step {
    name: &'static str,
    /// What runs it alone.
    command: &'static str,
    work: fn() -> Result<()>,
}

const STEPS: [Step; 12] = [
    Step {
        name: "fmt",
        command: "cargo fmt --all --check",
        work: || shell(&mut cargo(["fmt", "--all", "--check"])),
    },
    Step {
        name: "clippy",
        command: "cargo clippy --workspace --all-targets -- -D warnings",
        work: || {
            shell(&mut cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
            let otel = ["clippy", "-p", "mingle-agent", "--all-targets", "--features", "otel"];
            shell(cargo(otel).args(["--", "-D", "warnings"]))
        },
    },
    Step {
        name: "build",
        command: "cargo build --release -p mingle-agent",
        work: || shell(&mut cargo(["build", "--release", "-p", "mingle-agent"])),
    },
    Step {
        name: "test",
        command: "cargo test --workspace",
        work: || {
            tools::install(&FOR_TESTS);
            shell(&mut cargo(["test", "--workspace"]))
        },
    },
    Step {
        name: "doc",
        command: "RUSTDOCFLAGS=\"-D warnings\" cargo doc --workspace --no-deps",
        work: || {
            let mut doc = cargo(["doc", "--workspace", "--no-deps"]);
            shell(doc.env("RUSTDOCFLAGS", "-D warnings"))
        },
    },
    Step { name: "tidy", command: "cargo xtask tidy", work: tidy::check },
    Step { name: "guard", command: "cargo xtask bench guard", work: bench::guard::check },
    Step { name: "mutate", command: "cargo xtask mutate --some 2", work: mutate::run_some },
    Step {
        name: "interop",
        command: "cargo xtask interop",
        work: || interop::run(&interop::Options::default()),
    },
    Step { name: "chaos", command: "cargo xtask chaos", work: chaos::run_short },
    Step { name: "e2e", command: "cargo xtask e2e", work: e2e::run_where_possible },
    Step { name: "deny", command: "cargo xtask deny", work: deny::run },
];

/// What the test of the pages types, and what it makes their network with.
const FOR_TESTS: [(&str, &str); 5] = [
    ("ip", "iproute2"),
    ("unshare", "util-linux"),
    ("curl", "curl"),
    ("openssl", "openssl"),
    ("pkill", "procps"),
];

/// Runs the steps that are wanted.
///
/// # Errors
///
/// The first step that fails, with the command that runs it alone.
pub(crate) fn run(options: &Options) -> Result<()> {
    let steps = wanted(&STEPS, &options.skip)?;
    if options.list {
        for step in steps {
            println!("{:8} {}", step.name, step.command);
        }
        return Ok(());
    }
    perform(&steps)
}

fn wanted<'a>(steps: &'a [Step], skip: &[String]) -> Result<Vec<&'a Step>> {
    if let Some(unknown) = skip.iter().find(|name| steps.iter().all(|step| step.name != **name)) {
        bail!("there is no step {unknown:?}; `cargo xtask ci --list` shows them");
    }
    Ok(steps.iter().filter(|step| !skip.iter().any(|name| name == step.name)).collect())
}

fn perform(steps: &[&Step]) -> Result<()> {
    let mut report = Report::default();
    let mut failure = None;
    for step in steps {
        println!("== {}: {}", step.name, step.command);
        let began = Instant::now();
        let result = (step.work)();
        report.note(step.name, began.elapsed(), result.is_ok());
        if let Err(error) = result {
            failure =
                Some(anyhow!("{error:#}\n{} failed; run it alone: {}", step.name, step.command));
            break;
        }
    }
    println!("{}", report.text(steps.len()));
    failure.map_or(Ok(()), Err)
}

#[derive(Default)]
struct Report {
    lines: Vec<String>,
    passed: usize,
    failed: usize,
}

impl Report {
    fn note(&mut self, name: &str, took: Duration, passed: bool) {
        let verdict = if passed { "passed" } else { "FAILED" };
        let line = format!("{name:8} {verdict} after {:.1} s", took.as_secs_f64());
        println!("== {line}");
        self.lines.push(line);
        if passed { self.passed += 1 } else { self.failed += 1 }
    }

    /// All steps, and a last line for those who count.
    fn text(&self, wanted: usize) -> String {
        let mut text = format!("\n{}\n", self.lines.join("\n"));
        let left = wanted - self.passed - self.failed;
        if left > 0 {
            text += &format!("{left} not run\n");
        }
        text + &format!("{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(steps: &[&Step]) -> Vec<&'static str> {
        steps.iter().map(|step| step.name).collect()
    }

    #[test]
    fn skipped_steps_are_left_out() {
        let all = names(&wanted(&STEPS, &[]).unwrap());
        let left = names(&wanted(&STEPS, &["interop".to_owned(), "deny".to_owned()]).unwrap());
        assert_eq!(left.len(), all.len() - 2);
        assert!(left.iter().all(|name| all.contains(name) && !["interop", "deny"].contains(name)));
    }

    #[test]
    fn a_step_that_does_not_exist_cannot_be_skipped() {
        let error = wanted(&STEPS, &["tests".to_owned()]).err().unwrap().to_string();
        assert!(error.contains("\"tests\""), "{error}");
    }

    #[test]
    fn the_first_failure_ends_the_run_and_says_how_to_repeat_it() {
        let good = Step { name: "good", command: "true", work: || Ok(()) };
        let bad = Step { name: "bad", command: "false --again", work: || bail!("broken") };
        let unreached = Step { name: "late", command: "late", work: || panic!("must not run") };
        let error = perform(&[&good, &bad, &unreached]).unwrap_err().to_string();
        assert_eq!(error, "broken\nbad failed; run it alone: false --again");
    }

    #[test]
    fn the_report_ends_with_a_plain_count() {
        let mut report = Report::default();
        report.note("one", Duration::from_secs(1), true);
        report.note("two", Duration::from_secs(2), false);
        let text = report.text(5);
        assert!(text.ends_with("\n3 not run\n1 passed, 1 failed"), "{text}");
    }
}
