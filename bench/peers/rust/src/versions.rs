//! The versions that this binary was built with.

const LOCK: &str = include_str!("../Cargo.lock");

/// The version of a package in `Cargo.lock`.
pub(crate) fn of(package: &str) -> &'static str {
    let entry = format!("\nname = \"{package}\"\nversion = \"");
    let (_, rest) = LOCK.split_once(&entry).expect("each system is a dependency");
    rest.split_once('"').expect("TOML strings end").0
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_system_has_one() {
        for package in ["mingle", "foca", "memberlist", "chitchat", "tokio"] {
            assert!(super::of(package).split('.').count() == 3, "{package}");
        }
        assert_eq!(super::of("chitchat"), "0.13.0");
    }
}
