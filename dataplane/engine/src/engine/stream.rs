//! Answers as resumable event streams: every event is kept for a while, so that a caller whose connection broke comes
//! back and goes on where it was cut.

use std::collections::VecDeque;

use bytes::Bytes;
use landline_wire::bounds::Bound;
use landline_wire::error::{Code, Problem};
use landline_wire::frame::HeadersBuilder;
use landline_wire::ids::{AgentId, CallId};
use landline_wire::limits::{REPLAY_BYTES_PER_CALL, RESUME_MS};
use landline_wire::pieces::Pieces;

use super::Engine;
use crate::sse::{EventParser, StreamId, event, lines_of, named_lines};
use crate::types::{Now, Origin, Reply, Resume};

/// One stream and what is kept of it.
#[derive(Debug)]
pub(super) struct Stream {
    id: StreamId,
    call: CallId,
    caller: Option<AgentId>,
    target: AgentId,
    /// The agent speaks the format itself.
    parser: Option<EventParser>,
    events: VecDeque<Kept>,
    next_seq: u64,
    bytes: usize,
    /// Who reads it now.
    reader: Option<Origin>,
    /// Since when nobody reads it, or since when it is complete; monotonic milliseconds.
    quiet_since: Option<u64>,
    ended: bool,
}

#[derive(Debug)]
struct Kept {
    seq: u64,
    bytes: Bytes,
    /// Bytes of the agent's window that are given back when this event is taken; 0 once they are.
    cost: usize,
    taken: bool,
}

/// Bytes that a stream costs beside its events. Counted with them, so that many small streams have a bound too.
const STREAM_BYTES: usize = 512;

impl Stream {
    fn first_seq(&self) -> u64 {
        self.events.front().map_or(self.next_seq, |kept| kept.seq)
    }

    fn keep(&mut self, lines: &[u8], cost: usize) -> Reply {
        let bytes = event(&self.id, self.next_seq, lines);
        self.bytes += bytes.len();
        self.events.push_back(Kept { seq: self.next_seq, bytes: bytes.clone(), cost, taken: false });
        self.next_seq += 1;
        Reply::Part { body: bytes.into(), more: true, cost }
    }
}

impl Engine {
    /// The head of the answer to a call that asked for a stream: from here on its parts are events.
    pub(super) fn begin_stream(&mut self, id: StreamId, call: CallId, content_type: Option<&str>, now: Now) {
        let Some(open) = self.calls.get(call) else { return };
        let speaks_sse = content_type.is_some_and(|kind| kind.trim_start().starts_with("text/event-stream"));
        let origin = open.origin;
        let stream = Stream {
            id,
            call,
            caller: open.caller,
            target: open.target,
            parser: speaks_sse.then(EventParser::default),
            events: VecDeque::new(),
            next_seq: 1,
            bytes: STREAM_BYTES,
            reader: Some(origin),
            quiet_since: None,
            ended: false,
        };
        self.streams.insert(id, stream);
        self.replay_bytes += STREAM_BYTES;
        self.reply(origin, stream_head(call), now);
    }

    /// A part of the answer: its events go to whoever reads, and are kept. False if the agent's stream is broken.
    pub(super) fn push_stream(&mut self, id: StreamId, part: Pieces, now: Now) -> bool {
        let Some(stream) = self.streams.get_mut(&id) else { return true };
        let all_lines = match &mut stream.parser {
            Some(parser) => match part.iter().map(|piece| parser.push(piece)).collect::<Result<Vec<_>, _>>() {
                Ok(events) => events.concat(),
                Err(_) => return false,
            },
            None if part.is_empty() => Vec::new(),
            None => vec![lines_of(&part.clone().into_bytes())],
        };
        let (call, reader, before) = (stream.call, stream.reader, stream.bytes);
        let last = all_lines.len().saturating_sub(1);
        let costs = (0..all_lines.len()).map(|index| if index == last { part.len() } else { 0 });
        let replies: Vec<Reply> = all_lines.iter().zip(costs).map(|(lines, cost)| stream.keep(lines, cost)).collect();
        self.replay_bytes += stream.bytes - before;
        if replies.is_empty() {
            // Nothing complete yet: what was taken in makes room at once, or a long event could never arrive.
            self.grant(call, part.len(), now);
        }
        if let Some(reader) = reader {
            replies.into_iter().for_each(|reply| self.reply(reader, reply, now));
        }
        self.forget_taken(id);
        true
    }

