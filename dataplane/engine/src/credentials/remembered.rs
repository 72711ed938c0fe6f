//! A bounded memory of credentials.

use std::collections::VecDeque;

use crate::map::Map;

/// A credential is remembered by its salted hash, never as itself.
pub(super) type Fingerprint = [u8; 32];

/// A bounded map that forgets its oldest entries.
#[derive(Debug)]
pub(super) struct Remembered<T> {
    map: Map<Fingerprint, T>,
    order: VecDeque<Fingerprint>,
    most: usize,
}

impl<T> Remembered<T> {
    pub(super) fn new(most: usize) -> Self {
        Self { map: Map::default(), order: VecDeque::new(), most }
    }

    pub(super) fn get(&self, fingerprint: &Fingerprint) -> Option<&T> {
        self.map.get(fingerprint)
    }

    /// Remembers it; true if another had to be forgotten for it.
    pub(super) fn insert(&mut self, fingerprint: Fingerprint, value: T) -> bool {
        if self.map.insert(fingerprint, value).is_some() {
            return false;
        }
        self.order.push_back(fingerprint);
        let is_over = self.order.len() > self.most;
        if is_over && let Some(oldest) = self.order.pop_front() {
            self.map.remove(&oldest);
        }
        is_over
    }

    /// Forgets what is not to be kept. Looks at everything.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.map.retain(|_, value| keep(value));
        self.order.retain(|fingerprint| self.map.contains_key(fingerprint));
    }

    pub(super) fn clear(&mut self) {
        self.map.clear();
        self.order.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.map.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first_and_what_is_dropped_makes_room() {
        let mut memory = Remembered::new(2);
        assert!(!memory.insert([1; 32], 10) && !memory.insert([2; 32], 20) && !memory.insert([2; 32], 21));
        assert!(memory.insert([3; 32], 30));
        assert_eq!((memory.get(&[1; 32]), memory.get(&[2; 32]), memory.len()), (None, Some(&21), 2));
        memory.retain(|value| *value != 21);
        assert!(!memory.insert([4; 32], 40), "there is room");
        assert!(memory.insert([5; 32], 50));
        assert_eq!((memory.get(&[3; 32]), memory.get(&[4; 32])), (None, Some(&40)));
    }
}
