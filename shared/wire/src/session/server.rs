//! The relay's side of a line: framing, first frame, signs of life, frames for calls that are not the sender's.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::close;
use crate::frame::{Auth, Frame, decode};
use crate::limits::{
    COPY_THRESHOLD_BYTES, LATE_FRAMES_PER_CALL, MAX_STRAY_FRAMES_PER_MINUTE, MAX_TOKEN_BYTES, MESSAGE_OVERHEAD_BYTES,
    MISSED_HEARTBEATS, WIRE_VERSION,
};
use crate::message::{Message, Progress, Reader, Role, Violation};
use crate::pieces::Pieces;

/// What the agent's bytes mean.
#[derive(Debug, PartialEq, Eq)]
pub enum Input {
    /// Nothing complete: the buffer should have room for so many bytes in all.
    Need(usize),
    /// A message that should hold a frame.
    Frame(Pieces),
    /// Answer with a pong of the same payload.
    Ping(Bytes),
    /// A pong: only a sign of life.
    Pong,
    /// The agent ends the session; echo the code and close.
    Close(Option<u16>),
}

/// Cuts an agent's byte stream into frames.
#[derive(Debug)]
pub struct Session {
    reader: Reader,
}

impl Session {
    /// A session whose bodies have at most `max_body` bytes.
    pub fn new(max_body: usize) -> Self {
        Self { reader: Reader::new(Role::Server, max_body + MESSAGE_OVERHEAD_BYTES) }
    }

    /// Bytes that were taken from the buffer and are held until their message is complete.
    pub fn held(&self) -> usize {
        self.reader.held()
    }

    /// Lets a message go on in a new buffer: see [`Reader::cut`].
    pub fn cut(&mut self, buf: &mut BytesMut) -> Option<usize> {
        self.reader.cut(buf)
    }

    /// Looks for a short message that should hold a frame: see [`Reader::short`].
    pub fn short(&self, buf: &mut [u8]) -> Option<Range<usize>> {
        self.reader.short(buf, COPY_THRESHOLD_BYTES)
    }

    /// Takes the next message from the front of `buf`.
    ///
    /// # Errors
    /// A [`Violation`] ends the session with its code: 1002 broken framing, 1003 a text message, 1009 too big.
    pub fn next(&mut self, buf: &mut BytesMut) -> Result<Input, Violation> {
        Ok(match self.reader.next(buf)? {
            Progress::Need(bytes) => Input::Need(bytes),
            Progress::Message(Message::Binary(message)) => Input::Frame(message),
            Progress::Message(Message::Ping(payload)) => Input::Ping(payload),
            Progress::Message(Message::Pong(_)) => Input::Pong,
            Progress::Message(Message::Close(code, _)) => Input::Close(code),
            Progress::Message(Message::Text(_)) => {
                return Err(Violation::new(close::UNSUPPORTED_DATA, close::reason(close::UNSUPPORTED_DATA)));
            }
        })
    }
}

/// Reads the first frame of a session, which must be `auth`.
///
/// # Errors
/// 1002 if it is no frame, not `auth`, or of another version; 4003 if its token could not be one.
pub fn first_frame(message: &[u8]) -> Result<Auth<'_>, Violation> {
    match decode(message) {
        Ok(Frame::Auth(auth)) if auth.v != WIRE_VERSION => {
            Err(Violation::new(close::PROTOCOL_ERROR, "unknown protocol version: 1 is spoken here"))
        }
        Ok(Frame::Auth(auth)) if auth.token.is_empty() || auth.token.len() > MAX_TOKEN_BYTES => {
            Err(Violation::new(close::INVALID_TOKEN, close::reason(close::INVALID_TOKEN)))
        }
        Ok(Frame::Auth(auth)) => Ok(auth),
        Ok(_) => Err(Violation::new(close::PROTOCOL_ERROR, "the first frame must be auth")),
        Err(malformed) => Err(Violation::new(close::PROTOCOL_ERROR, malformed.0)),
    }
}

/// What a heartbeat sweep decides for one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// Nothing to do.
    Quiet,
    /// Send a ping.
    Ping,
    /// Two pings went unanswered: end the session.
    Dead,
}

/// Signs of life of one line. Eight bytes: the time is kept as the low 32 bits of the caller's milliseconds, which tell
/// silences of up to 24 days.
#[derive(Debug, Clone, Copy)]
pub struct Pulse {
    last_ms: u32,
    missed: u8,
}

impl Pulse {
    /// A line that was heard at this time.
    pub const fn at(now_ms: u64) -> Self {
        Self { last_ms: now_ms as u32, missed: 0 }
    }

    /// Milliseconds since something came.
    pub fn silent_ms(&self, now_ms: u64) -> u64 {
        u64::from((now_ms as u32).wrapping_sub(self.last_ms))
    }

