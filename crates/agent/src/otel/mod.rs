//! Metrics and spans for an OpenTelemetry collector, by OTLP over HTTP.
//!
//! One task sends both in turns. Metrics are read when they are sent; spans wait for their turn in bounded
//! space, also while the collector is away. Nothing else of the agent waits for any of it.

mod collector;
mod metrics;
mod spans;

use std::mem::discriminant;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tracing::level_filters::LevelFilter;
use tracing::{Subscriber, info, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

pub(crate) use self::collector::Collector;
use self::collector::Trouble;
use self::spans::Spans;
use crate::agent::Running;
use crate::metrics::families;

/// What is exported, and to whom.
pub(crate) struct Export {
    collector: Arc<Collector>,
    spans: Spans,
    provider: SdkTracerProvider,
    resource: Arc<ResourceAttributesWithSchema>,
    /// What was said in the log.
    trouble: Option<Trouble>,
}

/// What all of it is about. `OTEL_RESOURCE_ATTRIBUTES` may say more.
fn resource(node: &str) -> Resource {
    Resource::builder()
        .with_service_name("mingle")
        .with_attribute(KeyValue::new("service.instance.id", node.to_owned()))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Of one span; the joins of 64 addresses have room.
const MAX_EVENTS: u32 = 128;

impl Export {
    fn new(collector: Collector, node: &str) -> Self {
        let spans = Spans::default();
        let resource = resource(node);
        let attributes = ResourceAttributesWithSchema::from(&resource);
        let provider = SdkTracerProvider::builder()
            .with_span_processor(spans.clone())
            .with_resource(resource)
            .with_max_events_per_span(MAX_EVENTS)
            .build();
        let collector = Arc::new(collector);
        Self { collector, spans, provider, resource: Arc::new(attributes), trouble: None }
    }

    /// Makes OpenTelemetry's spans of ours, and of the events in them.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("mingle"))
            .with_location(false)
            .with_target(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(Targets::new().with_target("mingle", LevelFilter::INFO))
    }

    /// Exports from now on.
    pub(crate) fn start(self, running: &Arc<Running>) -> Exporting {
        let tracer = self.provider.tracer("mingle");
        // Ends with the node.
        tokio::spawn(spans::of_decisions(running.cluster.decisions(), tracer));
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(self.keep_sending(Arc::clone(running), stopped));
        Exporting { stop, task }
    }

    async fn keep_sending(mut self, running: Arc<Running>, mut stopped: oneshot::Receiver<()>) {
        let started = SystemTime::now() - running.started.elapsed();
        let mut turns = tokio::time::interval(self.collector.every);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        info!(collector = %self.collector, every = ?self.collector.every, "exporting metrics and traces");
        loop {
            let is_last = tokio::select! {
                _ = turns.tick() => false,
                _ = &mut stopped => true,
            };
            if is_last && matches!(self.trouble, Some(Trouble::Away(_))) {
                return;
            }
            let result = self.send(&running, started).await;
            self.tell(result);
            if is_last {
                return;
            }
        }
    }

    async fn send(&self, running: &Running, started: SystemTime) -> Result<(), Trouble> {
        let metrics = metrics::request(&families(running).await, started, &self.resource);
        let (collector, spans) = (Arc::clone(&self.collector), self.spans.clone());
        let resource = Arc::clone(&self.resource);
        let sending = tokio::task::spawn_blocking(move || {
            let metrics = collector.send("/v1/metrics", &metrics);
            if matches!(metrics, Err(Trouble::Away(_))) {
                return metrics;
            }
            // Who refuses metrics may want spans.
            let spans = spans.send(&collector, &resource);
            metrics.and(spans)
        });
        // It is only broken off when the process ends.
        sending.await.unwrap_or(Ok(()))
    }

    /// Says once that something is wrong, and once that it is over; and what was too much for one turn.
    fn tell(&mut self, result: Result<(), Trouble>) {
        let Self { collector, trouble: told, .. } = self;
        let spans_lost = if result.is_ok() { self.spans.take_lost() } else { 0 };
        match (&*told, result) {
            (None, Ok(())) if spans_lost == 0 => {}
            (None, Ok(())) => warn!(spans_lost, "more spans came than wait for one export"),
            (Some(_), Ok(())) => {
                info!(%collector, spans_lost, "metrics and traces are exported again");
                *told = None;
            }
            (Some(told), Err(trouble)) if discriminant(told) == discriminant(&trouble) => {}
            (_, Err(trouble)) => {
                let again_every = collector.every;
                warn!(%collector, %trouble, ?again_every, "metrics and traces can't be exported");
                *told = Some(trouble);
            }
        }
    }
}

/// An export that runs.
pub(crate) struct Exporting {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// How long the last words may take.
const LAST_WORDS: Duration = Duration::from_secs(2);

impl Exporting {
    /// Sends what there is a last time, unless the collector is away.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        // A collector that does not answer does not keep the agent.
        let _ = tokio::time::timeout(LAST_WORDS, self.task).await;
    }
}
