//! One line's socket: a task that reads, and one that writes while there is something to write.

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;

use bytes::{Buf, BytesMut};
use landline_engine::{Attach, Flush, LineKey};
use landline_wire::close;
use landline_wire::limits::{COPY_THRESHOLD_BYTES, READ_BUFFER_BYTES};
use landline_wire::message::{Violation, append_close};
use landline_wire::session::server::{Input, Session};

use crate::admission::Place;
use crate::core::{Adopt, Core, Hold, Job, Listener};
use crate::socket::{Socket, is_end};

/// What a core knows of a line's socket.
pub(crate) struct LineIo {
    socket: Socket,
    writing: Cell<bool>,
    closing: Cell<bool>,
    _place: Option<Place>,
}

impl LineIo {
    /// The agent's address, and whether it comes over TLS; `None` once its socket is gone.
    pub(crate) fn peer(&self) -> Option<(IpAddr, bool)> {
        Some((self.socket.peer()?, self.socket.is_tls()))
    }
}

/// Takes over a session that another core authenticated.
pub(crate) fn adopt(core: &Rc<Core>, adopt: Adopt) {
    match Socket::adopt(adopt.socket, &core.pool) {
        Ok(socket) => start(core, socket, adopt.attach, adopt.rest, adopt.place),
        Err(error) => tracing::warn!(core = core.id, %error, "a session's socket could not be taken over"),
    }
}

/// Makes an authenticated session a line. `rest` is what was read behind its `auth` frame.
pub(crate) fn start(core: &Rc<Core>, socket: Socket, attach: Attach, rest: BytesMut, place: Option<Place>) {
    let now = core.now();
    let attached = core.engine.borrow_mut().attach(attach, now);
    match attached {
        Ok(key) => {
            let io = Rc::new(LineIo { socket, writing: Cell::new(false), closing: Cell::new(false), _place: place });
            core.lines.borrow_mut().insert(key, Rc::clone(&io));
            core.carry_out();
            monoio::spawn(read(Rc::clone(core), key, io, rest));
        }
        Err(violation) => {
            core.carry_out();
            monoio::spawn(refuse(Rc::clone(core), socket, violation));
        }
    }
}

/// Ends a session that did not become a line.
pub(crate) async fn refuse(core: Rc<Core>, socket: Socket, violation: Violation) {
    let mut out = BytesMut::new();
    let reason = core.refusal(violation);
    append_close(&mut out, violation.code, &reason, None);
    if socket.write(out).await.0.is_ok() {
        linger(&socket).await;
    }
}

/// Lets the peer take what was written: with unread bytes of it in our buffer, closing at once would reset the
/// connection and could destroy the last frame on its way. Bounded in bytes and time.
pub(crate) async fn linger(socket: &Socket) {
    socket.shutdown_write();
    let deadline = std::time::Duration::from_secs(1);
    let mut room = 64;
    while room > 0 && matches!(monoio::time::timeout(deadline, socket.stirs()).await, Ok(Ok(()))) {
        room -= 1;
        if !socket.discard().await {
            return;
        }
    }
}

/// Reads until the session ends. While nothing is said it holds no buffer, and not the room that reading takes: that is a
/// future of its own. A block, since a function's future has room for its arguments twice.
fn read(core: Rc<Core>, key: LineKey, io: Rc<LineIo>, rest: BytesMut) -> impl Future<Output = ()> {
    let session = Session::new(core.shared.config.max_body_bytes);
    let mut reader =
        Reader { session, need: 0, is_large: false, broken: false, held: None, listener: Listener::default() };
    let mut first = None;
    if rest.is_empty() {
        core.pool.give(rest);
    } else {
        first = Some(Box::new(rest));
    }
    async move {
        loop {
            let buf = match first.take() {
                Some(rest) => *rest,
                None if io.socket.readable().await.is_err() => break,
                None => reader.buffer(&core),
            };
            if Box::pin(reader.hear(&core, key, &io, buf)).await {
                break;
            }
        }
        io.socket.shutdown();
        let now = core.now();
        core.engine.borrow_mut().line_gone(key, now);
        core.lines.borrow_mut().remove(key);
        core.carry_out();
    }
}

