//! The calls that are open on this core.

use compact_str::CompactString;
use landline_wire::ids::{AgentId, CallId};
use landline_wire::limits::WINDOW_BYTES;

use crate::engine::Gathering;
use crate::sse::StreamId;
use crate::types::{LineKey, Now, Origin};

/// How far a call is.
#[derive(Debug)]
pub enum Phase {
    /// The body is gathered, because the line takes requests whole; the agent knows nothing of the call yet.
    Gathering(Box<Gathering>),
    /// The agent has not answered.
    Waiting,
    /// The answer comes in parts.
    Streaming {
        /// Its status.
        status: u16,
        /// Body bytes that the agent may still send.
        window: i64,
        /// Bytes that the caller took and that were not granted again yet.
        consumed: usize,
    },
}

/// One open call.
#[derive(Debug)]
pub struct Call {
    /// Where the reply goes.
    pub origin: Origin,
    /// Who calls.
    pub caller: Option<AgentId>,
    /// Who is called.
    pub target: AgentId,
    /// The line that has to answer: no other can.
    pub line: LineKey,
    /// Place in the line's list of calls.
    pub(crate) at: usize,
    /// For the audit record.
    pub request_id: CompactString,
    /// For the audit record.
    pub method: Option<CompactString>,
    /// When the request was complete.
    pub started: Now,
    /// How far it is.
    pub phase: Phase,
    /// Bytes that the caller may still send, while its body comes in parts.
    pub upload: Option<i64>,
    /// The answer is a resumable stream.
    pub stream: Option<StreamId>,
    /// Milliseconds to the first frame of the answer, from the moment when the request is complete.
    pub timeout_ms: u64,
}

impl Call {
    /// Body bytes that the relay may hold for this call: of an answer in parts what its caller has not taken, of a body in
    /// parts what its agent has not granted again, or what is gathered. Whole bodies are on their way at once and counted
    /// with their line.
    pub fn held_bytes(&self) -> usize {
        let taken_in = |window: i64| (WINDOW_BYTES as i64 - window).max(0) as usize;
        let body = self.upload.map_or(0, taken_in);
        match &self.phase {
            Phase::Gathering(gathering) => gathering.held_bytes(),
            Phase::Waiting => body,
            Phase::Streaming { window, consumed, .. } => body + taken_in(*window).saturating_sub(*consumed),
        }
    }
}

struct Slot {
    generation: u32,
    call: Option<Call>,
}

/// Slots for calls. Finding a call is arithmetic on its id.
pub struct CallTable {
    core: usize,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Deadlines beside the slots, so that a sweep reads memory in order. `u64::MAX`: none.
    deadlines: Vec<u64>,
    open: usize,
    retired: usize,
    most: usize,
}

impl CallTable {
    /// An empty table of a core for at most so many calls.
    pub fn new(core: usize, most: usize) -> Self {
        let most = most.min(CallId::MAX_SLOTS);
        Self { core, slots: Vec::new(), free: Vec::new(), deadlines: Vec::new(), open: 0, retired: 0, most }
    }

    /// Open calls.
    pub fn len(&self) -> usize {
        self.open
    }

    /// No open call?
    pub fn is_empty(&self) -> bool {
        self.open == 0
    }

    /// Slots that are never used again, because their generation reached its end.
    pub fn retired(&self) -> usize {
        self.retired
    }

    /// Opens a call; `None` if every slot is taken.
    pub fn open(&mut self, call: Call, deadline_ms: u64) -> Option<CallId> {
        let index = match self.free.pop() {
            Some(index) => index as usize,
            None if self.slots.len() < self.most => {
                self.slots.push(Slot { generation: 0, call: None });
                self.deadlines.push(u64::MAX);
                self.slots.len() - 1
            }
            None => return None,
        };
        let slot = &mut self.slots[index];
        slot.call = Some(call);
        self.deadlines[index] = deadline_ms;
        self.open += 1;
        Some(CallId::pack(self.core, index, slot.generation))
    }

    /// The open call with this id.
    pub fn get_mut(&mut self, id: CallId) -> Option<&mut Call> {
        if id.core() != self.core {
            return None;
        }
        let slot = self.slots.get_mut(id.slot())?;
        if slot.generation == id.generation() { slot.call.as_mut() } else { None }
    }

