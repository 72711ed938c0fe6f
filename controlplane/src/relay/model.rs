//! Calls, decided without a database.

use landline_api::relay::RelayEvent;
use landline_api::time::rfc3339_ms;
use landline_link::CallRecord;

use crate::error::{Error, Result};

/// What is published of a call.
pub(crate) fn event(record: &CallRecord) -> RelayEvent {
    RelayEvent {
        ts: rfc3339_ms(record.ts),
        from_agent_id: record.from_agent_id,
        to_agent_id: record.to_agent_id,
        a2a_method: record.a2a_method.clone().map(Into::into),
        request_id: record.request_id.to_string(),
        status_code: record.status_code,
        latency_ms: milliseconds(record.latency_us),
        route: record.route.as_str().to_owned(),
    }
}

/// Microseconds as milliseconds.
pub(crate) fn milliseconds(us: u64) -> f64 {
    us as f64 / 1_000.0
}

/// Did the call count as a success of the callee? It reached the agent, which answered, or refused, but did not fail.
pub(crate) fn is_good(record: &CallRecord) -> bool {
    record.status_code < 500 && record.reached_agent()
}

/// The `q`th percentile (0 to 100) of sorted values, by nearest rank.
pub fn percentile(sorted: &[u64], q: f64) -> Option<u64> {
    if sorted.is_empty() {
        return None;
    }
    let rank = (q / 100.0 * sorted.len() as f64).ceil() as usize;
    Some(sorted[rank.clamp(1, sorted.len()) - 1])
}

/// Figures of the calls to one agent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figures {
    /// Median latency of the last answered calls, milliseconds.
    pub p50_ms: Option<f64>,
    /// 99th percentile of the same.
    pub p99_ms: Option<f64>,
    /// Calls behind the two.
    pub sample: u64,
    /// Calls in the last 24 hours.
    pub calls_24h: u64,
    /// Of those, the ones that reached the agent and did not fail.
    pub good_24h: u64,
}

impl Figures {
    /// Nobody called.
    pub const NONE: Self = Self { p50_ms: None, p99_ms: None, sample: 0, calls_24h: 0, good_24h: 0 };

    /// The same with latencies of these answers, microseconds in any order.
    pub(crate) fn with_latencies(self, values: Vec<u64>) -> Self {
        let (p50_ms, p99_ms, sample) = latencies(values);
        Self { p50_ms, p99_ms, sample, ..self }
    }
}

/// p50 and p99 in milliseconds of latencies in microseconds, in any order.
pub(crate) fn latencies(mut values: Vec<u64>) -> (Option<f64>, Option<f64>, u64) {
    values.sort_unstable();
    let at = |q| percentile(&values, q).map(milliseconds);
    (at(50.0), at(99.0), values.len() as u64)
}

/// A place in the log: the row before which to read on. Opaque to callers.
pub(crate) fn parse_cursor(text: Option<&str>) -> Result<i64> {
    let Some(text) = text else { return Ok(i64::MAX) };
    let id = text.strip_prefix('c').and_then(|hex| i64::from_str_radix(hex, 16).ok());
    id.ok_or_else(|| Error::invalid("cursor", "`cursor` must be the `next_cursor` of an earlier answer."))
}

/// The text of a place in the log.
pub(crate) fn cursor_text(id: i64) -> String {
    format!("c{id:x}")
}

#[cfg(test)]
mod tests {
    use landline_link::Route;
    use landline_wire::ids::AgentId;

    use super::*;

    #[test]
    fn a_published_call_has_exactly_the_eight_keys_in_order() {
        let record = CallRecord {
            ts: 1_700_000_000_007,
            from_agent_id: None,
            to_agent_id: AgentId::from_parts(1, [1; 10]),
            a2a_method: Some("SendMessage".into()),
            request_id: "r-1".into(),
            status_code: 200,
            latency_us: 1_234,
            route: Route::Relay,
        };
        let json = serde_json::to_string(&event(&record)).unwrap();
        let expected = format!(
            "{{\"ts\":\"2023-11-14T22:13:20.007Z\",\"from_agent_id\":null,\"to_agent_id\":\"{}\",\
             \"a2a_method\":\"SendMessage\",\"request_id\":\"r-1\",\"status_code\":200,\"latency_ms\":1.234,\
             \"route\":\"relay\"}}",
            record.to_agent_id
        );
        assert_eq!(json, expected);
        let mut extended: serde_json::Value = serde_json::from_str(&json).unwrap();
        extended["body"] = "leak".into();
        assert!(serde_json::from_value::<RelayEvent>(extended).is_err(), "the struct is closed");
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let values: Vec<u64> = (1..=100).collect();
        assert_eq!(percentile(&values, 50.0), Some(50));
        assert_eq!(percentile(&values, 99.0), Some(99));
        assert_eq!(percentile(&values, 100.0), Some(100));
        assert_eq!(percentile(&[7], 99.0), Some(7));
        assert_eq!(percentile(&[], 50.0), None);
        assert_eq!(latencies(vec![3_000, 1_000, 2_000]), (Some(2.0), Some(3.0), 3));
    }

    #[test]
    fn a_cursor_gives_its_place_back() {
        assert_eq!(parse_cursor(Some(&cursor_text(4711))).unwrap(), 4711);
        assert_eq!(parse_cursor(None).unwrap(), i64::MAX);
        assert!(parse_cursor(Some("4711")).is_err() && parse_cursor(Some("cxyz")).is_err());
    }
}
