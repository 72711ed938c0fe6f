//! The bytes that a core holds for bodies that are not complete yet.

use std::rc::Rc;
use std::sync::atomic::Ordering;

use landline_wire::bounds::Bound;
use landline_wire::error::{Code, Problem};

use super::Core;

/// A share of the core's body budget; given back when dropped.
pub(crate) struct Hold {
    core: Rc<Core>,
    bytes: usize,
}

impl Hold {
    /// A share of nothing yet.
    pub(crate) fn new(core: &Rc<Core>) -> Self {
        Self { core: Rc::clone(core), bytes: 0 }
    }

    /// Makes the share so large.
    ///
    /// # Errors
    /// `overloaded` if the core holds as much as it may; the share stays as it was.
    pub(crate) fn resize(&mut self, bytes: usize) -> Result<(), Problem> {
        let others = self.core.incomplete.load(Ordering::Relaxed) - self.bytes;
        let engine = self.core.engine.borrow();
        if bytes > self.bytes && others + bytes + engine.held_bytes() > engine.config().body_budget {
            drop(engine);
            self.core.count(Bound::CoreBodies);
            return Err(Problem::new(Code::Overloaded, "The relay holds as many bytes as it may."));
        }
        self.core.incomplete.store(others + bytes, Ordering::Relaxed);
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.core.incomplete.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
