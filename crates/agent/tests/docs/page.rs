//! Pages, and what is fenced in them.

use std::fs;
use std::path::{Path, PathBuf};

/// One page of the documentation.
pub(crate) struct Page {
    /// From the root of the repository.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// What stands between two fences.
#[derive(Debug, PartialEq)]
pub(crate) struct Block {
    /// The line of its first fence, from 1.
    pub(crate) line: usize,
    pub(crate) language: String,
    /// Whether its fence says that a person runs it, and no test.
    pub(crate) by_hand: bool,
    pub(crate) text: String,
}

/// What a fence says beside its language where no test runs the block.
const BY_HAND: &str = "by-hand";

/// What blocks may be. `sh` and `console` are commands; in everything else nobody looks for any.
const LANGUAGES: [&str; 10] =
    ["sh", "console", "json", "text", "toml", "ini", "yaml", "rust", "mermaid", "promql"];

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The README and all pages of the book.
pub(crate) fn pages() -> Vec<Page> {
    let root = root();
    let folder = fs::read_dir(root.join("docs")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut paths: Vec<_> =
        names.filter(|name| name.ends_with(".md")).map(|name| format!("docs/{name}")).collect();
    paths.push("README.md".to_owned());
    paths.sort();
    let read = |path: String| Page { text: fs::read_to_string(root.join(&path)).unwrap(), path };
    paths.into_iter().map(read).collect()
}

impl Page {
    /// Its blocks, or what is wrong with one.
    pub(crate) fn blocks(&self) -> Result<Vec<Block>, String> {
        let mut blocks = Vec::new();
        let mut lines = (1..).zip(self.text.lines());
        while let Some((line, text)) = lines.next() {
            let Some(words) = text.trim_start().strip_prefix("```") else { continue };
            let indent = text.len() - text.trim_start().len();
            let mut body = String::new();
            loop {
                let Some((_, inner)) = lines.next() else {
                    return Err(format!("{}:{line}: the block has no end", self.path));
                };
                if inner.trim() == "```" {
                    break;
                }
                body += inner.get(indent..).unwrap_or_default();
                body.push('\n');
            }
            let block = block(line, words, body);
            blocks.push(block.map_err(|what| format!("{}:{line}: {what}", self.path))?);
        }
        Ok(blocks)
    }

    /// What is set as code in its prose.
    pub(crate) fn spans(&self) -> Vec<(usize, &str)> {
        let mut fenced = false;
        let mut spans = Vec::new();
        for (number, line) in (1..).zip(self.text.lines()) {
            let is_fence = line.trim_start().starts_with("```");
            fenced ^= is_fence;
            if !fenced && !is_fence {
                spans.extend(line.split('`').skip(1).step_by(2).map(|span| (number, span)));
            }
        }
        spans
    }
}

fn block(line: usize, words: &str, text: String) -> Result<Block, String> {
    let mut words = words.split_whitespace();
    let language = words.next().unwrap_or_default().to_owned();
    if !LANGUAGES.contains(&language.as_str()) {
        return Err(format!("a block is one of {LANGUAGES:?}, and not {language:?}"));
    }
    let by_hand = words.next().is_some_and(|word| word == BY_HAND);
    let block = Block { line, language, by_hand, text };
    if !block.is_run() && block.text.lines().any(|line| line.starts_with("$ ")) {
        return Err("commands belong into a block of console".to_owned());
    }
    Ok(block)
}

impl Block {
    /// Whether it has commands.
    pub(crate) fn is_run(&self) -> bool {
        matches!(self.language.as_str(), "sh" | "console")
    }

    /// Its first command, by which the table knows it.
    pub(crate) fn first(&self) -> &str {
        let line = self.text.lines().next().unwrap_or_default();
        line.strip_prefix("$ ").unwrap_or(line)
    }

    /// The commands of a console, each with the output that the page shows.
    pub(crate) fn commands(&self) -> Vec<Command> {
        let mut commands: Vec<Command> = Vec::new();
        for (line, text) in (self.line + 1..).zip(self.text.lines()) {
            match (text.strip_prefix("$ "), commands.last_mut()) {
                (Some(command), _) => {
                    commands.push(Command { line, text: command.to_owned(), output: Vec::new() });
                }
                (None, Some(command)) if command.text.ends_with('\\') => {
                    command.text = format!("{}\n{text}", command.text);
                }
                (None, Some(command)) => command.output.push(text.to_owned()),
                (None, None) => panic!("line {line}: a console begins with a command"),
            }
        }
        commands
    }
}

/// A command of a console.
#[derive(Debug, PartialEq)]
pub(crate) struct Command {
    pub(crate) line: usize,
    pub(crate) text: String,
    pub(crate) output: Vec<String>,
}

#[test]
fn blocks_are_found_with_their_lines_languages_and_marks() {
    let text =
        "a `b c` d\n```sh\nx\n```\n- item\n  ```console by-hand\n  $ y \\\n    z\n  out\n  ```\n";
    let page = Page { path: "p.md".to_owned(), text: text.to_owned() };
    let blocks = page.blocks().unwrap();
    let found: Vec<_> =
        blocks.iter().map(|block| (block.line, &*block.language, block.by_hand)).collect();
    assert_eq!(found, [(2, "sh", false), (6, "console", true)]);
    assert_eq!(page.spans(), [(1, "b c")]);
    let output = vec!["out".to_owned()];
    let command = Command { line: 7, text: "y \\\n  z".to_owned(), output };
    assert_eq!(blocks[1].commands(), [command]);
}

#[test]
fn a_block_that_hides_commands_is_refused() {
    for text in ["```\nx\n```", "```bash\nx\n```", "```text\n$ x\n```", "```sh\nx\n"] {
        let page = Page { path: "p.md".to_owned(), text: text.to_owned() };
        assert!(page.blocks().unwrap_err().starts_with("p.md:1: "), "{text}");
    }
}
