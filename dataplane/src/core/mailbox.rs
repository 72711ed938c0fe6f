//! How other threads reach a core: a queue, and an eventfd that is rung only when the core sleeps.
//!
//! The queue itself has no bound, since nobody may wait for another core; what is in it is bounded by who sends. Calls:
//! none is sent once [`Post::is_behind`]. Parts of bodies and of answers: one window for each call. Replies: one for each
//! call and question, and those are bounded where they came from. Sessions that move: sockets that have not become lines.
//! From the uplink: an answer for each question, one window for each request that was passed on, and what the exchange
//! pushes, which is the same for every core.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::BytesMut;
use crossbeam_channel::{Receiver, Sender, unbounded};
use landline_engine::{Attach, Mail, Reply};
use landline_uplink::ToCore;
use landline_wire::bounds::Bound;
use landline_wire::limits::{COPY_THRESHOLD_BYTES, MAX_MAILBOX_BYTES, MAX_MAILBOX_LETTERS};
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

impl CoreMail {
    /// Bytes of a large body in it. Small ones are bounded by the number of letters.
    fn weight(&self) -> usize {
        let body = match self {
            Self::Engine(Mail::Call(request)) => &request.body,
            Self::Engine(Mail::Part { body, .. })
            | Self::Engine(Mail::Reply(_, Reply::Head { body, .. } | Reply::Part { body, .. })) => body,
            _ => return 0,
        };
        if body.len() > COPY_THRESHOLD_BYTES { body.len() } else { 0 }
    }
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
    weight: Arc<AtomicUsize>,
}

struct Bell {
    fd: OwnedFd,
    /// Does the core wait, or is it about to?
    asleep: AtomicBool,
}

impl Post {
    /// Puts a letter into the queue without waking the core: [`Post::ring`] when the batch is complete.
    pub(crate) fn put(&self, mail: CoreMail) {
        let weight = mail.weight();
        if weight > 0 {
            self.weight.fetch_add(weight, Ordering::Relaxed);
        }
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

    /// Is the core behind by more than it can make up? Then it gets no further calls; says which bound it is.
    pub(crate) fn is_behind(&self) -> Option<Bound> {
        if self.queue.len() > MAX_MAILBOX_LETTERS {
            return Some(Bound::MailboxLetters);
        }
        (self.weight.load(Ordering::Relaxed) > MAX_MAILBOX_BYTES).then_some(Bound::MailboxBytes)
    }
}

/// The receiving side; becomes a [`Letters`] on the core's thread.
pub(crate) struct Mailbox {
    queue: Receiver<CoreMail>,
    bell: Arc<Bell>,
    weight: Arc<AtomicUsize>,
}

impl Mailbox {
    fn take(&self) -> Option<CoreMail> {
        let mail = self.queue.try_recv().ok()?;
        let weight = mail.weight();
        if weight > 0 {
            self.weight.fetch_sub(weight, Ordering::Relaxed);
        }
        Some(mail)
    }
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
    let weight = Arc::new(AtomicUsize::new(0));
    let post = Post { queue: sender, bell: Arc::clone(&bell), weight: Arc::clone(&weight) };
    Ok((post, Mailbox { queue, bell, weight }))
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
        self.mailbox.take()
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

#[cfg(test)]
mod tests {
    use landline_engine::{CallRequest, ConnKey, Now, Origin};
    use landline_wire::ids::AgentId;

    use super::*;

    fn call(bytes: usize) -> CoreMail {
        CoreMail::Engine(Mail::Call(Box::new(CallRequest {
            origin: Origin::Http { core: 0, conn: ConnKey(1) },
            caller: None,
            target: AgentId::from_parts(1, [1; 10]),
            request_id: "r".into(),
            method: None,
            verb: None,
            path: None,
            headers: bytes::Bytes::new(),
            stream: false,
            timeout_ms: 1,
            started: Now { us: 0, unix_ms: 0 },
            body: bytes::Bytes::from(vec![0; bytes]).into(),
            more: false,
            resumable: None,
            length: None,
        })))
    }

    #[test]
    fn a_core_that_does_not_read_its_letters_is_behind_by_their_number() {
        let (post, mailbox) = mailbox().unwrap();
        for _ in 0..=MAX_MAILBOX_LETTERS {
            assert_eq!(post.is_behind(), None);
            post.put(CoreMail::CloseLines);
        }
        assert_eq!(post.is_behind(), Some(Bound::MailboxLetters));
        mailbox.take();
        assert_eq!(post.is_behind(), None);
    }

    #[test]
    fn a_core_that_does_not_read_its_letters_is_behind_by_their_bytes() {
        let (post, mailbox) = mailbox().unwrap();
        for _ in 0..64 {
            post.put(call(1 << 20));
        }
        assert_eq!(post.is_behind(), None);
        post.put(call(COPY_THRESHOLD_BYTES + 1));
        assert_eq!(post.is_behind(), Some(Bound::MailboxBytes));
        while mailbox.take().is_some() {}
        assert_eq!((post.is_behind(), post.weight.load(Ordering::Relaxed)), (None, 0));
    }
}
