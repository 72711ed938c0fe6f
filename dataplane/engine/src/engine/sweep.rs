//! What happens because time passed: overdue calls, silent lines, leaving.

use landline_wire::bounds::Bound;
use landline_wire::close;
use landline_wire::frame::Frame;
use landline_wire::header::Kind;

use super::Engine;
use super::redial::spread_ms;
use crate::line::Line;
use crate::offer::Body;
use crate::types::{Effect, LineKey, Now};
use crate::watch::Due;

impl Engine {
    /// Ends overdue calls. To be called every 50 ms or so while calls are open.
    pub fn sweep_calls(&mut self, now: Now) {
        if self.calls.is_empty() {
            return;
        }
        for id in self.calls.overdue(now.ms()) {
            let overdue = self.calls.get(id).map(|call| Self::overdue_problem(call, now));
            let Some((bound, problem)) = overdue else { continue };
            self.stats.reached.count(bound);
            let code = problem.code.as_str();
            self.fail(id, problem, Some(code), now);
        }
    }

    /// Pings silent lines, ends dead ones, and forgets what is over. To be called about once a second.
    pub fn sweep_lines(&mut self, now: Now) {
        for (key, due) in self.lines.look(now.ms(), self.config.heartbeat_s) {
            match due {
                Due::Shrink => self.lines.get_mut(key).into_iter().for_each(Line::shrink),
                Due::Ping => self.send_control(key, Kind::Ping, b""),
                Due::Dead => {
                    self.stats.reached.count(Bound::Heartbeat);
                    self.close_line(key, close::GOING_AWAY, "no sign of life", now);
                    self.effects.push_back(Effect::Abort(key));
                }
                Due::Abort => self.effects.push_back(Effect::Abort(key)),
            }
        }
        self.sweep_streams(now);
        self.absent.retain(|_, (_, until)| *until > now.ms());
        self.credentials.forget_expired(now);
    }

    /// Begins to leave: every line is told, none is taken any more, calls in flight go on. Each line gets its own time
    /// to dial again: see [`spread_ms`].
    pub fn drain(&mut self, deadline_ms: u64) {
        self.draining = true;
        let spread_ms = spread_ms(self.lines.len() as u64);
        let told: Vec<(LineKey, u64)> = self
            .lines
            .iter_mut()
            .map(|(key, line)| {
                line.draining = true;
                (key, line.chance() % spread_ms)
            })
            .collect();
        for (key, redial_after_ms) in told {
            self.send(key, &Frame::Drain { deadline_ms, redial_after_ms }, Body::nothing());
        }
    }

    /// Has it begun to leave?
    pub fn is_draining(&self) -> bool {
        self.draining
    }

    /// Closes every line: the last step of leaving.
    pub fn close_all(&mut self, now: Now) {
        let all: Vec<LineKey> = self.lines.iter().map(|(key, _)| key).collect();
        for key in all {
            self.close_line(key, close::GOING_AWAY, close::reason(close::GOING_AWAY), now);
        }
    }
}
