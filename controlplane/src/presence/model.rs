//! Sessions, decided without a database.

use landline_link::Credential;
use landline_wire::close;
use landline_wire::ids::{AgentId, NodeId, SessionId};

/// What a report changed for the public: an agent became reachable over a line, or ceased to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whose line.
    pub agent: AgentId,
    /// Its name; `None` if it was removed meanwhile.
    pub name: Option<String>,
    /// When, unix milliseconds.
    pub at: i64,
    /// Up or down.
    pub connected: bool,
}

/// What is known of a session's agent when the session is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) blocked: bool,
    pub(crate) key_gen: u64,
    pub(crate) token_gen: u64,
    /// Was the session's own token revoked?
    pub(crate) token_revoked: bool,
}

/// Must this session end, because of who opened it with what? Gives the close code.
pub(crate) fn verdict(standing: Option<Standing>, credential: Credential) -> Option<u16> {
    let Some(standing) = standing else { return Some(close::INVALID_TOKEN) };
    let dead = match credential {
        Credential::Key { key_gen } => key_gen < standing.key_gen,
        Credential::Token { token_gen, .. } => token_gen < standing.token_gen || standing.token_revoked,
    };
    if dead { Some(close::INVALID_TOKEN) } else { standing.blocked.then_some(close::BLOCKED) }
}

/// Another open session of the same agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Other {
    pub(crate) session: SessionId,
    pub(crate) node: NodeId,
    pub(crate) shared: bool,
}

/// Which sessions on other switches a session displaces, or would be displaced by. On its own switch the switch itself
/// decides, and reports.
pub(crate) fn rivals(others: &[Other], node: NodeId, shared: bool) -> Vec<Other> {
    others.iter().copied().filter(|other| other.node != node && !(shared && other.shared)).collect()
}

/// The share of a time span that the intervals cover; open ones (`None`) last to its end. `None` if the span is empty.
pub fn uptime(intervals: &[(i64, Option<i64>)], from: i64, to: i64) -> Option<f64> {
    if to <= from {
        return None;
    }
    let mut spans: Vec<(i64, i64)> = intervals
        .iter()
        .map(|(start, end)| ((*start).max(from), end.unwrap_or(to).min(to)))
        .filter(|(start, end)| start < end)
        .collect();
    spans.sort_unstable();
    let mut covered = 0;
    let mut reached = from;
    for (start, end) in spans {
        covered += (end - start.max(reached)).max(0);
        reached = reached.max(end);
    }
    Some(covered as f64 / (to - from) as f64)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn overlapping_lines_count_once_and_the_span_bounds_them() {
        assert_eq!(uptime(&[(0, Some(50)), (25, Some(75))], 0, 100), Some(0.75));
        assert_eq!(uptime(&[(90, None), (-50, Some(10))], 0, 100), Some(0.2));
        assert_eq!(uptime(&[(0, Some(100)), (10, Some(20))], 0, 100), Some(1.0));
        assert_eq!(uptime(&[], 0, 100), Some(0.0));
        assert_eq!(uptime(&[(0, None)], 100, 100), None);
    }

    #[test]
    fn a_session_ends_with_its_credential_and_a_block() {
        let good = Standing { blocked: false, key_gen: 2, token_gen: 3, token_revoked: false };
        let key = |key_gen| Credential::Key { key_gen };
        let token = |token_gen| Credential::Token { jti: Uuid::nil(), token_gen };
        assert_eq!(verdict(Some(good), key(2)), None);
        assert_eq!(verdict(Some(good), key(1)), Some(4003));
        assert_eq!(verdict(Some(good), token(3)), None);
        assert_eq!(verdict(Some(good), token(2)), Some(4003));
        assert_eq!(verdict(Some(Standing { token_revoked: true, ..good }), token(3)), Some(4003));
        assert_eq!(verdict(Some(Standing { token_revoked: true, ..good }), key(2)), None);
        assert_eq!(verdict(Some(Standing { blocked: true, ..good }), key(2)), Some(4010));
        assert_eq!(verdict(None, key(9)), Some(4003));
    }

    #[test]
    fn only_other_switches_sessions_are_rivals_and_shared_ones_tolerate_each_other() {
        let node = |n| NodeId::from_parts(n, [0; 10]);
        let other = |n, shared| Other { session: SessionId::from_parts(n, [1; 10]), node: node(n), shared };
        let others = [other(1, false), other(2, false), other(2, true)];
        assert_eq!(rivals(&others, node(1), false), [others[1], others[2]]);
        assert_eq!(rivals(&others, node(1), true), [others[1]]);
    }
}
