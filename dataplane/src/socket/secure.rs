//! TLS on a connection: moves bytes between the socket and the machine.
//!
//! Records carry numbers, so what was sealed first must be written first. The machine is only touched between waits, what
//! it has to say gathers in `ahead`, and one write is under way at a time: each takes along what gathered meanwhile.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use landline_wire::limits::TLS_CLOSE_DEADLINE_MS;
use monoio::buf::IoBuf;

use super::raw::Raw;
use crate::pool::Pool;
use crate::tls::{Fault, Machine, Plain, Reason, Records};

/// Ciphertext bytes that a read has room for, however little its caller wants: a small record and its overhead.
const MIN_READ: usize = 4096;

/// The TLS of one connection on its core.
pub(super) struct Secure {
    raw: Raw,
    pool: Rc<Pool>,
    /// `None` once another core has it.
    machine: RefCell<Option<Box<Machine>>>,
    /// Records that are sealed and not yet given to a write.
    ahead: RefCell<Records>,
    /// Is a write under way?
    writing: Cell<bool>,
    /// Who waits for it.
    waiter: RefCell<Option<Waker>>,
    /// What was understood and did not fit its reader's buffer.
    surplus: RefCell<BytesMut>,
    /// How reading ended, told with the next read: bytes that came with the end are told first.
    end: RefCell<Option<Result<(), Fault>>>,
    /// Nothing is written after what is sealed now.
    closing: Cell<bool>,
}

impl Secure {
    /// `surplus` is what was understood already, on another core.
    pub(super) fn new(raw: Raw, machine: Box<Machine>, surplus: BytesMut, pool: Rc<Pool>) -> Self {
        let end = machine.is_peer_closed().then_some(Ok(()));
        Self {
            raw,
            pool,
            machine: RefCell::new(Some(machine)),
            ahead: RefCell::default(),
            writing: Cell::new(false),
            waiter: RefCell::default(),
            surplus: RefCell::new(surplus),
            end: RefCell::new(end),
            closing: Cell::new(false),
        }
    }

    /// The machine and what it understood, on their way to another core. The caller has written everything and reads no
    /// more.
    pub(super) fn take(&self) -> io::Result<(Box<Machine>, BytesMut)> {
        let has_failed = matches!(&*self.end.borrow(), Some(Err(_)));
        if self.writing.get() || !self.ahead.borrow().is_empty() || has_failed {
            return Err(Fault::NotOpen.into());
        }
        let machine = self.machine.borrow_mut().take().ok_or(Fault::NotOpen)?;
        Ok((machine, std::mem::take(&mut *self.surplus.borrow_mut())))
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.machine.borrow().as_ref().is_some_and(|machine| machine.is_handshaking())
    }

    /// Is there something to be read that has come already?
    pub(super) fn is_readable(&self) -> bool {
        self.has_ended() || !self.surplus.borrow().is_empty()
    }

    fn has_ended(&self) -> bool {
        self.end.borrow().is_some()
    }

    pub(super) fn give_up_handshake(&self) {
        if let Some(machine) = self.machine.borrow().as_ref() {
            machine.counts().fail(Reason::Timeout);
        }
    }

    /// See [`super::Socket::read`].
    pub(super) async fn read(&self, mut buf: BytesMut, at_hand: bool) -> (io::Result<usize>, BytesMut) {
        let before = buf.len();
        if self.is_readable() {
            self.take_surplus(&mut buf);
            let result = if buf.len() > before { Ok(buf.len() - before) } else { self.tell_end() };
            return (result, buf);
        }
        let mut cipher = self.pool.take();
        if let Some(machine) = &*self.machine.borrow() {
            cipher.extend_from_slice(machine.rest());
        }
        // What is understood is shorter than this, and so it fits its reader's buffer.
        let room = (buf.capacity() - buf.len()).saturating_sub(cipher.len()).max(MIN_READ);
        cipher.reserve(MIN_READ);
        let (result, mut cipher) = self.raw.read(cipher, room, at_hand).await;
        match result {
            Ok(read) if read > 0 => self.receive(&mut cipher, &mut buf),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => self.end_reading(Err(Fault::Cut)),
        }
        cipher.clear();
        self.pool.give(cipher);
        if !self.ahead.borrow().is_empty() && !self.writing.get() {
            // A peer that is gone is noticed by the next read. Boxed, since it is rare and large: an idle line, plain or not,
            // keeps the room of everything that its reader may ever wait for.
            let _ = Box::pin(self.write_in_turn(Plain::nothing())).await;
        }
        let result = match buf.len() - before {
            0 if self.has_ended() => self.tell_end(),
            0 => Err(io::ErrorKind::WouldBlock.into()),
            bytes => Ok(bytes),
        };
        (result, buf)
    }

