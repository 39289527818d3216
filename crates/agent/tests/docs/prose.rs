//! Commands in running text, and Rust.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::page::{pages, root};

/// Each `mingle ...` in the prose names a command, and flags, that the program has.
#[test]
fn commands_and_flags_that_the_prose_names_exist() {
    let mut helps = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in pages() {
        for (line, span) in page.spans() {
            let Some(rest) = span.strip_prefix("mingle ") else { continue };
            count += 1;
            let rest = rest.replace("\\|", "|");
            let mut words =
                rest.split([' ', '|', '[', ']', ',', '=']).filter(|word| !word.is_empty());
            let command = words.next().unwrap_or_default().to_owned();
            let help = helps.entry(command.clone()).or_insert_with_key(|command| help(command));
            let Some(help) = help else {
                wrong.push(format!("{}:{line}: `{span}`: no command {command}", page.path));
                continue;
            };
            for flag in words.filter(|word| word.starts_with("--")) {
                if !help.contains(flag) {
                    wrong.push(format!("{}:{line}: `{span}`: no flag {flag}", page.path));
                }
            }
        }
    }
    assert!(count > 50, "only {count} commands were found in the prose");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What the program says of a command and of those below it.
fn help(command: &str) -> Option<String> {
    let arguments = if command.starts_with('-') { vec![command] } else { vec![command, "--help"] };
    let output = Command::new(env!("CARGO_BIN_EXE_mingle")).args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    output.status.success().then_some(text)
}

/// Each block of Rust stands in an example, or on the first page of the crate, all of which tests run.
#[test]
fn rust_in_the_pages_is_rust_that_runs() {
    let examples = fs::read_dir(root().join("crates/mingle/examples")).unwrap();
    let mut sources: Vec<_> =
        examples.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    let library = fs::read_to_string(root().join("crates/mingle/src/lib.rs")).unwrap();
    let example = library.lines().filter_map(|line| line.strip_prefix("//!"));
    sources.push(example.collect::<Vec<_>>().join("\n"));
    let sources: Vec<_> = sources.iter().map(|source| without_indents(source)).collect();
    for page in pages() {
        for block in page.blocks().unwrap_or_else(|what| panic!("{what}")) {
            let text = without_indents(&block.text);
            let runs =
                block.language != "rust" || sources.iter().any(|source| source.contains(&text));
            assert!(runs, "{}:{}: no example has this:\n{}", page.path, block.line, block.text);
        }
    }
}

fn without_indents(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join("\n")
}
