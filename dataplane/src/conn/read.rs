//! Reading requests: heads, bodies, and waiting for either the socket or an event.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use landline_wire::bounds::Bound;
use landline_wire::error::{Code, Problem};
use landline_wire::http1::{BadRequest, Framing, Head, parse_head};
use landline_wire::limits::{COPY_THRESHOLD_BYTES, HTTP_IDLE_MS, TLS_HANDSHAKE_DEADLINE_MS, UPLOAD_DEADLINE_MS};
use landline_wire::pieces::Pieces;

use super::{Conn, Event, head_deadline, unreadable};
use crate::config::Driver;
use crate::core::Hold;
use crate::line::make_room;
use crate::socket::is_end;

/// Why a wait ended.
pub(super) enum Woke {
    /// A read would not wait.
    Readable,
    /// An event came.
    Event(Event),
    /// The deadline passed.
    Overdue,
    /// The cell asks to look again: watching has begun.
    Watch,
}

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    /// Bytes, or a part of a TLS record.
    More,
    /// The peer is gone.
    End,
    /// The deadline passed.
    Overdue,
}

impl Conn {
    /// Waits for what is wanted: the socket, an event, or in any case the deadline.
    pub(super) async fn wait(&self, socket: bool, event: bool) -> Woke {
        let mut readable = pin!(self.socket.readable());
        let watched = self.cell.watches();
        std::future::poll_fn(|cx| {
            if event {
                if let Some(event) = self.cell.take() {
                    return Poll::Ready(Woke::Event(event));
                }
                if self.cell.watches() != watched {
                    return Poll::Ready(Woke::Watch);
                }
            }
            if self.cell.is_overdue() {
                return Poll::Ready(Woke::Overdue);
            }
            self.cell.register(cx.waker());
            if socket && readable.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Woke::Readable);
            }
            Poll::Pending
        })
        .await
    }

    /// Reads more into the buffer, which gets room for `room` bytes in all.
    pub(super) async fn fill(&mut self, room: usize) -> Fill {
        self.give_buffer_back();
        match self.wait(true, false).await {
            Woke::Readable if self.socket.is_handshaking() => {
                let turn = self.core.turn().await;
                let filled = self.read_ready(room).await;
                // With epoll the read waited for nothing.
                if self.core.shared.driver == Driver::Epoll {
                    turn.end_later();
                }
                filled
            }
            Woke::Readable => self.read_ready(room).await,
            _ => Fill::Overdue,
        }
    }

    /// Reads the beginning of the next request.
    async fn fill_next(&mut self) -> Fill {
        if !self.listener.has_ear() || self.cell.is_overdue() {
            return self.fill(0).await;
        }
        self.cell.set_listening(true);
        let filled = self.read(0, false).await;
        self.cell.set_listening(false);
        if self.cell.is_overdue() { Fill::Overdue } else { filled }
    }

    /// An idle connection holds no buffer while it waits.
    fn give_buffer_back(&mut self) {
        if self.buf.is_empty() {
            self.core.pool.give(std::mem::take(&mut self.buf));
        }
    }

    /// Reads what is there.
    pub(super) async fn read_ready(&mut self, room: usize) -> Fill {
        self.read(room, true).await
    }

    /// Reads what is there, or waits for it with its buffer.
    async fn read(&mut self, room: usize, at_hand: bool) -> Fill {
        let mut buf = std::mem::take(&mut self.buf);
        if buf.capacity() == 0 {
            buf = self.core.pool.take_for(room);
        }
        let room = room.max(buf.len() + 1);
        make_room(&mut buf, room);
        let (result, buf) = self.socket.read(buf, at_hand).await;
        self.buf = buf;
        if is_end(&result) { Fill::End } else { Fill::More }
    }

    /// Completes the TLS handshake, if there is one. What the client sends right behind it is read already. False: there
    /// is none to be had.
    pub(super) async fn handshake(&mut self) -> bool {
        if !self.socket.is_handshaking() {
            return true;
        }
        self.cell.set_deadline(Some(self.core.now().ms() + TLS_HANDSHAKE_DEADLINE_MS));
        // Nothing can be said to a client that is late, and it may not even read.
        self.cell.set_writing(true);
        while self.socket.is_handshaking() {
            match self.fill(0).await {
                Fill::More => {}
                Fill::End => return false,
                Fill::Overdue => {
                    self.core.count(Bound::TlsTime);
                    self.socket.give_up_handshake();
                    return false;
                }
            }
        }
        self.cell.set_writing(false);
        self.cell.set_deadline(None);
        true
    }

    /// The next request's head; `None` if the peer is gone or idled too long.
    pub(super) async fn head(&mut self) -> Result<Option<Head>, Problem> {
        let now_ms = self.core.about_now_ms();
        let mut begun = !self.buf.is_empty();
        let first = if begun { head_deadline(now_ms) } else { now_ms + HTTP_IDLE_MS };
        self.cell.set_deadline(Some(first));
        loop {
            let parsed = parse_head(&mut self.buf);
            if matches!(parsed, Err(BadRequest::HeadTooLarge)) {
                self.core.count(Bound::Head);
            }
            if let Some(head) = parsed.map_err(unreadable)? {
                self.cell.set_deadline(None);
                self.listener.heard(&self.core.ears, self.core.about_now_ms());
                return Ok(Some(head));
            }
            let filled = if begun { self.fill(0).await } else { self.fill_next().await };
            match filled {
                Fill::More if !begun => {
                    begun = true;
                    self.cell.set_deadline(Some(head_deadline(self.core.about_now_ms())));
                }
                Fill::More => {}
                Fill::Overdue if begun => {
                    self.core.count(Bound::HeadTime);
                    return Err(Problem::new(Code::RequestTimeout, "The request head was not complete in time."));
                }
                Fill::Overdue => {
                    self.core.count(Bound::HttpIdle);
                    return Ok(None);
                }
                Fill::End => return Ok(None),
            }
        }
    }

    /// The whole body of a known length, at most `most` bytes, as slices of the buffers that it was read into: of one,
    /// or of two if it did not fit the first.
    pub(super) async fn body(&mut self, head: &Head, most: usize) -> Result<Pieces, Problem> {
        if matches!(head.framing, Framing::Length(len) if len > most as u64) {
            self.core.count(Bound::Body);
            return Err(Problem::new(Code::BodyTooLarge, format!("The body is over {most} bytes.")));
        }
        let mut hold = Hold::new(&self.core);
        if let Framing::Length(len) = head.framing {
            hold.resize(len as usize)?;
        }
        self.continue_if_asked(head).await;
        self.cell.set_deadline(Some(self.core.about_now_ms() + UPLOAD_DEADLINE_MS));
        let body = match head.framing {
            Framing::Length(len) => self.body_of_length(len as usize).await,
            Framing::None | Framing::Chunked | Framing::UntilClose => Ok(Pieces::new()),
        };
        self.cell.set_deadline(None);
        body
    }

    async fn body_of_length(&mut self, len: usize) -> Result<Pieces, Problem> {
        let mut body = Pieces::new();
        let mut missing = len;
        while self.buf.len() < missing {
            // What was read stays where it is: the rest goes into a new buffer, not this one into a longer one.
            if self.buf.len() > COPY_THRESHOLD_BYTES && self.buf.capacity() < missing {
                missing -= self.buf.len();
                body.push(std::mem::take(&mut self.buf).freeze());
            }
            self.fill_body(missing).await?;
        }
        body.push(self.buf.split_to(missing).freeze());
        Ok(body)
    }

    /// Drops a body that will not be used, if all of it has been read already. False: it is still to come, and the
    /// connection cannot carry another request.
    pub(super) fn skip_body(&mut self, head: &Head) -> bool {
        match head.framing {
            Framing::None | Framing::UntilClose => true,
            Framing::Length(len) if self.buf.len() as u64 >= len => {
                let _ = self.buf.split_to(len as usize);
                true
            }
            Framing::Length(_) | Framing::Chunked => false,
        }
    }

    /// Reads more of a body.
    pub(super) async fn fill_body(&mut self, room: usize) -> Result<(), Problem> {
        match self.fill(room).await {
            Fill::More => Ok(()),
            Fill::Overdue => {
                self.core.count(Bound::UploadTime);
                Err(Problem::plain(Code::UploadTimeout))
            }
            Fill::End => Err(Problem::new(Code::BadRequest, "The body ended before it was complete.")),
        }
    }

    /// Tells a client that waits for it to send its body (RFC 9110 section 10.1.1).
    pub(super) async fn continue_if_asked(&mut self, head: &Head) {
        if head.expects_continue && self.buf.is_empty() {
            self.out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            self.flush().await;
        }
    }
}
