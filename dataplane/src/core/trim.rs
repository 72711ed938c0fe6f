//! Memory that a storm of attaches took goes back to the system.
//!
//! To become a line a connection needs more memory than to be one: its head, its handshake, its buffers. The allocator keeps
//! what is free between the lines for whoever comes next, and after a storm that is nobody.

/// Lines that attached before it is worth it.
const MANY: u64 = 1_000;
/// Looks, a second apart, without another line.
const CALM: u8 = 5;

/// When to do it. Pure: the shell looks about once a second.
#[derive(Debug, Default)]
pub(super) struct Trim {
    /// Lines that had ever attached, when memory was given back last.
    done_at: u64,
    seen: u64,
    calm: u8,
}

impl Trim {
    /// Has a storm passed, when so many lines have ever attached?
    pub(super) fn is_due(&mut self, attached: u64) -> bool {
        if std::mem::replace(&mut self.seen, attached) != attached {
            self.calm = 0;
            return false;
        }
        self.calm = self.calm.saturating_add(1);
        let is_due = self.calm >= CALM && attached - self.done_at >= MANY;
        if is_due {
            self.done_at = attached;
        }
        is_due
    }
}

/// Gives free memory back, beside the cores: one that allocates meanwhile waits for a millisecond or so.
pub(super) fn give_back() {
    #[cfg(target_env = "gnu")]
    let _ = std::thread::Builder::new().name("trim".into()).spawn(|| {
        // SAFETY: it takes no pointers, and the allocator has locks of its own.
        unsafe { libc::malloc_trim(0) };
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_once_after_a_storm() {
        let mut trim = Trim::default();
        let due = |trim: &mut Trim, attached| (0..20).filter(|_| trim.is_due(attached)).count();
        assert_eq!(due(&mut trim, MANY - 1), 0, "few");
        assert!(!(MANY..MANY + 100).any(|attached| trim.is_due(attached)), "while it lasts");
        assert_eq!(due(&mut trim, MANY + 100), 1);
        assert_eq!(due(&mut trim, MANY + 200), 0, "few more");
    }
}
