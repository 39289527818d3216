//! `cargo xtask book`: the pages of the repository as a book, with mdbook.
//!
//! The pages are written for the repository, where links lead to files. The book has the chapters of
//! `docs/SUMMARY.md` at the same paths, so that links among them stay as they are; links to other files
//! lead to the repository's host. Whatever mdbook warns of fails, and so does a link in the finished
//! book that leads nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;

use crate::shell::{cargo, root, run as shell, target_folder};
use crate::tidy::{join, targets};

/// What to do.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Open the book in a browser.
    #[arg(long)]
    open: bool,
}

const SUMMARY: &str = "docs/SUMMARY.md";
const README: &str = "README.md";
const SETTINGS: &str = "docs/book.toml";
/// Where files of the repository that are no chapters are shown.
const HOST: &str = "https://github.com/mingle-rs/mingle/blob/main/";
/// Beside chapters, what their links show inside of a page.
const PICTURES: [&str; 3] = [".png", ".svg", ".jpg"];

/// Makes the book in the target folder, after installing mdbook there when it is not.
///
/// # Errors
///
/// When mdbook can't be installed, fails or warns, or a link leads nowhere.
pub(crate) fn run(options: &Options) -> Result<()> {
    let target = target_folder();
    let program = install(&target.join("tools"))?;
    let (source, book) = (target.join("book-source"), target.join("book"));
    lay_out(root(), &source)?;
    build(&program, &source, &book)?;
    let broken = broken_links(&read_pages(&book)?);
    for link in &broken {
        println!("{link}");
    }
    ensure!(broken.is_empty(), "{} of the links in the book lead nowhere", broken.len());
    println!("the book is {}", book.join("index.html").display());
    if options.open {
        shell(Command::new("xdg-open").arg(book.join("index.html")))?;
    }
    Ok(())
}

/// Its version is fixed, as each one makes other pages. Without optimization, and without the server
/// that nobody uses here, it takes a few minutes to compile.
fn install(tools: &Path) -> Result<PathBuf> {
    let program = tools.join("bin/mdbook");
    let version = Command::new(&program).arg("--version").stderr(Stdio::null()).output();
    let is_ours =
        |text: Vec<u8>| String::from_utf8_lossy(&text).trim() == format!("mdbook v{VERSION}");
    if version.is_ok_and(|output| is_ours(output.stdout)) {
        return Ok(program);
    }
    println!("installing mdbook {VERSION} into {}", tools.display());
    let mut install =
        cargo(["install", "--locked", "--debug", "--force", "--version", VERSION, "mdbook"]);
    install.args(["--no-default-features", "--features", "search", "--root"]).arg(tools);
    install.env("CARGO_PROFILE_DEV_DEBUG", "0").env_remove("CARGO_TARGET_DIR");
    shell(&mut install).context("mdbook can't be installed, so there is no book")?;
    Ok(program)
}

const VERSION: &str = "0.5.4";

/// Puts the chapters where mdbook looks for them, at their paths in the repository.
fn lay_out(root: &Path, source: &Path) -> Result<()> {
    if source.exists() {
        fs::remove_dir_all(source)?;
    }
    let read =
        |path: &str| fs::read_to_string(root.join(path)).with_context(|| format!("reading {path}"));
    let summary = read(SUMMARY)?;
    let chapters = chapters(&summary)?;
    for path in &chapters {
        let text = chapter(path, &read(path)?, &chapters)?;
        write(&source.join("src").join(place(path)), text.as_bytes())?;
        for picture in pictures(path, &text) {
            write(&source.join("src").join(&picture), &fs::read(root.join(&picture))?)?;
        }
    }
    let moved = relinked(&summary, |target| Some(place(&join(SUMMARY, target)?).to_owned()));
    write(&source.join("src/SUMMARY.md"), moved.as_bytes())?;
    write(&source.join("book.toml"), read(SETTINGS)?.as_bytes())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().context("a file is in a folder")?;
    fs::create_dir_all(folder)?;
    fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))
}

/// The pages of the summary, by their paths from the root.
fn chapters(summary: &str) -> Result<BTreeSet<String>> {
    let chapters: BTreeSet<_> =
        targets(summary).into_iter().filter_map(|(_, target)| join(SUMMARY, target)).collect();
    ensure!(!chapters.is_empty(), "{SUMMARY} has no chapters");
    Ok(chapters)
}

/// Where a chapter is in the book. Of a README mdbook makes the index, and does not tell its links.
fn place(path: &str) -> &str {
    if path == README { "index.md" } else { path }
}

/// A page as the book has it: what is no chapter is on the host.
fn chapter(path: &str, text: &str, chapters: &BTreeSet<String>) -> Result<String> {
    let mut outside = None;
    let relinked = relinked(text, |target| {
        let (file, heading) = target.split_once('#').unwrap_or((target, ""));
        if file.is_empty() {
            return None;
        }
        let Some(file) = join(path, file) else {
            outside = Some(target.to_owned());
            return None;
        };
        if chapters.contains(&file) || PICTURES.iter().any(|end| file.ends_with(end)) {
            return target.contains(README).then(|| target.replace(README, place(README)));
        }
        let mark = if heading.is_empty() { "" } else { "#" };
        Some(format!("{HOST}{file}{mark}{heading}"))
    });
    match outside {
        Some(target) => bail!("{path}: {target} leads out of the repository"),
        None => Ok(plain_headings(&relinked)),
    }
}

