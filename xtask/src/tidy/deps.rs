//! Who may know whom. `ARCHITECTURE.md` has the picture.

use std::collections::BTreeMap;

use super::finding::Finding;
use super::packages::{Kind, Package};

/// The packages without clock, entropy and I/O.
pub(super) const PURE: [&str; 2] = ["mingle-wire", "mingle-proto"];

/// Each package of the workspace, and which others of it may be in its manifest. What is in no list
/// on the right is depended on by nobody.
const HOUSE: [(&str, &[&str]); 9] = [
    ("mingle-wire", &[]),
    ("mingle-proto", &["mingle-wire"]),
    ("mingle", &["mingle-wire", "mingle-proto"]),
    // The simulator only in tests, which replay what an agent has recorded.
    ("mingle-agent", &["mingle", "mingle-sim"]),
    ("mingle-sim", &["mingle-wire", "mingle-proto"]),
    ("mingle-interop", &["mingle"]),
    ("mingle-bench", &["mingle-wire", "mingle-proto", "mingle", "mingle-sim"]),
    ("mingle-fuzz-targets", &["mingle-wire", "mingle-proto"]),
    ("xtask", &[]),
];

/// Dependencies between our packages go one way, tests included.
pub(super) fn direction(packages: &[Package]) -> Vec<Finding> {
    let house = BTreeMap::from(HOUSE);
    let ours = |name: &str| packages.iter().any(|package| package.name == name);
    let mut findings = Vec::new();
    for package in packages {
        let Some(allowed) = house.get(package.name.as_str()) else {
            let what = format!("{} is new here", package.name);
            findings.push(at(
                package,
                what,
                "say in HOUSE, xtask/src/tidy/deps.rs, whom it may know",
            ));
            continue;
        };
        for dependency in &package.dependencies {
            if ours(&dependency.name) && !allowed.contains(&dependency.name.as_str()) {
                let what = format!("{} must not know {}", package.name, dependency.name);
                findings.push(at(package, what, "ask what is missing from those it may know"));
            }
        }
    }
    findings
}

/// What the pure packages may name outside of tests.
const TRUSTED: [&str; 11] = [
    "aes",
    "aes-gcm",
    "crc32fast",
    "foldhash",
    "hashbrown",
    "libm",
    "mingle-wire",
    "postcard",
    "serde",
    "thiserror",
    "zeroize",
];

const MOST_DEPENDENCIES: usize = 7;

/// The pure packages name few dependencies, all of them known to be pure.
pub(super) fn pure_and_few(packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages.iter().filter(|package| PURE.contains(&package.name.as_str())) {
        let names = normal(package);
        for name in names.iter().filter(|name| !TRUSTED.contains(name)) {
            let what = format!("{} has {name}, which is not known to be pure", package.name);
            findings.push(at(
                package,
                what,
                "do without, or add it to TRUSTED in xtask/src/tidy/deps.rs",
            ));
        }
        if names.len() > MOST_DEPENDENCIES {
            let what = format!("{} has {} dependencies", package.name, names.len());
            findings.push(at(package, what, format!("keep to {MOST_DEPENDENCIES}")));
        }
    }
    findings
}

/// Libraries tell errors as types, not as text.
pub(super) fn errors_are_typed(packages: &[Package]) -> Vec<Finding> {
    let has_anyhow = |package: &&Package| normal(package).contains(&"anyhow");
    packages
        .iter()
        .filter(|package| package.publish && package.name != "mingle-agent")
        .filter(has_anyhow)
        .map(|package| at(package, "a library has anyhow", "make an error enum with thiserror"))
        .collect()
}

/// What a package that can't reach the machine it runs on is never compiled with.
const IMPURE: [&str; 14] = [
    "async-io",
    "chrono",
    "futures-timer",
    "getrandom",
    "mio",
    "parking_lot",
    "polling",
    "rand",
    "rustix",
    "smol",
    "socket2",
    "time",
    "tokio",
    "web-time",
];

