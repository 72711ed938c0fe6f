//! What is measured on the exchange, as OpenMetrics.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use http::{Method, StatusCode};
use landline_link::CallRecord;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::config::Class;
use crate::db::outbox;
use crate::presence;
use crate::state::Exchange;

/// Media type of the metrics text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabels {
    class: ClassValue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct ClassValue(Class);

impl EncodeLabelValue for ClassValue {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        encoder.write_str(self.0.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerdictLabels {
    verdict: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabels {
    status: u16,
}

/// Seconds; what a database on the same machine answers in sits in the middle.
const BUCKETS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

fn histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

/// The exchange's metrics.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    limited: Family<ClassLabels, Counter>,
    calls: Family<StatusLabels, Counter>,
    probes: Family<VerdictLabels, Counter>,
    /// Batches of reports of lines that were applied.
    pub batches: Counter,
    /// Batches of such reports that had been applied before.
    pub batches_repeated: Counter,
    /// Records of calls that had been stored before.
    pub records_repeated: Counter,
    /// Records of calls that a switch had and lost.
    pub records_missing: Counter,
    /// Agents that were brought into the search index, again, or taken out.
    pub indexed: Counter,
    /// Times that the search index could not follow the directory.
    pub index_failures: Counter,
    /// Times that the embeddings endpoint gave no vectors.
    pub embedding_failures: Counter,
    /// Agents with a vector in memory.
    pub vectors: Gauge,
    attached: Gauge,
    lines: Gauge,
    listeners: Gauge,
    revision: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Metrics at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("landline_exchange");
        let requests = Family::default();
        registry.register("http_requests", "Requests by method, route and status", requests.clone());
        let seconds: Family<_, _, fn() -> Histogram> = Family::new_with_constructor(histogram as fn() -> Histogram);
        registry.register("http_request_seconds", "Time to the answer's head, by route", seconds.clone());
        let limited = Family::default();
        registry.register("rate_limited", "Requests refused by a rate limit, by class", limited.clone());
        let calls = Family::default();
        registry.register("calls", "Calls reported by switches or dispatched here, by status", calls.clone());
        let probes = Family::default();
        registry.register("probes", "Probes of agents with a URL, by verdict", probes.clone());
        let batches = Counter::default();
        registry.register("report_batches", "Batches of reports of lines that were applied", batches.clone());
        let batches_repeated = Counter::default();
        registry.register("report_batches_repeated", "Of such, applied before", batches_repeated.clone());
        let records_repeated = Counter::default();
        registry.register("records_repeated", "Records of calls that were stored before", records_repeated.clone());
        let records_missing = Counter::default();
        let help = "Records of calls that are missing in what a switch sent: its disk lost them";
        registry.register("records_missing", help, records_missing.clone());
        let (indexed, index_failures) = (Counter::default(), Counter::default());
        registry.register("search_indexed", "Agents brought into the search index, or taken out", indexed.clone());
        let help = "Times that the search index could not follow the directory";
        registry.register("search_index_failures", help, index_failures.clone());
        let (embedding_failures, vectors) = (Counter::default(), Gauge::default());
        let help = "Times that the embeddings endpoint gave no vectors";
        registry.register("embedding_failures", help, embedding_failures.clone());
        registry.register("embedded_agents", "Agents that discovery knows by meaning", vectors.clone());
        let (attached, lines, listeners, revision) =
            (Gauge::default(), Gauge::default(), Gauge::default(), Gauge::default());
        registry.register("agents_attached", "Agents that hold a line", attached.clone());
        registry.register("lines", "Lines that are up", lines.clone());
        registry.register("event_listeners", "Listeners of the event stream", listeners.clone());
        registry.register("outbox_revision", "The last revision of the outbox", revision.clone());
        Self {
            registry,
            requests,
            seconds,
            limited,
            calls,
            probes,
            batches,
            batches_repeated,
            records_repeated,
            records_missing,
            indexed,
            index_failures,
            embedding_failures,
            vectors,
            attached,
            lines,
            listeners,
            revision,
        }
    }

    /// Counts a request. `route` is the pattern, not the path: labels must stay few.
    pub(crate) fn request(&self, method: &Method, route: Option<&str>, status: StatusCode, took: Duration) {
        let route = route.unwrap_or("none").to_owned();
        let known = matches!(method.as_str(), "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS");
        let method = if known { method.as_str().to_owned() } else { "other".to_owned() };
        let labels = RequestLabels { method, route: route.clone(), status: status.as_u16() };
        self.requests.get_or_create(&labels).inc();
        self.seconds.get_or_create(&RouteLabels { route }).observe(took.as_secs_f64());
    }

    /// Counts a request that a rate limit refused.
    pub(crate) fn limited(&self, class: Class) {
        self.limited.get_or_create(&ClassLabels { class: ClassValue(class) }).inc();
    }

    /// Counts a probe.
    pub(crate) fn probed(&self, verdict: &'static str) {
        self.probes.get_or_create(&VerdictLabels { verdict }).inc();
    }

    /// Counts a call that was dispatched here.
    pub(crate) fn dispatched(&self, call: &CallRecord) {
        self.calls.get_or_create(&StatusLabels { status: call.status_code }).inc();
    }

    /// Counts calls that switches reported.
    pub(crate) fn recorded(&self, calls: &[&CallRecord]) {
        // Statuses are few, and each costs a lock.
        let mut statuses = BTreeMap::<u16, u64>::new();
        calls.iter().for_each(|call| *statuses.entry(call.status_code).or_default() += 1);
        for (status, count) in statuses {
            self.calls.get_or_create(&StatusLabels { status }).inc_by(count);
        }
    }
}

/// The metrics as text. Gauges that live in the database are read now; if it does not answer they keep their last value.
pub(crate) async fn text(exchange: &Exchange) -> String {
    let metrics = &exchange.metrics;
    metrics.listeners.set(i64::try_from(exchange.events.listeners()).unwrap_or(i64::MAX));
    let set = |gauge: &Gauge, value: Option<u64>| {
        if let Some(value) = value {
            gauge.set(value.min(i64::MAX as u64).cast_signed());
        }
    };
    set(&metrics.attached, presence::ops::attached(exchange).await.ok());
    set(&metrics.lines, presence::ops::lines(exchange).await.ok());
    set(&metrics.revision, outbox::cursor(exchange).await.ok().map(|cursor| cursor.revision));
    let mut text = String::new();
    if encode(&mut text, &metrics.registry).is_err() {
        text.clear();
        let _ = writeln!(text, "# EOF");
    }
    text
}
