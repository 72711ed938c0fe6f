//! Reports of sessions on their way to the exchange. Pure.
//!
//! Reports form one log per start of the switch, cut into numbered batches. A batch keeps its bytes until it is
//! acknowledged, and is sent again as it was on the next connection: the exchange skips what it has, so each counts once.
//!
//! Each connection also brings a **listing** of the sessions, for an exchange whose database was restored. It is put at
//! the log's end, and made of the sessions that the log adds up to there: what comes before it is history, what comes
//! after it are changes to it. So a listing can neither lose a session nor bring a dead one back, and no core is asked.
//!
//! Because a listing says everything, the log may be cut short: once more reports wait than may, they are forgotten and
//! a listing takes their place. The exchange then never hears of lines that came and went meanwhile.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use landline_link::codec::{self, CodecError};
use landline_link::limits::MAX_BATCHES_IN_FLIGHT;
use landline_link::{MAX_BATCH, Report, ReportBatch, SessionUp};
use landline_wire::ids::SessionId;

/// The log from the oldest report that is not acknowledged, and the sessions at its end.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    waiting: VecDeque<Report>,
    /// Batches that were formed and not acknowledged, oldest first.
    flying: VecDeque<Batch>,
    /// How many of `flying` went out on the present connection.
    sent: usize,
    /// The number of the last batch that was formed.
    last_seq: u64,
    sessions: HashMap<SessionId, SessionUp>,
    listing: Listing,
}

#[derive(Debug)]
struct Batch {
    seq: u64,
    bytes: Bytes,
    reports: usize,
}

/// Where the beginning of the last listing is. While it has not been acknowledged no other one is added: a link that
/// flaps does not fill the spool.
#[derive(Debug, Default, PartialEq, Eq)]
enum Listing {
    #[default]
    Acknowledged,
    Waiting,
    InBatch {
        seq: u64,
        /// Sent on an earlier connection too: the exchange may have applied it then, and what it decided may have been
        /// lost with that connection. Once it is acknowledged, another listing follows.
        repeated: bool,
    },
}

impl Sessions {
    /// Adds a report at the log's end.
    pub(crate) fn push(&mut self, report: Report) {
        match &report {
            Report::SessionUp(up) => {
                self.sessions.insert(up.session, up.clone());
            }
            Report::SessionDown { session, .. } => {
                self.sessions.remove(session);
            }
            Report::SessionsBegin | Report::SessionsEnd => {}
        }
        self.waiting.push_back(report);
    }

    /// Reports that wait, sent or not.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + self.flying.iter().map(|batch| batch.reports).sum::<usize>()
    }

    /// If more reports wait than may, a listing takes their place. Gives how many are forgotten.
    pub(crate) fn bound(&mut self, most: usize) -> usize {
        let waiting = self.waiting.len();
        if waiting <= most.max(self.sessions.len() + 2) {
            return 0;
        }
        self.waiting = VecDeque::new();
        self.list();
        waiting - self.waiting.len()
    }

    /// A connection came up: everything that was not acknowledged goes out again, and a listing after it.
    pub(crate) fn connected(&mut self) {
        self.sent = 0;
        match &mut self.listing {
            Listing::Acknowledged => self.list(),
            Listing::Waiting => {}
            Listing::InBatch { repeated, .. } => *repeated = true,
        }
    }

    fn list(&mut self) {
        self.listing = Listing::Waiting;
        self.waiting.reserve(self.sessions.len() + 2);
        self.waiting.push_back(Report::SessionsBegin);
        self.waiting.extend(self.sessions.values().cloned().map(Report::SessionUp));
        self.waiting.push_back(Report::SessionsEnd);
    }

    /// The next batch to send on this connection, encoded, if one may go out now.
    ///
    /// # Errors
    /// A report that cannot be encoded; the engine bounds every field of it, so it does not happen.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, CodecError> {
        if self.sent == self.flying.len() {
            if self.waiting.is_empty() || self.flying.len() >= MAX_BATCHES_IN_FLIGHT {
                return Ok(None);
            }
            self.form()?;
        }
        let bytes = self.flying[self.sent].bytes.clone();
        self.sent += 1;
        Ok(Some(bytes))
    }

    fn form(&mut self) -> Result<(), CodecError> {
        let reports: Vec<Report> = self.waiting.drain(..self.waiting.len().min(MAX_BATCH)).collect();
        let seq = self.last_seq + 1;
        if self.listing == Listing::Waiting && reports.contains(&Report::SessionsBegin) {
            self.listing = Listing::InBatch { seq, repeated: false };
        }
        let (count, batch) = (reports.len(), ReportBatch { seq, reports });
        let bytes = codec::encode(&batch)?;
        self.last_seq = seq;
        self.flying.push_back(Batch { seq, bytes, reports: count });
        Ok(())
    }

    /// Everything up to this batch is durable: gives how many reports that frees. `None` if such a batch was not sent on
    /// this connection.
    pub(crate) fn acknowledge(&mut self, seq: u64) -> Option<usize> {
        let done = self.flying.iter().take_while(|batch| batch.seq <= seq).count();
        if done > self.sent || seq > self.last_seq {
            return None;
        }
        self.sent -= done;
        let freed = self.flying.drain(..done).map(|batch| batch.reports).sum();
        if let Listing::InBatch { seq: at, repeated } = self.listing
            && at <= seq
        {
            self.listing = Listing::Acknowledged;
            if repeated {
                self.list();
            }
        }
        Some(freed)
    }
}

#[cfg(test)]
mod tests;
