//! Lines and callers that are talked with are listened to with a buffer in hand.
//!
//! Of an idle connection one only asks whether there is something to be read, and gets a buffer then: two operations for each
//! message. A busy one reads at once, with a buffer that waits with it: it has an *ear*. Few have one at a time.
//!
//! A read that waits is not called back: to be able to would cost every read of a busy connection a tenth of a message.
//! An ear on which nothing is said comes back with the next word, which is a heartbeat's at the latest, and with the end
//! of a caller's connection that idled too long.

use std::cell::Cell;
use std::rc::Rc;

/// Connections of a core that have an ear at a time. Each holds a read buffer.
const MOST: usize = 512;
/// Two reads that lie no further apart are of a busy connection, milliseconds.
const BUSY_MS: u32 = 100;
/// So many in a row are worth an ear.
const IN_A_ROW: u8 = 4;
/// A pause after which an ear goes back, milliseconds.
const QUIET_MS: u32 = 1_000;

/// Those of one core.
#[derive(Default)]
pub(crate) struct Ears {
    lent: Cell<usize>,
}

/// The right to wait with a buffer; goes back when it is dropped.
struct Ear(Rc<Ears>);

/// How one connection is listened to.
#[derive(Default)]
pub(crate) struct Listener {
    ear: Option<Ear>,
    /// When something was read last: the low bits of milliseconds.
    heard_ms: u32,
    in_a_row: u8,
}

impl Ears {
    /// How many are lent.
    pub(super) fn lent(&self) -> usize {
        self.lent.get()
    }
}

impl Listener {
    /// Does it wait with a buffer?
    pub(crate) fn has_ear(&self) -> bool {
        self.ear.is_some()
    }

    /// Something was read.
    pub(crate) fn heard(&mut self, ears: &Rc<Ears>, now_ms: u64) {
        let now_ms = now_ms as u32;
        let pause = now_ms.wrapping_sub(std::mem::replace(&mut self.heard_ms, now_ms));
        if pause > BUSY_MS {
            self.in_a_row = 0;
            if pause > QUIET_MS {
                self.ear = None;
            }
        } else if self.ear.is_none() {
            self.in_a_row = self.in_a_row.saturating_add(1);
            if self.in_a_row >= IN_A_ROW && ears.lent.get() < MOST {
                ears.lent.set(ears.lent.get() + 1);
                self.ear = Some(Ear(Rc::clone(ears)));
            }
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.0.lent.set(self.0.lent.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk(listener: &mut Listener, ears: &Rc<Ears>, begin_ms: u64) {
        (0..=u64::from(IN_A_ROW)).for_each(|at| listener.heard(ears, begin_ms + at * u64::from(BUSY_MS)));
    }

    #[test]
    fn only_the_busy_get_an_ear_and_only_so_many() {
        let ears = Rc::new(Ears::default());
        let mut slow = Listener::default();
        (0..100).for_each(|at| slow.heard(&ears, at * (u64::from(BUSY_MS) + 1)));
        assert!(!slow.has_ear());
        let mut held: Vec<Listener> = (0..=MOST).map(|_| Listener::default()).collect();
        held.iter_mut().for_each(|listener| talk(listener, &ears, 10_000));
        assert_eq!(held.iter().filter(|listener| listener.has_ear()).count(), MOST);
        assert_eq!(ears.lent(), MOST);
        held.remove(0);
        talk(&mut slow, &ears, 50_000);
        assert!(slow.has_ear(), "one came back");
    }

    #[test]
    fn an_ear_goes_back_with_the_first_word_after_a_long_pause() {
        let ears = Rc::new(Ears::default());
        let mut listener = Listener::default();
        // The clock's low bits wrap meanwhile.
        let begin_ms = (1 << 32) - 200;
        talk(&mut listener, &ears, begin_ms);
        let last_ms = begin_ms + u64::from(IN_A_ROW) * u64::from(BUSY_MS);
        listener.heard(&ears, last_ms + u64::from(QUIET_MS));
        assert!(listener.has_ear());
        listener.heard(&ears, last_ms + 2 * u64::from(QUIET_MS) + 1);
        assert!(!listener.has_ear());
        assert_eq!(ears.lent(), 0);
    }
}