/// What stands in braces at the end of a heading would be attributes of it to mdbook.
fn plain_headings(text: &str) -> String {
    let plain = |line: &str| match line.strip_suffix('}') {
        Some(start) if line.starts_with('#') => format!("{start}&#125;"),
        _ => line.to_owned(),
    };
    text.lines().map(plain).collect::<Vec<_>>().join("\n") + "\n"
}

/// The same text with other targets, where there is one.
fn relinked(text: &str, mut other: impl FnMut(&str) -> Option<String>) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (number, target) in targets(text) {
        if let Some(other) = other(target) {
            let line = &mut lines[number - 1];
            for (start, end) in [("](", ")"), ("]: ", "")] {
                *line =
                    line.replace(&format!("{start}{target}{end}"), &format!("{start}{other}{end}"));
            }
        }
    }
    lines.join("\n") + "\n"
}

fn pictures(path: &str, text: &str) -> Vec<String> {
    let files = targets(text).into_iter().filter_map(|(_, target)| join(path, target));
    files.filter(|file| PICTURES.iter().any(|end| file.ends_with(end))).collect()
}

/// Runs mdbook, and takes a warning for a failure.
fn build(program: &Path, source: &Path, book: &Path) -> Result<()> {
    let mut command = Command::new(program);
    command.arg("build").arg(source).arg("--dest-dir").arg(book);
    let output = command.output().context("running mdbook")?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    print!("{said}");
    ensure!(output.status.success(), "mdbook ended with {}", output.status);
    ensure!(!warns(&said), "mdbook warns: see above");
    Ok(())
}

fn warns(said: &str) -> bool {
    said.lines()
        .any(|line| line.split_whitespace().take(3).any(|word| ["WARN", "ERROR"].contains(&word)))
}

/// A page of the finished book: the names of its places, and where its links lead.
#[derive(Debug, Default)]
struct Html {
    ids: BTreeSet<String>,
    links: BTreeSet<String>,
}

/// Pages that are not for readers: all chapters in one, and what a server shows for a missing page.
const NOT_READ: [&str; 3] = ["print.html", "404.html", "toc.html"];

fn read_pages(book: &Path) -> Result<BTreeMap<String, Html>> {
    let mut pages = BTreeMap::new();
    let mut folders = vec![book.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.strip_prefix(book)?.to_string_lossy().replace('\\', "/");
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".html") && !NOT_READ.contains(&name.as_str()) {
                pages.insert(name, html(&fs::read_to_string(&path)?));
            } else {
                pages.insert(name, Html::default());
            }
        }
    }
    Ok(pages)
}

fn html(text: &str) -> Html {
    let values = |name: &str| -> BTreeSet<String> {
        let quoted = format!(" {name}=\"");
        let values = text.split(&*quoted).skip(1).filter_map(|rest| rest.split('"').next());
        values.map(|value| value.replace("&amp;", "&")).collect()
    };
    let mut links = values("href");
    links.extend(values("src"));
    links.retain(|link| !link.contains(':') && !link.is_empty());
    Html { ids: values("id"), links }
}

/// Links to pages that are not there, or to places that those do not have.
fn broken_links(pages: &BTreeMap<String, Html>) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, page) in pages {
        for link in &page.links {
            let (file, place) = link.split_once('#').unwrap_or((link, ""));
            let file = file.split('?').next().unwrap_or_default();
            let to = if file.is_empty() { Some(path.clone()) } else { join(path, file) };
            let found = to.and_then(|to| pages.get(&to));
            if found.is_none_or(|page| !place.is_empty() && !page.ids.contains(place)) {
                broken.push(format!("{path}: {link} leads nowhere"));
            }
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chapters_of(paths: &[&str]) -> BTreeSet<String> {
        paths.iter().map(|path| (*path).to_owned()).collect()
    }

    #[test]
    fn the_summary_names_pages_from_its_own_folder() {
        let found = chapters("# Summary\n\n[a](../README.md)\n- [b](b.md)\n").unwrap();
        assert_eq!(found, chapters_of(&["README.md", "docs/b.md"]));
        assert!(chapters("nothing").is_err());
    }

    #[test]
    fn links_to_what_is_no_chapter_lead_to_the_host() {
        let all = chapters_of(&["README.md", "docs/a.md"]);
        let text =
            "# x/{name}\n[1](a.md#x) [2](#y) [3](../README.md#z) [4](../x.rs#L1) ![p](p.png)\n";
        let expected = text
            .replace('}', "&#125;")
            .replace("../README.md#z", "../index.md#z")
            .replace("../x.rs#L1", &format!("{HOST}x.rs#L1"));
        assert_eq!(chapter("docs/a.md", text, &all).unwrap(), expected);
        assert_eq!(pictures("docs/a.md", text), ["docs/p.png"]);
        assert!(chapter("docs/a.md", "[out](../../x)", &all).is_err());
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let pages = BTreeMap::from([
            (
                "a.html".to_owned(),
                html(r##"<a href="b.html#x">, <a href="b.html#gone">, <a href="#here">"##),
            ),
            (
                "b.html".to_owned(),
                html(r#"<h1 id="x">, <a href="c.html">, <a href="https://example.org">"#),
            ),
        ]);
        let expected = [
            "a.html: #here leads nowhere",
            "a.html: b.html#gone leads nowhere",
            "b.html: c.html leads nowhere",
        ];
        assert_eq!(broken_links(&pages), expected);
    }

    #[test]
    fn a_warning_is_told_from_a_word() {
        assert!(warns(" INFO Book building\n WARN something\n"));
        assert!(warns("[2026-11-22T08:00:00Z ERROR mdbook] x\n") || warns("ERROR x"));
        assert!(!warns(" INFO Book building has started\n INFO it would be good to WARN\n"));
    }
}
