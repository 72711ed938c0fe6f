//! What the switch counts, for Prometheus. Each core writes its own numbers at each tick; a scrape reads them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use landline_engine::Stats;
use landline_uplink::UplinkFigures;
use landline_wire::bounds::Bound;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::core::Shared;
use crate::tls::{Counts, Reason};

/// One core's numbers.
#[derive(Debug, Default)]
pub(crate) struct CoreGauges {
    pub(crate) lines: AtomicU64,
    pub(crate) calls_open: AtomicU64,
    pub(crate) held_bytes: AtomicU64,
    pub(crate) http_connections: AtomicU64,
    pub(crate) busy_connections: AtomicU64,
    /// Body bytes of the call that holds most.
    pub(crate) largest_call: AtomicU64,
    attached: AtomicU64,
    calls: AtomicU64,
    ended: AtomicU64,
    refused: AtomicU64,
    strays: AtomicU64,
    violations: AtomicU64,
    tokens_verified: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    reached: ReachedOfCore,
}

/// How often each bound was reached on one core.
#[derive(Debug)]
struct ReachedOfCore([AtomicU64; Bound::COUNT]);

impl Default for ReachedOfCore {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; Bound::COUNT])
    }
}

impl CoreGauges {
    pub(crate) fn store(&self, stats: &Stats) {
        for (place, value) in [
            (&self.attached, stats.attached),
            (&self.calls, stats.calls),
            (&self.ended, stats.ended),
            (&self.refused, stats.refused),
            (&self.strays, stats.strays),
            (&self.violations, stats.violations),
            (&self.tokens_verified, stats.tokens_verified),
            (&self.bytes_in, stats.bytes_in),
            (&self.bytes_out, stats.bytes_out),
        ] {
            place.store(value, Ordering::Relaxed);
        }
        for bound in Bound::ALL {
            self.reached.0[*bound as usize].store(stats.reached.of(*bound), Ordering::Relaxed);
        }
    }
}

/// Reads all cores' numbers when scraped.
struct SwitchCollector(Arc<Shared>);

impl std::fmt::Debug for SwitchCollector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SwitchCollector")
    }
}

const BOUNDS_HELP: &str = "How often each bound was reached; the page of limits says what happens there";

type Reading = fn(&CoreGauges) -> &AtomicU64;

const GAUGES: [(&str, &str, Reading); 5] = [
    ("landline_lines", "Lines that are up", |core| &core.lines),
    ("landline_calls_open", "Calls in flight", |core| &core.calls_open),
    ("landline_held_bytes", "Bytes that wait for lines' sockets, and of bodies that are not complete", |core| {
        &core.held_bytes
    }),
    ("landline_http_connections", "HTTP connections", |core| &core.http_connections),
    ("landline_busy_connections", "Connections that are listened to with a buffer in hand", |core| {
        &core.busy_connections
    }),
];

const COUNTERS: [(&str, &str, Reading); 9] = [
    ("landline_lines_attached", "Lines that became ready", |core| &core.attached),
    ("landline_calls", "Calls placed on a line", |core| &core.calls),
    ("landline_calls_ended", "Calls that ended, whatever the outcome", |core| &core.ended),
    ("landline_calls_refused", "Calls refused before they reached a line", |core| &core.refused),
    ("landline_stray_frames", "Frames for calls that were not open on their session", |core| &core.strays),
    ("landline_violations", "Sessions ended for a broken protocol", |core| &core.violations),
    ("landline_tokens_verified", "Tokens whose signature was looked at", |core| &core.tokens_verified),
    ("landline_body_bytes_to_agents", "Body bytes relayed towards agents", |core| &core.bytes_in),
    ("landline_body_bytes_to_callers", "Body bytes relayed back", |core| &core.bytes_out),
];

impl Collector for SwitchCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let shared = &self.0;
        for (name, help, read) in GAUGES {
            let total: u64 = shared.gauges.iter().map(|core| read(core).load(Ordering::Relaxed)).sum();
            gauge(&mut encoder, name, help, total as i64)?;
        }
        for (name, help, read) in COUNTERS {
            let total: u64 = shared.gauges.iter().map(|core| read(core).load(Ordering::Relaxed)).sum();
            counter(&mut encoder, name, help, total)?;
        }
        bounds(&mut encoder, shared)?;
        let largest = shared.gauges.iter().map(|core| core.largest_call.load(Ordering::Relaxed)).max().unwrap_or(0);
        let help = "Body bytes of the call that holds most, looked at once a second";
        gauge(&mut encoder, "landline_call_held_bytes_max", help, largest as i64)?;
        let refused = shared.refused_sockets.load(Ordering::Relaxed);
        counter(&mut encoder, "landline_sockets_refused", "Sockets refused because too many had not spoken", refused)?;
        gauge(&mut encoder, "landline_sockets_pending", "Sockets that have not spoken", shared.admission.len() as i64)?;
        gauge(&mut encoder, "landline_cores", "Cores that serve", shared.cores as i64)?;
        let uring = i64::from(shared.driver == crate::config::Driver::IoUring);
        gauge(&mut encoder, "landline_io_uring", "1 if the cores wait with io_uring, 0 if with epoll", uring)?;
        if let Some(tls) = &shared.config.tls {
            tls_metrics(&mut encoder, tls.counts())?;
        }
        if let Some(metrics) = shared.uplink_metrics.get() {
            link_metrics(&mut encoder, &metrics.figures())?;
        }
        Ok(())
    }
}