    /// The open call with this id.
    pub fn get(&self, id: CallId) -> Option<&Call> {
        let slot = self.slots.get(id.slot()).filter(|_| id.core() == self.core)?;
        if slot.generation == id.generation() { slot.call.as_ref() } else { None }
    }

    /// The call in this slot, whichever generation.
    pub(crate) fn in_slot(&self, index: u32) -> Option<(CallId, &Call)> {
        let slot = self.slots.get(index as usize)?;
        let call = slot.call.as_ref()?;
        Some((CallId::pack(self.core, index as usize, slot.generation), call))
    }

    pub(crate) fn in_slot_mut(&mut self, index: u32) -> Option<&mut Call> {
        self.slots.get_mut(index as usize)?.call.as_mut()
    }

    /// Moves a call's deadline.
    pub fn set_deadline(&mut self, id: CallId, deadline_ms: u64) {
        self.deadlines[id.slot()] = deadline_ms;
    }

    /// Ends a call: its id finds nothing any more.
    pub fn close(&mut self, id: CallId) -> Option<Call> {
        self.get(id)?;
        let index = id.slot();
        let slot = &mut self.slots[index];
        let call = slot.call.take();
        self.deadlines[index] = u64::MAX;
        self.open -= 1;
        if slot.generation == CallId::MAX_GENERATION {
            self.retired += 1;
        } else {
            slot.generation += 1;
            self.free.push(index as u32);
        }
        call
    }

    /// Calls whose deadline has passed.
    pub fn overdue(&self, now_ms: u64) -> Vec<CallId> {
        let due = self.deadlines.iter().enumerate().filter(|(_, deadline)| **deadline <= now_ms);
        due.filter_map(|(index, _)| self.in_slot(index as u32).map(|(id, _)| id)).collect()
    }

    /// The most that one open call holds ([`Call::held_bytes`]).
    pub fn largest_held(&self) -> usize {
        self.slots.iter().filter_map(|slot| slot.call.as_ref()).map(Call::held_bytes).max().unwrap_or(0)
    }

    /// Open calls that a test selects by their origin. A scan: callers that leave early are rare beside calls.
    pub fn find(&self, mut wanted: impl FnMut(&Origin) -> bool) -> Vec<CallId> {
        let all = (0..self.slots.len() as u32).filter_map(|index| self.in_slot(index));
        all.filter(|(_, call)| wanted(&call.origin)).map(|(id, _)| id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ConnKey;

    fn call() -> Call {
        let agent = AgentId::from_parts(0, [0; 10]);
        Call {
            origin: Origin::Http { core: 0, conn: ConnKey(1) },
            caller: None,
            target: agent,
            line: LineKey { slot: 0, generation: 0 },
            at: 0,
            request_id: "r".into(),
            method: None,
            started: Now { us: 0, unix_ms: 0 },
            phase: Phase::Waiting,
            upload: None,
            stream: None,
            timeout_ms: 60_000,
        }
    }

    #[test]
    fn a_closed_calls_id_finds_nothing_even_when_its_slot_is_used_again() {
        let mut table = CallTable::new(3, 8);
        let first = table.open(call(), 10).unwrap();
        assert!(table.get(first).is_some() && table.close(first).is_some());
        let second = table.open(call(), 10).unwrap();
        assert_eq!((first.slot(), first.core()), (second.slot(), second.core()));
        assert!(table.get(first).is_none() && table.close(first).is_none() && table.get(second).is_some());
        assert!(CallTable::new(2, 8).get(second).is_none());
    }

    #[test]
    fn a_slot_at_its_last_generation_is_retired() {
        let mut table = CallTable::new(0, 8);
        let id = table.open(call(), 10).unwrap();
        table.slots[id.slot()].generation = CallId::MAX_GENERATION;
        let last = CallId::pack(0, id.slot(), CallId::MAX_GENERATION);
        assert!(table.close(last).is_some());
        assert_eq!(table.retired(), 1);
        assert_ne!(table.open(call(), 10).unwrap().slot(), id.slot());
    }

    #[test]
    fn overdue_calls_are_found_by_their_deadline() {
        let mut table = CallTable::new(0, 8);
        let soon = table.open(call(), 10).unwrap();
        let late = table.open(call(), 20).unwrap();
        assert_eq!(table.overdue(9), []);
        assert_eq!(table.overdue(10), [soon]);
        table.set_deadline(soon, 30);
        assert_eq!(table.overdue(20), [late]);
        table.close(late);
        assert_eq!(table.overdue(20), []);
    }
}
