//! The manifests: what each package inherits, and why each dependency is there.

use super::finding::Finding;
use super::packages::Package;
use super::tree::{File, Tree};

/// Each package takes the workspace's lints and fields.
pub(super) fn inherits(tree: &Tree, packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        let text = tree.get(&package.manifest).map_or("", File::text);
        let fields = FIELDS.iter().map(|field| ("package", *field));
        let published = PUBLISHED.iter().map(|field| ("package", *field));
        let wanted = fields.chain(published.filter(|_| package.publish));
        for (section, field) in wanted.chain([("lints", "workspace")]) {
            if !is_inherited(text, section, field) {
                let what = format!("[{section}] does not inherit {field}");
                findings.push(Finding::new(&package.manifest, 1, what, remedy(section, field)));
            }
        }
    }
    findings
}

const FIELDS: [&str; 3] = ["version", "edition", "license"];
const PUBLISHED: [&str; 2] = ["rust-version", "repository"];

fn is_inherited(manifest: &str, section: &str, field: &str) -> bool {
    sections(manifest).any(|(_, current, line)| {
        let (key, value) = line.split_once('=').unwrap_or_default();
        let key = key.trim().strip_suffix(".workspace").unwrap_or(key.trim());
        current == section && key == field && value.contains("true")
    })
}

fn remedy(section: &str, field: &str) -> String {
    if section == "lints" {
        return "add [lints] with workspace = true".to_owned();
    }
    format!("write {field}.workspace = true")
}

/// Each version of a dependency that is chosen has its reason on its line.
pub(super) fn reasons(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.find("", "Cargo.toml") {
        for (number, section, line) in sections(file.text()) {
            if section.ends_with("dependencies") && is_choice(line) && !has_comment(line) {
                let name = line.split(['=', '.']).next().unwrap_or_default().trim();
                let what = format!("{name} has no reason");
                let remedy = "say at the end of the line why this one: # ...";
                findings.push(Finding::new(&file.path, number, what, remedy));
            }
        }
    }
    findings
}

/// A dependency that neither is inherited nor one of our own.
fn is_choice(line: &str) -> bool {
    line.contains('=') && !line.contains("workspace") && !line.contains("path =")
}

fn has_comment(line: &str) -> bool {
    line.rsplit_once("# ").is_some_and(|(_, comment)| comment.trim().len() > 3)
}

/// The pure crates have the same bans. Clippy reads the nearest file only, so each has its own.
pub(super) fn pure_bans_agree(tree: &Tree) -> Vec<Finding> {
    let text = |path| tree.get(path).map_or("", File::text);
    let [wire, proto] = BANS.map(text);
    if wire == proto && wire.contains("disallowed-types") {
        return Vec::new();
    }
    let line = 1 + wire.lines().zip(proto.lines()).take_while(|(a, b)| a == b).count();
    let what = format!("{} and {} differ, or ban nothing", BANS[0], BANS[1]);
    vec![Finding::new(BANS[1], line, what, "copy the one that is right over the other")]
}

const BANS: [&str; 2] = ["crates/wire/clippy.toml", "crates/proto/clippy.toml"];

/// The lines below each `[section]`, without comments of their own, counted from 1.
fn sections(manifest: &str) -> impl Iterator<Item = (usize, &str, &str)> {
    let mut section = "";
    (1..).zip(manifest.lines()).filter_map(move |(number, line)| {
        if let Some(name) = line.strip_prefix('[') {
            section = name.split(']').next().unwrap_or_default();
            return None;
        }
        (!line.trim().is_empty() && !line.starts_with('#')).then_some((number, section, line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::places;

    fn package(name: &str, publish: bool) -> Package {
        let manifest = format!("{name}/Cargo.toml");
        Package { name: name.to_owned(), manifest, publish, dependencies: Vec::new() }
    }

    const GOOD: &str = "[package]\nversion.workspace = true\nedition.workspace = true\n\
                        license.workspace = true\n\n[lints]\nworkspace = true\n";

    #[test]
    fn a_manifest_that_goes_its_own_way_is_found() {
        let own_edition = GOOD.replace("edition.workspace = true", "edition = \"2021\"");
        let no_lints = GOOD.replace("[lints]", "[features]");
        let tree = Tree::of(&[
            ("a/Cargo.toml", GOOD),
            ("b/Cargo.toml", &own_edition),
            ("c/Cargo.toml", &no_lints),
        ]);
        let packages = [package("a", false), package("b", false), package("c", false)];
        let found: Vec<_> = inherits(&tree, &packages).iter().map(Finding::to_string).collect();
        assert_eq!(
            found,
            [
                "b/Cargo.toml:1: [package] does not inherit edition; write edition.workspace = true",
                "c/Cargo.toml:1: [lints] does not inherit workspace; add [lints] with workspace = true",
            ]
        );
    }

    #[test]
    fn a_published_package_needs_more() {
        let tree = Tree::of(&[("a/Cargo.toml", GOOD)]);
        assert_eq!(inherits(&tree, &[package("a", true)]).len(), PUBLISHED.len());
    }

    #[test]
    fn a_ban_in_one_pure_crate_only_is_found() {
        let bans = "a = 1\ndisallowed-types = []\n";
        assert_eq!(pure_bans_agree(&Tree::of(&[(BANS[0], bans), (BANS[1], bans)])), []);
        let tree = Tree::of(&[(BANS[0], bans), (BANS[1], "a = 1\n")]);
        assert_eq!(places(&pure_bans_agree(&tree)), [format!("{}:2", BANS[1])]);
        assert_eq!(pure_bans_agree(&Tree::default()).len(), 1);
    }

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let text = "[workspace.dependencies]\nours = { path = \"x\" }\nserde = \"1\" # derives\n\
                    tokio = { version = \"1\" }\n[profile.release]\ndebug = \"none\"\n";
        let member = "[dependencies]\nserde = { workspace = true }\nserde_json.workspace = true\n\
                      [dev-dependencies]\nrand = \"1\"\n";
        let tree = Tree::of(&[("Cargo.toml", text), ("a/Cargo.toml", member)]);
        assert_eq!(places(&reasons(&tree)), ["Cargo.toml:4", "a/Cargo.toml:5"]);
    }
}
