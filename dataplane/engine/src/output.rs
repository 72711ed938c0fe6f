//! What waits for one line's socket.

use bytes::{Bytes, BytesMut};
use landline_wire::frame::{Frame, encode_message_head};
use landline_wire::header::Kind;
use landline_wire::limits::COPY_THRESHOLD_BYTES;
use landline_wire::message;

use crate::offer::Body;

/// Frames for one socket, in order. Small frames lie side by side in one buffer; a large body is shared, not copied.
#[derive(Debug, Default)]
pub struct Output {
    /// Large bodies and what stands before each. Most lines never have one: eight bytes instead of twenty-four.
    #[allow(clippy::box_collection, reason = "see above")]
    segments: Option<Box<Vec<Bytes>>>,
    tail: BytesMut,
    bytes: usize,
}

/// Everything that waited, taken for one write.
#[derive(Debug)]
pub enum Flush {
    /// One buffer: the common case. It may be given back with [`Output::recycle`].
    One(BytesMut),
    /// Several: one vectored write.
    Many(Vec<Bytes>),
}

impl Output {
    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Nothing waits?
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Appends a frame; `body` stands for the frame's own, which is not looked at.
    pub fn push(&mut self, frame: &Frame<'_>, body: Body<'_>) {
        let (len, before) = (body.len(), self.tail.len());
        let is_copied = len <= COPY_THRESHOLD_BYTES;
        encode_message_head(&mut self.tail, frame, len, if is_copied { len } else { 0 });
        self.bytes += self.tail.len() - before + len;
        if is_copied {
            body.append_to(&mut self.tail);
        } else {
            let segments = self.segments.get_or_insert_default();
            segments.push(self.tail.split().freeze());
            segments.extend(body.to_pieces());
        }
    }

    /// Appends a control frame.
    pub fn push_control(&mut self, kind: Kind, payload: &[u8]) {
        let start = self.tail.len();
        message::append(&mut self.tail, kind, payload, None);
        self.bytes += self.tail.len() - start;
    }

    /// Appends a close frame.
    pub fn push_close(&mut self, code: u16, reason: &str) {
        let start = self.tail.len();
        message::append_close(&mut self.tail, code, reason, None);
        self.bytes += self.tail.len() - start;
    }

    /// Takes everything, if it is one buffer.
    pub fn take_buffer(&mut self) -> Option<BytesMut> {
        if self.bytes == 0 || self.segments.is_some() {
            return None;
        }
        self.bytes = 0;
        Some(std::mem::take(&mut self.tail))
    }

    /// Takes everything; `None` if nothing waits.
    pub fn take(&mut self) -> Option<Flush> {
        if self.bytes == 0 {
            return None;
        }
        if let Some(buffer) = self.take_buffer() {
            return Some(Flush::One(buffer));
        }
        self.bytes = 0;
        let mut all = *self.segments.take().unwrap_or_default();
        if !self.tail.is_empty() {
            all.push(self.tail.split().freeze());
        }
        Some(Flush::Many(all))
    }

    /// Gives a written buffer back, so that a busy line does not allocate for each write. Dropped if another is in
    /// use already or if it grew large.
    pub fn recycle(&mut self, mut buffer: BytesMut) {
        if self.tail.capacity() == 0 && buffer.capacity() <= 2 * COPY_THRESHOLD_BYTES {
            buffer.clear();
            self.tail = buffer;
        }
    }

    /// Frees the recycled buffer of a line that has gone quiet.
    pub fn shrink(&mut self) {
        if self.tail.is_empty() {
            self.tail = BytesMut::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use landline_wire::frame::{Chunk, decode};
    use landline_wire::message::{Message, Progress, Reader, Role};

    use super::*;

    #[test]
    fn small_bodies_are_copied_large_ones_shared_and_the_order_stays() {
        let large = Bytes::from(vec![7; COPY_THRESHOLD_BYTES + 1]);
        let mut output = Output::default();
        for body in [Bytes::from_static(b"a"), large.clone(), Bytes::from_static(b"b"), Bytes::new()] {
            output.push(&Frame::Chunk(Chunk { id: 2, more: false, body: b"" }), Body::of(&body.into()));
        }
        output.push_control(Kind::Ping, b"?");
        let expected = output.len();
        let Some(Flush::Many(segments)) = output.take() else { panic!("several segments") };
        assert!(segments.iter().any(|segment| segment.as_ptr() == large.as_ptr()), "the large body is not copied");
        assert_eq!(segments.iter().map(Bytes::len).sum::<usize>(), expected);
        assert!(output.is_empty() && output.take().is_none() && output.take_buffer().is_none());

        let mut stream: BytesMut = segments.concat().as_slice().into();
        let mut reader = Reader::new(Role::Client, 1 << 20);
        let mut bodies = Vec::new();
        while let Progress::Message(message) = reader.next(&mut stream).unwrap() {
            match message {
                Message::Binary(message) => match decode(message.first()).unwrap() {
                    Frame::Chunk(chunk) => bodies.push(chunk.body.len()),
                    other => panic!("{other:?}"),
                },
                Message::Ping(payload) => assert_eq!(&payload[..], b"?"),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(bodies, [1, COPY_THRESHOLD_BYTES + 1, 1, 0]);
    }
}
