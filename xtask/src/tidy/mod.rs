//! `cargo xtask tidy`: what no compiler checks. Also a test of this crate.
//!
//! Each check is a function of the tree or of the manifests, and is itself tested with a broken
//! sample that it must catch.

mod alerts;
mod deps;
mod docs;
mod examples;
mod finding;
mod length;
mod links;
mod manifests;
mod packages;
mod rust;
mod source;
mod tree;
mod vectors;

use anyhow::{Result, bail};
use clap::Args;

use crate::shell::root;
use finding::Finding;
pub(crate) use links::{join, targets};
use packages::Workspace;
use tree::Tree;

/// What to do.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Options {
    /// Write down the lengths of long files that have become shorter.
    #[arg(long)]
    bless: bool,
}

/// Checks, after writing down shorter lengths if that is wanted.
///
/// # Errors
///
/// When something is out of order.
pub(crate) fn run(options: Options) -> Result<()> {
    if options.bless {
        length::bless(root())?;
    }
    check()
}

/// Shows all findings.
///
/// # Errors
///
/// When there are any.
pub(crate) fn check() -> Result<()> {
    let findings = findings(&Tree::read(root())?, &Workspace::read()?);
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        1 => bail!("1 thing is out of order"),
        count => bail!("{count} things are out of order"),
    }
}

fn findings(tree: &Tree, workspace: &Workspace) -> Vec<Finding> {
    let mut findings = [
        deps::direction(&workspace.packages),
        deps::pure_and_few(&workspace.packages),
        deps::errors_are_typed(&workspace.packages),
        deps::purity(&workspace.reached),
        manifests::inherits(tree, &workspace.packages),
        manifests::reasons(tree),
        manifests::pure_bans_agree(tree),
        length::ratchet(tree),
        vectors::every_kind_is_captured(tree),
        docs::config_fields(tree),
        docs::http_routes(tree),
        alerts::metrics_are_explained(tree),
        alerts::runbooks_resolve(tree),
        examples::listed_and_run(tree),
        links::resolve(tree),
        source::no_ignored_tests(tree),
        source::no_placeholders(tree),
        source::no_unwraps(tree),
        source::pure_crates_touch_nothing(tree),
        source::no_stray_whitespace(tree),
        source::no_machine_paths(tree),
    ]
    .concat();
    findings.sort();
    findings
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_repository_is_tidy() {
        if let Err(error) = super::check() {
            panic!("{error:#}: see above, or run `cargo xtask tidy`");
        }
    }
}