/// How often each bound was reached: on the cores, on the uplink's thread, or by what all cores share.
fn bounds(encoder: &mut DescriptorEncoder<'_>, shared: &Shared) -> Result<(), std::fmt::Error> {
    let link = shared.uplink_metrics.get().map(|metrics| metrics.figures());
    let mut family = encoder.encode_descriptor("landline_bound_reached", BOUNDS_HELP, None, MetricType::Counter)?;
    for bound in Bound::ALL {
        let on_cores = shared.gauges.iter().map(|core| core.reached.0[*bound as usize].load(Ordering::Relaxed));
        let elsewhere = match bound {
            Bound::Cards => shared.cards.forgotten(),
            Bound::Passes => link.map_or(0, |link| link.passes_refused),
            Bound::LinkLookups => link.map_or(0, |link| link.lookups_queued),
            _ => 0,
        };
        let metric = ConstCounter::new(on_cores.sum::<u64>() + elsewhere);
        metric.encode(family.encode_family(&[("bound", bound.label())])?)?;
    }
    Ok(())
}

fn link_metrics(encoder: &mut DescriptorEncoder<'_>, link: &UplinkFigures) -> Result<(), std::fmt::Error> {
    gauge(encoder, "landline_link_up", "Is the exchange in reach", i64::from(link.connected))?;
    counter(encoder, "landline_link_connections", "Link connections that came up", link.connections)?;
    let help = "Records of calls and reports of lines that wait for the exchange";
    gauge(encoder, "landline_reports_waiting", help, link.waiting as i64)?;
    let help = "Records and reports that the exchange acknowledged";
    counter(encoder, "landline_reports", help, link.reports_acknowledged)?;
    spool_metrics(encoder, link)?;
    counter(encoder, "landline_lookups", "Questions to the exchange", link.lookups)?;
    let help = "Questions that waited for the answer to the same one";
    counter(encoder, "landline_lookups_joined", help, link.lookups_joined)?;
    counter(encoder, "landline_lookups_failed", "Questions without an answer", link.lookups_failed)?;
    counter(encoder, "landline_passed_on", "Requests passed on to the exchange", link.passes)?;
    counter(encoder, "landline_passed_on_failed", "Of those, failed", link.passes_failed)?;
    gauge(encoder, "landline_link_revision", "Last revision applied", link.revision as i64)?;
    let (name, help) = ("landline_node_certificate_expires_seconds", "End of the node's certificate, unix time");
    gauge(encoder, name, help, link.certificate_expires_s)
}

fn spool_metrics(encoder: &mut DescriptorEncoder<'_>, link: &UplinkFigures) -> Result<(), std::fmt::Error> {
    let gauges = [
        ("landline_spool_disk_bytes", "Bytes of records on disk", link.spool_disk_bytes as i64),
        ("landline_spool_memory_bytes", "Bytes of records that are not on disk", link.spool_memory_bytes as i64),
        ("landline_spool_batches", "Batches of records on their way", link.spool_batches as i64),
        (
            "landline_spool_writable",
            "1 if the disk takes records, 0 if they wait in memory",
            link.spool_writable.into(),
        ),
    ];
    for (name, help, value) in gauges {
        gauge(encoder, name, help, value)?;
    }
    let help = "How often the disk ceased to take records";
    counter(encoder, "landline_spool_faults", help, link.spool_faults)?;
    let help = "Records that were on disk and could not be read back";
    counter(encoder, "landline_spool_lost", help, link.spool_lost)
}

fn tls_metrics(encoder: &mut DescriptorEncoder<'_>, counts: &Counts) -> Result<(), std::fmt::Error> {
    let (complete, resumed) = counts.handshakes();
    gauge(encoder, "landline_tls_connections", "TLS connections", counts.open() as i64)?;
    counter(encoder, "landline_tls_handshakes", "TLS handshakes that were completed", complete)?;
    counter(encoder, "landline_tls_handshakes_resumed", "Of those, handshakes that resumed a session", resumed)?;
    let help = "TLS handshakes that failed, by reason";
    let mut family = encoder.encode_descriptor("landline_tls_handshakes_failed", help, None, MetricType::Counter)?;
    for reason in Reason::ALL {
        let metric = ConstCounter::new(counts.failed(reason));
        metric.encode(family.encode_family(&[("reason", reason.label())])?)?;
    }
    Ok(())
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: i64) -> Result<(), std::fmt::Error> {
    let metric = ConstGauge::new(value);
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> Result<(), std::fmt::Error> {
    let metric = ConstCounter::new(value);
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

/// The switch's metrics in the OpenMetrics text format.
pub(crate) fn text(shared: &Arc<Shared>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(SwitchCollector(Arc::clone(shared))));
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = encode(&mut out, &registry);
    out
}
