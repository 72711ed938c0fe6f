//! What hostile callers, agents and servers send, row by row, and how each ends: nothing splits a request or an answer,
//! and nothing leaves the base of an exposed server.
//!
//! | module | from whom | against whom |
//! |---|---|---|
//! | [`frames`] | an agent's `call` frames | another agent |
//! | [`requests`] | a caller's raw HTTP | an agent |
//! | [`answers`] | an agent's `response` frames | an HTTP caller, an agent that called |
//! | [`exposed`] | a caller's raw HTTP, a server's raw answers | the server behind `landline expose`, its callers |

mod answers;
mod exposed;
mod frames;
#[path = "../expose/program.rs"]
#[allow(dead_code, reason = "shared with the tests of `expose` and `dial`; some of it is theirs alone")]
mod program;
mod raw;
mod requests;
mod world;

#[test]
fn there_are_at_least_sixty_rows() {
    let rows = [
        ("frames", frames::rows().len()),
        ("requests", requests::rows().len()),
        ("answers", answers::rows().len()),
        ("exposed, requests", exposed::requests().len()),
        ("exposed, answers", exposed::answers().len()),
    ];
    eprintln!("{rows:?}");
    assert!(rows.iter().all(|(_, count)| *count >= 10) && rows.iter().map(|(_, count)| count).sum::<usize>() >= 60);
}