/// Nothing that the pure packages are compiled with reads clocks, entropy or sockets.
pub(super) fn purity(reached: &BTreeMap<String, Vec<String>>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (package, names) in reached {
        for impure in IMPURE.iter().filter(|impure| names.iter().any(|name| name == *impure)) {
            let remedy =
                format!("see who brings it: cargo tree -p {package} -e normal -i {impure}");
            let what = format!("{package} is compiled with {impure}");
            findings.push(Finding::new("Cargo.lock", 1, what, remedy));
        }
    }
    findings
}

fn normal(package: &Package) -> Vec<&str> {
    let dependencies = package.dependencies.iter();
    dependencies.filter(|d| d.kind == Kind::Normal).map(|d| d.name.as_str()).collect()
}

fn at(package: &Package, what: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding::new(&package.manifest, 1, what, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::places;
    use crate::tidy::packages::Dependency;

    fn package(name: &str, dependencies: &[(&str, Kind)]) -> Package {
        let dependency = |&(name, kind): &(&str, Kind)| Dependency { name: name.to_owned(), kind };
        Package {
            name: name.to_owned(),
            manifest: format!("{name}/Cargo.toml"),
            publish: true,
            dependencies: dependencies.iter().map(dependency).collect(),
        }
    }

    #[test]
    fn a_dependency_against_the_direction_is_found() {
        let packages = [
            package("mingle-wire", &[("mingle-proto", Kind::Dev)]),
            package("mingle-proto", &[("mingle-wire", Kind::Normal), ("serde", Kind::Normal)]),
            package("mingle-interop", &[("mingle-agent", Kind::Normal)]),
            package("mingle-agent", &[]),
        ];
        let found = places(&direction(&packages));
        assert_eq!(found, ["mingle-wire/Cargo.toml:1", "mingle-interop/Cargo.toml:1"]);
    }

    #[test]
    fn a_package_without_a_place_is_found() {
        let found = places(&direction(&[package("mingle-new", &[])]));
        assert_eq!(found, ["mingle-new/Cargo.toml:1"]);
    }

    #[test]
    fn an_unknown_dependency_of_a_pure_package_is_found() {
        let packages = [
            package("mingle-wire", &[("serde", Kind::Normal), ("proptest", Kind::Dev)]),
            package("mingle-proto", &[("log", Kind::Normal)]),
            package("mingle", &[("tokio", Kind::Normal)]),
        ];
        assert_eq!(places(&pure_and_few(&packages)), ["mingle-proto/Cargo.toml:1"]);
    }

    #[test]
    fn an_eighth_dependency_of_a_pure_package_is_found() {
        let names: Vec<_> = TRUSTED.iter().take(8).map(|name| (*name, Kind::Normal)).collect();
        assert_eq!(pure_and_few(&[package("mingle-wire", &names[..7])]), []);
        let found = places(&pure_and_few(&[package("mingle-wire", &names)]));
        assert_eq!(found, ["mingle-wire/Cargo.toml:1"]);
    }

    #[test]
    fn a_library_with_errors_as_text_is_found() {
        let packages = [
            package("mingle", &[("anyhow", Kind::Normal)]),
            package("mingle-proto", &[("anyhow", Kind::Dev)]),
            package("mingle-agent", &[("anyhow", Kind::Normal)]),
        ];
        assert_eq!(places(&errors_are_typed(&packages)), ["mingle/Cargo.toml:1"]);
    }

    #[test]
    fn entropy_far_below_a_pure_package_is_found() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let reached = BTreeMap::from([
            ("mingle-wire".to_owned(), names(&["mingle-wire", "aes-gcm", "getrandom"])),
            ("mingle-proto".to_owned(), names(&["mingle-proto", "serde"])),
        ]);
        let findings = purity(&reached);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].to_string().contains("mingle-wire is compiled with getrandom"));
    }
}
