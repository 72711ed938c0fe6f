//! The sockets of a core's lines.

use std::rc::Rc;

use landline_engine::LineKey;

use crate::line::LineIo;

/// Sockets by their line's slot: there is one look-up for each message.
#[derive(Default)]
pub(crate) struct Sockets(Vec<Option<(u32, Rc<LineIo>)>>);

impl Sockets {
    /// Adds a line's socket.
    pub(crate) fn insert(&mut self, key: LineKey, io: Rc<LineIo>) {
        let slot = key.slot as usize;
        if self.0.len() <= slot {
            self.0.resize_with(slot + 1, || None);
        }
        self.0[slot] = Some((key.generation, io));
    }

    /// A line's socket, if it is still there.
    pub(crate) fn get(&self, key: LineKey) -> Option<&Rc<LineIo>> {
        let (generation, io) = self.0.get(key.slot as usize)?.as_ref()?;
        (*generation == key.generation).then_some(io)
    }

    /// Removes a line's socket.
    pub(crate) fn remove(&mut self, key: LineKey) {
        if self.get(key).is_some() {
            self.0[key.slot as usize] = None;
        }
    }
}
