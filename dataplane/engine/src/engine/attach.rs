//! Lines that come and go.

use std::collections::BTreeSet;

use landline_link::{Credential, Report, SessionUp};
use landline_wire::bounds::Bound;
use landline_wire::close;
use landline_wire::error::{Code, Problem};
use landline_wire::frame::{Frame, Ready};
use landline_wire::ids::SessionId;
use landline_wire::limits::{MAX_SHARED_LINES, WINDOW_BYTES};
use landline_wire::message::Violation;
use landline_wire::session::server::Strays;

use super::Engine;
use super::outgoing::EVERY_CALL;
use crate::credentials::Principal;
use crate::line::Line;
use crate::offer::Body;
use crate::output::Output;
use crate::types::{Effect, LineKey, Mail, Now, Origin, Reply};

/// A session that authenticated and wants to become a line, on its agent's home core.
#[derive(Debug, Clone, Copy)]
pub struct Attach {
    /// Who, and by which credential.
    pub principal: Principal,
    /// The new session's id.
    pub session: SessionId,
    /// May it stand beside other lines of the agent?
    pub shared: bool,
    /// Does it take requests in parts?
    pub parts: bool,
}

impl Engine {
    /// Makes a session a line: `ready` is queued, older lines that it replaces are closed.
    ///
    /// # Errors
    /// The close code and reason for a session that may not become one.
    pub fn attach(&mut self, attach: Attach, now: Now) -> Result<LineKey, Violation> {
        let Principal { agent, credential } = attach.principal;
        // Revoked or blocked between the check on the accepting core and now?
        if !self.credentials.is_alive(&attach.principal) {
            return Err(Violation::new(close::INVALID_TOKEN, close::reason(close::INVALID_TOKEN)));
        }
        if self.credentials.is_blocked(agent) {
            return Err(Violation::new(close::BLOCKED, close::reason(close::BLOCKED)));
        }
        if self.draining {
            return Err(Violation::new(close::GOING_AWAY, "the node is leaving"));
        }
        self.make_room(&attach, now)?;
        let key = self.lines.insert(
            Line {
                agent,
                session: attach.session,
                credential,
                since: now.unix_ms,
                shared: attach.shared,
                parts: attach.parts,
                draining: false,
                closing: false,
                strays: Strays::default(),
                flush_asked: false,
                output: Output::default(),
                calls: Vec::new(),
                own: None,
            },
            now.ms(),
        );
        if let Credential::Token { jti, .. } = credential {
            self.by_token.entry(*jti.as_bytes()).or_default().push(key);
        }
        self.absent.remove(&agent);
        self.stats.attached += 1;
        self.send_ready(key, &attach);
        let up = SessionUp { agent, session: attach.session, at: now.unix_ms, credential, shared: attach.shared };
        self.effects.push_back(Effect::Report(Report::SessionUp(up)));
        Ok(key)
    }

    /// Lines that share may stand side by side; any other new line replaces what is there.
    fn make_room(&mut self, attach: &Attach, now: Now) -> Result<(), Violation> {
        let standing: Vec<LineKey> = self.lines.of(attach.principal.agent).to_vec();
        let all_shared = attach.shared && standing.iter().all(|key| self.lines.get(*key).is_some_and(|l| l.shared));
        if all_shared {
            if standing.len() >= MAX_SHARED_LINES {
                self.stats.reached.count(Bound::SharedLines);
                return Err(Violation::new(close::CAP_REACHED, "lines_per_agent"));
            }
            return Ok(());
        }
        for key in standing {
            // A draining session is not replaced: it ends with its last call.
            if self.lines.get(key).is_some_and(|line| !line.draining) {
                self.close_line(key, close::REPLACED, close::reason(close::REPLACED), now);
            }
        }
        Ok(())
    }

    fn send_ready(&mut self, key: LineKey, attach: &Attach) {
        let (agent, session) = (attach.principal.agent.to_string(), attach.session.to_string());
        let node = self.config.node.clone();
        let ready = Ready {
            agent_id: &agent,
            session_id: &session,
            node: &node,
            heartbeat_s: self.config.heartbeat_s,
            max_body_bytes: self.config.max_body_bytes as u64,
            max_in_flight: self.config.max_in_flight as u64,
            window_bytes: WINDOW_BYTES as u64,
        };
        self.send(key, &Frame::Ready(ready), Body::nothing());
    }