    /// Fills the buffer as far as it has room: it may end just where a message does, and is never made to move.
    fn take_surplus(&self, buf: &mut BytesMut) {
        let mut surplus = self.surplus.borrow_mut();
        let fits = surplus.len().min(buf.capacity() - buf.len());
        buf.extend_from_slice(&surplus.split_to(fits));
        if surplus.is_empty() {
            self.pool.give(std::mem::take(&mut *surplus));
        }
    }

    fn receive(&self, cipher: &mut [u8], buf: &mut BytesMut) {
        let (received, is_peer_closed) = match &mut *self.machine.borrow_mut() {
            Some(open) => {
                let mut ahead = self.ahead.borrow_mut();
                let received = if cipher.len() <= buf.capacity() - buf.len() {
                    open.receive(cipher, buf, &mut ahead)
                } else {
                    let mut plain = self.pool.take();
                    let received = open.receive(cipher, &mut plain, &mut ahead);
                    *self.surplus.borrow_mut() = plain;
                    self.take_surplus(buf);
                    received
                };
                (received, open.is_peer_closed())
            }
            None => (Err(Fault::NotOpen), false),
        };
        match received {
            Err(fault) => self.end_reading(Err(fault)),
            Ok(()) if is_peer_closed => self.end_reading(Ok(())),
            Ok(()) => {}
        }
    }

    /// The end of reading, as its reader is told.
    fn tell_end(&self) -> io::Result<usize> {
        let end = self.end.borrow().clone().unwrap_or(Err(Fault::NotOpen));
        if end.is_ok() {
            // Whoever says goodbye waits for ours, if it cares. Not earlier: its last request was to be answered.
            self.shutdown_write();
        }
        end.map(|()| 0).map_err(Into::into)
    }

    fn end_reading(&self, end: Result<(), Fault>) {
        if let (Err(fault), Some(machine)) = (&end, &*self.machine.borrow())
            && machine.is_handshaking()
        {
            machine.counts().fail(fault.reason());
            tracing::debug!(%fault, "a TLS handshake failed");
        }
        *self.end.borrow_mut() = Some(end);
    }

    /// Seals and writes all of it.
    pub(super) async fn write(&self, plain: Plain<'_>) -> io::Result<()> {
        // At most one other task writes, and only what the protocol itself has to say.
        std::future::poll_fn(|cx| {
            if !self.writing.get() {
                return Poll::Ready(());
            }
            *self.waiter.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
        self.write_in_turn(plain).await
    }

    async fn write_in_turn(&self, mut plain: Plain<'_>) -> io::Result<()> {
        self.writing.set(true);
        let written = loop {
            let records = match self.seal(&mut plain) {
                Ok(records) if records.is_empty() => {
                    self.pool.give_records(records);
                    break Ok(());
                }
                Ok(records) => records,
                Err(fault) => break Err(fault.into()),
            };
            let (bytes, filled) = records.into_parts();
            let (result, slice) = self.raw.write(bytes.slice(..filled)).await;
            self.pool.give_records(Records::reuse(slice.into_inner()));
            if result.is_err() {
                break result;
            }
        };
        self.writing.set(false);
        if let Some(waker) = self.waiter.borrow_mut().take() {
            waker.wake();
        }
        if self.closing.get() {
            self.finish();
        }
        written
    }

    /// The next write: what gathered, and as much of `plain` as fits.
    fn seal(&self, plain: &mut Plain<'_>) -> Result<Records, Fault> {
        let mut records = std::mem::take(&mut *self.ahead.borrow_mut());
        if !plain.is_done() {
            if !records.is_roomy() {
                let roomy = self.pool.take_records();
                let few = std::mem::replace(&mut records, roomy);
                records.append(few.filled());
            }
            let mut machine = self.machine.borrow_mut();
            machine.as_mut().ok_or(Fault::NotOpen)?.seal(plain, &mut records)?;
        }
        Ok(records)
    }

    /// Says that nothing more comes, and closes this direction once all is written.
    pub(super) fn shutdown_write(&self) {
        if self.closing.replace(true) {
            return;
        }
        if let Some(machine) = &mut *self.machine.borrow_mut() {
            machine.close(&mut self.ahead.borrow_mut());
        }
        // A write that is under way takes it along.
        if !self.writing.get() {
            self.finish();
        }
    }

    /// Writes what is left without waiting and closes this direction; if the peer's window is full, a task of its own
    /// waits for it, for a while.
    fn finish(&self) {
        let last = std::mem::take(&mut *self.ahead.borrow_mut());
        match self.raw.write_now(last.filled()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                monoio::spawn(finish_later(self.raw.clone(), last));
            }
            _ => self.raw.shut(libc::SHUT_WR),
        }
    }
}

/// The last few bytes are taken whole or not at all: far fewer than the least that a socket calls writable.
async fn finish_later(raw: Raw, last: Records) {
    let limit = Duration::from_millis(TLS_CLOSE_DEADLINE_MS);
    if let Ok(Ok(())) = monoio::time::timeout(limit, raw.writable()).await {
        let _ = raw.write_now(last.filled());
    }
    raw.shut(libc::SHUT_WR);
}
