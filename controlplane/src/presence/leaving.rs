//! Lines whose end was reported and is not stored yet. A transaction takes as long as the disk takes; who has left is to be
//! off the list before that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use landline_link::{Report, ReportBatch};
use landline_wire::ids::AgentId;

/// Ends that wait to be stored, counted by agent. Bounded by the batches that a link lets be on their way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leaving(Arc<Mutex<HashMap<AgentId, u64>>>);

/// The ends of one batch; they wait until this is dropped.
#[derive(Debug)]
pub(crate) struct Noted {
    leaving: Leaving,
    agents: Vec<AgentId>,
}

impl Leaving {
    fn lock(&self) -> MutexGuard<'_, HashMap<AgentId, u64>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Notes the ends that a batch reports.
    pub(crate) fn note(&self, batch: &ReportBatch) -> Noted {
        let ended = |report: &Report| match report {
            Report::SessionDown { agent, .. } => Some(*agent),
            Report::SessionsBegin | Report::SessionUp(_) | Report::SessionsEnd => None,
        };
        let agents: Vec<AgentId> = batch.reports.iter().filter_map(ended).collect();
        let mut waiting = self.lock();
        agents.iter().for_each(|agent| *waiting.entry(*agent).or_default() += 1);
        Noted { leaving: self.clone(), agents }
    }

    /// What waits now. Ask before the database is read: an end that is stored between the two is then counted twice, and
    /// an agent rather missed for a moment than shown when it is gone.
    pub(crate) fn now(&self) -> Departures {
        Departures(self.lock().clone())
    }
}

/// Ends that waited to be stored at some moment.
#[derive(Debug, Default)]
pub(crate) struct Departures(HashMap<AgentId, u64>);

impl Departures {
    /// Of so many lines that are stored for an agent, those that are not about to end.
    pub(crate) fn staying(&self, agent: AgentId, lines: u64) -> u64 {
        lines.saturating_sub(self.0.get(&agent).copied().unwrap_or(0))
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        let mut waiting = self.leaving.lock();
        for agent in &self.agents {
            if let Some(count) = waiting.get_mut(agent) {
                *count -= 1;
                if *count == 0 {
                    waiting.remove(agent);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use landline_wire::ids::SessionId;

    use super::*;

    #[test]
    fn who_is_about_to_leave_is_not_counted_until_the_end_is_stored() {
        let agent = |n| AgentId::from_parts(n, [0; 10]);
        let down = |n: u8| Report::SessionDown { agent: agent(1), session: SessionId::from_parts(1, [n; 10]), at: 0 };
        let batch = |reports| ReportBatch { seq: 1, reports };
        let leaving = Leaving::default();
        let one = leaving.note(&batch(vec![Report::SessionsBegin, down(1), Report::SessionsEnd]));
        assert_eq!((leaving.now().staying(agent(1), 1), leaving.now().staying(agent(2), 1)), (0, 1));
        let two = leaving.note(&batch(vec![down(2), down(3)]));
        assert_eq!((leaving.now().staying(agent(1), 4), leaving.now().staying(agent(1), 2)), (1, 0));
        drop(one);
        assert_eq!(leaving.now().staying(agent(1), 3), 1);
        drop(two);
        assert_eq!(leaving.now().staying(agent(1), 1), 1);
        assert!(leaving.lock().is_empty(), "nothing is kept of what is stored");
    }
}
