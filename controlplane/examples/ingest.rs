//! How many records of calls a second the exchange stores, and how long others wait meanwhile.
//!
//! `cargo run --release -p landline-controlplane --example ingest -- [SECONDS] [AGENTS] [DATABASE_URL]`; without a URL it
//! is SQLite in a directory of its own below the working directory, because a temporary one may be in memory.

use std::time::{Duration, Instant};

use landline_controlplane::Exchange;
use landline_controlplane::clock::Clock;
use landline_controlplane::config::Config;
use landline_controlplane::relay::{self, percentile};
use landline_link::{CallRecord, RecordBatch, Route};
use landline_wire::ids::{AgentId, NodeId};
use uuid::Uuid;

/// Records in one batch, as a switch at full rate sends them; and batches that are stored together.
const BATCH: u64 = 2_700;
const GROUP: u64 = 3;

fn record(number: u64, agents: u64, ts: i64) -> CallRecord {
    let agent = |n: u64| {
        AgentId::from_parts(
            1_700_000_000_000,
            (u128::from(n % agents) << 16).to_be_bytes()[6..].try_into().expect("ten bytes"),
        )
    };
    CallRecord {
        ts,
        from_agent_id: Some(agent(number)),
        to_agent_id: agent(number * 7 + 1),
        a2a_method: None,
        request_id: format!("{number:016x}").into(),
        status_code: 200,
        latency_us: 400 + number % 1_000,
        route: Route::Relay,
    }
}

fn show(what: &str, mut waits: Vec<u64>) {
    waits.sort_unstable();
    let ms = |q| percentile(&waits, q).unwrap_or(0) as f64 / 1_000.0;
    eprintln!(
        "{what}: {} times, p50 {:.2} ms, p99 {:.2} ms, worst {:.2} ms",
        waits.len(),
        ms(50.0),
        ms(99.0),
        ms(100.0)
    );
}

/// Does something small again and again; how long it took each time, in microseconds.
async fn again(until: Instant, mut what: impl AsyncFnMut()) -> Vec<u64> {
    let mut waits = Vec::new();
    while Instant::now() < until {
        let began = Instant::now();
        what().await;
        waits.push(began.elapsed().as_micros() as u64);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    waits
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let seconds = args.next().and_then(|text| text.parse().ok()).unwrap_or(5.0);
    let agents: u64 = args.next().and_then(|text| text.parse().ok()).unwrap_or(64);
    let dir = tempfile::tempdir_in(".").expect("a directory");
    let mut config = Config::new(dir.path(), "http://127.0.0.1:7300");
    config.database_url = args.next().unwrap_or_default();
    let exchange = Exchange::open(config, Clock::system()).await.expect("the exchange opens");
    let node = NodeId::from_parts(1_700_000_000_000, [1; 10]);
    let log = Uuid::new_v4();
    let until = Instant::now() + Duration::from_secs_f64(seconds);

    let began = Instant::now();
    let store = async {
        let mut next = 0;
        while Instant::now() < until {
            let group: Vec<RecordBatch> = (0..GROUP)
                .map(|part| {
                    let (first, ts) = (next + part * BATCH, exchange.clock.now_ms());
                    RecordBatch { log, first, records: (first..first + BATCH).map(|n| record(n, agents, ts)).collect() }
                })
                .collect();
            assert!(relay::ops::record(&exchange, node, &group).await.expect("stored"));
            next += GROUP * BATCH;
        }
        (next, began.elapsed())
    };
    let write = again(until, async || {
        let tx = exchange.db.begin().await.expect("a transaction");
        tx.commit().await.expect("a commit");
    });
    let read = again(until, async || {
        relay::ops::stats(&exchange).await.expect("figures");
    });
    let ((stored, took), writes, reads) = tokio::join!(store, write, read);
    eprintln!("{stored} records in {:.1} s: {:.0} records/s", took.as_secs_f64(), stored as f64 / took.as_secs_f64());
    show("another writer", writes);
    show("statistics read", reads);
}
