//! Records of calls while the exchange is away: none is lost and none counts twice, whatever becomes of the switch and of
//! its disk; and memory does not grow.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use landline_tests::api::{self, Agent};
use landline_tests::burst::Burst;
use landline_tests::http::{Request, once};
use landline_tests::server::Planes;
use landline_tests::wait::{SOON, eventually};

/// How old a record is at most when it is on disk: it gathers for some milliseconds, and the machine may be busy.
const WRITTEN_WITHIN: Duration = Duration::from_millis(500);
/// How long the delivery of many records may take, in an unoptimised build.
const DELIVERY: Duration = Duration::from_secs(100);

/// A caller at work, and its exchange gone.
fn alone(planes: &mut Planes, name: &str) -> (Agent, Burst) {
    let addr = planes.addr();
    let (caller, callee) = (api::register(addr, "caller"), api::register(addr, "callee"));
    let burst = Burst::start(addr, name, &caller, &callee);
    burst.wait(10);
    planes.exchange.take().expect("it runs").kill();
    (caller, burst)
}

fn delivered(planes: &Planes) {
    let switch = planes.switch.as_ref().expect("it runs");
    eventually(DELIVERY, "all records to be delivered", || {
        std::thread::sleep(Duration::from_millis(100));
        (switch.metric("landline_link_up") == 1.0 && switch.metric("landline_reports_waiting") == 0.0).then_some(())
    });
}

/// How often each request id of a burst is in the audit.
fn audit(planes: &Planes, caller: &Agent, name: &str) -> HashMap<String, usize> {
    let addr = planes.addr();
    eventually(SOON, "the exchange", || (once(addr, &Request::get("/connect/v1/agents")).status == 200).then_some(()));
    let mut counts = HashMap::new();
    for row in api::relay_log(addr, caller) {
        let id = row["request_id"].as_str().expect("a request id");
        if id.starts_with(name) {
            *counts.entry(id.to_owned()).or_default() += 1;
        }
    }
    counts
}

fn segments(planes: &Planes) -> usize {
    std::fs::read_dir(planes.switch_data().join("spool")).map_or(0, |files| files.count())
}

fn assert_clean(planes: &Planes) {
    planes.switch.as_ref().expect("it runs").assert_no_panic();
    planes.exchange.as_ref().expect("it runs").assert_no_panic();
}

#[test]
fn a_killed_switch_delivers_what_waited_when_it_is_back() {
    const WAITING: u64 = 200_000;
    let mut planes = Planes::start();
    let (caller, burst) = alone(&mut planes, "killed");
    burst.wait(WAITING);
    planes.switch.take().expect("it runs").kill();
    let killed = Instant::now();
    let ended = burst.end();
    assert!(ended.refused.is_empty(), "{:?}", ended.refused.first());
    assert!(segments(&planes) > 1, "they wait on disk");

    planes.start_exchange();
    planes.start_switch(&[]);
    delivered(&planes);
    let counts = audit(&planes, &caller, "killed");
    let twice: Vec<_> = counts.iter().filter(|(_, count)| **count != 1).take(5).collect();
    assert!(twice.is_empty(), "more than once: {twice:?}");
    let old: Vec<_> = ended.answered.iter().filter(|(_, at)| *at + WRITTEN_WITHIN < killed).collect();
    let missing = old.iter().filter(|(id, _)| !counts.contains_key(id)).count();
    assert_eq!(missing, 0, "of {} that were answered in time", old.len());
    assert!(old.len() as u64 > WAITING / 2 && counts.len() >= old.len());
    assert_clean(&planes);
    assert_eq!(segments(&planes), 0, "what was delivered is deleted");
}

