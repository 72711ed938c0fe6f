//! Ctrl-C ends the measurement, and what was measured so far is printed. A second one ends the process.

use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Has somebody asked for the end?
pub fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// From here on SIGINT and SIGTERM only set a mark. To be called before any other thread is started: threads inherit
/// that they do not take these signals, so that no system call of theirs is interrupted.
pub fn watch() {
    // SAFETY: a set on this stack, filled before it is used; the calls take nothing else by pointer.
    let set = unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGINT);
        libc::sigaddset(&raw mut set, libc::SIGTERM);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
        set
    };
    std::thread::spawn(move || {
        for asked_before in [false, true] {
            let mut signal = 0;
            // SAFETY: the set was filled above; the number lives on this stack.
            if unsafe { libc::sigwait(&raw const set, &raw mut signal) } != 0 {
                return;
            }
            if asked_before {
                std::process::exit(128 + signal);
            }
            eprintln!("\nending; once more to end at once");
            INTERRUPTED.store(true, Ordering::Relaxed);
        }
    });
}
