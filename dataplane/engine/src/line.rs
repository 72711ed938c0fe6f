//! The lines of this core.

use landline_link::Credential;
use landline_wire::ids::{AgentId, CallId, SessionId};
use landline_wire::session::server::Strays;

use crate::map::Map;
use crate::output::Output;
use crate::types::LineKey;
use crate::watch::{Due, Watch};

/// One agent's live session.
#[derive(Debug)]
pub struct Line {
    /// Whose.
    pub agent: AgentId,
    /// Which session.
    pub session: SessionId,
    /// What it was opened with.
    pub credential: Credential,
    /// Since when, unix milliseconds.
    pub since: i64,
    /// May stand beside others.
    pub shared: bool,
    /// Takes requests in parts.
    pub parts: bool,
    /// Gets no new calls.
    pub draining: bool,
    /// It ends: nothing that comes over it counts any more.
    pub closing: bool,
    pub(crate) strays: Strays,
    pub(crate) output: Output,
    /// A `Flush` effect for it is on its way.
    pub(crate) flush_asked: bool,
    /// Slots of the calls that this line has to answer.
    pub(crate) calls: Vec<u32>,
    /// Open calls that this line's agent makes, by its own ids. Most lines have none: eight bytes instead of forty-eight.
    #[allow(clippy::box_collection, reason = "see above")]
    pub(crate) own: Option<Box<Map<u64, OwnCall>>>,
}

/// A call that a line's agent makes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnCall {
    /// The core that holds it.
    pub(crate) home: usize,
    /// Its id there, known once its answer comes in parts: where credit goes.
    pub(crate) call: Option<CallId>,
    /// Its body is not complete.
    pub(crate) uploads: bool,
    /// It was passed on: its callee has no line.
    pub(crate) direct: bool,
}

impl Line {
    pub(crate) fn own_call(&mut self, id: u64) -> Option<&mut OwnCall> {
        self.own.as_mut()?.get_mut(&id)
    }

    /// The call is over: its id names nothing any more.
    pub(crate) fn forget_own_call(&mut self, id: u64) -> Option<OwnCall> {
        self.own.as_mut()?.remove(&id)
    }

    /// A number for its time to dial again. The end of a session's id is random: jitter enough, and the same for the same
    /// session.
    pub(crate) fn chance(&self) -> u64 {
        let bytes = self.session.as_bytes();
        u64::from(u32::from_be_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]))
    }

    /// Frees what a line needs only while it is busy.
    pub(crate) fn shrink(&mut self) {
        self.output.shrink();
        if self.own.as_ref().is_some_and(|own| own.is_empty()) {
            self.own = None;
        }
    }

    /// Calls in flight towards it.
    pub fn in_flight(&self) -> usize {
        self.calls.len()
    }

    /// Does it take new calls?
    pub fn is_open(&self) -> bool {
        !self.draining && !self.closing
    }
}

/// The lines of one agent, which nearly always has one.
#[derive(Debug)]
enum Keys {
    One(LineKey),
    Many(Vec<LineKey>),
}

impl Keys {
    fn as_slice(&self) -> &[LineKey] {
        match self {
            Self::One(key) => std::slice::from_ref(key),
            Self::Many(keys) => keys,
        }
    }

    fn push(&mut self, key: LineKey) {
        match self {
            Self::One(first) => *self = Self::Many(vec![*first, key]),
            Self::Many(keys) => keys.push(key),
        }
    }
}

/// A place for a line, on three cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Slot {
    /// Lines that stood here before.
    generation: u32,
    line: Option<Line>,
}

/// Slots for lines, found by key or by agent.
#[derive(Debug, Default)]
pub struct Lines {
    slots: Vec<Slot>,
    /// Of each slot, what the sweep looks at.
    watches: Vec<Watch>,
    free: Vec<u32>,
    by_agent: Map<AgentId, Keys>,
    count: usize,
}

impl Lines {
    /// Lines, closing ones included.
    pub fn len(&self) -> usize {
        self.count
    }

