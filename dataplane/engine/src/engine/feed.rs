//! What the exchange pushes: changes that end lines at once.

use landline_link::Op;
use landline_wire::close;
use landline_wire::ids::{AgentId, SessionId};

use super::Engine;
use crate::credentials::Principal;
use crate::types::{LineKey, Now};

impl Engine {
    /// Applies changes in order; lines whose credential died or whose agent was blocked are closed.
    pub fn apply(&mut self, ops: &[Op], now: Now) {
        for op in ops {
            self.credentials.apply(op);
            match op {
                Op::Revoke { agent, .. } | Op::Block { agent, .. } | Op::Remove { agent } => {
                    self.absent.remove(agent);
                    for key in self.lines.of(*agent).to_vec() {
                        self.enforce(key, now);
                    }
                }
                Op::RevokeToken { jti, .. } => {
                    for key in self.by_token.get(jti.as_bytes()).cloned().unwrap_or_default() {
                        self.enforce(key, now);
                    }
                }
                Op::Policy { agent, .. } => {
                    self.absent.remove(agent);
                }
                Op::Keys { .. } => {}
            }
        }
    }

    /// The exchange is in reach and everything is applied, or it is lost. After a snapshot every line is judged anew.
    pub fn synced(&mut self, in_reach: bool, now: Now) {
        if self.credentials.synced(in_reach, now) {
            self.absent.clear();
            let all: Vec<LineKey> = self.lines.iter().map(|(key, _)| key).collect();
            for key in all {
                self.enforce(key, now);
            }
        }
    }

    fn enforce(&mut self, key: LineKey, now: Now) {
        let Some(line) = self.lines.get(key) else { return };
        let principal = Principal { agent: line.agent, credential: line.credential };
        if !self.credentials.is_alive(&principal) {
            self.close_line(key, close::INVALID_TOKEN, close::reason(close::INVALID_TOKEN), now);
        } else if self.credentials.is_blocked(principal.agent) {
            self.close_line(key, close::BLOCKED, close::reason(close::BLOCKED), now);
        }
    }

    /// The exchange wants this session to end.
    pub fn kick(&mut self, agent: AgentId, session: SessionId, code: u16, now: Now) {
        // A draining session is not replaced: it ends with its last call. The exchange cannot know that it drains.
        let stays = |key: &LineKey| code == close::REPLACED && self.lines.get(*key).is_some_and(|line| line.draining);
        if let Some(key) = self.line_of_session(agent, session).filter(|key| !stays(key)) {
            self.close_line(key, code, close::reason(code), now);
        }
    }
}
