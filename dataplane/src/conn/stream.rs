//! `POST /relay/{id}/stream`: an answer as events that can be resumed.

use std::rc::Rc;

use landline_engine::{ConnKey, Mail, Origin, Resume, parse_event_id};
use landline_wire::error::{Code, Problem};
use landline_wire::http1::Head;
use landline_wire::ids::AgentId;

use super::relay::call_or_refuse;
use super::reply::answer_call;
use super::{After, Asked, Conn, has_body};
use crate::core::CoreMail;

/// Bytes that the system may hold of a stream for a slow caller (it doubles them for its own bookkeeping).
const SEND_BUFFER_BYTES: usize = 64 << 10;

/// `POST …/stream`: a call whose answer comes as events, or the rest of one whose connection was lost.
pub(super) async fn serve(
    conn: &mut Conn,
    head: &Head,
    agent: AgentId,
    caller: Option<AgentId>,
    asked: &Asked<'_>,
) -> After {
    // What the system holds of a broken connection is lost: little enough that the replay buffer still has it.
    conn.socket.limit_send_buffer(SEND_BUFFER_BYTES);
    conn.events = true;
    let after = match head.header("last-event-id") {
        Some(id) if !has_body(head) => resume(conn, head, agent, caller, id, asked).await,
        _ => {
            let mut request = conn.request(head, agent, caller, "", asked).await;
            if let Ok(request) = &mut request {
                request.resumable = conn.core.random().ok();
                request.stream = true;
            }
            call_or_refuse(conn, head, request, asked).await
        }
    };
    conn.events = false;
    after
}

async fn resume(
    conn: &mut Conn,
    head: &Head,
    target: AgentId,
    caller: Option<AgentId>,
    last_event_id: &str,
    asked: &Asked<'_>,
) -> After {
    let Some((stream, after)) = parse_event_id(last_event_id) else {
        let problem = Problem::new(Code::InvalidQuery, "Last-Event-ID is no id of a stream of ours.");
        return conn.answer_problem(asked, &problem.field("Last-Event-ID"), head.keep_alive).await;
    };
    let number = conn.core.number();
    let origin = Origin::Http { core: conn.core.id, conn: ConnKey(number) };
    let started = conn.core.now();
    let home = conn.core.engine.borrow().home(target);
    conn.core.waiting.borrow_mut().insert(number, Rc::clone(&conn.cell));
    let mail = Mail::Resume(Resume { origin, caller, target, stream, after });
    if home == conn.core.id {
        conn.core.engine.borrow_mut().mail(mail, started);
        conn.core.carry_out();
    } else {
        conn.core.post(home).send(CoreMail::Engine(mail));
    }
    let after = match conn.reply(home, origin).await {
        Some(reply) => answer_call(conn, home, origin, started, head.keep_alive, reply, asked).await,
        None => After::Done,
    };
    conn.done_waiting(number);
    after
}