    /// Ends a session from our side: its calls fail, a close frame is queued, and the socket closes when it is sent.
    pub fn close_line(&mut self, key: LineKey, code: u16, reason: &str, now: Now) {
        let lines = self.lines.len();
        if self.lines.get(key).is_none_or(|line| line.closing) {
            return;
        }
        self.lines.close(key, now.ms());
        let Some(line) = self.lines.get_mut(key) else { return };
        let before = line.output.len();
        if close::is_for_now(code) {
            let after_ms = self.redials.after_ms(lines, line.chance(), now);
            line.output.push_close(code, &close::with_redial(reason, after_ms));
        } else {
            line.output.push_close(code, reason);
        }
        self.held += line.output.len() - before;
        self.off_the_lists(key, now);
        self.flush(key);
        self.effects.push_back(Effect::Close(key));
    }

    /// The reason for a session that does not become a line. One that may come back is told when; `random` is any number.
    pub fn refusal(&mut self, violation: Violation, random: u64, now: Now) -> String {
        if !close::is_for_now(violation.code) {
            return violation.why.to_owned();
        }
        let after_ms = self.redials.after_ms(self.lines.len(), random, now);
        close::with_redial(violation.why, after_ms)
    }

    /// The agent's peer broke the protocol.
    pub fn violation(&mut self, key: LineKey, violation: Violation, now: Now) {
        self.stats.violations += 1;
        if violation.code == close::TOO_BIG {
            self.stats.reached.count(Bound::Message);
        }
        self.close_line(key, violation.code, violation.why, now);
    }

    /// The line's socket is closed, whoever closed it: frees its slot.
    pub fn line_gone(&mut self, key: LineKey, now: Now) {
        let Some(line) = self.lines.get(key) else { return };
        if !line.closing {
            self.off_the_lists(key, now);
        }
        if let Some(line) = self.lines.remove(key) {
            self.held = self.held.saturating_sub(line.output.len());
        }
    }

    /// What has to happen at once when a session ends: no new calls, open ones fail, its own calls are cancelled, and
    /// the exchange is told.
    fn off_the_lists(&mut self, key: LineKey, now: Now) {
        self.lines.unlist(key);
        let Some(line) = self.lines.get_mut(key) else { return };
        let (agent, session, credential) = (line.agent, line.session, line.credential);
        let slots = std::mem::take(&mut line.calls);
        let own = line.own.take().unwrap_or_default();
        if let Credential::Token { jti, .. } = credential
            && let Some(keys) = self.by_token.get_mut(jti.as_bytes())
        {
            keys.retain(|other| *other != key);
            if keys.is_empty() {
                self.by_token.remove(jti.as_bytes());
            }
        }
        for slot in slots {
            let Some(id) = self.calls.in_slot(slot).map(|(id, _)| id) else { continue };
            self.end_call_of_lost_line(id, now);
        }
        let passed_on = own.iter().filter(|(_, call)| call.direct).map(|(id, _)| Effect::DirectGone(key, *id));
        self.effects.extend(passed_on);
        let homes: BTreeSet<usize> = own.values().map(|call| call.home).collect();
        for home in homes {
            self.gone_at(home, Origin::Line { core: self.core, line: key, id: EVERY_CALL }, now);
        }
        self.effects.push_back(Effect::Report(Report::SessionDown { agent, session, at: now.unix_ms }));
    }

    fn end_call_of_lost_line(&mut self, id: landline_wire::ids::CallId, now: Now) {
        let Some(call) = self.calls.close(id) else { return };
        self.release(&call);
        let (origin, stream) = (call.origin, call.stream.filter(|stream| self.streams.contains_key(stream)));
        self.record(call, Code::GatewayUnavailable.status(), now);
        let problem = Problem::plain(Code::GatewayUnavailable);
        match stream {
            Some(stream) => self.end_stream(stream, Some(&problem), now),
            None => self.reply(origin, Reply::Failed(Box::new(problem)), now),
        }
    }

    /// A caller whose callee's home is `core` went away before its call ended: cancels it.
    pub fn gone_at(&mut self, core: usize, origin: Origin, now: Now) {
        if core == self.core {
            self.gone_here(origin, now);
        } else {
            self.effects.push_back(Effect::Mail(core, Mail::Gone(origin)));
        }
    }
}
