use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mingle::{Decided, Decisions, Item};
use opentelemetry::trace::{Span, Tracer};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracer, SpanData, SpanProcessor};

use super::collector::{Collector, Trouble};

/// Spans that have ended, and wait to be sent. When there are too many, the oldest go.
#[derive(Clone, Debug, Default)]
pub(super) struct Spans(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    spans: VecDeque<SpanData>,
    lost: u64,
}

/// Mostly about two megabytes.
const MAX_WAITING: usize = 2048;
/// Bytes of a text, some of which peers have written.
const MAX_TEXT: usize = 4096;
/// In one message.
const MAX_AT_ONCE: usize = 512;

impl SpanProcessor for Spans {
    fn on_start(&self, _: &mut opentelemetry_sdk::trace::Span, _: &Context) {}

    fn on_end(&self, mut span: SpanData) {
        span.attributes.iter_mut().for_each(|attribute| cut_off(&mut attribute.value));
        let mut waiting = self.waiting();
        if waiting.spans.len() == MAX_WAITING {
            waiting.spans.pop_front();
            waiting.lost += 1;
        }
        waiting.spans.push_back(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl Spans {
    /// Sends those that wait now. Those that may be taken later wait on.
    pub(super) fn send(
        &self,
        collector: &Collector,
        resource: &ResourceAttributesWithSchema,
    ) -> Result<(), Trouble> {
        for _ in 0..MAX_WAITING / MAX_AT_ONCE {
            let batch = self.take();
            if batch.is_empty() {
                break;
            }
            let resource_spans = group_spans_by_resource_and_scope(batch.clone(), resource);
            let request = ExportTraceServiceRequest { resource_spans };
            let result = collector.send("/v1/traces", &request);
            match &result {
                Ok(()) => {}
                Err(Trouble::Away(_)) => self.put_back(batch),
                Err(Trouble::Refused(_)) => self.waiting().lost += count(&batch),
            }
            result?;
        }
        Ok(())
    }

    /// How many nobody has got since this was asked last.
    pub(super) fn take_lost(&self) -> u64 {
        std::mem::take(&mut self.waiting().lost)
    }

    fn take(&self) -> Vec<SpanData> {
        let spans = &mut self.waiting().spans;
        let first = spans.len().min(MAX_AT_ONCE);
        spans.drain(..first).collect()
    }

    /// Where they were; the oldest go where others have taken their room.
    fn put_back(&self, mut batch: Vec<SpanData>) {
        let mut waiting = self.waiting();
        let room = MAX_WAITING - waiting.spans.len();
        let lost = batch.len().saturating_sub(room);
        waiting.lost += count(&batch[..lost]);
        for span in batch.drain(lost..).rev() {
            waiting.spans.push_front(span);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // A panic elsewhere leaves it whole: it is changed in single steps.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cut_off(value: &mut Value) {
    if let Value::String(text) = value
        && text.as_str().len() > MAX_TEXT
    {
        let text = text.as_str();
        *value = text[..text.floor_char_boundary(MAX_TEXT)].to_owned().into();
    }
}

fn count(spans: &[SpanData]) -> u64 {
    u64::try_from(spans.len()).unwrap_or(u64::MAX)
}

/// A span without a length for whatever the node decides, until it stops: they happen within no work of ours.
pub(super) async fn of_decisions(mut decisions: Decisions, tracer: SdkTracer) {
    while let Some(item) = decisions.next().await {
        // What went by is counted in `decisions_missed`.
        let Item::Item(decision) = item else { continue };
        let name = match &decision.what {
            Decided::Member(change) => format!("member {}", change.change.as_str()),
            what => what.kind().as_str().replace('_', " "),
        };
        let mut attributes = vec![KeyValue::new("text", decision.what.to_string())];
        if let Some(member) = member(&decision.what) {
            attributes.push(KeyValue::new("member", member.to_owned()));
        }
        let span = tracer.span_builder(name).with_start_time(decision.at);
        span.with_attributes(attributes).start(&tracer).end_with_timestamp(decision.at);
    }
}

/// Whom it is about.
fn member(what: &Decided) -> Option<&str> {
    match what {
        Decided::Member(change) => Some(&change.name),
        Decided::Conflict { name, .. }
        | Decided::LinkDegraded { name, .. }
        | Decided::LinkRestored { name, .. } => Some(name),
        Decided::Refuted { .. }
        | Decided::Health { .. }
        | Decided::Late { .. }
        | Decided::Reconnect { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    fn names(spans: &[SpanData]) -> Vec<&str> {
        spans.iter().map(|span| &*span.name).collect()
    }

    #[test]
    fn of_too_many_spans_the_oldest_go_and_are_counted() {
        let spans = Spans::default();
        let provider = SdkTracerProvider::builder().with_span_processor(spans.clone()).build();
        let end = |name: String| provider.tracer("test").start(name).end();
        (0..MAX_WAITING + 3).for_each(|number| end(number.to_string()));
        assert_eq!(spans.take_lost(), 3);
        let batch = spans.take();
        assert_eq!((batch.len(), names(&batch[..2])), (MAX_AT_ONCE, vec!["3", "4"]));
        end("last".to_owned());
        spans.put_back(batch);
        assert_eq!((spans.take_lost(), spans.waiting().spans.len()), (1, MAX_WAITING));
        assert_eq!(names(&spans.take()[..2]), ["4", "5"]);
    }

    #[test]
    fn long_texts_are_cut_off_between_letters() {
        let cut = |text: String| {
            let mut value = text.into();
            cut_off(&mut value);
            value.as_str().len()
        };
        assert_eq!(cut("x".repeat(MAX_TEXT)), MAX_TEXT);
        assert_eq!(cut("x".repeat(MAX_TEXT + 1)), MAX_TEXT);
        assert_eq!(cut("é".repeat(MAX_TEXT) + "x"), MAX_TEXT);
        assert_eq!(cut("x".to_owned() + &"é".repeat(MAX_TEXT)), MAX_TEXT - 1);
        assert_eq!(cut("short".to_owned()), 5);
    }
}