    /// The answer is over: says so to whoever reads, and to whoever comes back.
    pub(super) fn end_stream(&mut self, id: StreamId, problem: Option<&Problem>, now: Now) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let before = stream.bytes;
        let lines = match problem {
            Some(problem) => named_lines("error", &problem.document(&self.origin, "", "").to_string()),
            None => named_lines("end", "{}"),
        };
        let Reply::Part { body, cost, .. } = stream.keep(&lines, 0) else { return };
        stream.ended = true;
        self.complete_streams.push_back(id);
        stream.quiet_since = Some(now.ms());
        self.replay_bytes += stream.bytes - before;
        // What it was just told is the last that it hears.
        if let Some(reader) = stream.reader.take() {
            self.reply(reader, Reply::Part { body, more: false, cost }, now);
        }
    }

    /// The reader took parts that cost so much of the agent's window.
    pub(super) fn taken_of_stream(&mut self, id: StreamId, mut bytes: usize, now: Now) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let (call, mut given) = (stream.call, 0);
        for kept in stream.events.iter_mut().filter(|kept| !kept.taken) {
            if kept.cost > bytes {
                break;
            }
            bytes -= kept.cost;
            given += std::mem::take(&mut kept.cost);
            kept.taken = true;
            if bytes == 0 {
                break;
            }
        }
        self.grant(call, given, now);
        self.forget_taken(id);
    }

    /// The reader's connection is gone. The agent goes on, as far as its window reaches.
    pub(super) fn leave_stream(&mut self, id: StreamId, reader: Origin, now: Now) {
        if let Some(stream) = self.streams.get_mut(&id).filter(|stream| stream.reader == Some(reader)) {
            stream.reader = None;
            stream.quiet_since = Some(now.ms());
        }
    }

    /// A caller comes back for a stream.
    pub(super) fn resume(&mut self, resume: Resume, now: Now) {
        if let Err(problem) = self.try_resume(&resume, now) {
            self.reply(resume.origin, Reply::Failed(Box::new(problem)), now);
        }
    }

    fn try_resume(&mut self, resume: &Resume, now: Now) -> Result<(), Problem> {
        let gone = || Problem::new(Code::StreamExpired, "There is no such stream of yours, or it is too late for it.");
        let stream = self.streams.get_mut(&resume.stream).ok_or_else(gone)?;
        let is_theirs = stream.caller == resume.caller && stream.target == resume.target;
        let in_reach = resume.after + 1 >= stream.first_seq() && resume.after < stream.next_seq;
        if !is_theirs || !in_reach {
            return Err(gone());
        }
        let (call, ended) = (stream.call, stream.ended);
        // A complete stream is told at once and to its end: there is nobody to tell more.
        let before = std::mem::replace(&mut stream.reader, (!ended).then_some(resume.origin));
        if !ended {
            stream.quiet_since = None;
        }
        let mut given = 0;
        for kept in stream.events.iter_mut().filter(|kept| kept.seq <= resume.after) {
            given += std::mem::take(&mut kept.cost);
            kept.taken = true;
        }
        let last = stream.next_seq - 1;
        let missed = stream.events.iter().filter(|kept| kept.seq > resume.after);
        let parts: Vec<Reply> = missed
            .map(|kept| Reply::Part {
                body: kept.bytes.clone().into(),
                more: !(ended && kept.seq == last),
                cost: kept.cost,
            })
            .collect();
        // One reader at a time: an older connection that did not notice that it is dead is cut.
        if let Some(before) = before {
            let problem = Problem::new(Code::StreamExpired, "The stream goes on over another connection.");
            self.reply(before, Reply::Failed(Box::new(problem)), now);
        }
        if let Some(open) = self.calls.get_mut(call) {
            open.origin = resume.origin;
        }
        self.grant(call, given, now);
        self.reply(resume.origin, stream_head(call), now);
        let nothing_left = ended && parts.is_empty();
        parts.into_iter().for_each(|part| self.reply(resume.origin, part, now));
        if nothing_left {
            self.reply(resume.origin, Reply::Part { body: Pieces::new(), more: false, cost: 0 }, now);
        }
        Ok(())
    }

    /// Keeps the buffers within their bounds: what a reader has taken goes first. What nobody has taken stays; it is
    /// bounded by the agent's window.
    fn forget_taken(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        while stream.bytes > REPLAY_BYTES_PER_CALL || self.replay_bytes > self.config.replay_budget {
            let Some(oldest) = stream.events.front().filter(|kept| kept.taken) else { return };
            let is_of_call = stream.bytes > REPLAY_BYTES_PER_CALL;
            self.stats.reached.count(if is_of_call { Bound::ReplayOfCall } else { Bound::ReplayOfCore });
            stream.bytes -= oldest.bytes.len();
            self.replay_bytes -= oldest.bytes.len();
            stream.events.pop_front();
        }
    }

    /// May another stream be kept? Those that are complete make room for it, the oldest first.
    pub(super) fn has_replay_room(&mut self) -> bool {
        while self.replay_bytes >= self.config.replay_budget {
            let Some(oldest) = self.complete_streams.pop_front() else { return false };
            if let Some(stream) = self.streams.remove(&oldest) {
                self.replay_bytes -= stream.bytes;
                self.stats.reached.count(Bound::ReplayOfCore);
            }
        }
        true
    }

    /// Ends streams that nobody came back for. To be called about once a second.
    pub(super) fn sweep_streams(&mut self, now: Now) {
        let is_over = |stream: &Stream| stream.quiet_since.is_some_and(|since| now.ms() - since >= RESUME_MS);
        let over: Vec<StreamId> = self.streams.values().filter(|stream| is_over(stream)).map(|s| s.id).collect();
        for id in over {
            let Some(stream) = self.streams.remove(&id) else { continue };
            self.replay_bytes -= stream.bytes;
            if !stream.ended {
                self.abandon(stream.call, now);
            }
        }
        while self.complete_streams.front().is_some_and(|id| !self.streams.contains_key(id)) {
            self.complete_streams.pop_front();
        }
    }
}

/// The head of every stream's answer.
fn stream_head(call: CallId) -> Reply {
    let mut headers = HeadersBuilder::default();
    headers.push("content-type", "text/event-stream");
    headers.push("cache-control", "no-store");
    Reply::Head { call, status: 200, headers: headers.encode().into_bytes(), body: Pieces::new(), more: true }
}
