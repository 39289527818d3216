//! What the README and the pages of the book tell people to type, as it comes out when it is typed.
//!
//! A page is carried out from top to bottom: each block of `sh` as one script, each command of a block of
//! `console` for itself. They end with 0, or otherwise where the page shows a line with `error: `. What a
//! console shows is what is printed, apart from chance; a block of `json` has the keys of the answer to
//! the `sh` before it. Agents run in the background, on the ports that the page says.
//!
//! A block whose fence says `by-hand` is not carried out, and stands in [`BY_HAND`] with the reason. Of
//! our own programs in it the arguments are looked at.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod compare;
mod page;
mod prose;
mod world;

use std::path::PathBuf;
use std::process::Command;
use std::thread;

use page::{Page, pages};

/// The blocks that people carry out, by page and first command, and why no test does.
const BY_HAND: &[(&str, &str, &str)] = &[
    ("README.md", "cargo test --workspace", "this is one of its tests"),
    (
        "README.md",
        "cargo test --workspace    # units, vectors, properties, clusters in memory and on the loopback, corpus replay",
        "this is one of its tests",
    ),
    (
        "README.md",
        "serf agent -node=serf -bind=127.0.0.1:7949 -profile=local -join=127.0.0.1:7946",
        "needs Serf, with which `cargo xtask interop` runs",
    ),
    ("README.md", "mingle members", "has a Serf agent in it"),
    ("README.md", "mingle members", "has a Serf agent in it"),
    (
        "docs/benchmarks.md",
        "printf 'nodes = 1000\\nduration = \"300s\"\\n' > idle.toml",
        "takes minutes in a build for tests",
    ),
    (
        "docs/benchmarks.md",
        "target/release/mingle-sim presets --full crates/sim/scenarios/r0[2-9]*.toml",
        "takes hours",
    ),
    (
        "docs/benchmarks.md",
        "gunzip --keep docs/benchmarks/lifeguard-interval.jsonl.gz",
        "reads files of the repository; tests of the crate mingle-sim read such lines",
    ),
    (
        "docs/operating.md",
        "mingle why c --http 127.0.0.1:17374",
        "which of three agents is the first to suspect is chance; docs/failures.md has the like",
    ),
    (
        "docs/operating.md",
        "mingle why c --http 127.0.0.1:17375",
        "which of three agents is the first to suspect is chance; docs/failures.md has the like",
    ),
    (
        "docs/operating.md",
        "apt install ./mingle_0.1.0-1_amd64.deb",
        "installs on the machine; `cargo xtask package` does so in a root of its own",
    ),
    (
        "docs/operating.md",
        "(umask 077 && mkdir /var/lib/mingle) && mingle keygen --keyring-file /var/lib/mingle/keys.json",
        "writes to a folder of the machine; `cargo xtask package` does so in a root of its own",
    ),
    (
        "docs/operating.md",
        "podman build -f deploy/container/Containerfile -t mingle .",
        "needs a container engine; `cargo xtask package` follows the file without one",
    ),
    (
        "docs/operating.md",
        "cargo build --release -p mingle-agent --features otel",
        "builds another agent; `cargo xtask otel` does so, and has a collector",
    ),
    ("docs/operating.md", "cd deploy/kubernetes", "needs a cluster of Kubernetes"),
    (
        "docs/operating.md",
        "(umask 077 && mingle keygen > token) && chown 65532 token",
        "needs a container engine; `cargo xtask package` asks an agent with these variables",
    ),
    (
        "docs/operating.md",
        "cd deploy/kubernetes/http",
        "needs a cluster of Kubernetes; `cargo xtask package` asks an agent with its variables",
    ),
];

#[test]
fn every_command_of_the_pages_does_what_they_say() {
    let pages = pages();
    if let Some((path, world)) = world::inside() {
        let page = pages.iter().find(|page| page.path == path).unwrap();
        return world::carry_out(page, &world).unwrap_or_else(|what| panic!("{what}"));
    }
    let simulator = simulator();
    let failures: Vec<String> = thread::scope(|scope| {
        let enter = |page| {
            let simulator = &simulator;
            let test = "every_command_of_the_pages_does_what_they_say";
            scope.spawn(move || world::enter(page, test, simulator))
        };
        let with_commands = pages.iter().filter(|page| has_commands(page));
        let threads: Vec<_> = with_commands.map(enter).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap().err()).collect()
    });
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

fn has_commands(page: &Page) -> bool {
    page.blocks().unwrap_or_else(|what| panic!("{what}")).iter().any(page::Block::is_run)
}

#[test]
fn what_is_not_carried_out_is_marked_and_listed_with_its_reason() {
    let pages = pages();
    let mut marked = Vec::new();
    for page in &pages {
        for block in page.blocks().unwrap_or_else(|what| panic!("{what}")) {
            if block.by_hand {
                assert!(block.is_run(), "{}:{}: nobody would run it", page.path, block.line);
                marked.push((page.path.clone(), block.first().to_owned()));
            }
        }
    }
    let mut listed: Vec<_> =
        BY_HAND.iter().map(|(page, first, _)| ((*page).to_owned(), (*first).to_owned())).collect();
    marked.sort();
    listed.sort();
    assert_eq!(marked, listed, "left: the blocks with by-hand in the pages, right: the table");
}

/// Where cargo has put the simulator. A test that is run alone builds it first.
fn simulator() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_BIN_EXE_mingle")).with_file_name("mingle-sim");
    if !path.exists() {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--profile", "test", "--package", "mingle-sim"]);
        assert!(cargo.status().unwrap().success(), "the simulator builds");
    }
    path
}
