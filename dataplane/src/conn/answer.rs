//! Writing answers.

use bytes::{Bytes, BytesMut};
use landline_wire::bounds::Bound;
use landline_wire::error::Problem;
use landline_wire::http1::{CHUNK_END, Framing, Head, LAST_CHUNK, answer_head, chunk_head};
use landline_wire::limits::{COPY_THRESHOLD_BYTES, WRITE_DEADLINE_MS};
use landline_wire::pieces::Pieces;

use super::{After, Asked, Conn};

/// Fields of most answers.
const USUAL_FIELDS: usize = 12;

impl Conn {
    /// Writes what is in the output buffer. False if the peer is gone.
    pub(super) async fn flush(&mut self) -> bool {
        self.flush_with(Pieces::new()).await
    }

    /// Writes the output buffer and then `body`, in one operation; a small body is copied next to it.
    pub(super) async fn flush_with(&mut self, body: Pieces) -> bool {
        if body.len() > COPY_THRESHOLD_BYTES {
            return self.flush_segments(body, Bytes::new()).await;
        }
        body.iter().for_each(|piece| self.out.extend_from_slice(piece));
        let out = std::mem::take(&mut self.out);
        self.begin_write();
        let (result, mut buffer) = self.socket.write(out).await;
        self.end_write(result.is_ok());
        if buffer.capacity() <= 2 * COPY_THRESHOLD_BYTES {
            buffer.clear();
            self.out = buffer;
        }
        result.is_ok()
    }

    /// Writes one part of an answer: as a chunk, or as it is for a client that knows no chunks. The last part ends the
    /// body.
    pub(super) async fn flush_part(&mut self, asked: &Asked<'_>, body: Pieces, more: bool) -> bool {
        if asked.is_head || !asked.is_11 {
            let body = if asked.is_head { Pieces::new() } else { body };
            return self.flush_with(body).await;
        }
        let mut end = BytesMut::new();
        if !body.is_empty() {
            chunk_head(&mut self.out, body.len());
            end.extend_from_slice(CHUNK_END);
        }
        if !more {
            end.extend_from_slice(LAST_CHUNK);
        }
        if body.len() > COPY_THRESHOLD_BYTES {
            return self.flush_segments(body, end.freeze()).await;
        }
        body.iter().for_each(|piece| self.out.extend_from_slice(piece));
        self.out.extend_from_slice(&end);
        self.flush().await
    }

    async fn flush_segments(&mut self, body: Pieces, end: Bytes) -> bool {
        let mut segments = vec![self.out.split().freeze()];
        segments.extend(body);
        segments.push(end);
        self.begin_write();
        let written = self.socket.write_vectored(segments).await.is_ok();
        self.end_write(written);
        written
    }

    fn begin_write(&self) {
        self.cell.set_writing(true);
        self.cell.set_deadline(Some(self.core.about_now_ms() + WRITE_DEADLINE_MS));
    }

    fn end_write(&self, is_written: bool) {
        if !is_written && self.cell.is_overdue() {
            self.core.count(Bound::WriteTime);
        }
        self.cell.set_writing(false);
        self.cell.set_deadline(None);
    }

    /// Fields that every answer of ours has.
    pub(super) fn common_fields<'a>(asked: &'a Asked<'_>) -> Vec<(&'a str, &'a [u8])> {
        let mut fields: Vec<(&str, &[u8])> = Vec::with_capacity(USUAL_FIELDS);
        fields.push(("x-request-id", asked.request_id.as_bytes()));
        if let Some(origin) = asked.origin {
            fields.push(("access-control-allow-origin", origin.as_bytes()));
            fields
                .push(("access-control-expose-headers", b"x-request-id, x-connect-route, server-timing, retry-after"));
            fields.push(("vary", b"origin"));
        }
        fields
    }

    /// Answers with a problem document.
    pub(super) async fn answer_problem(&mut self, asked: &Asked<'_>, problem: &Problem, keep_alive: bool) -> After {
        self.answer_problem_with(asked, problem, Vec::new(), keep_alive).await
    }

    /// Answers with a problem document and fields of the occasion.
    pub(super) async fn answer_problem_with(
        &mut self,
        asked: &Asked<'_>,
        problem: &Problem,
        more: Vec<(&str, &[u8])>,
        keep_alive: bool,
    ) -> After {
        let origin = self.core.origin();
        let document = problem.document(&origin, asked.instance, asked.request_id);
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let retry = problem.retry_after_s.map(|seconds| seconds.to_string());
        let mut fields = Self::common_fields(asked);
        fields.extend(more);
        fields.push(("content-type", b"application/problem+json"));
        fields.push(("cache-control", b"no-store"));
        if let Some(retry) = &retry {
            fields.push(("retry-after", retry.as_bytes()));
        }
        if problem.code.status() == 401 {
            fields.push(("www-authenticate", b"Bearer"));
        }
        self.answer_whole(asked, problem.code.status(), fields, Bytes::from(body), keep_alive).await
    }

    /// Answers with a body that is complete.
    pub(super) async fn answer_whole(
        &mut self,
        asked: &Asked<'_>,
        status: u16,
        fields: Vec<(&str, &[u8])>,
        body: impl Into<Pieces>,
        keep_alive: bool,
    ) -> After {
        let body = body.into();
        let framing = match status {
            204 | 304 => Framing::None,
            _ => Framing::Length(body.len() as u64),
        };
        answer_head(&mut self.out, status, fields, framing, keep_alive);
        let body = if asked.is_head || framing == Framing::None { Pieces::new() } else { body };
        match self.flush_with(body).await {
            true if keep_alive => After::Next,
            true => After::Close,
            false => After::Done,
        }
    }

    /// Answers a browser that asks whether a page may call (Fetch standard, CORS preflight).
    pub(super) async fn answer_preflight(&mut self, head: &Head, asked: &Asked<'_>) -> After {
        let wanted = head.header("access-control-request-headers").unwrap_or("authorization, content-type").to_owned();
        let mut fields = Self::common_fields(asked);
        fields.push(("access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE"));
        fields.push(("access-control-allow-headers", wanted.as_bytes()));
        fields.push(("access-control-max-age", b"600"));
        self.answer_whole(asked, 204, fields, Bytes::new(), head.keep_alive).await
    }
}