/// What is known of the bytes of a line between two reads.
struct Reader {
    session: Session,
    /// Bytes that the next message needs in all.
    need: usize,
    /// The buffer in use, or one before it, is larger than those of ordinary reads: no small message is to keep it.
    is_large: bool,
    /// Once the framing broke nothing more is understood, but what comes is still taken in, so that the close frame on
    /// its way out is not lost to a reset. The sweep ends a session that goes on too long.
    broken: bool,
    held: Option<Hold>,
    listener: Listener,
}

impl Reader {
    /// An empty buffer for what comes next.
    fn buffer(&mut self, core: &Core) -> BytesMut {
        self.is_large = self.need > READ_BUFFER_BYTES;
        core.pool.take_for(self.need)
    }

    /// Takes in what is in the buffer, or comes into it if it is empty, and what follows at once or soon. True: that was
    /// the end.
    async fn hear(&mut self, core: &Rc<Core>, key: LineKey, io: &LineIo, mut buf: BytesMut) -> bool {
        let mut at_hand = buf.is_empty();
        loop {
            if !at_hand {
                self.understand(core, key, &mut buf);
                if !buf.is_empty() {
                    make_room(&mut buf, self.need);
                    self.is_large |= self.need > READ_BUFFER_BYTES;
                } else if !self.listener.has_ear() {
                    core.pool.give(buf);
                    return false;
                } else if self.is_large || self.need > READ_BUFFER_BYTES || !buf.try_reclaim(READ_BUFFER_BYTES) {
                    core.pool.give(buf);
                    buf = self.buffer(core);
                }
            }
            let (result, filled) = io.socket.read(buf, std::mem::take(&mut at_hand)).await;
            buf = filled;
            if is_end(&result) {
                return true;
            }
            self.listener.heard(&core.ears, core.about_now_ms());
        }
    }

    /// Gives the engine what is complete, and leaves in the buffer what is not.
    fn understand(&mut self, core: &Rc<Core>, key: LineKey, buf: &mut BytesMut) {
        if !self.broken && !buf.is_empty() {
            match digest(core, key, &mut self.session, buf, &mut self.held) {
                // What was read of a large message stays where it is: the rest goes into a new buffer.
                Some(need) if need > buf.capacity() && buf.len() > COPY_THRESHOLD_BYTES => {
                    self.need = self.session.cut(buf).unwrap_or(need);
                }
                Some(need) => self.need = need,
                None => self.broken = true,
            }
        }
        // A message that outgrows the pooled buffer counts against the core's budget until it is complete.
        let incomplete = self.session.held() + self.need;
        if incomplete <= READ_BUFFER_BYTES {
            self.held = None;
        } else if self.held.get_or_insert_with(|| Hold::new(core)).resize(incomplete).is_err() && !self.broken {
            let now = core.now();
            let reason = close::reason(close::TRY_AGAIN_LATER);
            core.engine.borrow_mut().close_line(key, close::TRY_AGAIN_LATER, reason, now);
            core.carry_out();
            self.broken = true;
        }
        if self.broken {
            buf.clear();
            self.need = 0;
        }
    }
}

/// Bytes of room that a read has, where giving it moves next to nothing.
const MIN_READ: usize = 4096;

/// Gives the buffer room for `bytes` in all. Moves what is in it only if there is none.
pub(crate) fn make_room(buf: &mut BytesMut, bytes: usize) {
    let missing = bytes.saturating_sub(buf.len());
    buf.reserve(if buf.len() > COPY_THRESHOLD_BYTES { missing } else { missing.max(MIN_READ) });
}

/// Can more be read into the buffer without moving what is in it?
pub(crate) fn has_room(buf: &BytesMut) -> bool {
    buf.len() <= COPY_THRESHOLD_BYTES || buf.capacity() - buf.len() >= MIN_READ
}

