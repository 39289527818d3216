//! What a collector was told, in the words of Prometheus.

use std::collections::BTreeMap;

/// Values by name and label, as a page of metrics has them, and the types of families with 0.
pub(super) type Samples = BTreeMap<String, f64>;

/// What a collector prints, read again.
#[derive(Debug)]
pub(super) struct Told {
    /// Each message with metrics, the latest last.
    pub(super) metrics: Vec<Message>,
    pub(super) spans: Vec<Span>,
}

#[derive(Debug)]
pub(super) struct Message {
    /// What it is about, a line each.
    pub(super) resource: Vec<String>,
    pub(super) samples: Samples,
}

#[derive(Debug)]
pub(super) struct Span {
    pub(super) name: String,
    /// `key: Str(value)`
    pub(super) attributes: Vec<String>,
}

impl Told {
    pub(super) fn read(text: &str) -> Self {
        let metrics = text.split("ResourceMetrics #").skip(1).map(message).collect();
        Self { metrics, spans: text.split("\nSpan #").skip(1).map(span).collect() }
    }

    /// Whether there is such a span, with such an attribute.
    pub(super) fn has_span(&self, name: &str, attribute: &str) -> bool {
        self.spans.iter().any(|span| {
            span.name == name && span.attributes.iter().any(|it| it.starts_with(attribute))
        })
    }
}

/// The lines of a part, without what makes it a list.
fn lines(part: &str) -> impl Iterator<Item = &str> {
    let end = part.find("ResourceSpans #").unwrap_or(part.len());
    part[..end].lines().map(|line| line.trim_start_matches([' ', '-', '>']))
}

fn span(part: &str) -> Span {
    let name = lines(part).find_map(|line| line.strip_prefix("Name           : "));
    let attributes = lines(part).filter(|line| line.contains(": Str(") || line.contains(": Int("));
    Span {
        name: name.unwrap_or_default().to_owned(),
        attributes: attributes.map(str::to_owned).collect(),
    }
}

fn message(part: &str) -> Message {
    let resource = lines(part).take_while(|line| !line.starts_with("ScopeMetrics"));
    let resource = resource.map(str::to_owned).collect();
    let mut samples = Samples::new();
    let (mut name, mut label, mut bounds, mut below) = ("", String::new(), Vec::new(), 0.0);
    for (key, value) in lines(part).filter_map(|line| line.split_once(": ")) {
        let number = value.parse().unwrap_or(f64::NAN);
        match key {
            "Name" => (name, bounds, below) = (value, Vec::new(), 0.0),
            "DataType" => {
                label.clear();
                samples.insert(format!("# TYPE {name} {}", family(value)), 0.0);
            }
            "Value" => drop(samples.insert(format!("{name}{label}"), number)),
            "Count" => drop(samples.insert(format!("{name}_count"), number)),
            "Sum" => drop(samples.insert(format!("{name}_sum"), number)),
            _ if key.starts_with("ExplicitBounds") => bounds.push(value),
            _ if key.starts_with("Buckets") => {
                below += number;
                let mut above = bounds.drain(..1.min(bounds.len()));
                let bound = above.next().unwrap_or("+Inf");
                samples.insert(format!("{name}_bucket{{le=\"{bound}\"}}"), below);
            }
            _ => {
                if let Some(value) = value.strip_prefix("Str(").and_then(|it| it.strip_suffix(')'))
                {
                    label = format!("{{{key}=\"{value}\"}}");
                }
            }
        }
    }
    Message { resource, samples }
}

const fn family(kind: &str) -> &str {
    match kind.as_bytes() {
        b"Sum" => "counter",
        b"Gauge" => "gauge",
        b"Histogram" => "histogram",
        _ => kind,
    }
}

/// A page of metrics in the same shape.
pub(super) fn page(text: &str) -> Samples {
    let sample = |line: &str| {
        if line.starts_with("# TYPE") {
            return Some((line.to_owned(), 0.0));
        }
        let (name, value) = line.rsplit_once(' ').filter(|_| !line.starts_with('#'))?;
        Some((name.to_owned(), value.parse().unwrap_or(f64::NAN)))
    };
    text.lines().filter_map(sample).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "\
ResourceMetrics #0
Resource attributes:
     -> service.name: Str(mingle)
ScopeMetrics #0
Metric #0
Descriptor:
     -> Name: members
     -> Description: Members: all.
     -> DataType: Gauge
NumberDataPoints #0
Data point attributes:
     -> state: Str(alive)
Timestamp: 7
Value: 2
Metric #1
     -> Name: probes_total
     -> DataType: Sum
Value: 3
Metric #2
     -> Name: took_seconds
     -> DataType: Histogram
Count: 3
Sum: 0.5
ExplicitBounds #0: 0.25
Buckets #0, Count: 1
Buckets #1, Count: 2
ResourceSpans #0
Span #0
    Parent ID      : 0
    Name           : join
Attributes:
     -> peer: Str(127.0.0.1:1)
";

    #[test]
    fn what_was_told_reads_as_a_page_of_metrics() {
        let told = Told::read(PRINTED);
        let [Message { resource, samples }] = &told.metrics[..] else { panic!("{told:?}") };
        assert_eq!(resource.last().map(String::as_str), Some("service.name: Str(mingle)"));
        let expected = "\
# HELP members Members: all.
# TYPE members gauge
members{state=\"alive\"} 2
# TYPE probes_total counter
probes_total 3
# TYPE took_seconds histogram
took_seconds_bucket{le=\"0.25\"} 1
took_seconds_bucket{le=\"+Inf\"} 3
took_seconds_sum 0.5
took_seconds_count 3
";
        assert_eq!(*samples, page(expected));
    }

    #[test]
    fn spans_are_found_by_name_and_attribute() {
        let told = Told::read(PRINTED);
        assert!(told.has_span("join", "peer: Str(127.0.0.1:1)"));
        assert!(!told.has_span("join", "peer: Str(127.0.0.1:2)"));
        assert!(!told.has_span("leave", ""));
    }
}
