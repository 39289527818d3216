//! Enough of Rust's shape to read its files line by line.

use super::tree::File;

/// The lines of code, without comments at their ends, counted from 1.
pub(super) fn code(file: &File) -> impl Iterator<Item = (usize, &str)> {
    file.lines().map(|(number, line)| (number, without_comment(line)))
}

/// The lines of code before the test module at the end of a file.
pub(super) fn product_code(file: &File) -> impl Iterator<Item = (usize, &str)> {
    code(file).take(lines_before_tests(file.text()))
}

/// How many lines come before the test module at the end of a file.
pub(super) fn lines_before_tests(text: &str) -> usize {
    let lines: Vec<_> = text.lines().collect();
    let is_start = |pair: &[&str]| pair[0] == "#[cfg(test)]" && is_inline_module(pair[1]);
    lines.windows(2).position(is_start).unwrap_or(lines.len())
}

fn is_inline_module(line: &str) -> bool {
    line.starts_with("mod ") && line.ends_with('{')
}

/// The modules of which a file says that they are compiled for tests only.
pub(super) fn test_modules(text: &str) -> impl Iterator<Item = &str> {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let modules: Vec<_> = lines
        .windows(2)
        .filter(|pair| pair[0] == "#[cfg(test)]")
        .filter_map(|pair| pair[1].split("mod ").nth(1)?.strip_suffix(';'))
        .collect();
    modules.into_iter()
}

fn without_comment(line: &str) -> &str {
    let start = line
        .match_indices("//")
        .map(|(at, _)| at)
        .find(|&at| line[..at].trim_end().is_empty() || line[..at].ends_with(char::is_whitespace));
    &line[..start.unwrap_or(line.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_no_code_but_addresses_are() {
        assert_eq!(without_comment("let a = 1; // one"), "let a = 1; ");
        assert_eq!(without_comment("    /// doc"), "    ");
        assert_eq!(without_comment("let url = \"http://a\";"), "let url = \"http://a\";");
    }

    #[test]
    fn tests_start_at_their_module() {
        let text = "fn a() {}\n#[cfg(test)]\nfn b() {}\n\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(lines_before_tests(text), 4);
        assert_eq!(lines_before_tests("fn a() {}\n"), 1);
    }

    #[test]
    fn modules_for_tests_are_known() {
        let text = "mod a;\n#[cfg(test)]\nmod b;\n#[cfg(test)]\npub(crate) mod c;\n";
        assert_eq!(test_modules(text).collect::<Vec<_>>(), ["b", "c"]);
    }
}
