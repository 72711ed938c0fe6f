//! How many requests of one core are passed on to the exchange at a time. The link has the same bound for all cores
//! together; this one keeps what waits for the link's thread within it, however slow that is.

use std::cell::Cell;
use std::rc::Rc;

use landline_wire::bounds::Bound;
use landline_wire::limits::MAX_PASSES;

use super::Core;

/// The count.
#[derive(Debug, Default)]
pub(crate) struct Passes {
    open: Cell<usize>,
}

/// One request's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct PassPlace(Rc<Passes>);

impl Passes {
    fn begin(self: &Rc<Self>) -> Option<PassPlace> {
        if self.open.get() >= MAX_PASSES {
            return None;
        }
        self.open.set(self.open.get() + 1);
        Some(PassPlace(Rc::clone(self)))
    }
}

impl Drop for PassPlace {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
    }
}

impl Core {
    /// A place for a request that is passed on; `None` if too many are open.
    pub(crate) fn begin_pass(&self) -> Option<PassPlace> {
        let place = self.passes.begin();
        if place.is_none() {
            self.count(Bound::Passes);
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_come_back() {
        let passes = Rc::new(Passes::default());
        let mut places: Vec<PassPlace> = (0..MAX_PASSES).map(|_| passes.begin().expect("room")).collect();
        assert!(passes.begin().is_none());
        places.pop();
        assert!(passes.begin().is_some());
        drop(places);
        assert_eq!(passes.open.get(), 0);
    }
}
