//! Where io_uring is refused, as by the seccomp profiles of many containers, the switch says so and serves by epoll.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use landline_tests::api;
use landline_tests::frame;
use landline_tests::http::{Conn, Request};
use landline_tests::line::Line;
use landline_tests::server::{Data, Server};
use landline_tests::wait::SOON;

/// The system call's number on every architecture.
const IO_URING_SETUP: u32 = 425;
/// More than one buffer and less than a window.
const BODY: usize = 200 << 10;

mod seccomp {
    //! A filter for the calling thread and the processes that it starts.

    use std::ffi::{c_int, c_ulong};

    #[repr(C)]
    struct Instruction {
        code: u16,
        when_true: u8,
        when_false: u8,
        value: u32,
    }

    #[repr(C)]
    struct Program {
        length: u16,
        instructions: *const Instruction,
    }

    unsafe extern "C" {
        fn prctl(option: c_int, ...) -> c_int;
    }

    const PR_SET_SECCOMP: c_int = 22;
    const PR_SET_NO_NEW_PRIVS: c_int = 38;
    const MODE_FILTER: c_ulong = 2;
    const LOAD_WORD: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const ALLOW: u32 = 0x7FFF_0000;
    const FAIL_WITH_EPERM: u32 = 0x0005_0001;

    /// From now on the system call fails with EPERM in this thread and in what it starts.
    pub(crate) fn refuse(system_call: u32) {
        let step = |code, when_true, when_false, value| Instruction { code, when_true, when_false, value };
        // The call's number is the first word of what a filter looks at.
        let instructions = [
            step(LOAD_WORD, 0, 0, 0),
            step(JUMP_IF_EQUAL, 0, 1, system_call),
            step(RETURN, 0, 0, FAIL_WITH_EPERM),
            step(RETURN, 0, 0, ALLOW),
        ];
        let program = Program { length: instructions.len() as u16, instructions: instructions.as_ptr() };
        let (yes, no): (c_ulong, c_ulong) = (1, 0);
        // SAFETY: the kernel copies the program, which lives until the end of this function, and keeps no pointer to it.
        let taken = unsafe {
            prctl(PR_SET_NO_NEW_PRIVS, yes, no, no, no) == 0
                && prctl(PR_SET_SECCOMP, MODE_FILTER, &raw const program, no, no) == 0
        };
        assert!(taken, "the filter: {}", std::io::Error::last_os_error());
    }
}

/// Starts a server that may not use io_uring.
fn without_io_uring(data: &Data, args: &[&str]) -> Result<Server, String> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            seccomp::refuse(IO_URING_SETUP);
            Server::try_start(data, args)
        });
        thread.join().expect("the filter is taken")
    })
}

/// Calls of each kind, there and back.
fn serves(addr: SocketAddr) {
    let (callee, caller) = (api::register(addr, "callee"), api::register(addr, "caller"));
    let mut line = Line::dial(addr, &callee.key).expect("a line");
    let mut own = Line::dial(addr, &caller.key).expect("a line");
    let body: Vec<u8> = (0..BODY).map(|at| (at % 251) as u8).collect();

    // From line to line.
    own.send(&frame::call(1, &callee.id, &body));
    let request = line.expect("request");
    assert!(request.text("from") == Some(caller.id.as_str()) && request.body() == body);
    line.send(&frame::response(request.id(), &body));
    let answer = own.expect("response");
    assert!(answer.id() == 1 && answer.body() == body);

    // From HTTP, on several connections, so that each core has some.
    let mut conns: Vec<Conn> = (0..8).map(|_| Conn::open(addr).expect("listens")).collect();
    for round in 0..3 {
        for conn in &mut conns {
            let request = Request::post(format!("/connect/relay/{}/{round}", callee.id), body.clone());
            conn.start(&request.bearer(&caller.key)).expect("sent");
            let request = line.expect("request");
            assert!(request.text("path") == Some(format!("/{round}").as_str()) && request.body() == body);
            line.send(&frame::response(request.id(), &body));
            assert!(conn.answer(SOON).expect("an answer").expect(200).body == body);
        }
    }

    // A stream, part by part.
    let conn = &mut conns[0];
    conn.start(&Request::post(format!("/connect/relay/{}/stream", callee.id), "{}").bearer(&caller.key)).expect("sent");
    let id = line.expect("request").id();
    let head = [("content-type", "text/event-stream")];
    line.send(&frame::response_with(id, 200, &head, true, b"data: 0\n\n"));
    assert_eq!(conn.head(SOON).expect("a head before the end").0, 200);
    let (mut text, deadline) = (String::new(), Instant::now() + SOON);
    for number in 0..5 {
        while !text.contains(&format!("data: {number}\n")) {
            let piece = conn.chunk(deadline).expect("the event comes in time").expect("the stream goes on");
            text.push_str(&String::from_utf8_lossy(&piece));
        }
        let next = format!("data: {}\n\n", number + 1);
        line.send(&frame::chunk(id, number < 4, next.as_bytes()));
    }
    while let Some(piece) = conn.chunk(deadline).expect("the end comes in time") {
        text.push_str(&String::from_utf8_lossy(&piece));
    }
    assert!(text.contains("data: 5\n") && text.contains("event: end\n"), "{text}");
    line.assert_alive();
}

#[test]
fn by_the_operators_choice() {
    let data = Data::new();
    let server = Server::up(&data, &["--driver", "epoll"]);
    assert_eq!(server.metric("landline_io_uring"), 0.0);
    serves(server.addr);
    server.assert_no_panic();
    server.stop();
}

#[test]
fn by_itself_with_a_warning() {
    let data = Data::new();
    let args = ["up", "--listen", "127.0.0.1:0", "--rate-limits", "off"];
    let server = without_io_uring(&data, &args).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(server.metric("landline_io_uring"), 0.0);
    let log = server.log();
    let warning = log.lines().find(|line| line.contains("io_uring is refused here")).expect("a warning");
    assert!(warning.contains("WARN") && warning.contains("epoll is used") && warning.contains("seccomp"), "{warning}");
    serves(server.addr);
    server.assert_no_panic();
    server.stop();
}

#[test]
fn and_a_demand_for_io_uring_is_an_error_at_start() {
    let data = Data::new();
    let started = Instant::now();
    let args = ["up", "--listen", "127.0.0.1:0", "--driver", "io_uring"];
    let why = without_io_uring(&data, &args).map(|server| server.url.clone()).expect_err("io_uring is refused");
    assert!(why.contains("io_uring is refused here") && why.contains("seccomp"), "{why}");
    assert!(started.elapsed() < Duration::from_secs(20), "it ends by itself: {:?}", started.elapsed());
}
