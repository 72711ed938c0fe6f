//! An agent answers, feeds, grants and cancels every id that it can guess of another's calls: nothing happens.

use std::time::Duration;

use landline_tests::api;
use landline_tests::frame;
use landline_tests::http::Conn;
use landline_tests::line::{Ended, Line};
use landline_tests::server::{Data, Server};
use landline_tests::wait::SOON;

/// Calls that wait, one caller each below the cap of one caller.
const OPEN: usize = 24;

/// Everything that could hurt a call, for one id.
fn attacks(id: u64) -> [Vec<u8>; 5] {
    [
        frame::response(id, b"stolen"),
        frame::chunk(id, false, b"stolen"),
        frame::credit(id, 1 << 20),
        frame::error(id, "stolen", "stolen"),
        frame::cancel(id),
    ]
}

/// The ids themselves, their neighbours, and the same slot in other cores and generations (a call id is a core of 8
/// bits, a slot of 20 and a generation above them, doubled).
fn guesses(id: u64) -> [u64; 6] {
    [id, id ^ 2, id + (1 << 9), id + (1 << 29), id.wrapping_sub(2) & !1, id + 1]
}

#[test]
fn callers_see_only_the_answers_of_the_agent_they_called() {
    let data = Data::new();
    let server = Server::up(&data, &["--cores", "2"]);
    let addr = server.addr;
    let (victim, caller) = (api::register(addr, "victim"), api::register(addr, "caller"));
    let mut line = Line::dial(addr, &victim.key).expect("a line");
    let mut callers = Vec::new();
    let mut ids = Vec::new();
    for number in 0..OPEN {
        let mut conn = Conn::open(addr).expect("listens");
        let body = format!("call {number}");
        conn.start(&api::call_request(&victim.id, &caller.key, &body)).expect("sent");
        let request = line.expect("request");
        assert_eq!(request.body(), body.as_bytes());
        ids.push(request.id());
        callers.push(conn);
    }

    // Intruders on either core. Together they try every guess; none of them makes a thousand mistakes in a minute.
    let all: Vec<u64> = ids.iter().flat_map(|id| guesses(*id)).collect();
    let mut intruders = Vec::new();
    for (number, part) in all.chunks(150).enumerate() {
        let intruder = api::register(addr, &format!("intruder-{number}"));
        let mut intruding = Line::dial(addr, &intruder.key).expect("a line");
        part.iter().flat_map(|id| attacks(*id)).for_each(|attack| intruding.send(&attack));
        intruding.assert_alive();
        intruders.push(intruding);
    }
    assert!(intruders.len() <= 8);
    // The same from lines that hold a call of their own, with ids of the same making.
    line.assert_alive();

    for (conn, id) in callers.iter_mut().zip(&ids) {
        line.send(&frame::response(*id, format!("answer {id}").as_bytes()));
        let answer = conn.answer(SOON).expect("an answer").expect(200);
        assert_eq!(answer.text(), format!("answer {id}"));
    }
    server.assert_no_panic();
}

#[test]
fn an_answer_counts_once() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let addr = server.addr;
    let (agent, caller) = (api::register(addr, "twice"), api::register(addr, "caller"));
    let mut line = Line::dial(addr, &agent.key).expect("a line");
    let mut conn = Conn::open(addr).expect("listens");
    let mut earlier = Vec::new();
    for round in 0..20 {
        conn.start(&api::call_request(&agent.id, &caller.key, "{}")).expect("sent");
        let id = line.expect("request").id();
        assert!(id.is_multiple_of(2) && id < 1 << 53, "the relay's ids are even and below 2^53: {id}");
        assert!(!earlier.contains(&id), "an id is used once per session");
        // Late answers for all earlier calls, then the right one.
        earlier.iter().for_each(|old| line.send(&frame::response(*old, b"late")));
        line.send(&frame::response(id, format!("round {round}").as_bytes()));
        assert_eq!(conn.answer(SOON).expect("an answer").expect(200).text(), format!("round {round}"));
        earlier.push(id);
    }
}

#[test]
fn a_thousand_stray_frames_in_a_minute_end_the_session() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let addr = server.addr;
    let agent = api::register(addr, "stray");
    let mut line = Line::dial(addr, &agent.key).expect("a line");
    for number in 0..900_u64 {
        line.send(&frame::response(number * 2, b""));
    }
    line.assert_alive();
    for number in 0..200_u64 {
        if line.ws.sender().binary(&frame::response(number * 2, b"")).is_err() {
            break;
        }
    }
    match line.end(Duration::from_secs(10)) {
        Ended::Closed(code, _) => assert_eq!(code, 1002),
        other => panic!("{other:?}"),
    }
}
