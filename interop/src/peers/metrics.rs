//! Metrics in Prometheus' text format.

use anyhow::{Context as _, Result};

/// The metrics of a mingle agent at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics(Vec<Sample>);

#[derive(Debug, Clone, PartialEq)]
struct Sample {
    name: String,
    /// What stands between the braces, verbatim.
    labels: String,
    value: f64,
}

impl Metrics {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(Sample::parse).collect::<Result<_>>().map(Self)
    }

    /// The value of `name`, summed over all its labels.
    ///
    /// # Errors
    ///
    /// When there is none of that name: a check for zero must not pass because a name has changed.
    pub fn sum(&self, name: &str) -> Result<f64> {
        let mut found = self.0.iter().filter(|sample| sample.name == name).peekable();
        found.peek().with_context(|| format!("there is no metric {name}"))?;
        Ok(found.map(|sample| sample.value).sum())
    }

    /// The value of `name` where the label `reason` has this value.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn by_reason(&self, name: &str, reason: &str) -> Result<f64> {
        let label = format!("reason=\"{reason}\"");
        let is_it = |sample: &&Sample| sample.name == name && sample.labels.contains(&label);
        let found = self.0.iter().find(is_it);
        Ok(found.with_context(|| format!("there is no metric {name}{{{label}}}"))?.value)
    }
}

impl Sample {
    fn parse(line: &str) -> Result<Self> {
        let malformed = || format!("{line:?} is no metric");
        let (key, value) = line.rsplit_once(' ').with_context(malformed)?;
        let (name, labels) = key.split_once('{').unwrap_or((key, ""));
        let labels = labels.strip_suffix('}').unwrap_or(labels);
        let value = value.parse().with_context(malformed)?;
        Ok(Self { name: name.to_owned(), labels: labels.to_owned(), value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP a_total Something.\n# TYPE a_total counter\na_total{reason=\"x\"} 2\na_total{reason=\"y\"} 3\nb 0.5\n";

    #[test]
    fn values_are_found_by_name_and_reason() {
        let metrics = Metrics::parse(TEXT).unwrap();
        assert_eq!(metrics.sum("a_total").unwrap(), 5.0);
        assert_eq!(metrics.by_reason("a_total", "y").unwrap(), 3.0);
        assert_eq!(metrics.sum("b").unwrap(), 0.5);
    }

    #[test]
    fn what_is_not_there_is_an_error_and_not_zero() {
        let metrics = Metrics::parse(TEXT).unwrap();
        assert!(metrics.sum("c").is_err());
        assert!(metrics.by_reason("a_total", "z").is_err());
        assert!(Metrics::parse("a b c").is_err());
    }
}