    /// Looks at the line, about once a second. Each `heartbeat_s` of silence costs a ping; after the missed ones, life.
    pub fn sweep(&mut self, now_ms: u64, heartbeat_s: u64) -> Beat {
        if self.silent_ms(now_ms) < heartbeat_s * 1000 * (u64::from(self.missed) + 1) {
            return Beat::Quiet;
        }
        if self.missed >= MISSED_HEARTBEATS {
            return Beat::Dead;
        }
        self.missed += 1;
        Beat::Ping
    }
}

/// Counts frames for ids that are not open on this session: ignored, but not without end. Those that were on their way
/// when the relay ended a call are nobody's fault.
#[derive(Debug, Clone, Copy, Default)]
pub struct Strays {
    minute: u32,
    count: u32,
    late: u32,
}

impl Strays {
    /// A call ended for the sender while it might still send: so much more may come.
    pub fn expect_late(&mut self, now_ms: u64) {
        self.begin_minute(now_ms);
        self.late = self.late.saturating_add(LATE_FRAMES_PER_CALL);
    }

    /// Each minute counts anew. Of what was expected before it, one call's worth may still be on its way.
    fn begin_minute(&mut self, now_ms: u64) {
        let minute = (now_ms / 60_000) as u32;
        if minute != self.minute {
            *self = Self { minute, count: 0, late: self.late.min(LATE_FRAMES_PER_CALL) };
        }
    }

    /// One more.
    ///
    /// # Errors
    /// 1002 when there were [`MAX_STRAY_FRAMES_PER_MINUTE`] in this minute.
    pub fn count(&mut self, now_ms: u64) -> Result<(), Violation> {
        self.begin_minute(now_ms);
        if self.late > 0 {
            self.late -= 1;
            return Ok(());
        }
        self.count += 1;
        if self.count >= MAX_STRAY_FRAMES_PER_MINUTE {
            return Err(Violation::new(close::PROTOCOL_ERROR, "too many frames for calls that are not open here"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::encode;
    use crate::header::Kind;
    use crate::message::append;

    #[test]
    fn a_text_message_is_refused_with_1003() {
        let mut buf = BytesMut::new();
        append(&mut buf, Kind::Text, b"{}", Some([1, 2, 3, 4]));
        assert_eq!(Session::new(100).next(&mut buf).unwrap_err().code, close::UNSUPPORTED_DATA);
    }

    #[test]
    fn the_first_frame_must_be_auth_of_version_1() {
        let code = |frame: &Frame<'_>| {
            let mut message = BytesMut::new();
            encode(&mut message, frame);
            first_frame(&message).err().map(|violation| violation.code)
        };
        assert_eq!(code(&Frame::Auth(Auth { v: 1, token: "t", ..Auth::default() })), None);
        assert_eq!(code(&Frame::Auth(Auth { v: 2, token: "t", ..Auth::default() })), Some(1002));
        assert_eq!(code(&Frame::Auth(Auth { v: 1, token: "", ..Auth::default() })), Some(4003));
        assert_eq!(code(&Frame::Ping(&[])), Some(1002));
        assert_eq!(first_frame(b"x").unwrap_err().code, 1002);
    }

    #[test]
    fn a_silent_line_is_pinged_twice_and_then_dead() {
        let mut pulse = Pulse::at(0);
        let beats: Vec<_> = (1..=95).map(|s| (s, pulse.sweep(s * 1000, 30))).filter(|b| b.1 != Beat::Quiet).collect();
        assert_eq!(beats[..3], [(30, Beat::Ping), (60, Beat::Ping), (90, Beat::Dead)]);
        pulse = Pulse::at(100_000);
        assert_eq!(pulse.sweep(129_000, 30), Beat::Quiet);
        assert_eq!(pulse.sweep(130_000, 30), Beat::Ping);
        // The clock's low bits wrap after 49 days.
        let wrap = 1u64 << 32;
        let mut pulse = Pulse::at(wrap - 10_000);
        assert_eq!(pulse.sweep(wrap + 19_999, 30), Beat::Quiet);
        assert_eq!(pulse.sweep(wrap + 20_000, 30), Beat::Ping);
    }

    #[test]
    fn what_was_on_its_way_when_a_call_ended_does_not_count() {
        let mut strays = Strays::default();
        for _ in 0..10 {
            strays.expect_late(60_000);
        }
        let mut later = strays;
        for _ in 0..10 * LATE_FRAMES_PER_CALL + 999 {
            strays.count(60_000).unwrap();
        }
        assert_eq!(strays.count(60_000).unwrap_err().code, 1002);
        // What was not used up is not saved.
        for _ in 0..LATE_FRAMES_PER_CALL + 999 {
            later.count(120_000).unwrap();
        }
        assert_eq!(later.count(120_000).unwrap_err().code, 1002);
    }

    #[test]
    fn strays_are_forgiven_up_to_a_thousand_a_minute() {
        let mut strays = Strays::default();
        for _ in 0..999 {
            strays.count(60_000).unwrap();
        }
        strays.count(120_000).unwrap();
        for _ in 0..998 {
            strays.count(120_000).unwrap();
        }
        assert_eq!(strays.count(120_000).unwrap_err().code, 1002);
    }
}
