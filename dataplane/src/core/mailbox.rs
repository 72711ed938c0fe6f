//! How other threads reach a core: a queue, and an eventfd that is rung only when the core sleeps.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::BytesMut;
use crossbeam_channel::{Receiver, Sender, unbounded};
use landline_engine::{Attach, Mail};
use landline_uplink::ToCore;
use monoio::net::UnixStream;

use crate::admission::Place;
use crate::socket::Moving;

/// What a core is told.
pub(crate) enum CoreMail {
    /// By another core's engine.
    Engine(Mail),
    /// By the uplink.
    Uplink(ToCore),
    /// A session that authenticated on another core and belongs here.
    Adopt(Adopt),
    /// Stop accepting, tell every line, let calls in flight end.
    Drain {
        /// Milliseconds that calls in flight have.
        deadline_ms: u64,
    },
    /// Close every line.
    CloseLines,
    /// End the thread.
    Exit,
}

/// An authenticated session on its way to its home core.
pub(crate) struct Adopt {
    /// Its socket.
    pub(crate) socket: Moving,
    /// Who it is.
    pub(crate) attach: Attach,
    /// What was read behind the `auth` frame.
    pub(crate) rest: BytesMut,
    /// Its place among the lines, if those are bounded.
    pub(crate) place: Option<Place>,
}

/// The sending side.
#[derive(Clone)]
pub(crate) struct Post {
    queue: Sender<CoreMail>,
    bell: Arc<Bell>,
}

struct Bell {
    fd: OwnedFd,
    /// Does the core wait, or is it about to?
    asleep: AtomicBool,
}

impl Post {
    /// Puts a letter into the queue without waking the core: [`Post::ring`] when the batch is complete.
    pub(crate) fn put(&self, mail: CoreMail) {
        // The receiver lives as long as the core's thread; after it nobody waits for the letter.
        let _ = self.queue.send(mail);
    }

    /// Wakes the core if it sleeps.
    pub(crate) fn ring(&self) {
        if self.bell.asleep.swap(false, Ordering::SeqCst) {
            let one = 1u64.to_ne_bytes();
            // SAFETY: the descriptor is open and the buffer has eight bytes. A full counter is as good as a ring.
            unsafe { libc::write(self.bell.fd.as_raw_fd(), one.as_ptr().cast(), one.len()) };
        }
    }

    /// Puts one letter and wakes the core.
    pub(crate) fn send(&self, mail: CoreMail) {
        self.put(mail);
        self.ring();
    }

    /// Letters that wait.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}

/// The receiving side; becomes a [`Letters`] on the core's thread.
pub(crate) struct Mailbox {
    queue: Receiver<CoreMail>,
    bell: Arc<Bell>,
}

/// A queue and its bell.
///
/// # Errors
/// No eventfd could be made.
pub(crate) fn mailbox() -> io::Result<(Post, Mailbox)> {
    // SAFETY: no memory is passed.
    let raw = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just made, and owned by nobody else.
    let fd = unsafe { OwnedFd::from_raw_fd(raw) };
    let (sender, queue) = unbounded();
    let bell = Arc::new(Bell { fd, asleep: AtomicBool::new(false) });
    Ok((Post { queue: sender, bell: Arc::clone(&bell) }, Mailbox { queue, bell }))
}

/// The mailbox on its core's thread.
pub(crate) struct Letters {
    mailbox: Mailbox,
    waiter: UnixStream,
}

impl Letters {
    /// Takes the receiving side to this thread.
    ///
    /// # Errors
    /// The driver refused the descriptor.
    pub(crate) fn new(mailbox: Mailbox) -> io::Result<Self> {
        // Only ever waited on for readiness, which works for any descriptor; monoio has no type for an eventfd.
        let waiter = UnixStream::from_std(StdUnixStream::from(mailbox.bell.fd.try_clone()?))?;
        Ok(Self { mailbox, waiter })
    }

    /// The next letter, if one is there.
    pub(crate) fn take(&self) -> Option<CoreMail> {
        self.mailbox.queue.try_recv().ok()
    }

    /// Waits until there may be a letter.
    pub(crate) async fn wait(&self) {
        let bell = &self.mailbox.bell;
        bell.asleep.store(true, Ordering::SeqCst);
        // A letter that came before the flag was seen has no ring to follow.
        if !self.mailbox.queue.is_empty() {
            bell.asleep.store(false, Ordering::SeqCst);
            return;
        }
        let _ = self.waiter.readable(false).await;
        let mut count = [0u8; 8];
        // SAFETY: the descriptor is open and does not block; the buffer has eight bytes.
        unsafe { libc::read(bell.fd.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
    }
}
