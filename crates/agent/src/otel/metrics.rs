use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mingle::Histogram;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram as Histograms, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric::Data,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;

use crate::metrics::{Family, Label, Sample, Values};

/// All numbers in one message, under the names that Prometheus has.
pub(super) fn request(
    families: &[Family],
    started: SystemTime,
    resource: &ResourceAttributesWithSchema,
) -> ExportMetricsServiceRequest {
    let times = Times { started: nanoseconds(started), now: nanoseconds(SystemTime::now()) };
    let metrics = families.iter().map(|family| metric(family, times)).collect();
    let scope = InstrumentationScope { name: "mingle".to_owned(), ..Default::default() };
    let scope_metrics = ScopeMetrics { scope: Some(scope), metrics, ..Default::default() };
    let resource = Resource { attributes: resource.attributes.0.clone(), ..Default::default() };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource),
            scope_metrics: vec![scope_metrics],
            ..Default::default()
        }],
    }
}

/// From when on and until when it was counted.
#[derive(Clone, Copy)]
struct Times {
    started: u64,
    now: u64,
}

fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn metric(Family { name, help, values }: &Family, times: Times) -> Metric {
    let points = |samples: &[Sample]| samples.iter().map(|sample| point(sample, times)).collect();
    let aggregation_temporality = AggregationTemporality::Cumulative.into();
    let data = match values {
        Values::Counters(samples) => {
            let data_points = points(samples);
            Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic: true })
        }
        Values::Gauges(samples) => Data::Gauge(Gauge { data_points: points(samples) }),
        Values::Histogram(histogram) => {
            let data_points = vec![durations(histogram, times)];
            Data::Histogram(Histograms { data_points, aggregation_temporality })
        }
    };
    Metric {
        name: name.clone(),
        description: (*help).to_owned(),
        unit: unit(name).to_owned(),
        data: Some(data),
        ..Default::default()
    }
}

/// The name says it, for those who look at names alone.
fn unit(name: &str) -> &'static str {
    let has = |word| name.split('_').any(|part| part == word);
    match () {
        () if has("seconds") => "s",
        () if has("microseconds") => "us",
        () if has("bytes") => "By",
        () => "",
    }
}

fn point(Sample { label, value }: &Sample, times: Times) -> NumberDataPoint {
    NumberDataPoint {
        attributes: label.iter().map(attribute).collect(),
        start_time_unix_nano: times.started,
        time_unix_nano: times.now,
        // A fingerprint may be too large for a whole number here, and is rounded as in Prometheus.
        value: Some(i64::try_from(*value).map_or(Value::AsDouble(*value as f64), Value::AsInt)),
        ..Default::default()
    }
}

fn attribute(Label { name, value }: &Label) -> KeyValue {
    let value = opentelemetry::Value::from(value.clone().into_owned());
    KeyValue { key: (*name).to_owned(), value: Some(value.into()), ..Default::default() }
}

/// Buckets without those below them, and one for what is longer than the last bound.
fn durations(histogram: &Histogram, times: Times) -> HistogramDataPoint {
    let Histogram { buckets, count, sum, .. } = histogram;
    let mut below = 0;
    let counts = buckets.iter().map(|bucket| bucket.count).chain([*count]).map(|up_to| {
        let here = up_to - below;
        below = up_to;
        here
    });
    HistogramDataPoint {
        start_time_unix_nano: times.started,
        time_unix_nano: times.now,
        count: *count,
        sum: Some(sum.as_secs_f64()),
        bucket_counts: counts.collect(),
        explicit_bounds: buckets.iter().map(|bucket| bucket.bound.as_secs_f64()).collect(),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_of_the_names() {
        let table = [
            ("mingle_uptime_seconds", "s"),
            ("mingle_loop_lag_max_microseconds", "us"),
            ("mingle_stream_bytes_in_total", "By"),
            ("mingle_probes_total", ""),
        ];
        for (name, expected) in table {
            assert_eq!(unit(name), expected, "{name}");
        }
    }
}
