//! `cargo xtask notices`: the licences of what others wrote and is linked into the program.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde_json::Value;

use crate::shell::{output, root, run as shell, target_folder};
use crate::tools;

/// What to do.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The folder to put them into.
    folder: PathBuf,
}

/// The files that [`write()`] makes.
pub(crate) const FILES: [&str; 2] = ["THIRD-PARTY.gz", "rust-library.html.gz"];

/// Writes the notices into the folder that is wanted.
///
/// # Errors
///
/// As of [`write()`].
pub(crate) fn run(options: &Options) -> Result<()> {
    write(&options.folder)
}

/// Writes them into a folder: those of crates and of musl's libc, which the static binary contains, as one text, and
/// those of Rust's own library as the toolchain has them.
///
/// # Errors
///
/// When a crate comes without the text of its licence, or under another one than `deploy/notices/about.toml` accepts, or
/// the tool can't be installed.
pub(crate) fn write(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let musl = fs::read_to_string(root().join("deploy/notices/musl.txt"))?;
    let crates = of_crates(&found()?)?;
    let files = FILES.map(|file| folder.join(file.trim_end_matches(".gz")));
    fs::write(&files[0], format!("{HEAD}\n{crates}{RULE}\nmusl, in static binaries\n\n{musl}"))?;
    let toolchain = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let library = Path::new(toolchain.trim()).join("share/doc/rust/COPYRIGHT-library.html");
    fs::copy(&library, &files[1]).with_context(|| format!("no {}", library.display()))?;
    shell(Command::new("gzip").args(["--best", "--no-name", "--force"]).args(files))
}

const HEAD: &str = "\
The program mingle contains what others wrote. Here are its parts with their licences; where a part may be used under
several, the one that it is used under. rust-library.html, beside this file, has those of Rust's own library.
";

const RULE: &str =
    "--------------------------------------------------------------------------------";

/// The licences of all crates, as cargo-about finds them.
fn found() -> Result<Value> {
    let tools = target_folder().join("tools");
    // What compares texts would take minutes without optimization.
    let options = ["--features", "cli", "--config", "profile.dev.package.spdx.opt-level=3"];
    let about = tools::crate_installed(&tools, "cargo-about", "0.9.3", &options)?;
    let mut about = Command::new(about);
    about.args(["generate", "--locked", "--fail", "--format", "json", "--config"]);
    about.arg(root().join("deploy/notices/about.toml")).arg("--manifest-path");
    about.arg(root().join("crates/agent/Cargo.toml"));
    let found = about.output().context("can't start cargo-about")?;
    // It goes on with less where a text has another checksum than we name, and only warns.
    let said = String::from_utf8_lossy(&found.stderr);
    ensure!(found.status.success() && said.is_empty(), "cargo-about, {}:\n{said}", found.status);
    Ok(serde_json::from_slice(&found.stdout)?)
}

/// Each text, with the crates that it is for.
fn of_crates(found: &Value) -> Result<String> {
    let (mut text, mut told, mut missing) = (String::new(), BTreeSet::new(), BTreeSet::new());
    for licence in items(&found["licenses"]) {
        let packages = items(&licence["used_by"]).map(|user| &user["crate"]);
        let names: Vec<_> = packages.filter_map(foreign).collect();
        if names.is_empty() {
            continue;
        }
        // Without a file of the crate it is a form, in which nobody holds the copyright.
        if !licence["source_path"].is_string() {
            missing.extend(names.iter().cloned());
        }
        let (name, words) = (string(&licence["name"]), string(&licence["text"]));
        writeln!(text, "{RULE}\n{}\n\n{name}\n\n{}\n", names.join(", "), words.trim_end())?;
        told.extend(names);
    }
    for package in items(&found["crates"]).map(|one| &one["package"]) {
        missing.extend(foreign(package).filter(|name| !told.contains(name)));
        if let Some(notice) = foreign(package).and(notice(package)) {
            writeln!(text, "{RULE}\n{}\n\n{}\n", string(&package["name"]), notice?.trim_end())?;
        }
    }
    ensure!(!told.is_empty(), "cargo-about finds no crates");
    ensure!(
        missing.is_empty(),
        "no text of a licence in {missing:?}; deploy/notices/about.toml can name it"
    );
    Ok(text)
}

/// Name and version of a crate that is not ours.
fn foreign(package: &Value) -> Option<String> {
    let name = format!("{} {}", string(&package["name"]), string(&package["version"]));
    package["source"].is_string().then_some(name)
}

/// What a crate asks to be handed on beside its licence.
fn notice(package: &Value) -> Option<Result<String>> {
    let file = Path::new(string(&package["manifest_path"])).with_file_name("NOTICE");
    file.is_file().then(|| Ok(fs::read_to_string(file)?))
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(name: &str) -> Value {
        json!({ "name": name, "version": "1.0.0", "source": "registry", "manifest_path": "/none/Cargo.toml" })
    }

    fn found(source: &Value, users: &[&str], all: &[&str]) -> Value {
        let users: Vec<_> = users.iter().map(|name| json!({ "crate": package(name) })).collect();
        let all: Vec<_> = all.iter().map(|name| json!({ "package": package(name) })).collect();
        let licence = json!({ "name": "MIT", "text": "Copyright A\n", "source_path": source, "used_by": users });
        json!({ "licenses": [licence], "crates": all })
    }

    #[test]
    fn a_licence_stands_below_its_crates() {
        let text = of_crates(&found(&json!("LICENSE"), &["a", "b"], &["a", "b"])).unwrap();
        assert_eq!(text, format!("{RULE}\na 1.0.0, b 1.0.0\n\nMIT\n\nCopyright A\n\n"));
    }

    #[test]
    fn a_crate_without_the_text_of_its_licence_is_named() {
        for (source, users) in [(json!(null), &["a", "b"][..]), (json!("LICENSE"), &["a"])] {
            let error = of_crates(&found(&source, users, &["a", "b"])).unwrap_err().to_string();
            assert!(error.contains("b 1.0.0"), "{error}");
        }
    }
}