    /// No line?
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a line that is up now, and lists it under its agent.
    pub fn insert(&mut self, line: Line, now_ms: u64) -> LineKey {
        let agent = line.agent;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.watches.push(Watch::FREE);
            self.slots.len() as u32 - 1
        });
        let place = &mut self.slots[slot as usize];
        place.line = Some(line);
        self.watches[slot as usize] = Watch::new(now_ms);
        let key = LineKey { slot, generation: place.generation };
        match self.by_agent.get_mut(&agent) {
            Some(keys) => keys.push(key),
            None => drop(self.by_agent.insert(agent, Keys::One(key))),
        }
        self.count += 1;
        key
    }

    /// The line with this key.
    pub fn get(&self, key: LineKey) -> Option<&Line> {
        self.slots.get(key.slot as usize).filter(|slot| slot.generation == key.generation)?.line.as_ref()
    }

    /// The line with this key.
    pub fn get_mut(&mut self, key: LineKey) -> Option<&mut Line> {
        self.slots.get_mut(key.slot as usize).filter(|slot| slot.generation == key.generation)?.line.as_mut()
    }

    /// The line with this key, over which something came.
    pub fn heard(&mut self, key: LineKey, now_ms: u64) -> Option<&mut Line> {
        let slot = self.slots.get_mut(key.slot as usize).filter(|slot| slot.generation == key.generation)?;
        let line = slot.line.as_mut()?;
        self.watches[key.slot as usize].heard(now_ms);
        Some(line)
    }

    /// The line ends from now on.
    pub fn close(&mut self, key: LineKey, now_ms: u64) {
        if let Some(line) = self.get_mut(key) {
            line.closing = true;
            self.watches[key.slot as usize].close(now_ms);
        }
    }

    /// Looks at all lines, about once a second: those that something is to be done about.
    pub(crate) fn look(&mut self, now_ms: u64, heartbeat_s: u64) -> Vec<(LineKey, Due)> {
        let looks = self.watches.iter_mut().enumerate();
        let due = looks.filter_map(|(slot, watch)| watch.look(now_ms, heartbeat_s).map(|due| (slot, due)));
        due.map(|(slot, due)| (LineKey { slot: slot as u32, generation: self.slots[slot].generation }, due)).collect()
    }

    /// The agent's lines, oldest first. A closing line is not among them.
    pub fn of(&self, agent: AgentId) -> &[LineKey] {
        self.by_agent.get(&agent).map_or(&[], Keys::as_slice)
    }

    /// The agent's open line with the fewest calls in flight.
    pub fn least_busy(&self, agent: AgentId) -> Option<LineKey> {
        let open = self.of(agent).iter().filter_map(|key| self.get(*key).map(|line| (*key, line)));
        open.filter(|(_, line)| line.is_open()).min_by_key(|(_, line)| line.in_flight()).map(|(key, _)| key)
    }

    /// Takes a line off its agent's list: it gets no more calls.
    pub fn unlist(&mut self, key: LineKey) {
        let Some(agent) = self.get(key).map(|line| line.agent) else { return };
        let is_last = match self.by_agent.get_mut(&agent) {
            Some(Keys::One(only)) => *only == key,
            Some(Keys::Many(keys)) => {
                keys.retain(|other| *other != key);
                keys.is_empty()
            }
            None => false,
        };
        if is_last {
            self.by_agent.remove(&agent);
        }
    }

    /// Removes a line; its key finds nothing any more.
    pub fn remove(&mut self, key: LineKey) -> Option<Line> {
        self.get(key)?;
        self.unlist(key);
        self.watches[key.slot as usize] = Watch::FREE;
        self.free.push(key.slot);
        self.count -= 1;
        let place = &mut self.slots[key.slot as usize];
        place.generation = place.generation.wrapping_add(1);
        place.line.take()
    }

    /// All lines.
    pub fn iter(&self) -> impl Iterator<Item = (LineKey, &Line)> {
        self.slots.iter().enumerate().filter_map(|(slot, Slot { generation, line })| {
            line.as_ref().map(|line| (LineKey { slot: slot as u32, generation: *generation }, line))
        })
    }

    /// All lines.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (LineKey, &mut Line)> {
        self.slots.iter_mut().enumerate().filter_map(|(slot, Slot { generation, line })| {
            line.as_mut().map(|line| (LineKey { slot: slot as u32, generation: *generation }, line))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_three_cache_lines() {
        assert_eq!(size_of::<Slot>(), 192);
    }
}
