//! A body that goes to an agent in parts, as it comes, at most one window ahead of what the agent has taken.

use bytes::Bytes;
use landline_engine::{Origin, Reply};
use landline_wire::error::Problem;
use landline_wire::http1::{BodyDecoder, BodyPiece, Head};

use super::read::{Fill, Woke};
use super::{Conn, Event, unreadable};

/// What became of a body.
pub(super) enum Sent {
    /// It went out whole; the reply is to come.
    Whole,
    /// The reply came before the body was complete: the rest of it stays unread.
    Answered(Reply),
    /// It was broken; the call is cancelled.
    Broken(Problem),
    /// The caller went away; the call is cancelled.
    Gone,
}

/// What a part-wise body waits for next.
enum Next {
    /// Bytes are in the buffer, or credit came.
    Goes,
    /// It ends here.
    Ends(Sent),
}

/// Sends the body of a call that was placed with `more`.
pub(super) async fn send(conn: &mut Conn, head: &Head, home: usize, origin: Origin) -> Sent {
    conn.continue_if_asked(head).await;
    let mut decoder = BodyDecoder::new(head.framing);
    // Nothing is read before the callee's core grants it: without a line there the body is for somebody else.
    let mut window = 0;
    let mut rest = Bytes::new();
    loop {
        while let Some(event) = conn.cell.take() {
            match event {
                Event::Reply(Reply::Credit(bytes)) => window += bytes,
                Event::Reply(reply) => return Sent::Answered(reply),
                _ => {}
            }
        }
        if !rest.is_empty() && window > 0 {
            let part = rest.split_to(rest.len().min(window));
            window -= part.len();
            part_to(conn, home, origin, part, true);
            continue;
        }
        let blocked = !rest.is_empty() || window == 0;
        if !blocked {
            match decoder.next(&mut conn.buf) {
                Ok(BodyPiece::Data(piece)) => {
                    rest = piece;
                    continue;
                }
                Ok(BodyPiece::End) => {
                    part_to(conn, home, origin, Bytes::new(), false);
                    return Sent::Whole;
                }
                Ok(BodyPiece::Need) => {}
                Err(bad) => {
                    cancel(conn, home, origin);
                    return Sent::Broken(unreadable(bad));
                }
            }
        }
        match next(conn, !blocked, &mut window).await {
            Next::Goes => {}
            Next::Ends(Sent::Gone) => {
                cancel(conn, home, origin);
                return Sent::Gone;
            }
            Next::Ends(sent) => return sent,
        }
    }
}

/// Waits for bytes (if they can be used), credit or the reply. How long, the callee's core decides: its deadline comes
/// as a reply.
async fn next(conn: &mut Conn, reads: bool, window: &mut usize) -> Next {
    match conn.wait(reads, true).await {
        Woke::Event(Event::Reply(Reply::Credit(bytes))) => *window += bytes,
        Woke::Event(Event::Reply(reply)) => return Next::Ends(Sent::Answered(reply)),
        Woke::Readable if conn.read_ready(0).await != Fill::More => return Next::Ends(Sent::Gone),
        _ => {}
    }
    Next::Goes
}

fn part_to(conn: &mut Conn, home: usize, origin: Origin, body: Bytes, more: bool) {
    let now = conn.core.now();
    conn.core.engine.borrow_mut().part_at(home, origin, body.into(), more, now);
    conn.core.carry_out();
}

fn cancel(conn: &mut Conn, home: usize, origin: Origin) {
    let now = conn.core.now();
    conn.core.engine.borrow_mut().gone_at(home, origin, now);
    conn.core.carry_out();
}
