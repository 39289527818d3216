/// Lines that are shown before and after a difference.
const AROUND: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Same,
    Missing,
    New,
}

/// How two texts differ, line by line: `-` stands only in the first, `+` only in the second. `None`
/// when they are equal.
#[must_use]
pub fn difference(recorded: &str, replayed: &str) -> Option<String> {
    if recorded == replayed {
        return None;
    }
    let old: Vec<&str> = recorded.lines().collect();
    let new: Vec<&str> = replayed.lines().collect();
    let lines = align(&old, &new);
    let near = |place: usize| {
        let from = place.saturating_sub(AROUND);
        let to = (place + AROUND + 1).min(lines.len());
        lines[from..to].iter().any(|(kind, _)| *kind != Kind::Same)
    };
    let mut text = String::new();
    let mut skipped = false;
    for (place, (kind, line)) in lines.iter().enumerate() {
        if !near(place) {
            skipped = true;
            continue;
        }
        if std::mem::take(&mut skipped) {
            text.push_str("  ...\n");
        }
        let sign = match kind {
            Kind::Same => ' ',
            Kind::Missing => '-',
            Kind::New => '+',
        };
        text.push_str(&format!("{sign} {line}\n"));
    }
    Some(text)
}

/// The longest common subsequence, with what is only in one of both in its place.
fn align<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<(Kind, &'t str)> {
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push((Kind::Same, old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            lines.push((Kind::Missing, old[i]));
            i += 1;
        } else {
            lines.push((Kind::New, new[j]));
            j += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_shown_with_what_is_around_it() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n";
        let new = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n";
        let expected = "  ...\n  3\n  4\n- 5\n+ five\n  6\n  7\n  8\n+ 9\n";
        assert_eq!(difference(old, new).unwrap(), expected);
    }
}