/// Gives the engine all that is complete in the buffer, and says how many bytes the next message needs in all. `None`
/// when the framing broke: the session is being closed.
fn digest(
    core: &Rc<Core>,
    key: LineKey,
    session: &mut Session,
    buf: &mut BytesMut,
    held: &mut Option<Hold>,
) -> Option<usize> {
    let now = core.now();
    let mut engine = core.engine.borrow_mut();
    let need = loop {
        if let Some(message) = session.short(buf) {
            let end = message.end;
            engine.short_message(key, &buf[message], now);
            buf.advance(end);
            continue;
        }
        match session.next(buf) {
            Ok(Input::Need(bytes)) => break Some(bytes),
            Ok(Input::Frame(message)) => {
                // Complete: from here on the engine counts it.
                *held = None;
                engine.message(key, message, now);
            }
            Ok(Input::Ping(payload)) => engine.ping(key, &payload, now),
            Ok(Input::Pong) => engine.pong(key, now),
            Ok(Input::Close(code)) => engine.close_line(key, code.unwrap_or(close::NORMAL), "", now),
            Err(violation) => {
                engine.violation(key, violation, now);
                break None;
            }
        }
    };
    drop(engine);
    core.carry_out();
    need
}

/// The line has output: starts its writer, unless it is at work.
pub(crate) fn flush(core: &Rc<Core>, key: LineKey) {
    let io = core.lines.borrow().get(key).cloned();
    if let Some(io) = io
        && !io.writing.replace(true)
    {
        let begun = match core.writers.writes_now() {
            true => write_now(core, key, &io),
            false => Written::Nothing,
        };
        let begun = match begun {
            Written::All => return io.writing.set(false),
            Written::Part(rest) => Some(rest),
            Written::Nothing => None,
        };
        core.writers.give(Job { core: Rc::clone(core), key, io, begun });
    }
}

/// How much of what waited for a line was written.
enum Written {
    All,
    /// This is left, and comes first.
    Part(BytesMut),
    Nothing,
}

/// Writes what waits for a line, if it is one buffer, as far as the system takes it at once.
fn write_now(core: &Core, key: LineKey, io: &LineIo) -> Written {
    let mut engine = core.engine.borrow_mut();
    let Some(mut buffer) = engine.take_buffer(key) else { return Written::Nothing };
    let written = io.socket.write_now(&buffer);
    if written < buffer.len() {
        buffer.advance(written);
        return Written::Part(buffer);
    }
    engine.recycle(key, buffer);
    Written::All
}

/// The line closes when its output is written.
pub(crate) fn close(core: &Rc<Core>, key: LineKey) {
    let io = core.lines.borrow().get(key).cloned();
    if let Some(io) = io {
        io.closing.set(true);
        if !io.writing.get() {
            io.socket.shutdown_write();
        }
    }
}

/// The line closes now.
pub(crate) fn abort(core: &Rc<Core>, key: LineKey) {
    if let Some(io) = core.lines.borrow().get(key) {
        io.socket.shutdown();
    }
}

/// Writes until nothing waits. Whatever arrives during a write joins the next.
pub(crate) async fn write(core: &Core, key: LineKey, io: &LineIo, begun: Option<BytesMut>) {
    let mut begun = begun.map(Flush::One);
    loop {
        let waiting = begun.take().or_else(|| core.engine.borrow_mut().take_output(key));
        let written = match waiting {
            None => break,
            Some(Flush::One(buffer)) => {
                let (result, buffer) = io.socket.write(buffer).await;
                core.engine.borrow_mut().recycle(key, buffer);
                result
            }
            Some(Flush::Many(segments)) => io.socket.write_vectored(segments).await,
        };
        if written.is_err() {
            // The reader notices and frees the line.
            io.socket.shutdown();
            break;
        }
    }
    io.writing.set(false);
    if io.closing.get() {
        io.socket.shutdown_write();
    }
}
