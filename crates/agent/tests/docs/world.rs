//! A page is carried out in a world of its own: namespaces for its ports, processes and mounts, an empty
//! home, and a folder that looks like a clone in which everything is built.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::compare::{parse_shown, same_keys, same_output};
use crate::page::{Block, Page, root};

/// How long what is asked again and again may take to come out as in the page.
const DEADLINE: Duration = Duration::from_secs(30);
/// The page that a process inside carries out.
const PAGE: &str = "DOCS_PAGE";
/// The folder of its world.
const WORLD: &str = "DOCS_WORLD";

/// The name of a page and the folder of its world, where this process is inside of one.
pub(crate) fn inside() -> Option<(String, PathBuf)> {
    Some((env::var(PAGE).ok()?, fs::canonicalize(env::var_os(WORLD)?).unwrap()))
}

/// Carries out a page in a process inside of a new world, and gives what it says when it fails.
pub(crate) fn enter(page: &Page, test: &str, simulator: &Path) -> Result<(), String> {
    let world = tempfile::tempdir().map_err(|error| error.to_string())?;
    furnish(world.path(), simulator).map_err(|error| error.to_string())?;
    let mut command = Command::new("timeout");
    command.args(["--signal", "KILL", LONGEST, "unshare"]);
    if !is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--net", "--pid", "--mount", "--fork", "--mount-proc", "--kill-child"]);
    // The first process of the namespace takes over those whose parents have ended.
    command.args(["bash", "-c", FIRST]).arg(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads", "1"]);
    command.env(PAGE, &page.path).env(WORLD, world.path()).stdin(Stdio::null());
    let output = command.output().map_err(|error| format!("can't run timeout: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("{}: {}\n{}", page.path, output.status, String::from_utf8_lossy(&said)))
}

/// When even a step that hangs is over. The last line that a page has said is the one of that step.
const LONGEST: &str = "100";

/// A machine with the loopback, and a private address with the default route, which is what an agent that
/// binds every address advertises. Nothing leaves it.
const FIRST: &str = "ip link set lo up && ip address add 10.0.0.1/8 dev lo \\
    && ip route add default dev lo src 10.0.0.1 && \"$0\" \"$@\"; exit $?";

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout == b"0\n")
}

fn furnish(world: &Path, simulator: &Path) -> std::io::Result<()> {
    let programs = world.join("clone/target/release");
    for folder in [&programs, &world.join("home"), &world.join("agents"), &world.join("steps")] {
        fs::create_dir_all(folder)?;
    }
    symlink(env!("CARGO_BIN_EXE_mingle"), programs.join("mingle"))?;
    symlink(simulator, programs.join("mingle-sim"))?;
    symlink(root().join("crates"), world.join("clone/crates"))
}

/// Carries out a page, inside.
///
/// # Errors
///
/// What is wrong with the first step that is not as the page says, with its line.
pub(crate) fn carry_out(page: &Page, world: &Path) -> Result<(), String> {
    let world = World { page, folder: world };
    let blocks = page.blocks()?;
    for (index, block) in blocks.iter().enumerate() {
        let answer = blocks.get(index + 1).filter(|next| next.language == "json");
        match &*block.language {
            _ if block.by_hand => world.parse(block)?,
            "sh" => world.script(block, answer)?,
            "console" => world.console(block)?,
            _ => {}
        }
    }
    world.nobody_panicked()
}

/// How the page has a step end.
#[derive(Clone, Copy)]
enum Ending {
    Good,
    Bad,
    /// Nothing is carried out.
    BeforeItBegins,
}

struct World<'a> {
    page: &'a Page,
    folder: &'a Path,
}

