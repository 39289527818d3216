use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::deps::PURE;
use crate::shell::{cargo, output, root};

/// What cargo says of the workspace.
#[derive(Debug)]
pub(super) struct Workspace {
    pub(super) packages: Vec<Package>,
    /// For each pure package the names of all packages that it is compiled with.
    pub(super) reached: BTreeMap<String, Vec<String>>,
}

/// A member of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Package {
    pub(super) name: String,
    /// Its manifest's path from the root.
    pub(super) manifest: String,
    pub(super) publish: bool,
    pub(super) dependencies: Vec<Dependency>,
}

/// What a package names in its manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// What a dependency is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    Build,
    Dev,
}

impl Workspace {
    /// Asks cargo, which needs no network for it.
    pub(super) fn read() -> Result<Self> {
        let metadata = output(&mut cargo(["metadata", "--format-version", "1", "--no-deps"]))?;
        let packages = parse(&metadata, &root().to_string_lossy())
            .context("cargo metadata is not as expected")?;
        let mut reached = BTreeMap::new();
        for name in PURE {
            reached.insert(name.to_owned(), reach(name)?);
        }
        Ok(Self { packages, reached })
    }
}

fn parse(metadata: &str, root: &str) -> Result<Vec<Package>> {
    let metadata: Value = serde_json::from_str(metadata)?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    packages.iter().map(|package| parse_package(package, root)).collect()
}

fn parse_package(package: &Value, root: &str) -> Result<Package> {
    let manifest = package["manifest_path"].as_str().context("no manifest_path")?;
    let dependencies = package["dependencies"].as_array().context("no dependencies")?;
    Ok(Package {
        name: package["name"].as_str().context("no name")?.to_owned(),
        manifest: manifest.strip_prefix(root).unwrap_or(manifest).replace('\\', "/")[1..]
            .to_owned(),
        publish: package["publish"].is_null(),
        dependencies: dependencies.iter().map(parse_dependency).collect::<Result<_>>()?,
    })
}

fn parse_dependency(dependency: &Value) -> Result<Dependency> {
    let kind = match dependency["kind"].as_str() {
        None => Kind::Normal,
        Some("build") => Kind::Build,
        Some(_) => Kind::Dev,
    };
    Ok(Dependency { name: dependency["name"].as_str().context("no name")?.to_owned(), kind })
}

fn reach(package: &str) -> Result<Vec<String>> {
    let lines = output(&mut cargo([
        "tree",
        "--locked",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--package",
        package,
    ]))?;
    Ok(lines.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_read_from_metadata() {
        let metadata = r#"{"packages": [{
            "name": "a", "manifest_path": "/r/crates/a/Cargo.toml", "publish": [],
            "dependencies": [
                {"name": "b", "kind": null}, {"name": "c", "kind": "dev"}, {"name": "d", "kind": "build"}
            ]
        }]}"#;
        let dependency = |name: &str, kind| Dependency { name: name.to_owned(), kind };
        let package = Package {
            name: "a".to_owned(),
            manifest: "crates/a/Cargo.toml".to_owned(),
            publish: false,
            dependencies: vec![
                dependency("b", Kind::Normal),
                dependency("c", Kind::Dev),
                dependency("d", Kind::Build),
            ],
        };
        assert_eq!(parse(metadata, "/r").unwrap(), [package]);
    }

    #[test]
    fn the_pure_packages_reach_something() {
        let workspace = Workspace::read().unwrap();
        assert_eq!(workspace.reached.len(), PURE.len());
        assert!(workspace.reached.values().flatten().any(|name| name == "serde"));
    }
}