#[test]
fn memory_stays_flat_while_records_wait_and_a_switch_that_leaves_keeps_them() {
    let mut planes = Planes::start();
    let (caller, burst) = alone(&mut planes, "kept");
    burst.wait(50_000);
    let before = planes.switch.as_ref().expect("it runs").resident_bytes();
    burst.wait(200_000);
    let switch = planes.switch.take().expect("it runs");
    let (after, disk) = (switch.resident_bytes(), switch.metric("landline_spool_disk_bytes"));
    assert!(disk > 20e6, "{disk} bytes on disk");
    assert!(after < before + (8 << 20), "{before} bytes in memory became {after}");
    let ended = burst.end();
    assert!(ended.refused.is_empty(), "{:?}", ended.refused.first());
    let log = switch.log_path().to_owned();
    switch.stop();
    let log = std::fs::read_to_string(log).expect("its log");
    assert!(log.contains("the next start delivers these records"), "{log}");

    planes.start_exchange();
    planes.start_switch(&[]);
    delivered(&planes);
    let counts = audit(&planes, &caller, "kept");
    assert_eq!(counts.len(), ended.answered.len());
    assert!(counts.values().all(|count| *count == 1));
    assert_clean(&planes);
}

#[test]
fn a_full_spool_refuses_calls_and_takes_them_again_when_it_is_delivered() {
    let mut planes = Planes::start();
    planes.switch.take().expect("it runs").stop();
    planes.switch_args = vec!["--spool-bytes", "16MiB"];
    planes.start_switch(&[]);
    let (caller, burst) = alone(&mut planes, "bound");
    eventually(Duration::from_secs(100), "the bound", || (burst.refused() > 10).then_some(()));
    let disk = planes.switch.as_ref().expect("it runs").metric("landline_spool_disk_bytes");
    assert!((16e6..20e6).contains(&disk), "{disk} bytes on disk");

    planes.start_exchange();
    let answered = burst.answered();
    eventually(DELIVERY, "calls again", || (burst.answered() > answered + 1_000).then_some(()));
    let ended = burst.end();
    assert!(ended.refused.iter().all(|code| code == "overloaded"), "{:?}", ended.refused.first());
    delivered(&planes);
    let counts = audit(&planes, &caller, "bound");
    let missing = ended.answered.iter().filter(|(id, _)| counts.get(id) != Some(&1)).count();
    assert_eq!(missing, 0, "of {}", ended.answered.len());
    // A refused call that reached its target's door is in the audit too.
    assert!(counts.values().all(|count| *count == 1));
    assert_clean(&planes);
}

/// With a disk that does not take records: calls go on, it is said aloud, and the records are delivered from memory.
fn a_disk_that_refuses(script: impl Fn(&Path) -> String, why: &str) {
    let mut planes = Planes::start();
    planes.switch.take().expect("it runs").stop();
    planes.switch_script = Some(script(&planes.switch_data().join("spool")));
    planes.start_switch(&[]);
    let (caller, burst) = alone(&mut planes, "refused");
    burst.wait(30_000);
    let switch = planes.switch.as_ref().expect("it runs");
    eventually(SOON, "the metric", || (switch.metric("landline_spool_faults_total") >= 1.0).then_some(()));
    let log = switch.log();
    assert!(log.contains("cannot be kept on disk and wait in memory") && log.contains(why), "{log}");
    planes.start_exchange();
    let ended = burst.end();
    assert!(ended.refused.is_empty(), "{:?}", ended.refused.first());
    delivered(&planes);
    let counts = audit(&planes, &caller, "refused");
    assert_eq!(counts.len(), ended.answered.len());
    assert!(counts.values().all(|count| *count == 1));
    assert_clean(&planes);
}

#[test]
fn a_disk_that_is_full_is_spared_and_calls_go_on() {
    let script = |spool: &Path| {
        let spool = spool.display();
        format!("mkdir -p {spool} && mount -t tmpfs -o size=16m,mode=700 none {spool} && exec \"$@\"")
    };
    a_disk_that_refuses(script, "the file system has less than");
}

#[test]
fn a_write_that_fails_half_way_loses_nothing() {
    // A file may have a mebibyte, a segment wants more: writes fail again and again, each after a part of it.
    a_disk_that_refuses(|_| "trap '' XFSZ; ulimit -f 2048; exec \"$@\"".into(), "File too large");
}