impl World<'_> {
    fn script(&self, block: &Block, answer: Option<&Block>) -> Result<(), String> {
        let shown = answer.map(|answer| parse_shown(&answer.text)).transpose();
        let shown = shown.map_err(|error| self.at(block.line, &error))?;
        let mentioned: BTreeSet<_> =
            self.page.spans().into_iter().flat_map(|(_, span)| words(span)).collect();
        self.step(block.line, &block.text, Ending::Good, |code, output| {
            if code != Some(0) {
                return Err(format!("it ended with {code:?}"));
            }
            let Some(shown) = &shown else { return Ok(()) };
            let real = serde_json::from_str(output).map_err(|error| format!("no JSON: {error}"))?;
            same_keys(shown, &real, &mentioned)
        })
    }

    fn console(&self, block: &Block) -> Result<(), String> {
        block.commands().iter().try_for_each(|command| {
            let fails = command.output.iter().any(|line| line.starts_with("error: "));
            let ending = if fails { Ending::Bad } else { Ending::Good };
            self.step(command.line, &command.text, ending, |code, output| {
                if (code == Some(0)) == fails {
                    return Err(format!("it ended with {code:?}"));
                }
                same_output(&command.output, output)
            })
        })
    }

    /// Runs it until it comes out right, if that can be done more than once, or until time is out.
    fn step(
        &self,
        line: usize,
        text: &str,
        ending: Ending,
        is_right: impl Fn(Option<i32>, &str) -> Result<(), String>,
    ) -> Result<(), String> {
        println!("{}:{line}", self.page.path);
        let began = Instant::now();
        loop {
            let (code, output) = self.run(line, text, ending);
            let Err(what) = is_right(code, &output) else { return Ok(()) };
            if !only_asks(text) || began.elapsed() > DEADLINE {
                return Err(self.at(line, &format!("{what}\n{text}\n{output}")));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Looks at the arguments of our programs only.
    fn parse(&self, block: &Block) -> Result<(), String> {
        let joined = block.text.replace("\\\n", " ");
        for line in joined.lines() {
            let line = line.strip_prefix("$ ").unwrap_or(line);
            let line = line.strip_prefix("time ").unwrap_or(line);
            let ours =
                ["mingle ", "mingle-sim ", "target/release/mingle", "cargo run --release -- "];
            if ours.iter().any(|program| line.starts_with(program)) {
                let (code, output) = self.run(block.line, line, Ending::BeforeItBegins);
                if code != Some(0) {
                    return Err(self.at(block.line, &format!("{line}\n{output}")));
                }
            }
        }
        Ok(())
    }

    fn run(&self, line: usize, text: &str, ending: Ending) -> (Option<i32>, String) {
        let steps = self.folder.join("steps");
        let (script, said) = (steps.join(format!("{line}.sh")), steps.join(format!("{line}.out")));
        fs::write(&script, format!("{}\n{text}\n", include_str!("prelude.sh"))).unwrap();
        let path = self.folder.join("clone/target/release");
        let path = format!("{}:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", path.display());
        // Agents keep their standard output, so that a pipe would have no end while they run.
        let output = fs::File::create(&said).unwrap();
        let mut command = Command::new("bash");
        command.arg(&script).current_dir(self.folder.join("clone")).env_clear();
        command.env("PATH", path).env("HOME", self.folder.join("home")).env("LC_ALL", "C.UTF-8");
        command.env("DOCS_SAID", &said).env("DOCS_AGENTS", self.folder.join("agents"));
        match ending {
            Ending::Good => &mut command,
            Ending::Bad => command.env("DOCS_FAILS", "failing"),
            Ending::BeforeItBegins => command.env("DOCS_ONLY_PARSE", "1"),
        };
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let status = command.status().unwrap();
        (status.code(), String::from_utf8_lossy(&fs::read(&said).unwrap()).into_owned())
    }

    fn nobody_panicked(&self) -> Result<(), String> {
        for entry in fs::read_dir(self.folder.join("agents")).unwrap() {
            let log =
                String::from_utf8_lossy(&fs::read(entry.unwrap().path()).unwrap()).into_owned();
            if log.contains("panicked") {
                return Err(self.at(1, &log));
            }
        }
        Ok(())
    }

    fn at(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.page.path)
    }
}

fn words(span: &str) -> impl Iterator<Item = &str> {
    span.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// Whether nothing changes by it, so that it may be asked until the answer is as in the page.
fn only_asks(text: &str) -> bool {
    const QUESTIONS: [&str; 8] = [
        "mingle members",
        "mingle info",
        "mingle why",
        "mingle keys list",
        "mingle config check",
        "mingle-sim replay",
        "grep ",
        "curl -s",
    ];
    let changes = text.contains("-X POST") || text.contains(';') || text.trim().lines().count() > 1;
    !changes && QUESTIONS.iter().any(|question| text.starts_with(question))
}
