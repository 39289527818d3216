use std::fmt::{Display, Write};

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use mingle::Histogram;

use super::Agent;
use super::openapi::Refusals;
use crate::metrics::{Family, Sample, Values, families};

/// `GET /metrics`, for Prometheus. No label has a value that a peer chooses.
#[utoipa::path(
    get,
    path = "/metrics",
    responses((status = 200, description = "For Prometheus", body = String), Refusals)
)]
pub(crate) async fn page(State(running): Agent) -> Response {
    let mut page = Page::default();
    for family in families(&running).await {
        page.add(&family);
    }
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, page.text).into_response()
}

/// Text in Prometheus' exposition format.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn add(&mut self, family: &Family) {
        let name = &family.name;
        match &family.values {
            Values::Counters(samples) => self.samples(family, "counter", samples),
            Values::Gauges(samples) => self.samples(family, "gauge", samples),
            Values::Histogram(histogram) => {
                self.describe(family, "histogram");
                self.histogram(name, histogram);
            }
        }
    }

    fn describe(&mut self, Family { name, help, .. }: &Family, kind: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}");
        let _ = writeln!(self.text, "# TYPE {name} {kind}");
    }

    fn samples(&mut self, family: &Family, kind: &str, samples: &[Sample]) {
        self.describe(family, kind);
        for Sample { label, value } in samples {
            let label = label.as_ref().map(|label| (label.name, &*label.value));
            self.sample(&family.name, label, value);
        }
    }

    fn histogram(&mut self, name: &str, histogram: &Histogram) {
        let Histogram { buckets, count, sum, .. } = histogram;
        let bucket = format!("{name}_bucket");
        for here in buckets {
            let bound = here.bound.as_secs_f64().to_string();
            self.sample(&bucket, Some(("le", &bound)), here.count);
        }
        self.sample(&bucket, Some(("le", "+Inf")), count);
        self.sample(&format!("{name}_sum"), None, sum.as_secs_f64());
        self.sample(&format!("{name}_count"), None, count);
    }

    fn sample(&mut self, name: &str, label: Option<(&str, &str)>, value: impl Display) {
        let _ = match label {
            Some((label, of)) => writeln!(self.text, "{name}{{{label}=\"{of}\"}} {value}"),
            None => writeln!(self.text, "{name} {value}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Label;

    #[test]
    fn a_family_is_described_once_before_its_samples() {
        let sample = |state: &'static str, value| Sample {
            label: Some(Label { name: "state", value: state.into() }),
            value,
        };
        let mut page = Page::default();
        page.add(&Family {
            name: "mingle_members".to_owned(),
            help: "Members known, by state.",
            values: Values::Gauges(vec![sample("alive", 2), sample("dead", 1)]),
        });
        assert_eq!(
            page.text,
            "# HELP mingle_members Members known, by state.\n\
             # TYPE mingle_members gauge\n\
             mingle_members{state=\"alive\"} 2\n\
             mingle_members{state=\"dead\"} 1\n"
        );
    }
}
