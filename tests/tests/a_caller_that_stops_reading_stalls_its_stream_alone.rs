//! A caller that stops reading its stream: the switch holds one window for it, and the agent's other calls over the
//! same line are as quick as before.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use landline_tests::api::{self, Agent};
use landline_tests::frame;
use landline_tests::http::{Conn, Request};
use landline_tests::line::Line;
use landline_tests::server::{Data, Server};
use landline_tests::wait::{SOON, eventually};

/// What `ready` and `docs/LIMITS.md` promise.
const WINDOW: u64 = 256 << 10;
const PART: usize = 16 << 10;
/// Rounds with and without a stalled stream take turns, so that a slow minute of the machine hits both alike.
const ROUNDS: usize = 6;
const CALLS: usize = 150;
/// Far above what is measured (about 1): it finds calls that wait for the stalled one, not a noisy machine.
const MOST: f64 = 5.0;

/// An agent that answers calls at once, and a call to `/flood` or a stream with parts without an end, as far as it has
/// credit.
fn answer(mut line: Line, sent: &AtomicU64) {
    assert_eq!(line.ready.number("window_bytes"), Some(WINDOW));
    let part = vec![b'z'; PART];
    let (mut flood, mut credit) = (None, 0);
    while let Ok(frame) = line.next(Duration::from_secs(60)) {
        match frame.kind() {
            "request" if frame.text("path") == Some("/flood") || frame.get("stream").is_some() => {
                line.send(&frame::response_with(frame.id(), 200, &[("content-type", "text/plain")], true, &part));
                sent.store(PART as u64, Ordering::Relaxed);
                (flood, credit) = (Some(frame.id()), WINDOW - PART as u64);
            }
            "request" => line.send(&frame::response(frame.id(), b"quick")),
            "credit" if flood == Some(frame.id()) => credit += frame.number("bytes").expect("bytes"),
            "cancel" if flood == Some(frame.id()) => flood = None,
            _ => {}
        }
        while let Some(id) = flood.filter(|_| credit >= PART as u64) {
            line.send(&frame::chunk(id, true, &part));
            sent.fetch_add(PART as u64, Ordering::Relaxed);
            credit -= PART as u64;
        }
    }
}

struct World {
    server: Server,
    addr: SocketAddr,
    agent: Agent,
    caller: Agent,
    sent: Arc<AtomicU64>,
    quick: Conn,
    _data: Data,
}

impl World {
    fn start() -> Self {
        let data = Data::new();
        let server = Server::up(&data, &[]);
        let addr = server.addr;
        let (agent, caller) = (api::register(addr, "agent"), api::register(addr, "caller"));
        let (line, sent) = (Line::dial(addr, &agent.key).expect("a line"), Arc::<AtomicU64>::default());
        let counted = Arc::clone(&sent);
        std::thread::spawn(move || answer(line, &counted));
        Self { server, addr, agent, caller, sent, quick: Conn::open(addr).expect("listens"), _data: data }
    }

    /// A caller that asks and never reads; it is returned when the agent cannot send any more.
    fn stall(&self, path: &str) -> Conn {
        self.sent.store(0, Ordering::Relaxed);
        let mut conn = Conn::open(self.addr).expect("listens");
        let request = Request::post(format!("/connect/relay/{}{path}", self.agent.id), "{}");
        conn.start(&request.bearer(&self.caller.key)).expect("sent");
        let (mut last, mut since) = (0, Instant::now());
        eventually(Duration::from_secs(60), "the agent to be out of credit", || {
            let sent = self.sent.load(Ordering::Relaxed);
            if sent != last {
                (last, since) = (sent, Instant::now());
            }
            (sent > 0 && since.elapsed() > Duration::from_millis(500)).then_some(())
        });
        conn
    }

    /// How long each of some calls took.
    fn calls(&mut self) -> Vec<Duration> {
        let request = api::call_request(&self.agent.id, &self.caller.key, "{}");
        let mut took = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let started = Instant::now();
            assert_eq!(self.quick.ask(&request).expect("an answer").expect(200).body, b"quick");
            took.push(started.elapsed());
        }
        took
    }
}

fn median(mut values: Vec<Duration>) -> Duration {
    values.sort_unstable();
    values[values.len() / 2]
}

fn compare(path: &str) {
    let mut world = World::start();
    world.calls();
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.extend(world.calls());
        let stalled = world.stall(path);
        beside.extend(world.calls());
        drop(stalled);
        // A resumable stream waits for its caller: it takes no part any more, and ends on its own.
        std::thread::sleep(Duration::from_millis(100));
    }
    let (alone, beside) = (median(alone), median(beside));
    let ratio = beside.as_secs_f64() / alone.as_secs_f64();
    eprintln!("{path}: median of a call {alone:?}, beside a stalled stream {beside:?}: ratio {ratio:.2}");
    assert!(ratio < MOST, "{alone:?} became {beside:?}");
    world.server.assert_no_panic();
}

#[test]
fn other_calls_are_as_quick_beside_a_stalled_answer() {
    compare("/flood");
}

#[test]
fn other_calls_are_as_quick_beside_a_stalled_resumable_stream() {
    compare("/stream");
}

/// Bytes between a caller and the switch that both ends of its connection hold in the kernel.
fn in_the_kernel(caller: &TcpStream) -> u64 {
    let ports = [caller.local_addr(), caller.peer_addr()].map(|addr| addr.expect("an address").port());
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the kernel shows its sockets");
    let mut sum = 0;
    for row in table.lines().skip(1) {
        let columns: Vec<&str> = row.split_whitespace().collect();
        let port = |column: &str| column.rsplit(':').next().and_then(|hex| u16::from_str_radix(hex, 16).ok());
        let ends = [port(columns[1]), port(columns[2])].map(|port| port.expect("a port"));
        if ends == ports || ends == [ports[1], ports[0]] {
            let (to_send, to_read) = columns[4].split_once(':').expect("both queues");
            sum += [to_send, to_read].map(|hex| u64::from_str_radix(hex, 16).expect("a number")).iter().sum::<u64>();
        }
    }
    sum
}

#[test]
fn the_stalled_call_holds_one_window() {
    const NAME: &str = "landline_call_held_bytes_max";
    let world = World::start();
    assert_eq!(world.server.metric(NAME), 0.0);
    let (stalled, _) = world.stall("/flood").into_parts();
    let sent = world.sent.load(Ordering::Relaxed);
    assert!(sent > WINDOW, "it went on until the kernel's buffers were full");
    // What the switch has is what the agent sent and the kernel does not hold: measured without the switch's own word.
    // The head and the chunks' frames are in the kernel too, and no bytes of the body.
    let kernel = in_the_kernel(stalled.tcp());
    let framing = 1024 + 16 * (sent / PART as u64);
    let least = sent.saturating_sub(kernel);
    eprintln!("{sent} bytes were sent, {kernel} are in the kernel: the switch has {least} to {}", least + framing);
    assert!(least <= WINDOW, "the switch has {least} bytes of one call");
    let held = eventually(SOON, "the gauge to say as much", || {
        let held = world.server.metric(NAME) as u64;
        // One part may be half written.
        (held + PART as u64 >= least && held <= least + framing + PART as u64).then_some(held)
    });
    eprintln!("the gauge says {held}");
    assert!(held > 0 && held <= WINDOW);
    assert_eq!(sent, world.sent.load(Ordering::Relaxed), "no more was granted");
    drop(stalled);
    eventually(SOON, "nothing to be held", || (world.server.metric(NAME) == 0.0).then_some(()));
}
