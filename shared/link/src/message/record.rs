//! Records of calls on their way into the exchange's store.
//!
//! A switch keeps them in logs, one for each of its starts. A record's place in its log is its number, from 0. The switch
//! sends the records in order, in batches cut as it pleases; the exchange keeps, for each log, the place it has reached,
//! and takes of a batch only what lies beyond. So a record counts once, however often it is sent and in whatever
//! company.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use compact_str::CompactString;
use landline_wire::ids::AgentId;
use rmp::encode as rmp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::codec::PREFIX_BYTES;

/// Records of one log, in their order, beginning at a place of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordBatch {
    /// Which log.
    pub log: Uuid,
    /// The place of the first record.
    pub first: u64,
    /// At most [`MAX_RECORDS`].
    pub records: Vec<CallRecord>,
}

/// Records of one batch.
pub const MAX_RECORDS: usize = 8_192;
/// Bytes of a batch's records that a sender gathers into one message.
pub const MAX_RECORDS_BYTES: usize = 256 << 10;

/// Every record of this log before a place is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordAck {
    /// Which log.
    pub log: Uuid,
    /// The place after the last durable record.
    pub next: u64,
}

/// How a call was routed, as published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// Over the callee's line.
    Relay,
    /// Dispatched by the exchange to the callee's URL.
    HttpDirect,
}

impl Route {
    /// The published text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::HttpDirect => "http_direct",
        }
    }
}

/// One call, with exactly what the eight published fields need and nothing else: what is not here cannot leak.
/// On the link it is a row, in the order of the fields: there is one for every call, and names would be half of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Row", into = "Row")]
pub struct CallRecord {
    /// When it began, unix milliseconds.
    pub ts: i64,
    /// The caller; `None` if anonymous.
    pub from_agent_id: Option<AgentId>,
    /// The callee.
    pub to_agent_id: AgentId,
    /// From `X-A2A-Method`.
    pub a2a_method: Option<CompactString>,
    /// The correlation id.
    pub request_id: CompactString,
    /// The status that the caller got.
    pub status_code: u16,
    /// Microseconds from the complete request to the end of the answer; published as `latency_ms`, with three decimals.
    /// 0 if, and only if, the call was turned away before it reached the agent.
    pub latency_us: u64,
    /// How it was routed.
    pub route: Route,
}

type Row = (i64, Option<AgentId>, AgentId, Option<CompactString>, CompactString, u16, u64, Route);

impl From<CallRecord> for Row {
    fn from(record: CallRecord) -> Self {
        let CallRecord { ts, from_agent_id, to_agent_id, a2a_method, request_id, status_code, latency_us, route } =
            record;
        (ts, from_agent_id, to_agent_id, a2a_method, request_id, status_code, latency_us, route)
    }
}

impl From<Row> for CallRecord {
    fn from(row: Row) -> Self {
        let (ts, from_agent_id, to_agent_id, a2a_method, request_id, status_code, latency_us, route) = row;
        Self { ts, from_agent_id, to_agent_id, a2a_method, request_id, status_code, latency_us, route }
    }
}

impl CallRecord {
    /// Was the agent asked at all?
    pub fn reached_agent(&self) -> bool {
        self.latency_us > 0
    }

    /// The latency of a call that reached the agent: at least a microsecond.
    pub fn took(time: Duration) -> u64 {
        u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1)
    }

    /// Appends the row, as it is on the link. There is one for every call, written on the core that ended it: by hand it
    /// takes a fifth of the general serializer's time. Rows put one after the other are the body of a batch.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        // Eight fields, the first of them a time of this century.
        let mut head = [0x98, 0xCF, 0, 0, 0, 0, 0, 0, 0, 0];
        head[2..].copy_from_slice(&self.ts.to_be_bytes());
        if self.ts > i64::from(u32::MAX) {
            out.extend_from_slice(&head);
        } else {
            out.push(head[0]);
            // Writing into a vector does not fail.
            let _ = rmp::write_sint(out, self.ts);
        }
        agent(out, self.from_agent_id.as_ref());
        agent(out, Some(&self.to_agent_id));
        text(out, self.a2a_method.as_deref());
        text(out, Some(&self.request_id));
        number(out, self.status_code.into());
        number(out, self.latency_us);
        text(out, Some(self.route.as_str()));
    }
}

const NIL: u8 = 0xC0;

#[inline]
fn agent(out: &mut Vec<u8>, agent: Option<&AgentId>) {
    let Some(agent) = agent else { return out.push(NIL) };
    let mut bytes = [0; 18];
    bytes[..2].copy_from_slice(&[0xC4, 16]);
    bytes[2..].copy_from_slice(agent.as_bytes());
    out.extend_from_slice(&bytes);
}

#[inline]
fn text(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        None => out.push(NIL),
        Some(short) if short.len() < 32 => {
            out.push(0xA0 | short.len() as u8);
            out.extend_from_slice(short.as_bytes());
        }
        Some(long) => {
            let _ = rmp::write_str(out, long);
        }
    }
}

#[inline]
fn number(out: &mut Vec<u8>, number: u64) {
    match u16::try_from(number) {
        Ok(number @ 0x100..) => {
            let [high, low] = number.to_be_bytes();
            out.extend_from_slice(&[0xCD, high, low]);
        }
        _ => {
            let _ = rmp::write_uint(out, number);
        }
    }
}

/// What comes before the rows of a batch: with them it is the message that the codec makes of a [`RecordBatch`]. So rows
/// that were encoded one by one, and kept, are sent without touching them again.
pub fn record_batch_head(log: Uuid, first: u64, count: u32, rows_bytes: usize) -> Bytes {
    let mut head = BytesMut::with_capacity(64).writer();
    let _ = rmp::write_map_len(&mut head, 3);
    let _ = rmp::write_str(&mut head, "log");
    let _ = rmp::write_bin(&mut head, log.as_bytes());
    let _ = rmp::write_str(&mut head, "first");
    let _ = rmp::write_uint(&mut head, first);
    let _ = rmp::write_str(&mut head, "records");
    let _ = rmp::write_array_len(&mut head, count);
    let head = head.into_inner();
    let mut out = BytesMut::with_capacity(PREFIX_BYTES + head.len());
    out.put_u32((head.len() + rows_bytes) as u32);
    out.extend_from_slice(&head);
    out.freeze()
}
