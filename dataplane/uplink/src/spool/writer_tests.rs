//! The writer and a disk that refuses.

use std::time::Duration;

use landline_link::{CallRecord, Route};
use landline_wire::ids::AgentId;
use landline_wire::limits::MAX_UNWRITTEN_BYTES;

use super::*;

/// Puts before a test gives up: twice as many as reach the bound.
const PUTS: u64 = 3_000_000;

fn record(number: u64) -> CallRecord {
    CallRecord {
        ts: 1_752_494_400_000,
        from_agent_id: Some(AgentId(Uuid::from_u128(7))),
        to_agent_id: AgentId(Uuid::from_u128(u128::from(number) << 64)),
        a2a_method: None,
        request_id: format!("{number:020}").into(),
        status_code: 200,
        latency_us: 400,
        route: Route::Relay,
    }
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn while_the_disk_refuses_memory_fills_to_its_bound_and_then_there_is_no_room() {
    let dir = tempfile::tempdir().unwrap();
    // Where the folder should be is a file: nothing can be written.
    std::fs::write(dir.path().join("spool"), "").unwrap();
    let metrics = Arc::new(UplinkMetrics::default());
    metrics.spool.bound.store(1 << 30, Ordering::Relaxed);
    let (commands, taken) = crossbeam_channel::unbounded();
    let lane = metrics.spool.lanes.add(commands.clone());
    let (spool, _batches) =
        start(dir.path(), 1 << 30, Uuid::from_u128(1), Arc::clone(&metrics), (commands, taken)).unwrap();

    let mut put = 0;
    while metrics.has_room() && put < PUTS {
        lane.put(&record(put));
        put += 1;
    }
    assert!(put < PUTS, "the bound is not reached");
    // What the writer takes from the lane is counted when it is done with it.
    eventually("the writer", || metrics.spool.memory_bytes() >= MAX_UNWRITTEN_BYTES);
    let waiting = metrics.spool.memory_bytes();
    // While it takes them nobody counts them: a few milliseconds' records more.
    assert!(waiting < MAX_UNWRITTEN_BYTES + (8 << 20), "{waiting}");
    assert!(metrics.spool.refused.load(Ordering::Relaxed) && !metrics.has_room());

    std::fs::remove_file(dir.path().join("spool")).unwrap();
    eventually("the disk to be tried again", || metrics.has_room() && metrics.spool.memory_bytes() < 1 << 20);
    let on_disk = metrics.spool.disk_bytes.load(Ordering::Relaxed);
    assert!(on_disk >= MAX_UNWRITTEN_BYTES as u64, "{on_disk} bytes on disk");
    assert_eq!(metrics.records_waiting(), put);
    assert_eq!(spool.stop(), 0, "none is lost");
}
